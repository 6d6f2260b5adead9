//! Decides what all sample services have in common: how a build behaves, how an answer looks, how logs are written.
//!
//! A team with three services would keep the same in a crate of its own. Tidegate does not depend on it.

mod build;
mod logs;
mod reply;

pub use build::{Build, Error, Fault};
pub use logs::{end, init as init_logs};
pub use reply::{Outcome, Rejection, Reply};

//! Observes and executes: Git, AWS, stored state, and the reconcile pipeline. What to do is decided in `tidegate-core`.

pub mod adopt;
pub mod aws;
pub mod config;
pub mod controller;
pub mod git;
pub mod hint;
pub mod logs;
mod nearest;
pub mod origin;
pub mod secret;
pub mod store;
pub mod tick;
pub mod wanted;
pub mod write_back;

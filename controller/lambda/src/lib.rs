//! The Lambda, but for its process: turns an event into a command or into hints, and answers with what came of it.
mod event;
mod handler;
mod hints;
mod settings;

pub use handler::{Invocation, Reply, handle, reply};
pub use hints::{BatchReply, FailedRecord};
pub use settings::{Commands, Settings};

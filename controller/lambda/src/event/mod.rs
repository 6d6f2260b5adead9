//! Tells what an event is: a batch of a queue, something that happened in an account, or a command.
mod batch;
mod cloudtrail;
mod command;
mod happening;

pub(crate) use batch::{Batch, Record};
pub(crate) use command::{command, take_caller};
pub(crate) use happening::{Happening, Unread};

/// Text from outside: escaped and cut.
fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_default).collect()
}

//! `tidegate`: the command line. Reads the arguments, runs one command, and ends with its exit code.
mod arguments;
mod command;
mod connection;
mod exit;
mod out;
#[cfg(test)]
mod reference;
mod table;
mod text;

use std::process::ExitCode;

use clap::Parser as _;
use tidegate_core::command::Command as Told;

use crate::arguments::{Arguments, Command};
use crate::exit::{Error, Exit};
use crate::out::Out;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // What concerns the person is in the answer; the log is for whoever asks for it.
    if std::env::var_os(tidegate_runtime::logs::FILTER).is_some() {
        tidegate_runtime::logs::for_people();
    }
    let out = Out::of_this_process();
    match run(arguments, &out).await {
        Ok(exit) => exit.into(),
        Err(error) => {
            out.error(&error.message, error.hint.as_deref());
            error.exit.into()
        }
    }
}

async fn run(arguments: Arguments, out: &Out) -> Result<Exit, Error> {
    let Arguments { reach, command } = arguments;
    match command {
        Command::Init(options) => command::init::run(&options, out).await,
        Command::Validate(options) => command::validate::run(&options, out),
        Command::Diff(options) => command::diff::run(&options, &reach, out).await,
        Command::Sync(options) => command::sync::run(&options, &reach, out).await,
        Command::Status(options) => command::status::run(&options, &reach, out).await,
        Command::Rollback(options) => command::word::rollback(options, &reach, out).await,
        Command::Unhold(options) => command::word::plain(Told::Unhold, options, &reach, out).await,
        Command::Promote(options) => command::word::promote(options, &reach, out).await,
        Command::Abort(options) => command::word::plain(Told::Abort, options, &reach, out).await,
        Command::Pause(options) => command::word::plain(Told::Pause, options, &reach, out).await,
        Command::Resume(options) => command::word::plain(Told::Resume, options, &reach, out).await,
        Command::Retry(options) => command::word::plain(Told::Retry, options, &reach, out).await,
        Command::History(options) => command::history::run(&options, &reach, out).await,
        Command::PruneVersions(options) => command::prune_versions::run(&options, &reach, out).await,
        Command::Schema(options) => command::schema::run(&options, out),
        Command::Completions(options) => command::completions::run(&options, out),
    }
}

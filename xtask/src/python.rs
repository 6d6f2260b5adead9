//! Effect: installs tools that come as Python packages into a folder below `target/`, anew only when their list changes.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::command;
use crate::workspace::Workspace;

/// What the tests need: folder and list.
const TESTS: (&str, &str) = ("venv", "tests/requirements.txt");

/// The look-alikes of AWS, which ask for other versions of what the tests ask for.
const SECOND_OPINIONS: (&str, &str) = ("second-opinions-venv", "tests/second-opinions/requirements.txt");

/// What building for other machines needs. Apart, because its compiler alone is 400 MB.
const PACKAGING: (&str, &str) = ("package-venv", "xtask/package-requirements.txt");

/// A virtual environment that has all of one list.
#[derive(Debug)]
pub(crate) struct Venv {
    directory: PathBuf,
}

impl Venv {
    /// The tools of the tests.
    pub(crate) fn ensure(workspace: &Workspace) -> anyhow::Result<Self> {
        Self::ensure_of(workspace, TESTS)
    }

    /// The look-alikes of AWS.
    pub(crate) fn ensure_for_second_opinions(workspace: &Workspace) -> anyhow::Result<Self> {
        Self::ensure_of(workspace, SECOND_OPINIONS)
    }

    /// The tools that build for other machines.
    pub(crate) fn ensure_for_packaging(workspace: &Workspace) -> anyhow::Result<Self> {
        Self::ensure_of(workspace, PACKAGING)
    }

    /// Makes the environment, or takes the one that is there if it was made from the same list by the same Python.
    fn ensure_of(workspace: &Workspace, (folder, requirements): (&str, &str)) -> anyhow::Result<Self> {
        let venv = Self { directory: workspace.target.join(folder) };
        let made_from = venv.directory.join("made-from.txt");
        let wanted = format!("{}{}", python_version()?, listed(&workspace.root.join(requirements))?);
        if fs::read_to_string(&made_from).is_ok_and(|found| found == wanted) {
            return Ok(venv);
        }
        if venv.directory.exists() {
            fs::remove_dir_all(&venv.directory).context("the old virtual environment cannot be removed")?;
        }
        command::run(Command::new("python3").args(["-m", "venv"]).arg(&venv.directory))?;
        let mut pip = venv.command("python");
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", requirements]);
        command::run(pip.current_dir(&workspace.root))?;
        // Written last: an environment that was not finished is made again.
        fs::write(&made_from, wanted).context("the virtual environment cannot be written to")?;
        Ok(venv)
    }

    /// Where its programs are.
    pub(crate) fn bin(&self) -> PathBuf {
        self.directory.join("bin")
    }

    /// One of its programs.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(self.bin().join(program.as_ref()));
        command.env("PATH", self.path()).env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// The search path with its programs first, as `activate` sets it: tests start `aws` by name.
    fn path(&self) -> std::ffi::OsString {
        let rest = std::env::var_os("PATH").unwrap_or_default();
        let directories = std::iter::once(self.bin()).chain(std::env::split_paths(&rest));
        std::env::join_paths(directories).unwrap_or(rest.clone())
    }
}

fn python_version() -> anyhow::Result<String> {
    let output = Command::new("python3").arg("--version").output().context("`python3` could not be started")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The text of a requirements file with the ones that it includes in their places.
fn listed(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut whole = String::new();
    for line in text.lines() {
        match line.strip_prefix("-r ") {
            Some(included) => whole += &listed(&file.with_file_name(included.trim()))?,
            None => {
                whole += line;
                whole += "\n";
            }
        }
    }
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_what_is_included() {
        let directory = std::env::temp_dir().join(format!("xtask-requirements-{}", std::process::id()));
        fs::create_dir_all(directory.join("inner")).unwrap();
        fs::write(directory.join("outer.txt"), "-r inner/more.txt\nzizmor==1\n").unwrap();
        fs::write(directory.join("inner/more.txt"), "boto3==1\n").unwrap();
        let whole = listed(&directory.join("outer.txt"));
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(whole.unwrap(), "boto3==1\nzizmor==1\n");
    }
}

//! Effect: runs other programs, showing what is run and what they print.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

use crate::counts::Counts;

/// Variables that `cargo run` sets for this program. A Cargo started by it must not see them: build scripts that watch
/// one would run again, and everything behind them be compiled again.
const SET_BY_CARGO_RUN: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Cargo with these arguments, from the toolchain that the workspace pins.
pub(crate) fn cargo<A: AsRef<OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_cargo_run(&mut command);
    command.args(arguments);
    command
}

/// Hides from a program that starts Cargo itself what `cargo run` has set for this one.
pub(crate) fn forget_cargo_run(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_set_by_cargo_run(&name) {
            command.env_remove(name);
        }
    }
}

fn is_set_by_cargo_run(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| SET_BY_CARGO_RUN.iter().any(|prefix| name.starts_with(prefix)))
}

/// Runs a command that says by its exit status whether all is well.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    announce(command);
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(command))?;
    anyhow::ensure!(status.success(), "`{}` failed with {status}", program(command));
    Ok(())
}

/// A program that runs beside others, with less right to the processor than they have.
pub(crate) struct Aside {
    program: String,
    child: Child,
    printed: PathBuf,
}

impl Aside {
    /// Starts it. What it prints is kept in this file.
    ///
    /// # Errors
    /// It could not be started.
    pub(crate) fn start(command: &Command, printed: PathBuf) -> anyhow::Result<Self> {
        announce(command);
        let file = File::create(&printed).with_context(|| format!("`{}` cannot be written", printed.display()))?;
        let mut nice = Command::new("nice");
        nice.args(["-n", "19"]).arg(command.get_program()).args(command.get_args());
        nice.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        nice.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        let child = nice.spawn().with_context(|| cannot_start(command))?;
        Ok(Self { program: program(command), child, printed })
    }

    /// Waits for its end, and shows what it printed.
    ///
    /// # Errors
    /// It failed.
    pub(crate) fn finish(mut self) -> anyhow::Result<()> {
        let status = self.child.wait()?;
        std::io::copy(&mut File::open(&self.printed)?, &mut std::io::stdout().lock())?;
        anyhow::ensure!(status.success(), "`{}` failed with {status}", self.program);
        Ok(())
    }
}

impl Drop for Aside {
    /// Nobody waits for it any more: it ends.
    fn drop(&mut self) {
        let _already_over = self.child.kill();
        let _already_over = self.child.wait();
    }
}

/// Runs a command quietly and gives what it prints.
///
/// # Errors
/// It cannot be started, or failed: with what it said.
pub(crate) fn output(command: &mut Command) -> anyhow::Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`{}` failed with {}: {}", program(command), output.status, said.trim());
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed something else than text", program(command)))
}

/// Runs a test runner, passing its output on and counting what it says.
///
/// # Errors
/// It failed otherwise than by failing tests, or ran none.
pub(crate) fn run_counting(command: &mut Command, count: fn(&str) -> Option<Counts>) -> anyhow::Result<Counts> {
    announce(command);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| cannot_start(command))?;
    let mut counts = Counts::default();
    if let Some(stdout) = child.stdout.take() {
        let mut terminal = std::io::stdout().lock();
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line.context("the test runner's output could not be read")?;
            terminal.write_all(&line)?;
            terminal.write_all(b"\n")?;
            counts += count(&String::from_utf8_lossy(&line)).unwrap_or_default();
        }
    }
    let status = child.wait()?;
    anyhow::ensure!(status.success() || counts.failed > 0, "`{}` failed with {status}", program(command));
    anyhow::ensure!(counts.passed + counts.failed > 0, "`{}` ran no test", program(command));
    Ok(counts)
}

fn announce(command: &Command) {
    let words = command.get_args().map(shown);
    let line = std::iter::once(name(command).to_string_lossy().into_owned()).chain(words).collect::<Vec<_>>();
    println!("$ {}", line.join(" "));
}

/// A word of a command line as people read it: paths from here, words with blanks in quotes.
fn shown(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    let here = std::env::current_dir().map(|here| format!("{}/", here.display())).unwrap_or_default();
    let word = word.strip_prefix(&here).unwrap_or(&word);
    if word.contains([' ', '\n', '{', '"']) { format!("'{}'", word.replace('\n', " ")) } else { word.to_owned() }
}

/// The program without its directory.
fn name(command: &Command) -> &OsStr {
    Path::new(command.get_program()).file_name().unwrap_or(command.get_program())
}

/// What failed, in a word or two: `cargo clippy`.
fn program(command: &Command) -> String {
    let first = command.get_args().next().filter(|first| !first.to_string_lossy().starts_with(['-', '/']));
    std::iter::once(name(command)).chain(first).map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn cannot_start(command: &Command) -> String {
    format!("`{}` could not be started", command.get_program().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    /// Stands in for a test runner's own last line: what is printed here, an outer run of these tests counts as well.
    fn count(line: &str) -> Option<Counts> {
        (line == "two of three").then_some(Counts { passed: 2, failed: 1, skipped: 0 })
    }

    #[test]
    fn a_runner_whose_tests_fail_is_counted_and_not_an_error() {
        let counts = run_counting(&mut shell("echo 'two of three'; exit 101"), count).unwrap();
        assert_eq!(counts, Counts { passed: 2, failed: 1, skipped: 0 });
    }

    #[test]
    fn a_runner_that_does_not_come_to_its_tests_is_an_error() {
        let error = run_counting(&mut shell("exit 101"), count).unwrap_err();
        assert_eq!(error.to_string(), "`sh` failed with exit status: 101");
    }

    #[test]
    fn a_runner_without_a_test_is_an_error() {
        let error = run_counting(&mut shell("true"), count).unwrap_err();
        assert_eq!(error.to_string(), "`sh` ran no test");
    }

    #[test]
    fn what_runs_beside_fails_as_it_would_alone() {
        let printed = || std::env::temp_dir().join(format!("tidegate-aside-{}.log", std::process::id()));
        Aside::start(&shell("true"), printed()).unwrap().finish().unwrap();
        let error = Aside::start(&shell("exit 3"), printed()).unwrap().finish().unwrap_err();
        std::fs::remove_file(printed()).unwrap();
        assert_eq!(error.to_string(), "`sh` failed with exit status: 3");
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program-here` could not be started");
    }

    #[test]
    fn only_what_cargo_run_sets_is_kept_from_the_next_cargo() {
        assert!(is_set_by_cargo_run(&"CARGO_PKG_NAME".into()));
        assert!(is_set_by_cargo_run(&"CARGO_MANIFEST_DIR".into()));
        assert!(!is_set_by_cargo_run(&"CARGO_HOME".into()));
        assert!(!is_set_by_cargo_run(&"CARGO_TARGET_DIR".into()));
    }
}

//! Effect: runs the targets of `tests/fuzz` under libFuzzer, which follows what an input reaches in the code.
//!
//! What is found there is kept as a file. Put into `tests/fuzz/corpus/<target>/` it is a test of `cargo test`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::Context;

use crate::command::{cargo, output, run};
use crate::doctor::Tool;
use crate::workspace::Workspace;

/// What is needed beside `cargo-fuzz` and C++.
pub(crate) const NEEDS: &[Tool] = &[Tool::Rust, Tool::C];

const CORPUS: &str = "tests/fuzz/corpus";
const PACKAGE: &str = "tests/fuzz/libfuzzer";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How long to run, all targets together
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Run only this target; may be given several times
    #[arg(long, value_name = "TARGET")]
    only: Vec<String>,
}

/// What came of one target.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    target: String,
    executions: u64,
    finding: Option<PathBuf>,
}

/// Runs the targets one after the other, each for its part of the time. None of them keeps the others from running.
pub(crate) fn run_targets(workspace: &Workspace, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    has("`cargo fuzz`", &mut cargo(&["fuzz", "--version"]), "cargo install --locked cargo-fuzz")?;
    has("a C++ compiler", Command::new("c++").arg("--version"), "apt-get install build-essential, or another one's")?;
    let targets = chosen(all(workspace)?, &arguments.only)?;
    let scratch = workspace.target.join("fuzz");
    let program = build(workspace, &scratch)?;
    let each = Duration::from_secs(arguments.minutes * 60 / targets.len() as u64).max(Duration::from_secs(5));
    let mut outcomes = Vec::new();
    for target in targets {
        println!("{target}: {} s", each.as_secs());
        outcomes.push(fuzz(workspace, &scratch, &program, &target, each)?);
    }
    println!("\n{}", summary(&outcomes));
    let clean = outcomes.iter().all(|outcome| outcome.finding.is_none());
    Ok(if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn has(what: &str, ask: &mut Command, install: &str) -> anyhow::Result<()> {
    match output(ask) {
        Ok(_) => Ok(()),
        Err(_) => anyhow::bail!("{what} is not there\n    hint: `{install}`"),
    }
}

/// Each has a folder in the corpus: a test sees to that.
fn all(workspace: &Workspace) -> anyhow::Result<Vec<String>> {
    let folders = fs::read_dir(workspace.root.join(CORPUS)).with_context(|| format!("`{CORPUS}` cannot be read"))?;
    let names = folders.map(|folder| Ok(folder?.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<std::io::Result<Vec<_>>>()?;
    names.sort();
    Ok(names)
}

fn chosen(all: Vec<String>, only: &[String]) -> anyhow::Result<Vec<String>> {
    if let Some(unknown) = only.iter().find(|name| !all.contains(name)) {
        anyhow::bail!("there is no target `{unknown}`; the targets are `{}`", all.join("`, `"));
    }
    Ok(all.into_iter().filter(|name| only.is_empty() || only.contains(name)).collect())
}

/// Builds with the workspace's own versions, and with the pinned compiler: instrumenting needs no other one, as long as no
/// sanitizer is wanted.
fn build(workspace: &Workspace, scratch: &Path) -> anyhow::Result<PathBuf> {
    println!("building (the first time takes minutes)");
    let package = workspace.root.join(PACKAGE);
    fs::copy(workspace.root.join("Cargo.lock"), package.join("Cargo.lock")).context("the versions cannot be copied")?;
    let mut build = cargo(&["fuzz", "build", "--dev", "--sanitizer", "none", "--no-cfg-fuzzing", "--fuzz-dir"]);
    run(build.arg(package).arg("--target-dir").arg(scratch))?;
    let told = output(Command::new("rustc").arg("-vV"))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).context("`rustc -vV` names no host")?;
    Ok(scratch.join(host).join("debug/any"))
}

fn fuzz(
    workspace: &Workspace,
    scratch: &Path,
    program: &Path,
    target: &str,
    each: Duration,
) -> anyhow::Result<Outcome> {
    let (found, findings) = (scratch.join("corpus").join(target), scratch.join("findings").join(target));
    // What earlier runs reached is gone on from; what they found is not looked for again.
    fs::create_dir_all(&found)?;
    if findings.exists() {
        fs::remove_dir_all(&findings)?;
    }
    fs::create_dir_all(&findings)?;
    let log = scratch.join(format!("{target}.log"));
    let mut fuzzer = Command::new(program);
    fuzzer.env("FUZZ_TARGET", target).arg(&found).arg(workspace.root.join(CORPUS).join(target));
    fuzzer.arg(format!("-max_total_time={}", each.as_secs())).arg(format!("-artifact_prefix={}/", findings.display()));
    // A target itself holds an input to its budget of time; this is for one that never ends, and is on the clock.
    fuzzer.args(["-max_len=65536", "-timeout=300", "-rss_limit_mb=2048", "-print_final_stats=1"]);
    // Most of the time would go into telling of functions that have no names here, and being slow is no finding by itself.
    fuzzer.args(["-print_funcs=0", "-entropic=0", "-report_slow_units=300"]);
    let said = File::create(&log).with_context(|| format!("`{}` cannot be written", log.display()))?;
    let status = fuzzer.stdout(said.try_clone()?).stderr(said).status().context("the fuzzer cannot be started")?;
    let text = String::from_utf8_lossy(&fs::read(&log)?).into_owned();
    let finding = fs::read_dir(&findings)?.next().transpose()?.map(|file| file.path());
    anyhow::ensure!(status.success() || finding.is_some(), "`{target}` ended with {status}; see `{}`", log.display());
    Ok(Outcome { target: target.to_owned(), executions: executions(&text), finding })
}

/// As libFuzzer says at its end; before a finding it says the number at its beginning.
fn executions(log: &str) -> u64 {
    let last = |line: &str| line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok();
    let running = |line: &str| line.strip_prefix('#')?.split_whitespace().next()?.parse().ok();
    log.lines().find_map(last).or_else(|| log.lines().filter_map(running).next_back()).unwrap_or_default()
}

fn summary(outcomes: &[Outcome]) -> String {
    let line = |outcome: &Outcome| {
        let finding = outcome.finding.as_ref();
        let finding = finding.map_or_else(|| "no finding".to_owned(), |file| format!("FOUND {}", file.display()));
        format!("{:<15} {:>10} executions   {finding}\n", outcome.target, outcome.executions)
    };
    let total: u64 = outcomes.iter().map(|outcome| outcome.executions).sum();
    let lines: String = outcomes.iter().map(line).collect();
    format!("{lines}{:<15} {total:>10} executions", "all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_target_is_told_which_there_are() {
        let all = || vec!["events".to_owned(), "state".to_owned()];
        assert_eq!(chosen(all(), &[]).unwrap(), all());
        assert_eq!(chosen(all(), &["state".to_owned()]).unwrap(), ["state"]);
        let error = chosen(all(), &["stat".to_owned()]).unwrap_err().to_string();
        assert_eq!(error, "there is no target `stat`; the targets are `events`, `state`");
    }

    #[test]
    fn executions_are_counted_whether_something_was_found_or_not() {
        let clean = "#2\tINITED cov: 5\n#1024\tpulse\nDone 2000 runs\nstat::number_of_executed_units: 2000\n";
        let found = "#2\tINITED cov: 5\n#4096\tNEW    cov: 9\nthread panicked\nSUMMARY: libFuzzer: deadly signal\n";
        assert_eq!((executions(clean), executions(found), executions("")), (2000, 4096, 0));
    }

    #[test]
    fn the_summary_says_what_was_found_where() {
        let outcome = |target: &str, finding: Option<&str>| Outcome {
            target: target.to_owned(),
            executions: 1_000,
            finding: finding.map(PathBuf::from),
        };
        let expected = "\
events                1000 executions   no finding
state                 1000 executions   FOUND target/fuzz/findings/state/crash-1
all                   2000 executions";
        let outcomes = [outcome("events", None), outcome("state", Some("target/fuzz/findings/state/crash-1"))];
        assert_eq!(summary(&outcomes), expected);
    }
}

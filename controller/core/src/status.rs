//! How a service stands, in the field's standard terms, and why nothing happens where nothing happens.
use std::fmt;

use release_schema::ServiceName;
use serde::{Deserialize, Serialize};

use crate::ids::{Version, short_commit};
use crate::live::VersionState;
use crate::release::Package;

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
    /// The alias is about to move.
    Promoting,
    /// A release failed and waits for Git or a person.
    Failed,
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
            Self::NothingKnown { message } => f.write_str(message),
        }
    }
}

/// Why nothing happens to a service: shown by every surface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "on")]
pub enum WaitingOn {
    /// Lambda prepares the published version.
    VersionActive {
        /// The version.
        version: Version,
        /// Its state now.
        state: VersionState,
    },
    /// AWS does not show the published version yet.
    VersionVisible {
        /// The version.
        version: Version,
    },
    /// `$LATEST` is being updated, by us or by somebody else.
    UpdateInProgress,
    /// The step that was just made is looked at in the next tick.
    NextTick,
    /// Something about this service has to be put right first: a tag that does not exist, a function that may not be read.
    Blocked {
        /// What, and what to do about it.
        message: String,
    },
    /// The function does not exist; none is created behind anybody's back.
    FunctionMissing,
    /// The alias was moved by hand with nothing under way; a person says `sync` to go back to what Git wants.
    HandEdit {
        /// The version the alias names.
        found: Option<Version>,
        /// The version it should name.
        expected: Option<Version>,
    },
    /// Somebody changed the alias while a release was under way, or shifts its weights; a person says `sync` to go on.
    ForeignEdit {
        /// The version the alias names.
        found: Option<Version>,
        /// What the additional version's share is, in ten-thousandths.
        weight: Option<u16>,
    },
    /// This release failed; other content in Git or `sync` by a person starts anew.
    NewRelease {
        /// Why it failed.
        reason: String,
    },
    /// A service that this one depends on is not healthy at what Git wants.
    Dependency {
        /// That service.
        service: ServiceName,
    },
    /// A function's package type cannot be changed.
    PackageType {
        /// What the function is.
        live: Package,
        /// What Git wants.
        wanted: Package,
    },
    /// The whole environment makes no forward move.
    Hold(HoldReason),
}

impl fmt::Display for WaitingOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version =
            |version: &Option<Version>| version.map_or_else(|| "`$LATEST`".to_owned(), |v| format!("version {v}"));
        match self {
            Self::VersionActive { version, state } => write!(f, "version {version} is {state}"),
            Self::VersionVisible { version } => write!(f, "version {version} is not visible yet"),
            Self::UpdateInProgress => f.write_str("an update of `$LATEST` is in progress"),
            Self::NextTick => f.write_str("the next tick"),
            Self::Blocked { message } => f.write_str(message),
            Self::FunctionMissing => f.write_str("the function does not exist; create it, Tidegate never does"),
            Self::HandEdit { found, expected } => write!(
                f,
                "the alias was moved by hand: it names {}, history says {}; `tidegate sync ENV/SERVICE` goes back to Git",
                version(found),
                version(expected)
            ),
            Self::ForeignEdit { found, weight } => {
                write!(f, "somebody changed the alias by hand: it names {}", version(found))?;
                if let Some(weight) = weight {
                    write!(f, " with {} % on another version", f64::from(*weight) / 100.0)?;
                }
                f.write_str("; `tidegate sync ENV/SERVICE` goes on towards Git")
            }
            Self::NewRelease { reason } => {
                write!(
                    f,
                    "the release failed: {reason}; change it in Git, or try again with `tidegate sync ENV/SERVICE`"
                )
            }
            Self::Dependency { service } => write!(f, "`{service}` is not healthy at what Git wants"),
            Self::PackageType { live, wanted } => {
                write!(f, "the function is a {live} and Git wants a {wanted}: the package type cannot be changed")
            }
            Self::Hold(reason) => write!(f, "{reason}"),
        }
    }
}

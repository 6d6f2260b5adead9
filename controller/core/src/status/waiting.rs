//! What a service waits for, and what to do about it.
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use release_schema::ServiceName;
use serde::{Deserialize, Serialize};

use super::HoldReason;
use crate::drift::Drift;
use crate::ids::Version;
use crate::live::VersionState;
use crate::release::Package;

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
    /// Something was changed by hand that the traffic does not depend on, or the alias was deleted; a person says `sync` to
    /// set it back.
    Drift {
        /// What, at least one.
        drift: Vec<Drift>,
    },
    /// Somebody keeps changing back what is healed.
    Fight {
        /// How often it was healed in the last hour.
        healed: usize,
        /// Server time from which it is healed again.
        until: DateTime<Utc>,
        /// What is to be healed.
        what: Box<WaitingOn>,
    },
    /// Git has something new, and its policy leaves it to a person to release it.
    Sync,
    /// This release failed; other content in Git or `retry` by a person starts anew.
    NewRelease {
        /// Why it failed.
        reason: String,
    },
    /// This release was turned back; other content in Git or `retry` by a person starts anew.
    Retry {
        /// Why it was turned back.
        reason: String,
    },
    /// A release is held out since a rollback; other content in Git or `unhold` by a person lifts that.
    Held {
        /// What is held out.
        release: String,
        /// Who rolled it back.
        actor: String,
        /// Why.
        reason: String,
        /// When people wanted to be reminded, where that is past.
        due: Option<DateTime<Utc>>,
    },
    /// The time that the step, or the bake, shall last.
    StepTime {
        /// Server time at which it is over.
        until: DateTime<Utc>,
    },
    /// CloudWatch has a step's metrics in full only minutes later.
    Metrics {
        /// Server time from which the step can be judged.
        until: DateTime<Utc>,
    },
    /// The step's time is over, and its metrics do not say yet whether the new version is good enough.
    Inconclusive {
        /// What is missing.
        message: String,
        /// How many looks in a row were inconclusive.
        looks: u32,
        /// How many are tolerated.
        tolerated: u32,
    },
    /// A person has to say `promote`.
    Promotion,
    /// A person paused it, and has to say `resume`.
    Paused {
        /// Who.
        actor: String,
        /// Why, where they said so.
        reason: Option<String>,
    },
    /// Somebody changed the alias in the middle of the release; a person says `resume` or `abort`.
    EditedMidway {
        /// The version the alias names.
        found: Option<Version>,
        /// What the additional version's share is, in ten-thousandths.
        weight: Option<u16>,
    },
    /// Provisioned concurrency is prepared for the new version; AWS shifts the traffic by itself meanwhile.
    ProvisionedConcurrency,
    /// CloudWatch did not say which alarms are red already: only with that can be told later what the release did.
    Alarms {
        /// What it said.
        message: String,
    },
    /// The smoke test could not be run yet, or nothing answered it once: it is run again.
    SmokeTest {
        /// Why.
        message: String,
    },
    /// The alias does not show yet what it was told to.
    ReadBack,
    /// The versions differ in something that AWS wants to be the same while an alias is weighted.
    NotWeightable {
        /// What differs.
        what: String,
    },
    /// It stood still for longer than its progress deadline.
    Overdue {
        /// Since when.
        since: DateTime<Utc>,
        /// What it waits for all that time.
        what: Box<WaitingOn>,
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

impl WaitingOn {
    /// Whether it says what somebody else changed.
    #[must_use]
    pub const fn is_drift(&self) -> bool {
        matches!(
            self,
            Self::HandEdit { .. }
                | Self::ForeignEdit { .. }
                | Self::Drift { .. }
                | Self::Fight { .. }
                | Self::FunctionMissing
        )
    }

    /// Whether a release stands still that waits for this, against everybody's wish: what is asked for in `services.yaml` or
    /// by a person is no standstill.
    #[must_use]
    pub const fn is_standstill(&self) -> bool {
        match self {
            Self::ReadBack
            | Self::ProvisionedConcurrency
            | Self::Inconclusive { .. }
            | Self::Alarms { .. }
            | Self::SmokeTest { .. } => true,
            Self::VersionActive { .. }
            | Self::VersionVisible { .. }
            | Self::UpdateInProgress
            | Self::NextTick
            | Self::Blocked { .. }
            | Self::FunctionMissing
            | Self::HandEdit { .. }
            | Self::ForeignEdit { .. }
            | Self::Drift { .. }
            | Self::Fight { .. }
            | Self::Sync
            | Self::NewRelease { .. }
            | Self::Retry { .. }
            | Self::Held { .. }
            | Self::StepTime { .. }
            | Self::Metrics { .. }
            | Self::Promotion
            | Self::Paused { .. }
            | Self::EditedMidway { .. }
            | Self::NotWeightable { .. }
            | Self::Overdue { .. }
            | Self::Dependency { .. }
            | Self::PackageType { .. }
            | Self::Hold(_) => false,
        }
    }
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
            Self::Drift { drift } => {
                let each: Vec<String> = drift.iter().map(ToString::to_string).collect();
                let each = each.join("; ");
                let hint = match drift.as_slice() {
                    [Drift::TagMoved { live: Some(_), .. }] => "`tidegate sync ENV/SERVICE --repin` releases that",
                    [Drift::TagMoved { live: None, .. }] => {
                        "what was released stays live, and a new tag in Git releases what it names"
                    }
                    [Drift::Registry { too_long: Some(_), .. }] => "`registry: { form: perService }` has room for all",
                    _ => "`tidegate sync ENV/SERVICE` sets it back",
                };
                write!(f, "{each}; {hint}")
            }
            Self::Fight { healed, until, what } => {
                let told = what.to_string();
                // What a person could do is done by itself.
                let what = told.split("; `tidegate ").next().unwrap_or(&told);
                let until = time(until);
                write!(
                    f,
                    "healed {healed} times within an hour, and changed again each time; healed again at {until}: {what}"
                )
            }
            Self::Sync => {
                f.write_str("a person: `tidegate sync ENV/SERVICE` releases what Git wants (`automated: false`)")
            }
            Self::NewRelease { reason } => {
                write!(
                    f,
                    "the release failed: {reason}; change it in Git, or try again with `tidegate retry ENV/SERVICE`"
                )
            }
            Self::Retry { reason } => {
                write!(f, "turned back: {reason}; change it in Git, or try again with `tidegate retry ENV/SERVICE`")
            }
            Self::Held { release, actor, reason, due } => {
                write!(f, "{release} is held out since {actor} rolled it back: {reason}")?;
                if let Some(due) = due {
                    write!(f, " (to be looked at since {})", time(due))?;
                }
                f.write_str("; change it in Git, or lift the hold with `tidegate unhold ENV/SERVICE`")
            }
            Self::StepTime { until } => write!(f, "the step's time, until {}", time(until)),
            Self::Metrics { until } => write!(f, "the step's metrics, complete at {}", time(until)),
            Self::Inconclusive { message, looks, tolerated } => {
                write!(f, "clearer metrics: {message} (inconclusive {looks} times, {tolerated} are tolerated)")
            }
            Self::Promotion => f.write_str("a person: `tidegate promote ENV/SERVICE` goes on"),
            Self::Paused { actor, reason } => {
                write!(f, "paused by {actor}")?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                }
                f.write_str("; `tidegate resume ENV/SERVICE` goes on")
            }
            Self::EditedMidway { found, weight } => {
                write!(f, "somebody changed the alias by hand: it names {}", version(found))?;
                if let Some(weight) = weight {
                    write!(f, " with {} % on another version", f64::from(*weight) / 100.0)?;
                }
                f.write_str("; `tidegate resume ENV/SERVICE` goes on, `tidegate abort` goes back")
            }
            Self::ProvisionedConcurrency => {
                f.write_str("provisioned concurrency is being prepared, and AWS shifts the traffic meanwhile")
            }
            Self::Alarms { message } => write!(
                f,
                "its alarms cannot be read: {message}; `tidegate promote ENV/SERVICE --full` goes on without them"
            ),
            Self::SmokeTest { message } => write!(f, "the smoke test is run again: {message}"),
            Self::ReadBack => f.write_str("the alias does not show yet what it was told to"),
            Self::NotWeightable { what } => write!(
                f,
                "AWS splits no traffic between versions with different {what}; release it with `allAtOnce` or `blueGreen`"
            ),
            Self::Overdue { since, what } => write!(f, "no progress since {}: {what}", time(since)),
            Self::Dependency { service } => write!(f, "`{service}` is not healthy at what Git wants"),
            Self::PackageType { live, wanted } => {
                write!(f, "the function is a {live} and Git wants a {wanted}: the package type cannot be changed")
            }
            Self::Hold(reason) => write!(f, "{reason}"),
        }
    }
}

/// Server time as people read it.
fn time(at: &DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

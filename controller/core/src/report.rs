//! What a tick tells: the status document, the Lambda's answer and what the command line prints are this one value.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_schema::{EnvironmentName, ServiceName, Tag};
use serde::{Deserialize, Serialize};

use crate::drift::Drifted;
use crate::history::Record;
use crate::housekeeping::Kept;
use crate::ids::{Commit, ReleaseId, Version};
use crate::plan::Standing;
use crate::release::Code;
use crate::rollout::Progress;
use crate::shard::Shard;
use crate::state::Revert;
use crate::status::{Health, HoldReason, PhaseName, SyncStatus, WaitingOn};

/// The last tick of one environment, or of one shard of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TickReport {
    /// Version of this document's form.
    pub schema_version: u32,
    /// Which environment.
    pub environment: EnvironmentName,
    /// Of which of its services.
    #[serde(default, skip_serializing_if = "Shard::is_whole")]
    pub shard: Shard,
    /// Where this was put together from the reports of shards: when the services of each of them had a tick last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shards: BTreeMap<Shard, Option<DateTime<Utc>>>,
    /// The tick's id, which is in every log line of it.
    pub tick: String,
    /// Server time at which its lease was granted.
    pub started: DateTime<Utc>,
    /// Wall time in milliseconds.
    pub duration_ms: u64,
    /// The commit that was decided from.
    pub commit: Option<Commit>,
    /// Why the whole environment makes no forward move, where it does not.
    pub hold: Option<HoldReason>,
    /// All problems of the environment's files, one a line, where they are not valid.
    pub problems: Vec<String>,
    /// Server time of the last tick without an error that concerns the whole environment.
    pub last_success: Option<DateTime<Utc>>,
    /// Calls made, by service and operation (`lambda:GetFunction`).
    pub calls: BTreeMap<String, u64>,
    /// How many of them Lambda throttled.
    #[serde(default)]
    pub throttled: u64,
    /// Services that were removed from Git: their functions and aliases are left as they are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unmanaged: BTreeMap<ServiceName, Unmanaged>,
    /// Every managed service, or every one of the shard.
    pub services: BTreeMap<ServiceName, ServiceReport>,
    /// Calls beside Lambda that failed, each with how many services it concerns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed_calls: Vec<FailedCall>,
    /// What came of the one service whose published versions were looked at, where one was deleted or something failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub housekeeping: Option<Housekeeping>,
}

/// A call beside Lambda that failed, in one tick or more often: to Parameter Store, ECR or CloudWatch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FailedCall {
    /// Service and operation: `ssm:GetParameter`.
    pub operation: String,
    /// AWS's code, or what kind of failure it is where there was no answer.
    pub answer: String,
    /// How many services it concerns; 0 where it concerns none of them.
    pub services: usize,
    /// The first of them in full: what was asked for, and what AWS said.
    pub message: String,
    /// What is not known or not done because of it.
    pub consequence: String,
}

/// A service that was removed from Git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unmanaged {
    /// The alias that it had: `Function:live`.
    pub alias: String,
    /// What is stored of it still, where something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<Left>,
    /// What the tick did to close it, in order, in words. It is not named by the next one then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub done: Vec<String>,
    /// What it could not do, where something failed: it is tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// How far a service was when it was removed from Git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Left {
    /// Where it is.
    pub phase: PhaseName,
    /// What was to be released, or is held out.
    pub release: String,
    /// Its share of the traffic in ten-thousandths, where it was given one.
    pub weight: Option<u16>,
    /// Whether it may have some, so that an alias is split, or serves what was not found good.
    pub has_traffic: bool,
}

impl Unmanaged {
    /// Whether a person has to look: a release was left in the middle, or closing the service failed.
    #[must_use]
    pub fn is_trouble(&self) -> bool {
        self.error.is_some() || self.left.as_ref().is_some_and(|left| left.has_traffic)
    }
}

/// What a tick did about the published versions of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Housekeeping {
    /// The service.
    pub service: ServiceName,
    /// The versions that were deleted.
    pub deleted: Vec<Version>,
    /// What could not be done, where something failed: it is tried again in the service's next turn.
    pub problem: Option<String>,
}

/// What becomes of the published versions of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pruned {
    /// Those that can go now, oldest first.
    pub delete: Vec<Version>,
    /// Those of them that were deleted.
    pub deleted: Vec<Version>,
    /// Those that are kept, and why.
    pub kept: BTreeMap<Version, Kept>,
    /// Why not all of them were deleted, where something failed.
    pub problem: Option<String>,
}

/// How one service stands, and what the tick did to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceReport {
    /// Server time of the tick that looked at it: an earlier one than the report's, where it was not its turn since.
    #[serde(default)]
    pub seen: DateTime<Utc>,
    /// Sync status, health, phase, and why it waits.
    pub standing: Standing,
    /// The function.
    pub function: String,
    /// The alias.
    pub alias: String,
    /// What Git wants.
    pub wanted: Wanted,
    /// What is live, where that was seen.
    pub live: Option<Served>,
    /// What somebody else changed, as far as it was looked at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drifted>,
    /// How far a release is, where one is under way or was turned back.
    pub rollout: Option<Progress>,
    /// How far the release repository was told of a rollback, where a release is held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert: Option<Revert>,
    /// What the tick did, in order, in words.
    pub done: Vec<String>,
    /// What it could not do, where something failed.
    pub error: Option<String>,
}

/// What Git wants a service to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    /// The tag, or the object's key, as written.
    pub label: String,
    /// The content, where the tag could be resolved.
    pub release: Option<ReleaseId>,
    /// The code, where the tag could be resolved.
    pub code: Option<Code>,
}

/// What a service serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Served {
    /// The alias's primary version.
    pub version: Option<Version>,
    /// Its code.
    pub code: Option<Code>,
    /// What it is called, where that is known.
    pub tag: Option<Tag>,
}

impl ServiceReport {
    /// This look, with what only the last report knows: since when each drift is there, and, where this look was not close,
    /// what the last close one found.
    #[must_use]
    pub fn after(mut self, before: &Self, closely: bool) -> Self {
        for drifted in &mut self.drift {
            let known = before.drift.iter().find(|known| known.drift == drifted.drift);
            drifted.since = known.map_or(drifted.since, |known| known.since);
        }
        let rests = self.standing.sync == SyncStatus::Synced && self.done.is_empty() && self.error.is_none();
        let unseen: Vec<Drifted> =
            before.drift.iter().filter(|known| known.drift.needs_a_close_look()).cloned().collect();
        let is_as_before = (&self.wanted, &self.live) == (&before.wanted, &before.live);
        if !closely && rests && is_as_before && !unseen.is_empty() {
            // What each look sees may be put right meanwhile.
            let waiting_on = match before.standing.waiting_on.clone() {
                Some(WaitingOn::Drift { .. }) => {
                    Some(WaitingOn::Drift { drift: unseen.iter().map(|known| known.drift.clone()).collect() })
                }
                other => other,
            };
            self.drift = unseen;
            self.standing = Standing { sync: SyncStatus::OutOfSync, waiting_on, ..self.standing };
        }
        self
    }
}

impl TickReport {
    /// The worst health of any service; an environment that is on hold is `Degraded` at best, and so is one with a service
    /// that was removed from Git in the middle of a release.
    #[must_use]
    pub fn health(&self) -> Health {
        let troubled = self.hold.is_some() || self.unmanaged.values().any(Unmanaged::is_trouble);
        let floor = if troubled { Health::Degraded } else { Health::Healthy };
        self.services.values().map(|service| service.standing.health).fold(floor, Ord::max)
    }

    /// The worst sync status of any service.
    #[must_use]
    pub fn sync(&self) -> SyncStatus {
        self.services.values().map(|service| service.standing.sync).fold(SyncStatus::Synced, Ord::max)
    }
}

/// What a command answers with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "answer", deny_unknown_fields)]
pub enum Answer {
    /// Of `sync` and `status`: one report for each environment that was asked for.
    Reports {
        /// By environment.
        reports: Vec<TickReport>,
        /// What could not be done, by environment.
        failures: Vec<Failure>,
    },
    /// Of a person's word to releases: how their services stand then.
    Services {
        /// The environment.
        environment: EnvironmentName,
        /// Those that it was said to.
        reports: BTreeMap<ServiceName, ServiceReport>,
        /// Those to which nothing was done, and why.
        failures: BTreeMap<ServiceName, Failure>,
    },
    /// Of `pruneVersions`: what became, or would become, of the published versions.
    Versions {
        /// The environment.
        environment: EnvironmentName,
        /// By service.
        services: BTreeMap<ServiceName, Pruned>,
        /// The services whose versions were not touched, and why.
        failures: BTreeMap<ServiceName, Failure>,
    },
    /// Of `history`: newest first.
    History {
        /// At most as many as were asked for.
        records: Vec<Record>,
    },
    /// Of `record`.
    Record {
        /// The text of its object, exactly as it is stored: it has the hash that the next record names.
        stored: String,
    },
    /// The command as a whole was refused or could not be done.
    Failed(Failure),
}

/// Why a command could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Failure {
    /// The environment it concerns, where it concerns one.
    pub environment: Option<EnvironmentName>,
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What went wrong, with its causes, for people.
    pub message: String,
}

/// What kind a failure is: it decides the command line's exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureKind {
    /// The release repository's files are not valid: exit code 3.
    InvalidRelease,
    /// Refused: not allowed, not known, or somebody else holds the lease: exit code 4.
    Refused,
    /// It could not be done: something that is needed does not answer or is not configured: exit code 5.
    Unavailable,
}

/// The names that there are, for somebody who asked for one that is not among them: "there are `a`, `b`".
pub fn there_are<T: std::fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) }
}

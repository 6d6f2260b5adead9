//! What is stored of a service while something is under way; a service at rest has no such document.
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::history::Deployed;
use crate::ids::{Commit, RevisionId, TransitionNumber, Version};
use crate::release::Release;

/// One transition of one service: the intent, stored before its first effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceState {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The number that the transition's history record will have.
    pub transition: TransitionNumber,
    /// Where it leads.
    pub release: Release,
    /// What was live when it began; `None` for a first deploy.
    pub from: Option<Deployed>,
    /// Where Git said so.
    pub commit: Commit,
    /// Server time at which it began.
    pub started: DateTime<Utc>,
    /// Since when (server time) it is in this phase.
    pub since: DateTime<Utc>,
    /// How far it is.
    pub phase: Phase,
}

/// How far a transition is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "name")]
pub enum Phase {
    /// `$LATEST` is brought to the release; its version's number is not known yet.
    Publishing {
        /// `$LATEST`'s revision right before our last write: unchanged means that the write had no effect.
        revision_before: Option<RevisionId>,
    },
    /// The version is known; the alias moves to it as soon as it can serve.
    Promoting {
        /// The version that AWS gave.
        version: Version,
        /// Whether it was published for an earlier transition with the same content.
        reused: bool,
    },
    /// It failed and was recorded. Kept so that the same content is not tried again until Git changes or a person asks.
    Failed {
        /// What happened, for people.
        reason: String,
    },
}

impl ServiceState {
    /// The same transition in another phase, since `now`.
    #[must_use]
    pub fn moved_to(&self, phase: Phase, now: DateTime<Utc>) -> Self {
        Self { phase, since: now, ..self.clone() }
    }
}

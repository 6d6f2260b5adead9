//! What is stored of a service while something is under way; a service at rest has no such document.
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use release_schema::AlarmName;
use serde::{Deserialize, Serialize};

use crate::analysis::Verdict;
use crate::history::{Deployed, Head, Kind, Record, Said, StepResult};
use crate::ids::{Commit, RevisionId, TransitionNumber, Version};
use crate::live::{LiveAlias, Weighted};
use crate::marker::Marker;
use crate::release::Release;
use crate::smoke;

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
    /// What was live when it began, stable; `None` for a first deploy.
    pub from: Option<Deployed>,
    /// Where Git said so.
    pub commit: Commit,
    /// Server time at which it began.
    pub started: DateTime<Utc>,
    /// Since when (server time) it is in this phase.
    pub since: DateTime<Utc>,
    /// How far it is.
    pub phase: Phase,
    /// How it gets its traffic.
    #[serde(default)]
    pub rollout: Rollout,
    /// The person who paused it, until one resumes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Said>,
    /// The alias as somebody else left it in the middle of this; it holds until a person decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<Shape>,
    /// What people said to it, oldest first: it goes into the history record.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
}

/// How a release gets its traffic, and how it did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rollout {
    /// The strategy in words, as it was when the first step was made: other words restart it.
    pub strategy: Option<String>,
    /// Why the strategy is not followed, where it is not.
    pub direct: Option<Direct>,
    /// Whether the new version passed a smoke test before it got traffic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub smoke_tested: bool,
    /// What somebody changed by hand, where that is set back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heals: Option<String>,
    /// The new version's timeout in seconds: its metrics are complete only so much later.
    pub timeout: Option<u32>,
    /// How many looks at the metrics were judged so far, over all steps: the confidence is shared out over them.
    pub looks: u32,
    /// How many of them were inconclusive in a row at the end of this step.
    pub inconclusive: u32,
    /// When the last inconclusive one was counted.
    pub counted: Option<DateTime<Utc>>,
    /// The last look at this step.
    pub verdict: Option<Verdict>,
    /// A person said go on; used up by the next step.
    pub advance: Option<Advance>,
    /// The alarms that were red before the release got traffic, and have been since.
    pub red_before: BTreeSet<AlarmName>,
    /// How each step that is over was decided.
    pub results: Vec<StepResult>,
}

/// Why a release goes straight live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Direct {
    /// Nothing was live before: there is nobody to be careful of.
    FirstDeploy,
    /// It was fully promoted not long ago: a revert in Git.
    RollbackWindow,
    /// It was live, and somebody changed that by hand.
    Healed,
}

/// How far a person says to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Advance {
    /// Over all steps that are left.
    pub full: bool,
    /// Over a failed analysis.
    pub force: bool,
}

/// An alias as a write of ours found it. Unchanged means that the write had no effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Before {
    /// Where it sent traffic.
    pub shape: Shape,
    /// Its revision.
    pub revision: RevisionId,
}

impl From<&LiveAlias> for Before {
    fn from(alias: &LiveAlias) -> Self {
        Self { shape: Shape::from(alias), revision: alias.revision.clone() }
    }
}

/// Where an alias sends traffic: what of it a rollout expects to find again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Shape {
    /// The primary; `None` where it names `$LATEST`.
    pub version: Option<Version>,
    /// The additional version, where there is one.
    pub additional: Option<Weighted>,
}

impl Shape {
    /// All traffic to one version.
    #[must_use]
    pub const fn all(version: Version) -> Self {
        Self { version: Some(version), additional: None }
    }
}

impl From<&LiveAlias> for Shape {
    fn from(alias: &LiveAlias) -> Self {
        Self { version: alias.version, additional: alias.additional }
    }
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
    /// The version is known; it is made ready for traffic.
    Preparing {
        /// The version that AWS gave.
        version: Version,
        /// Whether it was published for an earlier transition with the same content.
        reused: bool,
        /// How the smoke test went, where there is one and it ran.
        smoke: Option<smoke::Result>,
    },
    /// The alias is given a step's weight, which was not read back yet.
    Shifting {
        /// The new version.
        version: Version,
        /// Which step, 0 for the first.
        step: usize,
        /// Its weight in ten-thousandths.
        weight: u16,
        /// The alias as it was read before the write.
        before: Before,
    },
    /// The step's weight was read back: its time runs.
    Holding {
        /// The new version.
        version: Version,
        /// Which step, 0 for the first.
        step: usize,
        /// Its weight in ten-thousandths.
        weight: u16,
    },
    /// The alias is given to the new version; that was not read back yet.
    Promoting {
        /// The new version.
        version: Version,
        /// The alias as it was read before the write.
        before: Before,
    },
    /// The new version has all traffic, and is watched.
    Baking {
        /// The new version.
        version: Version,
        /// When the switch was asked for: stable's own window ends there.
        switched: DateTime<Utc>,
    },
    /// Traffic goes back to stable.
    Returning {
        /// The new version.
        version: Version,
        /// How the transition ends.
        ending: Kind,
        /// Why.
        reason: String,
        /// Who caused it.
        actor: String,
        /// The alias before; `None` where there was none.
        before: Option<Before>,
    },
    /// It was turned back and recorded. Kept so that the same content is not tried again until Git changes or a person asks.
    Aborted {
        /// Why, for people.
        reason: String,
    },
    /// A person rolled the service back; the release is held out until Git has other content, or a person lifts the hold.
    Held {
        /// Why, for people.
        reason: String,
        /// Who.
        actor: String,
        /// When people are to be reminded of it.
        remind: Option<DateTime<Utc>>,
        /// Whether the service registry tells of it already.
        told: bool,
        /// How far the release repository was told.
        #[serde(default)]
        revert: Revert,
    },
    /// It failed before it got traffic, and was recorded. Kept for the same reason.
    Failed {
        /// What happened, for people.
        reason: String,
    },
}

/// How far the release repository was told of a rollback: with a branch that sets the service back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "is")]
pub enum Revert {
    /// The branch is to be pushed.
    Wanted {
        /// Why that did not succeed yet, where it was tried.
        problem: Option<String>,
    },
    /// The branch is there.
    Pushed(Pushed),
    /// It cannot be pushed, however often it is tried.
    GivenUp {
        /// Why.
        problem: String,
    },
}

/// Why a branch is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotPushed {
    /// In one line, for people.
    pub problem: String,
    /// Whether trying again is of no use.
    pub is_final: bool,
}

impl Default for Revert {
    fn default() -> Self {
        Self::Wanted { problem: None }
    }
}

/// A branch in the release repository that sets a service back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pushed {
    /// Its name.
    pub branch: String,
    /// Where a pull request is made of it, on a host whose addresses are known.
    pub url: Option<String>,
    /// Why `services.yaml` is not part of it, where it could not be edited.
    pub without_edit: Option<String>,
}

impl Phase {
    /// The version that was published, where it is known.
    #[must_use]
    pub const fn version(&self) -> Option<Version> {
        match self {
            Self::Preparing { version, .. }
            | Self::Shifting { version, .. }
            | Self::Holding { version, .. }
            | Self::Promoting { version, .. }
            | Self::Baking { version, .. }
            | Self::Returning { version, .. } => Some(*version),
            Self::Publishing { .. } | Self::Aborted { .. } | Self::Held { .. } | Self::Failed { .. } => None,
        }
    }

    /// Why it ended, where it ended and was recorded.
    #[must_use]
    pub fn over(&self) -> Option<&str> {
        match self {
            Self::Aborted { reason } | Self::Failed { reason } | Self::Held { reason, .. } => Some(reason),
            Self::Publishing { .. }
            | Self::Preparing { .. }
            | Self::Shifting { .. }
            | Self::Holding { .. }
            | Self::Promoting { .. }
            | Self::Baking { .. }
            | Self::Returning { .. } => None,
        }
    }

    /// Whether it ended and was recorded.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over().is_some()
    }

    /// Whether the alias may send traffic to the new version.
    #[must_use]
    pub const fn has_traffic(&self) -> bool {
        match self {
            Self::Shifting { .. }
            | Self::Holding { .. }
            | Self::Promoting { .. }
            | Self::Baking { .. }
            | Self::Returning { .. } => true,
            Self::Publishing { .. }
            | Self::Preparing { .. }
            | Self::Aborted { .. }
            | Self::Held { .. }
            | Self::Failed { .. } => false,
        }
    }
}

impl ServiceState {
    /// The number that the record of this transition's end gets; `None` where history tells of that end already, or of the rollback
    /// that ended it.
    ///
    /// It is the transition's own, unless the record of a tick that died before it moved the head took that.
    #[must_use]
    pub fn unrecorded(&self, head: Option<&Head>) -> Option<TransitionNumber> {
        let Some(head) = head.filter(|head| head.number >= self.transition) else { return Some(self.transition) };
        self.end(head).is_none().then(|| head.number.next())
    }

    /// The record of this transition's end, or of the rollback that ended it.
    #[must_use]
    pub fn end<'h>(&self, head: &'h Head) -> Option<&'h Record> {
        let is_own = |record: &Record| record.started == self.started && record.to.release == self.release.id;
        let mut since = head.recent.iter().take_while(|record| record.number >= self.transition);
        since.find(|record| is_own(record) || record.kind == Kind::RolledBack)
    }

    /// The hold with what came of telling the release repository; `None` where it says so already.
    #[must_use]
    pub fn reverted(&self, outcome: Result<Pushed, NotPushed>) -> Option<Self> {
        let Phase::Held { reason, actor, remind, told, revert } = &self.phase else { return None };
        let now = match outcome {
            Ok(pushed) => Revert::Pushed(pushed),
            Err(NotPushed { problem, is_final: true }) => Revert::GivenUp { problem },
            Err(NotPushed { problem, is_final: false }) => Revert::Wanted { problem: Some(problem) },
        };
        let phase = Phase::Held {
            reason: reason.clone(),
            actor: actor.clone(),
            remind: *remind,
            told: *told,
            revert: now.clone(),
        };
        (now != *revert).then(|| Self { phase, ..self.clone() })
    }

    /// Whether its own write gave it all of this alias's traffic, and whoever made that died before anything told of it.
    #[must_use]
    pub fn has_landed(&self, alias: &LiveAlias) -> bool {
        let Phase::Preparing { version, .. } = self.phase else { return false };
        Shape::from(alias) == Shape::all(version) && alias.marker == Some(self.marker())
    }

    /// What a write that gives all traffic to its version says of itself.
    #[must_use]
    pub fn marker(&self) -> Marker {
        Marker { release: self.release.id.clone(), transition: self.transition, weight: None, held: None }
    }

    /// The same transition in another phase, since `now`. What was looked at and said in the phase before does not count for
    /// the next, but for a word about all of them.
    #[must_use]
    pub fn moved_to(&self, phase: Phase, now: DateTime<Utc>) -> Self {
        let advance = self.rollout.advance.filter(|advance| advance.full);
        let rollout = Rollout { inconclusive: 0, counted: None, verdict: None, advance, ..self.rollout.clone() };
        Self { phase, since: now, rollout, ..self.clone() }
    }
}

//! What a function is: `$LATEST`, its numbered versions, its aliases, and how time alone moves their states.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::code::Code;
use super::configuration::Configuration;
use super::event_invoke::EventInvoke;
use super::provisioned::Provisioned;
use super::{Key, Target, conflict, function_not_found};
use crate::wire::AwsError;

/// The state of a version, as `GetFunction` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionState {
    /// Being made; it cannot be invoked yet.
    Pending,
    /// It can be invoked.
    Active,
    /// Not invoked for weeks: the first invocation is refused and wakes it.
    Inactive,
    /// It will never run.
    Failed,
}

impl VersionState {
    /// The name in AWS's model.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Inactive => "Inactive",
            Self::Failed => "Failed",
        }
    }
}

/// Why something is in a state: a code of AWS's model, and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) text: String,
}

impl Reason {
    pub(crate) fn new(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    pub(crate) fn creating() -> Self {
        Self::new("Creating", "The function is being created.")
    }
}

/// How the last update of `$LATEST` went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LastUpdate {
    Successful,
    InProgress,
    Failed(Reason),
}

/// What runs and how: everything that makes one published version different from another.
#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) configuration: Configuration,
    pub(crate) code: Code,
}

/// A change of state that only needs time.
#[derive(Clone, Debug)]
pub(crate) struct Transition {
    pub(crate) at: DateTime<Utc>,
    /// The `RevisionId` from then on.
    pub(crate) revision: String,
    /// Why it will fail, if it will.
    pub(crate) failure: Option<Reason>,
    /// What keeps serving until then, and for ever if it fails.
    pub(crate) previous: Option<Arc<Snapshot>>,
}

/// `$LATEST` or one numbered version.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    /// None: `$LATEST`.
    pub(crate) number: Option<u64>,
    pub(crate) snapshot: Arc<Snapshot>,
    /// A version's own description, where `PublishVersion` gave one.
    pub(crate) description: Option<String>,
    pub(crate) modified: DateTime<Utc>,
    pub(crate) revision: String,
    pub(crate) state: VersionState,
    pub(crate) reason: Option<Reason>,
    pub(crate) last_update: LastUpdate,
    pub(crate) transition: Option<Transition>,
}

impl Version {
    /// `$LATEST` or the number.
    pub(crate) fn label(&self) -> String {
        self.number.map_or_else(|| "$LATEST".to_owned(), |number| number.to_string())
    }

    /// What an invocation runs: during an update still the old code and configuration.
    pub(crate) fn serving(&self) -> &Arc<Snapshot> {
        self.transition.as_ref().and_then(|transition| transition.previous.as_ref()).unwrap_or(&self.snapshot)
    }

    /// Applies the change that the time until `now` has brought.
    fn settle(&mut self, now: DateTime<Utc>) {
        let Some(transition) = self.transition.take_if(|transition| transition.at <= now) else { return };
        self.revision = transition.revision;
        if self.last_update == LastUpdate::InProgress {
            self.last_update = match transition.failure {
                None => LastUpdate::Successful,
                Some(reason) => LastUpdate::Failed(reason),
            };
            match (&self.last_update, transition.previous) {
                (LastUpdate::Failed(_), Some(previous)) => self.snapshot = previous,
                // A function that could not run is mended by an update that works.
                _ => (self.state, self.reason) = (VersionState::Active, None),
            }
            return;
        }
        (self.state, self.reason) = match transition.failure {
            None => (VersionState::Active, None),
            Some(reason) => (VersionState::Failed, Some(reason)),
        };
    }

    /// Starts an update of `$LATEST`.
    pub(crate) fn start_update(&mut self, update: Update) {
        let previous = std::mem::replace(&mut self.snapshot, Arc::new(update.snapshot));
        self.modified = update.now;
        self.revision = update.revision;
        self.last_update = LastUpdate::InProgress;
        self.transition = Some(Transition {
            at: update.now + update.takes,
            revision: update.settled_revision,
            failure: update.failure,
            previous: Some(previous),
        });
    }

    /// Refuses what cannot be done while the function is being made or updated.
    pub(crate) fn check_settled(&self, key: &Key) -> Result<(), AwsError> {
        if self.state == VersionState::Pending {
            return Err(conflict(
                "The operation cannot be performed at this time. The function is currently in the following state: \
                 Pending",
            ));
        }
        if self.last_update == LastUpdate::InProgress {
            return Err(conflict(format!(
                "The operation cannot be performed at this time. An update is in progress for resource: {}",
                key.arn()
            )));
        }
        Ok(())
    }
}

/// A new content of `$LATEST`, and how long it takes to get there.
pub(crate) struct Update {
    pub(crate) snapshot: Snapshot,
    pub(crate) now: DateTime<Utc>,
    pub(crate) takes: Duration,
    pub(crate) failure: Option<Reason>,
    pub(crate) revision: String,
    pub(crate) settled_revision: String,
}

/// A name for one version, or for two by weight.
#[derive(Clone, Debug)]
pub(crate) struct Alias {
    pub(crate) name: String,
    /// `$LATEST` or a number.
    pub(crate) version: String,
    /// At most one more version, and its share from 0 to 1, as somebody has set it.
    pub(crate) additional: Option<(u64, f64)>,
    pub(crate) description: String,
    pub(crate) revision: String,
    /// Provisioned concurrency, where it is set.
    pub(crate) provisioned: Option<Provisioned>,
}

impl Alias {
    /// The additional version and its share at this time: what Lambda has injected, else what somebody has set.
    pub(crate) fn routing(&self, now: DateTime<Utc>) -> Option<(u64, f64)> {
        self.provisioned.as_ref().and_then(|it| it.injected(now)).or(self.additional)
    }

    /// The version that one request meets. `chance` from 0 to 1 is only drawn where two versions share the traffic.
    pub(crate) fn route(&self, now: DateTime<Utc>, chance: impl FnOnce() -> f64) -> String {
        match self.routing(now) {
            Some((additional, weight)) if chance() < weight => additional.to_string(),
            Some(_) | None => self.version.clone(),
        }
    }

    /// The share of the traffic that a version has at this time.
    pub(crate) fn share(&self, version: &str, now: DateTime<Utc>) -> f64 {
        match self.routing(now) {
            Some((additional, weight)) if additional.to_string() == version => weight,
            Some((_, weight)) if self.version == version => 1.0 - weight,
            None if self.version == version => 1.0,
            Some(_) | None => 0.0,
        }
    }
}

/// One function.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) key: Key,
    pub(crate) latest: Version,
    pub(crate) versions: BTreeMap<u64, Version>,
    /// The highest number ever given: numbers are never used again.
    pub(crate) last_number: u64,
    pub(crate) aliases: BTreeMap<String, Alias>,
    /// Reserved concurrency, where it is set.
    pub(crate) reserved: Option<u32>,
    /// How many invocations run now.
    pub(crate) running: u32,
    pub(crate) tags: BTreeMap<String, String>,
    /// Asynchronous invocation, by qualifier; `$LATEST` for none.
    pub(crate) event_invoke: BTreeMap<String, EventInvoke>,
}

impl Function {
    /// Applies every change of state that the time until `now` has brought.
    pub(crate) fn settle(&mut self, now: DateTime<Utc>) {
        self.latest.settle(now);
        for version in self.versions.values_mut() {
            version.settle(now);
        }
    }

    /// The version of that number, or `$LATEST`.
    pub(crate) fn version(&self, label: &str) -> Option<&Version> {
        match label {
            "$LATEST" => Some(&self.latest),
            number => self.versions.get(&number.parse().ok()?),
        }
    }

    /// The version that a target means; of an alias its primary one.
    pub(crate) fn qualified(&self, target: &Target) -> Result<&Version, AwsError> {
        let Some(qualifier) = &target.qualifier else { return Ok(&self.latest) };
        let label = self.aliases.get(qualifier).map_or(qualifier, |alias| &alias.version);
        self.version(label).ok_or_else(|| function_not_found(target))
    }

    /// The version of that label, to change its state.
    pub(crate) fn version_mut(&mut self, label: &str) -> Option<&mut Version> {
        match label {
            "$LATEST" => Some(&mut self.latest),
            number => self.versions.get_mut(&number.parse().ok()?),
        }
    }

    /// The newest version, where it still is what `$LATEST` is now.
    pub(crate) fn unchanged_since_publish(&self) -> Option<&Version> {
        self.versions.get(&self.last_number).filter(|version| version.snapshot == self.latest.snapshot)
    }
}

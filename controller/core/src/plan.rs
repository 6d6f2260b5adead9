//! A plan: what will be done to one service, as data. `diff` and `sync` show it, only `sync` executes it.
use std::fmt;

use chrono::{DateTime, Utc};
use release_schema::{AliasName, SmokeTest};
use serde::{Deserialize, Serialize};

use crate::history::{Deployed, Head, Record};
use crate::ids::{Commit, RevisionId, TransitionNumber, Version};
use crate::live::{ConfigurationChange, Weighted};
use crate::marker::Marker;
use crate::release::{Code, Source};
use crate::state::{Phase, ServiceState};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// One effect. Each is an "ensure": executing it twice does no more than once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Store the intent, or how far it is.
    SaveState(Box<ServiceState>),
    /// Change `$LATEST`'s configuration.
    UpdateConfiguration {
        /// Only what differs.
        change: ConfigurationChange,
        /// `$LATEST` as it was read.
        if_revision: RevisionId,
    },
    /// Bring `$LATEST` to the code and publish it, in one call.
    UpdateCode {
        /// By digest, or by object version.
        source: Source,
        /// `$LATEST` as it was read.
        if_revision: RevisionId,
    },
    /// Bring `$LATEST` back to the code that is live, without publishing it: somebody changed it by hand.
    RestoreLatest {
        /// By digest, or by object version.
        source: Source,
        /// `$LATEST` as it was read.
        if_revision: RevisionId,
    },
    /// Publish `$LATEST`, which has the code already. Answers with the same version again where one exists.
    PublishVersion {
        /// Refused by AWS where `$LATEST` has other code.
        code: Code,
        /// `$LATEST` as it was read.
        if_revision: RevisionId,
    },
    /// Store the version that the publishing call before gave: the same intent, now promoting.
    SavePublished(Box<ServiceState>),
    /// Create the alias, where there is none.
    CreateAlias {
        /// What it names.
        version: Version,
        /// Who says so.
        marker: Marker,
    },
    /// Create the alias on stable, where there is none any more. As [`Action::Return`], it never waits.
    RecreateAlias {
        /// Stable.
        version: Version,
        /// Who says so.
        marker: Marker,
    },
    /// Send all traffic to one version: with explicit empty weights, and the marker.
    UpdateAlias {
        /// What it names.
        version: Version,
        /// Who says so.
        marker: Marker,
        /// The alias as it was read.
        if_revision: RevisionId,
    },
    /// Give the additional version a share of the traffic; the primary stays.
    SetWeight {
        /// The primary: stable.
        stable: Version,
        /// The additional version and its share.
        canary: Weighted,
        /// Who says so.
        marker: Marker,
        /// The alias as it was read.
        if_revision: RevisionId,
    },
    /// Send all traffic back to stable. It never waits: not for a hold, nor for another service.
    Return {
        /// Stable.
        version: Version,
        /// Who says so.
        marker: Marker,
        /// The alias as it was read.
        if_revision: RevisionId,
    },
    /// Let the preview alias name the new version.
    PointPreview {
        /// The preview alias.
        alias: AliasName,
        /// The new version.
        version: Version,
        /// Who says so.
        marker: Marker,
        /// The alias as it was read; `None` where there is none yet.
        if_revision: Option<RevisionId>,
    },
    /// Invoke the new version, and store how that went in this state.
    SmokeTest {
        /// The version's number, or the preview alias that names it.
        qualifier: String,
        /// What to send, and what to expect.
        test: SmokeTest,
        /// The state that gets the result.
        state: Box<ServiceState>,
    },
    /// Invoke an idle version, so that it wakes: what it answers is of no interest.
    Wake {
        /// The version.
        version: Version,
        /// What to send.
        test: SmokeTest,
    },
    /// Append to the history, and move its head.
    AppendRecord(Box<Record>),
    /// Store the history's head, which was lost and made again from the records.
    RestoreHead(Box<Head>),
    /// Tell the other services.
    WriteRegistry {
        /// The version that is live.
        version: Version,
        /// What it is called.
        tag: Option<release_schema::Tag>,
    },
    /// Push a branch that sets the service back in the release repository, and store how that went. It never fails a plan:
    /// traffic is back already.
    PushRevert {
        /// The rollback that it tells of.
        revert: Box<Rollback>,
        /// The state that gets the result.
        state: Box<ServiceState>,
    },
    /// Set the function's reserved concurrency: it belongs to the function, not to a version.
    SetReservedConcurrency {
        /// How many.
        concurrency: u32,
    },
    /// Nothing is under way any more.
    ClearState,
}

/// A rollback, as the release repository is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rollback {
    /// Its number in the service's history.
    pub number: TransitionNumber,
    /// What is held out.
    pub held: Deployed,
    /// What is live since.
    pub live: Deployed,
    /// The commit that was in force: the branch begins there.
    pub commit: Commit,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Server time.
    pub at: DateTime<Utc>,
}

impl Action {
    /// Whether it changes anything in Lambda.
    #[must_use]
    pub const fn mutates_lambda(&self) -> bool {
        matches!(self, Self::Return { .. } | Self::RecreateAlias { .. })
            || (self.moves_forward() && !matches!(self, Self::SmokeTest { .. }))
    }

    /// Whether it brings a release on. Only these wait while an environment is on hold, or a dependency is not healthy.
    #[must_use]
    pub const fn moves_forward(&self) -> bool {
        match self {
            Self::UpdateConfiguration { .. }
            | Self::UpdateCode { .. }
            | Self::RestoreLatest { .. }
            | Self::PublishVersion { .. }
            | Self::CreateAlias { .. }
            | Self::UpdateAlias { .. }
            | Self::SetWeight { .. }
            | Self::PointPreview { .. }
            | Self::SmokeTest { .. }
            | Self::SetReservedConcurrency { .. } => true,
            Self::Return { .. }
            | Self::RecreateAlias { .. }
            | Self::Wake { .. }
            | Self::SaveState(_)
            | Self::SavePublished(_)
            | Self::AppendRecord(_)
            | Self::RestoreHead(_)
            | Self::WriteRegistry { .. }
            | Self::PushRevert { .. }
            | Self::ClearState => false,
        }
    }
}

/// What people read of an action. Configuration values are not shown.
impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SaveState(state) if matches!(state.phase, Phase::Held { told: false, .. }) => {
                write!(f, "hold {} out", state.release.label())
            }
            Self::SaveState(state) if matches!(state.phase, Phase::Held { told: true, .. }) => {
                f.write_str("note that the service registry is told")
            }
            Self::SaveState(state) if state.phase.is_over() => {
                write!(f, "keep {} from being tried again", state.release.label())
            }
            Self::SaveState(state) if is_a_look(state) => f.write_str("note what the metrics say"),
            Self::SaveState(state) => {
                let verb = if state.since == state.started { "begin" } else { "go on with" };
                write!(f, "{verb} transition {} to {}", state.transition, state.release.label())
            }
            Self::UpdateConfiguration { change, .. } => {
                let ConfigurationChange { memory_size, timeout, environment: _, environment_names } = change;
                let fields = [memory_size.map(|_| "memorySize"), timeout.map(|_| "timeout")];
                let names = environment_names.iter().map(|name| format!("environment.{name}"));
                let all: Vec<String> = fields.into_iter().flatten().map(str::to_owned).chain(names).collect();
                write!(f, "set {}", all.join(", "))
            }
            Self::UpdateCode { source: Source::Image { uri }, .. } => write!(f, "publish {}", short_image(uri)),
            Self::UpdateCode { source: source @ Source::Zip { .. }, .. } => write!(f, "publish {source}"),
            Self::RestoreLatest { .. } => f.write_str("bring `$LATEST` back to the code that is live"),
            Self::PublishVersion { code, .. } => write!(f, "publish `$LATEST`, which has {}", code.short()),
            Self::SavePublished(_) => f.write_str("note the published version"),
            Self::CreateAlias { version, .. } | Self::RecreateAlias { version, .. } => {
                write!(f, "create the alias on version {version}")
            }
            Self::UpdateAlias { version, .. } => write!(f, "send all traffic to version {version}"),
            Self::SetWeight { canary, .. } => {
                write!(f, "give version {} {} % of the traffic", canary.version, canary.percent())
            }
            Self::Return { version, .. } => write!(f, "return all traffic to version {version}"),
            Self::PointPreview { alias, version, .. } => write!(f, "let `{alias}` name version {version}"),
            Self::SmokeTest { qualifier, .. } => write!(f, "smoke-test {qualifier}"),
            Self::Wake { version, .. } => write!(f, "wake version {version}"),
            Self::AppendRecord(record) => write!(f, "record transition {} as {}", record.number, record.kind.as_str()),
            Self::RestoreHead(head) => write!(f, "restore the history's head at record {}", head.number),
            Self::WriteRegistry { version, .. } => write!(f, "write version {version} to the service registry"),
            Self::PushRevert { .. } => f.write_str("push the revert to the release repository"),
            Self::SetReservedConcurrency { concurrency } => write!(f, "set reservedConcurrency to {concurrency}"),
            Self::ClearState => f.write_str("finish the transition"),
        }
    }
}

/// Whether nothing but a look at a step's metrics is stored.
const fn is_a_look(state: &ServiceState) -> bool {
    let watching = matches!(state.phase, Phase::Holding { .. } | Phase::Baking { .. });
    watching && state.rollout.verdict.is_some()
}

/// Enough of an image's reference for people: the repository without its registry, and the beginning of the digest.
fn short_image(uri: &str) -> String {
    let name = uri.split_once('/').map_or(uri, |(_registry, name)| name);
    match name.split_once('@') {
        Some((repository, digest)) => format!("{repository}@{}", digest.chars().take(19).collect::<String>()),
        None => name.to_owned(),
    }
}

/// How a service stands, as the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Standing {
    /// Whether live is what Git wants.
    pub sync: SyncStatus,
    /// How it is.
    pub health: Health,
    /// Where it is in its life.
    pub phase: PhaseName,
    /// Why nothing more happens, where nothing more does.
    pub waiting_on: Option<WaitingOn>,
}

/// What will be done to one service, in this order, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In order; the first that fails ends the service's tick.
    pub actions: Vec<Action>,
    /// How the service stands.
    pub standing: Standing,
}

impl Plan {
    /// Nothing to do.
    #[must_use]
    pub const fn rest(standing: Standing) -> Self {
        Self { actions: Vec::new(), standing }
    }

    /// Whether it brings a release on.
    #[must_use]
    pub fn moves_forward(&self) -> bool {
        self.actions.iter().any(Action::moves_forward)
    }

    /// Nothing of it, waiting on `reason`. A plan that moves the alias stands as if it had moved; held, it has not.
    #[must_use]
    pub fn held_by(self, reason: WaitingOn) -> Self {
        let moves_alias =
            self.actions.iter().any(|action| matches!(action, Action::CreateAlias { .. } | Action::UpdateAlias { .. }));
        let standing = if moves_alias {
            let rolls_out = self
                .actions
                .iter()
                .any(|action| matches!(action, Action::SaveState(state) if state.phase.has_traffic()));
            let phase = if rolls_out { PhaseName::Promoting } else { PhaseName::Preparing };
            let (sync, health) = (SyncStatus::OutOfSync, Health::Progressing);
            Standing { sync, health, phase, waiting_on: Some(reason) }
        } else {
            Standing { waiting_on: Some(reason), ..self.standing }
        };
        Self::rest(standing)
    }
}

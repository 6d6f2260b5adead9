//! Tells what a tick saw and did: of one service, and of the environment.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_schema::{Artifact, Service, ServiceName};
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::drift;
use tidegate_core::ids::Version;
use tidegate_core::plan::Standing;
use tidegate_core::release::Release;
use tidegate_core::report::{Served, ServiceReport, TickReport, Wanted as WantedReport};
use tidegate_core::rollout::Progress;
use tidegate_core::state::{Phase, Revert, ServiceState, Shape};
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};
use tokio::time::Instant;

use super::closely::Closely;
use super::service::{One, Seen};
use super::{Tick, slice};
use crate::wanted::{NothingKnown, Wanted};

/// What a plan left behind.
pub(super) struct After {
    /// How the plan said that it stands.
    pub(super) standing: Standing,
    /// What was done, in words.
    pub(super) done: Vec<String>,
    /// The alias, where it was written.
    pub(super) shape: Option<Shape>,
    /// The transition, where one is under way still.
    pub(super) state: Option<ServiceState>,
    /// How it ended.
    pub(super) end: End,
}

/// How a plan ended.
pub(super) enum End {
    /// All of it was done, but for what may wait.
    Done,
    /// There was no time left for the rest of it.
    Postponed,
    /// Something could not be done.
    Failed(String),
}

/// How a service stands after its plan. A plan that was not finished leaves it out of sync.
pub(super) fn service(one: &One<'_>, seen: &Seen, after: After) -> ServiceReport {
    let After { standing, done, shape, state, end } = after;
    let standing = match &end {
        End::Done => standing,
        // What it was brought to is stored: the next tick goes on from there.
        End::Postponed => Standing {
            sync: standing.sync.max(SyncStatus::OutOfSync),
            health: standing.health.max(Health::Progressing),
            waiting_on: Some(WaitingOn::NextTick),
            ..standing
        },
        End::Failed(_) => Standing {
            sync: standing.sync.max(SyncStatus::OutOfSync),
            health: standing.health.max(Health::Degraded),
            ..standing
        },
    };
    let error = match end {
        End::Done | End::Postponed => None,
        End::Failed(error) => Some(error),
    };
    let alias = shape.or_else(|| seen.world.alias.found().map(Shape::from));
    let revert = state.as_ref().and_then(|state| told(one, state));
    let rollout = state.map(|state| Progress::of(&state, &one.service.strategy, alias));
    let live = served(one, seen, shape.and_then(|shape| shape.version));
    let drift = match standing.sync {
        // Set back, or taken over.
        SyncStatus::Synced => Vec::new(),
        SyncStatus::OutOfSync | SyncStatus::Unknown => {
            drift::told(drift::of(&one.subject(), &seen.world), &seen.world, &[], one.now)
        }
    };
    ServiceReport { standing, live, drift, rollout, revert, done, error, ..blank(one) }
}

/// A service that could not be looked at: nothing is known of it, and nothing was done.
pub(super) fn failed(one: &One<'_>, error: String) -> ServiceReport {
    tracing::warn!(service = %one.service.name, error, "the service could not be decided");
    ServiceReport { error: Some(error), ..blank(one) }
}

/// A service whose turn did not come: nothing is known of it, and nothing is wrong with it.
pub(super) fn not_visited(one: &One<'_>) -> ServiceReport {
    let blank = blank(one);
    let standing = Standing { waiting_on: Some(WaitingOn::NextTick), ..blank.standing };
    ServiceReport { standing, ..blank }
}

fn blank(one: &One<'_>) -> ServiceReport {
    let release = one.release.and_then(|release| release.as_ref().ok());
    ServiceReport {
        seen: one.now,
        standing: Standing {
            sync: SyncStatus::Unknown,
            health: Health::Unknown,
            phase: PhaseName::Idle,
            waiting_on: None,
        },
        function: one.service.function.to_string(),
        alias: one.service.alias.to_string(),
        wanted: WantedReport {
            label: label(one.service),
            release: release.map(|release| release.id.clone()),
            code: release.map(|release| release.code.clone()),
        },
        live: None,
        drift: Vec::new(),
        rollout: None,
        revert: None,
        done: Vec::new(),
        error: None,
    }
}

/// What people are to know of telling the release repository; nothing, where nobody wants to.
fn told(one: &One<'_>, state: &ServiceState) -> Option<Revert> {
    let Phase::Held { revert, .. } = &state.phase else { return None };
    let pushed = matches!(revert, Revert::Pushed(_));
    (pushed || one.tick.origin.takes_reverts()).then(|| revert.clone())
}

pub(super) fn label(service: &Service) -> String {
    match &service.artifact {
        Artifact::Image(image) => image.tag.to_string(),
        Artifact::Zip(zip) => format!("{} ({})", zip.key, zip.object_version),
    }
}

/// What serves now: what the alias was moved to, else what was seen behind it.
fn served(one: &One<'_>, seen: &Seen, moved_to: Option<Version>) -> Option<Served> {
    let release = one.release.and_then(|release| release.as_ref().ok());
    if let Some(version) = moved_to {
        return moved(seen, release, version);
    }
    if let Some(live) = seen.world.serving.found() {
        let wanted_tag =
            release.filter(|release| live.code.as_ref() == Some(&release.code)).and_then(|r| r.tag.clone());
        let known = || live.version.and_then(|version| seen.head.as_ref()?.head.tag_of(version).cloned());
        return Some(Served { version: live.version, code: live.code.clone(), tag: wanted_tag.or_else(known) });
    }
    let from = seen.world.state.as_ref()?.from.as_ref()?;
    Some(Served { version: from.version, code: Some(from.code.clone()), tag: from.tag.clone() })
}

/// What serves behind an alias that was written. Where a share was given, or all of it taken back, that is an older
/// release: what is known of it says which.
fn moved(seen: &Seen, wanted: Option<&Release>, version: Version) -> Option<Served> {
    let state = seen.world.state.as_ref();
    let release = state.map(|state| &state.release).or(wanted);
    let from = state.and_then(|state| state.from.as_ref());
    let recent = seen.head.iter().flat_map(|newest| newest.head.known().map(|record| &record.to));
    let known = from.into_iter().chain(recent).find(|known| known.version == Some(version));
    let (code, tag) = match (known, release) {
        // The same content may have another tag by now.
        (Some(known), Some(release)) if known.code == release.code => (&release.code, &release.tag),
        (Some(known), _) => (&known.code, &known.tag),
        (None, release) => release.map(|release| (&release.code, &release.tag))?,
    };
    Some(Served { version: Some(version), code: Some(code.clone()), tag: tag.clone() })
}

/// A tick that learned of nothing to do: people find the reason where they look for the status.
pub(super) fn nothing_known(
    tick: &Tick<'_>,
    now: DateTime<Utc>,
    known: &NothingKnown,
    previous: Option<&TickReport>,
    began: Instant,
) -> TickReport {
    TickReport {
        schema_version: SCHEMA_VERSION,
        environment: tick.name.clone(),
        shard: tick.shard,
        shards: BTreeMap::new(),
        tick: tick.id.to_owned(),
        started: now,
        duration_ms: millis(began),
        // What was in force last: where its content is lost, this tells whether the branch was rewritten since.
        commit: previous.and_then(|report| report.commit.clone()),
        hold: Some(known.reason.clone()),
        problems: known.problems.clone(),
        unmanaged: BTreeMap::new(),
        last_success: previous.and_then(|report| report.last_success),
        calls: tick.calls.take(),
        throttled: tick.calls.take_throttled(),
        services: BTreeMap::new(),
        failed_calls: tick.failed.tell(),
        housekeeping: None,
    }
}

fn millis(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The services with what only the last report knows of them.
pub(super) fn remembering(
    services: BTreeMap<ServiceName, ServiceReport>,
    previous: Option<&TickReport>,
    closely: &Closely,
) -> BTreeMap<ServiceName, ServiceReport> {
    let Some(previous) = previous else { return services };
    let remember = |(name, service): (ServiceName, ServiceReport)| match previous.services.get(&name) {
        Some(before) => {
            let after = service.after(before, closely.tag(&name).is_some());
            (name, after)
        }
        None => (name, service),
    };
    services.into_iter().map(remember).collect()
}

/// The whole tick.
pub(super) fn assemble(
    tick: &Tick<'_>,
    now: DateTime<Utc>,
    wanted: &Wanted,
    services: BTreeMap<ServiceName, ServiceReport>,
    previous: Option<TickReport>,
    began: Instant,
) -> TickReport {
    let before = previous.as_ref().and_then(|report| report.last_success);
    let last_success = if wanted.hold.is_none() { Some(now) } else { before };
    let mut all: BTreeMap<ServiceName, ServiceReport> = slice::unvisited(previous, wanted).collect();
    all.extend(services);
    TickReport {
        schema_version: SCHEMA_VERSION,
        environment: tick.name.clone(),
        shard: tick.shard,
        shards: BTreeMap::new(),
        tick: tick.id.to_owned(),
        started: now,
        duration_ms: millis(began),
        commit: Some(wanted.document.commit.clone()),
        hold: wanted.hold.clone(),
        problems: wanted.problems.clone(),
        unmanaged: BTreeMap::new(),
        last_success,
        calls: tick.calls.take(),
        throttled: tick.calls.take_throttled(),
        services: all,
        failed_calls: Vec::new(),
        housekeeping: None,
    }
}

/// A tick of some services: what is stored, and what is told. What is stored is the last whole tick's report, with these
/// services as they were seen now: when the whole was looked at last, and how long that took, is not changed by a look at a
/// part, so that a schedule that stopped is seen.
pub(super) fn targeted(
    tick: &Tick<'_>,
    now: DateTime<Utc>,
    services: BTreeMap<ServiceName, ServiceReport>,
    mut previous: TickReport,
    began: Instant,
) -> (TickReport, TickReport) {
    previous.services.extend(services);
    let told = TickReport {
        tick: tick.id.to_owned(),
        started: now,
        duration_ms: millis(began),
        calls: tick.calls.take(),
        housekeeping: None,
        ..previous.clone()
    };
    (previous, told)
}

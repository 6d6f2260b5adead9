//! A service with nothing under way: is it what Git wants, is it to be adopted, was it moved by hand, or does a release begin.
use super::{Look, Subject, World, blocked, promote, publish, record, seen, suspended, waiting};
use crate::SCHEMA_VERSION;
use crate::history::{Deployed, Head};
use crate::live::{ConfigurationChange, LiveVersion, VersionState};
use crate::plan::{Action, Plan, Standing};
use crate::release::Release;
use crate::state::{Phase, ServiceState};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// Decides a service at rest. `first` is what has to be done before, by a transition that just ended.
pub(super) fn plan(subject: &Subject<'_>, world: &World, first: Vec<Action>) -> Result<Plan, Look> {
    let serving = seen(&world.serving, Look::Serving)?;
    let Ok(wanted) = subject.wanted else {
        return Ok(after(first, blocked(subject, PhaseName::Idle)));
    };
    let Some(serving) = serving else {
        return nothing_serves(subject, world, wanted, first);
    };
    if serving.package != wanted.code.package() {
        let on = WaitingOn::PackageType { live: serving.package, wanted: wanted.code.package() };
        return Ok(after(first, suspended(PhaseName::Idle, on)));
    }
    if serves(serving, subject, wanted) {
        return as_wanted(subject, world, wanted, serving, first);
    }
    let head = seen(&world.head, Look::Head)?;
    if let Some(edit) = hand_edit(head, wanted, serving).filter(|_| !subject.forced) {
        return Ok(after(first, suspended(PhaseName::Idle, edit)));
    }
    let from = record::deployed_live(subject, world, serving);
    if head.is_some() {
        return begin(subject, world, wanted, from, first);
    }
    match baseline(subject, world, from.clone())? {
        Baseline::Taken(actions) => begin(subject, world, wanted, from, [first, actions].concat()),
        Baseline::Weighted(on) => Ok(after(first, suspended(PhaseName::Idle, on))),
    }
}

/// The alias's primary version is what Git wants, by code and by every configuration field that Git gives.
fn serves(serving: &LiveVersion, subject: &Subject<'_>, wanted: &Release) -> bool {
    serving.version.is_some()
        && serving.code.as_ref() == Some(&wanted.code)
        && ConfigurationChange::between(&serving.configuration, &subject.service.configuration).is_none()
}

/// Live is what Git wants. What history does not know yet is adopted: nothing is published again.
fn as_wanted(
    subject: &Subject<'_>,
    world: &World,
    wanted: &Release,
    serving: &LiveVersion,
    first: Vec<Action>,
) -> Result<Plan, Look> {
    let mut actions = first;
    if world.recorded.as_ref() != Some(&wanted.id) {
        let last = seen(&world.head, Look::Head)?.and_then(Head::last_live).map(|record| &record.to);
        let to = record::deployed(wanted, serving.version);
        if last.map(|last| (&last.release, last.version)) != Some((&to.release, to.version)) {
            if let Some(on) = weighted(world)? {
                return Ok(after(actions, suspended(PhaseName::Idle, on)));
            }
            let version = serving.version;
            actions.push(record::adopted(subject, world, to, "it runs what Git wants already")?);
            actions.extend(version.map(|version| Action::WriteRegistry { version, tag: wanted.tag.clone() }));
        }
    }
    let concurrency =
        subject.service.reserved_concurrency.filter(|wanted| serving.reserved_concurrency != Some(*wanted));
    actions.extend(concurrency.map(|concurrency| Action::SetReservedConcurrency { concurrency }));
    let sync = if concurrency.is_some() { SyncStatus::OutOfSync } else { SyncStatus::Synced };
    let standing = Standing { sync, health: health_of(&serving.state), phase: PhaseName::Idle, waiting_on: None };
    Ok(Plan { actions, standing })
}

fn health_of(state: &VersionState) -> Health {
    match state {
        VersionState::Active | VersionState::Inactive => Health::Healthy,
        VersionState::Pending => Health::Progressing,
        VersionState::Failed { .. } => Health::Degraded,
        VersionState::Other { .. } => Health::Unknown,
    }
}

/// Neither the alias nor, perhaps, the function is there. The alias is created with the first release; a function never.
fn nothing_serves(subject: &Subject<'_>, world: &World, wanted: &Release, first: Vec<Action>) -> Result<Plan, Look> {
    let Some(latest) = seen(&world.latest, Look::Latest)? else {
        return Ok(after(first, missing()));
    };
    if latest.package != wanted.code.package() {
        let on = WaitingOn::PackageType { live: latest.package, wanted: wanted.code.package() };
        return Ok(after(first, suspended(PhaseName::Idle, on)));
    }
    begin(subject, world, wanted, None, first)
}

pub(super) fn missing() -> Plan {
    Plan::rest(Standing {
        sync: SyncStatus::OutOfSync,
        health: Health::Missing,
        phase: PhaseName::Idle,
        waiting_on: Some(WaitingOn::FunctionMissing),
    })
}

/// History ends with the release that Git wants, and yet another version serves: somebody moved the alias.
fn hand_edit(head: Option<&Head>, wanted: &Release, serving: &LiveVersion) -> Option<WaitingOn> {
    let last = &head?.last_live()?.to;
    (last.release == wanted.id && last.version != serving.version)
        .then_some(WaitingOn::HandEdit { found: serving.version, expected: last.version })
}

enum Baseline {
    Taken(Vec<Action>),
    Weighted(WaitingOn),
}

/// The first look at a function that lives already: what it serves is recorded before anything changes it.
fn baseline(subject: &Subject<'_>, world: &World, live: Option<Deployed>) -> Result<Baseline, Look> {
    if let Some(on) = weighted(world)?.filter(|_| !subject.forced) {
        return Ok(Baseline::Weighted(on));
    }
    let record =
        live.map(|to| record::adopted(subject, world, to, "it was live when Tidegate saw it first")).transpose()?;
    Ok(Baseline::Taken(record.into_iter().collect()))
}

/// Somebody shifts this alias by hand: nothing to take over until that is done.
fn weighted(world: &World) -> Result<Option<WaitingOn>, Look> {
    let alias = seen(&world.alias, Look::Alias)?;
    Ok(alias.and_then(|alias| {
        let weight = Some(alias.additional?.basis_points);
        Some(WaitingOn::ForeignEdit { found: alias.version, weight })
    }))
}

/// A release begins: with the version that was published for it once, else by publishing it.
fn begin(
    subject: &Subject<'_>,
    world: &World,
    wanted: &Release,
    from: Option<Deployed>,
    first: Vec<Action>,
) -> Result<Plan, Look> {
    let records = first.iter().filter(|action| matches!(action, Action::AppendRecord(_))).count();
    let known = seen(&world.head, Look::Head)?.and_then(|head| head.version_of(&wanted.id));
    let phase =
        known.map_or(Phase::Publishing { revision_before: None }, |version| Phase::Promoting { version, reused: true });
    let state = ServiceState {
        schema_version: SCHEMA_VERSION,
        transition: record::next_number(world, records)?,
        release: wanted.clone(),
        from,
        commit: subject.commit.clone(),
        started: subject.now,
        since: subject.now,
        phase,
    };
    let plan = match known {
        Some(version) => {
            let on_with_it = promote::plan(subject, world, &state, version, true)?;
            if on_with_it.actions.is_empty() {
                return Ok(after(first, on_with_it));
            }
            after(vec![Action::SaveState(Box::new(state))], on_with_it)
        }
        None => publish::plan(subject, world, &state)?,
    };
    Ok(after(first, plan))
}

/// `first`, then the plan.
fn after(first: Vec<Action>, plan: Plan) -> Plan {
    Plan { actions: [first, plan.actions].concat(), ..plan }
}

/// Used where a version that was published once cannot serve any more.
pub(super) fn publish_anew(subject: &Subject<'_>, state: &ServiceState) -> Plan {
    let again = state.moved_to(Phase::Publishing { revision_before: None }, subject.now);
    after(vec![Action::SaveState(Box::new(again))], waiting(PhaseName::Publishing, WaitingOn::NextTick))
}

//! How a release begins: from a version that exists or by publishing one, with a note of what somebody did to the alias before.
use release_schema::Strategy;

use super::rest::after;
use super::{Look, Subject, World, alias, edits, heal, prepare, publish, record, rest, seen};
use crate::SCHEMA_VERSION;
use crate::history::{Deployed, Head, Said};
use crate::ids::{ReleaseId, Version};
use crate::plan::{Action, Plan, Standing};
use crate::release::Release;
use crate::state::{Direct, Phase, Rollout, ServiceState, Shape};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// A release that only a person lets begin.
fn left_to_a_person(world: &World) -> Plan {
    let health = world.serving.found().map_or(Health::Missing, |serving| rest::health_of(&serving.state));
    let (sync, phase) = (SyncStatus::OutOfSync, PhaseName::Idle);
    Plan::rest(Standing { sync, health, phase, waiting_on: Some(WaitingOn::Sync) })
}

/// A release begins: with a version that was published for it once and can serve, else by publishing it.
pub(super) fn plan(
    subject: &Subject<'_>,
    world: &World,
    wanted: &Release,
    from: Option<Deployed>,
    first: Vec<Action>,
) -> Result<Plan, Look> {
    if !subject.may_begin() {
        return Ok(after(first, left_to_a_person(world)));
    }
    for version in seen(&world.head, Look::Head)?.map(|head| published(head, &wanted.id)).unwrap_or_default() {
        let candidate = world.version(version)?;
        if candidate.is_some_and(|candidate| prepare::can_be_reused(subject, candidate, wanted)) {
            return with_version(subject, world, wanted, version, from, first);
        }
    }
    let phase = Phase::Publishing { revision_before: None };
    let plan = publish::plan(subject, world, &intent(subject, world, wanted, from, &first, phase)?)?;
    Ok(after(first, plan))
}

/// The versions that a release has, or may have.
fn published(head: &Head, release: &ReleaseId) -> Vec<Version> {
    let told = head.versions_of(release);
    if told.is_empty() { head.untold_versions_of(release) } else { told }
}

/// A release begins with a version that is published already.
pub(super) fn with_version(
    subject: &Subject<'_>,
    world: &World,
    wanted: &Release,
    version: Version,
    from: Option<Deployed>,
    first: Vec<Action>,
) -> Result<Plan, Look> {
    let phase = Phase::Preparing { version, reused: true, smoke: None };
    let state = intent(subject, world, wanted, from, &first, phase)?;
    let plan = prepare::plan(subject, world, &state, version, true)?;
    // Where the next phase follows at once, storing that one stores the intent.
    let stores = matches!(plan.actions.first(), Some(Action::SaveState(_)));
    let save = (!stores).then(|| Action::SaveState(Box::new(state)));
    Ok(after(first.into_iter().chain(save).collect(), plan))
}

fn intent(
    subject: &Subject<'_>,
    world: &World,
    wanted: &Release,
    from: Option<Deployed>,
    first: &[Action],
    phase: Phase,
) -> Result<ServiceState, Look> {
    let head = seen(&world.head, Look::Head)?;
    // A version that has to be published first, or that was and came no further, had no traffic yet, whatever its content had.
    let earned = |head: &&Head| phase.version().is_some_and(|version| head.was_live(&wanted.id, version));
    let direct = match &from {
        None if rest::was_live(head, wanted) => Some(Direct::Healed),
        None => Some(Direct::FirstDeploy),
        Some(_) if rest::was_live(head.filter(earned), wanted) => Some(Direct::Healed),
        Some(from) => {
            let lately = |head: &Head| from.release == wanted.id || head.in_rollback_window(&wanted.id);
            head.filter(earned).is_some_and(lately).then_some(Direct::RollbackWindow)
        }
    };
    let heals = direct.filter(|direct| *direct == Direct::Healed).map(|_| heal::because(subject, world));
    // What heals says itself what it heals.
    let edit = if heals.is_none() { moved_by_hand(subject, world, head, first)? } else { None };
    Ok(ServiceState {
        schema_version: SCHEMA_VERSION,
        transition: record::next_number(world, first)?,
        release: wanted.clone(),
        from,
        commit: subject.commit.clone(),
        started: subject.now,
        since: subject.now,
        phase,
        rollout: Rollout { direct, heals, ..Rollout::default() },
        paused: None,
        edited: None,
        said: edit.into_iter().chain(subject.word.map(|(_, said)| said.clone())).collect(),
    })
}

/// A release that goes over an alias that somebody moved tells of it: another version serves than the one that the newest
/// transition left there, the alias is gone, what is gone is what a transition without a record gave, or one that ended before it wrote
/// the alias told of another.
fn moved_by_hand(
    subject: &Subject<'_>,
    world: &World,
    head: Option<&Head>,
    first: &[Action],
) -> Result<Option<Said>, Look> {
    let Some(serving) = world.serving.found() else {
        return Ok(head.and_then(Head::last_live).map(|_| edits::gone(subject)));
    };
    let found = serving.version;
    let records =
        || first.iter().filter_map(|action| if let Action::AppendRecord(it) = action { Some(&**it) } else { None });
    let is_recorded = records().any(|record| record.kind.is_live() && record.to.version == found);
    // Only the marker tells who took back a release that is watched after its switch, as that is live for long, or one whose process
    // died right after the alias moved.
    let newest = records().next_back().or_else(|| head?.recent.first());
    let ended = newest.filter(|record| !record.kind.is_live());
    let returned = ended.and_then(|ended| ended.from.as_ref()).or_else(|| head.and_then(Head::left));
    let closely = ended.is_some() || (returned.is_some() && watches(subject));
    let alias = if closely { seen(&world.alias, Look::Alias)? } else { world.alias.found() };
    // What has its traffic still was left there, as nothing else could get it.
    let gave = alias.zip(ended).filter(|(alias, ended)| alias::is_of(alias, ended)).map(|(_, ended)| &ended.to);
    let left = gave.filter(|to| to.version == found).or(returned);
    let next = record::next_number(world, first)?;
    let is_moved = left.is_some_and(|left| left.version != found) && !is_recorded;
    let is_taken_back = alias.zip(left).is_some_and(|(alias, left)| alias::is_taken_back(alias, next, left));
    let is_undone = gave.is_some_and(|to| to.version != found);
    // A healing tells of what it was to set back in words of its own.
    let last = head.and_then(Head::last_live).map(|last| &last.to.release);
    let told = alias.zip(ended.filter(|ended| last != Some(&ended.to.release)));
    let is_moved_since = told.is_some_and(|(alias, ended)| edits::is_moved_since(alias, ended));
    let shape = alias.map_or(Shape { version: found, additional: None }, Shape::from);
    Ok((is_moved || is_taken_back || is_undone || is_moved_since).then(|| edits::edit(subject, shape)))
}

/// Whether the strategy watches the new version once it has all traffic.
fn watches(subject: &Subject<'_>) -> bool {
    matches!(&subject.service.strategy, Strategy::BlueGreen(blue_green) if !blue_green.bake.is_zero())
}

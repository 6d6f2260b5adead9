//! A release that a rollback holds out: who has to be told of it still, and how it stands.
use chrono::{DateTime, Duration, Utc};

use super::{Look, Subject, World, record, rest, seen, unknown};
use crate::drift::{self, Drift};
use crate::history::{Deployed, Head, Kind, Record};
use crate::plan::{Action, Plan, Rollback, Standing};
use crate::release::Release;
use crate::state::{Phase, Revert, ServiceState};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// How long each tick tries to push a revert.
const EAGER: Duration = Duration::minutes(10);

/// How often it is tried after that: a credential without the right to push stays so until somebody grants it.
const RARELY: i64 = 15;

/// What is left to do for a hold: the service registry is told first, then the release repository.
pub(super) fn plan(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    let standing = standing(Some(state), subject.now);
    let mut actions = Vec::new();
    let mut state = state.clone();
    let live = state.from.as_ref().and_then(|from| Some((from.version?, from.tag.clone())));
    let entry = live.map(|(version, tag)| Action::WriteRegistry { version, tag });
    // Where somebody deleted the alias, there is none to tell the registry of.
    let has_alias = seen(&world.alias, Look::Alias)?.is_some();
    if has_alias
        && let Phase::Held { told, .. } = &mut state.phase
        && !*told
    {
        *told = true;
        actions.extend(entry);
        actions.push(Action::SaveState(Box::new(state.clone())));
    } else if has_alias && tells_another(subject, world)? {
        actions.extend(entry);
    }
    actions.extend(revert(subject, &state));
    Ok(Plan { actions, standing })
}

/// Whether the service registry tells of something else, where it is the service's turn to be looked at: Parameter Store knows
/// no precondition, so a tick that a rollback overtook may have written what it had promoted over what the rollback wrote. To
/// put that right is part of the rollback, whatever the policy says of edits.
fn tells_another(subject: &Subject<'_>, world: &World) -> Result<bool, Look> {
    if !(subject.audit || subject.forced) {
        return Ok(false);
    }
    seen(&world.registry, Look::Registry)?;
    Ok(drift::of(subject, world).iter().any(|drift| matches!(drift, Drift::Registry { too_long: None, .. })))
}

/// The branch that sets the service back, where it is not pushed yet and its turn is now.
pub(super) fn revert(subject: &Subject<'_>, state: &ServiceState) -> Option<Action> {
    let Phase::Held { reason, actor, revert: Revert::Wanted { .. }, .. } = &state.phase else { return None };
    if !subject.writes_back || !(subject.forced || is_due(state.since, subject.now)) {
        return None;
    }
    let revert = Rollback {
        number: state.transition,
        held: record::deployed(&state.release, None),
        live: state.from.clone()?,
        commit: state.commit.clone(),
        reason: reason.clone(),
        actor: actor.clone(),
        at: state.since,
    };
    Some(Action::PushRevert { revert: Box::new(revert), state: Box::new(state.clone()) })
}

/// A function of time: nothing is stored of how often it was tried.
fn is_due(since: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let waited = now - since;
    waited < EAGER || waited.num_minutes() % RARELY == 0
}

/// What Git wants instead of what is held out, held out in its place: no such commit lifts the hold.
pub(super) fn carried_over(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    let (Phase::Held { .. }, Ok(wanted)) = (&state.phase, subject.wanted) else { return Ok(None) };
    let Some(head) = seen(&world.head, Look::Head)? else { return Ok(None) };
    let told = head.recent.iter().find(|record| record.kind == Kind::RolledBack);
    let Some(rolled_back) = told else { return Ok(None) };
    if !is_overtaken(subject, world, head, rolled_back, wanted)? {
        return Ok(None);
    }
    let held = ServiceState { release: wanted.clone(), commit: subject.commit.clone(), ..state.clone() };
    let actions = vec![Action::SaveState(Box::new(held))];
    Ok(Some(Plan { actions, ..unknown(PhaseName::RolledBack, WaitingOn::NextTick) }))
}

/// Whether Git wants just what a rollback took traffic from, in a commit that is older: whoever merged that did not know of the
/// rollback, and whoever rolled back did not mean that it comes back. The time is the commit's own word, so a commit that was made
/// before the rollback and pushed after it counts as older: a person says `unhold` then.
pub(super) fn is_overtaken(
    subject: &Subject<'_>,
    world: &World,
    head: &Head,
    rolled_back: &Record,
    wanted: &Release,
) -> Result<bool, Look> {
    if subject.commit.time > rolled_back.finished {
        return Ok(false);
    }
    // Other words in Git may name the same content: what is not declared any more stays as it was.
    let is_it = |deployed: &Deployed| {
        let Some(version) = deployed.version.filter(|_| deployed.release != wanted.id) else {
            return Ok(deployed.release == wanted.id);
        };
        Ok(world.version(version)?.is_some_and(|live| rest::serves(live, subject, wanted)))
    };
    if is_it(&rolled_back.to)? {
        return Ok(false);
    }
    for left in head.left_by(rolled_back) {
        if is_it(left)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Git wants what is live: that lifts the hold, and history says so, so that the release may come back some day; unless a tick said so
/// that died right after.
pub(super) fn lifted(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    live: &Deployed,
) -> Result<Vec<Action>, Look> {
    let newest = seen(&world.head, Look::Head)?.and_then(|head| head.recent.first());
    let is_it = |last: &Record| last.number > state.transition && last.kind == Kind::Adopted && last.to == *live;
    if newest.is_some_and(is_it) {
        return Ok(Vec::new());
    }
    let reason = format!("commit {} lifts the hold of {}", subject.commit.short(), state.release.label());
    Ok(vec![record::adopted(subject, world, &[], live.clone(), &reason)?])
}

/// How a service stands whose release is held out.
pub(super) fn standing(state: Option<&ServiceState>, now: DateTime<Utc>) -> Standing {
    let on = state.and_then(|state| match &state.phase {
        Phase::Held { reason, actor, remind, .. } => Some(WaitingOn::Held {
            release: state.release.label(),
            actor: actor.clone(),
            reason: reason.clone(),
            due: remind.filter(|remind| *remind <= now),
        }),
        Phase::Publishing { .. }
        | Phase::Preparing { .. }
        | Phase::Shifting { .. }
        | Phase::Holding { .. }
        | Phase::Promoting { .. }
        | Phase::Baking { .. }
        | Phase::Returning { .. }
        | Phase::Aborted { .. }
        | Phase::Failed { .. } => None,
    });
    let (sync, health) = (SyncStatus::OutOfSync, Health::Suspended);
    Standing { sync, health, phase: PhaseName::RolledBack, waiting_on: on }
}

//! Gives the alias to the new version, reads that back, watches it where the strategy says so, and finishes the transition.
use super::edits::{Sight, sight};
use super::shift::{self, decided, looked_at, went_over};
use super::turn_back::{self, End};
use super::watch::{Watch, Watched, watch};
use super::{Look, Subject, World, alias, blocked, command, edits, overdue, prepare, record, seen, suspended, waiting};
use crate::history::Kind;
use crate::ids::Version;
use crate::live::{LiveAlias, Seen};
use crate::marker::Marker;
use crate::plan::{Action, Plan, Standing};
use crate::rollout::steps;
use crate::state::{Before, Direct, Phase, ServiceState, Shape};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// What is left to do where the alias has moved for good already: its marker says so, whatever died or was lost afterwards.
pub(super) fn completion(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
) -> Result<Option<Plan>, Look> {
    let landed = seen(&world.alias, Look::Alias)?
        .is_some_and(|alias| Shape::from(alias) == Shape::all(version) && alias.marker == Some(state.marker()));
    if !landed {
        return Ok(None);
    }
    Ok(Some(Plan { actions: finish(subject, world, state, version, None)?, standing: completed(subject, state) }))
}

/// What is left to do where history tells already that the release is live for good: whatever died after its record, it is not
/// turned back by what Git wants now.
pub(super) fn recorded(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    let end = seen(&world.head, Look::Head)?.and_then(|head| state.end(head));
    let promoted = end.filter(|end| matches!(end.kind, Kind::Promoted | Kind::Healed));
    let Some(version) = promoted.and_then(|end| end.to.version) else { return Ok(None) };
    let mut actions = finish(subject, world, state, version, None)?;
    // Somebody deleted the alias since: there is none to tell the registry of.
    if world.alias == Seen::Missing {
        actions.retain(|action| !matches!(action, Action::WriteRegistry { .. }));
    }
    Ok(Some(Plan { actions, standing: completed(subject, state) }))
}

fn completed(subject: &Subject<'_>, state: &ServiceState) -> Standing {
    match subject.wanted {
        Ok(wanted) if wanted.id == state.release.id => synced(),
        Ok(_) => waiting(PhaseName::Idle, WaitingOn::NextTick).standing,
        Err(_) => blocked(subject, PhaseName::Idle).standing,
    }
}

/// All traffic from stable to a version that is ready, and the end of the transition, in one plan.
pub(super) fn at_once(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
) -> Result<Plan, Look> {
    let alias = seen(&world.alias, Look::Alias)?;
    let edit = alias.filter(|alias| is_edited(state, alias));
    if let Some(edit) = edit.filter(|_| !subject.goes_over_edits()) {
        let anew = edits::found_again(subject, world, state, edit)?;
        return Ok(anew.unwrap_or_else(|| suspended(PhaseName::Preparing, edits::edited(Shape::from(edit)))));
    }
    let told = edits::told_before(subject, world, state, alias)?;
    let state = told.as_ref().unwrap_or(state);
    let mut actions: Vec<Action> = told.iter().map(|told| Action::SaveState(Box::new(told.clone()))).collect();
    actions.push(match alias {
        None => Action::CreateAlias { version, marker: state.marker() },
        Some(alias) => give_all(state, version, alias),
    });
    actions.extend(finish(subject, world, state, version, edit.map(went_over))?);
    Ok(Plan { actions, standing: synced() })
}

/// The alias is not as it was when the release began, or our move of it was undone: its marker stays when its version is
/// moved back.
fn is_edited(state: &ServiceState, alias: &LiveAlias) -> bool {
    let expected = state.from.as_ref().and_then(|from| from.version);
    // Our own way back carries stable's marker.
    let undone = is_marked(state, alias);
    let heals = state.rollout.direct == Some(Direct::Healed);
    let is_lost = alias::is_of_lost(state, alias);
    alias.version != expected || (!is_lost && ((alias.additional.is_some() && !heals) || undone))
}

/// All traffic to the new version, from a rollout or before a bake: the intent is stored first, so that it can be read back.
pub(super) fn switch(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
) -> Result<Plan, Look> {
    let Some(alias) = seen(&world.alias, Look::Alias)? else {
        let bakes = prepare::bake(subject, state).is_some();
        let baked = if bakes { shift::on_stable(subject, world, state)? } else { None };
        return baked.map_or_else(|| at_once(subject, world, state, version), Ok);
    };
    let from_preparing = matches!(state.phase, Phase::Preparing { .. });
    let edited = from_preparing && is_edited(state, alias);
    if edited && !subject.goes_over_edits() {
        return Ok(suspended(PhaseName::Preparing, edits::edited(Shape::from(alias))));
    }
    let told = if from_preparing { edits::told_before(subject, world, state, Some(alias))? } else { None };
    let state = told.as_ref().unwrap_or(state);
    let state = if edited { &edits::told(subject, state, alias) } else { state };
    let bake = prepare::bake(subject, state);
    let moved = state.moved_to(Phase::Promoting { version, before: Before::from(alias) }, subject.now);
    let mut actions = vec![Action::SaveState(Box::new(moved.clone())), give_all(&moved, version, alias)];
    if bake.is_some() {
        return Ok(Plan { actions, ..waiting(PhaseName::Promoting, WaitingOn::NextTick) });
    }
    actions.extend(finish(subject, world, &moved, version, None)?);
    Ok(Plan { actions, standing: synced() })
}

fn give_all(state: &ServiceState, version: Version, alias: &LiveAlias) -> Action {
    Action::UpdateAlias { version, marker: state.marker(), if_revision: alias.revision.clone() }
}

/// All traffic was given to the new version: is it there?
pub(super) fn promoting(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    before: &Before,
) -> Result<Plan, Look> {
    let bake = prepare::bake(subject, state);
    match sight(subject, world, state, Shape::all(version), Some(before))? {
        Sight::Otherwise(plan) => overdue(subject, world, state, state.since, plan),
        Sight::Arrived(alias) if bake.is_some() => {
            let phase = Phase::Baking { version, switched: state.since };
            let baking = edits::arrived(subject, state, alias).moved_to(phase, subject.now);
            let actions = vec![Action::SaveState(Box::new(baking))];
            Ok(Plan { actions, ..waiting(PhaseName::Baking, WaitingOn::NextTick) })
        }
        Sight::Arrived(alias) => {
            let arrived = edits::arrived(subject, state, alias);
            Ok(Plan { actions: finish(subject, world, &arrived, version, None)?, standing: synced() })
        }
        Sight::Before(alias) => {
            if let Some(again) = prepare::untested(subject, state, version, alias) {
                return Ok(again);
            }
            if let Some(restart) = shift::restart(subject, world, state, version, alias)? {
                return Ok(restart);
            }
            if let Some(again) = shift::asleep(subject, world, state, version)? {
                return Ok(again);
            }
            let steps = steps(&subject.service.strategy).len();
            if let Some(again) = shift::decided_again(subject, world, state, version, steps, alias)? {
                return Ok(again);
            }
            let mut actions = vec![give_all(state, version, alias)];
            if bake.is_some() {
                let plan = Plan { actions, ..waiting(PhaseName::Promoting, WaitingOn::ReadBack) };
                return overdue(subject, world, state, state.since, plan);
            }
            actions.extend(finish(subject, world, state, version, None)?);
            Ok(Plan { actions, standing: synced() })
        }
    }
}

/// The new version has all traffic: it is watched for as long as the strategy says.
pub(super) fn baking(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    switched: chrono::DateTime<chrono::Utc>,
) -> Result<Plan, Look> {
    let alias = match sight(subject, world, state, Shape::all(version), None)? {
        Sight::Otherwise(plan) => return Ok(plan),
        Sight::Arrived(alias) | Sight::Before(alias) => alias,
    };
    // A bake that Git knows no more is not over: the release goes through the steps that there are now.
    if !steps(&subject.service.strategy).is_empty()
        && let Some(restart) = shift::restart(subject, world, state, version, alias)?
    {
        return Ok(restart);
    }
    let watched = Watched {
        canary: version,
        stable: state.from.as_ref().and_then(|from| from.version),
        stable_until: Some(switched),
        hold: prepare::bake(subject, state).unwrap_or_default(),
    };
    match watch(subject, world, state, &watched)? {
        Watch::Failed(looked, reason) => {
            let end = End { kind: Kind::Aborted, reason, actor: subject.actor.to_owned() };
            turn_back::begin(subject, world, &decided(subject, &looked, "bake".to_owned()), end)
        }
        Watch::Waiting(looked, on) => {
            let since = state.since + watched.hold;
            let plan = looked_at(state, *looked, waiting(PhaseName::Baking, on));
            overdue(subject, world, state, since, plan)
        }
        Watch::Passed(looked) if let Some(on) = command::paused(&looked) => {
            Ok(looked_at(state, *looked, waiting(PhaseName::Baking, on)))
        }
        Watch::Passed(looked) => {
            let passed = decided(subject, &looked, "bake".to_owned());
            Ok(Plan { actions: finish(subject, world, &passed, version, None)?, standing: synced() })
        }
    }
}

fn finish(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    reason: Option<String>,
) -> Result<Vec<Action>, Look> {
    let kind = if state.rollout.direct == Some(Direct::Healed) { Kind::Healed } else { Kind::Promoted };
    let reason = reason.or_else(|| state.rollout.heals.clone());
    let mut actions = record::finished(subject, world, state, kind, Some(version), reason)?;
    actions.push(Action::WriteRegistry { version, tag: state.release.tag.clone() });
    actions.push(Action::ClearState);
    Ok(actions)
}

/// Whether a write on the way of this very transition left the marker.
pub(super) fn is_marked(state: &ServiceState, alias: &LiveAlias) -> bool {
    alias.marker.as_ref().is_some_and(|marked| Marker { weight: None, ..marked.clone() } == state.marker())
}

const fn synced() -> Standing {
    Standing { sync: SyncStatus::Synced, health: Health::Healthy, phase: PhaseName::Idle, waiting_on: None }
}

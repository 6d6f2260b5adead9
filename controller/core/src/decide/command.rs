//! A person's word to one release under way.
//!
//! The order in which words, verdicts and Git beat one another, first to last:
//! 1. `rollback` and `abort` of a person
//! 2. an alias that somebody changed by hand: everything holds
//! 3. Git, where it wants something else or what is stable
//! 4. a failed analysis, and a progress deadline that aborts
//! 5. `pause`
//! 6. `promote`
//! 7. waiting
//!
//! A word that comes too late or twice changes nothing, and says how the service stands.
use super::turn_back::{self, End};
use super::{Look, Stop, Subject, World, rest, rollback, rolled_back, seen, under_way, waiting};
use crate::command::Word;
use crate::history::{Kind, Said};
use crate::live::LiveAlias;
use crate::plan::{Action, Plan};
use crate::state::{Advance, Before, Phase, Rollout, ServiceState, Shape};
use crate::status::{PhaseName, SyncStatus, WaitingOn};

/// What a word does to a service with nothing under way: nothing, and the answer says what state it is in.
pub(super) fn at_rest(subject: &Subject<'_>, world: &World, word: Word) -> Stop {
    match rest::plan(subject, world, Vec::new()) {
        Err(look) => Stop::Look(look),
        Ok(plan) => {
            let standing = plan.standing;
            let name = format!("{}/{}", subject.environment, subject.service.name);
            let what = word.as_typed();
            let mut message = format!("`{name}` is not in a rollout: it is {} and {}", standing.sync, standing.health);
            if let Some(on) = standing.waiting_on {
                message = format!("{message}, waiting on {on}");
            }
            Stop::Refuse(format!("{message}; there is nothing to {what}"))
        }
    }
}

/// What a word does to a release under way.
pub(super) fn plan(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    word: Word,
    said: &Said,
) -> Result<Plan, Stop> {
    let heard = || ServiceState { said: [state.said.clone(), vec![said.clone()]].concat(), ..state.clone() };
    match word {
        Word::Abort if state.phase.is_over() || matches!(state.phase, Phase::Returning { .. }) => {
            unchanged(subject, world, state)
        }
        Word::Abort => {
            if let Some(done) = rolled_back(subject, world, state)? {
                return Ok(done);
            }
            let reason = said.reason.clone().unwrap_or_else(|| "a person said so".to_owned());
            let end = End { kind: Kind::Aborted, reason, actor: said.actor.clone() };
            Ok(turn_back::begin(subject, world, &heard(), end)?)
        }
        Word::Unhold if !matches!(state.phase, Phase::Held { .. }) => {
            let phase = PhaseName::from(&state.phase);
            Err(Stop::Refuse(format!("there is no hold to lift: the service is in the phase {phase}")))
        }
        Word::Retry if matches!(state.phase, Phase::Held { .. }) => {
            let name = format!("{}/{}", subject.environment, subject.service.name);
            Err(Stop::Refuse(format!("it was rolled back and is held out; `tidegate unhold {name}` releases it again")))
        }
        Word::Retry | Word::Unhold if state.phase.is_over() => {
            // What is known to be live was so before the release was turned back.
            let fresh = World { state: None, recorded: None, ..world.clone() };
            let plan = rest::plan(subject, &fresh, vec![Action::ClearState])?;
            // Nothing begins yet: who forgot the hold now would forget the word with it, as history still tells of the hold.
            let is_lost = plan.actions == [Action::ClearState] && plan.standing.sync != SyncStatus::Synced;
            Ok(if is_lost { Plan::rest(plan.standing) } else { plan })
        }
        Word::Retry | Word::Unhold => unchanged(subject, world, state),
        // Decided before: it does not matter what is under way.
        Word::Rollback { to, remind_after } => {
            rollback::plan(subject, world, rollback::Asked { to, remind_after, said })
        }
        Word::Pause | Word::Resume | Word::Promote(_) if state.phase.is_over() => Err(refused(subject, state, word)),
        Word::Pause if state.paused.is_some() => unchanged(subject, world, state),
        Word::Pause => {
            let paused = ServiceState { paused: Some(said.clone()), ..heard() };
            let standing = under_way(subject, world, &paused)?.standing;
            Ok(Plan { actions: vec![Action::SaveState(Box::new(paused))], standing })
        }
        Word::Resume if state.paused.is_none() && state.edited.is_none() && !is_stopped(state) => {
            unchanged(subject, world, state)
        }
        Word::Resume => resume(subject, world, heard()),
        Word::Promote(advance) => promote(subject, world, state, heard(), advance),
    }
}

/// A release whose alias was changed before its first step holds without a note of it.
const fn is_stopped(state: &ServiceState) -> bool {
    matches!(state.phase, Phase::Preparing { .. })
}

fn promote(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    heard: ServiceState,
    advance: Advance,
) -> Result<Plan, Stop> {
    if let Some(on) = state.edited.map(super::edits::edited) {
        return Err(Stop::Refuse(format!("it cannot be promoted: {on}")));
    }
    if let Some(on) = paused(state) {
        return Err(Stop::Refuse(format!("it cannot be promoted: it is {on}")));
    }
    match state.phase {
        Phase::Shifting { .. } | Phase::Promoting { .. } | Phase::Returning { .. } => {
            return unchanged(subject, world, state);
        }
        Phase::Publishing { .. } => {
            return Err(Stop::Refuse("it cannot be promoted: it is still being published".to_owned()));
        }
        Phase::Preparing { .. }
        | Phase::Holding { .. }
        | Phase::Baking { .. }
        | Phase::Aborted { .. }
        | Phase::Held { .. }
        | Phase::Failed { .. } => {}
    }
    let rollout = Rollout { advance: Some(advance), ..heard.rollout.clone() };
    let plan = go_on(subject, world, ServiceState { rollout, ..heard })?;
    // A failed analysis turns it back, now or in the next tick; a word does not go over it unless it says so.
    if let Some(Action::SaveState(next)) = plan.actions.first()
        && let Phase::Returning { reason, .. } = &next.phase
    {
        let message = format!("it is not promoted: {reason}; `--force --reason TEXT` goes over that");
        return Err(Stop::Refuse(message));
    }
    Ok(plan)
}

/// Goes on after a pause, or over an edit.
pub(super) fn resume(subject: &Subject<'_>, world: &World, state: ServiceState) -> Result<Plan, Stop> {
    let alias = match state.edited {
        Some(_) => seen(&world.alias, Look::Alias)?,
        None => None,
    };
    let state = match alias {
        Some(alias) => super::edits::told(subject, &state, alias),
        None => state,
    };
    go_on(subject, world, resumed(state, alias))
}

/// A release without its pause and its edit, aimed from where the alias is now at where it was going.
fn resumed(state: ServiceState, alias: Option<&LiveAlias>) -> ServiceState {
    let Some(before) = alias.map(Before::from) else {
        return ServiceState { paused: None, edited: None, ..state };
    };
    let phase = match state.phase {
        Phase::Shifting { version, step, weight, .. } | Phase::Holding { version, step, weight } => {
            Phase::Shifting { version, step, weight, before }
        }
        Phase::Promoting { version, .. } => Phase::Promoting { version, before },
        Phase::Baking { version, .. } if before.shape != Shape::all(version) => Phase::Promoting { version, before },
        Phase::Publishing { .. }
        | Phase::Preparing { .. }
        | Phase::Baking { .. }
        | Phase::Returning { .. }
        | Phase::Aborted { .. }
        | Phase::Held { .. }
        | Phase::Failed { .. } => state.phase,
    };
    ServiceState { paused: None, edited: None, phase, ..state }
}

/// Decides anew with what was heard, which is stored first.
fn go_on(subject: &Subject<'_>, world: &World, state: ServiceState) -> Result<Plan, Stop> {
    let plan = under_way(subject, world, &state)?;
    let plan = match subject.hold {
        Some(reason) if plan.moves_forward() => plan.held_by(WaitingOn::Hold(reason.clone())),
        Some(_) | None => plan,
    };
    if matches!(plan.actions.first(), Some(Action::SaveState(_))) {
        return Ok(plan);
    }
    Ok(Plan { actions: [vec![Action::SaveState(Box::new(state))], plan.actions].concat(), ..plan })
}

/// Nothing is to be done: only how it stands is told.
fn unchanged(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Stop> {
    let plan = under_way(subject, world, state)?;
    if plan.actions.is_empty() {
        return Ok(plan);
    }
    Ok(waiting(PhaseName::from(&state.phase), WaitingOn::NextTick))
}

fn refused(subject: &Subject<'_>, state: &ServiceState, word: Word) -> Stop {
    let reason = state.phase.over().unwrap_or_default();
    let phase = PhaseName::from(&state.phase).to_string().to_lowercase();
    let name = format!("{}/{}", subject.environment, subject.service.name);
    let what = word.as_typed();
    Stop::Refuse(format!(
        "there is nothing to {what}: the release of `{name}` is {phase} ({reason}); `tidegate retry {name}` tries it again"
    ))
}

/// Why a paused release waits.
pub(super) fn paused(state: &ServiceState) -> Option<WaitingOn> {
    let Said { actor, reason, .. } = state.paused.as_ref()?;
    Some(WaitingOn::Paused { actor: actor.clone(), reason: reason.clone() })
}

//! Ends a release before it is live for good: traffic goes back to stable first, then it is recorded.
use super::rest::existing;
use super::{Look, Subject, World, alias, edits, promote, record, seen, waiting};
use crate::history::{Deployed, Kind, Said};
use crate::live::{LiveAlias, Seen};
use crate::marker::Marker;
use crate::plan::{Action, Plan, Standing};
use crate::state::{Before, Phase, ServiceState, Shape};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// How a release ends, why, and by whom.
pub(super) struct End {
    pub(super) kind: Kind,
    pub(super) reason: String,
    pub(super) actor: String,
}

/// Ends `state`, unless history tells of its end. Where it may have traffic, that it returns is stored before it does.
pub(super) fn begin(subject: &Subject<'_>, world: &World, state: &ServiceState, end: End) -> Result<Plan, Look> {
    let has_traffic = state.phase.has_traffic() || has_landed(world, state)?;
    let Some(version) = state.phase.version().filter(|_| has_traffic) else {
        let actions = ended(subject, world, state, &end)?;
        return Ok(Plan { actions, standing: standing(subject, state, &end) });
    };
    let End { kind, reason, actor } = end;
    let alias = seen(&world.alias, Look::Alias)?;
    if let Some(done) = promote::recorded(subject, world, state)? {
        return Ok(done);
    }
    let without = if alias.is_none() { edits::told_gone(subject, state) } else { None };
    let state = without.as_ref().unwrap_or(state);
    let edit = alias.and_then(|alias| edits::gone_over(subject, state, alias));
    let phase = Phase::Returning { version, ending: kind, reason, actor, before: alias.map(Before::from) };
    let said = state.said.iter().cloned().chain(edit).collect();
    let returning = ServiceState { phase, since: subject.now, edited: None, paused: None, said, ..state.clone() };
    let plan = go_on(subject, world, &returning)?;
    Ok(Plan { actions: [vec![Action::SaveState(Box::new(returning))], plan.actions].concat(), ..plan })
}

/// Whether the tick that gave it all traffic died right after that, and there is something to return to.
fn has_landed(world: &World, state: &ServiceState) -> Result<bool, Look> {
    if !matches!(state.phase, Phase::Preparing { .. }) || stable(state).is_none() {
        return Ok(false);
    }
    Ok(seen(&world.alias, Look::Alias)?.is_some_and(|alias| state.has_landed(alias)))
}

/// A return that was stored: it goes on, unless what it returns to is gone by now.
pub(super) fn returning(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    let alias = seen(&world.alias, Look::Alias)?;
    let returns = alias.is_none_or(|alias| !is_back(state, alias));
    match state.from.as_ref().filter(|from| returns && from.version.is_some()) {
        Some(from) if existing(world, from)?.is_none() => elsewhere(subject, world, state, from, alias),
        Some(_) | None => go_on(subject, world, state),
    }
}

/// Somebody deleted the version that traffic was to return to: it goes to the last good release that exists, where there is one.
fn elsewhere(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    from: &Deployed,
    alias: Option<&LiveAlias>,
) -> Result<Plan, Look> {
    let gone = from.version.map_or_else(String::new, |version| format!("version {version} is gone"));
    let head = seen(&world.head, Look::Head)?;
    for to in head.into_iter().flat_map(|head| head.good_before(&state.release.id)).filter(|to| *to != from) {
        if existing(world, to)?.is_some() {
            let reason = Some(format!("{gone}: it returns to {} instead", to.label()));
            let note = Said { what: "instead".to_owned(), actor: subject.actor.to_owned(), reason, at: subject.now };
            let said = [state.said.clone(), vec![note]].concat();
            let state = ServiceState { from: Some(to.clone()), said, ..state.clone() };
            let plan = go_on(subject, world, &state)?;
            let save = Action::SaveState(Box::new(state));
            return Ok(Plan { actions: [vec![save], plan.actions].concat(), ..plan });
        }
    }
    let Phase::Returning { ending, reason, actor, .. } = &state.phase else {
        return Ok(waiting(PhaseName::from(&state.phase), WaitingOn::NextTick));
    };
    let left = alias.map(|alias| format!(": the alias stays at {}", alias::described(Shape::from(alias))));
    let left = left.unwrap_or_default();
    let reason = format!("{reason}; {gone}, and nothing else is known to be good{left}");
    let end = End { kind: *ending, reason, actor: actor.clone() };
    let actions = ended(subject, world, state, &end)?;
    Ok(Plan { actions, standing: standing(subject, state, &end) })
}

/// Brings a return to its end.
fn go_on(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    let Phase::Returning { ending, reason, actor, before, .. } = &state.phase else {
        return Ok(waiting(PhaseName::from(&state.phase), WaitingOn::NextTick));
    };
    let end = End { kind: *ending, reason: reason.clone(), actor: actor.clone() };
    let mut state = state.clone();
    let mut actions = Vec::new();
    let back = back(world, &state)?;
    let found = world.alias.found();
    let no_edit = |alias| edits::there(subject, &state, alias).or_else(|| edits::unmoved(subject, &state, alias));
    if let Some(no_edit) = found.and_then(no_edit) {
        state.said.push(no_edit);
        actions.push(Action::SaveState(Box::new(state.clone())));
    }
    // What somebody moved since is gone over, and that is stored first.
    let moved = found.filter(|alias| !alias::is_left_so(&state, alias));
    let moved = moved.map(|alias| (alias, Before::from(alias)));
    if let Some((alias, now)) = moved.filter(|(_, now)| before.as_ref() != Some(now)) {
        state.said.push(edits::edit(subject, Shape::from(alias)));
        if let Phase::Returning { before, .. } = &mut state.phase {
            *before = Some(now);
        }
        actions.push(Action::SaveState(Box::new(state.clone())));
    }
    if world.alias == Seen::Missing
        && let Some(told) = edits::told_gone(subject, &state)
    {
        actions.push(Action::SaveState(Box::new(told.clone())));
        state = told;
    }
    actions.extend(back);
    actions.extend(ended(subject, world, &state, &end)?);
    Ok(Plan { actions, standing: standing(subject, &state, &end) })
}

/// The one call that sends all traffic to stable, unless it was made already: its marker says so.
///
/// It is made although the alias may look right: a write of ours that is late on its way is then refused.
fn back(world: &World, state: &ServiceState) -> Result<Option<Action>, Look> {
    let alias = seen(&world.alias, Look::Alias)?;
    let Some((version, marker)) = stable(state) else { return Ok(None) };
    Ok(match alias {
        None => Some(Action::RecreateAlias { version, marker }),
        Some(alias) if is_back(state, alias) => None,
        Some(_) if planted!(AbortedKeepsWeight) => None,
        Some(alias) if planted!(FailureGoesToBroken) && alias.version == state.phase.version() => {
            let (version, if_revision) = (alias.version.unwrap_or(version), alias.revision.clone());
            Some(Action::Return { version, marker, if_revision })
        }
        Some(alias) => Some(Action::Return { version, marker, if_revision: alias.revision.clone() }),
    })
}

/// Whether this transition sent all traffic back.
pub(super) fn is_back(state: &ServiceState, alias: &LiveAlias) -> bool {
    stable(state).is_some_and(|(version, marker)| {
        Shape::from(alias) == Shape::all(version) && alias.marker.as_ref() == Some(&marker)
    })
}

/// Where traffic returns to, and the marker that says that this transition sent it back.
pub(super) fn stable(state: &ServiceState) -> Option<(crate::ids::Version, Marker)> {
    let from = state.from.as_ref()?;
    let marker = Marker { release: from.release.clone(), transition: state.transition, weight: None, held: None };
    Some((from.version?, marker))
}

fn ended(subject: &Subject<'_>, world: &World, state: &ServiceState, end: &End) -> Result<Vec<Action>, Look> {
    let mut actions = record::ended(subject, world, state, end)?;
    actions.push(match end.kind {
        Kind::Aborted => {
            let phase = Phase::Aborted { reason: end.reason.clone() };
            let over = ServiceState { phase, since: subject.now, edited: None, paused: None, ..state.clone() };
            Action::SaveState(Box::new(over))
        }
        Kind::Adopted
        | Kind::Promoted
        | Kind::Failed
        | Kind::Superseded
        | Kind::RolledBack
        | Kind::Healed
        | Kind::Unmanaged => Action::ClearState,
    });
    Ok(actions)
}

fn standing(subject: &Subject<'_>, state: &ServiceState, end: &End) -> Standing {
    let stable = state.from.as_ref().map(|from| &from.release);
    if end.kind == Kind::Aborted {
        return aborted(&end.reason);
    }
    let wants_stable = subject.wanted.ok().map(|wanted| &wanted.id) == stable;
    if wants_stable {
        let (sync, health) = (SyncStatus::Synced, Health::Healthy);
        return Standing { sync, health, phase: PhaseName::Idle, waiting_on: None };
    }
    waiting(PhaseName::Idle, WaitingOn::NextTick).standing
}

/// A release that was turned back: it waits for other content in Git, or for a person.
pub(super) fn aborted(reason: &str) -> Standing {
    Standing {
        sync: SyncStatus::OutOfSync,
        health: Health::Degraded,
        phase: PhaseName::Aborted,
        waiting_on: Some(WaitingOn::Retry { reason: reason.to_owned() }),
    }
}

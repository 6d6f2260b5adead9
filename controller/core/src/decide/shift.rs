//! Shifts traffic step by step: a weight is written, read back, held and judged, and the next one follows.
use super::alias::{described, stable};
use super::edits::{Sight, sight};
use super::rest::existing;
use super::turn_back::{self, End};
use super::watch::{Watch, Watched, watch};
use super::{Look, Subject, World, alias, command, edits, overdue, prepare, promote, seen, suspended, waiting};
use crate::history::{Kind, StepResult};
use crate::ids::Version;
use crate::live::{LiveAlias, VersionState, Weighted};
use crate::marker::Marker;
use crate::plan::{Action, Plan};
use crate::rollout::{Step, steps};
use crate::state::{Before, Phase, Rollout, ServiceState, Shape};
use crate::status::{PhaseName, WaitingOn};

/// Where a rollout is in its steps.
#[derive(Clone, Copy)]
pub(super) struct At {
    pub(super) version: Version,
    pub(super) step: usize,
    pub(super) weight: u16,
}

/// The first step of a release that is ready, from an alias that names stable.
pub(super) fn begin(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
) -> Result<Plan, Look> {
    let Some(alias) = seen(&world.alias, Look::Alias)? else {
        let anew = on_stable(subject, world, state)?;
        return Ok(anew.unwrap_or_else(|| suspended(PhaseName::Preparing, gone(subject))));
    };
    let Some(stable) = stable(state) else {
        let message = format!(
            "it begins where the alias named `$LATEST`, which cannot share traffic; `tidegate promote --full {}/{}` gives the new version all",
            subject.environment, subject.service.name
        );
        return Ok(suspended(PhaseName::Preparing, WaitingOn::Blocked { message }));
    };
    let expected = stable == Shape::from(alias);
    if !expected && !subject.goes_over_edits() {
        return Ok(suspended(PhaseName::Preparing, edits::edited(Shape::from(alias))));
    }
    if !expected && let Some(blocked) = rises_by_hand(world, state, alias)? {
        return Ok(blocked);
    }
    let told = edits::told_before(subject, world, state, Some(alias))?;
    let state = told.as_ref().unwrap_or(state);
    let told = if expected { state.clone() } else { edits::told(subject, state, alias) };
    to_step(subject, world, &told, version, 0, alias)
}

/// Somebody moved the alias, and what the release began from was never live: to give that more than it has would be as if it had
/// earned it.
fn rises_by_hand(world: &World, state: &ServiceState, alias: &LiveAlias) -> Result<Option<Plan>, Look> {
    let Some(from) = state.from.as_ref().filter(|_| !alias::is_of_lost(state, alias)) else { return Ok(None) };
    // What was there before any history, or since the last one ended, is taken over as it is.
    let head = seen(&world.head, Look::Head)?.filter(|head| !head.is_unmanaged());
    let (Some(version), Some(head)) = (from.version, head) else { return Ok(None) };
    if head.had_all_traffic(from) {
        return Ok(None);
    }
    let message = format!(
        "the alias names {}, and version {version}, which the release begins from, has not been live: let it name that alone",
        described(Shape::from(alias))
    );
    Ok(Some(suspended(PhaseName::Preparing, WaitingOn::Blocked { message })))
}

/// Somebody deleted the alias: it is created again on stable, so that there is something to share or to return to. `None` where
/// that is gone as well.
pub(super) fn on_stable(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    let (Some(from), Some((version, marker))) = (&state.from, turn_back::stable(state)) else { return Ok(None) };
    if existing(world, from)?.is_none() {
        return Ok(None);
    }
    let told = edits::told_gone(subject, state).unwrap_or_else(|| state.clone());
    let created = edits::created(subject, &told, version);
    let actions = vec![Action::SaveState(Box::new(created)), Action::CreateAlias { version, marker }];
    Ok(Some(Plan { actions, ..waiting(PhaseName::Preparing, WaitingOn::NextTick) }))
}

fn gone(subject: &Subject<'_>) -> WaitingOn {
    let alias = &subject.service.alias;
    WaitingOn::Blocked { message: format!("the alias `{alias}` is gone, so its traffic cannot be shifted") }
}

/// Gives the alias the weight of a step; after the last one, all traffic.
fn to_step(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    step: usize,
    alias: &LiveAlias,
) -> Result<Plan, Look> {
    let steps = steps(&subject.service.strategy);
    let weight = steps.get(step).map(Step::basis_points);
    let (Some(weight), Some(stable)) = (weight, state.from.as_ref().and_then(|from| from.version)) else {
        return promote::switch(subject, world, state, version);
    };
    let phase = Phase::Shifting { version, step, weight, before: Before::from(alias) };
    let strategy = Some(subject.service.strategy.to_string());
    let moved = state.moved_to(phase, subject.now);
    let moved = ServiceState { rollout: Rollout { strategy, ..moved.rollout.clone() }, ..moved };
    let write = set_weight(&moved, stable, At { version, step, weight }, alias);
    let actions = vec![Action::SaveState(Box::new(moved)), write];
    Ok(Plan { actions, ..waiting(PhaseName::Shifting, WaitingOn::NextTick) })
}

fn set_weight(state: &ServiceState, stable: Version, at: At, alias: &LiveAlias) -> Action {
    Action::SetWeight {
        stable,
        canary: Weighted { version: at.version, basis_points: at.weight },
        marker: Marker { weight: Some(at.weight), ..state.marker() },
        if_revision: alias.revision.clone(),
    }
}

/// What the alias shows once a step's weight arrived.
pub(super) fn target(state: &ServiceState, at: At) -> Shape {
    let additional = Some(Weighted { version: at.version, basis_points: at.weight });
    Shape { version: state.from.as_ref().and_then(|from| from.version), additional }
}

/// A version that has no traffic, for weeks perhaps, as somebody took that away by hand, may sleep by now: the smoke test wakes it,
/// and without one nothing does.
pub(super) fn asleep(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
) -> Result<Option<Plan>, Look> {
    if world.version(version)?.is_none_or(|found| found.state != VersionState::Inactive) {
        return Ok(None);
    }
    if subject.service.smoke_test.is_none() {
        let reason =
            format!("version {version} is Inactive: it had no traffic for too long, and only a smoke test wakes it");
        let end = End { kind: Kind::Aborted, reason, actor: subject.actor.to_owned() };
        return turn_back::begin(subject, world, state, end).map(Some);
    }
    Ok(Some(prepare::tested_again(subject, state, version, true)))
}

/// A weight was written: is it there?
pub(super) fn shifting(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    at: At,
    before: &Before,
) -> Result<Plan, Look> {
    let alias = match sight(subject, world, state, target(state, at), Some(before))? {
        Sight::Otherwise(plan) => return Ok(plan),
        Sight::Arrived(alias) => {
            let At { version, step, weight } = at;
            let held =
                edits::arrived(subject, state, alias).moved_to(Phase::Holding { version, step, weight }, subject.now);
            let actions = vec![Action::SaveState(Box::new(held))];
            return Ok(Plan { actions, ..waiting(PhaseName::Holding, WaitingOn::NextTick) });
        }
        Sight::Before(alias) => alias,
    };
    if let Some(again) = prepare::untested(subject, state, at.version, alias) {
        return Ok(again);
    }
    if let Some(restart) = restart(subject, world, state, at.version, alias)? {
        return Ok(restart);
    }
    if let Some(again) = asleep(subject, world, state, at.version)? {
        return Ok(again);
    }
    if let Some(again) = decided_again(subject, world, state, at.version, at.step, alias)? {
        return Ok(again);
    }
    let Some(Shape { version: Some(stable), .. }) = stable(state) else {
        return Ok(suspended(PhaseName::Shifting, WaitingOn::NextTick));
    };
    let again = Plan {
        actions: vec![set_weight(state, stable, at, alias)],
        ..waiting(PhaseName::Shifting, WaitingOn::ReadBack)
    };
    overdue(subject, world, state, state.since, again)
}

/// The write that ends a step had no effect, as its process died, or AWS refused it: whether the step is over is decided again, by what
/// can be seen now. `next` is the number of the one that follows. A person's word, and a step that follows none, stand.
pub(super) fn decided_again(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    next: usize,
    alias: &LiveAlias,
) -> Result<Option<Plan>, Look> {
    let (results, last) = match state.rollout.results.split_last() {
        Some((last, results)) if last.over.is_none() => (results.to_vec(), last),
        Some(_) | None => return Ok(None),
    };
    let steps = steps(&subject.service.strategy);
    let before = next.checked_sub(1).and_then(|step| Some((step, steps.get(step)?.basis_points())));
    let Some((step, weight)) = before else { return Ok(None) };
    let at = At { version, step, weight };
    if Shape::from(alias) != target(state, at) {
        return Ok(None);
    }
    let held = state.moved_to(Phase::Holding { version, step, weight }, last.since);
    let rollout = Rollout { results, ..held.rollout.clone() };
    holding(subject, world, &ServiceState { rollout, ..held }, at).map(Some)
}

/// A step's weight is there: its time runs, its metrics are watched, and then the next one follows.
pub(super) fn holding(subject: &Subject<'_>, world: &World, state: &ServiceState, at: At) -> Result<Plan, Look> {
    let alias = match sight(subject, world, state, target(state, at), None)? {
        Sight::Otherwise(plan) => return Ok(plan),
        Sight::Arrived(alias) | Sight::Before(alias) => alias,
    };
    if let Some(restart) = restart(subject, world, state, at.version, alias)? {
        return Ok(restart);
    }
    let steps = steps(&subject.service.strategy);
    let Some(step) = steps.get(at.step) else {
        return promote::switch(subject, world, state, at.version);
    };
    let watched = Watched {
        canary: at.version,
        stable: state.from.as_ref().and_then(|from| from.version),
        stable_until: None,
        hold: step.hold,
    };
    match watch(subject, world, state, &watched)? {
        Watch::Failed(state, reason) => {
            let end = End { kind: Kind::Aborted, reason, actor: subject.actor.to_owned() };
            turn_back::begin(subject, world, &with_result(subject, &state, step), end)
        }
        Watch::Waiting(looked, on) => {
            let since = state.since + step.hold;
            let plan = looked_at(state, *looked, waiting(PhaseName::Holding, on));
            overdue(subject, world, state, since, plan)
        }
        Watch::Passed(looked) if step.needs_person && looked.rollout.advance.is_none() => {
            Ok(looked_at(state, *looked, suspended(PhaseName::Holding, WaitingOn::Promotion)))
        }
        Watch::Passed(looked) if let Some(on) = held_by(subject, &looked) => {
            Ok(looked_at(state, *looked, waiting(PhaseName::Holding, on)))
        }
        Watch::Passed(looked) => {
            let passed = with_result(subject, &looked, step);
            match passed.rollout.advance.is_some_and(|advance| advance.full) {
                true => promote::switch(subject, world, &passed, at.version),
                false => to_step(subject, world, &passed, at.version, at.step.saturating_add(1), alias),
            }
        }
    }
}

/// What keeps a step that is over from going on.
pub(super) fn held_by(subject: &Subject<'_>, state: &ServiceState) -> Option<WaitingOn> {
    command::paused(state).or_else(|| subject.hold.cloned().map(WaitingOn::Hold))
}

/// What a look found is stored, where there was one.
pub(super) fn looked_at(before: &ServiceState, after: ServiceState, plan: Plan) -> Plan {
    let save = (*before != after).then(|| Action::SaveState(Box::new(after)));
    Plan { actions: save.into_iter().chain(plan.actions).collect(), ..plan }
}

fn with_result(subject: &Subject<'_>, state: &ServiceState, step: &Step) -> ServiceState {
    decided(subject, state, format!("{} %", step.weight.percent()))
}

/// The state with the result of the step that is over.
pub(super) fn decided(subject: &Subject<'_>, state: &ServiceState, step: String) -> ServiceState {
    let over = state.rollout.advance.and_then(|_| state.said.last());
    let result = StepResult {
        step,
        since: state.since,
        until: subject.now,
        verdict: state.rollout.verdict.clone(),
        over: over.map(|said| format!("{} by {}", said.what, said.actor)),
    };
    let results = [state.rollout.results.clone(), vec![result]].concat();
    ServiceState { rollout: Rollout { results, ..state.rollout.clone() }, ..state.clone() }
}

/// Other steps in Git than those that are followed: the rollout begins again, at the first of the new ones. What needs no steps, or
/// a person promotes in full, follows none.
pub(super) fn restart(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    alias: &LiveAlias,
) -> Result<Option<Plan>, Look> {
    let Rollout { strategy, direct, advance, .. } = &state.rollout;
    let follows_none = direct.is_some() || advance.is_some_and(|advance| advance.full);
    if follows_none || strategy.as_deref() == Some(subject.service.strategy.to_string().as_str()) {
        return Ok(None);
    }
    if !steps(&subject.service.strategy).is_empty() {
        return to_step(subject, world, state, version, 0, alias).map(Some);
    }
    let Some(Shape { version: Some(stable), .. }) = stable(state) else { return Ok(None) };
    let phase = Phase::Preparing { version, reused: false, smoke: None };
    let moved = state.moved_to(phase, subject.now);
    let strategy = Some(subject.service.strategy.to_string());
    let again = ServiceState { rollout: Rollout { strategy, ..moved.rollout.clone() }, ..moved };
    // That it follows no strategy is stored first: who finds the alias on stable then knows that this brought it there.
    let rollout = Rollout { strategy: None, ..state.rollout.clone() };
    let intent = state.rollout.strategy.is_some().then(|| ServiceState { rollout, ..state.clone() });
    let Some((_, marker)) = turn_back::stable(state) else { return Ok(None) };
    let back = Action::Return { version: stable, marker, if_revision: alias.revision.clone() };
    let intent = intent.map(|intent| Action::SaveState(Box::new(intent)));
    let actions = intent.into_iter().chain([back, Action::SaveState(Box::new(again))]).collect();
    Ok(Some(Plan { actions, ..waiting(PhaseName::Preparing, WaitingOn::NextTick) }))
}

/// What a record says of an edit that a person's word went over.
pub(super) fn went_over(alias: &LiveAlias) -> String {
    format!("went over a hand edit: the alias named {}", described(Shape::from(alias)))
}

//! What a rollout makes of an alias that somebody else changed: it tells of that once, and holds where it has traffic. Where that was none,
//! by an answer of AWS that was out of date, or is undone, it tells of that as well.
use chrono::{DateTime, Utc};

use super::{Look, Subject, World, alias, promote, seen, suspended, turn_back, waiting};
use crate::history::{Head, Record, Said};
use crate::ids::Version;
use crate::live::LiveAlias;
use crate::plan::{Action, Plan, Standing};
use crate::state::{Before, Direct, Phase, Rollout, ServiceState, Shape};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// What a note of somebody's edit is called.
const EDIT: &str = "edit";

/// What a note is called that what was taken for an edit is none, or is undone.
const NO_EDIT: &str = "no edit";

/// What a note is called that the alias is created again, before the release has traffic.
const CREATED: &str = "created";

/// How a note tells that an alias that was taken for edited is not.
const AS_LEFT: &str = "the alias is as the rollout left it";

/// How a note tells what an alias was made to name.
const NAMES: &str = "the alias names ";

/// How an alias looks to a rollout.
pub(super) enum Sight<'a> {
    /// As it was told to be.
    Arrived(&'a LiveAlias),
    /// As it was before the last write, which had no effect yet.
    Before(&'a LiveAlias),
    /// Something else follows: it was changed by somebody, is gone, or AWS shifts it by itself.
    Otherwise(Plan),
}

/// Looks at the alias of a release that has traffic. `target` is what it was told, `before` what it was when it was told.
pub(super) fn sight<'a>(
    subject: &Subject<'_>,
    world: &'a World,
    state: &ServiceState,
    target: Shape,
    before: Option<&Before>,
) -> Result<Sight<'a>, Look> {
    let phase = PhaseName::from(&state.phase);
    let Some(alias) = seen(&world.alias, Look::Alias)? else {
        let message = format!(
            "the alias `{}` is gone; `tidegate abort ENV/SERVICE` creates it again on stable",
            subject.service.alias
        );
        return Ok(Sight::Otherwise(suspended(phase, WaitingOn::Blocked { message })));
    };
    let shape = Shape::from(alias);
    if shape == target {
        return Ok(Sight::Arrived(alias));
    }
    // Traffic back on stable under our own marker, and no strategy that is followed: a restart of the rollout died halfway.
    let restarted = alias::stable(state) == Some(shape)
        && alias.marker == turn_back::stable(state).map(|(_, marker)| marker)
        && state.rollout.strategy.is_none();
    if alias::has_not_arrived(state, before, alias) || restarted {
        return Ok(Sight::Before(alias));
    }
    if alias::injected(world, state, shape)? {
        return Ok(Sight::Otherwise(waiting(phase, WaitingOn::ProvisionedConcurrency)));
    }
    Ok(Sight::Otherwise(noticed(subject, state, shape)))
}

/// Somebody changed the alias: that is noted, and holds until a person decides.
fn noticed(subject: &Subject<'_>, state: &ServiceState, shape: Shape) -> Plan {
    let actions = vec![Action::SaveState(Box::new(stopped(subject, state, shape)))];
    Plan { actions, standing: edited_standing(&state.phase, shape) }
}

/// The state that holds because of an edit, which is noted.
pub(super) fn stopped(subject: &Subject<'_>, state: &ServiceState, shape: Shape) -> ServiceState {
    ServiceState { edited: Some(shape), ..with_note(state, edit(subject, shape)) }
}

/// The note of an edit that was found now.
pub(super) fn edit(subject: &Subject<'_>, shape: Shape) -> Said {
    edit_of(format!("{NAMES}{}", alias::described(shape)), subject.now)
}

/// The note of an edit, in words, that was found at that time.
pub(super) fn edit_of(what: String, at: DateTime<Utc>) -> Said {
    Said { what: EDIT.to_owned(), actor: "somebody outside Tidegate".to_owned(), reason: Some(what), at }
}

/// The note that somebody deleted the alias, found now.
pub(super) fn gone(subject: &Subject<'_>) -> Said {
    Said { reason: Some("the alias is gone".to_owned()), ..edit(subject, Shape { version: None, additional: None }) }
}

/// The state with that note, where nobody told of it yet and there was an alias before.
pub(super) fn told_gone(subject: &Subject<'_>, state: &ServiceState) -> Option<ServiceState> {
    let note = state.from.as_ref().map(|_| gone(subject)).filter(|gone| !is_noted(state, gone))?;
    Some(with_note(state, note))
}

/// The note that the alias is there after all, where what was told last is that it is gone: AWS's answer was out of date, or a person
/// undid it. What this transition created again has its own marker.
pub(super) fn there(subject: &Subject<'_>, state: &ServiceState, alias: &LiveAlias) -> Option<Said> {
    let last = last_noted(state)?;
    let was_gone = last.what == CREATED || last.reason == gone(subject).reason;
    let back = turn_back::stable(state).map(|(_, marker)| marker);
    let is_created = alias.marker.is_some() && [back, Some(state.marker())].contains(&alias.marker);
    (was_gone && !is_created).then(|| unedited(subject, "the alias is there"))
}

/// The state with a note of what became of the alias before this release gave it anything, where nobody told of it yet: it is gone, or
/// what a rollout of which nothing is stored any more gave it, under the number that this one has now, was taken back, or is there; or it
/// was moved to where this one began.
pub(super) fn told_before(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    alias: Option<&LiveAlias>,
) -> Result<Option<ServiceState>, Look> {
    let Some(alias) = alias else { return Ok(told_gone(subject, state)) };
    let there = there(subject, state, alias).map(|note| with_note(state, note));
    Ok(told_found(subject, world, there.as_ref().unwrap_or(state), alias)?.or(there))
}

fn told_found(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    alias: &LiveAlias,
) -> Result<Option<ServiceState>, Look> {
    if matches!(state.phase, Phase::Preparing { .. }) && alias::is_of_lost(state, alias) {
        let reason = format!("what was stored of a rollout was lost: it left {}", alias::described(Shape::from(alias)));
        let lost =
            Said { what: "lost".to_owned(), actor: subject.actor.to_owned(), reason: Some(reason), at: subject.now };
        return Ok(Some(with_note(state, lost)));
    }
    let is_of_another = alias.marker.as_ref().is_some_and(|marker| marker.release != state.release.id);
    let is_undone =
        state.from.as_ref().is_some_and(|left| is_of_another && alias::is_taken_back(alias, state.transition, left));
    if !is_undone && !is_moved_after(world, state, alias)? {
        return Ok(None);
    }
    let note = Some(edit(subject, Shape::from(alias))).filter(|edit| !is_noted(state, edit));
    Ok(note.map(|note| with_note(state, note)))
}

/// Whether the alias is no longer as a release before this one left it, as its marker says, and nobody told of that. Where it sent its
/// traffic back, and a read was out of date as this one began, that looked like what it had left there.
fn is_moved_after(world: &World, state: &ServiceState, alias: &LiveAlias) -> Result<bool, Look> {
    // Where all of history was lost its numbers begin anew, below those of markers.
    let Some(marker) = alias.marker.as_ref().filter(|marker| marker.transition != state.transition) else {
        return Ok(false);
    };
    let newest =
        || -> Result<Option<&Record>, Look> { Ok(seen(&world.head, Look::Head)?.and_then(|head| head.recent.first())) };
    if marker.weight.is_some() && alias.additional.is_none() {
        // The share that it gave is gone: its record told of that, or nobody did.
        return Ok(newest()?.and_then(found) != Some(alias::described(Shape::from(alias)).as_str()));
    }
    if state.from.as_ref().is_some_and(|from| from.release == marker.release) {
        return Ok(false);
    }
    // It sent its traffic back, to where it began.
    let ended = newest()?.filter(|newest| !newest.kind.is_live());
    let left = ended.and_then(|ended| ended.from.as_ref()).filter(|left| left.release == marker.release);
    Ok(left.is_some_and(|left| left.version.is_some() && left.version != alias.version))
}

/// Whether a transition that ended before it wrote the alias tells, in its record, of another than there is now.
pub(super) fn is_moved_since(alias: &LiveAlias, ended: &Record) -> bool {
    let is_written = alias.marker.as_ref().is_some_and(|marker| marker.transition >= ended.number);
    !is_written && found(ended).is_some_and(|found| found != alias::described(Shape::from(alias)))
}

/// What the alias was found to name, as this record tells.
fn found(record: &Record) -> Option<&str> {
    record.said.iter().rfind(|said| said.what == EDIT)?.reason.as_deref()?.strip_prefix(NAMES)
}

/// The state with a note that the alias is created again.
pub(super) fn created(subject: &Subject<'_>, state: &ServiceState, version: Version) -> ServiceState {
    let reason = Some(format!("the alias is created again on version {version}"));
    let actor = subject.actor.to_owned();
    with_note(state, Said { what: CREATED.to_owned(), actor, reason, at: subject.now })
}

fn with_note(state: &ServiceState, note: Said) -> ServiceState {
    ServiceState { said: state.said.iter().cloned().chain([note]).collect(), ..state.clone() }
}

/// A rollout that holds because of an edit: until that is undone, or a person decides. What is edited meanwhile is noted as well.
pub(super) fn held(subject: &Subject<'_>, world: &World, state: &ServiceState, edited: Shape) -> Result<Plan, Look> {
    if let Some(untouched) = untouched(subject, world, state)? {
        return Ok(untouched);
    }
    let found = seen(&world.alias, Look::Alias)?.map_or(edited, Shape::from);
    if found != edited && !alias::injected(world, state, found)? {
        return Ok(noticed(subject, state, found));
    }
    Ok(Plan::rest(edited_standing(&state.phase, edited)))
}

/// What was taken for an edit was none, or is undone: the alias is where the rollout left it, or where its write found it. One
/// answer of AWS that is out of date is no reason to wait for a person. The time of the step, or of the bake, begins anew.
fn untouched(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    let Some(alias) = seen(&world.alias, Look::Alias)? else { return Ok(None) };
    let Some((target, before)) = alias::aimed(state) else { return Ok(None) };
    let shape = Shape::from(alias);
    if shape != target && !alias::has_not_arrived(state, before, alias) {
        return Ok(None);
    }
    let anew = ServiceState { edited: None, ..state.moved_to(state.phase.clone(), subject.now) };
    Ok(Some(no_edit(subject, &anew, AS_LEFT)))
}

/// Nothing served when the release began, by what AWS answered, and now the alias is as history left it: what it answered was out of
/// date, and the release begins from there.
pub(super) fn found_again(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    alias: &LiveAlias,
) -> Result<Option<Plan>, Look> {
    if state.from.is_some() {
        return Ok(None);
    }
    let left = seen(&world.head, Look::Head)?.and_then(Head::left);
    let Some(left) = left.filter(|left| left.version.map(Shape::all) == Some(Shape::from(alias))) else {
        return Ok(None);
    };
    let anew = state.moved_to(state.phase.clone(), subject.now);
    let direct = anew.rollout.direct.filter(|direct| *direct != Direct::FirstDeploy);
    let rollout = Rollout { direct, ..anew.rollout.clone() };
    let anew = ServiceState { from: Some(left.clone()), rollout, ..anew };
    Ok(Some(no_edit(subject, &anew, "the alias is as history left it")))
}

/// The state with a note that what seemed to be somebody's edit is none.
fn no_edit(subject: &Subject<'_>, state: &ServiceState, reason: &str) -> Plan {
    let actions = vec![Action::SaveState(Box::new(with_note(state, unedited(subject, reason))))];
    Plan { actions, ..waiting(PhaseName::from(&state.phase), WaitingOn::NextTick) }
}

fn unedited(subject: &Subject<'_>, reason: &str) -> Said {
    let actor = subject.actor.to_owned();
    Said { what: NO_EDIT.to_owned(), actor, reason: Some(reason.to_owned()), at: subject.now }
}

/// The note of an edit that a rollout which ends goes over, where nobody told of it yet; or that what was told last is none.
pub(super) fn gone_over(subject: &Subject<'_>, state: &ServiceState, alias: &LiveAlias) -> Option<Said> {
    alias::aimed(state)?;
    if alias::is_ours(state, alias) {
        return state.edited.map(|_| unedited(subject, AS_LEFT));
    }
    let edit = edit(subject, Shape::from(alias));
    (state.edited != Some(Shape::from(alias)) && !is_noted(state, &edit)).then_some(edit)
}

/// The note that what a return went over was no edit, where it told of one and finds the alias as the rollout left it: the answer that
/// it went by was out of date.
pub(super) fn unmoved(subject: &Subject<'_>, state: &ServiceState, alias: &LiveAlias) -> Option<Said> {
    let was_edited = last_noted(state).is_some_and(|last| last.what == EDIT && last.at >= state.since);
    let is_its_own = promote::is_marked(state, alias) && alias::is_left_so(state, alias);
    (was_edited && is_its_own).then(|| unedited(subject, AS_LEFT))
}

/// Whether it is the edit that was noted last. What was noted before the phase that has traffic, before the alias was as the rollout
/// left it, or before it was created again, is another one.
fn is_noted(state: &ServiceState, edit: &Said) -> bool {
    let since = if state.phase.has_traffic() { state.since } else { state.started };
    last_noted(state).is_some_and(|last| last.reason == edit.reason && last.at >= since)
}

/// What was told last of the alias.
fn last_noted(state: &ServiceState) -> Option<&Said> {
    state.said.iter().rfind(|said| [EDIT, NO_EDIT, CREATED].contains(&said.what.as_str()))
}

/// The state with the edit noted that a person's word goes over, unless it is the one that was noted last; or that it is none.
pub(super) fn told(subject: &Subject<'_>, state: &ServiceState, alias: &LiveAlias) -> ServiceState {
    let note = if alias::is_ours(state, alias) {
        state.edited.map(|_| unedited(subject, AS_LEFT))
    } else {
        Some(edit(subject, Shape::from(alias))).filter(|edit| !is_noted(state, edit))
    };
    let said = state.said.iter().cloned().chain(note).collect();
    ServiceState { said, ..state.clone() }
}

/// The state where the alias is as it was to be: by a write of this transition, or because somebody else was faster, which is noted.
pub(super) fn arrived(subject: &Subject<'_>, state: &ServiceState, alias: &LiveAlias) -> ServiceState {
    if promote::is_marked(state, alias) { state.clone() } else { told(subject, state, alias) }
}

/// How a rollout stands that holds because of an edit.
pub(super) fn edited_standing(phase: &Phase, shape: Shape) -> Standing {
    Standing {
        sync: SyncStatus::OutOfSync,
        health: Health::Suspended,
        phase: PhaseName::from(phase),
        waiting_on: Some(edited(shape)),
    }
}

pub(super) fn edited(shape: Shape) -> WaitingOn {
    let weight = shape.additional.map(|additional| additional.basis_points);
    WaitingOn::EditedMidway { found: shape.version, weight }
}

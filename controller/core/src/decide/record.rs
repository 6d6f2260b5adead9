//! Makes the history records of what a decision finishes.
use super::turn_back::End;
use super::{Look, Subject, World, edits, seen};
use crate::SCHEMA_VERSION;
use crate::history::{Deployed, Kind, Record};
use crate::ids::{TransitionNumber, Version};
use crate::live::{LiveVersion, applied_part};
use crate::plan::Action;
use crate::release::{Release, Source, release_id};
use crate::state::ServiceState;

/// The number of the next transition, after those that `first` records.
pub(super) fn next_number(world: &World, first: &[Action]) -> Result<TransitionNumber, Look> {
    let last = seen(&world.head, Look::Head)?.map_or(0, |head| head.number.0);
    let records = first.iter().filter(|action| matches!(action, Action::AppendRecord(_))).count();
    Ok(TransitionNumber(last.saturating_add(records as u64).saturating_add(1)))
}

/// The end of a transition that is stored, unless history has it already: a tick died between record and state.
pub(super) fn finished(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    kind: Kind,
    version: Option<Version>,
    reason: Option<String>,
) -> Result<Vec<Action>, Look> {
    let Some(number) = state.unrecorded(seen(&world.head, Look::Head)?) else { return Ok(Vec::new()) };
    // What was to be set back, and is not: nothing else tells of it.
    let left = state.rollout.heals.as_deref().filter(|_| kind != Kind::Healed);
    let record = Record {
        schema_version: SCHEMA_VERSION,
        number,
        previous: None,
        environment: subject.environment.clone(),
        service: subject.service.name.clone(),
        kind,
        from: state.from.clone(),
        to: deployed(&state.release, version),
        held: None,
        ended: None,
        marked: None,
        commit: Some(state.commit.clone()),
        actor: subject.actor.to_owned(),
        reason,
        started: state.started,
        finished: subject.now,
        tick: subject.tick.to_owned(),
        steps: state.rollout.results.clone(),
        said: left
            .map(|what| edits::edit_of(what.to_owned(), state.started))
            .into_iter()
            .chain(state.said.clone())
            .collect(),
    };
    Ok(vec![Action::AppendRecord(Box::new(record))])
}

/// The end of a release that was turned back.
pub(super) fn ended(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    end: &End,
) -> Result<Vec<Action>, Look> {
    let by = Subject { actor: &end.actor, ..*subject };
    finished(&by, world, state, end.kind, state.phase.version(), Some(end.reason.clone()))
}

pub(super) fn superseded(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Vec<Action>, Look> {
    let reason = superseded_by(subject);
    finished(subject, world, state, Kind::Superseded, state.phase.version(), Some(reason))
}

pub(super) fn superseded_by(subject: &Subject<'_>) -> String {
    format!("commit {} wants something else", subject.commit.short())
}

/// What is live becomes part of the history without being touched: as a baseline, or because it is what Git wants. `first`
/// may record the end of another transition before.
pub(super) fn adopted(
    subject: &Subject<'_>,
    world: &World,
    first: &[Action],
    to: Deployed,
    reason: &str,
) -> Result<Action, Look> {
    at_rest(subject, world, first, Kind::Adopted, to, reason)
}

/// A record of a service with nothing under way: `to` stays live.
pub(super) fn at_rest(
    subject: &Subject<'_>,
    world: &World,
    first: &[Action],
    kind: Kind,
    to: Deployed,
    reason: &str,
) -> Result<Action, Look> {
    let from = seen(&world.head, Look::Head)?.and_then(|head| head.last_live()).map(|record| record.to.clone());
    let record = Record {
        schema_version: SCHEMA_VERSION,
        number: next_number(world, first)?,
        previous: None,
        environment: subject.environment.clone(),
        service: subject.service.name.clone(),
        kind,
        from,
        to,
        held: None,
        ended: None,
        marked: None,
        commit: Some(subject.commit.clone()),
        actor: subject.actor.to_owned(),
        reason: Some(reason.to_owned()),
        started: subject.now,
        finished: subject.now,
        tick: subject.tick.to_owned(),
        steps: Vec::new(),
        said: Vec::new(),
    };
    Ok(Action::AppendRecord(Box::new(record)))
}

pub(crate) fn deployed(release: &Release, version: Option<Version>) -> Deployed {
    let Release { id, code, source, tag, .. } = release;
    let archive = match source {
        Source::Image { .. } => None,
        Source::Zip { .. } => Some(source.clone()),
    };
    Deployed { version, release: id.clone(), code: code.clone(), tag: tag.clone(), archive }
}

/// What is live, as history would have it. Its tag is what history called that version. `None` where AWS did not say
/// which code it is.
pub(super) fn deployed_live(subject: &Subject<'_>, world: &World, live: &LiveVersion) -> Option<Deployed> {
    let code = live.code.clone()?;
    let release = release_id(&code, &applied_part(&live.configuration, &subject.service.configuration));
    let tag = live.version.and_then(|version| world.head.found()?.tag_of(version).cloned());
    // What history has of the same release says more than AWS does.
    let archive = world.head.found().and_then(|head| {
        let known = head.known().map(|record| &record.to).find(|to| to.release == release)?;
        known.archive.clone()
    });
    Some(Deployed { version: live.version, release, code, tag, archive })
}

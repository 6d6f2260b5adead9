//! Back to what was good: one write of the alias carries traffic, hold and transition, and everything else comes after it.
//!
//! The alias is the intent here: whatever dies after that write, the next tick finds its marker and completes the rest.
use chrono::{DateTime, Duration, Utc};

use super::edits::gone_over;
use super::{Look, Stop, Subject, World, hold, lost, record, seen};
use crate::SCHEMA_VERSION;
use crate::history::{Deployed, Head, Kind, Record, Said};
use crate::ids::{ReleaseId, TransitionNumber, Version};
use crate::live::{LiveAlias, VersionState};
use crate::marker::Marker;
use crate::plan::{Action, Plan, Standing};
use crate::state::{Phase, Revert, Rollout, ServiceState, Shape};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// Who rolled back, as far as an alias tells.
pub(super) const FROM_MARKER: &str = "the writer of the alias's marker";

/// What a person asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    /// To what this record led, and not to the last good release.
    pub(super) to: Option<TransitionNumber>,
    /// After how many seconds people are to be reminded.
    pub(super) remind_after: Option<u32>,
    /// Who, and why.
    pub(super) said: &'a Said,
}

/// A rollback, as its record tells of it.
struct RolledBack {
    number: TransitionNumber,
    /// What had the traffic.
    from: Deployed,
    /// What has it now.
    to: Deployed,
    /// What is kept out.
    held: ReleaseId,
    /// The number in the marker that this was told by, where that is another.
    marked: Option<TransitionNumber>,
    reason: String,
    actor: String,
    remind: Option<DateTime<Utc>>,
    /// What somebody had made of the alias of the release under way, where nobody told of it yet.
    edit: Option<Said>,
}

/// A rollback, whatever is under way.
pub(super) fn plan(subject: &Subject<'_>, world: &World, asked: Asked<'_>) -> Result<Plan, Stop> {
    let name = format!("`{}/{}`", subject.environment, subject.service.name);
    let nothing = || Stop::Refuse(format!("{name} has no history, so there is nothing to go back to"));
    let head = seen(&world.head, Look::Head)?.ok_or_else(nothing)?;
    let alias = seen(&world.alias, Look::Alias)?;
    let from = leaving(subject, world, head, alias)?.ok_or_else(nothing)?;
    let is_there = |number| {
        let to = of_record(head, number, &name).ok().and_then(|to| to.version);
        to.is_some_and(|to| alias.map(Shape::from) == Some(Shape::all(to)))
    };
    if asked.to.is_none_or(is_there)
        && let Some(plan) = said_before(subject, world, head, alias)
    {
        return Ok(plan);
    }
    let Target { to, version, notes, wakes } = target(world, head, &from, asked.to, &name)?;
    // What Git wants would come back; but what is good is never held out.
    let known = || world.state.as_ref().map(|state| &state.release);
    let wanted = subject.wanted.ok().or_else(known).map(|wanted| wanted.id.clone());
    let wanted = wanted.filter(|wanted| *wanted != to.release);
    let held = wanted.unwrap_or_else(|| from.release.clone());
    if held == to.release {
        let why =
            format!("{name} serves {} already; without `--to` it goes back to the release before that", to.label());
        return Err(Stop::Refuse(why));
    }
    let mut actions: Vec<Action> = Vec::new();
    let mut notes = notes;
    if wakes {
        match &subject.service.smoke_test {
            Some(test) => actions.push(Action::Wake { version, test: test.clone() }),
            None => notes.push(format!("version {version} was idle: the first calls wake it")),
        }
    }
    let number = head.number.next();
    let marker = Marker { release: to.release.clone(), transition: number, weight: None, held: Some(held.clone()) };
    let write = match alias {
        None => Action::RecreateAlias { version, marker },
        Some(alias) => Action::Return { version, marker, if_revision: alias.revision.clone() },
    };
    if !planted!(RollbackMissesAlias) {
        actions.push(write);
    }
    let reason = asked.said.reason.clone().unwrap_or_default();
    let reason = if notes.is_empty() { reason } else { format!("{reason} ({})", notes.join("; ")) };
    let remind = asked.remind_after.map(|seconds| subject.now + Duration::seconds(seconds.into()));
    let actor = asked.said.actor.clone();
    let edit = world.state.as_ref().zip(alias).and_then(|(state, alias)| gone_over(subject, state, alias));
    let moved = alias.filter(|alias| is_moved(world, head, alias));
    let edit = edit.or_else(|| moved.map(|alias| super::edits::edit(subject, Shape::from(alias))));
    let edit = edit.or_else(|| alias.is_none().then(|| super::edits::gone(subject)));
    let done = RolledBack { number, from, to, held, marked: None, reason, actor, remind, edit };
    let standing = standing(subject, &done);
    actions.extend(after(subject, world, done, version));
    Ok(Plan { actions, standing })
}

/// What has the traffic, or a share of it, and shall not: the release under way, else what is live.
fn leaving(
    subject: &Subject<'_>,
    world: &World,
    head: &Head,
    alias: Option<&LiveAlias>,
) -> Result<Option<Deployed>, Look> {
    let rolling = world.state.as_ref().filter(|state| state.phase.has_traffic());
    if let Some(state) = rolling {
        return Ok(Some(record::deployed(&state.release, state.phase.version())));
    }
    if let Some((state, alias)) = moved_since(world, alias) {
        let stable = state.from.as_ref().and_then(|from| from.version);
        let named = [alias.version, alias.additional.map(|other| other.version)];
        let other = named.into_iter().flatten().find(|version| Some(*version) != stable);
        // What a hand published is none of the release that is held out.
        let its_own = other.filter(|version| head.versions_of(&state.release.id).contains(version));
        return Ok(Some(record::deployed(&state.release, its_own)));
    }
    if let Some(lost) = lost::rolling(subject, world, alias)? {
        return Ok(Some(lost));
    }
    let named = alias.and_then(|alias| alias.version);
    let by_version = head.known().map(|record| &record.to).find(|to| named.is_some() && to.version == named);
    Ok(by_version.or_else(|| head.last_live().map(|record| &record.to)).cloned())
}

/// The hold, and the alias, where somebody moved that since: it is not where the rollback left it.
fn moved_since<'a>(world: &'a World, alias: Option<&'a LiveAlias>) -> Option<(&'a ServiceState, &'a LiveAlias)> {
    let state = world.state.as_ref().filter(|state| matches!(state.phase, Phase::Held { .. }))?;
    let left = Shape::all(state.from.as_ref()?.version?);
    alias.filter(|alias| Shape::from(*alias) != left).map(|alias| (state, alias))
}

/// Whether somebody moved the alias of a service that has no release with traffic: it is not where the last transition left it.
fn is_moved(world: &World, head: &Head, alias: &LiveAlias) -> bool {
    if world.state.as_ref().is_some_and(|state| state.phase.has_traffic()) {
        return false;
    }
    let last = head.last_live();
    // What is stored is over where its record says that it went live.
    let under_way = world.state.as_ref().filter(|state| last.is_none_or(|last| last.number < state.transition));
    let left = match under_way {
        Some(state) => state.from.as_ref(),
        None => last.map(|record| &record.to),
    };
    // A write of ours whose record is missing still.
    let is_ours = alias.marker.as_ref().is_some_and(|marker| marker.transition > head.number);
    let left = left.and_then(|left| left.version).map(Shape::all);
    !is_ours && left.is_some_and(|left| left != Shape::from(alias))
}

/// The same word once more: it changed everything already, or somebody else was faster. What is missing is completed.
fn said_before(subject: &Subject<'_>, world: &World, head: &Head, alias: Option<&LiveAlias>) -> Option<Plan> {
    let alias = alias?;
    if let Some(plan) = completion(subject, world, head, alias) {
        return Some(plan);
    }
    let marker = alias.marker.as_ref()?;
    let held = marker.held.clone()?;
    match &world.state {
        Some(_) if moved_since(world, Some(alias)).is_some() => None,
        Some(ServiceState { phase: Phase::Held { .. }, .. }) => {
            Some(Plan::rest(super::hold::standing(world.state.as_ref(), subject.now)))
        }
        Some(_) => None,
        // Recorded, and not yet stored.
        None => {
            let record = head.recent.first().filter(|record| is_of(record, marker))?;
            if alias.version != record.to.version || alias.additional.is_some() {
                return None;
            }
            remaining(subject, world, record, held, alias.version?)
        }
    }
}

/// Whether a record tells of the rollback that wrote this marker: one of its number or a later one, as somebody else's may have
/// taken that, or the one that was made from it. Where all that was stored is lost, numbers begin anew, below the marker's.
fn is_of(record: &Record, marker: &Marker) -> bool {
    let is_as_new = record.number >= marker.transition && record.to.release == marker.release;
    let made_of_it = record.marked == Some(marker.transition) && record.held == marker.held;
    record.kind == Kind::RolledBack && (is_as_new || made_of_it)
}

/// Whether history tells of the release that a marker names. Where it was lost, what the alias names was taken over by what Git
/// declares now, which may give it another id.
fn is_known(head: &Head, marker: &Marker) -> bool {
    head.known().any(|record| record.to.release == marker.release)
}

/// What comes after the record.
fn remaining(subject: &Subject<'_>, world: &World, record: &Record, held: ReleaseId, version: Version) -> Option<Plan> {
    let done = RolledBack {
        number: record.number,
        from: record.from.clone()?,
        to: record.to.clone(),
        held,
        marked: record.marked,
        reason: record.reason.clone().unwrap_or_default(),
        actor: record.actor.clone(),
        remind: None,
        edit: None,
    };
    let standing = standing(subject, &done);
    let mut actions = after(subject, world, done, version);
    actions.retain(|action| !matches!(action, Action::AppendRecord(_)));
    Some(Plan { actions, standing })
}

struct Target {
    to: Deployed,
    version: Version,
    notes: Vec<String>,
    wakes: bool,
}

/// Where to go back to: the record that is named, else the last good release that still exists.
fn target(
    world: &World,
    head: &Head,
    from: &Deployed,
    named: Option<TransitionNumber>,
    name: &str,
) -> Result<Target, Stop> {
    let candidates: Vec<&Deployed> = match named {
        None => head.good_before(&from.release).collect(),
        Some(number) => vec![of_record(head, number, name)?],
    };
    let lower = from.version.and_then(|version| Version::new(version.number().saturating_sub(1)));
    let lower = || head.recent.iter().map(|record| &record.to).find(|to| lower.is_some() && to.version == lower);
    let candidates = if planted!(PreviousIsLowerNumber) { lower().into_iter().collect() } else { candidates };
    let mut notes = Vec::new();
    for to in candidates {
        let Some(version) = to.version else { continue };
        let Some(found) = world.version(version)? else {
            notes.push(format!("{} (version {version}) is gone", to.label()));
            continue;
        };
        // Numbers begin anew where a function was deleted and created again.
        if found.code.as_ref() != Some(&to.code) {
            notes.push(format!("version {version} is not {} any more", to.label()));
            continue;
        }
        let wakes = match &found.state {
            VersionState::Active => false,
            VersionState::Inactive | VersionState::Pending => true,
            VersionState::Failed { reason } => {
                return Err(Stop::Refuse(format!(
                    "{} (version {version}) cannot serve: {reason}; `--to RECORD` names another one",
                    to.label()
                )));
            }
            VersionState::Other { name: state } => {
                return Err(Stop::Refuse(format!("{} (version {version}) is {state}", to.label())));
            }
        };
        return Ok(Target { to: to.clone(), version, notes, wakes });
    }
    let tried = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    Err(Stop::Refuse(format!("{name} has no good release to go back to{tried}; history holds {}", told(head))))
}

/// What a record led to, where it ever was live.
fn of_record<'h>(head: &'h Head, number: TransitionNumber, name: &str) -> Result<&'h Deployed, Stop> {
    let known = || head.known().filter(|record| record.kind.is_live());
    let found = known().find(|record| record.number == number).map(|record| &record.to);
    found.ok_or_else(|| {
        let numbers: Vec<String> = known().map(|record| record.number.to_string()).collect();
        let there = if numbers.is_empty() { "none".to_owned() } else { numbers.join(", ") };
        Stop::Refuse(format!(
            "record {number} of {name} is none to go back to: the last ones that were live are {there}"
        ))
    })
}

/// The newest end of a history in one line.
fn told(head: &Head) -> String {
    let records = head.recent.iter().take(5);
    let each: Vec<String> =
        records.map(|record| format!("{} {} ({})", record.number, record.to.label(), record.kind.as_str())).collect();
    each.join(", ")
}

/// What was under way and published, or may have been, and had no traffic yet.
fn ended(state: &ServiceState) -> Option<Deployed> {
    let may_be_published = matches!(state.phase, Phase::Publishing { revision_before: Some(_) });
    let is_published = state.phase.version().is_some() && !state.phase.has_traffic();
    (is_published || may_be_published).then(|| record::deployed(&state.release, state.phase.version()))
}

/// Everything after the alias was written.
fn after(subject: &Subject<'_>, world: &World, done: RolledBack, version: Version) -> Vec<Action> {
    let RolledBack { number, from, to, held, marked, reason, actor, remind, edit } = done;
    let under_way = world.state.as_ref();
    let record = Record {
        schema_version: SCHEMA_VERSION,
        number,
        previous: None,
        environment: subject.environment.clone(),
        service: subject.service.name.clone(),
        kind: Kind::RolledBack,
        from: Some(from),
        to: to.clone(),
        held: Some(held.clone()),
        ended: under_way.and_then(ended),
        marked,
        commit: Some(subject.commit.clone()),
        actor: actor.clone(),
        reason: Some(reason.clone()),
        started: subject.now,
        finished: subject.now,
        tick: subject.tick.to_owned(),
        steps: under_way.map(|state| state.rollout.results.clone()).unwrap_or_default(),
        said: under_way.map(|state| state.said.clone()).unwrap_or_default().into_iter().chain(edit).collect(),
    };
    let registry = Action::WriteRegistry { version, tag: to.tag.clone() };
    let append = Action::AppendRecord(Box::new(record));
    let release = subject.wanted.ok().filter(|wanted| wanted.id == held).cloned();
    let release = release.or_else(|| under_way.map(|s| s.release.clone()).filter(|release| release.id == held));
    let Some(release) = release else {
        // Nothing in Git asks for it now. History keeps it out, should it ever come back.
        return vec![append, registry, Action::ClearState];
    };
    let hold = |told| ServiceState {
        schema_version: SCHEMA_VERSION,
        transition: number,
        release: release.clone(),
        from: Some(to.clone()),
        commit: subject.commit.clone(),
        started: subject.now,
        since: subject.now,
        phase: Phase::Held { reason: reason.clone(), actor: actor.clone(), remind, told, revert: Revert::default() },
        rollout: Rollout::default(),
        paused: None,
        edited: None,
        said: Vec::new(),
    };
    let (untold, told) = (hold(false), hold(true));
    let revert = hold::revert(subject, &told);
    let save = |state| Action::SaveState(Box::new(state));
    [append, save(untold), registry, save(told)].into_iter().chain(revert).collect()
}

fn standing(subject: &Subject<'_>, done: &RolledBack) -> Standing {
    let wanted = subject.wanted.ok().filter(|wanted| wanted.id == done.held);
    let release = wanted.map_or_else(|| done.from.label(), |wanted| wanted.label());
    let on = WaitingOn::Held { release, actor: done.actor.clone(), reason: done.reason.clone(), due: None };
    Standing {
        sync: SyncStatus::OutOfSync,
        health: Health::Suspended,
        phase: PhaseName::RolledBack,
        waiting_on: Some(on),
    }
}

/// What is left to do where the alias says that a rollback was made, and its command died before it was through; or where
/// somebody else's record took its number.
pub(super) fn completion(subject: &Subject<'_>, world: &World, head: &Head, alias: &LiveAlias) -> Option<Plan> {
    let marker = alias.marker.as_ref()?;
    let (held, version) = (marker.held.clone()?, alias.version.filter(|_| alias.additional.is_none())?);
    let Some(record) = head.recent.iter().find(|record| is_of(record, marker)) else {
        let done = unrecorded(world, head, marker, held, version)?;
        let standing = standing(subject, &done);
        return Some(Plan { actions: after(subject, world, done, version), standing });
    };
    // What is stored is still of the release that was under way.
    let stale = world.state.as_ref().filter(|state| state.transition <= record.number)?;
    let is_held = matches!(stale.phase, Phase::Held { .. });
    if is_held { None } else { remaining(subject, world, record, held, version) }
}

/// The rollback that a marker tells of, as far as it tells.
fn unrecorded(world: &World, head: &Head, marker: &Marker, held: ReleaseId, version: Version) -> Option<RolledBack> {
    // A hand may have moved the alias since, and left its marker: not to what is held out, and only to what was live.
    let is_it = |to: &&Deployed| to.release == marker.release || (!is_known(head, marker) && to.release != held);
    let known = head.known().filter(|record| record.kind.is_live()).map(|record| &record.to);
    let to = known.filter(|to| to.version == Some(version)).find(is_it)?.clone();
    let rolling = world.state.as_ref().filter(|state| state.phase.has_traffic());
    // Where it led to what history ends with, a hand had moved the alias away from that.
    let by_hand = || head.known().map(|record| &record.to).find(|other| other.release == held);
    let last = head.last_live().map(|record| &record.to)?;
    let from = match rolling {
        Some(state) => record::deployed(&state.release, state.phase.version()),
        None if *last == to => by_hand().unwrap_or(last).clone(),
        None => last.clone(),
    };
    let reason = "rolled back; its command ended before it could record why".to_owned();
    let (number, actor) = (head.number.next(), FROM_MARKER.to_owned());
    let marked = Some(marker.transition);
    Some(RolledBack { number, from, to, held, marked, reason, actor, remind: None, edit: None })
}

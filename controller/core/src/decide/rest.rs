//! A service with nothing under way: is it what Git wants, is it to be adopted, was it moved by hand, or does a release begin.
use release_schema::Strategy;

use super::{
    Look, Subject, World, begin, blocked, heal, hold, lost, record, rollback, seen, suspended, undecryptable, unknown,
};
use crate::SCHEMA_VERSION;
use crate::drift::Drift;
use crate::history::{Deployed, Head, Kind, Record};
use crate::ids::Version;
use crate::live::{ConfigurationChange, LiveAlias, LiveVersion, Seen, VersionState};
use crate::plan::{Action, Plan, Standing};
use crate::release::{Package, Release};
use crate::state::{Phase, Revert, Rollout, ServiceState};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// Why what is live is recorded before anything changes it.
const SEEN_FIRST: &str = "it was live when Tidegate saw it first";

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
        return Ok(after(first, incomparable(serving.package, wanted)));
    }
    if serving.code.is_none() {
        let message = "AWS does not say which code the alias serves".to_owned();
        return Ok(after(first, unknown(PhaseName::Idle, WaitingOn::Blocked { message })));
    }
    if !serving.configuration.is_comparable(&subject.service.configuration) {
        return Ok(after(first, undecryptable(PhaseName::Idle)));
    }
    if serves(serving, subject, wanted) {
        return as_wanted(subject, world, wanted, serving, first);
    }
    let head = seen(&world.head, Look::Head)?;
    if let Some(plan) = rolled_back(subject, world, head, serving)? {
        return Ok(completed(first, plan));
    }
    if let Some(plan) = lost::plan(subject, world, &first)? {
        return Ok(after(first, plan));
    }
    if let Some(plan) = kept_out(subject, world, head, wanted)? {
        return Ok(after(first, plan));
    }
    if let Some(edit) = hand_edit(head, wanted, serving)
        && let Some(plan) = heal::left_alone(subject, head, edit)
    {
        return Ok(after(first, plan));
    }
    let stable = match beside(world, head, wanted)? {
        None => instead_of_latest(subject, world, head, serving)?,
        beside => beside,
    };
    let from = stable.cloned().or_else(|| record::deployed_live(subject, world, serving));
    if head.is_some_and(|head| !head.is_unmanaged()) {
        return begin::plan(subject, world, wanted, from, first);
    }
    // The first look at a function that lives already, or the first again: what it serves is recorded before anything changes
    // it.
    if let Some(edit) = weighted(world)?.filter(|_| !subject.forced) {
        return Ok(after(first, suspended(PhaseName::Idle, edit)));
    }
    let mut first = first;
    if let Some(live) = from.clone() {
        let adopted = record::adopted(subject, world, &first, live, SEEN_FIRST)?;
        let held = if head.is_none() { held_before(subject, world, &adopted, wanted) } else { None };
        first.push(adopted);
        if let Some(plan) = held {
            return Ok(after(first, plan));
        }
    }
    begin::plan(subject, world, wanted, from, first)
}

/// What is left of a rollback that died right after it moved the alias: to another version than history says, else somebody else did; or
/// back to just that, after a hand's move. `GetAlias` is scarce: there the marker tells where the alias was seen anyway.
fn rolled_back(
    subject: &Subject<'_>,
    world: &World,
    head: Option<&Head>,
    serving: &LiveVersion,
) -> Result<Option<Plan>, Look> {
    let as_told = head.and_then(Head::last_live).is_some_and(|last| last.to.version == serving.version);
    let is_newer = |alias: &&LiveAlias| {
        let marked = alias.marker.as_ref().map(|marker| marker.transition);
        marked > head.map(|head| head.number)
    };
    let alias = if as_told { world.alias.found().filter(is_newer) } else { seen(&world.alias, Look::Alias)? };
    let Some(alias) = alias else { return Ok(None) };
    if alias.version != serving.version {
        return Ok(Some(two_reads_disagree()));
    }
    Ok(head.and_then(|head| rollback::completion(subject, world, head, alias)))
}

/// What a release begins from where somebody shares the traffic by hand, and the alias's primary version may never have earned
/// any: what history ends with, as long as it exists, or `$LATEST`, which it does not share with. Where Git wants just that, it is set
/// back and nothing begins.
fn beside<'w>(world: &World, head: Option<&'w Head>, wanted: &Release) -> Result<Option<&'w Deployed>, Look> {
    let (Some(alias), Some(head)) = (world.alias.found(), head) else { return Ok(None) };
    let Some(other) = alias.additional else { return Ok(None) };
    let last = head.last_live().map(|record| &record.to).filter(|last| last.release != wanted.id);
    let Some(last) = last else { return Ok(None) };
    if last.version.is_none_or(|version| version == other.version) {
        return Ok(Some(last));
    }
    if alias.version == last.version {
        return Ok(None);
    }
    existing(world, last)
}

/// The same, as long as its version exists with its code.
pub(super) fn existing<'w>(world: &World, deployed: &'w Deployed) -> Result<Option<&'w Deployed>, Look> {
    let Some(version) = deployed.version else { return Ok(None) };
    Ok(world.version(version)?.filter(|found| found.code.as_ref() == Some(&deployed.code)).map(|_| deployed))
}

/// What a release has its share beside that a hand made the primary, where nothing is stored, and only the alias's marker tells that it
/// was given a share and no more.
fn beside_share(subject: &Subject<'_>, world: &World, wanted: &Release) -> Result<Option<Deployed>, Look> {
    let Some(alias) = world.alias.found().filter(|_| world.head == Seen::Missing) else { return Ok(None) };
    let is_share = alias.marker.as_ref().is_some_and(|marker| marker.release == wanted.id && marker.weight.is_some());
    let Some(other) = alias.additional.filter(|_| is_share) else { return Ok(None) };
    Ok(world.version(other.version)?.and_then(|live| record::deployed_live(subject, world, live)))
}

/// What a release with steps or a bake begins from where somebody let the alias name `$LATEST`, which can neither share traffic nor be
/// returned to: what history ends with, as long as it exists.
fn instead_of_latest<'w>(
    subject: &Subject<'_>,
    world: &World,
    head: Option<&'w Head>,
    serving: &LiveVersion,
) -> Result<Option<&'w Deployed>, Look> {
    if serving.version.is_some() { Ok(None) } else { still_there(subject, world, head) }
}

/// What history ends with, for a release with steps or a bake, as long as it exists.
fn still_there<'w>(subject: &Subject<'_>, world: &World, head: Option<&'w Head>) -> Result<Option<&'w Deployed>, Look> {
    if subject.service.strategy == Strategy::AllAtOnce {
        return Ok(None);
    }
    head.and_then(Head::last_live).map_or(Ok(None), |last| existing(world, &last.to))
}

/// What follows a history's first record where the alias tells of a rollback: what was stored before is lost, and the hold is not, also
/// where a hand moved the alias since.
fn held_before(subject: &Subject<'_>, world: &World, adopted: &Action, wanted: &Release) -> Option<Plan> {
    let Action::AppendRecord(record) = adopted else { return None };
    let alias = world.alias.found()?;
    let begun = Head::append(None, (**record).clone()).ok()?;
    if let Some(plan) = rollback::completion(subject, world, &begun.head, alias) {
        return Some(plan);
    }
    let marker = alias.marker.as_ref().filter(|_| !subject.lifts_hold())?;
    marker.held.as_ref().filter(|held| **held == wanted.id)?;
    let (reason, actor) = ("rolled back; what was stored of that is lost".to_owned(), rollback::FROM_MARKER.to_owned());
    let phase = Phase::Held { reason, actor, remind: None, told: false, revert: Revert::default() };
    Some(kept(subject, &begun.head, record, wanted, phase))
}

/// The newest record says that just this release was turned back, failed, or is held out, and the document that said so as
/// well is lost: it is made again, unless a person said to try the release again.
fn kept_out(subject: &Subject<'_>, world: &World, head: Option<&Head>, wanted: &Release) -> Result<Option<Plan>, Look> {
    let newest = head.and_then(|head| Some((head, head.recent.first()?)));
    let Some((head, last)) = newest else { return Ok(None) };
    let is_lifted = if last.kind == Kind::RolledBack { subject.lifts_hold() } else { subject.starts_anew() };
    if is_lifted {
        return Ok(None);
    }
    let reason = last.reason.clone().unwrap_or_default();
    let is_it = last.to.release == wanted.id;
    let phase = match last.kind {
        Kind::RolledBack
            if last.held.as_ref() == Some(&wanted.id) || hold::is_overtaken(subject, world, head, last, wanted)? =>
        {
            Phase::Held { reason, actor: last.actor.clone(), remind: None, told: false, revert: Revert::default() }
        }
        Kind::Aborted if is_it => Phase::Aborted { reason },
        Kind::Failed if is_it => Phase::Failed { reason },
        Kind::Adopted
        | Kind::Promoted
        | Kind::Superseded
        | Kind::Aborted
        | Kind::Failed
        | Kind::RolledBack
        | Kind::Healed
        | Kind::Unmanaged => return Ok(None),
    };
    Ok(Some(kept(subject, head, last, wanted, phase)))
}

/// The document that keeps a release out, made again from a record.
fn kept(subject: &Subject<'_>, head: &Head, last: &Record, wanted: &Release, phase: Phase) -> Plan {
    let state = ServiceState {
        schema_version: SCHEMA_VERSION,
        transition: last.number,
        release: wanted.clone(),
        from: head.last_live().map(|record| record.to.clone()),
        commit: last.commit.clone().unwrap_or_else(|| subject.commit.clone()),
        started: last.started,
        since: last.finished,
        phase,
        rollout: Rollout::default(),
        paused: None,
        edited: None,
        said: Vec::new(),
    };
    let name = PhaseName::from(&state.phase);
    let actions = vec![Action::SaveState(Box::new(state))];
    Plan { actions, ..unknown(name, WaitingOn::NextTick) }
}

/// The alias's primary version is what Git wants, by code and by every configuration field that Git gives.
pub(super) fn serves(serving: &LiveVersion, subject: &Subject<'_>, wanted: &Release) -> bool {
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
    let to = record::deployed(wanted, serving.version);
    let known = is_recorded(world, wanted, serving);
    let recorded = known || ends_with(world, &to)?;
    // What is new is recorded where two reads agree on it.
    if !recorded && seen(&world.alias, Look::Alias)?.is_some_and(|alias| alias.version != serving.version) {
        return Ok(after(first, two_reads_disagree()));
    }
    if !known && let Some(plan) = lost::plan(subject, world, &first)? {
        return Ok(after(first, plan));
    }
    // `GetAlias` is scarce: it is asked for where its answer decides, and not passed over where it was seen anyway.
    let closely = !recorded || subject.forced || subject.audit;
    let edit = if closely { weighted(world)? } else { world.alias.found().and_then(weights) };
    if known
        && edit.is_some()
        && let Some(plan) = lost::plan(subject, world, &first)?
    {
        return Ok(after(first, plan));
    }
    if let Some(edit) = edit.clone()
        && let Some(plan) = heal::left_alone(subject, seen(&world.head, Look::Head)?, edit)
    {
        return Ok(after(first, plan));
    }
    if let (false, Some(head), Some(alias)) = (recorded, world.head.found(), world.alias.found())
        && let Some(plan) = rollback::completion(subject, world, head, alias)
    {
        return Ok(completed(first, plan));
    }
    if edit.is_some()
        && let (Some(stable), Some(version)) = (beside(world, world.head.found(), wanted)?, serving.version)
    {
        return begin::with_version(subject, world, wanted, version, Some(stable.clone()), first);
    }
    if edit.is_some()
        && let (Some(stable), Some(version)) = (beside_share(subject, world, wanted)?, serving.version)
    {
        let adopted = record::adopted(subject, world, &first, stable.clone(), SEEN_FIRST)?;
        let first = [first, vec![adopted]].concat();
        return begin::with_version(subject, world, wanted, version, Some(stable), first);
    }
    let released = if recorded { None } else { released_version(world, wanted, serving)? };
    if let Some(released) = released {
        let edit = WaitingOn::HandEdit { found: serving.version, expected: Some(released) };
        return match heal::left_alone(subject, world.head.found(), edit) {
            Some(plan) => Ok(after(first, plan)),
            None => begin::with_version(subject, world, wanted, released, Some(to), first),
        };
    }
    // What a hand gave it does not lift what history ends with, where the document that says so as well is lost.
    if !recorded
        && !is_ours(world, wanted)
        && let Some(plan) = kept_out(subject, world, world.head.found(), wanted)?
    {
        return Ok(after(first, plan));
    }
    let mut actions = first;
    if !recorded {
        let adopted = record::adopted(subject, world, &actions, to.clone(), "it runs what Git wants already")?;
        let entry = |version| Action::WriteRegistry { version, tag: wanted.tag.clone() };
        // No intent is stored that says the registry was not told yet: the record does, by not being there.
        actions.extend(serving.version.map(entry));
        actions.push(adopted);
    }
    if let (Some(_), Some(version)) = (edit, serving.version) {
        return begin::with_version(subject, world, wanted, version, Some(to), actions);
    }
    let health = health_of(&serving.state);
    let at_rest = heal::AtRest { wanted, serving, live: &to, health, first: &actions };
    let plan = heal::beside_traffic(subject, world, &at_rest)?;
    Ok(after(actions, plan))
}

/// Whether the cache knows that history ends with just this.
fn is_recorded(world: &World, wanted: &Release, serving: &LiveVersion) -> bool {
    let known = world.recorded.as_ref();
    known.is_some_and(|known| known.release == wanted.id && Some(known.version) == serving.version)
}

/// The version that was released, where somebody moved the alias to another one with the same content. What our own alias
/// tells of, and history not yet, is no such move; nor is it one where the released version is gone.
fn released_version(world: &World, wanted: &Release, serving: &LiveVersion) -> Result<Option<Version>, Look> {
    let Some(head) = seen(&world.head, Look::Head)? else { return Ok(None) };
    let last = head.last_live().map(|record| &record.to).filter(|last| last.release == wanted.id);
    let Some(released) = last.and_then(|last| last.version).filter(|version| Some(*version) != serving.version) else {
        return Ok(None);
    };
    if is_ours(world, wanted) {
        return Ok(None);
    }
    let there = world.version(released)?.is_some_and(|version| version.code.as_ref() == Some(&wanted.code));
    Ok(there.then_some(released))
}

/// Whether our own alias tells that a write of ours gave it this release, and history does not yet.
fn is_ours(world: &World, wanted: &Release) -> bool {
    let marker = world.alias.found().and_then(|alias| alias.marker.as_ref());
    let last = world.head.found().map(|head| head.number);
    marker.is_some_and(|marker| marker.release == wanted.id && last.is_none_or(|last| marker.transition > last))
}

/// Whether the last record that moved traffic, or took it over, says just this.
fn ends_with(world: &World, live: &Deployed) -> Result<bool, Look> {
    let Some(head) = seen(&world.head, Look::Head)? else { return Ok(false) };
    let is_left = head.left().is_some_and(|left| left.version == live.version);
    let last = head.last_live().map(|record| &record.to).filter(|_| is_left);
    Ok(last.is_some_and(|last| last.release == live.release && last.version == live.version))
}

pub(super) fn health_of(state: &VersionState) -> Health {
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
        return Ok(after(first, missing(PhaseName::Idle)));
    };
    if latest.package != wanted.code.package() {
        return Ok(after(first, incomparable(latest.package, wanted)));
    }
    if seen(&world.alias, Look::Alias)?.is_some() {
        return Ok(after(first, two_reads_disagree()));
    }
    let head = seen(&world.head, Look::Head)?;
    if let Some(plan) = kept_out(subject, world, head, wanted)? {
        return Ok(after(first, plan));
    }
    if was_live(head, wanted)
        && let Some(plan) = heal::left_alone(subject, head, WaitingOn::Drift { drift: vec![Drift::AliasMissing] })
    {
        let standing = Standing { health: Health::Missing, ..plan.standing };
        return Ok(after(first, Plan::rest(standing)));
    }
    let stable = if was_live(head, wanted) { None } else { still_there(subject, world, head)?.cloned() };
    begin::plan(subject, world, wanted, stable, first)
}

/// One of them is out of date, and nothing follows from that.
fn two_reads_disagree() -> Plan {
    unknown(PhaseName::Idle, WaitingOn::NextTick)
}

/// An image and an archive cannot be compared, and the one never becomes the other.
fn incomparable(live: Package, wanted: &Release) -> Plan {
    unknown(PhaseName::Idle, WaitingOn::PackageType { live, wanted: wanted.code.package() })
}

pub(super) fn missing(phase: PhaseName) -> Plan {
    Plan::rest(Standing {
        sync: SyncStatus::OutOfSync,
        health: Health::Missing,
        phase,
        waiting_on: Some(WaitingOn::FunctionMissing),
    })
}

/// History ends with the release that Git wants, and yet another version serves: somebody moved the alias.
fn hand_edit(head: Option<&Head>, wanted: &Release, serving: &LiveVersion) -> Option<WaitingOn> {
    let last = &head?.last_live()?.to;
    (last.release == wanted.id && last.version != serving.version)
        .then_some(WaitingOn::HandEdit { found: serving.version, expected: last.version })
}

/// Somebody shifts this alias by hand: nothing to take over until that is done. What AWS shifts by itself, while it prepares
/// provisioned concurrency, is nobody's edit.
fn weighted(world: &World) -> Result<Option<WaitingOn>, Look> {
    let Some(edit) = seen(&world.alias, Look::Alias)?.and_then(weights) else { return Ok(None) };
    let injected = seen(&world.provisioning, Look::Provisioning)?.copied().unwrap_or(false);
    Ok((!injected).then_some(edit))
}

fn weights(alias: &LiveAlias) -> Option<WaitingOn> {
    let weight = Some(alias.additional?.basis_points);
    Some(WaitingOn::ForeignEdit { found: alias.version, weight })
}

/// Whether history ends with the release that Git wants: what is not as it was is somebody else's doing then.
pub(super) fn was_live(head: Option<&Head>, wanted: &Release) -> bool {
    head.and_then(Head::last_live).is_some_and(|last| last.to.release == wanted.id)
}

/// `first`, then what completes a rollback: in the next tick, where `first` takes the number that it would have.
fn completed(first: Vec<Action>, plan: Plan) -> Plan {
    let records = first.iter().any(|action| matches!(action, Action::AppendRecord(_)));
    if records { after(first, unknown(PhaseName::Idle, WaitingOn::NextTick)) } else { after(first, plan) }
}

/// `first`, then the plan.
pub(super) fn after(first: Vec<Action>, plan: Plan) -> Plan {
    Plan { actions: [first, plan.actions].concat(), ..plan }
}

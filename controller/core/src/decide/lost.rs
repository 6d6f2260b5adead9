//! A rollout of which nothing is stored any more: where it was, by the alias's weights, its marker, and history.
//!
//! Traffic under the marker of a transition that has no record is a release under way, whatever became of its document.
use release_schema::Strategy;

use super::{Look, Subject, World, alias, edits, record, rest, seen, unknown, waiting};
use crate::SCHEMA_VERSION;
use crate::history::{Deployed, Head, Kind, Record, Said};
use crate::ids::{TransitionNumber, Version};
use crate::live::{ConfigurationChange, LiveAlias, LiveVersion};
use crate::marker::Marker;
use crate::plan::{Action, Plan};
use crate::release::Release;
use crate::rollout::{self, ALL, steps};
use crate::state::{Phase, Rollout, ServiceState, Shape};
use crate::status::{PhaseName, WaitingOn};

/// A release with traffic that a transition without a record gave it.
struct Orphan<'a> {
    alias: &'a LiveAlias,
    marker: &'a Marker,
    version: Version,
    /// Its share in ten-thousandths; `None` where it has all.
    share: Option<u16>,
    /// Somebody made it the primary, beside what history ends with.
    swapped: bool,
    live: &'a LiveVersion,
}

/// The orphan that this alias shows, after what `head` knows and `first` records. Whoever changes an alias by hand leaves the
/// marker of a transition that has its record; where history began anew, that of one before it, which gave no share.
fn orphan<'a>(world: &'a World, alias: Option<&'a LiveAlias>, first: &[Action]) -> Result<Option<Orphan<'a>>, Look> {
    let Some(head) = seen(&world.head, Look::Head)? else { return Ok(None) };
    let marked = alias.and_then(|alias| Some((alias, alias.marker.as_ref()?)));
    let Some((alias, marker)) = marked else { return Ok(None) };
    let is_next = marker.transition == record::next_number(world, first)?;
    if !is_next || marker.held.is_some() || (alias.additional.is_some() && marker.weight.is_none()) {
        return Ok(None);
    }
    let stable = head.last_live().and_then(|record| record.to.version);
    // All traffic on stable is a return.
    let primary = alias.version.filter(|version| Some(*version) != stable);
    let (version, share, swapped) = match (alias.additional, primary) {
        (Some(other), Some(primary)) if Some(other.version) == stable => {
            (primary, Some(ALL.saturating_sub(other.basis_points)), true)
        }
        (Some(other), _) => (other.version, Some(other.basis_points), false),
        (None, Some(primary)) => (primary, None, false),
        (None, None) => return Ok(None),
    };
    let serving = world.serving.found().filter(|serving| serving.version == Some(version));
    let live = if serving.is_some() { serving } else { world.version(version)? };
    Ok(live.map(|live| Orphan { alias, marker, version, share, swapped, live }))
}

impl Orphan<'_> {
    /// What it is, as history would have it. `None` where AWS does not say which code it is.
    fn deployed(&self, subject: &Subject<'_>) -> Option<Deployed> {
        let version = Some(self.version);
        let wanted = subject.wanted.ok().filter(|wanted| wanted.id == self.marker.release);
        Some(match wanted {
            Some(wanted) => record::deployed(wanted, version),
            None => {
                let (release, code) = (self.marker.release.clone(), self.live.code.clone()?);
                Deployed { version, release, code, tag: None, archive: None }
            }
        })
    }

    /// Whether it is what Git wants, by its marker and by what the version itself shows.
    fn is_of(&self, subject: &Subject<'_>, wanted: &Release) -> bool {
        let declared = &subject.service.configuration;
        self.marker.release == wanted.id
            && self.live.code.as_ref() == Some(&wanted.code)
            && self.live.configuration.is_comparable(declared)
            && ConfigurationChange::between(&self.live.configuration, declared).is_none()
    }

    /// What somebody made of the alias that gave it its weight.
    fn edited(&self) -> Option<Shape> {
        self.marker.weight.filter(|given| self.swapped || Some(*given) != self.share).map(|_| Shape::from(self.alias))
    }

    /// Its transition, from now on in this phase. `strategy` is the one that it follows, where that is known.
    fn in_phase(
        &self,
        subject: &Subject<'_>,
        wanted: &Release,
        from: Deployed,
        phase: Phase,
        strategy: Option<String>,
    ) -> ServiceState {
        let percent = f64::from(self.share.unwrap_or(ALL)) / 100.0;
        let note = Said {
            what: "lost".to_owned(),
            actor: subject.actor.to_owned(),
            reason: Some(format!("what was stored of it was lost at {percent} %: that begins anew")),
            at: subject.now,
        };
        ServiceState {
            schema_version: SCHEMA_VERSION,
            transition: self.marker.transition,
            release: wanted.clone(),
            from: Some(from),
            commit: subject.commit.clone(),
            started: subject.now,
            since: subject.now,
            phase,
            // Which alarms were red before is lost as well: each one that is red now counts against the release.
            rollout: Rollout { strategy, timeout: Some(self.live.configuration.timeout), ..Rollout::default() },
            paused: None,
            edited: None,
            said: vec![note],
        }
    }
}

/// The release under way that has traffic, where nothing is stored of it.
pub(super) fn rolling(
    subject: &Subject<'_>,
    world: &World,
    alias: Option<&LiveAlias>,
) -> Result<Option<Deployed>, Look> {
    Ok(orphan(world, alias, &[])?.and_then(|orphan| orphan.deployed(subject)))
}

/// The state that was lost, where Git still wants its release: it holds the step whose weight is live, or is watched, for as
/// long as that takes in full, counted from now. A weight that no step has begins the steps anew.
pub(super) fn state(subject: &Subject<'_>, world: &World, first: &[Action]) -> Result<Option<ServiceState>, Look> {
    if let Some(baking) = baking(subject, world, first)? {
        return Ok(Some(baking));
    }
    let (Ok(wanted), Some((stable, orphan))) = (subject.wanted, beside_stable(subject, world, first)?) else {
        return Ok(None);
    };
    // Whoever changes the share by hand leaves the marker of what was given.
    let Some(weight) = orphan.marker.weight.filter(|_| orphan.is_of(subject, wanted)) else { return Ok(None) };
    let steps = steps(&subject.service.strategy);
    let step = steps.iter().position(|step| step.basis_points() == weight);
    let phase = Phase::Holding { version: orphan.version, step: step.unwrap_or(0), weight };
    let strategy = step.map(|_| subject.service.strategy.to_string());
    let state = orphan.in_phase(subject, wanted, stable, phase, strategy);
    Ok(Some(match orphan.edited() {
        Some(shape) => edits::stopped(subject, &state, shape),
        None => state,
    }))
}

/// A release that has all traffic, and was to be watched.
fn baking(subject: &Subject<'_>, world: &World, first: &[Action]) -> Result<Option<ServiceState>, Look> {
    let (Ok(wanted), Strategy::BlueGreen(blue_green)) = (subject.wanted, &subject.service.strategy) else {
        return Ok(None);
    };
    let Some(serving) = seen(&world.serving, Look::Serving)? else { return Ok(None) };
    if blue_green.bake.is_zero() || serving.code.as_ref() != Some(&wanted.code) {
        return Ok(None);
    }
    let Some(head) = seen(&world.head, Look::Head)? else { return Ok(None) };
    let orphan = orphan(world, seen(&world.alias, Look::Alias)?, first)?;
    // What goes straight live again is not watched: only the very version that was live does.
    let direct = |version| head.in_rollback_window(&wanted.id) && head.was_live(&wanted.id, version);
    let whole =
        orphan.filter(|orphan| orphan.share.is_none() && orphan.is_of(subject, wanted) && !direct(orphan.version));
    let (Some(orphan), Some(stable)) = (whole, head.last_live()) else { return Ok(None) };
    // When it was switched is lost. It was no longer ago than the bake lasts, so stable had its traffic until then.
    let switched = subject.now - rollout::duration(blue_green.bake);
    let phase = Phase::Baking { version: orphan.version, switched };
    let strategy = Some(subject.service.strategy.to_string());
    Ok(Some(orphan.in_phase(subject, wanted, stable.to.clone(), phase, strategy)))
}

/// What follows where a service is at rest by all that is stored, and yet a release has a share of its traffic.
pub(super) fn plan(subject: &Subject<'_>, world: &World, first: &[Action]) -> Result<Option<Plan>, Look> {
    if let Some(state) = state(subject, world, first)? {
        let phase = PhaseName::from(&state.phase);
        let actions = vec![Action::SaveState(Box::new(state))];
        return Ok(Some(Plan { actions, ..unknown(phase, WaitingOn::NextTick) }));
    }
    let actions = match beside_stable(subject, world, first)? {
        Some((stable, orphan)) if subject.wanted.is_ok_and(|wanted| wanted.id != orphan.marker.release) => {
            given_back(subject, world, first, &stable, &orphan)?
        }
        Some(_) => None,
        None => left_over(subject, world, first)?,
    };
    Ok(actions.map(|actions| Plan { actions, ..waiting(PhaseName::Idle, WaitingOn::NextTick) }))
}

/// The orphan that has a share, and what has the rest. It is looked for where a strategy gives shares: `GetAlias` is scarce.
fn beside_stable<'a>(
    subject: &Subject<'_>,
    world: &'a World,
    first: &[Action],
) -> Result<Option<(Deployed, Orphan<'a>)>, Look> {
    if steps(&subject.service.strategy).is_empty() {
        return Ok(None);
    }
    let Some(serving) = seen(&world.serving, Look::Serving)? else { return Ok(None) };
    let alias = seen(&world.alias, Look::Alias)?.filter(|alias| alias.version == serving.version);
    let orphan = orphan(world, alias, first)?.filter(|orphan| orphan.share.is_some());
    // What a hand made the primary is not what the traffic came from: history tells that.
    let is_edited = orphan.as_ref().is_some_and(|orphan| orphan.edited().is_some());
    let told = seen(&world.head, Look::Head)?.and_then(Head::last_live).filter(|_| is_edited);
    let stable = told.map(|record| record.to.clone()).or_else(|| record::deployed_live(subject, world, serving));
    Ok(stable.filter(|stable| stable.version.is_some()).zip(orphan))
}

/// Git wants something else by now: its traffic returns, and that is recorded. An edit is told before it is answered.
fn given_back(
    subject: &Subject<'_>,
    world: &World,
    first: &[Action],
    stable: &Deployed,
    orphan: &Orphan<'_>,
) -> Result<Option<Vec<Action>>, Look> {
    let (Some(version), Some(to)) = (stable.version, orphan.deployed(subject)) else { return Ok(None) };
    let number = orphan.marker.transition;
    let edited = orphan.edited();
    let record = Record {
        schema_version: SCHEMA_VERSION,
        number,
        previous: None,
        environment: subject.environment.clone(),
        service: subject.service.name.clone(),
        kind: Kind::Superseded,
        from: Some(stable.clone()),
        to,
        held: None,
        ended: None,
        marked: None,
        commit: None,
        actor: subject.actor.to_owned(),
        reason: Some(format!("{}; what was stored of it was lost", record::superseded_by(subject))),
        started: subject.now,
        finished: subject.now,
        tick: subject.tick.to_owned(),
        steps: Vec::new(),
        said: edited.map(|shape| edits::edit(subject, shape)).into_iter().collect(),
    };
    let told = Action::AppendRecord(Box::new(record));
    if edited.is_none() {
        return Ok(Some(vec![back(stable, version, number, orphan.alias), told]));
    }
    let told = vec![told];
    let after = set_back(subject, world, &[first, &told].concat(), stable, orphan.alias)?;
    Ok(Some([told, after.unwrap_or_default()].concat()))
}

/// What an edited rollout has still, whose end was told, and the tick that told died before it answered.
fn left_over(subject: &Subject<'_>, world: &World, first: &[Action]) -> Result<Option<Vec<Action>>, Look> {
    let (Some(alias), Some(head)) = (world.alias.found(), world.head.found()) else { return Ok(None) };
    let last = head.recent.first().filter(|last| last.kind == Kind::Superseded);
    let (Some(other), Some(last)) = (alias.additional, last) else { return Ok(None) };
    // Whatever returns traffic says that it gave no share.
    let is_its =
        alias.marker.as_ref().is_some_and(|marker| marker.transition == last.number && marker.weight.is_some());
    let is_there = [alias.version, Some(other.version)].contains(&last.to.version);
    match last.from.as_ref() {
        Some(stable) if is_its && is_there => set_back(subject, world, first, stable, alias),
        Some(_) | None => Ok(None),
    }
}

/// A transition of its own takes back what a hand made of an ended rollout. Where somebody deleted the version that it began from,
/// traffic goes to the last good release that exists; where there is none, it stays for whatever is released next.
fn set_back(
    subject: &Subject<'_>,
    world: &World,
    first: &[Action],
    stable: &Deployed,
    alias: &LiveAlias,
) -> Result<Option<Vec<Action>>, Look> {
    let good = world.head.found().into_iter().flat_map(|head| head.good_before(&stable.release));
    let mut existing = [stable].into_iter().chain(good).map(|to| rest::existing(world, to));
    let stable = existing.find_map(Result::transpose).transpose()?;
    let Some((stable, version)) = stable.and_then(|stable| Some((stable, stable.version?))) else { return Ok(None) };
    let number = record::next_number(world, first)?;
    let reason = format!("the alias named {}", alias::described(Shape::from(alias)));
    let healed = record::at_rest(subject, world, first, Kind::Healed, stable.clone(), &reason)?;
    Ok(Some(vec![back(stable, version, number, alias), healed]))
}

/// The one call that sends all traffic back to stable.
fn back(stable: &Deployed, version: Version, transition: TransitionNumber, alias: &LiveAlias) -> Action {
    let marker = Marker { release: stable.release.clone(), transition, weight: None, held: None };
    Action::Return { version, marker, if_revision: alias.revision.clone() }
}

//! A rollout of which nothing is stored any more: where it was, by the alias's weights, its marker, and history.
//!
//! A weight under the marker of a transition that has no record is a release under way, whatever became of its document.
use super::{Look, Subject, World, record, seen, unknown, waiting};
use crate::SCHEMA_VERSION;
use crate::history::{Deployed, Kind, Record, Said};
use crate::ids::TransitionNumber;
use crate::live::{ConfigurationChange, LiveAlias, LiveVersion, Weighted};
use crate::marker::Marker;
use crate::plan::{Action, Plan};
use crate::release::Release;
use crate::rollout::steps;
use crate::state::{Phase, Rollout, ServiceState};
use crate::status::{PhaseName, WaitingOn};

/// A share of the traffic that a transition without a record gave to its release.
struct Orphan<'a> {
    alias: &'a LiveAlias,
    marker: &'a Marker,
    weighted: Weighted,
    live: &'a LiveVersion,
}

/// The orphan that this alias shows, where `next` is the number of the record that history does not have yet. Whoever sets
/// weights by hand leaves the marker of a transition that it has.
fn orphan<'a>(
    world: &'a World,
    alias: Option<&'a LiveAlias>,
    next: TransitionNumber,
) -> Result<Option<Orphan<'a>>, Look> {
    let marked = alias.and_then(|alias| Some((alias, alias.marker.as_ref()?, alias.additional?)));
    let Some((alias, marker, weighted)) = marked else { return Ok(None) };
    if marker.transition != next || marker.held.is_some() {
        return Ok(None);
    }
    let live = world.version(weighted.version)?;
    Ok(live.map(|live| Orphan { alias, marker, weighted, live }))
}

impl Orphan<'_> {
    /// What it is, as history would have it. `None` where AWS does not say which code it is.
    fn deployed(&self, subject: &Subject<'_>) -> Option<Deployed> {
        let version = Some(self.weighted.version);
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
}

/// The release that has a share of the traffic, where nothing is stored of it.
pub(super) fn rolling(
    subject: &Subject<'_>,
    world: &World,
    alias: Option<&LiveAlias>,
    next: TransitionNumber,
) -> Result<Option<Deployed>, Look> {
    Ok(orphan(world, alias, next)?.and_then(|orphan| orphan.deployed(subject)))
}

/// The state that was lost, where Git still wants its release: it holds the step whose weight is live, as long as that holds
/// in full, counted from now. A weight that no step has begins the steps anew.
pub(super) fn state(subject: &Subject<'_>, world: &World, first: &[Action]) -> Result<Option<ServiceState>, Look> {
    let (Ok(wanted), Some((stable, orphan))) = (subject.wanted, beside_stable(subject, world, first)?) else {
        return Ok(None);
    };
    if !orphan.is_of(subject, wanted) {
        return Ok(None);
    }
    let Weighted { version, basis_points: weight } = orphan.weighted;
    let steps = steps(&subject.service.strategy);
    let step = steps.iter().position(|step| u16::from(step.weight.percent()) * 100 == weight);
    let note = Said {
        what: "lost".to_owned(),
        actor: subject.actor.to_owned(),
        reason: Some(format!("what was stored of it was lost at {} %: that begins anew", orphan.weighted.percent())),
        at: subject.now,
    };
    Ok(Some(ServiceState {
        schema_version: SCHEMA_VERSION,
        transition: orphan.marker.transition,
        release: wanted.clone(),
        from: Some(stable),
        commit: subject.commit.clone(),
        started: subject.now,
        since: subject.now,
        phase: Phase::Holding { version, step: step.unwrap_or(0), weight },
        rollout: Rollout {
            strategy: step.map(|_| subject.service.strategy.to_string()),
            timeout: Some(orphan.live.configuration.timeout),
            // Which alarms were red before is lost as well: each one that is red now counts against the release.
            ..Rollout::default()
        },
        paused: None,
        edited: None,
        said: vec![note],
    }))
}

/// What follows where a service is at rest by all that is stored, and yet a release has a share of its traffic.
pub(super) fn plan(subject: &Subject<'_>, world: &World, first: &[Action]) -> Result<Option<Plan>, Look> {
    if let Some(state) = state(subject, world, first)? {
        let phase = PhaseName::from(&state.phase);
        let actions = vec![Action::SaveState(Box::new(state))];
        return Ok(Some(Plan { actions, ..unknown(phase, WaitingOn::NextTick) }));
    }
    let Some((stable, orphan)) = beside_stable(subject, world, first)? else { return Ok(None) };
    let unwanted = subject.wanted.is_ok_and(|wanted| wanted.id != orphan.marker.release);
    Ok(if unwanted { given_back(subject, &stable, &orphan) } else { None })
}

/// The orphan and what it shares the traffic with. It is looked for where a strategy gives shares: `GetAlias` is scarce.
fn beside_stable<'a>(
    subject: &Subject<'_>,
    world: &'a World,
    first: &[Action],
) -> Result<Option<(Deployed, Orphan<'a>)>, Look> {
    if steps(&subject.service.strategy).is_empty() {
        return Ok(None);
    }
    let Some(serving) = seen(&world.serving, Look::Serving)? else { return Ok(None) };
    if seen(&world.head, Look::Head)?.is_none() {
        return Ok(None);
    }
    let alias = seen(&world.alias, Look::Alias)?.filter(|alias| alias.version == serving.version);
    let orphan = orphan(world, alias, record::next_number(world, first)?)?;
    let stable = record::deployed_live(subject, world, serving).filter(|stable| stable.version.is_some());
    Ok(stable.zip(orphan))
}

/// Git wants something else by now: its traffic returns, and that is recorded.
fn given_back(subject: &Subject<'_>, stable: &Deployed, orphan: &Orphan<'_>) -> Option<Plan> {
    let number = orphan.marker.transition;
    let back = Action::Return {
        version: stable.version?,
        marker: Marker { release: stable.release.clone(), transition: number, held: None },
        if_revision: orphan.alias.revision.clone(),
    };
    let record = Record {
        schema_version: SCHEMA_VERSION,
        number,
        previous: None,
        environment: subject.environment.clone(),
        service: subject.service.name.clone(),
        kind: Kind::Superseded,
        from: Some(stable.clone()),
        to: orphan.deployed(subject)?,
        held: None,
        commit: None,
        actor: subject.actor.to_owned(),
        reason: Some(format!("{}; what was stored of it was lost", record::superseded_by(subject))),
        started: subject.now,
        finished: subject.now,
        tick: subject.tick.to_owned(),
        steps: Vec::new(),
        said: Vec::new(),
    };
    let actions = vec![back, Action::AppendRecord(Box::new(record))];
    Some(Plan { actions, ..waiting(PhaseName::Idle, WaitingOn::NextTick) })
}

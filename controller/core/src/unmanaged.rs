//! Decides what becomes of a service that was removed from Git: what is left of it is told; or, where its environment prunes,
//! what was under way ends and its history says that nobody manages it any more.
//!
//! Its function, alias, versions and records stay, whatever is decided here.
use chrono::{DateTime, Utc};
use release_schema::{EnvironmentName, ServiceName};

use crate::SCHEMA_VERSION;
use crate::decide::deployed;
use crate::history::{Deployed, Head, Kind, Record};
use crate::ids::{Commit, RevisionId, TransitionNumber, Version};
use crate::live::LiveAlias;
use crate::marker::Marker;
use crate::report::Left;
use crate::state::{Before, Phase, ServiceState, Shape};
use crate::status::PhaseName;

/// All traffic, in ten-thousandths.
const ALL: u16 = 10_000;

/// A service that is not in Git any more, with what was seen of it.
#[derive(Clone, Copy, Debug)]
pub struct Removed<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The service.
    pub service: &'a ServiceName,
    /// A commit that does not have it.
    pub commit: &'a Commit,
    /// Who is at work.
    pub actor: &'a str,
    /// Server time.
    pub now: DateTime<Utc>,
    /// The tick's id.
    pub tick: &'a str,
    /// What is stored of a transition.
    pub state: Option<&'a ServiceState>,
    /// The newest end of its history.
    pub head: Option<&'a Head>,
    /// The alias. It is of interest only where a release may have traffic.
    pub alias: Option<&'a LiveAlias>,
}

/// What closes a service: in this order, and then what is stored of its transition is deleted. Each part may have been done
/// by a tick that died: what is left of it is decided again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// Stored before traffic returns.
    pub returning: Option<Box<ServiceState>>,
    /// How it returns.
    pub back: Option<Back>,
    /// What history says.
    pub records: Vec<Record>,
}

/// The one call that sends all traffic back to stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// Stable.
    pub version: Version,
    /// Who says so.
    pub marker: Marker,
    /// The alias as it was read.
    pub if_revision: RevisionId,
}

/// What is left of a service of which something is stored.
#[must_use]
pub fn left(state: &ServiceState) -> Left {
    let weight = match state.phase {
        Phase::Shifting { weight, .. } | Phase::Holding { weight, .. } => Some(weight),
        Phase::Promoting { .. } | Phase::Baking { .. } => Some(ALL),
        Phase::Publishing { .. }
        | Phase::Preparing { .. }
        | Phase::Returning { .. }
        | Phase::Aborted { .. }
        | Phase::Held { .. }
        | Phase::Failed { .. } => None,
    };
    Left {
        phase: PhaseName::from(&state.phase),
        release: state.release.label(),
        weight,
        has_traffic: state.phase.has_traffic(),
    }
}

/// Closes a service.
///
/// A release that has a part of the traffic is turned back first, as one that another commit supersedes: nobody watches it any
/// more, and a version that was not found good must not stay with a share for ever. An alias that somebody else changed
/// meanwhile is left alone, as is one without a stable version behind it.
#[must_use]
pub fn close(removed: &Removed<'_>) -> Closing {
    let under_way = removed.state.filter(|state| !state.phase.is_over());
    // What history tells of already is neither turned back nor told again.
    let under_way = under_way.and_then(|state| Some((state, state.unrecorded(removed.head)?)));
    let back = under_way.and_then(|(state, _)| back(state, removed.alias?));
    let returning = under_way.filter(|_| back.is_some()).and_then(|(state, _)| returning(removed, state));
    let last = removed.head.map_or(TransitionNumber(0), |head| head.number);
    let ended = under_way.map(|(state, number)| ended(removed, state, number));
    let number = ended.as_ref().map_or(last, |record| record.number).next();
    let live = removed.head.and_then(|head| head.last_live().or(head.recent.first())).map(|record| &record.to);
    let landed = ended.as_ref().filter(|record| record.kind.is_live()).map(|record| &record.to);
    let live = landed.or(live).or_else(|| ended.as_ref().map(|record| record.from.as_ref().unwrap_or(&record.to)));
    let is_told = ended.is_none() && removed.head.is_some_and(Head::is_unmanaged);
    let unmanaged = live.filter(|_| !is_told).map(|live| unmanaged(removed, number, live));
    Closing { returning, back, records: ended.into_iter().chain(unmanaged).collect() }
}

/// The write that turns a release back; `None` where there is nothing to turn, or the alias is not as the release left it.
fn back(state: &ServiceState, alias: &LiveAlias) -> Option<Back> {
    let from = state.from.as_ref()?;
    let (stable, new) = (from.version?, state.phase.version().filter(|_| state.phase.has_traffic())?);
    let marker = Marker { release: from.release.clone(), transition: state.transition, weight: None, held: None };
    let shape = Shape::from(alias);
    let is_back = shape == Shape::all(stable) && alias.marker.as_ref() == Some(&marker);
    let known = |version: Version| version == stable || version == new;
    let is_ours = shape.version.is_some_and(known) && shape.additional.is_none_or(|other| known(other.version));
    (state.edited.is_none() && is_ours && !is_back).then(|| Back {
        version: stable,
        marker,
        if_revision: alias.revision.clone(),
    })
}

fn returning(removed: &Removed<'_>, state: &ServiceState) -> Option<Box<ServiceState>> {
    if matches!(state.phase, Phase::Returning { .. }) {
        return None;
    }
    let phase = Phase::Returning {
        version: state.phase.version()?,
        ending: Kind::Superseded,
        reason: why(removed),
        actor: removed.actor.to_owned(),
        before: removed.alias.map(Before::from),
    };
    Some(Box::new(ServiceState { phase, since: removed.now, paused: None, ..state.clone() }))
}

fn why(removed: &Removed<'_>) -> String {
    format!("commit {} does not have the service", removed.commit.short())
}

fn ended(removed: &Removed<'_>, state: &ServiceState, number: TransitionNumber) -> Record {
    let (kind, reason, actor) = if let Phase::Returning { ending, reason, actor, .. } = &state.phase {
        (*ending, Some(reason.clone()), actor.clone())
    } else if removed.alias.is_some_and(|alias| state.has_landed(alias)) {
        (Kind::Promoted, None, removed.actor.to_owned())
    } else if state.edited.is_some() {
        let reason = format!("{}, and the alias is as somebody else left it", why(removed));
        (Kind::Superseded, Some(reason), removed.actor.to_owned())
    } else {
        (Kind::Superseded, Some(why(removed)), removed.actor.to_owned())
    };
    Record {
        kind,
        from: state.from.clone(),
        commit: Some(state.commit.clone()),
        actor,
        reason,
        started: state.started,
        steps: state.rollout.results.clone(),
        said: state.said.clone(),
        ..record(removed, number, deployed(&state.release, state.phase.version()))
    }
}

fn unmanaged(removed: &Removed<'_>, number: TransitionNumber, live: &Deployed) -> Record {
    Record { from: Some(live.clone()), reason: Some(why(removed)), ..record(removed, number, live.clone()) }
}

fn record(removed: &Removed<'_>, number: TransitionNumber, to: Deployed) -> Record {
    Record {
        schema_version: SCHEMA_VERSION,
        number,
        previous: None,
        environment: removed.environment.clone(),
        service: removed.service.clone(),
        kind: Kind::Unmanaged,
        from: None,
        to,
        held: None,
        ended: None,
        marked: None,
        commit: Some(removed.commit.clone()),
        actor: removed.actor.to_owned(),
        reason: None,
        started: removed.now,
        finished: removed.now,
        tick: removed.tick.to_owned(),
        steps: Vec::new(),
        said: Vec::new(),
    }
}

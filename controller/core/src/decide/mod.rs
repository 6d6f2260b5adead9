//! Decides one service: from what Git wants, what is live, what is stored and the time, to a plan.
//!
//! A decision that lacks something asks for it, and is made again when it was looked at; so a converged service costs one
//! read, and what to read next is decided here, apart from reading.
mod promote;
mod publish;
mod record;
mod rest;

use chrono::{DateTime, Utc};
use release_schema::{EnvironmentName, Service};

use crate::history::Head;
use crate::ids::{Commit, ReleaseId, Version};
use crate::live::{LiveAlias, LiveVersion, Seen};
use crate::plan::{Action, Plan, Standing};
use crate::release::Release;
use crate::state::{Phase, ServiceState};
use crate::status::{Health, HoldReason, PhaseName, SyncStatus, WaitingOn};

/// What is asked about one service: it does not change while the decision is made.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// What Git says of the service.
    pub service: &'a Service,
    /// The pinned release, or why there is none.
    pub wanted: Result<&'a Release, &'a str>,
    /// The commit that Git says it in.
    pub commit: &'a Commit,
    /// Whether a person named this service in a `sync`: hand edits and a failure are gone over.
    pub forced: bool,
    /// Who is at work: `controller`, or the person behind a command.
    pub actor: &'a str,
    /// Why the environment makes no forward move, where it makes none.
    pub hold: Option<&'a HoldReason>,
    /// Server time.
    pub now: DateTime<Utc>,
    /// The tick's id.
    pub tick: &'a str,
}

/// What was seen of one service so far in this tick.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// What is stored of a transition under way.
    pub state: Option<ServiceState>,
    /// The release that history is known to end with: a cache, empty where it is not known. It only spares a converged
    /// service the look at its history; no release begins or ends by it.
    pub recorded: Option<ReleaseId>,
    /// `GetFunction` of the alias: the primary version.
    pub serving: Seen<LiveVersion>,
    /// `GetAlias`.
    pub alias: Seen<LiveAlias>,
    /// `GetFunction` of `$LATEST`.
    pub latest: Seen<LiveVersion>,
    /// `GetFunction` of the version that is to be promoted.
    pub candidate: Seen<LiveVersion>,
    /// The newest end of the history.
    pub head: Seen<Head>,
}

/// Something that a decision has to see first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `GetFunction` of the alias, into [`World::serving`].
    Serving,
    /// `GetAlias`, into [`World::alias`].
    Alias,
    /// `GetFunction` of `$LATEST`, into [`World::latest`].
    Latest,
    /// `GetFunction` of a version, into [`World::candidate`].
    Candidate(Version),
    /// The history's head, into [`World::head`].
    Head,
}

/// What comes of deciding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Look at this, then decide again.
    Look(Look),
    /// Do this.
    Act(Plan),
}

/// How long a version may take until it can serve. An image of 4 GB takes about two minutes.
pub const PUBLISH_DEADLINE: chrono::Duration = chrono::Duration::minutes(15);

/// Decides the next step for one service.
#[must_use]
pub fn decide(subject: &Subject<'_>, world: &World) -> Decision {
    match step(subject, world) {
        Err(look) => Decision::Look(look),
        Ok(plan) => Decision::Act(match subject.hold {
            Some(reason) if plan.mutates_lambda() => plan.held_by(WaitingOn::Hold(reason.clone())),
            Some(_) | None => plan,
        }),
    }
}

fn step(subject: &Subject<'_>, world: &World) -> Result<Plan, Look> {
    let Some(state) = &world.state else {
        return rest::plan(subject, world, Vec::new());
    };
    if let Phase::Promoting { version, .. } = state.phase
        && let Some(done) = promote::completion(subject, world, state, version)?
    {
        return Ok(done);
    }
    let Ok(wanted) = subject.wanted else {
        return Ok(blocked(subject, phase_name(&state.phase)));
    };
    if wanted.id != state.release.id {
        return supersede(subject, world, state);
    }
    match &state.phase {
        Phase::Publishing { .. } => publish::plan(subject, world, state),
        Phase::Promoting { version, reused } => promote::plan(subject, world, state, *version, *reused),
        Phase::Failed { .. } if subject.forced => {
            rest::plan(subject, &World { state: None, ..world.clone() }, vec![Action::ClearState])
        }
        Phase::Failed { reason } => Ok(Plan::rest(Standing {
            sync: SyncStatus::OutOfSync,
            health: Health::Degraded,
            phase: PhaseName::Failed,
            waiting_on: Some(WaitingOn::NewRelease { reason: reason.clone() }),
        })),
    }
}

/// Git wants something else than what is under way: that ends, is recorded, and the new one begins from where live is.
fn supersede(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    let mut first = match &state.phase {
        Phase::Failed { .. } => Vec::new(),
        Phase::Publishing { .. } | Phase::Promoting { .. } => record::superseded(subject, world, state)?,
    };
    first.push(Action::ClearState);
    rest::plan(subject, &World { state: None, ..world.clone() }, first)
}

fn blocked(subject: &Subject<'_>, phase: PhaseName) -> Plan {
    let message = subject.wanted.err().unwrap_or_default().to_owned();
    Plan::rest(Standing {
        sync: SyncStatus::Unknown,
        health: Health::Degraded,
        phase,
        waiting_on: Some(WaitingOn::Blocked { message }),
    })
}

/// Values that cannot be decrypted are neither compared nor overwritten.
fn undecryptable(phase: PhaseName) -> Plan {
    let message =
        "the function's environment cannot be decrypted, so it can be neither compared nor changed".to_owned();
    unknown(phase, WaitingOn::Blocked { message })
}

/// What is live could not be determined: nothing is done about it.
fn unknown(phase: PhaseName, on: WaitingOn) -> Plan {
    Plan::rest(Standing { sync: SyncStatus::Unknown, health: Health::Unknown, phase, waiting_on: Some(on) })
}

const fn phase_name(phase: &Phase) -> PhaseName {
    match phase {
        Phase::Publishing { .. } => PhaseName::Publishing,
        Phase::Promoting { .. } => PhaseName::Promoting,
        Phase::Failed { .. } => PhaseName::Failed,
    }
}

/// A service on its way, waiting.
fn waiting(phase: PhaseName, on: WaitingOn) -> Plan {
    Plan::rest(Standing { sync: SyncStatus::OutOfSync, health: Health::Progressing, phase, waiting_on: Some(on) })
}

/// A service that only a person can help.
fn suspended(phase: PhaseName, on: WaitingOn) -> Plan {
    Plan::rest(Standing { sync: SyncStatus::OutOfSync, health: Health::Suspended, phase, waiting_on: Some(on) })
}

/// Whatever AWS answered, or the wish to ask.
fn seen<T>(thing: &Seen<T>, look: Look) -> Result<Option<&T>, Look> {
    match thing {
        Seen::NotYet => Err(look),
        Seen::Missing => Ok(None),
        Seen::Found(found) => Ok(Some(found)),
    }
}

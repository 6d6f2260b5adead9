//! Decides one service: from what Git wants, what is live, what is stored and the time, to a plan.
//!
//! A decision that lacks something asks for it, and is made again when it was looked at; so a converged service costs one
//! read, and what to read next is decided here, apart from reading.
mod alias;
mod begin;
mod command;
mod edits;
mod heal;
mod hold;
mod lost;
mod prepare;
mod promote;
mod publish;
mod record;
mod rest;
mod rollback;
mod shift;
mod turn_back;
mod watch;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_schema::{Digest, EnvironmentName, Service};

use crate::analysis::{Measure, Measured};
use crate::command::Word;
use crate::drift::{self, Recorded};
use crate::history::{Head, Kind, Said};
use crate::ids::{Commit, Version};
use crate::live::{LiveAlias, LiveVersion, Seen};
use crate::plan::{Action, Plan, Standing};
use crate::registry::Registered;
use crate::release::Release;
use crate::rollout;
use crate::state::{Phase, ServiceState};
use crate::status::{Health, HoldReason, PhaseName, SyncStatus, WaitingOn};

pub(crate) use record::deployed;

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
    /// Whether a person asked for this tick: what waits for `tidegate sync` goes on.
    pub asked: bool,
    /// Whether it is the service's turn to be looked at more closely than its traffic needs.
    pub audit: bool,
    /// What a person says to the release under way, where one does.
    pub word: Option<(Word, &'a Said)>,
    /// Who is at work: `controller`, or the person behind a command.
    pub actor: &'a str,
    /// Whether the release repository is told of rollbacks.
    pub writes_back: bool,
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
    /// Whether something is stored that cannot be read: it is thrown away, and made again from alias and history.
    pub unreadable: bool,
    /// What history is known to end with: a cache, empty where it is not known. It only spares a converged
    /// service the look at its history; no release begins or ends by it.
    pub recorded: Option<Recorded>,
    /// The reserved concurrency that the function had when it was last seen with what Git wanted: where Git wants the same
    /// still, and it is another by now, somebody changed it.
    pub reserved_concurrency: Option<u32>,
    /// `GetFunction` of the alias: the primary version.
    pub serving: Seen<LiveVersion>,
    /// `GetAlias`.
    pub alias: Seen<LiveAlias>,
    /// `GetFunction` of `$LATEST`.
    pub latest: Seen<LiveVersion>,
    /// `GetFunction` of versions by their numbers; those that were not looked at are not there.
    pub versions: BTreeMap<Version, Seen<LiveVersion>>,
    /// `GetAlias` of the preview alias.
    pub preview: Seen<LiveAlias>,
    /// Whether AWS prepares provisioned concurrency of the alias, and shifts its traffic meanwhile.
    pub provisioning: Seen<bool>,
    /// What the tag in Git names now, where its turn was to be asked for.
    pub tag: Seen<Digest>,
    /// The entry in the service registry.
    pub registry: Seen<Registered>,
    /// What CloudWatch measured.
    pub measured: Seen<Measured>,
    /// The newest end of the history.
    pub head: Seen<Head>,
    /// Whether that was gone or broken, and was made again from the records: it is not stored yet.
    pub head_lost: bool,
}

impl World {
    /// A version, whatever AWS answered of it, or the wish to ask.
    fn version(&self, version: Version) -> Result<Option<&LiveVersion>, Look> {
        seen(self.versions.get(&version).unwrap_or(&Seen::NotYet), Look::Version(version))
    }
}

impl Subject<'_> {
    /// Whether a person decided that an alias which somebody changed by hand is to be gone over.
    const fn goes_over_edits(&self) -> bool {
        self.forced || matches!(self.word, Some((Word::Resume, _)))
    }

    /// Whether a release may begin: by itself, or because a person asked.
    const fn may_begin(&self) -> bool {
        self.service.sync_policy.automated || self.asked || self.forced || self.word.is_some()
    }

    /// Whether what somebody changed by hand is set back now: because a person said so, or by the policy, unless somebody
    /// keeps changing it back.
    fn heals(&self, head: Option<&Head>) -> Result<(), Option<drift::Fight>> {
        let policy = self.service.sync_policy;
        if self.forced {
            return Ok(());
        }
        if !(policy.automated && policy.self_heal) {
            return Err(None);
        }
        head.and_then(|head| drift::fight(head, self.now)).map_or(Ok(()), |fight| Err(Some(fight)))
    }

    /// Whether a person decided that what failed, was turned back or is held out is to be tried again.
    fn starts_anew(&self) -> bool {
        self.forced || self.lifts_hold()
    }

    /// The same of what is held out: a `sync` does not lift that.
    fn lifts_hold(&self) -> bool {
        matches!(self.word, Some((Word::Retry | Word::Unhold, _))) || planted!(RolledBackIsReleasedAgain)
    }
}

/// Something that a decision has to see first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// `GetFunction` of the alias, into [`World::serving`].
    Serving,
    /// `GetAlias`, into [`World::alias`].
    Alias,
    /// `GetFunction` of `$LATEST`, into [`World::latest`].
    Latest,
    /// `GetFunction` of a version, into [`World::versions`].
    Version(Version),
    /// `GetAlias` of the preview alias, into [`World::preview`].
    Preview,
    /// `GetParameter` of the service registry's entry, into [`World::registry`].
    Registry,
    /// `GetProvisionedConcurrencyConfig` of the alias, into [`World::provisioning`].
    Provisioning,
    /// CloudWatch, into [`World::measured`]. All that an environment's services ask for goes into one call.
    Measure(Measure),
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
    /// A person's word cannot be followed, and why.
    Refuse(String),
}

/// How long a version may take until it can serve. An image of 4 GB takes about two minutes.
pub const PUBLISH_DEADLINE: chrono::Duration = chrono::Duration::minutes(15);

/// Decides the next step for one service.
#[must_use]
pub fn decide(subject: &Subject<'_>, world: &World) -> Decision {
    #[cfg(feature = "planted")]
    planted::swallow(subject.wanted.ok().and_then(|wanted| wanted.tag.as_ref()).map(release_schema::Tag::as_str));
    match step(subject, world) {
        Err(Stop::Look(look)) => Decision::Look(look),
        Err(Stop::Refuse(message)) => Decision::Refuse(message),
        Ok(plan) => {
            let plan = match subject.hold {
                Some(reason) if plan.moves_forward() => plan.held_by(WaitingOn::Hold(reason.clone())),
                Some(_) | None => plan,
            };
            Decision::Act(with_head(world, plan))
        }
    }
}

/// The plan, and the head that was lost: stored last, so that it is in nobody's way. A record writes it anyway.
fn with_head(world: &World, mut plan: Plan) -> Plan {
    let appends = plan.actions.iter().any(|action| matches!(action, Action::AppendRecord(_)));
    let lost = world.head.found().filter(|_| world.head_lost && !appends);
    plan.actions.extend(lost.map(|head| Action::RestoreHead(Box::new(head.clone()))));
    plan
}

/// Why there is no plan.
enum Stop {
    /// Something has to be seen first.
    Look(Look),
    /// A person's word cannot be followed.
    Refuse(String),
}

impl From<Look> for Stop {
    fn from(look: Look) -> Self {
        Self::Look(look)
    }
}

fn step(subject: &Subject<'_>, world: &World) -> Result<Plan, Stop> {
    if let Some((Word::Rollback { to, remind_after }, said)) = subject.word {
        return rollback::plan(subject, world, rollback::Asked { to, remind_after, said });
    }
    if world.unreadable {
        return Ok(Plan { actions: vec![Action::ClearState], ..unknown(PhaseName::Idle, WaitingOn::NextTick) });
    }
    match (&world.state, subject.word) {
        (None, None) => Ok(rest::plan(subject, world, Vec::new())?),
        (None, Some((word, said))) => match lost::state(subject, world, &[])? {
            Some(state) => command::plan(subject, world, &state, word, said),
            None => Err(command::at_rest(subject, world, word)),
        },
        (Some(state), None) if subject.forced && state.edited.is_some() => {
            command::resume(subject, world, state.clone())
        }
        (Some(state), None) => Ok(under_way(subject, world, state)?),
        (Some(state), Some((word, said))) => command::plan(subject, world, state, word, said),
    }
}

/// A transition is stored: how does it go on.
fn under_way(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    if let Some(done) = rolled_back(subject, world, state)? {
        return Ok(done);
    }
    if let Phase::Returning { .. } = state.phase {
        return turn_back::returning(subject, world, state);
    }
    if let Some(version) = may_have_landed(subject, state)
        && let Some(done) = promote::completion(subject, world, state, version)?
    {
        return Ok(done);
    }
    if let Some(edited) = state.edited.filter(|_| !subject.goes_over_edits()) {
        return edits::held(subject, world, state, edited);
    }
    let Ok(wanted) = subject.wanted else {
        return Ok(blocked(subject, PhaseName::from(&state.phase)));
    };
    if wanted.id != state.release.id && planted!(SecondReleaseStuck) {
        return Ok(waiting(PhaseName::from(&state.phase), WaitingOn::NextTick));
    }
    if wanted.id != state.release.id {
        return match publish::landed(subject, world, state)? {
            Some(first) => Ok(first),
            None => supersede(subject, world, state),
        };
    }
    let plan = by_phase(subject, world, state)?;
    // A write of its own moved the alias once, and somebody moved that back.
    let is_undone = world.alias.found().is_some_and(|alias| promote::is_marked(state, alias));
    if (plan.moves_forward() || is_undone)
        && let Some(over) = over_already(subject, world, state)?
    {
        return Ok(over);
    }
    Ok(match command::paused(state) {
        Some(on) if plan.standing.phase.is_under_way() || plan.moves_forward() => paused(state, plan, on),
        Some(_) | None => plan,
    })
}

/// Whether a rollback reached the alias and no more: its marker says so. A phase that never looks at the alias before it
/// writes it has nothing to complete.
fn rolled_back(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    if let Phase::Publishing { .. } = state.phase {
        return Ok(None);
    }
    let Some(alias) = seen(&world.alias, Look::Alias)? else { return Ok(None) };
    let marked = alias.marker.as_ref().filter(|marker| marker.held.is_some());
    if marked.is_none_or(|marker| marker.transition < state.transition) {
        return Ok(None);
    }
    Ok(seen(&world.head, Look::Head)?.and_then(|head| rollback::completion(subject, world, head, alias)))
}

/// What is left to do where history tells already how a release ended before its traffic: whatever died after that record, it is not
/// brought on.
fn over_already(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    if !matches!(state.phase, Phase::Publishing { .. } | Phase::Preparing { .. }) {
        return Ok(None);
    }
    if let Some(done) = promote::recorded(subject, world, state)? {
        // It is not at the alias: somebody moved that since.
        return Ok(Some(Plan { standing: waiting(PhaseName::Idle, WaitingOn::NextTick).standing, ..done }));
    }
    let Some(end) = seen(&world.head, Look::Head)?.and_then(|head| state.end(head)) else { return Ok(None) };
    let reason = end.reason.clone().unwrap_or_default();
    let (phase, action) = match end.kind {
        Kind::Aborted => {
            let over = ServiceState { paused: None, ..state.moved_to(Phase::Aborted { reason }, subject.now) };
            (PhaseName::Aborted, Action::SaveState(Box::new(over)))
        }
        Kind::Failed => {
            let over = state.moved_to(Phase::Failed { reason }, subject.now);
            (PhaseName::Failed, Action::SaveState(Box::new(over)))
        }
        Kind::Superseded => (PhaseName::Idle, Action::ClearState),
        Kind::Adopted | Kind::Promoted | Kind::Healed | Kind::RolledBack | Kind::Unmanaged => return Ok(None),
    };
    Ok(Some(Plan { actions: vec![action], ..waiting(phase, WaitingOn::NextTick) }))
}

fn by_phase(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    match state.phase {
        Phase::Publishing { .. } => publish::plan(subject, world, state),
        Phase::Preparing { version, reused, .. } => prepare::plan(subject, world, state, version, reused),
        Phase::Shifting { version, step, weight, ref before } => {
            shift::shifting(subject, world, state, shift::At { version, step, weight }, before)
        }
        Phase::Holding { version, step, weight } => {
            shift::holding(subject, world, state, shift::At { version, step, weight })
        }
        Phase::Promoting { version, ref before } => promote::promoting(subject, world, state, version, before),
        Phase::Baking { version, switched } => promote::baking(subject, world, state, version, switched),
        Phase::Returning { .. } => turn_back::returning(subject, world, state),
        Phase::Held { .. } if !planted!(RolledBackIsReleasedAgain) => hold::plan(subject, world, state),
        Phase::Held { .. } => {
            Ok(rest::plan(subject, &World { state: None, ..world.clone() }, vec![Action::ClearState])?)
        }
        Phase::Failed { .. } | Phase::Aborted { .. } if subject.forced => {
            Ok(rest::plan(subject, &World { state: None, ..world.clone() }, vec![Action::ClearState])?)
        }
        Phase::Aborted { ref reason } => Ok(Plan::rest(turn_back::aborted(reason))),
        Phase::Failed { ref reason } => Ok(Plan::rest(Standing {
            sync: SyncStatus::OutOfSync,
            health: Health::Degraded,
            phase: PhaseName::Failed,
            waiting_on: Some(WaitingOn::NewRelease { reason: reason.clone() }),
        })),
    }
}

/// The version that the alias may name for good already, where nothing comes after that but the record.
fn may_have_landed(subject: &Subject<'_>, state: &ServiceState) -> Option<Version> {
    match state.phase {
        Phase::Preparing { version, .. } => Some(version),
        Phase::Promoting { version, .. } if prepare::bake(subject, state).is_none() => Some(version),
        Phase::Promoting { .. }
        | Phase::Publishing { .. }
        | Phase::Shifting { .. }
        | Phase::Holding { .. }
        | Phase::Baking { .. }
        | Phase::Returning { .. }
        | Phase::Aborted { .. }
        | Phase::Held { .. }
        | Phase::Failed { .. } => None,
    }
}

/// Paused: it is looked after, and not brought on.
fn paused(state: &ServiceState, plan: Plan, on: WaitingOn) -> Plan {
    let actions = if plan.moves_forward() { Vec::new() } else { plan.actions };
    Plan { actions, standing: suspended(PhaseName::from(&state.phase), on).standing }
}

/// `plan`, unless the release stood still for longer than its deadline: then it is `Degraded`, or turned back.
fn overdue(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    since: DateTime<Utc>,
    plan: Plan,
) -> Result<Plan, Look> {
    let deadline = rollout::duration(subject.service.progress_deadline);
    let on = plan.standing.waiting_on.clone().filter(WaitingOn::is_standstill);
    let Some(on) = on.filter(|_| subject.now - since > deadline) else { return Ok(plan) };
    let minutes = deadline.num_minutes();
    if subject.service.progress_deadline_abort {
        let reason = format!("no progress for {minutes} minutes: {on}");
        let end = turn_back::End { kind: Kind::Aborted, reason, actor: subject.actor.to_owned() };
        return turn_back::begin(subject, world, state, end);
    }
    let waiting_on = Some(WaitingOn::Overdue { since, what: Box::new(on) });
    Ok(Plan { standing: Standing { health: Health::Degraded, waiting_on, ..plan.standing }, ..plan })
}

/// Git wants something else than what is under way: that ends and is recorded, and the new one begins from where live is.
/// Where the old one has traffic, that returns first, and the new one begins in the next tick.
fn supersede(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    if state.phase.has_traffic() {
        let reason = record::superseded_by(subject);
        let end = turn_back::End { kind: Kind::Superseded, reason, actor: subject.actor.to_owned() };
        return turn_back::begin(subject, world, state, end);
    }
    if let Some(held) = hold::carried_over(subject, world, state)? {
        return Ok(held);
    }
    let mut first = match (&state.phase, &state.from, subject.wanted) {
        (Phase::Held { .. }, Some(live), Ok(wanted)) if live.release == wanted.id => {
            hold::lifted(subject, world, state, live)?
        }
        (phase, ..) if phase.is_over() => Vec::new(),
        _ => record::superseded(subject, world, state)?,
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

//! Decides what is done about a drift: nothing but telling it, setting it back, or waiting where somebody fights that.
use super::{Look, Subject, World, record, seen, suspended};
use crate::drift::{self, Drift, Holder};
use crate::history::{Deployed, Head, Kind};
use crate::live::{ConfigurationChange, LiveVersion};
use crate::plan::{Action, Plan, Standing};
use crate::release::Release;
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// The plan that leaves a drift alone; `None` where it is set back now.
pub(super) fn left_alone(subject: &Subject<'_>, head: Option<&Head>, on: WaitingOn) -> Option<Plan> {
    match subject.heals(head) {
        Ok(()) => None,
        Err(None) => Some(suspended(PhaseName::Idle, on)),
        Err(Some(drift::Fight { healed, until })) => {
            let on = WaitingOn::Fight { healed, until, what: Box::new(on) };
            let (sync, health) = (SyncStatus::OutOfSync, Health::Degraded);
            Some(Plan::rest(Standing { sync, health, phase: PhaseName::Idle, waiting_on: Some(on) }))
        }
    }
}

/// What a healing sets back, in words: its record's reason.
pub(super) fn because(subject: &Subject<'_>, world: &World) -> String {
    let drift = drift::of(subject, world);
    if drift.is_empty() {
        return "it was changed by hand".to_owned();
    }
    drift.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// A service that serves what Git wants.
pub(super) struct AtRest<'a> {
    /// What Git wants.
    pub(super) wanted: &'a Release,
    /// What the alias names.
    pub(super) serving: &'a LiveVersion,
    /// The same, as history has it.
    pub(super) live: &'a Deployed,
    /// How that version is.
    pub(super) health: Health,
    /// What is done before, by a transition that just ended.
    pub(super) first: &'a [Action],
}

/// What the traffic does not depend on. It is looked at where it is the service's turn, or a person asked.
pub(super) fn beside_traffic(subject: &Subject<'_>, world: &World, at_rest: &AtRest<'_>) -> Result<Plan, Look> {
    let AtRest { wanted, serving, live, health, first } = *at_rest;
    if first.is_empty() && (subject.audit || subject.forced) {
        let latest = seen(&world.latest, Look::Latest)?;
        seen(&world.registry, Look::Registry)?;
        if subject.forced || latest.is_some_and(|latest| latest.code.as_ref() != Some(&wanted.code)) {
            seen(&world.head, Look::Head)?;
        }
    }
    let drift: Vec<Drift> = drift::of(subject, world).into_iter().filter(|drift| !drift.concerns_traffic()).collect();
    let standing = |sync, waiting_on| Standing { sync, health, phase: PhaseName::Idle, waiting_on };
    let concurrency = concurrency(subject, serving, &drift);
    let sync = if concurrency.is_some() { SyncStatus::OutOfSync } else { SyncStatus::Synced };
    let left_to_a_person = concurrency.is_some() && !subject.may_begin();
    let concurrency = concurrency.filter(|_| subject.may_begin());
    if drift.is_empty() {
        let on = left_to_a_person.then_some(WaitingOn::Sync);
        return Ok(Plan { actions: concurrency.into_iter().collect(), standing: standing(sync, on) });
    }
    // What a transition ends with is recorded first: only then can be told what is somebody else's.
    if !first.is_empty() {
        return Ok(Plan::rest(standing(SyncStatus::OutOfSync, Some(WaitingOn::NextTick))));
    }
    let told = || standing(SyncStatus::OutOfSync, Some(WaitingOn::Drift { drift: drift.clone() }));
    let head = seen(&world.head, Look::Head)?;
    match subject.heals(head) {
        Ok(()) => {
            let effects = effects(subject, world, wanted, serving, &drift);
            if effects.is_empty() {
                return Ok(Plan::rest(told()));
            }
            let mut actions = Vec::new();
            // The registry is Tidegate's own: writing it again is no transition.
            if effects.iter().any(|effect| !matches!(effect, Action::WriteRegistry { .. })) {
                let reason = because(subject, world);
                actions.push(record::at_rest(subject, world, &[], Kind::Healed, live.clone(), &reason)?);
            }
            actions.extend(effects);
            Ok(Plan { actions, standing: standing(SyncStatus::OutOfSync, Some(WaitingOn::NextTick)) })
        }
        Err(None) => Ok(Plan { actions: concurrency.into_iter().collect(), standing: told() }),
        Err(Some(drift::Fight { healed, until })) => {
            let what = Box::new(WaitingOn::Drift { drift: drift.clone() });
            let on = WaitingOn::Fight { healed, until, what };
            Ok(Plan::rest(Standing { health: Health::Degraded, ..standing(SyncStatus::OutOfSync, Some(on)) }))
        }
    }
}

/// Reserved concurrency as Git wants it and it never was; where somebody else changed it, that is drift.
fn concurrency(subject: &Subject<'_>, serving: &LiveVersion, drift: &[Drift]) -> Option<Action> {
    let concurrency = subject.service.reserved_concurrency?;
    let drifted = drift.iter().any(|drift| matches!(drift, Drift::Configuration { of: Holder::Function, .. }));
    let differs = serving.reserved_concurrency != Some(concurrency);
    (differs && !drifted).then_some(Action::SetReservedConcurrency { concurrency })
}

/// What sets the drifts back. A tag is nobody's to set back but whoever pushed it.
fn effects(
    subject: &Subject<'_>,
    world: &World,
    wanted: &Release,
    serving: &LiveVersion,
    drift: &[Drift],
) -> Vec<Action> {
    let has = |kind: fn(&Drift) -> bool| drift.iter().any(kind);
    let latest = world.latest.found();
    let mut effects = Vec::new();
    // One write of `$LATEST` at a time: each needs the revision that the one before leaves.
    let restores = latest.filter(|_| has(|drift| matches!(drift, Drift::Latest { .. })));
    let configures = latest.filter(|_| has(|drift| matches!(drift, Drift::Configuration { of: Holder::Latest, .. })));
    if let Some(latest) = restores {
        let (source, if_revision) = (wanted.source.clone(), latest.revision.clone());
        effects.push(Action::RestoreLatest { source, if_revision });
    } else if let Some(latest) = configures {
        let change = ConfigurationChange::between(&latest.configuration, &subject.service.configuration);
        let if_revision = latest.revision.clone();
        effects.extend(change.map(|change| Action::UpdateConfiguration { change, if_revision }));
    }
    if let Some(concurrency) = subject.service.reserved_concurrency
        && has(|drift| matches!(drift, Drift::Configuration { of: Holder::Function, .. }))
    {
        effects.push(Action::SetReservedConcurrency { concurrency });
    }
    if let Some(version) = serving.version
        && has(|drift| matches!(drift, Drift::Registry { too_long: None, .. }))
    {
        effects.push(Action::WriteRegistry { version, tag: wanted.tag.clone() });
    }
    effects
}

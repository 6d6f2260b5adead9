//! Decides what concerns the services of an environment together: the order that `dependsOn` asks for, forwards and back.
use std::collections::{BTreeMap, BTreeSet};

use release_schema::{Environment, Service, ServiceName};
use serde::{Deserialize, Serialize};

use crate::plan::{Plan, Standing};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// Holds back every plan that would change Lambda while a service that it depends on is not healthy at what Git wants.
///
/// A dependency that is not among the plans (its own planning failed) counts as not healthy.
#[must_use]
pub fn in_order(
    plans: BTreeMap<ServiceName, Plan>,
    services: &BTreeMap<ServiceName, Service>,
) -> BTreeMap<ServiceName, Plan> {
    let ready: BTreeMap<ServiceName, bool> = plans.iter().map(|(name, plan)| (name.clone(), is_ready(plan))).collect();
    plans
        .into_iter()
        .map(|(name, plan)| {
            let dependencies = services.get(&name).into_iter().flat_map(|service| &service.depends_on);
            let unready = dependencies.into_iter().find(|dependency| ready.get(*dependency) != Some(&true)).cloned();
            match unready {
                Some(service) if plan.moves_forward() => (name, plan.held_by(WaitingOn::Dependency { service })),
                Some(_) | None => (name, plan),
            }
        })
        .collect()
}

/// Healthy at what Git wants, or held at a release that was good, as seen: a plan that still has to change something is not.
fn is_ready(plan: &Plan) -> bool {
    let Standing { sync, health, phase, waiting_on } = &plan.standing;
    // Drift that the traffic does not depend on is in nobody's way.
    let serves = *sync == SyncStatus::Synced || matches!(waiting_on, Some(WaitingOn::Drift { .. }));
    let healthy = serves && *health == Health::Healthy;
    (healthy || *phase == PhaseName::RolledBack) && !plan.moves_forward()
}

/// One service of several that are rolled back at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which.
    pub service: ServiceName,
    /// Those among the others that go before it, because they depend on it.
    pub after: BTreeSet<ServiceName>,
}

/// The order in which services are rolled back: each once, those that depend on another before it, else as they are named.
///
/// It is the releases' order the other way round: a caller must not meet a callee that is older than it was made for. That
/// holds over services in between that are not rolled back, too. One that `services` does not have depends on nothing.
#[must_use]
pub fn rollback_order(named: &[ServiceName], services: &BTreeMap<ServiceName, Service>) -> Vec<Turn> {
    let callers = callers(services);
    let all: BTreeSet<&ServiceName> = named.iter().collect();
    let mut seen = BTreeSet::new();
    let once = named.iter().filter(|service| seen.insert(*service));
    let turn = |service: &ServiceName| {
        let after = dependants(service, &callers).into_iter().filter(|other| all.contains(other)).cloned().collect();
        Turn { service: service.clone(), after }
    };
    let mut waiting: Vec<Turn> = once.map(turn).collect();
    let (mut order, mut gone) = (Vec::new(), BTreeSet::new());
    while !waiting.is_empty() {
        // A valid file has no circle. If there were one, a rollback would not be what gets stuck in it.
        let next = waiting.iter().position(|turn| turn.after.is_subset(&gone)).unwrap_or(0);
        let mut turn = waiting.remove(next);
        turn.after.retain(|other| gone.contains(other));
        gone.insert(turn.service.clone());
        order.push(turn);
    }
    order
}

/// `dependsOn` the other way round: who depends on whom.
fn callers(services: &BTreeMap<ServiceName, Service>) -> BTreeMap<&ServiceName, Vec<&ServiceName>> {
    let mut callers: BTreeMap<&ServiceName, Vec<&ServiceName>> = BTreeMap::new();
    for (name, service) in services {
        for dependency in &service.depends_on {
            callers.entry(dependency).or_default().push(name);
        }
    }
    callers
}

/// Everybody that depends on a service, directly or over others.
fn dependants<'a>(
    service: &'a ServiceName,
    callers: &BTreeMap<&'a ServiceName, Vec<&'a ServiceName>>,
) -> BTreeSet<&'a ServiceName> {
    let (mut found, mut open) = (BTreeSet::new(), vec![service]);
    while let Some(next) = open.pop() {
        let new = callers.get(next).into_iter().flatten().filter(|caller| found.insert(**caller));
        open.extend(new);
    }
    found
}

/// How much of an environment one commit may change without a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guard {
    /// This share of its services, in percent.
    pub percent: u8,
    /// Fewer services than this never wait.
    pub at_least: usize,
}

/// More than a commit may change without a person's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MassChange {
    /// Services that would be released, or moved to another function or alias.
    pub changed: usize,
    /// Services that are not there any more.
    pub removed: usize,
    /// Services that there were.
    pub of: usize,
}

/// Whether `after` changes so much of `before` that a person has to say that it is meant: a bad search-and-replace, an emptied
/// file, the wrong branch. What is new, and what only changes how a release gets its traffic, does not count.
#[must_use]
pub fn mass_change(before: &Environment, after: &Environment, guard: Guard) -> Option<MassChange> {
    let of = before.services.len();
    let (mut changed, mut removed) = (0_usize, 0_usize);
    for (name, old) in &before.services {
        match after.services.get(name) {
            None => removed = removed.saturating_add(1),
            Some(new) if releases_anew(old, new) => changed = changed.saturating_add(1),
            Some(_) => {}
        }
    }
    let touched = changed.saturating_add(removed);
    let emptied = of > 0 && after.services.is_empty();
    let much = touched.saturating_mul(100) > of.saturating_mul(guard.percent.into());
    (emptied || (much && touched >= guard.at_least)).then_some(MassChange { changed, removed, of })
}

/// Whether something else would run, or run elsewhere.
fn releases_anew(old: &Service, new: &Service) -> bool {
    let what = |service: &Service| {
        let Service { function, alias, artifact, configuration, reserved_concurrency, .. } = service.clone();
        (function, alias, artifact, configuration, reserved_concurrency)
    };
    what(old) != what(new)
}

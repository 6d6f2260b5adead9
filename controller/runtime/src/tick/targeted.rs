//! A targeted tick: of the services that a hint names, and of nothing else. It is a tick, with their shard's lease, without Git.
//!
//! Git is not asked: a hint tells of what is live, and what Git wants is in force until the next whole tick lists it. So a
//! hint costs no call there, however many come, and a hold on the environment stands as the last whole tick found it.
use std::collections::BTreeSet;

use release_schema::{EnvironmentName, Service, ServiceName};
use tidegate_core::report::TickReport;
use tidegate_core::status::HoldReason;
use tokio::time::Instant;

use super::closely::Closely;
use super::slice::Known;
use super::{Error, Tick, desired, execute, keep, load_report, load_states, pins, plan, publish, report, tell, turn};
use crate::hint::{Hint, Named};
use crate::store::desired::DesiredDocument;
use crate::store::lease::Lease;
use crate::store::{self, Store, keys};
use crate::wanted::{self, Wanted};

/// As many names are told of a hint; more are counted.
const NAMED: usize = 5;

/// The services that hints are about.
#[derive(Clone, Debug)]
pub struct Hinted {
    /// Which.
    pub services: BTreeSet<ServiceName>,
    /// What said so, for people.
    pub by: String,
}

/// The services that hints are about, by the last valid content; none where it is not known. An alarm is about those that
/// name it and of which something is under way: nobody turns back what is at rest.
///
/// # Errors
/// Where the store does not answer.
pub async fn hinted(
    store: &Store,
    environment: &EnvironmentName,
    hints: &[&Hint],
) -> Result<Option<Hinted>, store::Error> {
    let document = match store.get::<DesiredDocument>(&keys::desired(environment)).await {
        Ok(Some(stored)) => stored.value,
        // The next whole tick reads it from Git, and looks at everything.
        Ok(None) | Err(store::Error::Broken { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Ok(Wanted { environment: content, .. }) = wanted::stored(environment, document) else { return Ok(None) };
    let mut about: Vec<(&Hint, &Service)> = Vec::new();
    for service in content.services.values() {
        about.extend(hints.iter().copied().filter(|hint| hint.names(service)).map(|hint| (hint, service)));
    }
    if about.iter().any(|(hint, _)| hint.is_a_gate()) {
        let states: BTreeSet<String> = store.list(&keys::states(environment)).await?.into_iter().collect();
        let is_under_way = |service: &Service| states.contains(&keys::state(environment, &service.name));
        about.retain(|(hint, service)| !hint.is_a_gate() || is_under_way(service));
    }
    if about.is_empty() {
        return Ok(None);
    }
    let by: BTreeSet<&Named> = about.iter().map(|(hint, _)| &hint.named).collect();
    let services = about.into_iter().map(|(_, service)| service.name.clone()).collect();
    Ok(Some(Hinted { services, by: told(&by) }))
}

/// The first names, and how many more there are.
fn told(by: &BTreeSet<&Named>) -> String {
    let mut names: Vec<String> = by.iter().take(NAMED).map(ToString::to_string).collect();
    let more = by.len().saturating_sub(NAMED);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// Looks closely at the services that hints are about, and does for them what a whole tick would do. For all others the last
/// report stands.
///
/// # Errors
/// Where it could not be run as a whole; what concerns one service is in the report.
pub async fn targeted(tick: Tick<'_>, hinted: &Hinted) -> Result<TickReport, Error> {
    let began = Instant::now();
    let lease = turn::hinted(&tick).await?;
    let store = tick.store.under(&lease);
    let tick = Tick { store: &store, ..tick };
    let outcome = under_lease(&tick, hinted, &lease, began).await;
    if let Err(error) = lease.release(tick.store).await {
        tracing::warn!(%error, "the lease could not be given back: it ends by itself");
    }
    outcome
}

async fn under_lease(tick: &Tick<'_>, hinted: &Hinted, lease: &Lease, began: Instant) -> Result<TickReport, Error> {
    let (stored, previous) = match tick.memory.recall(lease) {
        Some(known) => (Some(known.desired), Some(known.report)),
        None => (desired::load(tick).await?, load_report(tick, lease.now()).await.unwrap_or_default()),
    };
    let (Some(stored), Some(previous)) = (stored, previous) else {
        let message = "the last whole tick is not known; the next one looks at every service".to_owned();
        return Err(Error::NothingWanted(HoldReason::NothingKnown { message }));
    };
    let known = wanted::stored(tick.name, stored.value.clone()).map_err(|known| Error::NothingWanted(known.reason))?;
    let (hold, problems) = (previous.hold.clone(), previous.problems.clone());
    let mut wanted = Wanted { hold, problems, ..known };
    let visits = visits(&wanted, hinted);
    let releases = pins::resolve(tick, &mut wanted, |name| visits.contains(name)).await;
    let stored = desired::save(tick, Some(stored), &wanted.document).await?;
    let states = load_states(tick).await?;
    let closely = Closely::of(tick, &wanted, &hinted.services).await;
    let known =
        Known { wanted: &wanted, releases: &releases, states: &states, previous: Some(&previous), closely: &closely };
    let services = wanted.environment.services.values().filter(|service| visits.contains(&service.name)).collect();
    let planned = plan(tick, lease.now(), &known, services).await;
    let services = execute(tick, lease, &known, planned).await;
    let services = report::remembering(services, Some(&previous), &closely);
    let (kept, told) = report::targeted(tick, lease.now(), services, previous, began);
    let told = publish(tick, told).await;
    keep(tick, lease, stored, wanted, kept).await?;
    Ok(tell(tick, told, Some(&hinted.by)))
}

/// What is visited: what hints are about, and what that depends on, without which its plan would be held back.
fn visits(wanted: &Wanted, hinted: &Hinted) -> BTreeSet<ServiceName> {
    let services = &wanted.environment.services;
    let named: Vec<&Service> = hinted.services.iter().filter_map(|name| services.get(name)).collect();
    let needed = named.iter().flat_map(|service| &service.depends_on);
    needed.chain(named.iter().map(|service| &service.name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_said_so_is_told_in_a_few_names() {
        let names: Vec<Named> = ["b", "a"].map(|name| Named::Function(name.parse().unwrap())).into();
        let alarms: Vec<Named> = ["1", "2", "3", "4"].map(|name| Named::Alarm(name.parse().unwrap())).into();
        assert_eq!(told(&names.iter().collect()), "function a, function b");
        let all = names.iter().chain(&alarms).collect();
        assert_eq!(told(&all), "function a, function b, alarm 1, alarm 2, alarm 3, and 1 more");
    }
}

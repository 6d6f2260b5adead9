//! Chooses the services that are looked at closely in a tick, and asks for what their tags name now.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use release_schema::{Digest, Service, ServiceName};
use tidegate_core::live::Seen;
use tidegate_core::report::TickReport;
use tidegate_core::shard::Shards;
use tidegate_core::slice::Slice;

use super::{Tick, pins};
use crate::config::CallBudget;
use crate::wanted::Wanted;

/// Close looks take a quarter of this at most, in seconds: each costs one call of the control plane.
const SWEEP: usize = 45;

/// So long they may take however short the sweep is, in seconds: the few services of a small environment are soon through.
const AT_LEAST: usize = 5;

/// How many services have their turn in a tick of one of so many schedules: as many as its part of the control-plane budget
/// allows for while all are visited, so that a tick does not wait for them.
fn at_once(budget: &CallBudget, services: usize, among: Shards) -> usize {
    let (visits, looks) = (usize::from(budget.get_function.get()), usize::from(budget.control_plane.get()));
    let among = usize::from(among.count());
    let sweep = services.saturating_mul(among).checked_div(visits).unwrap_or_default().max(AT_LEAST);
    let all = looks.saturating_mul(sweep).min(looks.saturating_mul(SWEEP).div_ceil(4));
    all.checked_div(among).unwrap_or(all).max(1)
}

/// The services that are looked at closely, with what their tags name now.
#[derive(Debug, Default)]
pub(super) struct Closely(BTreeMap<ServiceName, Seen<Digest>>);

impl Closely {
    /// Those whose turn it is, those in which the last look found something that only a close look finds, and the one that a
    /// person named.
    pub(super) async fn choose(
        tick: &Tick<'_>,
        now: DateTime<Utc>,
        wanted: &Wanted,
        previous: Option<&TickReport>,
    ) -> Self {
        let (services, own) = (&wanted.environment.services, tick.own(wanted));
        let at_once = at_once(&tick.config.call_budget, own.len(), tick.shard.of());
        let slice = Slice::of(now, own.len(), at_once);
        let turn = own.iter().enumerate().filter(|(place, _)| slice.has(*place)).map(|(_, service)| &service.name);
        let drifted = previous
            .iter()
            .flat_map(|report| &report.services)
            .filter(|(_, service)| service.drift.iter().any(|drifted| drifted.drift.needs_a_close_look()));
        let drifted = drifted.map(|(name, _)| name).filter(|name| services.contains_key(*name)).take(at_once);
        let chosen: BTreeSet<&ServiceName> = match tick.only {
            Some(only) => services.get_key_value(only).map(|(name, _)| name).into_iter().collect(),
            None => turn.chain(drifted).collect(),
        };
        Self::of(tick, wanted, chosen).await
    }

    /// These, as far as Git has them.
    pub(super) async fn of(tick: &Tick<'_>, wanted: &Wanted, these: impl IntoIterator<Item = &ServiceName>) -> Self {
        let services = &wanted.environment.services;
        let chosen: Vec<&Service> = these.into_iter().filter_map(|name| services.get(name)).collect();
        let mut tags = pins::named_now(tick, &chosen).await;
        let with_tag = |service: &Service| (service.name.clone(), tags.remove(&service.name).unwrap_or_default());
        Self(chosen.into_iter().map(with_tag).collect())
    }

    /// What the service's tag names now, where it is looked at closely.
    pub(super) fn tag(&self, service: &ServiceName) -> Option<&Seen<Digest>> {
        self.0.get(service)
    }
}

#[cfg(test)]
mod tests {
    use tidegate_core::shard::Shard;

    use super::super::slice::sweep;
    use super::*;

    #[test]
    fn sweeps_and_rounds_take_as_long_as_the_documentation_says() {
        let documentation = include_str!("../../../../docs/drift.md");
        let (budget, whole) = (CallBudget::default(), Shard::WHOLE.of());
        for (services, name) in [(20, "20"), (100, "100"), (300, "300"), (1_000, "1,000"), (3_000, "3,000")] {
            let closely = at_once(&budget, services, whole);
            let round = Slice::of(DateTime::UNIX_EPOCH, services, closely).rounds();
            let sweep = sweep(DateTime::UNIX_EPOCH, services, closely, &budget, whole).rounds();
            let row = format!("| {name} | {sweep} min | {round} min |");
            assert!(documentation.contains(&row), "{row}");
        }
    }
}

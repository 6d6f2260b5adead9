//! Chooses the services that are looked at closely in a tick, and asks for what their tags name now.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use release_schema::{Digest, Service, ServiceName};
use tidegate_core::live::Seen;
use tidegate_core::report::TickReport;
use tidegate_core::slice::Slice;

use super::{Tick, pins};
use crate::wanted::Wanted;

/// For how long a tick spends a quarter of its control-plane budget on close looks, in seconds: each costs one such call.
const SWEEP: usize = 45;

/// How many services have their turn in a tick.
fn at_once(tick: &Tick<'_>) -> usize {
    usize::from(tick.config.call_budget.control_plane.get()).saturating_mul(SWEEP).div_ceil(4)
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
        let services = &wanted.environment.services;
        let slice = Slice::of(now, services.len(), at_once(tick));
        let turn = services.keys().enumerate().filter(|(place, _)| slice.has(*place)).map(|(_, name)| name);
        let drifted = previous
            .iter()
            .flat_map(|report| &report.services)
            .filter(|(_, service)| service.drift.iter().any(|drifted| !drifted.drift.concerns_traffic()));
        let drifted = drifted.map(|(name, _)| name).filter(|name| services.contains_key(*name)).take(at_once(tick));
        let chosen: BTreeSet<&ServiceName> = match tick.only {
            Some(only) => services.get_key_value(only).map(|(name, _)| name).into_iter().collect(),
            None => turn.chain(drifted).collect(),
        };
        let chosen: Vec<&Service> = chosen.into_iter().filter_map(|name| services.get(name)).collect();
        let mut tags = pins::named_now(tick, &chosen).await;
        let with_tag = |service: &Service| (service.name.clone(), tags.remove(&service.name).unwrap_or_default());
        Self(chosen.into_iter().map(with_tag).collect())
    }

    /// What the service's tag names now, where it is looked at closely.
    pub(super) fn tag(&self, service: &ServiceName) -> Option<&Seen<Digest>> {
        self.0.get(service)
    }
}

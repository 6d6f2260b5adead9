//! Decides what concerns the services of an environment together: the order that `dependsOn` asks for.
use std::collections::BTreeMap;

use release_schema::{Service, ServiceName};

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
    let Standing { sync, health, phase, .. } = &plan.standing;
    let healthy = *sync == SyncStatus::Synced && *health == Health::Healthy;
    (healthy || *phase == PhaseName::RolledBack) && !plan.moves_forward()
}

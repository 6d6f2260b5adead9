//! Measures for all services of an environment together: between two rounds of deciding, in as few calls as there can be.
use std::collections::BTreeMap;

use release_schema::{Service, ServiceName};
use tidegate_core::analysis::Measured;
use tidegate_core::live::Seen as Found;
use tidegate_core::plan::Plan;

use super::Tick;
use super::service::{Decided, One, Round, Seen, Undecided};
use crate::aws::metrics::{self, Measurements, Request};

/// What CloudWatch has of every service that cannot be decided without it.
pub(super) async fn together(tick: &Tick<'_>, decided: &[(&Service, Round)]) -> BTreeMap<ServiceName, Measured> {
    let requests: BTreeMap<ServiceName, Request> = decided
        .iter()
        .filter_map(|(service, decided)| match decided {
            Ok((_, Decided::Measure(measure))) => {
                let (function, alias) = (service.function.to_string(), service.alias.to_string());
                Some((service.name.clone(), Request { function, alias, measure: measure.clone() }))
            }
            Ok((_, Decided::Plan(_) | Decided::Refused(_))) | Err(_) => None,
        })
        .collect();
    if requests.is_empty() {
        return BTreeMap::new();
    }
    let Measurements { measured, failed } = metrics::measure(&tick.clients.cloudwatch, &requests).await;
    let concerned = measured.values().filter(|measured| measured.trouble.is_some()).count();
    for error in &failed {
        tick.failed.note(error, concerned, "releases cannot be judged");
    }
    measured
}

/// Decides a service with what was measured of it. What could not be measured is not taken for good.
pub(super) async fn go_on(one: One<'_>, decided: Round, measured: Option<Measured>) -> Result<(Seen, Plan), Undecided> {
    let (mut seen, mut decided) = decided?;
    if let Decided::Measure(_) = decided {
        seen.world.measured = Found::Found(measured.unwrap_or_default());
        decided = one.decide(&mut seen).await?;
    }
    match decided {
        Decided::Plan(plan) => Ok((seen, plan)),
        Decided::Refused(message) => Err(Undecided::Failed(message)),
        Decided::Measure(_) => Err("it has to be measured twice: this is a bug in Tidegate".to_owned().into()),
    }
}

//! Tells, in a preview, of tags that were pushed again: one call a repository, where a close look would cost one a service.
use chrono::{DateTime, Utc};
use tidegate_core::drift::{self, Drift};
use tidegate_core::plan::{Plan, Standing};
use tidegate_core::status::{SyncStatus, WaitingOn};

use super::service::One;
use super::slice::Known;
use super::{Planned, Tick, pins};

/// The plans, with the tags that moved as what their services wait on. Only of services of which there is nothing else to
/// say: a release that begins has a tag of its own.
pub(super) async fn told(tick: &Tick<'_>, now: DateTime<Utc>, known: &Known<'_>, mut planned: Planned) -> Planned {
    let Known { wanted, releases, .. } = *known;
    let at_rest = |plan: &Plan| plan.actions.is_empty() && plan.standing.waiting_on.is_none();
    let services = wanted.environment.services.values();
    let resting = services.filter(|service| {
        planned.get(&service.name).and_then(|planned| planned.as_ref().ok()).is_some_and(|(_, plan)| at_rest(plan))
    });
    let resting: Vec<_> = resting.collect();
    let mut tags = pins::named_now(tick, &resting).await;
    for service in resting {
        let Some(Ok((seen, plan))) = planned.get_mut(&service.name) else { continue };
        seen.world.tag = tags.remove(&service.name).unwrap_or_default();
        let release = releases.get(&service.name);
        let one = One { tick, service, wanted, release, now, word: None, back: None, closely: None };
        let moved = |drift: &Drift| matches!(drift, Drift::TagMoved { .. });
        let drift: Vec<Drift> = drift::of(&one.subject(), &seen.world).into_iter().filter(moved).collect();
        if !drift.is_empty() {
            let waiting_on = Some(WaitingOn::Drift { drift });
            plan.standing = Standing { sync: SyncStatus::OutOfSync, waiting_on, ..plan.standing.clone() };
        }
    }
    planned
}

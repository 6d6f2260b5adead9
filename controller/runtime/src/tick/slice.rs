//! Chooses the services that a tick visits, and in which order: a sweep fits into its time, whatever it is cut short by.
//!
//! Nothing is stored of it. What cannot wait is known from what is stored anyway; the rest have their turn by the minute.
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use release_schema::{Service, ServiceName};
use tidegate_core::report::{ServiceReport, TickReport};
use tidegate_core::shard::Shards;
use tidegate_core::slice::Slice;
use tidegate_core::status::SyncStatus;

use super::closely::Closely;
use super::{AT_ONCE, Releases, Tick, report};
use crate::config::CallBudget;
use crate::store::keys;
use crate::wanted::Wanted;

/// How long a sweep lasts at most, in seconds, where AWS throttles nothing. A tick has a minute.
const SWEEP: usize = 45;

/// Why a service is visited: what is first here is visited first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// Something is under way.
    UnderWay,
    /// It is not what Git wants, as far as is known, or another such service depends on it.
    Changed,
    /// It is its turn.
    Turn,
}

/// What is known before anything was looked at.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// What Git wants.
    pub(super) wanted: &'a Wanted,
    /// The release of each service.
    pub(super) releases: &'a Releases,
    /// The names of the stored transitions.
    pub(super) states: &'a BTreeSet<String>,
    /// The last report.
    pub(super) previous: Option<&'a TickReport>,
    /// The services that are looked at closely.
    pub(super) closely: &'a Closely,
}

/// The services to visit, in order.
pub(super) fn visits<'a>(tick: &Tick<'_>, now: DateTime<Utc>, known: &Known<'a>) -> Vec<&'a Service> {
    let all = &known.wanted.environment.services;
    if let Some(only) = tick.only {
        return all.get(only).into_iter().collect();
    }
    let services = tick.own(known.wanted);
    let closely = services.iter().filter(|service| known.closely.tag(&service.name).is_some()).count();
    let slice = sweep(now, services.len(), closely, &tick.config.call_budget, tick.shard.of());
    let needed: BTreeSet<&ServiceName> = services
        .iter()
        .filter(|service| why(tick, known, service).is_some())
        .flat_map(|service| &service.depends_on)
        .collect();
    let mut visits: Vec<(Why, usize, &Service)> = Vec::new();
    for (place, service) in services.iter().copied().enumerate() {
        let needed = needed.contains(&service.name).then_some(Why::Changed);
        let is_turn = slice.has(place) || known.closely.tag(&service.name).is_some();
        let turn = is_turn.then_some(Why::Turn);
        if let Some(why) = why(tick, known, service).or(needed).or(turn) {
            visits.push((why, place, service));
        }
    }
    let begin = begin(now, services.len());
    // Those before the beginning come last.
    visits.sort_by_key(|(why, place, _)| (*why, *place < begin, *place));
    // What another shard says of them may be old: they are looked at, as if they were this one's.
    let others = needed.iter().filter(|name| !tick.shard.takes(name)).filter_map(|name| all.get(*name));
    others.chain(visits.into_iter().map(|(_, _, service)| service)).collect()
}

/// How many calls a sweep has time for at so many in a second, divided among so many schedules; at least one.
fn part(a_second: u16, among: Shards) -> usize {
    let calls = SWEEP.saturating_mul(a_second.into());
    calls.checked_div(among.count().into()).unwrap_or(calls).max(1)
}

/// The part of a schedule's services that a sweep has time for, beside so many close looks.
pub(super) fn sweep(now: DateTime<Utc>, services: usize, closely: usize, budget: &CallBudget, among: Shards) -> Slice {
    let whole = part(budget.get_function.get(), among);
    // A close look is a visit and another call.
    Slice::of(now, services, whole.saturating_sub(closely.saturating_mul(2)).max(whole / 2))
}

/// Where in the list a tick begins. Each minute it is a little further, so that a tick without time for everything does not
/// leave out the same services as the one before.
fn begin(now: DateTime<Utc>, services: usize) -> usize {
    let minute = usize::try_from(now.timestamp().div_euclid(60)).unwrap_or(0);
    minute.saturating_mul(AT_ONCE).checked_rem(services).unwrap_or(0)
}

/// Why a service is visited whoever's turn it is.
fn why(tick: &Tick<'_>, known: &Known<'_>, service: &Service) -> Option<Why> {
    let is_under_way = known.states.contains(&keys::state(tick.name, &service.name));
    if is_under_way {
        return Some(Why::UnderWay);
    }
    let before = known.previous.and_then(|report| report.services.get(&service.name));
    let is_recorded = || {
        let recorded = known.wanted.document.pins.get(&service.name).and_then(|pin| pin.recorded.as_ref());
        let recorded = recorded.map(|recorded| &recorded.release);
        let wanted = known.releases.get(&service.name).and_then(|release| release.as_ref().ok());
        recorded.is_some() && recorded == wanted.map(|wanted| &wanted.id)
    };
    let is_changed = before.is_none_or(|before| !is_as_wanted(before, service)) || !is_recorded();
    is_changed.then_some(Why::Changed)
}

/// Whether the last look found it as Git wants it, under the names that it has now.
fn is_as_wanted(before: &ServiceReport, service: &Service) -> bool {
    let names = before.function == service.function.as_str() && before.alias == service.alias.as_str();
    names && before.wanted.label == report::label(service) && before.standing.sync == SyncStatus::Synced
}

/// The services of the last report that this tick did not visit, as they were seen then.
pub(super) fn unvisited<'a>(
    previous: Option<TickReport>,
    wanted: &'a Wanted,
) -> impl Iterator<Item = (ServiceName, ServiceReport)> + use<'a> {
    let services = previous.map(|report| report.services).unwrap_or_default();
    services.into_iter().filter(|(name, _)| wanted.environment.services.contains_key(name)).map(|(name, service)| {
        // What was done then is not what this tick did.
        (name, ServiceReport { done: Vec::new(), ..service })
    })
}

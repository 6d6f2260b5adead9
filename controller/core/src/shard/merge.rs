//! Decides how an environment stands as a whole, from the last report of each of its schedules, former ones among them.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use release_schema::ServiceName;

use super::{Shard, Shards};
use crate::report::{FailedCall, ServiceReport, TickReport, Unmanaged};

/// What a shard said so long before the newest report is no news of the environment: five of its schedules were missed.
const BEHIND: TimeDelta = TimeDelta::minutes(5);

/// One report out of several; `None` out of none. In force are the shards of which the newest one is: whoever changes how
/// many there are changes schedules, and nothing else.
///
/// A service is as that report says that saw it last, and is there while the last report of its shard has it. Reports of former
/// shards thus say nothing any more, as soon as those that are in force have spoken.
#[must_use]
pub fn merged(mut reports: Vec<TickReport>) -> Option<TickReport> {
    reports.sort_by_key(|report| (report.started, report.shard));
    let newest = reports.last()?.clone();
    let of = newest.shard.of();
    let in_force: Vec<&TickReport> = reports.iter().filter(|report| report.shard.of() == of).collect();
    let lately = || in_force.iter().rev().filter(|report| newest.started - report.started <= BEHIND);
    let knowing = lately().find(|report| report.commit.is_some());
    // No shard moves forward on its own account: what holds one of them is everybody's.
    let held = lately().find(|report| report.hold.is_some());
    let calls = lately().flat_map(|report| &report.calls).fold(BTreeMap::new(), |mut calls, (name, count)| {
        let sum: &mut u64 = calls.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*count);
        calls
    });
    Some(TickReport {
        shard: Shard::WHOLE,
        shards: if newest.shard.is_whole() { BTreeMap::new() } else { last_ticks(of, &reports) },
        commit: knowing.and_then(|report| report.commit.clone()),
        hold: held.and_then(|report| report.hold.clone()),
        problems: held.map(|report| report.problems.clone()).unwrap_or_default(),
        last_success: in_force.iter().filter_map(|report| report.last_success).min(),
        calls,
        throttled: lately().fold(0, |sum, report| report.throttled.saturating_add(sum)),
        unmanaged: unmanaged(&reports),
        failed_calls: failed_calls(lately()),
        services: services(&reports),
        housekeeping: lately().find_map(|report| report.housekeeping.clone()),
        ..newest
    })
}

/// Each service as it was seen last. `reports` are in order.
fn services(reports: &[TickReport]) -> BTreeMap<ServiceName, ServiceReport> {
    let names: BTreeSet<&ServiceName> = reports.iter().flat_map(|report| report.services.keys()).collect();
    let last = |name: &ServiceName| {
        // Who knows of nothing does not know that it is gone either.
        let told = reports.iter().filter(|report| knows(report) && report.shard.takes(name));
        let told: Vec<Option<&ServiceReport>> = told.map(|report| report.services.get(name)).collect();
        let is_there = told.last().is_some_and(Option::is_some);
        told.into_iter().flatten().max_by_key(|service| service.seen).filter(|_| is_there).cloned()
    };
    names.into_iter().filter_map(|name| Some((name.clone(), last(name)?))).collect()
}

/// The services that are not in Git any more, each as the last report of its shard has it.
fn unmanaged(reports: &[TickReport]) -> BTreeMap<ServiceName, Unmanaged> {
    let names: BTreeSet<&ServiceName> = reports.iter().flat_map(|report| report.unmanaged.keys()).collect();
    let last = |name: &ServiceName| {
        let told = reports.iter().rev().find(|report| knows(report) && report.shard.takes(name));
        told.and_then(|report| report.unmanaged.get(name)).cloned()
    };
    names.into_iter().filter_map(|name| Some((name.clone(), last(name)?))).collect()
}

/// The calls that failed, each once, with all services that it concerns.
fn failed_calls<'a>(reports: impl Iterator<Item = &'a &'a TickReport>) -> Vec<FailedCall> {
    let mut failed: BTreeMap<(&str, &str), FailedCall> = BTreeMap::new();
    for call in reports.flat_map(|report| &report.failed_calls) {
        let known = failed.entry((&call.operation, &call.answer));
        let known = known.or_insert_with(|| FailedCall { services: 0, ..call.clone() });
        known.services = known.services.saturating_add(call.services);
    }
    failed.into_values().collect()
}

/// Whether a tick knew what Git wants, be it from before.
fn knows(report: &TickReport) -> bool {
    report.commit.is_some() || !report.services.is_empty()
}

/// When the services of each shard had a tick last, whoever's it was: before a shard's first one, those of former shards are.
fn last_ticks(of: Shards, reports: &[TickReport]) -> BTreeMap<Shard, Option<DateTime<Utc>>> {
    let layouts: BTreeSet<Shards> = reports.iter().map(|report| report.shard.of()).collect();
    let ticked = |shard: Shard| reports.iter().rev().find(|report| report.shard == shard).map(|report| report.started);
    // All of its services had one in another layout, when each shard there that has some of them did.
    let in_layout = |layout: &Shards, shard: Shard| {
        let meeting = layout.each().filter(|other| other.meets(shard)).map(ticked);
        meeting.collect::<Option<Vec<_>>>()?.into_iter().min()
    };
    of.each().map(|shard| (shard, layouts.iter().filter_map(|layout| in_layout(layout, shard)).max())).collect()
}

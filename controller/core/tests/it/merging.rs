//! How an environment stands as a whole, out of the reports of its shards and of former ones.
use std::collections::BTreeMap;

use tidegate_core::SCHEMA_VERSION;
use tidegate_core::ids::Commit;
use tidegate_core::plan::Standing;
use tidegate_core::report::{ServiceReport, TickReport, Wanted};
use tidegate_core::shard::{Shard, merged};
use tidegate_core::status::{Health, HoldReason, PhaseName, SyncStatus};

use crate::build::at;

/// In the first half; the other two are in the second.
const FLIGHTS: &str = "flight-service";
const RESERVATIONS: &str = "reservation-service";
const BFF: &str = "flight-bff";

fn shard(text: &str) -> Shard {
    text.parse().unwrap()
}

/// The report of a shard's tick in this minute, with the minutes in which its services were seen.
fn report(of: &str, minute: i64, services: &[(&str, i64)]) -> TickReport {
    let seen = |minute: i64| ServiceReport {
        seen: at(minute),
        standing: Standing {
            sync: SyncStatus::Synced,
            health: Health::Healthy,
            phase: PhaseName::Idle,
            waiting_on: None,
        },
        function: "F".to_owned(),
        alias: "live".to_owned(),
        wanted: Wanted { label: "v1.0.0".to_owned(), release: None, code: None },
        live: None,
        drift: Vec::new(),
        rollout: None,
        revert: None,
        done: Vec::new(),
        error: None,
    };
    TickReport {
        schema_version: SCHEMA_VERSION,
        environment: "production".parse().unwrap(),
        shard: shard(of),
        shards: BTreeMap::new(),
        tick: format!("tick of {of}"),
        started: at(minute),
        duration_ms: 900,
        commit: Some(Commit {
            id: minute.to_string().repeat(40),
            author: "Anna".to_owned(),
            time: at(0),
            summary: "Ship it".to_owned(),
        }),
        hold: None,
        problems: Vec::new(),
        last_success: Some(at(minute)),
        calls: [("lambda:GetFunction".to_owned(), 2)].into(),
        throttled: 1,
        unmanaged: BTreeMap::new(),
        failed_calls: Vec::new(),
        services: services.iter().map(|(name, minute)| (name.parse().unwrap(), seen(*minute))).collect(),
        housekeeping: None,
    }
}

fn whole(reports: &[TickReport]) -> TickReport {
    merged(reports.to_vec()).unwrap()
}

/// In which minute each service was seen.
fn seen(report: &TickReport) -> Vec<(String, i64)> {
    let minute = |service: &ServiceReport| (service.seen - at(0)).num_minutes();
    report.services.iter().map(|(name, service)| (name.to_string(), minute(service))).collect()
}

fn is_seen(services: &[(&str, i64)]) -> Vec<(String, i64)> {
    services.iter().map(|(name, minute)| ((*name).to_owned(), *minute)).collect()
}

/// When each shard ticked last, in minutes.
fn ticked(report: &TickReport) -> Vec<(String, Option<i64>)> {
    let minute = |last: &Option<chrono::DateTime<chrono::Utc>>| last.map(|last| (last - at(0)).num_minutes());
    report.shards.iter().map(|(shard, last)| (shard.to_string(), minute(last))).collect()
}

#[test]
fn an_environment_without_shards_stands_as_its_report_says() {
    let alone = report("1/1", 1, &[(FLIGHTS, 1), (BFF, 0)]);
    assert_eq!(whole(std::slice::from_ref(&alone)), alone);
    assert_eq!(merged(Vec::new()), None);
}

#[test]
fn the_shards_are_one_environment() {
    let first = report("1/2", 7, &[(FLIGHTS, 7)]);
    let second = report("2/2", 8, &[(BFF, 8), (RESERVATIONS, 6)]);
    let all = whole(&[second.clone(), first]);
    assert_eq!(seen(&all), is_seen(&[(BFF, 8), (FLIGHTS, 7), (RESERVATIONS, 6)]));
    assert_eq!(ticked(&all), [("1/2".to_owned(), Some(7)), ("2/2".to_owned(), Some(8))]);
    assert_eq!((all.shard, all.started, all.commit), (Shard::WHOLE, at(8), second.commit));
    assert_eq!((all.last_success, all.calls["lambda:GetFunction"], all.throttled), (Some(at(7)), 4, 2));
}

#[test]
fn before_a_shards_first_tick_the_former_report_speaks_for_it() {
    let before = report("1/1", 5, &[(FLIGHTS, 5), (BFF, 4), (RESERVATIONS, 5)]);
    let all = whole(&[before, report("2/2", 6, &[(BFF, 6)])]);
    assert_eq!(seen(&all), is_seen(&[(BFF, 6), (FLIGHTS, 5)]), "the second shard says that reservations left Git");
    assert_eq!(ticked(&all), [("1/2".to_owned(), Some(5)), ("2/2".to_owned(), Some(6))]);
}

#[test]
fn a_former_report_is_outvoted_however_old_it_is() {
    let halves = [report("1/2", 1, &[(FLIGHTS, 1)]), report("2/2", 1, &[(BFF, 1), (RESERVATIONS, 1)])];
    let all = whole(&[halves[0].clone(), report("1/1", 900, &[(FLIGHTS, 900), (BFF, 899)]), halves[1].clone()]);
    assert_eq!(seen(&all), is_seen(&[(BFF, 899), (FLIGHTS, 900)]));
    assert_eq!(ticked(&all), []);
}

#[test]
fn a_shard_that_never_ticked_is_told() {
    let all = whole(&[report("1/2", 9, &[(FLIGHTS, 9)])]);
    assert_eq!(ticked(&all), [("1/2".to_owned(), Some(9)), ("2/2".to_owned(), None)]);
    // Of three shards, each has services of both halves: one of those says nothing of all of them.
    let all = whole(&[report("1/2", 3, &[]), report("2/2", 4, &[]), report("1/3", 9, &[])]);
    assert_eq!(ticked(&all), [("1/3".to_owned(), Some(9)), ("2/3".to_owned(), Some(3)), ("3/3".to_owned(), Some(3))]);
}

#[test]
fn what_holds_one_shard_holds_the_environment_unless_it_stopped() {
    let message = || "down".to_owned();
    let held = |minute| TickReport {
        hold: Some(HoldReason::GitUnavailable { message: message() }),
        problems: vec!["a problem".to_owned()],
        ..report("1/2", minute, &[(FLIGHTS, minute)])
    };
    let other = report("2/2", 20, &[(BFF, 20)]);
    let all = whole(&[held(19), other.clone()]);
    assert_eq!((all.hold.is_some(), all.problems.len()), (true, 1));
    let all = whole(&[held(14), other]);
    assert_eq!((all.hold, all.problems.len(), all.calls["lambda:GetFunction"]), (None, 0, 2));
    assert_eq!(all.last_success, Some(at(14)));
}

#[test]
fn who_knows_of_nothing_does_not_say_that_services_are_gone() {
    let nothing = TickReport { commit: None, services: BTreeMap::new(), ..report("2/2", 9, &[]) };
    let all = whole(&[report("1/1", 8, &[(BFF, 8), (FLIGHTS, 8)]), nothing]);
    assert_eq!(seen(&all), is_seen(&[(BFF, 8), (FLIGHTS, 8)]));
}

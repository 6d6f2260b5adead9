//! What people read of a report, at 80 columns and narrower, and how scripts are told.
use tidegate_core::ids::{Commit, Version};
use tidegate_core::report::{Served, Wanted};
use tidegate_core::shard::Shard;
use tidegate_core::status::{HoldReason, WaitingOn};

use super::*;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn ticked() -> DateTime<Utc> {
    at("2026-11-21T05:43:10Z")
}

fn soon() -> DateTime<Utc> {
    ticked() + TimeDelta::seconds(12)
}

pub(in crate::command) fn service(sync: SyncStatus, health: Health, waiting_on: Option<WaitingOn>) -> ServiceReport {
    let phase = if health == Health::Progressing { PhaseName::Publishing } else { PhaseName::Idle };
    let wanted = if sync == SyncStatus::Synced { "v1.0.0" } else { "v1.1.0" };
    ServiceReport {
        seen: ticked(),
        standing: Standing { sync, health, phase, waiting_on },
        function: "F".to_owned(),
        alias: "live".to_owned(),
        wanted: Wanted { label: wanted.to_owned(), release: None, code: None },
        live: Some(Served { version: Version::new(7), code: None, tag: Some("v1.0.0".parse().unwrap()) }),
        drift: Vec::new(),
        rollout: None,
        revert: None,
        done: Vec::new(),
        error: None,
    }
}

fn healthy() -> ServiceReport {
    service(SyncStatus::Synced, Health::Healthy, None)
}

pub(in crate::command) fn report(services: impl IntoIterator<Item = (String, ServiceReport)>) -> TickReport {
    TickReport {
        schema_version: 1,
        environment: "staging".parse().unwrap(),
        shard: Shard::WHOLE,
        shards: std::collections::BTreeMap::new(),
        tick: "t".to_owned(),
        started: ticked(),
        duration_ms: 900,
        commit: Some(Commit {
            id: "3f2a9c1d4e5b6a7f8091a2b3c4d5e6f708192a3b".to_owned(),
            author: "Anna Berg <anna@example.com>".to_owned(),
            time: ticked(),
            summary: "Ship flight-service v1.1.0 \u{1b}[2J and do not clear the terminal of whoever reads it"
                .to_owned(),
        }),
        hold: None,
        problems: Vec::new(),
        unmanaged: std::collections::BTreeMap::new(),
        last_success: Some(ticked()),
        calls: std::collections::BTreeMap::new(),
        throttled: 0,
        services: services.into_iter().map(|(name, service)| (name.parse().unwrap(), service)).collect(),
        failed_calls: Vec::new(),
        housekeeping: None,
    }
}

fn five() -> TickReport {
    let blocked = WaitingOn::Blocked {
        message: "the tag `v9.9.9` does not exist in `company/reservation-service`; push the image, or name a tag that is there"
            .to_owned(),
    };
    let failed = ServiceReport {
        error: Some(
            "`lambda:UpdateAlias` of `StagingPricing:live`: access denied (AccessDeniedException: no)".to_owned(),
        ),
        ..service(SyncStatus::OutOfSync, Health::Degraded, None)
    };
    let missing = ServiceReport {
        live: None,
        ..service(SyncStatus::OutOfSync, Health::Missing, Some(WaitingOn::FunctionMissing))
    };
    report([
        ("flight-bff".to_owned(), healthy()),
        ("flight-service".to_owned(), service(SyncStatus::OutOfSync, Health::Progressing, Some(WaitingOn::NextTick))),
        ("pricing".to_owned(), failed),
        ("reservation-service".to_owned(), service(SyncStatus::OutOfSync, Health::Degraded, Some(blocked))),
        ("seat-map".to_owned(), missing),
    ])
}

#[test]
fn trouble_comes_first_and_says_what_it_waits_on() {
    insta::assert_snapshot!(render(&five(), soon(), true, 80, Paint::OFF));
}

#[test]
fn a_hold_says_why_and_names_every_problem() {
    let reason = HoldReason::InvalidRelease {
        commit: "aaaabbbbccccddddeeeeffff0000111122223333".to_owned(),
        problem: "environments/staging/services.yaml:4:5: unknown field `imagTag` (did you mean `imageTag`?)"
            .to_owned(),
        more: 1,
    };
    let problems = [
        "environments/staging/services.yaml:4:5: unknown field `imagTag`",
        "environments/staging/services.yaml:9:5: `a` is there twice",
    ];
    let report = TickReport {
        hold: Some(reason),
        problems: problems.map(str::to_owned).to_vec(),
        ..report([("flight-bff".to_owned(), healthy())])
    };
    insta::assert_snapshot!(render(&report, soon(), true, 80, Paint::OFF));
    assert_eq!(exit(&report, soon()), Exit::Difference);
}

#[test]
fn a_shard_that_stopped_is_named_and_a_script_is_told() {
    let shard = |text: &str| text.parse::<Shard>().unwrap();
    let lately = Some(ticked() - TimeDelta::seconds(40));
    let well = report([("flight-bff".to_owned(), healthy())]);
    let well = TickReport { shards: [(shard("1/3"), Some(ticked())), (shard("2/3"), lately)].into(), ..well };
    assert_eq!(exit(&well, soon()), Exit::Done);
    assert!(!render(&well, soon(), true, 80, Paint::OFF).contains("behind"));

    let stopped = Some(ticked() - TimeDelta::minutes(12));
    for (last, expected) in [
        (
            stopped,
            "  behind  shard 3/3 ticked last at 2026-11-21 05:31:10 UTC, 12 min ago: its\n          services are as they were \
             seen then; does its schedule run?\n",
        ),
        (
            None,
            "  behind  shard 3/3 has not ticked yet: its services may be missing here; is\n          there a schedule for it?\n",
        ),
    ] {
        let shards = well.shards.clone().into_iter().chain([(shard("3/3"), last)]).collect();
        let report = TickReport { shards, ..well.clone() };
        let text = render(&report, soon(), true, 80, Paint::OFF);
        assert!(text.contains(expected), "{text}");
        assert_eq!(exit(&report, soon()), Exit::Difference);
    }
}

#[test]
fn no_line_is_wider_than_it_may_be() {
    let many = report((0..60).map(|n| {
        let health = if n % 7 == 0 { Health::Degraded } else { Health::Healthy };
        (format!("a-service-with-quite-a-long-name-{n}"), service(SyncStatus::Synced, health, None))
    }));
    for width in [40, 60, 80, 200] {
        for report in [&many, &five()] {
            let text = render(report, soon(), true, width, Paint::OFF);
            let widest = text.lines().map(textwrap::core::display_width).max();
            assert!(widest <= Some(width), "{widest:?} columns of {width}:\n{text}");
            assert!(text.lines().all(|line| line == line.trim_end()), "spaces at the end of a line:\n{text}");
        }
    }
    let text = render(&many, soon(), true, 80, Paint::OFF);
    let first: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("SERVICE")).skip(1).collect();
    assert_eq!(first.len(), 60, "each service has its one line at 80 columns");
    assert!(first[..9].iter().all(|line| line.contains("Degraded")), "trouble first");
}

#[test]
fn where_many_services_are_healthy_they_are_counted_and_trouble_is_what_is_left() {
    let many = report((0..300).map(|n| {
        let one = match n {
            7 => service(SyncStatus::OutOfSync, Health::Degraded, None),
            8 => service(SyncStatus::OutOfSync, Health::Progressing, None),
            _ => healthy(),
        };
        (format!("service-{n}"), one)
    }));
    let text = render(&many, soon(), false, 80, Paint::OFF);
    insta::assert_snapshot!(text.split_once("\n\n").unwrap().1, @r"
    SERVICE    SYNC       HEALTH       PHASE       VERSION  TAG
    service-7  OutOfSync  Degraded     Idle        7        v1.0.0 → v1.1.0
    service-8  OutOfSync  Progressing  Publishing  7        v1.0.0 → v1.1.0
    the other 298 services are Synced and Healthy; `--all` shows them
    ");
    assert!(render(&many, soon(), true, 80, Paint::OFF).lines().count() > 300);
    let well = report((0..21).map(|n| (format!("service-{n}"), healthy())));
    assert!(
        render(&well, soon(), false, 80, Paint::OFF)
            .ends_with("\nall 21 services are Synced and Healthy; `--all` shows them\n")
    );
    let few = report((0..20).map(|n| (format!("service-{n}"), healthy())));
    assert!(!render(&few, soon(), false, 80, Paint::OFF).contains("--all"));
}

#[test]
fn where_many_are_in_the_same_trouble_the_first_few_are_shown_and_the_rest_is_counted() {
    let broken = |number: usize| ServiceReport {
        function: format!("StagingBulk{number:03}"),
        error: Some(format!("`lambda:GetFunction` of `StagingBulk{number:03}:live`: access denied")),
        ..service(SyncStatus::Unknown, Health::Unknown, None)
    };
    let many = (0..300).map(|number| (format!("bulk-{number:03}"), broken(number)));
    let paused = service(SyncStatus::OutOfSync, Health::Suspended, Some(WaitingOn::Sync));
    let report = report(many.chain([("pricing".to_owned(), paused)]));
    let shown = render(&report, soon(), false, 80, Paint::OFF);
    assert_eq!(shown.matches("access denied").count(), 5, "{shown}");
    assert!(shown.contains("\npricing "), "another kind is not counted among them: {shown}");
    assert!(shown.ends_with("\n295 more stand like bulk-004; `--all` shows them\n"), "{shown}");
    assert_eq!(render(&report, soon(), true, 80, Paint::OFF).matches("access denied").count(), 300);
}

#[test]
fn a_report_that_is_old_says_so_and_is_no_success() {
    let report = report([("flight-bff".to_owned(), healthy())]);
    let later = ticked() + TimeDelta::minutes(5) + TimeDelta::seconds(1);
    assert_eq!(exit(&report, ticked() + TimeDelta::minutes(5)), Exit::Done);
    assert_eq!(exit(&report, later), Exit::Difference);
    insta::assert_snapshot!(render(&report, later, true, 80, Paint::OFF));
}

#[test]
fn a_release_under_way_is_a_success_and_a_difference_that_stands_still_is_not() {
    let outcome = |sync, health| exit(&report([("a".to_owned(), service(sync, health, None))]), soon());
    assert_eq!(outcome(SyncStatus::Synced, Health::Healthy), Exit::Done);
    assert_eq!(outcome(SyncStatus::Synced, Health::Suspended), Exit::Done);
    assert_eq!(outcome(SyncStatus::OutOfSync, Health::Progressing), Exit::Done);
    assert_eq!(outcome(SyncStatus::OutOfSync, Health::Healthy), Exit::Difference);
    assert_eq!(outcome(SyncStatus::OutOfSync, Health::Suspended), Exit::Difference);
    assert_eq!(outcome(SyncStatus::Synced, Health::Degraded), Exit::Difference);
    assert_eq!(outcome(SyncStatus::Unknown, Health::Unknown), Exit::Difference);
    assert_eq!(outcome(SyncStatus::OutOfSync, Health::Missing), Exit::Difference);
}

#[test]
fn one_service_is_all_that_is_shown_where_one_is_asked_for() {
    let target = |text: &str| text.parse::<Target>().unwrap();
    let one = narrowed(five(), Some(&target("staging/pricing"))).unwrap();
    assert_eq!(one.services.keys().map(ServiceName::as_str).collect::<Vec<_>>(), ["pricing"]);
    let error = narrowed(report([("flight-bff".to_owned(), healthy())]), Some(&target("staging/pricing"))).unwrap_err();
    assert_eq!(error.to_string(), "there is no service `pricing` in `staging`; there are `flight-bff`");
    assert_eq!(error.exit, Exit::Refused);
}

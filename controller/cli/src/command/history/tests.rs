//! What people read of a history, at 80 columns.
use chrono::{DateTime, Utc};
use release_schema::ServiceName;
use tidegate_core::analysis::{Finding as Gate, Outcome, Verdict, Window};
use tidegate_core::history::{RecordHash, Said, StepResult, hash_bytes};
use tidegate_core::ids::{Commit, ReleaseId, TransitionNumber, Version};
use tidegate_core::release::Code;
use tidegate_core::report::{Failure, FailureKind};
use tidegate_core::verify::{Finding, Last, Testimony, Verification};
use tidegate_runtime::controller::Verified;

use super::*;

fn deployed(version: Option<u64>, tag: Option<&str>) -> Deployed {
    Deployed {
        version: version.and_then(Version::new),
        release: ReleaseId::from_sha256([7; 32]),
        code: Code::Image(format!("sha256:{}", "ab".repeat(32)).parse().unwrap()),
        tag: tag.map(|tag| tag.parse().unwrap()),
        archive: None,
    }
}

fn record(number: u64, kind: Kind, from: Option<Deployed>, to: Deployed) -> Record {
    let finished: DateTime<Utc> = "2026-11-21T05:43:10Z".parse().unwrap();
    Record {
        schema_version: 1,
        number: TransitionNumber(number),
        previous: None,
        environment: "production".parse().unwrap(),
        service: "reservation-service".parse().unwrap(),
        kind,
        from,
        to,
        held: None,
        ended: None,
        marked: None,
        commit: Some(Commit {
            id: "3f2a9c1d4e5b6a7f8091a2b3c4d5e6f708192a3b".to_owned(),
            author: "Anna".to_owned(),
            time: finished,
            summary: "Ship it".to_owned(),
        }),
        actor: "controller".to_owned(),
        reason: None,
        started: finished,
        finished,
        tick: "t".to_owned(),
        steps: Vec::new(),
        said: Vec::new(),
    }
}

fn some() -> Vec<Record> {
    let live = || Some(deployed(Some(1), Some("v1.0.0")));
    let by_anna = Record {
        actor: "arn:aws:sts::111111111111:assumed-role/engineer/anna".to_owned(),
        reason: Some("the function could not start: Runtime.ExitError \u{1b}[31m after 3 attempts".to_owned()),
        ..record(3, Kind::Failed, live(), deployed(None, Some("v1.2.0")))
    };
    vec![
        by_anna,
        record(2, Kind::Superseded, live(), deployed(Some(2), Some("v1.1.0"))),
        Record { commit: None, ..record(1, Kind::Adopted, None, deployed(Some(1), None)) },
    ]
}

#[test]
fn a_history_fits_and_says_who_did_what_the_schedule_did_not() {
    insta::assert_snapshot!(render(&some(), 80, Paint::OFF));
}

#[test]
fn what_a_person_said_stands_below_the_release_and_stands_there_once() {
    let said = |what: &str, reason: &str| Said {
        what: what.to_owned(),
        actor: "anna".to_owned(),
        reason: Some(reason.to_owned()),
        at: "2026-11-21T05:40:00Z".parse().unwrap(),
    };
    let live = || Some(deployed(Some(1), Some("v1.0.0")));
    let promoted = Record {
        said: vec![said("pause", "lunch"), said("promote --full", "it fixes the outage")],
        ..record(2, Kind::Promoted, live(), deployed(Some(2), Some("v1.1.0")))
    };
    let aborted = Record {
        actor: "anna".to_owned(),
        reason: Some("5xx".to_owned()),
        said: vec![said("abort", "5xx")],
        ..record(3, Kind::Aborted, live(), deployed(Some(3), Some("v1.2.0")))
    };
    insta::assert_snapshot!(render(&[aborted, promoted], 80, Paint::OFF));
}

#[test]
fn no_line_is_wider_than_it_may_be() {
    for width in [50, 80, 200] {
        let text = render(&some(), width, Paint::OFF);
        let widest = text.lines().map(textwrap::core::display_width).max();
        assert!(widest <= Some(width), "{widest:?} columns of {width}:\n{text}");
    }
}

/// A record with everything that one can have.
fn full() -> Record {
    let at = |clock: &str| -> DateTime<Utc> { format!("2026-11-21T{clock}Z").parse().unwrap() };
    let verdict = |outcome, message: &str| Verdict {
        outcome,
        at: at("05:40:00"),
        window: Window { from: at("05:30:00"), to: at("05:40:00") },
        findings: vec![
            Gate { outcome, message: message.to_owned() },
            Gate { outcome: Outcome::Successful, message: "p99 41 ms of 800 ms".to_owned() },
        ],
    };
    let step = |step: &str, since, until, verdict, over: Option<&str>| StepResult {
        step: step.to_owned(),
        since: at(since),
        until: at(until),
        verdict: Some(verdict),
        over: over.map(str::to_owned),
    };
    Record {
        previous: Some(RecordHash("5f".repeat(32))),
        held: Some(ReleaseId::from_sha256([9; 32])),
        ended: Some(deployed(Some(8), Some("v1.3.0"))),
        marked: None,
        actor: "arn:aws:sts::111111111111:assumed-role/engineer/anna".to_owned(),
        reason: Some("5xx after 14:02 \u{1b}[31m, and the queue of the payment service grew".to_owned()),
        started: at("05:20:00"),
        steps: vec![
            step(
                "setWeight 10 %",
                "05:20:00",
                "05:30:00",
                verdict(Outcome::Successful, "error rate 0.1 % of 1 %"),
                None,
            ),
            step(
                "setWeight 50 %",
                "05:30:00",
                "05:40:12",
                verdict(Outcome::Inconclusive, "12 invocations, and 50 are needed to judge the error rate with 99 %"),
                Some("promote"),
            ),
        ],
        said: vec![Said {
            what: "promote".to_owned(),
            actor: "arn:aws:sts::111111111111:assumed-role/engineer/ben".to_owned(),
            reason: Some("looked at the traces".to_owned()),
            at: at("05:40:12"),
        }],
        ..record(42, Kind::RolledBack, Some(deployed(Some(7), Some("v1.2.0"))), deployed(Some(6), None))
    }
}

#[test]
fn a_record_in_full_fits_its_digests_and_says_each_step_with_its_findings() {
    insta::assert_snapshot!(show::render(&full(), "as stored", 80, Paint::OFF));
}

#[test]
fn a_record_in_full_leaves_out_what_there_is_none_of() {
    let first = record(1, Kind::Failed, None, deployed(None, Some("v1.0.0")));
    insta::assert_snapshot!(show::render(&first, "as stored", 80, Paint::OFF));
}

#[test]
fn no_line_of_a_record_is_wider_than_it_may_be() {
    for width in [40, 80, 200] {
        let text = show::render(&full(), "as stored", width, Paint::OFF);
        let widest = text.lines().map(textwrap::core::display_width).max();
        assert!(widest <= Some(width), "{widest:?} columns of {width}:\n{text}");
    }
}

fn looked(service: &str, alias: Testimony, findings: Vec<Finding>) -> (ServiceName, Verified) {
    let service: ServiceName = service.parse().unwrap();
    let last = Some(Last { number: TransitionNumber(42), hash: hash_bytes(b"the last one") });
    let environment = "production".parse().unwrap();
    (service.clone(), Ok(Verification { environment, service, records: 42, last, alias, findings }))
}

fn proven() -> (ServiceName, Verified) {
    looked("flight-service", Testimony::Agrees { transition: TransitionNumber(42) }, Vec::new())
}

fn alias_unread() -> (ServiceName, Verified) {
    looked("flight-bff", Testimony::Unreadable { message: "access denied".to_owned() }, Vec::new())
}

fn unread() -> (ServiceName, Verified) {
    let failure = Failure { environment: None, kind: FailureKind::Unavailable, message: "access denied".to_owned() };
    ("payment".parse().unwrap(), Err(failure))
}

fn changed() -> (ServiceName, Verified) {
    let (expected, found) = (hash_bytes(b"expected"), hash_bytes(b"found"));
    let findings = vec![
        Finding::CutOff { first: TransitionNumber(43), last: TransitionNumber(44) },
        Finding::HeadRetold { number: TransitionNumber(40) },
        Finding::Changed { number: TransitionNumber(7), expected: expected.clone(), found },
        Finding::Missing { first: TransitionNumber(2), last: TransitionNumber(3), expected: Some(expected) },
        Finding::Stray { name: "history/production/reservation-service/\u{1b}[2J".to_owned() },
    ];
    looked("reservation-service", Testimony::Disagrees, findings)
}

#[test]
fn what_was_verified_says_what_it_is_chained_to_and_names_each_object_that_is_not_as_written() {
    let others = [
        looked("a", Testimony::UnderWay { transition: TransitionNumber(43) }, Vec::new()),
        looked("b", Testimony::Unmarked, Vec::new()),
        looked("c", Testimony::Missing, Vec::new()),
        looked("d", Testimony::NotInGit, Vec::new()),
    ];
    let all: Vec<_> = [proven(), alias_unread(), changed()].into_iter().chain(others).collect();
    insta::assert_snapshot!(verify::render(&all, 80, Paint::OFF));
}

#[test]
fn of_a_service_without_history_only_that_is_said() {
    let without = |alias| match looked("flight-service", alias, Vec::new()) {
        (service, Ok(looked)) => (service, Ok(Verification { records: 0, last: None, ..looked })),
        unread => unread,
    };
    for alias in [Testimony::Missing, Testimony::Unmarked, Testimony::NotInGit] {
        let text = verify::render(&[without(alias)], 80, Paint::OFF);
        assert_eq!(text, "production/flight-service has no history yet\n");
    }
}

#[test]
fn people_are_shown_the_first_twenty_findings_and_how_many_more_there_are() {
    let findings = (1..=25).map(|number| Finding::HeadRetold { number: TransitionNumber(number) }).collect();
    let text = verify::render(&[looked("a", Testimony::Unmarked, findings)], 80, Paint::OFF);
    assert!(text.ends_with("does not tell record 20 as it is stored\n  and 5 more\n"), "{text}");
}

#[test]
fn a_finding_outweighs_what_could_not_be_read_and_only_what_was_read_is_proven() {
    assert_eq!(verify::exit(&[]), Exit::Done);
    assert_eq!(verify::exit(&[proven()]), Exit::Done);
    assert_eq!(verify::exit(&[proven(), alias_unread()]), Exit::Unavailable);
    assert_eq!(verify::exit(&[proven(), unread()]), Exit::Unavailable);
    assert_eq!(verify::exit(&[unread(), changed(), alias_unread()]), Exit::Difference);
}

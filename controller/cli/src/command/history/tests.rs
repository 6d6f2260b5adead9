//! What people read of a history, at 80 columns.
use chrono::{DateTime, Utc};
use tidegate_core::ids::{Commit, ReleaseId, TransitionNumber, Version};
use tidegate_core::release::Code;

use super::*;

fn deployed(version: Option<u64>, tag: Option<&str>) -> Deployed {
    Deployed {
        version: version.and_then(Version::new),
        release: ReleaseId::from_sha256([7; 32]),
        code: Code::Image(format!("sha256:{}", "ab".repeat(32)).parse().unwrap()),
        tag: tag.map(|tag| tag.parse().unwrap()),
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

//! What people read of a release under way, at 80 columns.
use chrono::Duration;
use tidegate_core::analysis::{Finding, Window};
use tidegate_core::ids::Version;
use tidegate_core::plan::Standing;
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

use super::*;
use crate::command::status::render;
use crate::command::status::tests::{report, service};
use crate::out::Paint;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn verdict(outcome: Outcome, message: &str) -> Verdict {
    let to = at("2026-11-21T05:42:00Z");
    Verdict {
        outcome,
        at: to,
        window: Window { from: to - Duration::minutes(8), to },
        findings: vec![Finding { outcome, message: message.to_owned() }],
    }
}

/// In the second of three steps.
fn canary() -> Progress {
    Progress {
        release: "v1.1.0".to_owned(),
        stable: Version::new(7),
        canary: Version::new(8),
        strategy: "canary 10%, 10m, 25%, 10m, 50%, until promoted".to_owned(),
        step: Some(2),
        steps: 3,
        weight_wanted: 2_500,
        weight_read: Some(2_500),
        since: at("2026-11-21T05:40:00Z"),
        until: Some(at("2026-11-21T05:50:00Z")),
        verdict: Some(verdict(Outcome::Successful, "error rate 0.2 % of 1,204 (at most 1 %)")),
        results: vec![StepResult {
            step: "10 %".to_owned(),
            since: at("2026-11-21T05:27:00Z"),
            until: at("2026-11-21T05:39:00Z"),
            verdict: Some(verdict(Outcome::Successful, "error rate 0 % of 410 (at most 1 %)")),
            over: None,
        }],
        said: Vec::new(),
    }
}

fn shown(progress: Progress, phase: PhaseName, health: Health, on: WaitingOn) -> String {
    shown_at(at("2026-11-21T05:43:12Z"), progress, phase, health, on)
}

fn shown_at(now: DateTime<Utc>, progress: Progress, phase: PhaseName, health: Health, on: WaitingOn) -> String {
    let (sync, waiting_on) = (SyncStatus::OutOfSync, Some(on));
    let standing = Standing { sync, health, phase, waiting_on };
    let service = ServiceReport { standing, rollout: Some(progress), ..service(sync, health, None) };
    let text = render(&report([("flight-service".to_owned(), service)]), now, true, 80, Paint::OFF);
    assert!(text.lines().all(|line| textwrap::core::display_width(line) <= 80), "{text}");
    text
}

#[test]
fn a_canary_shows_its_steps_its_traffic_and_what_was_found() {
    let on = WaitingOn::StepTime { until: at("2026-11-21T05:50:00Z") };
    insta::assert_snapshot!(shown(canary(), PhaseName::Holding, Health::Progressing, on));
}

#[test]
fn a_weight_that_is_not_there_yet_is_told_from_one_that_is() {
    let progress = Progress { weight_read: Some(1_000), until: None, verdict: None, results: Vec::new(), ..canary() };
    insta::assert_snapshot!(shown(progress, PhaseName::Shifting, Health::Progressing, WaitingOn::NextTick));
}

#[test]
fn a_pause_names_who_said_so_and_the_way_on_can_be_copied() {
    let (actor, reason) = ("arn:aws:iam::111111111111:user/ann".to_owned(), Some("waiting for the night".to_owned()));
    let said =
        Said { what: "pause".to_owned(), actor: actor.clone(), reason: reason.clone(), at: at("2026-11-21T05:41:00Z") };
    let progress = Progress { said: vec![said], until: None, verdict: None, results: Vec::new(), ..canary() };
    let on = WaitingOn::Paused { actor, reason };
    insta::assert_snapshot!(shown(progress, PhaseName::Holding, Health::Suspended, on));
}

#[test]
fn a_release_that_was_turned_back_says_why_and_no_more() {
    let reason = "the analysis failed: error rate 5.2 % of 400 (at most 1 %)".to_owned();
    let progress = Progress { weight_wanted: 0, weight_read: Some(0), step: None, ..canary() };
    insta::assert_snapshot!(shown(progress, PhaseName::Aborted, Health::Degraded, WaitingOn::Retry { reason }));
}

#[test]
fn a_clock_that_is_behind_makes_no_step_longer() {
    let behind = at("2026-11-21T05:20:00Z");
    let on = WaitingOn::StepTime { until: at("2026-11-21T05:50:00Z") };
    let text = shown_at(behind, canary(), PhaseName::Holding, Health::Progressing, on);
    assert!(text.contains("25 % to version 8, 6 min 50 s left"), "{text}");
}

//! The smoke test: one invocation of a version before any traffic, and what is made of its answer.
use std::collections::BTreeMap;

use release_schema::{SmokeTest, Strategy};
use tidegate_core::command::Word;
use tidegate_core::decide::PUBLISH_DEADLINE;
use tidegate_core::history::Kind;
use tidegate_core::live::VersionState;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::smoke::{self, Invoked};
use tidegate_core::state::Phase;
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::rare_orders::{phase, ticks};
use crate::rollbacks::{live, told_to};
use crate::rollout::*;
use crate::sim::{Crash, Sim};

pub(crate) fn smoke_test() -> SmokeTest {
    SmokeTest {
        payload: serde_json::json!({ "path": "/health" }),
        expect_status: Some(200),
        expect_body: None,
        expect_json: BTreeMap::new(),
    }
}

pub(crate) fn answers(status: u16) -> Invoked {
    Invoked::Answered { error: None, payload: format!(r#"{{"statusCode":{status},"body":"ok"}}"#).into_bytes() }
}

#[test]
fn a_smoke_test_is_invoked_before_any_traffic_and_its_answer_is_kept() {
    let mut sim = published(two_steps());
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = answers(200);
    let state = state(2, &release('b'), Some(deployed(1, &release('a'))), 'b', promoting(2));
    let invoke = Action::SmokeTest { qualifier: "2".to_owned(), test: smoke_test(), state: Box::new(state) };
    let expected = Plan { actions: vec![invoke], standing: waits(PhaseName::Preparing, WaitingOn::NextTick) };
    assert_eq!(sim.tick(), expected);
    let Phase::Preparing { smoke: Some(result), .. } = &sim.state.as_ref().unwrap().phase else { panic!() };
    assert_eq!((result.outcome, result.at), (smoke::Outcome::Passed, at(1)));
    assert_eq!(result.answer.as_deref(), Some(r#"{\"statusCode\":200,\"body\":\"ok\"}"#));
    assert_eq!(sim.alias_writes, 0);
    assert_eq!(sim.tick().standing.phase, PhaseName::Shifting);
}

#[test]
fn a_smoke_test_that_git_adds_before_any_traffic_is_run_although_the_first_step_is_stored() {
    let to_first_step = [PhaseName::Shifting, PhaseName::Promoting];
    for (strategy, first) in [two_steps(), blue_green(false, true, 5)].into_iter().zip(to_first_step) {
        for was_there in [true, false] {
            let mut sim = published(strategy.clone());
            sim.invoked = answers(200);
            sim.service.smoke_test = was_there.then(smoke_test);
            ticks(&mut sim, usize::from(was_there));
            // The intent is stored, and then the process dies.
            sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
            assert_eq!((PhaseName::from(phase(&sim)), sim.alias_writes), (first, 0));
            // With other words of the strategy it begins again, and not before that.
            sim.service = service_with(if first == PhaseName::Shifting {
                canary(vec![weight(20), pause(10)])
            } else {
                strategy.clone()
            });
            sim.service.smoke_test = Some(smoke_test());
            sim.tick();
            if !was_there {
                assert_eq!((PhaseName::from(phase(&sim)), sim.alias_writes), (PhaseName::Preparing, 0));
                let actions = sim.tick().actions;
                assert!(matches!(actions[..], [Action::SmokeTest { .. }]), "{actions:?}");
                sim.tick();
            }
            assert_eq!((PhaseName::from(phase(&sim)), sim.alias_writes), (first, 1));
        }
    }
}

#[test]
fn a_smoke_test_that_fails_fails_the_release_and_live_is_never_touched() {
    for (invoked, why) in [
        (answers(503), "statusCode is 503, not 200"),
        (
            Invoked::Answered {
                error: Some("Unhandled".to_owned()),
                payload: br#"{"errorMessage":"no table"}"#.to_vec(),
            },
            "the function failed (Unhandled): no table",
        ),
        (Invoked::Answered { error: None, payload: b"hello".to_vec() }, "the answer is not JSON"),
    ] {
        let mut sim = published(Strategy::AllAtOnce);
        sim.service.smoke_test = Some(smoke_test());
        sim.invoked = invoked;
        sim.tick();
        let reason = format!("the smoke test failed: {why}");
        assert_eq!(sim.tick().standing, failed(&reason));
        assert_eq!(sim.decide().1, nothing(failed(&reason)));
        assert_eq!((sim.alias_writes, sim.records.last().unwrap().kind), (0, Kind::Failed));
    }
}

#[test]
fn an_answer_is_held_against_status_body_and_json_pointers() {
    let test = |expect_body: Option<&str>, pointers: &[(&str, serde_json::Value)]| SmokeTest {
        payload: serde_json::json!({}),
        expect_status: None,
        expect_body: expect_body.map(str::to_owned),
        expect_json: pointers.iter().map(|(pointer, value)| (pointer.parse().unwrap(), value.clone())).collect(),
    };
    let payload = br#"{"statusCode":200,"body":"{\"version\":\"v2\",\"ok\":true}"}"#.to_vec();
    let invoked = Invoked::Answered { error: None, payload };
    let message = |test: SmokeTest| smoke::judge(&test, &invoked, None, at(0)).message;
    assert_eq!(message(test(Some("v2"), &[("/body/ok", true.into()), ("/statusCode", 200.into())])), None);
    assert_eq!(message(test(Some("v3"), &[])).unwrap(), "the body does not contain `v3`");
    let other = message(test(None, &[("/body/version", "v3".into())])).unwrap();
    assert_eq!(other, r#"`/body/version` is `\"v2\"`, not `\"v3\"`"#);
    assert_eq!(message(test(None, &[("/body/gone", 1.into())])).unwrap(), "`/body/gone` is nothing, not `1`");
}

#[test]
fn what_a_function_answers_is_cut_and_escaped() {
    let payload = format!("\u{1b}[31m{}", "x".repeat(10_000)).into_bytes();
    let invoked = Invoked::Answered { error: None, payload };
    let test = SmokeTest { expect_status: None, ..smoke_test() };
    let answer = smoke::judge(&test, &invoked, None, at(0)).answer.unwrap();
    assert!(answer.starts_with("\\u{1b}[31mxxx") && answer.ends_with("x…") && answer.len() < 600, "{answer}");
}

#[test]
fn a_version_that_went_idle_is_woken_by_its_smoke_test_and_gets_traffic_once_it_can_serve() {
    let mut sim = published(Strategy::AllAtOnce);
    sim.tick();
    sim.git_wants('a');
    sim.version(1).state = VersionState::Inactive;
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = Invoked::NotReady { message: "The function is being restored".to_owned() };
    let plan = sim.tick();
    assert!(matches!(plan.actions.last(), Some(Action::SmokeTest { .. })), "{plan:?}");
    let on = WaitingOn::VersionActive { version: v(1), state: VersionState::Pending };
    assert_eq!(sim.decide().1, nothing(waits(PhaseName::Preparing, on)));
    sim.aws_finishes();
    sim.invoked = answers(200);
    sim.tick();
    sim.tick();
    sim.assert_converged();
    assert_eq!(sim.function().versions.len(), 2);
}

#[test]
fn a_smoke_test_that_cannot_be_run_is_tried_again_until_the_deadline() {
    let mut sim = published(Strategy::AllAtOnce);
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = Invoked::NotReady { message: "Rate exceeded".to_owned() };
    sim.tick();
    let again = sim.tick();
    let on = WaitingOn::SmokeTest { message: "Rate exceeded".to_owned() };
    assert_eq!((again.actions.len(), again.standing.waiting_on), (1, Some(on)));
    // The last second in which it may have been tried.
    let last = sim.state.as_ref().unwrap().since + PUBLISH_DEADLINE;
    sim.at((last - at(0)).num_minutes());
    sim.tick();
    assert_eq!(sim.decide().1.actions.len(), 1);
    sim.pass(1);
    sim.tick();
    let reason = "the smoke test could not be run for 15 minutes: Rate exceeded";
    assert_eq!(sim.tick().standing, failed(reason));
}

#[test]
fn a_smoke_test_that_nothing_answers_is_run_once_more_and_fails_then() {
    let mut sim = published(Strategy::AllAtOnce);
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = Invoked::TimedOut { seconds: 20 };
    sim.tick();
    let mut answered = sim.clone();
    let again = sim.tick();
    let on = WaitingOn::SmokeTest { message: "no answer within 20 s".to_owned() };
    assert_eq!((again.actions.len(), again.standing.waiting_on), (1, Some(on)));
    assert_eq!(sim.tick().standing, failed("the smoke test failed: no answer within 20 s, twice"));
    assert_eq!((sim.alias_writes, sim.records.last().unwrap().kind), (0, Kind::Failed));

    answered.invoked = answers(200);
    answered.tick();
    answered.tick();
    answered.assert_converged();
}

#[test]
fn without_a_smoke_test_nothing_is_ever_invoked() {
    let mut sim = Sim::wanting('b');
    sim.service = service_with(blue_green(true, true, 5));
    for _ in 0..20 {
        let plan = sim.tick();
        assert!(!plan.actions.iter().any(|action| matches!(action, Action::SmokeTest { .. })), "{plan:?}");
        sim.aws_finishes();
    }
    sim.assert_converged();
}

#[test]
fn a_version_that_sleeps_again_after_its_smoke_test_is_waited_for_and_not_tested_again() {
    let mut sim = published(two_steps());
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = answers(200);
    sim.tick();
    sim.version(2).state = VersionState::Inactive;
    let on = WaitingOn::VersionActive { version: v(2), state: VersionState::Inactive };
    assert_eq!(sim.tick(), nothing(waits(PhaseName::Preparing, on)));
}

#[test]
fn a_version_that_fell_asleep_while_it_waited_for_a_person_is_tested_again() {
    for reused in [false, true] {
        let mut sim = published(blue_green(false, false, 0));
        sim.service.smoke_test = Some(smoke_test());
        sim.invoked = answers(200);
        if reused {
            told_to(&mut sim, Word::Abort, "not today");
            told_to(&mut sim, Word::Retry, "today");
        }
        ticks(&mut sim, 2);
        assert!(matches!(phase(&sim), Phase::Preparing { reused: is, .. } if *is == reused), "{sim:#?}");
        sim.pass(60 * 24 * 20);
        sim.version(2).state = VersionState::Inactive;
        ticks(&mut sim, 3);
        assert_eq!(phase(&sim).version(), Some(v(2)));
        assert_eq!(sim.version(2).state, VersionState::Active);
        told_to(&mut sim, Word::Promote(STEP), "go");
        ticks(&mut sim, 2);
        assert_eq!((live(&sim), sim.function().versions.len()), ((Some(v(2)), false), 2));
    }
}

#[test]
fn a_preview_alias_that_shares_its_traffic_is_pointed_at_the_new_version_alone() {
    let mut sim = published(blue_green(true, false, 5));
    sim.tick();
    assert_eq!(sim.tick().actions, []);
    sim.preview.as_mut().unwrap().additional = Some(on_2(5_000));
    let plan = sim.tick();
    assert!(matches!(plan.actions[..], [Action::PointPreview { .. }]), "{plan:?}");
}

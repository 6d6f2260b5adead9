//! What has to hold before and while a new version gets traffic: analysis, alarms, a person.
use release_schema::{Analysis, OnMissingData};
use tidegate_core::analysis::{AlarmState, Measured, Outcome, Window};
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::Kind;
use tidegate_core::plan::Action;
use tidegate_core::state::{Advance, Phase, ServiceState};
use tidegate_core::status::{Health, HoldReason, PhaseName, WaitingOn};

use crate::build::*;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

/// In the first step of [`two_steps`], judged by this; read back at minute 2.
fn judged_by(analysis: Analysis) -> Sim {
    let mut sim = published(two_steps());
    sim.service.analysis = Some(analysis);
    sim.measured = alarm_is(AlarmState::Ok);
    sim.tick();
    sim.tick();
    sim
}

pub(crate) fn aborts(sim: &mut Sim, reason: &str) {
    let plan = sim.tick();
    let on = WaitingOn::Retry { reason: reason.to_owned() };
    assert_eq!((plan.standing.health, plan.standing.waiting_on), (Health::Degraded, Some(on)));
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(1)), None));
    let last = sim.records.last().unwrap();
    assert_eq!((last.kind, last.reason.as_deref()), (Kind::Aborted, Some(reason)));
    // And that is the end of it.
    let (looks, plan) = sim.decide();
    assert_eq!((looks, plan.actions), (vec![Look::Alias], vec![]));
}

#[test]
fn an_alarm_turns_a_step_back_before_its_time_is_over() {
    let mut sim = judged_by(by_alarm());
    assert_eq!(sim.decide().1.standing.waiting_on, Some(WaitingOn::StepTime { until: at(12) }));
    sim.measured = alarm_is(AlarmState::Alarm);
    sim.at(4);
    aborts(&mut sim, "the analysis failed: alarm flight-5xx is in ALARM");
}

#[test]
fn an_alarm_that_was_red_before_does_not_block_the_release_that_would_turn_it_green() {
    let mut sim = published(two_steps());
    sim.service.analysis = Some(by_alarm());
    sim.measured = alarm_is(AlarmState::Alarm);
    sim.tick();
    sim.tick();
    sim.at(5);
    let plan = sim.tick();
    assert_eq!(plan.standing.phase, PhaseName::Holding);
    let verdict = sim.state.as_ref().unwrap().rollout.verdict.clone().unwrap();
    assert_eq!(verdict.outcome, Outcome::Successful);
    assert!(verdict.findings[0].message.contains("before the release began"), "{verdict:?}");
    assert_eq!(sim.tick().standing.phase, PhaseName::Holding, "however often it is looked at");
    // Green once, it counts from then on.
    sim.measured = alarm_is(AlarmState::Ok);
    sim.tick();
    sim.measured = alarm_is(AlarmState::Alarm);
    aborts(&mut sim, "the analysis failed: alarm flight-5xx is in ALARM");
}

fn by_increase() -> Analysis {
    Analysis { max_error_rate: None, max_error_rate_increase: Some("0.5%".parse().unwrap()), ..by_errors() }
}

fn by_duration() -> Analysis {
    Analysis { max_error_rate: None, max_duration_p99: Some(minutes(1)), ..by_errors() }
}

#[test]
fn metrics_are_asked_for_once_there_is_a_full_minute_of_them_and_only_those_that_a_gate_needs() {
    // Whether canary and stable are asked about, in a step that was read back at minute 2.
    for (analysis, early, late) in [
        (by_alarm(), (false, false), (false, false)),
        (by_errors(), (false, false), (true, false)),
        (by_duration(), (false, false), (true, false)),
        (by_increase(), (false, false), (true, true)),
    ] {
        let asked = |minute: i64| {
            let mut sim = judged_by(analysis.clone());
            sim.at(minute);
            let measures = sim.decide().0.into_iter().find_map(|look| match look {
                Look::Measure(measure) => Some((measure.canary.is_some(), measure.stable.is_some())),
                _ => None,
            });
            measures.unwrap()
        };
        assert_eq!((asked(5), asked(6)), (early, late), "{analysis:?}");
    }
}

#[test]
fn a_step_of_ten_minutes_is_judged_when_it_is_over_and_where_metrics_are_measured_two_minutes_later() {
    for (analysis, due) in [(by_alarm(), 12), (by_errors(), 14), (by_duration(), 14), (by_increase(), 14)] {
        let mut sim = published(two_steps());
        sim.version(2).configuration.timeout = 0;
        sim.service.analysis = Some(analysis);
        sim.measured = Measured { alarms: alarm_is(AlarmState::Ok).alarms, ..errors(0.0, 1_000.0) };
        sim.measured.stable = sim.measured.canary;
        sim.tick();
        sim.tick();
        sim.at(due - 1);
        assert_eq!(sim.tick().standing.phase, PhaseName::Holding);
        assert_eq!(sim.tick().standing.phase, PhaseName::Shifting, "{:?}", sim.service.analysis);
    }
}

#[test]
fn looks_that_say_nothing_count_only_once_the_step_is_over() {
    let mut sim = judged_by(by_alarm());
    // The alarm does not exist.
    sim.measured = Measured::default();
    for minute in 3..12 {
        sim.at(minute);
        sim.tick();
        assert_eq!(sim.state.as_ref().unwrap().rollout.inconclusive, 0, "in minute {minute}");
    }
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().rollout.inconclusive, 1);
}

#[test]
fn looks_that_say_nothing_are_counted_anew_after_one_that_does() {
    let mut sim = judged_by(by_alarm());
    sim.at(12);
    sim.tick();
    sim.tick();
    // The second step waits for a person.
    let mut count = |measured| {
        sim.measured = measured;
        sim.pass(20);
        sim.tick();
        let rollout = &sim.state.as_ref().unwrap().rollout;
        (rollout.inconclusive, rollout.counted.is_some())
    };
    assert_eq!(count(Measured::default()), (1, true));
    assert_eq!(count(Measured::default()), (2, true));
    assert_eq!(count(alarm_is(AlarmState::Ok)), (0, false));
    assert_eq!(count(Measured::default()), (1, true));
}

#[test]
fn a_release_gets_no_traffic_while_nobody_says_which_alarms_are_red_already() {
    let trouble = || Measured { trouble: Some("denied".to_owned()), ..Measured::default() };
    for strategy in [two_steps(), blue_green(false, true, 5)] {
        let mut sim = published(strategy);
        sim.service.analysis = Some(by_alarm());
        sim.measured = trouble();
        let on = WaitingOn::Alarms { message: "denied".to_owned() };
        assert_eq!(sim.tick(), nothing(waits(PhaseName::Preparing, on.clone())));
        sim.at(90);
        let overdue = sim.tick().standing;
        let since = sim.state.as_ref().unwrap().since;
        assert_eq!(overdue.waiting_on, Some(WaitingOn::Overdue { since, what: Box::new(on) }));
        assert_eq!((overdue.health, sim.alias_writes), (Health::Degraded, 0));
        sim.measured = alarm_is(AlarmState::Alarm);
        sim.tick();
        assert_eq!(sim.state.as_ref().unwrap().rollout.red_before, by_alarm().alarms);
    }
    // Where nothing is judged afterwards, nothing is waited for.
    let mut unwatched = published(blue_green(false, true, 0));
    unwatched.service.analysis = Some(by_alarm());
    unwatched.measured = trouble();
    let mut in_full = published(two_steps());
    in_full.service.analysis = Some(by_alarm());
    in_full.measured = trouble();
    told(&mut in_full, Word::Promote(FULL), None);
    unwatched.tick();
    for sim in [unwatched, in_full] {
        assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(2)));
    }
}

#[test]
fn a_step_is_judged_at_its_time_and_the_timeout_and_two_minutes_at_the_earliest() {
    let mut sim = judged_by(by_errors());
    sim.measured = errors(0.0, 400.0);
    sim.at(11);
    assert_eq!(sim.tick().standing.waiting_on, Some(WaitingOn::StepTime { until: at(12) }));
    sim.at(13);
    let due = at(14) + chrono::Duration::seconds(3);
    assert_eq!(sim.tick().standing.waiting_on, Some(WaitingOn::Metrics { until: due }));
    sim.at(14);
    assert_eq!(sim.tick().standing.waiting_on, Some(WaitingOn::Metrics { until: due }));
    sim.at(15);
    let plan = sim.tick();
    assert_eq!(plan.standing.phase, PhaseName::Shifting);
    let result = &sim.state.as_ref().unwrap().rollout.results[0];
    let verdict = result.verdict.as_ref().unwrap();
    assert_eq!((verdict.outcome, verdict.window), (Outcome::Successful, Window { from: at(2), to: at(12) }));
}

#[test]
fn looking_twice_at_once_is_one_look() {
    let mut sim = judged_by(by_errors());
    sim.measured = errors(0.0, 400.0);
    sim.at(9);
    let (_, plan) = sim.decide();
    sim.execute(&plan, None).unwrap();
    assert_eq!(sim.state.as_ref().unwrap().rollout.looks, 1);
    let (looks, plan) = sim.decide();
    assert_eq!((looks, plan.actions), (vec![Look::Alias], vec![]));
}

#[test]
fn errors_that_are_proven_turn_a_step_back_early() {
    let mut sim = judged_by(by_errors());
    sim.measured = errors(40.0, 80.0);
    sim.at(6);
    let plan = sim.tick();
    assert_eq!((plan.standing.phase, plan.standing.health), (PhaseName::Aborted, Health::Degraded));
    let record = sim.records.last().unwrap();
    assert!(record.reason.as_ref().unwrap().starts_with("the analysis failed: error rate 50 %"), "{record:?}");
    assert_eq!(record.steps[0].verdict.as_ref().unwrap().outcome, Outcome::Failed);
}

#[test]
fn metrics_that_are_missing_hold_and_fail_only_after_more_looks_than_are_tolerated() {
    let mut sim = judged_by(by_errors());
    sim.measured = Measured::default();
    let mut held = Vec::new();
    for minute in 15..60 {
        sim.at(minute);
        let plan = sim.tick();
        if plan.standing.phase == PhaseName::Aborted {
            // At its end, and after each further ten minutes: more than three of them.
            assert_eq!(minute, 45);
            assert!(sim.records.last().unwrap().reason.as_ref().unwrap().contains("stayed inconclusive 4 times"));
            assert!(held.iter().all(|looks| (1..=3).contains(looks)), "{held:?}");
            return;
        }
        let on = plan.standing.waiting_on.unwrap();
        held.push(match on {
            WaitingOn::Inconclusive { looks, .. } => looks,
            WaitingOn::Overdue { what, .. } => match *what {
                WaitingOn::Inconclusive { looks, .. } => looks,
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        });
    }
    panic!("it never failed");
}

#[test]
fn missing_metrics_fail_at_the_end_of_the_step_where_the_release_repository_says_so() {
    let mut sim = judged_by(Analysis { on_missing_data: OnMissingData::Fail, ..by_errors() });
    sim.measured = Measured::default();
    sim.at(10);
    assert_eq!(sim.tick().standing.phase, PhaseName::Holding);
    sim.at(15);
    assert_eq!(sim.tick().standing.phase, PhaseName::Aborted);
}

#[test]
fn a_person_goes_over_metrics_that_say_too_little_and_not_over_a_failure_unless_by_force() {
    let step = Word::Promote(Advance { full: false, force: false });
    let force = Word::Promote(Advance { full: false, force: true });
    let mut sim = judged_by(by_errors());
    sim.measured = Measured::default();
    sim.at(20);
    told(&mut sim.clone(), step, None);
    sim.measured = errors(40.0, 80.0);
    says(&mut sim, step, None);
    let refusal = sim.refusal();
    assert!(refusal.starts_with("it is not promoted: the analysis failed: error rate 50 %"), "{refusal}");
    assert!(refusal.ends_with("`--force --reason TEXT` goes over that"), "{refusal}");
    let plan = told(&mut sim, force, Some("the load test's errors"));
    assert_eq!(plan.standing.phase, PhaseName::Shifting);
    let result = &sim.state.as_ref().unwrap().rollout.results[0];
    assert_eq!(result.over.as_deref(), Some("promote --force by ann"));
    assert_eq!(sim.state.as_ref().unwrap().said[0].reason.as_deref(), Some("the load test's errors"));
}

/// The process died right after it stored that the next step, or all traffic, follows.
#[test]
fn what_ended_a_step_and_had_no_effect_is_decided_again_by_what_is_seen_now() {
    for (steps, phase) in [(vec![10, 50], PhaseName::Shifting), (vec![10], PhaseName::Promoting)] {
        let steps = steps.into_iter().flat_map(|percent| [weight(percent), pause(10)]).collect();
        let mut sim = published(canary(steps));
        sim.service.analysis = Some(by_errors());
        sim.tick();
        sim.tick();
        sim.measured = errors(0.0, 2_000.0);
        sim.at(20);
        sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
        assert_eq!(PhaseName::from(&sim.state.as_ref().unwrap().phase), phase);

        let mut good = sim.clone();
        let plan = good.tick();
        assert_eq!(plan.standing.phase, if phase == PhaseName::Shifting { phase } else { PhaseName::Idle });
        assert!(matches!(plan.actions[1], Action::SetWeight { .. } | Action::UpdateAlias { .. }), "{plan:#?}");

        let mut silent = sim.clone();
        silent.measured = Measured::default();
        let plan = silent.tick();
        assert_eq!((plan.standing.phase, plan.moves_forward()), (PhaseName::Holding, false), "{plan:#?}");
        let state = silent.state.as_ref().unwrap();
        assert_eq!((&state.phase, state.since, &state.rollout.results), (&first_step(), at(2), &vec![]));

        sim.measured = errors(400.0, 2_000.0);
        let plan = sim.tick();
        assert_eq!((plan.standing.phase, plan.standing.health), (PhaseName::Aborted, Health::Degraded));
    }
}

#[test]
fn a_persons_word_that_ended_a_step_and_had_no_effect_stands() {
    let mut sim = judged_by(by_errors());
    sim.measured = Measured::default();
    sim.at(20);
    says(&mut sim, Word::Promote(Advance { full: false, force: false }), None);
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
    let expected = set_weight(5_000, &sim);
    assert_eq!(sim.tick().actions, [expected]);
}

#[test]
fn a_failure_turns_back_what_is_paused_and_what_waits_while_git_is_down() {
    for disturb in [(|sim: &mut Sim| drop(told(sim, Word::Pause, None))) as fn(&mut Sim), |sim| {
        sim.hold = Some(HoldReason::GitUnavailable { message: "connection refused".to_owned() })
    }] {
        let mut sim = judged_by(by_alarm());
        disturb(&mut sim);
        sim.measured = alarm_is(AlarmState::Alarm);
        sim.at(5);
        aborts(&mut sim, "the analysis failed: alarm flight-5xx is in ALARM");
    }
}

/// Everything at once: what beats what, one against the next below it.
#[test]
fn words_verdicts_and_git_beat_one_another_in_one_order() {
    let red = |mut sim: Sim| {
        sim.measured = alarm_is(AlarmState::Alarm);
        sim.at(20);
        sim
    };
    // 1 before 2: an abort over an edit.
    let mut sim = judged_by(by_alarm());
    sim.move_by_hand(2, None);
    sim.tick();
    assert_eq!(told(&mut sim, Word::Abort, None).standing.phase, PhaseName::Aborted);
    // 2 before 3 and 4: an edit holds, whatever metrics and Git say.
    let mut sim = judged_by(by_alarm());
    sim.move_by_hand(1, Some(on_2(5)));
    sim.tick();
    sim.git_wants('c');
    let sim = red(sim);
    assert!(matches!(sim.decide().1.standing.waiting_on, Some(WaitingOn::EditedMidway { .. })));
    // 3 before 5: a failure over a pause. 4 before 5: Git over a pause.
    let mut sim = judged_by(by_alarm());
    told(&mut sim, Word::Pause, None);
    assert_eq!(red(sim.clone()).decide().1.standing.phase, PhaseName::Aborted);
    sim.git_wants('a');
    assert_eq!(sim.decide().1.standing, synced());
    // 5 before 6: a pause over a promotion. 6 before 7: a promotion over waiting.
    let mut sim = judged_by(by_alarm());
    let promote = Word::Promote(Advance { full: true, force: false });
    let mut paused = sim.clone();
    told(&mut paused, Word::Pause, None);
    says(&mut paused, promote, None);
    assert!(paused.refusal().contains("it is paused by ann"));
    assert_eq!(told(&mut sim, promote, None).standing, synced());
}

#[test]
fn an_analysis_that_stays_inconclusive_past_the_progress_deadline_is_degraded() {
    let mut sim = judged_by(by_errors());
    sim.measured = Measured::default();
    sim.at(15);
    assert!(matches!(sim.tick().standing.waiting_on, Some(WaitingOn::Inconclusive { .. })));
    sim.at(29);
    let plan = sim.tick();
    assert_eq!(plan.standing.health, Health::Degraded);
    assert!(matches!(plan.standing.waiting_on, Some(WaitingOn::Overdue { .. })), "{plan:?}");
    let state: &ServiceState = sim.state.as_ref().unwrap();
    assert_eq!(state.phase, Phase::Holding { version: v(2), step: 0, weight: 1_000 });
}

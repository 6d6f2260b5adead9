//! What a look at the metrics comes to: each gate with its numbers, data that are not there, and how sure a verdict is.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use release_schema::{AlarmName, Analysis, OnMissingData};
use tidegate_core::analysis::{AlarmState, LookAt, Measured, Outcome, Sample, Verdict, Window, judge};

use crate::build::at;

/// No gate, and everything else as it is by default.
fn no_gates() -> Analysis {
    Analysis {
        max_error_rate: None,
        max_error_rate_increase: None,
        max_duration_p99: None,
        min_invocations: 50,
        confidence: "99%".parse().unwrap(),
        max_inconclusive: 3,
        alarms: BTreeSet::new(),
        on_missing_data: OnMissingData::Hold,
    }
}

/// At most 1 % errors.
fn error_rate() -> Analysis {
    Analysis { max_error_rate: Some("1%".parse().unwrap()), ..no_gates() }
}

/// At most half a percentage point more errors than stable.
fn increase() -> Analysis {
    Analysis { max_error_rate_increase: Some("0.5%".parse().unwrap()), ..no_gates() }
}

/// No more than 1 % of the calls slower than 800 ms.
fn duration() -> Analysis {
    Analysis { max_duration_p99: Some(Duration::from_millis(800)), ..no_gates() }
}

fn name(alarm: &str) -> AlarmName {
    alarm.parse().unwrap()
}

fn alarms(names: &[&str]) -> Analysis {
    Analysis { alarms: names.iter().copied().map(name).collect(), ..no_gates() }
}

fn sample(invocations: f64, errors: f64, slow: f64) -> Sample {
    Sample { invocations: Some(invocations), errors: Some(errors), slow: Some(slow) }
}

/// The new version: invocations, errors, slow calls.
fn canary(invocations: f64, errors: f64, slow: f64) -> Measured {
    Measured { canary: sample(invocations, errors, slow), ..Measured::default() }
}

fn in_state(state: AlarmState, names: &[&str]) -> Measured {
    Measured { alarms: names.iter().map(|alarm| (name(alarm), state)).collect(), ..Measured::default() }
}

/// The first look of a rollout, in the middle of its step.
fn first_look(analysis: &Analysis, measured: &Measured) -> Verdict {
    look(analysis, measured, 1, false, &BTreeSet::new())
}

fn look(
    analysis: &Analysis,
    measured: &Measured,
    number: u32,
    over: bool,
    red_before: &BTreeSet<AlarmName>,
) -> Verdict {
    let window = Window { from: at(0), to: at(10) };
    judge(LookAt { analysis, number, red_before, window, over, now: at(13) }, measured)
}

/// Outcome and line of each finding, as a report shows them.
fn lines(verdict: &Verdict) -> Vec<String> {
    verdict.findings.iter().map(|finding| format!("{}: {}", finding.outcome, finding.message)).collect()
}

#[test]
fn an_error_rate_is_told_with_its_invocations_and_its_maximum() {
    let told = |errors: f64| lines(&first_look(&error_rate(), &canary(400.0, errors, 0.0)));
    assert_eq!(told(2.0), ["Successful: error rate 0.5 % of 400 (at most 1 %)"]);
    assert_eq!(told(8.0), ["Inconclusive: error rate 2 % of 400 (at most 1 %), not sure yet"]);
    assert_eq!(told(20.0), ["Failed: error rate 5 % of 400 (at most 1 %)"]);
}

#[test]
fn an_error_rate_is_compared_with_that_of_stable() {
    let told = |errors: f64| {
        let measured = Measured { stable: sample(3600.0, 18.0, 0.0), ..canary(400.0, errors, 0.0) };
        lines(&first_look(&increase(), &measured))
    };
    let of_stable = "of stable (at most 0.5 points more)";
    assert_eq!(told(2.0), [format!("Successful: error rate 0.5 % against 0.5 % {of_stable}")]);
    assert_eq!(told(10.0), [format!("Inconclusive: error rate 2.5 % against 0.5 % {of_stable}, not sure yet")]);
    assert_eq!(told(20.0), [format!("Failed: error rate 5 % against 0.5 % {of_stable}")]);
}

#[test]
fn a_new_version_may_fail_as_often_as_a_stable_one_that_fails_often() {
    let measured = Measured { stable: sample(3600.0, 360.0, 0.0), ..canary(400.0, 40.0, 0.0) };
    assert_eq!(first_look(&increase(), &measured).outcome, Outcome::Successful);
}

#[test]
fn a_99th_percentile_is_the_share_of_calls_that_take_longer() {
    let told = |slow: f64| lines(&first_look(&duration(), &canary(500.0, 0.0, slow)));
    assert_eq!(told(5.0), ["Successful: 1 % of calls took longer than 800 ms (at most 1 %)"]);
    assert_eq!(told(9.0), ["Inconclusive: 1.8 % of calls took longer than 800 ms (at most 1 %), not sure yet"]);
    assert_eq!(told(25.0), ["Failed: 5 % of calls took longer than 800 ms (at most 1 %)"]);
}

#[test]
fn one_error_in_twenty_invocations_does_not_fail_a_release() {
    let analysis = Analysis { min_invocations: 20, ..error_rate() };
    assert_ne!(first_look(&analysis, &canary(20.0, 1.0, 0.0)).outcome, Outcome::Failed);
}

#[test]
fn the_same_errors_are_less_sure_the_more_often_was_looked() {
    let outcome = |number: u32| look(&error_rate(), &canary(400.0, 12.0, 0.0), number, false, &BTreeSet::new()).outcome;
    assert_eq!(
        [1, 2, 10, 1000].map(outcome),
        [Outcome::Failed, Outcome::Failed, Outcome::Inconclusive, Outcome::Inconclusive]
    );
}

#[test]
fn as_many_invocations_as_are_needed_are_enough() {
    let least = f64::from(error_rate().min_invocations);
    let says = |invocations| first_look(&error_rate(), &canary(invocations, 0.0, 0.0)).because();
    assert_eq!(says(least - 1.0), format!("{} of {least} invocations so far", least - 1.0));
    assert!(says(least).starts_with("error rate 0 %"), "{}", says(least));
}

/// All levels add up to `1 - confidence`, which is 1 %: look k has 1/(k (k + 1)) of that.
#[test]
fn each_look_has_its_part_of_what_the_confidence_leaves() {
    let fails = |errors: f64, number| {
        let measured = canary(2_000.0, errors, 0.0);
        look(&error_rate(), &measured, number, false, &BTreeSet::new()).outcome == Outcome::Failed
    };
    let least = |number| (20..2_000).map(f64::from).find(|errors| fails(*errors, number)).unwrap();
    // By the exact binomial distribution, P(X >= x) of 2,000 invocations that fail in 1 of 100.
    assert_eq!([1, 2, 3, 9].map(least), [33.0, 35.0, 36.0, 39.0]);
}

#[test]
fn too_few_invocations_say_nothing_of_any_gate() {
    let analysis = Analysis { max_duration_p99: Some(Duration::from_secs(1)), ..error_rate() };
    let told = |invocations: f64| lines(&first_look(&analysis, &canary(invocations, invocations, 0.0)));
    assert_eq!(told(12.0), ["Inconclusive: 12 of 50 invocations so far"]);
    assert_eq!(told(0.0), ["Inconclusive: 0 of 50 invocations so far"]);
}

#[test]
fn too_few_invocations_of_stable_are_nothing_to_compare_with() {
    let measured = Measured { stable: sample(7.0, 0.0, 0.0), ..canary(400.0, 0.0, 0.0) };
    assert_eq!(lines(&first_look(&increase(), &measured)), ["Inconclusive: 7 of 50 invocations of stable so far"]);
}

#[test]
fn a_step_without_a_full_minute_yet_is_told_from_one_whose_metrics_are_missing() {
    let window = Window { from: at(1), to: at(1) };
    let (analysis, red_before) = (error_rate(), BTreeSet::new());
    let look = LookAt { analysis: &analysis, number: 1, red_before: &red_before, window, over: false, now: at(2) };
    assert_eq!(lines(&judge(look, &Measured::default())), ["Inconclusive: no full minute is measured yet"]);
}

#[test]
fn what_is_missing_is_named_and_why() {
    let told = |analysis: &Analysis, sample: Sample| {
        let trouble = Some("CloudWatch answered with partial data".to_owned());
        lines(&first_look(analysis, &Measured { canary: sample, trouble, ..Measured::default() }))
    };
    let why = "Inconclusive: CloudWatch answered with partial data";
    let missing = Sample::default();
    assert_eq!(told(&error_rate(), missing), ["Inconclusive: the number of invocations is not known", why]);
    let missing = Sample { errors: None, ..sample(400.0, 0.0, 0.0) };
    assert_eq!(told(&error_rate(), missing), ["Inconclusive: the number of errors is not known", why]);
    let missing = Sample { slow: None, ..sample(400.0, 0.0, 0.0) };
    let line = "Inconclusive: how many calls took longer than 800 ms is not known";
    assert_eq!(told(&duration(), missing), [line, why]);
}

#[test]
fn missing_data_fail_a_step_only_where_they_shall_and_its_time_is_over() {
    let outcome = |on_missing_data, over| {
        let analysis = Analysis { on_missing_data, ..error_rate() };
        look(&analysis, &canary(12.0, 0.0, 0.0), 1, over, &BTreeSet::new()).outcome
    };
    assert_eq!(outcome(OnMissingData::Hold, false), Outcome::Inconclusive);
    assert_eq!(outcome(OnMissingData::Hold, true), Outcome::Inconclusive);
    assert_eq!(outcome(OnMissingData::Fail, false), Outcome::Inconclusive);
    assert_eq!(outcome(OnMissingData::Fail, true), Outcome::Failed);
}

#[test]
fn an_analysis_of_alarms_alone_needs_no_invocations() {
    let verdict = first_look(&alarms(&["flight-5xx"]), &in_state(AlarmState::Ok, &["flight-5xx"]));
    assert_eq!(
        (verdict.outcome, lines(&verdict)),
        (Outcome::Successful, vec!["Successful: alarm flight-5xx is OK".to_owned()])
    );
}

#[test]
fn an_alarm_fails_a_release_by_its_state_alone() {
    let told = |state| lines(&first_look(&alarms(&["flight-5xx"]), &in_state(state, &["flight-5xx"])));
    assert_eq!(told(AlarmState::Alarm), ["Failed: alarm flight-5xx is in ALARM"]);
    assert_eq!(told(AlarmState::InsufficientData), ["Successful: alarm flight-5xx is in INSUFFICIENT_DATA"]);
}

#[test]
fn an_alarm_that_was_red_before_does_not_stop_its_fix() {
    let red_before = BTreeSet::from([name("flight-5xx")]);
    let measured = in_state(AlarmState::Alarm, &["flight-5xx"]);
    let verdict = look(&alarms(&["flight-5xx"]), &measured, 1, false, &red_before);
    assert_eq!(lines(&verdict), ["Successful: alarm flight-5xx was in ALARM before the release began"]);
}

#[test]
fn an_alarm_that_does_not_exist_is_never_a_pass() {
    let analysis = Analysis { on_missing_data: OnMissingData::Fail, ..alarms(&["flight-5xx", "misspelt"]) };
    let verdict = look(&analysis, &in_state(AlarmState::Ok, &["flight-5xx"]), 1, true, &BTreeSet::new());
    assert_eq!(lines(&verdict), ["Inconclusive: alarm misspelt was not found", "Successful: alarm flight-5xx is OK"]);
    assert_eq!(verdict.outcome, Outcome::Inconclusive);
}

#[test]
fn a_verdict_is_its_worst_gate_and_says_which() {
    let analysis = Analysis { alarms: BTreeSet::from([name("flight-5xx"), name("slow")]), ..error_rate() };
    let states = BTreeMap::from([(name("flight-5xx"), AlarmState::Alarm), (name("slow"), AlarmState::Ok)]);
    let verdict = first_look(&analysis, &Measured { alarms: states, ..canary(400.0, 20.0, 0.0) });
    assert_eq!(verdict.outcome, Outcome::Failed);
    assert_eq!(verdict.because(), "alarm flight-5xx is in ALARM; error rate 5 % of 400 (at most 1 %)");
    assert_eq!(verdict.findings.last().map(|finding| finding.outcome), Some(Outcome::Successful));
    assert_eq!((verdict.at, verdict.window), (at(13), Window { from: at(0), to: at(10) }));
}

#[test]
fn findings_fit_a_terminal() {
    let analysis = Analysis {
        max_error_rate: Some("0.0125%".parse().unwrap()),
        max_error_rate_increase: Some("0.0125%".parse().unwrap()),
        ..duration()
    };
    let measured = Measured { stable: sample(9_876_543.0, 1234.0, 0.0), ..canary(1_234_567.0, 189.0, 12_600.0) };
    for line in lines(&first_look(&analysis, &measured)) {
        let message = line.split_once(": ").unwrap().1;
        assert!(message.len() <= 80, "{} columns: {message}", message.len());
    }
}

/// One minute of a release whose true error rate is 1 %: 20 invocations.
fn errors_of_a_minute(random: &mut fastrand::Rng) -> f64 {
    (0..20).map(|_| f64::from(u8::from(random.f64() < 0.01))).sum()
}

#[test]
fn a_release_that_is_just_good_enough_fails_no_more_often_than_the_confidence_allows_in_a_thousand_looks() {
    let analysis = Analysis { confidence: "90%".parse().unwrap(), ..error_rate() };
    let fails = |seed: u64| {
        let (mut random, mut errors) = (fastrand::Rng::with_seed(seed), 0.0);
        (1..=1000_u32).any(|number| {
            errors += errors_of_a_minute(&mut random);
            let measured = canary(f64::from(number) * 20.0, errors, 0.0);
            look(&analysis, &measured, number, false, &BTreeSet::new()).outcome == Outcome::Failed
        })
    };
    let failed = (0..300).filter(|seed| fails(*seed)).count();
    assert!(failed <= 30, "{failed} of 300");
    assert!(failed > 0, "a level that nothing ever reaches holds no release back either");
}

/// Everything that CloudWatch could answer with, sensible or not.
fn any_sum() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![
        3 => (0_u32..2000).prop_map(|sum| Some(f64::from(sum))),
        1 => prop::option::of(any::<f64>()),
        1 => prop::sample::select(vec![Some(f64::NAN), Some(f64::INFINITY), Some(-1.0), Some(0.5), None]),
    ]
}

fn any_sample() -> impl Strategy<Value = Sample> {
    (any_sum(), any_sum(), any_sum()).prop_map(|(invocations, errors, slow)| Sample { invocations, errors, slow })
}

/// 2^53: whole numbers are told apart up to here, and beyond it nothing is a count.
const MOST: f64 = 9_007_199_254_740_992.0;

/// A count of something that can happen to each of `of` invocations.
fn is_count(sum: Option<f64>, of: f64) -> bool {
    sum.is_some_and(|sum| sum >= 0.0 && sum.fract() == 0.0 && sum <= of)
}

proptest! {
    #[test]
    fn what_is_no_count_is_never_a_pass(
        canary in any_sample(),
        stable in any_sample(),
        number in 1_u32..2000,
        over: bool,
    ) {
        let analysis = Analysis {
            max_error_rate_increase: increase().max_error_rate_increase,
            max_duration_p99: duration().max_duration_p99,
            ..error_rate()
        };
        let measured = Measured { canary, stable, ..Measured::default() };
        let verdict = look(&analysis, &measured, number, over, &BTreeSet::new());
        let sound = |sample: Sample| {
            let invocations = sample.invocations.unwrap_or(f64::NAN);
            invocations >= 50.0 && is_count(sample.invocations, MOST) && is_count(sample.errors, invocations)
        };
        if verdict.outcome == Outcome::Successful {
            prop_assert!(sound(canary) && sound(stable) && is_count(canary.slow, canary.invocations.unwrap_or(0.0)));
        }
    }

    #[test]
    fn more_errors_never_make_a_verdict_better(
        invocations in 50_u32..3000,
        share in 0.0..0.2_f64,
        more in 1_u32..50,
        stable in 50_u32..20_000,
        stable_share in 0.0..0.1_f64,
        number in 1_u32..100,
    ) {
        let analysis = Analysis { max_error_rate_increase: increase().max_error_rate_increase, ..error_rate() };
        let few = (f64::from(invocations) * share).floor();
        let many = (few + f64::from(more)).min(f64::from(invocations));
        let stable = sample(f64::from(stable), (f64::from(stable) * stable_share).floor(), 0.0);
        let outcome = |errors: f64| {
            let measured = Measured { stable, ..canary(f64::from(invocations), errors, 0.0) };
            look(&analysis, &measured, number, false, &BTreeSet::new()).outcome
        };
        prop_assert!(outcome(few) <= outcome(many));
    }

    #[test]
    fn more_errors_of_stable_never_make_a_verdict_worse(
        errors in 0_u32..60,
        stable in 50_u32..5000,
        share in 0.0..0.1_f64,
        more in 1_u32..50,
    ) {
        let few = (f64::from(stable) * share).floor();
        let many = (few + f64::from(more)).min(f64::from(stable));
        let outcome = |of_stable: f64| {
            let stable = sample(f64::from(stable), of_stable, 0.0);
            let measured = Measured { stable, ..canary(400.0, f64::from(errors), 0.0) };
            first_look(&increase(), &measured).outcome
        };
        prop_assert!(outcome(many) <= outcome(few));
    }
}

//! Blue-green: what has to hold before the new version gets traffic, and while it has all of it.
use release_schema::Analysis;
use tidegate_core::analysis::{AlarmState, Measure, Measured, Window};
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::Kind;
use tidegate_core::plan::Action;
use tidegate_core::state::{Advance, Phase};
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::gates::aborts;
use crate::rollout::*;
use crate::sim::Crash;
use crate::smoke_tests::{answers, smoke_test};

#[test]
fn blue_green_shows_the_new_version_tests_it_waits_for_a_person_switches_and_bakes() {
    let strategy = blue_green(true, false, 10);
    let mut sim = published(strategy.clone());
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = answers(200);
    let state_now = state(2, &release('b'), Some(deployed(1, &release('a'))), 'b', promoting(2));
    let preview = Action::PointPreview {
        alias: "candidate".parse().unwrap(),
        version: v(2),
        marker: marker(2, &release('b')),
        if_revision: None,
    };
    let qualifier = "candidate".to_owned();
    let invoke = Action::SmokeTest { qualifier, test: smoke_test(), state: Box::new(state_now.clone()) };
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Alias, Look::Version(v(2)), Look::Preview, Look::Head]);
    assert_eq!(plan.actions, [preview, invoke]);
    sim.tick();
    let gate = nothing(needs_a_person(PhaseName::Preparing, WaitingOn::Promotion));
    assert_eq!(sim.tick(), gate);
    assert_eq!(sim.tick(), gate);

    let plan = told(&mut sim, Word::Promote(Advance { full: false, force: false }), None);
    assert_eq!(plan.standing, waits(PhaseName::Promoting, WaitingOn::NextTick));
    assert!(matches!(plan.actions.as_slice(), [Action::SaveState(_), Action::UpdateAlias { .. }]), "{plan:?}");
    let asked = sim.minute();
    sim.pass(1);
    sim.tick();
    let baking = Phase::Baking { version: v(2), switched: at(asked) };
    assert_eq!(sim.state.as_ref().unwrap().phase, baking);
    let until = at(asked + 11);
    assert_eq!(sim.decide().1, nothing(waits(PhaseName::Baking, WaitingOn::StepTime { until })));
    sim.at(asked + 11);
    let plan = sim.tick();
    let names = ["record transition 2 as promoted", "write version 2 to the service registry", "finish the transition"];
    assert_eq!(plan.actions.iter().map(ToString::to_string).collect::<Vec<_>>(), names);
    sim.assert_converged();
    assert_eq!(sim.alias_writes, 1);
    let step = &sim.records.last().unwrap().steps[0];
    assert_eq!((step.step.as_str(), step.since, step.until), ("bake", at(asked + 1), at(asked + 11)));
}

#[test]
fn a_bake_begins_when_the_weights_of_provisioned_concurrency_are_gone() {
    let mut sim = published(blue_green(false, true, 5));
    sim.tick();
    sim.move_by_hand(2, Some(tidegate_core::live::Weighted { version: v(1), basis_points: 4_000 }));
    sim.provisioning = true;
    let on = waits(PhaseName::Promoting, WaitingOn::ProvisionedConcurrency);
    assert_eq!(sim.tick(), nothing(on));
    sim.provisioning = false;
    sim.move_by_hand(2, None);
    sim.at(30);
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().since, at(30));
}

#[test]
fn an_alarm_that_rings_in_the_bake_sends_everything_back_to_the_old_version() {
    let mut sim = published(blue_green(false, true, 30));
    sim.service.analysis = Some(by_alarm());
    sim.measured = alarm_is(AlarmState::Ok);
    for _ in 0..4 {
        sim.tick();
    }
    assert_eq!(sim.state.as_ref().unwrap().phase.version(), Some(v(2)));
    sim.measured = alarm_is(AlarmState::Alarm);
    aborts(&mut sim, "the analysis failed: alarm flight-5xx is in ALARM");
    assert_eq!(sim.records.last().unwrap().steps[0].step, "bake");
}

#[test]
fn what_was_live_lately_and_what_a_person_promotes_in_full_is_not_watched_after_the_switch() {
    let mut reverted = published(blue_green(false, true, 5));
    for _ in 0..10 {
        reverted.tick();
    }
    assert_eq!(reverted.records.last().unwrap().kind, Kind::Promoted);
    reverted.git_wants('a');
    reverted.tick();
    assert_eq!((reverted.alias.as_ref().unwrap().version, &reverted.state), (Some(v(1)), &None));

    let mut in_full = published(blue_green(false, false, 5));
    in_full.tick();
    told(&mut in_full, Word::Promote(FULL), None);
    assert_eq!((in_full.alias.as_ref().unwrap().version, &in_full.state), (Some(v(2)), &None));
}

#[test]
fn a_switch_that_is_not_watched_and_whose_tick_died_is_finished_by_the_next_one() {
    let mut sim = published(blue_green(false, true, 0));
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    assert_eq!(sim.tick().standing, synced());
    assert_eq!((sim.records.last().unwrap().kind, &sim.state), (Kind::Promoted, &None));
}

#[test]
fn a_bake_that_stays_inconclusive_is_overdue_by_its_deadline_after_its_time() {
    let mut sim = published(blue_green(false, true, 5));
    sim.service.analysis = Some(by_errors());
    sim.measured = Measured::default();
    sim.tick();
    sim.tick();
    for (minute, is_overdue) in [(11, false), (22, false), (23, true)] {
        sim.at(minute);
        let standing = sim.tick().standing;
        let since = match standing.waiting_on {
            Some(WaitingOn::Inconclusive { .. }) => None,
            Some(WaitingOn::Overdue { since, .. }) => Some(since),
            other => panic!("{other:?}"),
        };
        assert_eq!(since, is_overdue.then(|| at(7)), "in minute {minute}");
    }
}

#[test]
fn the_bake_is_compared_with_stables_own_time_before_the_switch() {
    let mut sim = published(blue_green(false, true, 10));
    sim.service.analysis = Some(Analysis { max_error_rate_increase: Some("0.5%".parse().unwrap()), ..by_errors() });
    sim.tick();
    sim.tick();
    sim.at(9);
    let (looks, _) = sim.decide();
    let window = Window { from: at(2), to: at(6) };
    // As long as the bake: it ends with the switch.
    let before = Window { from: at(-9), to: at(1) };
    let measure = Measure {
        canary: Some((v(2), window)),
        stable: Some((v(1), before)),
        slower_than: None,
        alarms: std::collections::BTreeSet::new(),
    };
    assert_eq!(looks, [Look::Alias, Look::Measure(measure)]);
}

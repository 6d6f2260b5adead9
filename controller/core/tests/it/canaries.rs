//! A canary from its first weight to its last, and everything that can come between.
use release_schema::{Step, Strategy};
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::{Kind, Record};
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::state::{Before, Direct, Phase, Rollout, ServiceState};
use tidegate_core::status::{Health, PhaseName, WaitingOn};

use crate::build::*;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

#[test]
fn the_first_weight_is_an_intent_and_one_write_and_stable_stays_the_primary() {
    let mut sim = published(two_steps());
    let phase = Phase::Shifting { version: v(2), step: 0, weight: 1_000, before: before(&sim) };
    let intent = rolling(phase, 1, &two_steps());
    let expected = Plan {
        actions: vec![save(intent), set_weight(1_000, &sim)],
        standing: waits(PhaseName::Shifting, WaitingOn::NextTick),
    };
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Alias, Look::Version(v(2)), Look::Serving, Look::Head]);
    assert_eq!(plan, expected);
    sim.tick();
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(1)), Some(on_2(1_000))));
}

#[test]
fn a_weight_counts_once_it_was_read_back_and_its_time_begins_then() {
    let mut sim = published(two_steps());
    sim.tick();
    sim.at(40);
    let plan = sim.tick();
    assert_eq!(
        plan,
        Plan {
            actions: vec![save(rolling(first_step(), 40, &two_steps()))],
            standing: waits(PhaseName::Holding, WaitingOn::NextTick),
        }
    );
    assert_eq!(sim.decide().1, nothing(waits(PhaseName::Holding, WaitingOn::StepTime { until: at(50) })));
}

#[test]
fn a_weight_that_never_arrived_is_written_again() {
    let mut sim = published(two_steps());
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    let again =
        Plan { actions: vec![set_weight(1_000, &sim)], standing: waits(PhaseName::Shifting, WaitingOn::ReadBack) };
    assert_eq!(sim.tick(), again);
    assert_eq!(sim.tick().standing.phase, PhaseName::Holding);
}

#[test]
fn an_answer_that_was_lost_costs_nothing_but_the_look() {
    let mut sim = published(two_steps());
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    assert_eq!(sim.tick().actions, [save(rolling(first_step(), 2, &two_steps()))]);
    assert_eq!(sim.alias_writes, 1);
}

#[test]
fn a_step_whose_time_is_over_is_followed_by_the_next_one_however_late() {
    let mut sim = holding();
    sim.at(11);
    assert_eq!(sim.decide().1.actions, []);
    for late in [12, 500] {
        let mut sim = sim.clone();
        sim.at(late);
        let before = before(&sim);
        let phase = Phase::Shifting { version: v(2), step: 1, weight: 5_000, before };
        let intent = with_results(rolling(phase, late, &two_steps()), vec![result("10 %", 2, late, None)]);
        let actions = vec![save(intent), set_weight(5_000, &sim)];
        assert_eq!(sim.tick(), Plan { actions, standing: waits(PhaseName::Shifting, WaitingOn::NextTick) });
    }
}

#[test]
fn a_step_without_a_duration_waits_for_a_person() {
    let mut sim = holding();
    sim.at(12);
    sim.tick();
    sim.tick();
    sim.at(9_000);
    assert_eq!(sim.decide().1, nothing(needs_a_person(PhaseName::Holding, WaitingOn::Promotion)));
    let plan = told(&mut sim, Word::Promote(STEP), Some("looked at the traces"));
    let kinds: Vec<&str> = plan.actions.iter().map(name).collect();
    assert_eq!(kinds, ["SaveState", "UpdateAlias", "AppendRecord", "WriteRegistry", "ClearState"]);
    assert_eq!(plan.standing, synced());
    let last = sim.records.last().unwrap();
    assert_eq!((last.kind, last.actor.as_str()), (Kind::Promoted, "ann"));
    assert_eq!(last.said, [said("promote", Some("looked at the traces"), 9_000)]);
    assert_eq!(last.steps, [result("10 %", 2, 12, None), result("50 %", 13, 9_000, Some("promote by ann"))]);
    sim.tick();
    sim.assert_converged();
}

#[test]
fn after_the_last_step_one_call_gives_everything_and_planning_again_does_nothing() {
    let strategy = canary(vec![weight(25), pause(5)]);
    let mut sim = published(strategy.clone());
    sim.tick();
    sim.tick();
    sim.at(7);
    let before = before(&sim);
    let results = vec![result("25 %", 2, 7, None)];
    let intent = rolling(Phase::Promoting { version: v(2), before }, 7, &strategy);
    let intent = with_results(intent, results.clone());
    let from = Some(deployed(1, &release('a')));
    let promoted = record(2, Kind::Promoted, from, deployed(2, &release('b')), commit('b'), [0, 7]);
    let promoted = Record { steps: results, ..promoted };
    let expected = Plan {
        actions: vec![
            save(intent),
            promote(&sim),
            Action::AppendRecord(Box::new(promoted)),
            Action::WriteRegistry { version: v(2), tag: release('b').tag },
            Action::ClearState,
        ],
        standing: synced(),
    };
    assert_eq!(sim.tick(), expected);
    sim.assert_converged();
    assert_eq!(sim.alias.as_ref().unwrap().additional, None);
}

#[test]
fn a_death_at_every_action_of_a_canary_leads_to_the_same_end() {
    for at_tick in 0..6 {
        for crash in (0..5).flat_map(|index| [Crash::Before(index), Crash::After(index)]) {
            let mut sim = Sim::wanting('b');
            sim.service = service_with(canary(vec![weight(25), pause(2)]));
            for tick in 0..20 {
                let _ = sim.tick_until((tick == at_tick).then_some(crash));
                sim.aws_finishes();
            }
            sim.assert_converged();
            let kinds: Vec<Kind> = sim.records.iter().map(|record| record.kind).collect();
            assert_eq!(kinds, [Kind::Adopted, Kind::Promoted], "{crash:?} in tick {at_tick}");
            assert_eq!(sim.function().versions.len(), 2, "{crash:?} in tick {at_tick}");
        }
    }
}

#[test]
fn other_content_in_git_sends_traffic_back_first_and_the_new_release_begins_in_the_next_tick() {
    let mut sim = holding();
    sim.git_wants('c');
    sim.at(5);
    let reason = "commit cccccccccccc wants something else";
    let phase = Phase::Returning {
        version: v(2),
        ending: Kind::Superseded,
        reason: reason.to_owned(),
        actor: "controller".to_owned(),
        before: sim.alias.as_ref().map(Before::from),
    };
    let expected = Plan {
        actions: vec![
            save(rolling(phase, 5, &two_steps())),
            back(&sim),
            Action::AppendRecord(Box::new(turned_back(Kind::Superseded, reason, 5))),
            Action::ClearState,
        ],
        standing: waits(PhaseName::Idle, WaitingOn::NextTick),
    };
    assert_eq!(sim.tick(), expected);
    let next = sim.tick();
    assert_eq!(next.standing.phase, PhaseName::Publishing);
    assert_eq!(sim.state.as_ref().unwrap().transition.0, 3);
}

#[test]
fn a_revert_in_git_goes_straight_back_to_stable() {
    let mut sim = holding();
    sim.git_wants('a');
    let plan = sim.tick();
    assert_eq!(
        plan.actions.iter().map(name).collect::<Vec<_>>(),
        ["SaveState", "Return", "AppendRecord", "ClearState"]
    );
    assert_eq!(plan.standing, synced());
    sim.assert_converged();
}

#[test]
fn a_return_that_died_anywhere_is_brought_to_its_end() {
    for crash in (0..4).flat_map(|index| [Crash::Before(index), Crash::After(index)]) {
        let mut sim = holding();
        sim.git_wants('a');
        let _ = sim.tick_until(Some(crash));
        sim.tick();
        sim.tick();
        sim.assert_converged();
        let kinds: Vec<Kind> = sim.records.iter().map(|record| record.kind).collect();
        assert_eq!(kinds, [Kind::Adopted, Kind::Superseded], "{crash:?}");
        let alias = sim.alias.as_ref().unwrap();
        assert_eq!((alias.version, alias.additional), (Some(v(1)), None), "{crash:?}");
    }
}

#[test]
fn a_return_that_landed_is_neither_repeated_nor_an_edit() {
    let mut sim = holding();
    let writes = sim.alias_writes;
    says(&mut sim, Word::Abort, Some("5xx"));
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    sim.word = None;
    sim.tick();
    let said: Vec<&str> = sim.records.last().unwrap().said.iter().map(|said| said.what.as_str()).collect();
    assert_eq!((sim.alias_writes, said), (writes + 1, vec!["abort"]));
}

#[test]
fn what_is_turned_back_is_neither_paused_nor_edited_any_more() {
    let mut sim = holding();
    told(&mut sim, Word::Pause, None);
    sim.move_by_hand(1, Some(on_2(5_800)));
    sim.tick();
    let state = sim.state.as_ref().unwrap();
    assert!(state.paused.is_some() && state.edited.is_some(), "{state:?}");
    let plan = told(&mut sim, Word::Abort, None);
    let stored = plan.actions.iter().filter_map(|action| match action {
        Action::SaveState(state) => Some((PhaseName::from(&state.phase), &state.paused, state.edited, state.since)),
        _ => None,
    });
    let now = at(sim.minute());
    let expected = [PhaseName::Returning, PhaseName::Aborted].map(|phase| (phase, &None, None, now));
    assert_eq!(stored.collect::<Vec<_>>(), expected);
}

#[test]
fn a_return_that_a_person_asked_for_is_recorded_as_theirs_whoever_brings_it_to_its_end() {
    let mut sim = holding();
    says(&mut sim, Word::Abort, Some("5xx"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
    sim.tick();
    let record = sim.records.last().unwrap();
    assert_eq!((record.kind, record.actor.as_str()), (Kind::Aborted, "ann"));
}

#[test]
fn a_release_that_was_live_lately_goes_straight_live_again() {
    let mut sim = published(Strategy::AllAtOnce);
    sim.tick();
    sim.service = service_with(two_steps());
    sim.git_wants('a');
    let plan = sim.tick();
    let kinds: Vec<&str> = plan.actions.iter().map(name).collect();
    assert_eq!(kinds, ["SaveState", "UpdateAlias", "AppendRecord", "WriteRegistry", "ClearState"]);
    let Action::SaveState(intent) = &plan.actions[0] else { panic!("{plan:?}") };
    assert_eq!(intent.rollout.direct, Some(Direct::RollbackWindow));
    sim.assert_converged();
}

#[test]
fn a_first_deploy_ignores_the_strategy() {
    let mut sim = Sim::unpublished(release('a').code, release('a'));
    sim.service = service_with(two_steps());
    sim.settle(6);
    sim.assert_converged();
    assert_eq!(sim.alias_writes, 1);
}

#[test]
fn other_steps_in_git_restart_a_running_rollout_and_start_nothing_at_rest() {
    let mut sim = holding();
    sim.at(12);
    sim.tick();
    sim.tick();
    let other = canary(vec![weight(5), pause(1)]);
    sim.service = service_with(other.clone());
    sim.at(20);
    let before = before(&sim);
    let phase = Phase::Shifting { version: v(2), step: 0, weight: 500, before };
    let intent = with_results(rolling(phase, 20, &other), vec![result("10 %", 2, 12, None)]);
    let expected = vec![save(intent), set_weight(500, &sim)];
    assert_eq!(sim.tick().actions, expected);
    let mut at_rest = Sim::at_rest();
    at_rest.service = service_with(other);
    at_rest.assert_converged();
}

#[test]
fn a_switch_that_never_arrived_and_became_a_rollout_follows_its_steps_unless_a_person_wants_all_at_once() {
    for in_full in [false, true] {
        let mut sim = published(blue_green(false, !in_full, 5));
        if in_full {
            sim.tick();
            says(&mut sim, Word::Promote(FULL), None);
        }
        sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
        sim.word = None;
        sim.service = service_with(two_steps());
        sim.tick();
        let alias = sim.alias.as_ref().unwrap();
        let expected = if in_full { (Some(v(2)), None) } else { (Some(v(1)), Some(on_2(1_000))) };
        assert_eq!((alias.version, alias.additional), expected);
    }
}

#[test]
fn a_rollout_that_became_a_switch_goes_back_before_it_is_prepared_again() {
    let mut sim = holding();
    sim.service = service_with(blue_green(false, false, 0));
    sim.at(5);
    let phase = Phase::Preparing { version: v(2), reused: false, smoke: None };
    let again = rolling(phase, 5, &sim.service.strategy);
    let held = sim.state.clone().unwrap();
    let restarting = ServiceState { rollout: Rollout { strategy: None, ..held.rollout.clone() }, ..held };
    let back = back(&sim);
    for crash in [None, Some(Crash::After(0)), Some(Crash::After(1))] {
        let mut sim = sim.clone();
        let plan = sim.tick_until(crash).0;
        assert_eq!(plan.actions, [save(restarting.clone()), back.clone(), save(again.clone())]);
        sim.tick();
        assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Preparing, WaitingOn::Promotion));
        assert_eq!(sim.alias.as_ref().unwrap().additional, None);
    }
}

#[test]
fn versions_with_different_roles_cannot_share_traffic_and_that_is_said() {
    let mut sim = published(two_steps());
    sim.version(2).role = Some("arn:aws:iam::111111111111:role/other".to_owned());
    let on = WaitingOn::NotWeightable { what: "execution roles".to_owned() };
    assert_eq!(sim.decide().1, nothing(needs_a_person(PhaseName::Preparing, on)));
    sim.version(2).dead_letter = Some("arn:aws:sqs:eu-central-1:111111111111:dead".to_owned());
    let what = "execution roles and dead-letter configurations".to_owned();
    let both = needs_a_person(PhaseName::Preparing, WaitingOn::NotWeightable { what });
    assert_eq!(sim.decide().1, nothing(both));
    for strategy in [Strategy::AllAtOnce, blue_green(false, true, 0)] {
        let mut sim = sim.clone();
        sim.service = service_with(strategy);
        sim.tick();
        sim.assert_converged();
    }
}

#[test]
fn weights_that_provisioned_concurrency_injects_are_waited_out() {
    let mut sim = published(two_steps());
    sim.tick();
    sim.move_by_hand(1, Some(on_2(300)));
    sim.provisioning = true;
    let on = waits(PhaseName::Shifting, WaitingOn::ProvisionedConcurrency);
    assert_eq!(sim.decide(), (vec![Look::Alias, Look::Provisioning], nothing(on)));
    sim.provisioning = false;
    assert!(matches!(sim.decide().1.standing.waiting_on, Some(WaitingOn::EditedMidway { .. })));
}

#[test]
fn a_weight_that_is_not_read_back_for_too_long_is_degraded_or_turned_back() {
    let mut sim = published(two_steps());
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    sim.at(16);
    assert_eq!(sim.decide().1.standing, waits(PhaseName::Shifting, WaitingOn::ReadBack));
    sim.at(17);
    let what = Box::new(WaitingOn::ReadBack);
    let overdue = WaitingOn::Overdue { since: at(1), what };
    let standing = Standing { health: Health::Degraded, ..waits(PhaseName::Shifting, overdue) };
    assert_eq!(sim.decide().1, Plan { actions: vec![set_weight(1_000, &sim)], standing });
    sim.service.progress_deadline_abort = true;
    let plan = sim.tick();
    let reason = "no progress for 15 minutes: the alias does not show yet what it was told to";
    assert_eq!(plan.standing, aborted(reason));
    assert_eq!(sim.records.last().unwrap().kind, Kind::Aborted);
}

#[test]
fn a_linear_rollout_is_a_canary_of_equal_steps() {
    let every = minutes(2);
    let step = release_schema::Weight::try_from(40).unwrap();
    let mut sim = published(Strategy::Linear(release_schema::Linear { step, every }));
    let mut weights = Vec::new();
    for _ in 0..12 {
        weights.extend(sim.alias.as_ref().unwrap().additional.map(|additional| additional.basis_points));
        sim.tick();
    }
    weights.dedup();
    assert_eq!(weights, [4_000, 8_000]);
    sim.assert_converged();
}

#[test]
fn a_rollout_costs_one_look_at_the_alias_in_a_tick_in_which_nothing_happens() {
    let mut sim = holding();
    sim.at(4);
    assert_eq!(sim.decide().0, [Look::Alias]);
    let steps =
        tidegate_core::rollout::steps(&canary(vec![weight(1), pause(1), Step::Pause(None), pause(2), weight(2)]));
    assert_eq!(
        steps.iter().map(|step| (step.hold.num_minutes(), step.needs_person)).collect::<Vec<_>>(),
        [(3, true), (0, false)]
    );
}

//! Rare things in rare orders: words over what died or was lost, hands that move the alias, Git that moves on.
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, World, decide};
use tidegate_core::history::Kind;
use tidegate_core::ids::TransitionNumber;
use tidegate_core::live::{Seen, VersionState};
use tidegate_core::plan::Action;
use tidegate_core::smoke::Invoked;
use tidegate_core::state::Phase;
use tidegate_core::status::{HoldReason, PhaseName, WaitingOn};

use crate::build::*;
use crate::rollbacks::{BACK, b_is_live, kinds, live, release_live, told_to};
use crate::rollout::*;
use crate::sim::{Crash, Sim};
use crate::smoke_tests::{answers, smoke_test};

pub(crate) fn to(number: u64) -> Word {
    Word::Rollback { to: Some(TransitionNumber(number)), remind_after: None }
}

pub(crate) fn git_down() -> Option<HoldReason> {
    Some(HoldReason::GitUnavailable { message: "down".to_owned() })
}

/// So many ticks, and AWS finishes what they began.
pub(crate) fn ticks(sim: &mut Sim, ticks: usize) {
    for _ in 0..ticks {
        sim.tick();
        sim.aws_finishes();
    }
}

pub(crate) fn phase(sim: &Sim) -> &Phase {
    &sim.state.as_ref().unwrap().phase
}

/// The tick that moves the alias to `b` dies right after this action.
pub(crate) fn died_while_promoting(after: usize) -> Sim {
    let mut sim = Sim::wanting('b');
    ticks(&mut sim, 1);
    let (plan, result) = sim.tick_until(Some(Crash::After(after)));
    result.unwrap_err();
    assert!(matches!(plan.actions[..2], [Action::UpdateAlias { .. }, Action::AppendRecord(_)]), "{plan:#?}");
    sim
}

fn dies_after_the_alias(sim: &mut Sim, word: Word) {
    says(sim, word, Some("5xx"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
}

#[test]
fn an_abort_before_traffic_that_died_after_its_record_is_one() {
    for strategy in [release_schema::Strategy::AllAtOnce, two_steps()] {
        let mut sim = published(strategy);
        dies_after_the_alias(&mut sim, Word::Abort);
        assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Aborted]);
        ticks(&mut sim, 5);
        assert_eq!((live(&sim), kinds(&sim)), ((Some(v(1)), false), vec![Kind::Adopted, Kind::Aborted]));
        assert_eq!(sim.decide().1.standing.phase, PhaseName::Aborted);
    }
}

#[test]
fn a_release_that_was_recorded_as_superseded_and_comes_back_begins_anew() {
    let mut sim = b_is_live();
    sim.service = service_with(two_steps());
    sim.git_wants('c');
    ticks(&mut sim, 1);
    sim.git_wants('d');
    let (plan, result) = sim.tick_until(Some(Crash::After(0)));
    result.unwrap_err();
    assert!(matches!(plan.actions[0], Action::AppendRecord(_)), "{plan:#?}");
    sim.git_wants('c');
    ticks(&mut sim, 3);
    told_to(&mut sim, Word::Promote(FULL), "go");
    ticks(&mut sim, 3);
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted, Kind::Superseded, Kind::Promoted]);
}

#[test]
fn a_promotion_that_was_recorded_and_moved_back_by_hand_is_drift_and_not_under_way() {
    let mut sim = died_while_promoting(1);
    sim.move_by_hand(1, None);
    sim.tick();
    assert_eq!(sim.state, None, "its end is in history");
    let edit = WaitingOn::HandEdit { found: Some(v(1)), expected: Some(v(2)) };
    assert_eq!(sim.tick().standing.waiting_on, Some(edit));
    sim.forced = true;
    sim.tick();
    assert_eq!((live(&sim), kinds(&sim)), ((Some(v(2)), false), vec![Kind::Adopted, Kind::Promoted, Kind::Healed]));
}

#[test]
fn an_abort_of_a_release_whose_tick_died_after_it_moved_the_alias_moves_it_back() {
    let mut sim = died_while_promoting(0);
    told_to(&mut sim, Word::Abort, "5xx");
    ticks(&mut sim, 5);
    assert_eq!((live(&sim), kinds(&sim)), ((Some(v(1)), false), vec![Kind::Adopted, Kind::Aborted]));
}

#[test]
fn a_rollback_once_more_after_a_hand_gave_traffic_to_what_is_held_out_takes_it_back() {
    for (version, share) in [(2, None), (1, Some(on_2(5_000)))] {
        for is_stored in [true, false] {
            let mut sim = b_is_live();
            told_to(&mut sim, BACK, "5xx");
            sim.move_by_hand(version, share);
            if is_stored {
                sim.tick();
            } else if share.is_none() {
                sim.state = None;
            }
            told_to(&mut sim, BACK, "5xx again");
            assert_eq!((live(&sim), sim.registry.as_ref().unwrap().0), ((Some(v(1)), false), v(1)));
            let told = sim.records.last().unwrap();
            assert_eq!((told.said[0].what.as_str(), told.from.as_ref()), ("edit", Some(&deployed(2, &release('b')))));
            assert_eq!(sim.tick().standing.phase, PhaseName::RolledBack);
        }
    }
}

#[test]
fn a_rollback_over_a_version_that_a_hand_published_does_not_take_it_for_what_is_held_out() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.add_version(7, release('c').code);
    sim.move_by_hand(7, None);
    told_to(&mut sim, BACK, "v7 is bad");
    let record = sim.records.last().unwrap();
    assert_eq!((live(&sim), record.from.as_ref().and_then(|from| from.version)), ((Some(v(1)), false), None));
    assert_eq!(record.said[0].reason.as_deref(), Some("the alias names version 7"));
}

#[test]
fn what_failed_to_stay_live_stays_out_where_its_document_and_the_alias_are_gone() {
    let mut held = b_is_live();
    told_to(&mut held, BACK, "5xx");
    let mut aborted = holding();
    told_to(&mut aborted, Word::Abort, "5xx");
    for mut sim in [held, aborted] {
        (sim.state, sim.alias) = (None, None);
        ticks(&mut sim, 5);
        assert_eq!(sim.alias, None, "{:?}", kinds(&sim));
        told_to(&mut sim, to(1), "back");
        assert_eq!(live(&sim), (Some(v(1)), false));
    }
}

#[test]
fn a_hand_lifts_no_hold_where_its_document_is_lost() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.move_by_hand(2, None);
    sim.tick();
    sim.state = None;
    ticks(&mut sim, 3);
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted, Kind::RolledBack]);
}

#[test]
fn a_hand_lifts_no_hold_of_a_version_that_no_record_tells_of_where_its_document_is_lost() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick();
    sim.aws_finishes();
    told_to(&mut sim, BACK, "5xx");
    let recorded = kinds(&sim);
    sim.add_version(3, image('c'));
    sim.move_by_hand(3, None);
    sim.state = None;
    let plan = sim.tick();
    ticks(&mut sim, 3);
    assert_eq!((plan.standing.phase, kinds(&sim)), (PhaseName::RolledBack, recorded));
    assert_eq!(live(&sim), (Some(v(3)), false), "what a hand did is a person's to take back");
}

#[test]
fn a_rollback_while_it_is_not_known_what_git_wants_holds_out_what_it_wanted_last() {
    let mut held = b_is_live();
    release_live(&mut held, 'c');
    told_to(&mut held, BACK, "c is bad");
    let mut under_way = b_is_live();
    under_way.git_wants('c');
    under_way.tick();
    for (mut sim, word) in [(held, to(1)), (under_way, BACK)] {
        sim.wanted = Err("ECR does not answer".to_owned());
        told_to(&mut sim, word, "b as well");
        assert_eq!(live(&sim), (Some(v(1)), false));
        sim.git_wants('c');
        ticks(&mut sim, 6);
        assert_eq!(live(&sim), (Some(v(1)), false));
    }
}

#[test]
fn an_unhold_that_nothing_follows_yet_is_not_forgotten() {
    let mut unresolved = b_is_live();
    told_to(&mut unresolved, BACK, "5xx");
    let mut stale = unresolved.clone();
    unresolved.wanted = Err("ECR does not answer".to_owned());
    told_to(&mut unresolved, Word::Unhold, "it was the database");
    assert!(unresolved.state.is_some(), "the hold is lifted together with the release that begins");

    // Right after the rollback, and `GetFunction` answers as before it.
    let before = stale.function.as_ref().unwrap().versions[&v(2)].clone();
    says(&mut stale, Word::Unhold, Some("it was the database"));
    for known in [recorded(2, 'b'), recorded(1, 'a')] {
        stale.recorded = Some(known);
        let (serving, alias) = (Seen::Found(before.clone()), Seen::Found(stale.alias.clone().unwrap()));
        let world = World { serving, alias, ..stale.world() };
        let Decision::Act(plan) = decide(&stale.subject(), &world) else { panic!("it acts") };
        assert_eq!(plan.actions, [], "{:?}", plan.standing);
    }
}

#[test]
fn an_unhold_after_a_hand_moved_the_alias_to_what_was_held_out_is_recorded() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.move_by_hand(2, None);
    // As ticks know it, until another release is synced.
    sim.recorded = Some(recorded(2, 'b'));
    told_to(&mut sim, Word::Unhold, "it was the database");
    for _ in 0..3 {
        sim.recorded = Some(recorded(2, 'b'));
        sim.tick();
    }
    assert_eq!(live(&sim), (Some(v(2)), false));
    assert_eq!(sim.head.as_ref().unwrap().last_live().unwrap().to.version, Some(v(2)), "{:?}", kinds(&sim));
}

#[test]
fn a_hand_that_gives_all_traffic_after_a_restart_without_steps_is_told() {
    let mut sim = holding();
    sim.service = service_with(blue_green(false, false, 5));
    ticks(&mut sim, 2);
    assert_eq!((live(&sim), sim.tick().standing.waiting_on), ((Some(v(1)), false), Some(WaitingOn::Promotion)));
    sim.move_by_hand(2, None);
    sim.tick();
    assert_eq!(kinds(&sim), [Kind::Adopted], "nobody promoted it, and its bake is not over");
}

#[test]
fn an_abort_after_a_rollback_that_died_does_not_undo_it() {
    let mut sim = b_is_live();
    sim.service = service_with(two_steps());
    sim.git_wants('c');
    ticks(&mut sim, 4);
    assert!(matches!(phase(&sim), Phase::Holding { .. }));
    dies_after_the_alias(&mut sim, to(1));
    assert_eq!(live(&sim), (Some(v(1)), false));
    told_to(&mut sim, Word::Abort, "that as well");
    ticks(&mut sim, 3);
    assert_eq!((live(&sim), kinds(&sim).last()), ((Some(v(1)), false), Some(&Kind::RolledBack)));
}

#[test]
fn a_rollback_to_what_is_live_holds_nothing_out() {
    let mut sim = b_is_live();
    says(&mut sim, to(2), Some("oops"));
    let refusal = sim.refusal();
    assert!(refusal.contains("serves v-b already"), "{refusal}");
    // A hand moved the alias: back to what Git wants, and what the hand made live is held out.
    sim.word = None;
    sim.move_by_hand(1, None);
    told_to(&mut sim, to(2), "by hand");
    assert_eq!(live(&sim), (Some(v(2)), false));
    sim.tick();
    sim.assert_converged();
}

#[test]
fn a_rollback_at_rest_tells_of_the_edit_that_it_goes_over() {
    let mut sim = b_is_live();
    sim.add_version(7, release('c').code);
    sim.move_by_hand(7, None);
    told_to(&mut sim, BACK, "v7 is bad");
    let said = sim.records.last().unwrap().said.first().and_then(|said| said.reason.as_deref());
    assert_eq!(said, Some("the alias names version 7"));
}

#[test]
fn the_time_of_a_pause_or_a_hold_is_no_failure_to_wake() {
    let mut paused = b_is_live();
    paused.service.smoke_test = Some(smoke_test());
    paused.invoked = answers(200);
    paused.git_wants('a');
    paused.version(1).state = VersionState::Inactive;
    paused.tick_until(Some(Crash::After(0))).1.unwrap_err();
    told_to(&mut paused, Word::Pause, "looking");
    for _ in 0..20 {
        paused.tick();
    }
    told_to(&mut paused, Word::Resume, "go");
    ticks(&mut paused, 6);
    assert_eq!((live(&paused), paused.function().versions.len()), ((Some(v(1)), false), 2), "nothing is published");

    let mut held = published(release_schema::Strategy::AllAtOnce);
    held.service.smoke_test = Some(smoke_test());
    held.invoked = Invoked::NotReady { message: "Rate exceeded".to_owned() };
    held.tick();
    held.hold = git_down();
    for _ in 0..20 {
        held.tick();
    }
    (held.hold, held.invoked) = (None, answers(200));
    ticks(&mut held, 3);
    held.assert_converged();
}

#[test]
fn a_lost_rollout_is_ours_whatever_git_says_by_then() {
    let mut at_once = holding();
    at_once.state = None;
    at_once.service = service_with(release_schema::Strategy::AllAtOnce);
    ticks(&mut at_once, 5);
    at_once.assert_converged();
    // A release that only changes configuration leaves its pin, with what is known of the one before.
    let mut reverted = holding();
    (reverted.state, reverted.audit) = (None, true);
    reverted.recorded = Some(recorded(1, 'a'));
    reverted.git_wants('a');
    ticks(&mut reverted, 5);
    assert_eq!(live(&reverted), (Some(v(1)), false));
}

#[test]
fn a_bake_is_not_over_because_git_has_steps_by_then() {
    let mut sim = published(blue_green(false, true, 60));
    ticks(&mut sim, 2);
    assert!(matches!(phase(&sim), Phase::Baking { .. }));
    sim.service = service_with(two_steps());
    ticks(&mut sim, 2);
    assert_eq!((live(&sim), kinds(&sim)), ((Some(v(1)), true), vec![Kind::Adopted]));
}

#[test]
fn a_lost_bake_of_a_known_release_that_was_published_again_begins_anew() {
    let mut sim = b_is_live();
    sim.service = service_with(blue_green(false, true, 60));
    sim.git_wants('a');
    sim.function().versions.remove(&v(1));
    ticks(&mut sim, 4);
    assert!(matches!(phase(&sim), Phase::Baking { .. }));
    sim.state = None;
    ticks(&mut sim, 2);
    assert!(matches!(sim.state.as_ref().map(|state| &state.phase), Some(Phase::Baking { .. })), "{:?}", kinds(&sim));
}

#[test]
fn healings_are_no_releases_of_the_window() {
    let mut sim = b_is_live();
    sim.service.sync_policy.self_heal = true;
    sim.add_version(7, release('c').code);
    for _ in 0..5 {
        sim.move_by_hand(7, None);
        sim.pass(60);
        ticks(&mut sim, 2);
    }
    assert_eq!(kinds(&sim)[2..], [Kind::Healed; 5]);
    assert!(sim.head.as_ref().unwrap().in_rollback_window(&release('a').id));
}

#[test]
fn no_plan_gives_one_number_to_two_records() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    dies_after_the_alias(&mut sim, BACK);
    sim.git_wants('d');
    // The world in memory asserts it.
    ticks(&mut sim, 6);
    assert_eq!(kinds(&sim)[2..4], [Kind::Superseded, Kind::RolledBack]);
}

#[test]
fn a_service_that_is_removed_right_after_its_alias_was_moved_is_closed_as_it_lives() {
    let sim = died_while_promoting(0);
    let (environment, name, commit) = (environment(), service().name, commit('c'));
    let closing = tidegate_core::unmanaged::close(&tidegate_core::unmanaged::Removed {
        environment: &environment,
        service: &name,
        commit: &commit,
        actor: "controller",
        now: at(9),
        tick: "tick-9",
        state: sim.state.as_ref(),
        head: sim.head.as_ref(),
        alias: sim.alias.as_ref(),
    });
    assert_eq!(closing.back, None);
    let told: Vec<_> = closing.records.iter().map(|record| (record.kind, record.to.version)).collect();
    assert_eq!(told, [(Kind::Promoted, Some(v(2))), (Kind::Unmanaged, Some(v(2)))]);
}

#[test]
fn twenty_healings_are_no_reason_to_refuse_a_rollback() {
    let mut sim = b_is_live();
    sim.service.sync_policy.self_heal = true;
    sim.add_version(7, release('c').code);
    for _ in 0..20 {
        sim.move_by_hand(7, None);
        sim.pass(60);
        ticks(&mut sim, 2);
    }
    told_to(&mut sim, BACK, "5xx");
    assert_eq!(live(&sim), (Some(v(1)), false));
}

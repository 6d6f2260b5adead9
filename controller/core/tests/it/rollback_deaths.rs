//! A rollback whose command dies, comes twice, or loses what it stored: its marker on the alias tells.
use tidegate_core::command::Word;
use tidegate_core::history::Kind;
use tidegate_core::live::VersionState;
use tidegate_core::plan::Action;
use tidegate_core::state::Advance;
use tidegate_core::status::{PhaseName, SyncStatus, WaitingOn};

use crate::build::*;
use crate::rollbacks::{BACK, b_is_live, held_back, kinds, live, release_live, told_to};
use crate::rollout::*;
use crate::sim::{Crash, Sim};

#[test]
fn a_hold_outlives_the_loss_of_all_that_was_stored() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    (sim.state, sim.head, sim.recorded) = (None, None, None);
    sim.records.clear();
    // What the alias names is taken over by what Git declares now: that gives it another id than the marker has.
    sim.service.configuration.memory_size = Some(sim.version(1).configuration.memory_size);
    let (writes, versions) = (sim.alias_writes, sim.function().versions.len());
    sim.tick();
    held_back(&sim);
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::RolledBack]);
    assert_eq!((sim.alias_writes, sim.function().versions.len()), (writes, versions));
    let record = sim.records.last().unwrap();
    assert_eq!((record.to.version, record.held.as_ref()), (Some(v(1)), Some(&release('b').id)));

    // Git has moved on: the next release begins.
    sim.git_wants('c');
    sim.settle(6);
    assert_eq!(live(&sim), (Some(v(3)), false));
}

#[test]
fn a_hold_of_the_same_number_that_is_made_again_is_recorded_once() {
    let mut sim = holding();
    told_to(&mut sim, BACK, "5xx");
    assert_eq!(sim.records.last().unwrap().number.0, 2);
    (sim.state, sim.head, sim.recorded) = (None, None, None);
    sim.records.clear();
    // What the alias names is known by another id from now on than its marker has.
    sim.service.configuration.memory_size = Some(sim.version(1).configuration.memory_size);
    for _ in 0..3 {
        sim.tick();
        held_back(&sim);
    }
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::RolledBack]);
    assert_eq!(sim.records[1].marked.map(|number| number.0), Some(2));
}

#[test]
fn a_marker_that_a_hand_left_on_another_version_does_not_say_what_that_is() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.add_version(7, release('c').code);
    sim.move_by_hand(7, None);
    (sim.state, sim.head, sim.recorded) = (None, None, None);
    sim.records.clear();
    // What the marker names, and so what would be healed, were version 7 taken for it.
    sim.git_wants('a');
    sim.tick();
    let back = &sim.records.last().unwrap().to;
    assert_eq!((kinds(&sim), back), (vec![Kind::Adopted, Kind::RolledBack], &untagged(7, &release('c'))));
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().rollout.heals, None);
}

#[test]
fn the_same_rollback_once_more_is_recorded_once_more_also_where_its_command_died() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    told_to(&mut sim, Word::Unhold, "fixed");
    sim.settle(4);
    assert_eq!(live(&sim), (Some(v(2)), false));
    says(&mut sim, BACK, Some("5xx again"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
    sim.tick();
    assert_eq!(kinds(&sim).iter().filter(|kind| **kind == Kind::RolledBack).count(), 2);
    held_back(&sim);
}

#[test]
fn a_hand_that_moves_the_alias_of_a_rollback_that_died_makes_no_other_rollback_of_it() {
    let mut sim = b_is_live();
    release_live(&mut sim, 'c');
    says(&mut sim, BACK, Some("5xx"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
    assert_eq!(live(&sim), (Some(v(2)), false));
    sim.move_by_hand(1, None);
    sim.tick();
    assert_eq!(kinds(&sim).last(), Some(&Kind::Promoted));
}

#[test]
fn a_marker_older_than_history_does_not_make_a_rollback_of_a_move_to_what_never_was_live() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    (sim.state, sim.head, sim.recorded) = (None, None, None);
    sim.records.clear();
    // What the alias names has another id by now, and what is held out is not what Git wants.
    sim.service.configuration.memory_size = Some(sim.version(1).configuration.memory_size);
    sim.wanted = Ok(release_with('a', &sim.service.configuration));
    sim.tick();
    assert_eq!(kinds(&sim), [Kind::Adopted]);
    let (adopted, unpublished) = (sim.records[0].to.clone(), deployed(2, &release('c')));
    sim.append(record(2, Kind::Superseded, Some(adopted.clone()), unpublished, commit('c'), [2, 3]));
    sim.version(2).code = Some(image('c'));
    sim.move_by_hand(2, None);
    let edit = WaitingOn::HandEdit { found: Some(v(2)), expected: adopted.version };
    assert_eq!(sim.tick(), nothing(needs_a_person(PhaseName::Idle, edit)));
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Superseded]);
}

#[test]
fn a_death_after_every_action_of_a_rollback_is_completed_by_the_next_tick() {
    for start in [b_is_live as fn() -> Sim, mid_canary, after_an_abort] {
        for index in 0..5 {
            let mut sim = start();
            says(&mut sim, BACK, Some("5xx"));
            let (_, plan) = sim.decide();
            let _ = sim.execute(&plan, Some(Crash::After(index)));
            sim.word = None;
            for _ in 0..5 {
                sim.pass(1);
                sim.tick();
            }
            let backs = kinds(&sim).iter().filter(|kind| **kind == Kind::RolledBack).count();
            assert_eq!(backs, 1, "one record, after action {index}: {:?}", kinds(&sim));
            assert_eq!(live(&sim), (Some(v(1)), false));
            assert_eq!(sim.registry.as_ref().map(|(version, _)| *version), Some(v(1)));
            held_back(&sim);
        }
    }
}

fn mid_canary() -> Sim {
    holding()
}

/// `b` is live, `c` was aborted.
fn after_an_abort() -> Sim {
    let mut sim = b_is_live();
    sim.service = service_with(two_steps());
    sim.git_wants('c');
    for _ in 0..4 {
        sim.tick();
        sim.aws_finishes();
    }
    told_to(&mut sim, Word::Abort, "no");
    sim
}

#[test]
fn a_registry_that_an_overtaken_tick_wrote_last_is_told_again() {
    let mut sim = b_is_live();
    told(&mut sim, BACK, Some("5xx"));
    sim.registry = Some((v(2), release('b').tag));
    held_back(&sim);
    sim.audit = true;
    assert_eq!(sim.tick().actions, [Action::WriteRegistry { version: v(1), tag: release('a').tag }]);
    held_back(&sim);
}

#[test]
fn two_at_once_are_one() {
    let mut sim = b_is_live();
    says(&mut sim, BACK, Some("5xx"));
    let (_, first) = sim.decide();
    let (_, second) = sim.decide();
    sim.execute(&first, None).unwrap();
    assert_eq!(sim.execute(&second, None), Err("412"));
    let (_, again) = sim.decide();
    assert_eq!(again.actions, []);
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted, Kind::RolledBack]);
}

#[test]
fn a_tick_that_planned_before_a_rollback_writes_nothing_after_it() {
    let mut sim = holding();
    sim.at(30);
    let (_, planned) = sim.decide();
    told_to(&mut sim, BACK, "5xx");
    let before = sim.alias.clone();
    // The stored state has another token by then; here only the alias refuses.
    assert_eq!(sim.execute(&planned, None), Err("412"));
    assert_eq!(sim.alias, before);
}

#[test]
fn a_promotion_that_was_recorded_first_does_not_lose_the_rollback_behind_it() {
    let mut sim = holding();
    sim.at(12);
    told_to(&mut sim, Word::Promote(Advance { full: true, force: false }), "go");
    // The alias is written by a rollback that read before that record was there.
    says(&mut sim, BACK, Some("5xx"));
    let (_, plan) = sim.decide();
    let _ = sim.execute(&plan, Some(Crash::After(0)));
    sim.word = None;
    for _ in 0..3 {
        sim.tick();
    }
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted, Kind::RolledBack]);
    held_back(&sim);
}

#[test]
fn a_hold_survives_the_loss_of_its_document_and_so_do_an_abort_and_a_failure() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.state = None;
    sim.pass(1);
    let plan = sim.tick();
    assert_eq!((plan.standing.sync, plan.standing.phase), (SyncStatus::Unknown, PhaseName::RolledBack));
    sim.tick();
    held_back(&sim);

    let mut aborted = holding();
    told_to(&mut aborted, Word::Abort, "5xx");
    let mut failed = Sim::wanting('b');
    failed.tick();
    failed.version(2).state = VersionState::Failed { reason: "no such handler".to_owned() };
    failed.tick();
    for mut sim in [aborted, failed] {
        let stored = sim.state.take().unwrap();
        assert!(stored.phase.is_over(), "{stored:?}");
        for _ in 0..3 {
            assert!(!sim.tick().moves_forward());
        }
        let restored = sim.state.as_ref().unwrap();
        assert_eq!((&restored.phase, restored.transition), (&stored.phase, stored.transition));
    }
}

#[test]
fn a_rollback_that_was_recorded_from_its_marker_is_not_the_next_one_to_the_same() {
    let mut sim = b_is_live();
    dies_after_its_alias(&mut sim);
    sim.tick();
    held_back(&sim);
    sim.service = service_with(blue_green(false, true, 5));
    for wanted in ['c', 'b'] {
        sim.git_wants(wanted);
        for _ in 0..4 {
            sim.tick();
            sim.aws_finishes();
        }
    }
    told_to(&mut sim, Word::Promote(FULL), "good by now");
    sim.tick();
    assert_eq!(live(&sim), (Some(v(2)), false));
    dies_after_its_alias(&mut sim);
    // Said once more, it writes no alias; and the next tick would record it as well.
    says(&mut sim, BACK, Some("5xx"));
    assert!(sim.decide().1.actions.iter().all(|action| !action.mutates_lambda()));
    sim.word = None;
    sim.tick();
    assert_eq!(kinds(&sim).iter().filter(|kind| **kind == Kind::RolledBack).count(), 2, "{:?}", kinds(&sim));
    held_back(&sim);
}

fn dies_after_its_alias(sim: &mut Sim) {
    says(sim, BACK, Some("5xx"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
}

#[test]
fn a_sync_lifts_no_hold_that_only_history_or_the_marker_tells_of() {
    for is_lost in [false, true] {
        let mut sim = b_is_live();
        says(&mut sim, BACK, Some("5xx"));
        sim.tick_until(Some(Crash::Before(2))).1.unwrap_err();
        assert_eq!((live(&sim), sim.state.is_none(), sim.records.len()), ((Some(v(1)), false), true, 3));
        (sim.word, sim.recorded) = (None, None);
        if is_lost {
            sim.head = None;
            sim.records.clear();
        }
        sim.forced = true;
        for _ in 0..4 {
            sim.tick();
        }
        sim.forced = false;
        held_back(&sim);
        assert_eq!(live(&sim), (Some(v(1)), false));
        told_to(&mut sim, Word::Unhold, "it was the database");
        sim.tick();
        assert_eq!(live(&sim), (Some(v(2)), false));
    }
}

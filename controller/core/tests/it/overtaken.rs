//! A merge that a rollback overtook: it is in Git already, and neither a tick nor whoever rolled back has read it.
use release_schema::{Configuration, Strategy};
use tidegate_core::command::Word;
use tidegate_core::history::Kind;
use tidegate_core::ids::{Commit, TransitionNumber};
use tidegate_core::state::Phase;
use tidegate_core::status::WaitingOn;

use crate::build::*;
use crate::rollbacks::{BACK, b_is_live, held_back, kinds, live, release_live, told_to};
use crate::rollout::{says, service_with, told, two_steps};
use crate::sim::{Crash, Sim};

/// `b` is live, and Git wants `c`, which cannot serve.
fn c_failed() -> Sim {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick();
    sim.function().doom = Some("InvalidImage".to_owned());
    for _ in 0..4 {
        sim.aws_finishes();
        sim.tick();
    }
    sim.function().doom = None;
    assert_eq!((kinds(&sim).last(), live(&sim)), (Some(&Kind::Failed), (Some(v(2)), false)));
    sim
}

/// The same, rolled back to `a`: `c` is held out.
fn c_is_held_out() -> Sim {
    let mut sim = c_failed();
    told_to(&mut sim, BACK, "b is bad too");
    held_back(&sim);
    assert_eq!(live(&sim), (Some(v(1)), false));
    sim
}

/// Git wants this since so many minutes from now.
fn wants_since(sim: &mut Sim, letter: char, minutes: i64) {
    sim.git_wants(letter);
    sim.commit = Commit { time: at(sim.minute() + minutes), ..commit(letter) };
}

fn held(sim: &Sim) -> String {
    match sim.decide().1.standing.waiting_on {
        Some(WaitingOn::Held { release, actor, reason, .. }) => format!("{release} by {actor}: {reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_merge_before_the_rollback_does_not_bring_back_what_that_took_traffic_from() {
    let mut sim = c_is_held_out();
    wants_since(&mut sim, 'b', -1);
    let writes = sim.alias_writes;
    for _ in 0..20 {
        sim.tick();
    }
    held_back(&sim);
    assert_eq!((held(&sim).as_str(), sim.alias_writes), ("v-b by ann: b is bad too", writes));
    told(&mut sim, Word::Unhold, Some("it was the database"));
    for _ in 0..4 {
        sim.tick();
    }
    sim.assert_converged();
    assert_eq!(live(&sim), (Some(v(2)), false));
}

#[test]
fn a_rollback_that_died_before_its_record_came_from_what_was_live_and_not_from_what_it_holds_out() {
    let mut sim = c_failed();
    says(&mut sim, BACK, Some("b is bad too"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.word = None;
    sim.tick();
    let told = sim.records.last().unwrap();
    assert_eq!((told.kind, told.held.as_ref()), (Kind::RolledBack, Some(&release('c').id)));
    assert_eq!((told.from.as_ref(), &told.to), (Some(&deployed(2, &release('b'))), &deployed(1, &release('a'))));
}

#[test]
fn what_is_held_out_in_its_place_keeps_the_hold_with_its_reminder_and_its_commit() {
    let mut sim = c_failed();
    told_to(&mut sim, Word::Rollback { to: None, remind_after: Some(3_600) }, "b is bad too");
    held_back(&sim);
    wants_since(&mut sim, 'b', -1);
    let before = sim.state.clone().unwrap();
    sim.tick();
    let after = sim.state.clone().unwrap();
    let Phase::Held { remind: Some(due), .. } = &before.phase else { panic!("{before:#?}") };
    assert_eq!((after.phase, after.since), (before.phase.clone(), before.since));
    assert_eq!((after.release, after.commit), (release('b'), sim.commit.clone()));
    let due = *due;
    sim.pass(60);
    let reminded =
        matches!(sim.decide().1.standing.waiting_on, Some(WaitingOn::Held { due: Some(at), .. }) if at == due);
    assert!(reminded);
}

#[test]
fn a_merge_in_the_second_of_the_rollback_is_none_after_it() {
    let mut sim = c_is_held_out();
    wants_since(&mut sim, 'b', 0);
    assert_eq!(sim.commit.time, sim.records.last().unwrap().finished);
    for _ in 0..4 {
        sim.tick();
    }
    held_back(&sim);
}

#[test]
fn a_merge_after_the_rollback_brings_it_back() {
    let mut sim = c_is_held_out();
    sim.pass(2);
    wants_since(&mut sim, 'b', -1);
    for _ in 0..4 {
        sim.tick();
    }
    sim.assert_converged();
    assert_eq!(live(&sim), (Some(v(2)), false));
}

#[test]
fn what_was_held_out_in_its_place_comes_back_with_a_merge_after_the_rollback() {
    let mut sim = c_is_held_out();
    wants_since(&mut sim, 'b', -1);
    sim.tick();
    sim.pass(2);
    release_live(&mut sim, 'd');
    wants_since(&mut sim, 'b', 0);
    for _ in 0..4 {
        sim.tick();
    }
    sim.assert_converged();
}

#[test]
fn a_merge_before_the_rollback_of_neither_is_released() {
    let mut sim = c_is_held_out();
    wants_since(&mut sim, 'd', -1);
    for _ in 0..8 {
        sim.aws_finishes();
        sim.tick();
    }
    sim.assert_converged();
    assert_eq!(sim.records.last().unwrap().to.release, release('d').id);
}

#[test]
fn going_back_in_git_to_where_the_rollback_led_lifts_the_hold_however_old_the_commit_is() {
    let mut sim = c_is_held_out();
    wants_since(&mut sim, 'a', -1);
    sim.tick();
    assert_eq!(sim.records.last().unwrap().reason.as_deref(), Some("commit aaaaaaaaaaaa lifts the hold of v-c"));
    sim.assert_converged();
}

#[test]
fn the_same_content_in_other_words_stays_out_as_well() {
    let mut sim = b_is_live();
    sim.version(2).configuration.memory_size = 640;
    told_to(&mut sim, BACK, "5xx");
    wants_since(&mut sim, 'b', -1);
    // Until now Git did not say how much memory it has.
    sim.service.configuration.memory_size = Some(640);
    let declared = Configuration { memory_size: Some(640), ..Configuration::default() };
    sim.wanted = Ok(release_with('b', &declared));
    for _ in 0..6 {
        sim.aws_finishes();
        sim.tick();
    }
    held_back(&sim);
    assert_eq!(live(&sim), (Some(v(1)), false));
}

#[test]
fn what_the_rollback_led_to_is_not_held_out_where_what_it_left_would_do_as_well() {
    let mut sim = Sim::at_rest();
    let declared = Configuration { memory_size: Some(640), ..Configuration::default() };
    (sim.wanted, sim.service.configuration) = (Ok(release_with('a', &declared)), declared);
    sim.recorded = None;
    for _ in 0..6 {
        sim.aws_finishes();
        sim.tick();
    }
    assert_eq!(live(&sim), (Some(v(2)), false));
    told_to(&mut sim, BACK, "slow");
    sim.service.configuration = Configuration::default();
    wants_since(&mut sim, 'a', -1);
    sim.tick();
    sim.assert_converged();
    assert_eq!(live(&sim), (Some(v(1)), false));
}

#[test]
fn neither_what_a_rollback_ended_comes_back_nor_what_was_stable_then() {
    let mut sim = b_is_live();
    sim.service = service_with(two_steps());
    sim.git_wants('c');
    for _ in 0..4 {
        sim.aws_finishes();
        sim.tick();
    }
    assert_eq!(live(&sim), (Some(v(2)), true), "a share of `b`'s traffic goes to `c`");
    told_to(&mut sim, Word::Rollback { to: Some(TransitionNumber(1)), remind_after: None }, "both are bad");
    wants_since(&mut sim, 'b', -1);
    for _ in 0..6 {
        sim.tick();
    }
    held_back(&sim);
    assert_eq!((held(&sim).as_str(), live(&sim)), ("v-b by ann: both are bad", (Some(v(1)), false)));
}

#[test]
fn it_stays_out_where_the_document_that_says_so_is_lost() {
    let mut sim = c_is_held_out();
    sim.state = None;
    wants_since(&mut sim, 'b', -1);
    for _ in 0..6 {
        sim.tick();
    }
    held_back(&sim);
    assert_eq!((held(&sim).as_str(), live(&sim)), ("v-b by ann: b is bad too", (Some(v(1)), false)));
}

#[test]
fn it_stays_out_where_a_hand_had_made_it_live_and_the_rollback_died_before_its_record() {
    for strategy in [Strategy::AllAtOnce, two_steps()] {
        let mut sim = b_is_live();
        release_live(&mut sim, 'c');
        sim.move_by_hand(2, None);
        says(&mut sim, BACK, Some("b is bad"));
        sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
        sim.word = None;
        assert_eq!(live(&sim), (Some(v(3)), false), "back to `c`, and `b` is held out");
        // `b`, in other words.
        let memory = sim.version(2).configuration.memory_size;
        sim.service = service_with(strategy.clone());
        sim.service.configuration.memory_size = Some(memory);
        wants_since(&mut sim, 'b', -3);
        sim.wanted = Ok(release_with('b', &sim.service.configuration));
        let writes = sim.alias_writes;
        sim.tick();
        // A canary looks at the alias before it begins.
        assert!(strategy == Strategy::AllAtOnce || sim.records.last().unwrap().kind == Kind::RolledBack);
        for _ in 0..5 {
            sim.aws_finishes();
            sim.tick();
        }
        held_back(&sim);
        assert_eq!((live(&sim), sim.alias_writes), ((Some(v(3)), false), writes));
        let told = sim.records.last().unwrap();
        assert_eq!((told.kind, told.from.as_ref()), (Kind::RolledBack, Some(&deployed(2, &release('b')))));
    }
}

//! Whatever dies wherever: the next tick resumes, and no effect comes twice.
use release_schema::Strategy;
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::{Kind, Record};
use tidegate_core::live::VersionState;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

/// Git wants `b`, and the tick that moved the alias to version 2 died after so many actions.
fn died_after(actions: usize) -> Sim {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.tick_until(Some(Crash::Before(actions))).1.unwrap_err();
    assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(2)));
    sim
}

fn registry_and_rest() -> [Action; 2] {
    [Action::WriteRegistry { version: v(2), tag: release('b').tag }, Action::ClearState]
}

/// A tick that died wrote this record, and nobody knew of it: the head did not tell.
fn taken() -> Record {
    let a = deployed(1, &release('a'));
    because("it runs what Git wants already", record(2, Kind::Adopted, Some(a.clone()), a, commit('a'), [0, 0]))
}

#[test]
fn a_transition_that_lost_its_number_to_another_record_gets_the_next_and_is_recorded_once() {
    let mut promoted = published(Strategy::AllAtOnce);
    promoted.append(taken());
    promoted.tick_until(Some(Crash::After(1))).1.unwrap_err();
    promoted.tick();
    let mut aborted = holding();
    aborted.append(taken());
    told(&mut aborted, Word::Abort, None);
    aborted.tick();
    for (sim, kind) in [(promoted, Kind::Promoted), (aborted, Kind::Aborted)] {
        let told: Vec<_> = sim.records.iter().map(|record| (record.number.0, record.kind)).collect();
        assert_eq!(told, [(1, Kind::Adopted), (2, Kind::Adopted), (3, kind)]);
    }
}

#[test]
fn a_release_that_is_recorded_as_promoted_is_not_turned_back_whatever_died_after_that() {
    let mut sim = published(blue_green(false, true, 5));
    let record = |sim: &Sim| {
        let is_it = |action: &Action| matches!(action, Action::AppendRecord(_));
        sim.decide().1.actions.iter().position(is_it)
    };
    while record(&sim).is_none() {
        sim.tick();
    }
    sim.tick_until(record(&sim).map(Crash::After)).1.unwrap_err();
    for word in [None, Some(Word::Abort)] {
        let mut sim = sim.clone();
        match word {
            None => sim.git_wants('c'),
            Some(word) => says(&mut sim, word, None),
        }
        sim.tick();
        assert_eq!((sim.alias.as_ref().unwrap().version, &sim.state), (Some(v(2)), &None), "{word:?}");
        let told: Vec<_> = sim.records.iter().map(|record| record.kind).collect();
        assert_eq!((told, sim.registry.map(|(version, _)| version)), (vec![Kind::Adopted, Kind::Promoted], Some(v(2))));
    }
}

#[test]
fn a_rollback_that_died_after_its_record_ends_what_was_under_way_also_where_git_moves_on() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.git_wants('c');
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    sim.git_wants('d');
    says(&mut sim, Word::Rollback { to: None, remind_after: None }, Some("5xx"));
    let (_, plan) = sim.decide();
    sim.execute(&plan, Some(Crash::After(1))).unwrap_err();
    sim.word = None;
    for _ in 0..6 {
        sim.tick();
        sim.aws_finishes();
    }
    assert_eq!(sim.records.last().unwrap().kind, Kind::RolledBack);
    assert_eq!(
        (sim.alias.as_ref().unwrap().version, sim.decide().1.standing.phase),
        (Some(v(1)), PhaseName::RolledBack)
    );
}

#[test]
fn a_move_without_its_record_is_recorded_from_the_marker() {
    let mut sim = died_after(1);
    let from = Some(deployed(1, &release('a')));
    let promoted = record(2, Kind::Promoted, from, deployed(2, &release('b')), commit('b'), [0, 2]);
    let actions = [vec![Action::AppendRecord(Box::new(promoted))], registry_and_rest().to_vec()].concat();
    assert_eq!(sim.decide(), (vec![Look::Alias, Look::Head], Plan { actions, standing: synced() }));
    sim.tick();
    sim.assert_converged();
}

#[test]
fn a_record_with_its_state_left_is_not_written_twice() {
    for actions in [2, 3] {
        let mut sim = died_after(actions);
        assert_eq!(sim.tick(), Plan { actions: registry_and_rest().to_vec(), standing: synced() });
        sim.assert_converged();
        assert_eq!(sim.records.len(), 2);
    }
}

#[test]
fn a_move_that_landed_is_completed_before_git_gets_something_else_and_is_not_called_synced() {
    let mut sim = died_after(1);
    sim.git_wants('c');
    let plan = sim.tick();
    assert!(matches!(&plan.actions[0], Action::AppendRecord(record) if record.kind == Kind::Promoted), "{plan:?}");
    assert_eq!(plan.actions[1..], registry_and_rest());
    assert_eq!(plan.standing, waits(PhaseName::Idle, WaitingOn::NextTick));
    sim.settle(4);
    sim.assert_converged();
}

#[test]
fn a_move_that_landed_is_completed_while_the_wish_cannot_be_resolved() {
    let mut sim = died_after(1);
    sim.wanted = Err("`v9` does not exist".to_owned());
    let plan = sim.tick();
    assert_eq!(plan.actions[1..], registry_and_rest());
    let on = WaitingOn::Blocked { message: "`v9` does not exist".to_owned() };
    assert_eq!(plan.standing, unknown(tidegate_core::status::Health::Degraded, PhaseName::Idle, on));
}

#[test]
fn a_failure_with_its_state_left_is_latched_without_a_second_record() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.version(2).state = VersionState::Failed { reason: "InvalidImage".to_owned() };
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    let plan = sim.tick();
    assert!(matches!(plan.actions[..], [Action::SaveState(_)]), "{plan:?}");
    assert_eq!(sim.decide().1, nothing(failed("version 2 cannot serve: InvalidImage")));
    assert_eq!(sim.records.len(), 2);
}

#[test]
fn a_supersession_with_its_state_left_is_not_recorded_twice() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.git_wants('c');
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    let plan = sim.tick();
    assert_eq!(plan.actions[0], Action::ClearState);
    assert_eq!(sim.state.as_ref().unwrap().transition.0, 3);
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn a_lost_intent_publishes_no_second_version() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.state = None;
    sim.aws_finishes();
    sim.settle(4);
    sim.assert_converged();
    assert_eq!(sim.function().versions.len(), 2);
}

#[test]
fn two_crashes_anywhere_leave_one_version_one_move_and_one_record() {
    let crashes = || {
        let points = (0..3).flat_map(|tick| (0..5).map(move |action| (tick, action)));
        points.flat_map(|(tick, action)| [(tick, Crash::Before(action)), (tick, Crash::After(action))])
    };
    for first in crashes() {
        for second in crashes() {
            let mut sim = Sim::unseen();
            sim.git_wants('b');
            for (quiet, crash) in [first, second] {
                for _ in 0..quiet {
                    sim.tick();
                    sim.aws_finishes();
                }
                // Without a crash where the plan is shorter than that.
                let _ = sim.tick_until(Some(crash));
                sim.aws_finishes();
            }
            sim.settle(5);
            sim.assert_converged();
            let kinds: Vec<Kind> = sim.records.iter().map(|record| record.kind).collect();
            assert_eq!(kinds, [Kind::Adopted, Kind::Promoted], "{first:?}, {second:?}");
            assert_eq!(sim.alias_writes, 1, "{first:?}, {second:?}");
            assert_eq!(sim.function().versions.len(), 2, "{first:?}, {second:?}");
            assert_eq!(sim.registry, Some((v(2), release('b').tag)), "{first:?}, {second:?}");
        }
    }
}

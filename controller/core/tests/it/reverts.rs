//! Telling the release repository of a rollback: after everything else, again until it succeeds, and never in its way.
use tidegate_core::command::Word;
use tidegate_core::plan::Action;
use tidegate_core::state::{Phase, Revert};

use crate::build::*;
use crate::rollout::*;
use crate::sim::Sim;

const BACK: Word = Word::Rollback { to: None, remind_after: None };

/// `b` is live after `a`, and the release repository answers a push so.
fn b_is_live(pushed: Result<Vec<String>, String>) -> Sim {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.pushed = Some(pushed);
    sim
}

fn branches(sim: &Sim) -> &[String] {
    sim.pushed.as_ref().unwrap().as_deref().unwrap()
}

fn revert(sim: &Sim) -> Revert {
    match &sim.state.as_ref().unwrap().phase {
        Phase::Held { revert, .. } => revert.clone(),
        other => panic!("{other:?}"),
    }
}

fn tries(sim: &Sim) -> bool {
    sim.decide().1.actions.iter().any(|action| matches!(action, Action::PushRevert { .. }))
}

#[test]
fn a_rollback_ends_with_the_branch_that_sets_the_service_back() {
    let mut sim = b_is_live(Ok(Vec::new()));
    says(&mut sim, BACK, Some("5xx"));
    let (_, plan) = sim.decide();
    let Some(Action::PushRevert { revert, .. }) = plan.actions.last() else { panic!("{plan:?}") };
    assert_eq!((revert.held.label(), revert.live.label()), ("v-b".to_owned(), "v-a".to_owned()));
    assert_eq!((revert.number.0, revert.reason.as_str(), revert.actor.as_str()), (3, "5xx", "ann"));
    assert_eq!(revert.commit, commit('b'));
    told(&mut sim, BACK, Some("5xx"));
    assert_eq!(branches(&sim), ["3 back to v-a"]);
    assert_eq!(sim.decide().1.actions, [], "it is pushed once");
}

#[test]
fn nobody_is_told_where_the_installation_does_not_want_it() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    told(&mut sim, BACK, Some("5xx"));
    assert!(!tries(&sim));
    sim.pushed = Some(Ok(Vec::new()));
    sim.tick();
    assert_eq!(branches(&sim), ["3 back to v-a"], "it is made up for where somebody turns it on");
}

#[test]
fn a_push_that_fails_is_tried_by_each_tick_for_ten_minutes_and_each_quarter_of_an_hour_after_that() {
    let mut sim = b_is_live(Err("no right to push".to_owned()));
    told(&mut sim, BACK, Some("5xx"));
    let said = sim.minute();
    assert_eq!(revert(&sim), Revert::Wanted { problem: Some("no right to push".to_owned()) });
    let due: Vec<i64> = (0..50)
        .filter(|minute| {
            sim.at(said + minute);
            tries(&sim)
        })
        .collect();
    assert_eq!(due, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 30, 45]);

    sim.at(said + 60);
    sim.pushed = Some(Ok(Vec::new()));
    sim.tick();
    assert_eq!(branches(&sim), ["3 back to v-a"]);
    assert_eq!(sim.decide().1.actions, []);
}

#[test]
fn what_can_never_be_pushed_is_said_and_not_tried_again() {
    let mut sim = b_is_live(Err("never: the branch is somebody else's".to_owned()));
    told(&mut sim, BACK, Some("5xx"));
    assert_eq!(revert(&sim), Revert::GivenUp { problem: "never: the branch is somebody else's".to_owned() });
    assert!(!tries(&sim));
}

#[test]
fn a_hold_that_was_lost_pushes_the_same_branch_from_the_same_commit_again() {
    let mut sim = b_is_live(Ok(Vec::new()));
    told(&mut sim, BACK, Some("5xx"));
    let stored = sim.state.take().unwrap();
    sim.commit = commit('c');
    sim.tick();
    let again = sim.state.as_ref().unwrap();
    assert_eq!((&again.commit, again.since, again.transition), (&stored.commit, stored.since, stored.transition));
    assert!(tries(&sim));
}

#[test]
fn the_registry_comes_first_where_neither_was_told() {
    let mut sim = b_is_live(Ok(Vec::new()));
    told(&mut sim, BACK, Some("5xx"));
    let state = sim.state.as_mut().unwrap();
    let Phase::Held { told, revert, .. } = &mut state.phase else { panic!("{state:?}") };
    (*told, *revert) = (false, Revert::default());
    let plan = sim.tick();
    let done: Vec<String> = plan.actions.iter().map(ToString::to_string).collect();
    assert_eq!(
        done,
        [
            "write version 1 to the service registry",
            "note that the service registry is told",
            "push the revert to the release repository",
        ]
    );
    let Phase::Held { told: true, revert: Revert::Pushed(_), .. } = sim.state.unwrap().phase else { panic!() };
}

#[test]
fn a_hold_that_git_lifted_pushes_nothing_more() {
    let mut sim = b_is_live(Err("no right to push".to_owned()));
    told(&mut sim, BACK, Some("5xx"));
    sim.git_wants('a');
    sim.tick();
    assert!(!tries(&sim));
    sim.assert_converged();
}

//! An environment on hold: no forward move, but what has happened is completed.
use tidegate_core::history::Kind;
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::status::{Health, HoldReason, PhaseName, SyncStatus, WaitingOn};

use crate::build::*;
use crate::rollout::holding;
use crate::sim::{Crash, Sim};

fn git_is_down() -> HoldReason {
    HoldReason::GitUnavailable { message: "connection refused".to_owned() }
}

fn on_hold(mut sim: Sim) -> Sim {
    sim.hold = Some(git_is_down());
    sim
}

fn held(phase: PhaseName) -> Plan {
    nothing(waits(phase, WaitingOn::Hold(git_is_down())))
}

fn published_b() -> Sim {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim
}

#[test]
fn nothing_is_published_on_hold_and_not_even_an_intent_is_stored() {
    assert_eq!(on_hold(Sim::wanting('b')).decide().1, held(PhaseName::Publishing));
}

#[test]
fn no_alias_is_moved_on_hold_and_the_service_does_not_stand_as_if_it_were() {
    assert_eq!(on_hold(published_b()).decide().1, held(PhaseName::Preparing));
    let mut reverted = Sim::wanting('b');
    reverted.settle(4);
    reverted.git_wants('a');
    assert_eq!(on_hold(reverted).decide().1, held(PhaseName::Preparing));
}

#[test]
fn a_step_that_is_over_stays_the_step_that_it_is_on_hold() {
    let mut sim = holding();
    sim.pass(30);
    assert_eq!(on_hold(sim.clone()).decide().1.standing, held(PhaseName::Holding).standing);
    sim.tick();
    assert!(sim.alias.unwrap().additional.is_some_and(|other| other.basis_points == 5_000), "it was over");
}

#[test]
fn no_concurrency_is_set_on_hold() {
    let mut sim = on_hold(Sim::at_rest());
    sim.service.reserved_concurrency = Some(5);
    let on = WaitingOn::Hold(git_is_down());
    let standing = Standing { sync: SyncStatus::OutOfSync, waiting_on: Some(on), ..synced() };
    assert_eq!(sim.decide().1, nothing(standing));
}

#[test]
fn a_move_that_landed_is_completed_on_hold() {
    let mut sim = published_b();
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    let mut sim = on_hold(sim);
    let from = Some(deployed(1, &release('a')));
    let promoted = record(2, Kind::Promoted, from, deployed(2, &release('b')), commit('b'), [0, 2]);
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::AppendRecord(Box::new(promoted)),
                Action::WriteRegistry { version: v(2), tag: release('b').tag },
                Action::ClearState,
            ],
            standing: synced(),
        }
    );
    sim.assert_converged();
}

#[test]
fn a_failure_is_recorded_on_hold() {
    let mut sim = published_b();
    let reason = "InvalidImage".to_owned();
    sim.version(2).state = tidegate_core::live::VersionState::Failed { reason };
    let plan = on_hold(sim).decide().1;
    assert!(matches!(plan.actions[..], [Action::AppendRecord(_), Action::SaveState(_)]), "{plan:?}");
    assert_eq!(plan.standing, failed("version 2 cannot serve: InvalidImage"));
}

#[test]
fn a_converged_service_is_healthy_on_hold() {
    on_hold(Sim::at_rest()).assert_converged();
}

#[test]
fn a_waiting_service_says_what_it_waits_for_on_hold_too() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    let standing = sim.decide().1.standing;
    assert_eq!(standing.health, Health::Progressing);
    assert_eq!(on_hold(sim).decide().1, nothing(standing));
}

#[test]
fn the_release_goes_on_when_the_hold_is_over() {
    let mut sim = on_hold(published_b());
    sim.tick();
    sim.hold = None;
    sim.settle(2);
    sim.assert_converged();
}

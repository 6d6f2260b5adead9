//! A published version on its way to the traffic: waited for, compared with its pin, and given the alias.
use tidegate_core::decide::Look;
use tidegate_core::history::{Deployed, Kind};
use tidegate_core::live::VersionState;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::state::{Phase, Rollout, ServiceState};
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::sim::Sim;

fn from_a() -> Option<Deployed> {
    Some(deployed(1, &release('a')))
}

/// Git wants `b`, which was published as version 2 and is still pending.
fn promoting_b() -> Sim {
    let mut sim = Sim::wanting('b');
    sim.tick();
    assert_eq!(sim.state, Some(state(2, &release('b'), from_a(), 'b', promoting(2))));
    sim
}

/// The plan that records the failure of version 2, in the tick of this minute.
fn fails(reason: &str, minute: i64) -> Plan {
    let to = deployed(2, &release('b'));
    let record = because(reason, record(2, Kind::Failed, from_a(), to, commit('b'), [0, minute]));
    let phase = Phase::Failed { reason: reason.to_owned() };
    let latch = ServiceState { since: at(minute), ..state(2, &release('b'), from_a(), 'b', phase) };
    Plan {
        actions: vec![Action::AppendRecord(Box::new(record)), Action::SaveState(Box::new(latch))],
        standing: failed(reason),
    }
}

fn waits_for(state: VersionState) -> Plan {
    nothing(waits(PhaseName::Preparing, WaitingOn::VersionActive { version: v(2), state }))
}

#[test]
fn an_active_version_gets_the_alias_then_record_registry_and_rest() {
    let mut sim = promoting_b();
    sim.aws_finishes();
    let promoted = record(2, Kind::Promoted, from_a(), deployed(2, &release('b')), commit('b'), [0, 1]);
    let if_revision = sim.alias.as_ref().unwrap().revision.clone();
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Alias, Look::Version(v(2)), Look::Head]);
    assert_eq!(
        plan,
        Plan {
            actions: vec![
                Action::UpdateAlias { version: v(2), marker: marker(2, &release('b')), if_revision },
                Action::AppendRecord(Box::new(promoted)),
                Action::WriteRegistry { version: v(2), tag: release('b').tag },
                Action::ClearState,
            ],
            standing: synced(),
        }
    );
    sim.tick();
    sim.assert_converged();
}

#[test]
fn a_version_that_is_not_active_is_waited_for_until_the_deadline_and_then_fails() {
    let strange = VersionState::Other { name: "ActiveNonInvocable".to_owned() };
    for version_state in [VersionState::Pending, VersionState::Inactive, strange] {
        let mut sim = promoting_b();
        sim.version(2).state = version_state.clone();
        sim.at(15);
        assert_eq!(sim.decide().1, waits_for(version_state.clone()));
        sim.at(16);
        let reason = format!("version 2 is still {version_state} after 15 minutes");
        assert_eq!(sim.tick(), fails(&reason, 16));
        assert_eq!(sim.decide(), (vec![Look::Alias], nothing(failed(&reason))));
    }
}

#[test]
fn a_version_that_cannot_serve_fails_the_release_and_live_stays() {
    let mut sim = promoting_b();
    sim.version(2).state = VersionState::Failed { reason: "InvalidImage".to_owned() };
    let reason = "version 2 cannot serve: InvalidImage";
    assert_eq!(sim.tick(), fails(reason, 1));
    assert_eq!(sim.decide(), (vec![Look::Alias], nothing(failed(reason))));
    assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(1)));
}

#[test]
fn a_version_that_is_not_visible_is_waited_for_until_the_deadline_and_then_fails() {
    let mut sim = promoting_b();
    sim.function().versions.remove(&v(2));
    sim.at(15);
    let on = WaitingOn::VersionVisible { version: v(2) };
    assert_eq!(sim.decide(), (vec![Look::Alias, Look::Version(v(2))], nothing(waits(PhaseName::Preparing, on))));
    sim.at(16);
    assert_eq!(sim.tick(), fails("version 2 does not exist", 16));
}

#[test]
fn a_version_with_another_digest_than_the_pin_never_gets_traffic() {
    let mut sim = promoting_b();
    sim.aws_finishes();
    sim.version(2).code = Some(release('c').code);
    let reason = format!("version 2 has {}, not the pinned {}", release('c').code, release('b').code);
    assert_eq!(sim.tick(), fails(&reason, 1));
    assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(1)));
}

#[test]
fn a_version_whose_code_is_not_told_never_gets_traffic() {
    let mut sim = promoting_b();
    sim.aws_finishes();
    sim.version(2).code = None;
    let reason = format!("version 2 has unknown code, not the pinned {}", release('b').code);
    assert_eq!(sim.decide().1, fails(&reason, 1));
}

#[test]
fn a_version_with_other_configuration_than_declared_never_gets_traffic() {
    let mut sim = Sim::wanting('b');
    sim.service.configuration.memory_size = Some(512);
    sim.wanted = Ok(release_with('b', &sim.service.configuration));
    sim.tick();
    sim.aws_finishes();
    sim.tick();
    sim.aws_finishes();
    sim.version(2).configuration.memory_size = 256;
    let standing = failed("version 2 was published with other configuration than Git declares");
    assert_eq!(sim.decide().1.standing, standing);
    assert!(!sim.decide().1.moves_forward());
}

#[test]
fn a_revert_in_git_goes_back_to_the_version_that_history_knows_without_publishing() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.git_wants('a');
    sim.at(10);
    let from = Some(deployed(2, &release('b')));
    let intent = lately(state(3, &release('a'), from.clone(), 'a', reusing(1)));
    let intent = ServiceState { started: at(10), since: at(10), ..intent };
    let promoted = record(3, Kind::Promoted, from, deployed(1, &release('a')), commit('a'), [10, 10]);
    let if_revision = sim.alias.as_ref().unwrap().revision.clone();
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Version(v(1)), Look::Alias]);
    assert_eq!(
        plan,
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent)),
                Action::UpdateAlias { version: v(1), marker: marker(3, &release('a')), if_revision },
                Action::AppendRecord(Box::new(promoted)),
                Action::WriteRegistry { version: v(1), tag: release('a').tag },
                Action::ClearState,
            ],
            standing: synced(),
        }
    );
    sim.tick();
    sim.assert_converged();
    assert_eq!(sim.function().versions.len(), 2);
}

#[test]
fn a_known_version_that_cannot_serve_any_more_is_published_anew_and_comes_by_steps() {
    let unusable: [fn(&mut Sim); 4] = [
        |sim| drop(sim.function().versions.remove(&v(1))),
        |sim| sim.version(1).state = VersionState::Inactive,
        |sim| sim.version(1).state = VersionState::Failed { reason: "ImageDeleted".to_owned() },
        // The function was deleted and created again: its numbers began anew.
        |sim| sim.version(1).code = Some(release('c').code),
    ];
    for spoil in unusable {
        let mut sim = Sim::wanting('b');
        sim.settle(4);
        sim.git_wants('a');
        sim.at(10);
        spoil(&mut sim);
        let if_revision = sim.latest().revision.clone();
        let from = Some(deployed(2, &release('b')));
        // No version of it had traffic yet that could have it now: it comes by steps, as a new one does.
        let intent = state(3, &release('a'), from, 'a', publishing(&if_revision.0));
        let intent = ServiceState { started: at(10), since: at(10), ..intent };
        assert_eq!(
            sim.tick(),
            Plan {
                actions: vec![
                    Action::SaveState(Box::new(intent.clone())),
                    Action::UpdateCode { source: release('a').source, if_revision },
                    Action::SavePublished(Box::new(intent)),
                ],
                standing: waits(PhaseName::Publishing, WaitingOn::NextTick),
            }
        );
        sim.aws_finishes();
        sim.settle(3);
        sim.assert_converged();
        assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(3)));
    }
}

#[test]
fn a_release_that_was_published_twice_comes_back_with_the_version_that_can_serve() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.git_wants('a');
    // What a hand made live in between has the same content, was told of last, and sleeps.
    sim.add_version(7, release('b').code);
    sim.version(7).state = VersionState::Inactive;
    sim.move_by_hand(7, None);
    sim.settle(6);
    sim.git_wants('b');
    assert_eq!(sim.head.as_ref().unwrap().versions_of(&release('b').id), [v(7), v(2)]);
    sim.tick();
    assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(2)));
}

#[test]
fn a_known_version_that_is_waking_up_is_waited_for() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.git_wants('a');
    sim.version(1).state = VersionState::Pending;
    let from = Some(deployed(2, &release('b')));
    sim.at(10);
    let intent = lately(state(3, &release('a'), from, 'a', reusing(1)));
    let intent = ServiceState { started: at(10), since: at(10), ..intent };
    let on = WaitingOn::VersionActive { version: v(1), state: VersionState::Pending };
    let standing = waits(PhaseName::Preparing, on);
    assert_eq!(
        sim.tick(),
        Plan { actions: vec![Action::SaveState(Box::new(intent.clone()))], standing: standing.clone() }
    );
    sim.at(25);
    assert_eq!(sim.decide().1, nothing(standing));
    sim.at(26);
    let rollout = Rollout { direct: None, ..intent.rollout.clone() };
    let anew = ServiceState { since: at(26), phase: Phase::Publishing { revision_before: None }, rollout, ..intent };
    assert_eq!(
        sim.decide().1,
        Plan {
            actions: vec![Action::SaveState(Box::new(anew))],
            standing: waits(PhaseName::Publishing, WaitingOn::NextTick),
        }
    );
}

#[test]
fn a_version_that_failed_once_is_not_come_back_to() {
    let mut sim = promoting_b();
    sim.version(2).state = VersionState::Failed { reason: "ImageAccessDenied".to_owned() };
    sim.tick();
    sim.git_wants('c');
    sim.settle(4);
    sim.git_wants('b');
    let plan = sim.decide().1;
    assert!(matches!(plan.actions[1], Action::UpdateCode { .. }), "{plan:?}");
}

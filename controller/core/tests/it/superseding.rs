//! Git changes its mind while a release is under way, or after one failed.
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::{Deployed, Kind};
use tidegate_core::live::VersionState;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::state::ServiceState;
use tidegate_core::status::{Health, PhaseName, WaitingOn};

use crate::build::*;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

const BY_C: &str = "commit cccccccccccc wants something else";

fn from_a() -> Option<Deployed> {
    Some(deployed(1, &release('a')))
}

#[test]
fn a_release_that_has_landed_is_recorded_before_git_has_something_else_begin() {
    let mut sim = published(blue_green(false, true, 0));
    // The alias has moved, and nothing tells of it yet.
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    sim.git_wants('c');
    sim.tick();
    let kinds: Vec<Kind> = sim.records.iter().map(|record| record.kind).collect();
    assert_eq!((kinds, sim.alias.as_ref().unwrap().version), (vec![Kind::Adopted, Kind::Promoted], Some(v(2))));
}

#[test]
fn other_content_than_what_is_live_lifts_a_hold_and_adopts_nothing() {
    let mut sim = holding();
    told(&mut sim, Word::Rollback { to: None, remind_after: None }, None);
    sim.git_wants('c');
    sim.tick();
    let kinds: Vec<Kind> = sim.records.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Adopted, Kind::RolledBack]);
    assert_eq!(sim.state.as_ref().unwrap().release, release('c'));
}

#[test]
fn another_release_supersedes_the_one_that_is_under_way() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.git_wants('c');
    let if_revision = sim.latest().revision.clone();
    let superseded = record(2, Kind::Superseded, from_a(), deployed(2, &release('b')), commit('b'), [0, 1]);
    let intent = state(3, &release('c'), from_a(), 'c', publishing(&if_revision.0));
    let intent = ServiceState { started: at(1), since: at(1), ..intent };
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::AppendRecord(Box::new(because(BY_C, superseded))),
                Action::ClearState,
                Action::SaveState(Box::new(intent.clone())),
                Action::UpdateCode { source: release('c').source, if_revision },
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

#[test]
fn a_release_whose_version_is_not_known_yet_is_superseded_once_it_is() {
    let mut sim = Sim::wanting('b');
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    sim.git_wants('c');
    // AWS is at it still.
    assert_eq!(sim.tick().actions, []);
    sim.aws_finishes();
    let actions = sim.tick().actions;
    assert!(matches!(actions[..], [Action::PublishVersion { .. }, Action::SavePublished(_)]), "{actions:?}");
    let superseded = record(2, Kind::Superseded, from_a(), deployed(2, &release('b')), commit('b'), [0, 3]);
    assert_eq!(sim.tick().actions[0], Action::AppendRecord(Box::new(because(BY_C, superseded))));
}

#[test]
fn a_release_whose_write_aws_never_finishes_is_superseded_without_a_version_after_the_deadline() {
    let mut sim = Sim::wanting('b');
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    sim.git_wants('c');
    sim.at(15);
    assert_eq!(sim.tick().actions, []);
    let to = Deployed { version: None, ..deployed(2, &release('b')) };
    let superseded = because(BY_C, record(2, Kind::Superseded, from_a(), to, commit('b'), [0, 16]));
    assert_eq!(sim.tick().actions[0], Action::AppendRecord(Box::new(superseded)));
}

#[test]
fn a_release_whose_write_never_arrived_is_superseded_without_a_version() {
    let mut sim = Sim::wanting('b');
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    sim.git_wants('c');
    let to = Deployed { version: None, ..deployed(2, &release('b')) };
    let superseded = because(BY_C, record(2, Kind::Superseded, from_a(), to, commit('b'), [0, 1]));
    assert_eq!(sim.tick().actions[0], Action::AppendRecord(Box::new(superseded)));
}

#[test]
fn a_revert_in_git_midway_ends_the_release_and_leaves_live_alone() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.git_wants('a');
    let superseded = record(2, Kind::Superseded, from_a(), deployed(2, &release('b')), commit('b'), [0, 1]);
    let superseded = because("commit aaaaaaaaaaaa wants something else", superseded);
    assert_eq!(
        sim.tick(),
        Plan { actions: vec![Action::AppendRecord(Box::new(superseded)), Action::ClearState], standing: synced() }
    );
    sim.assert_converged();
}

#[test]
fn what_a_superseded_release_left_in_latest_is_its_own_and_nobody_elses() {
    let mut sim = Sim::wanting('b');
    // It wrote `$LATEST`, and knows of no version.
    sim.tick_until(Some(Crash::Before(2))).1.unwrap_err();
    sim.aws_finishes();
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    sim.git_wants('a');
    // A person's `sync` sets drift back.
    sim.forced = true;
    // Its version is asked for, however late that is: should the release come back, it is not published again.
    sim.pass(60);
    let Plan { actions, .. } = sim.tick();
    assert!(matches!(&actions[..], [Action::PublishVersion { .. }, Action::SavePublished(_)]), "{actions:?}");
    let Plan { actions, standing } = sim.tick();
    assert!(matches!(&actions[..], [Action::AppendRecord(_), Action::ClearState]), "{actions:?}");
    assert_eq!(sim.records.last().unwrap().to.version, Some(v(2)));
    assert_eq!(standing, synced());
    assert_eq!(sim.tick(), nothing(synced()));
}

#[test]
fn a_release_that_was_superseded_comes_back_with_its_version() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.git_wants('a');
    sim.tick();
    sim.aws_finishes();
    sim.git_wants('b');
    let plan = sim.tick();
    assert!(matches!(plan.actions[1], Action::UpdateAlias { version, .. } if version == v(2)), "{plan:?}");
    sim.assert_converged();
    assert_eq!(sim.function().versions.len(), 2);
}

#[test]
fn an_old_version_is_found_behind_a_newer_attempt_that_ended_before_it_had_one() {
    let mut sim = Sim::at_rest();
    let without = Deployed { version: None, ..deployed(1, &release('a')) };
    sim.append(record(2, Kind::Promoted, from_a(), deployed(2, &release('b')), commit('b'), [-8, -8]));
    sim.append(record(3, Kind::Superseded, None, without, commit('a'), [-7, -7]));
    assert_eq!(sim.head.unwrap().versions_of(&release('a').id), [v(1)]);
}

#[test]
fn what_is_adopted_in_the_plan_that_supersedes_gets_the_next_number() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.add_version(7, release('c').code);
    sim.move_by_hand(7, None);
    sim.git_wants('c');
    let superseded = record(2, Kind::Superseded, from_a(), deployed(2, &release('b')), commit('b'), [0, 1]);
    let adopted = record(3, Kind::Adopted, from_a(), deployed(7, &release('c')), commit('c'), [1, 1]);
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::AppendRecord(Box::new(because(BY_C, superseded))),
                Action::ClearState,
                Action::WriteRegistry { version: v(7), tag: release('c').tag },
                Action::AppendRecord(Box::new(because("it runs what Git wants already", adopted))),
            ],
            standing: synced(),
        }
    );
    sim.assert_converged();
}

#[test]
fn a_first_deploy_that_is_superseded_by_a_release_over_a_foreign_alias_numbers_three_transitions() {
    let mut sim = Sim::unpublished(release('a').code, release('b'));
    sim.tick();
    sim.aws_finishes();
    sim.add_version(7, release('d').code);
    sim.alias = Sim::unseen().alias;
    sim.move_by_hand(7, None);
    sim.git_wants('c');
    let numbers: Vec<(u64, Kind)> = sim
        .tick()
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::AppendRecord(record) => Some((record.number.0, record.kind)),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [(1, Kind::Superseded), (2, Kind::Adopted)]);
    assert_eq!(sim.state.as_ref().unwrap().transition.0, 3);
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();
}

/// `b` failed and is latched.
fn b_failed() -> Sim {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.version(2).state = VersionState::Failed { reason: "InvalidImage".to_owned() };
    sim.tick();
    sim.aws_finishes();
    assert_eq!(sim.decide().1.standing.phase, PhaseName::Failed);
    sim
}

#[test]
fn new_content_in_git_starts_anew_after_a_failure() {
    let mut sim = b_failed();
    sim.git_wants('c');
    let if_revision = sim.latest().revision.clone();
    let intent = state(3, &release('c'), from_a(), 'c', publishing(&if_revision.0));
    let intent = ServiceState { started: at(2), since: at(2), ..intent };
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::ClearState,
                Action::SaveState(Box::new(intent.clone())),
                Action::UpdateCode { source: release('c').source, if_revision },
                Action::SavePublished(Box::new(intent)),
            ],
            standing: waits(PhaseName::Publishing, WaitingOn::NextTick),
        }
    );
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn a_revert_in_git_to_what_is_live_ends_a_failure_without_a_record() {
    for cached in [true, false] {
        let mut sim = b_failed();
        if !cached {
            sim.recorded = None;
        }
        sim.git_wants('a');
        assert_eq!(sim.tick(), Plan { actions: vec![Action::ClearState], standing: synced() });
        sim.assert_converged();
        assert_eq!(sim.records.len(), 2);
    }
}

#[test]
fn a_wish_that_cannot_be_resolved_stops_what_is_under_way_where_it_is() {
    let message = "`v9` is not in `company/flight-service`".to_owned();
    let on = WaitingOn::Blocked { message: message.clone() };
    let mut publishing = Sim::wanting('b');
    publishing.tick_until(Some(Crash::After(1))).1.unwrap_err();
    let mut promoting = Sim::wanting('b');
    promoting.tick();
    promoting.aws_finishes();
    for (mut sim, phase, looks) in [
        (publishing, PhaseName::Publishing, vec![]),
        (promoting, PhaseName::Preparing, vec![Look::Alias]),
        (b_failed(), PhaseName::Failed, vec![Look::Alias]),
    ] {
        sim.wanted = Err(message.clone());
        assert_eq!(sim.decide(), (looks, nothing(unknown(Health::Degraded, phase, on.clone()))));
        // The wish comes back, and so does the release.
        sim.git_wants('b');
        assert_ne!(sim.decide().1.standing.health, Health::Unknown, "{phase}");
    }
}

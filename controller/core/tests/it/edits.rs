//! What people change by hand while nothing is under way: seen, told, and gone over only where a person says so.
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, World, decide};
use tidegate_core::history::{Deployed, Kind, Said};
use tidegate_core::ids::RevisionId;
use tidegate_core::live::{Seen, VersionState, Weighted};
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::rare_orders::ticks;
use crate::rollout::*;
use crate::sim::Sim;
use crate::smoke_tests::{answers, smoke_test};

pub(crate) fn from_a() -> Option<Deployed> {
    Some(deployed(1, &release('a')))
}

pub(crate) fn on_version_7() -> Option<Weighted> {
    Some(Weighted { version: v(7), basis_points: 2_500 })
}

/// Release `a` is at rest, and there is a version 7 that nobody here published.
fn with_version_7() -> Sim {
    let mut sim = Sim::at_rest();
    sim.add_version(7, release('c').code);
    sim
}

pub(crate) fn alias_revision(sim: &Sim) -> RevisionId {
    sim.alias.as_ref().unwrap().revision.clone()
}

/// The reasons of the edits that are told of.
pub(crate) fn edits(said: &[Said]) -> Vec<&str> {
    said.iter().filter(|said| said.what == "edit").filter_map(|said| said.reason.as_deref()).collect()
}

#[test]
fn an_alias_that_was_moved_at_rest_waits_for_a_person() {
    let mut sim = with_version_7();
    sim.move_by_hand(7, None);
    let edit = WaitingOn::HandEdit { found: Some(v(7)), expected: Some(v(1)) };
    let expected = (vec![Look::Serving, Look::Head, Look::Alias], nothing(needs_a_person(PhaseName::Idle, edit)));
    assert_eq!(sim.decide(), expected);
    sim.tick();
    assert_eq!(sim.decide(), expected);
}

#[test]
fn a_person_goes_over_a_hand_edit_with_the_version_that_history_knows() {
    let mut sim = with_version_7();
    sim.move_by_hand(7, None);
    sim.forced = true;
    let from = Some(untagged(7, &release('c')));
    let why = "the alias names version 7 with sha256:cccccccccccc, and sha256:aaaaaaaaaaaa was released";
    let intent = healing(why, state(2, &release('a'), from.clone(), 'a', reusing(1)));
    let healed = because(why, record(2, Kind::Healed, from, deployed(1, &release('a')), commit('a'), [0, 0]));
    let if_revision = alias_revision(&sim);
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent)),
                Action::UpdateAlias { version: v(1), marker: marker(2, &release('a')), if_revision },
                Action::AppendRecord(Box::new(healed)),
                Action::WriteRegistry { version: v(1), tag: release('a').tag },
                Action::ClearState,
            ],
            standing: synced(),
        }
    );
    sim.forced = false;
    sim.assert_converged();
}

#[test]
fn an_alias_that_was_moved_to_another_version_with_the_wanted_content_is_drift_while_the_released_one_exists() {
    let mut sim = Sim::at_rest();
    sim.add_version(7, release('a').code);
    sim.move_by_hand(7, None);
    let edit = WaitingOn::HandEdit { found: Some(v(7)), expected: Some(v(1)) };
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Alias, Look::Version(v(1))]);
    assert_eq!(plan, nothing(needs_a_person(PhaseName::Idle, edit)));

    sim.function().versions.remove(&v(1));
    let adopted = record(2, Kind::Adopted, from_a(), deployed(7, &release('a')), commit('a'), [0, 0]);
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::WriteRegistry { version: v(7), tag: release('a').tag },
                Action::AppendRecord(Box::new(because("it runs what Git wants already", adopted))),
            ],
            standing: synced(),
        }
    );
    sim.assert_converged();
}

#[test]
fn an_alias_that_a_write_of_ours_moved_is_taken_over_without_its_record_and_one_that_a_hand_moved_is_not() {
    for (transition, is_ours) in [(2, true), (1, false)] {
        let mut sim = Sim::at_rest();
        sim.add_version(2, release('a').code);
        sim.move_by_hand(2, None);
        sim.alias.as_mut().unwrap().marker = Some(marker(transition, &release('a')));
        let edit = WaitingOn::HandEdit { found: Some(v(2)), expected: Some(v(1)) };
        assert_eq!(sim.tick().standing.waiting_on, (!is_ours).then_some(edit));
        assert_eq!(sim.records.len(), if is_ours { 2 } else { 1 });
    }
}

#[test]
fn a_release_begins_from_what_a_person_made_live() {
    let mut sim = with_version_7();
    sim.move_by_hand(7, None);
    sim.git_wants('b');
    sim.tick();
    let state = sim.state.as_ref().unwrap();
    assert_eq!(state.from, Some(untagged(7, &release('c'))));
    let edits: Vec<_> = state.said.iter().map(|said| (said.what.as_str(), said.reason.as_deref())).collect();
    assert_eq!(edits, [("edit", Some("the alias names version 7"))]);
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn what_a_person_made_live_is_told_once_and_moving_it_back_is_told_as_well() {
    let mut sim = with_version_7();
    sim.move_by_hand(7, None);
    sim.git_wants('b');
    sim.tick();
    sim.aws_finishes();
    told(&mut sim, Word::Abort, None);
    let mut moved = sim.clone();
    moved.move_by_hand(1, None);
    for (mut sim, expected) in [(sim, vec![]), (moved, vec!["the alias names version 1"])] {
        sim.git_wants('d');
        sim.tick();
        let begun = sim.state.as_ref().unwrap();
        assert_eq!((begun.release.id.clone(), edits(&begun.said)), (release('d').id, expected));
    }
}

#[test]
fn what_a_person_made_live_beside_stable_is_told_and_setting_that_back_is_told_as_well() {
    let mut sim = with_version_7();
    sim.alias.as_mut().unwrap().marker = Some(marker(1, &release('a')));
    sim.move_by_hand(7, Some(Weighted { version: v(1), basis_points: 4_900 }));
    sim.git_wants('b');
    sim.tick();
    sim.aws_finishes();
    told(&mut sim, Word::Abort, None);
    let failed = sim.records.last().unwrap();
    let shared = vec!["the alias names version 7 with 49 % on version 1"];
    assert_eq!((failed.from.clone(), edits(&failed.said)), (from_a(), shared.clone()));
    let mut moved = sim.clone();
    moved.move_by_hand(1, None);
    for (mut sim, expected) in [(sim, shared), (moved, vec!["the alias names version 1"])] {
        sim.git_wants('d');
        sim.tick();
        let begun = sim.state.as_ref().unwrap();
        assert_eq!((begun.release.id.clone(), edits(&begun.said)), (release('d').id, expected));
    }
}

#[test]
fn what_a_release_went_over_before_it_returned_its_traffic_is_told_once() {
    let mut sim = holding();
    sim.add_version(7, release('c').code);
    sim.move_by_hand(7, None);
    sim.tick();
    told(&mut sim, Word::Resume, None);
    ticks(&mut sim, 2);
    told(&mut sim, Word::Abort, None);
    ticks(&mut sim, 2);
    let aborted = sim.records.last().unwrap();
    assert_eq!((aborted.kind, edits(&aborted.said)), (Kind::Aborted, vec!["the alias names version 7"]));
    sim.git_wants('d');
    sim.tick();
    let begun = sim.state.as_ref().unwrap();
    assert_eq!((begun.from.clone(), edits(&begun.said)), (from_a(), vec![]));
}

#[test]
fn a_person_takes_weights_back_that_were_set_at_rest() {
    let mut sim = with_version_7();
    sim.move_by_hand(1, on_version_7());
    sim.forced = true;
    let why = "version 7 gets 25 % of the traffic";
    let intent = healing(why, state(2, &release('a'), from_a(), 'a', reusing(1)));
    let healed = because(why, record(2, Kind::Healed, from_a(), deployed(1, &release('a')), commit('a'), [0, 0]));
    let if_revision = alias_revision(&sim);
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Alias, Look::Provisioning, Look::Head, Look::Version(v(1))]);
    assert_eq!(
        plan.actions,
        [
            Action::SaveState(Box::new(intent)),
            Action::UpdateAlias { version: v(1), marker: marker(2, &release('a')), if_revision },
            Action::AppendRecord(Box::new(healed)),
            Action::WriteRegistry { version: v(1), tag: release('a').tag },
            Action::ClearState,
        ]
    );
    sim.tick();
    sim.forced = false;
    sim.assert_converged();
    assert_eq!(sim.alias.as_ref().unwrap().additional, None);
}

#[test]
fn a_persons_sync_of_a_converged_service_looks_at_all_of_it_and_does_nothing() {
    let mut sim = Sim::at_rest();
    sim.forced = true;
    let looks = vec![Look::Serving, Look::Alias, Look::Latest, Look::Registry, Look::Head];
    assert_eq!(sim.decide(), (looks, nothing(synced())));
}

/// Release `a` is at rest, as version 1, and somebody gave most of the traffic to a version 7 that was never live.
fn mostly_on_version_7() -> Sim {
    let mut sim = with_version_7();
    sim.move_by_hand(7, Some(Weighted { version: v(1), basis_points: 4_000 }));
    sim
}

#[test]
fn what_history_ends_with_stays_stable_where_somebody_shares_its_traffic_by_hand() {
    let mut sim = mostly_on_version_7();
    sim.git_wants('b');
    sim.service = service_with(two_steps());
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().from, from_a());
    sim.aws_finishes();
    let edit = WaitingOn::EditedMidway { found: Some(v(7)), weight: Some(4_000) };
    assert_eq!(sim.tick(), nothing(needs_a_person(PhaseName::Preparing, edit)));
    sim.forced = true;
    sim.tick();
    let alias = sim.alias.as_ref().unwrap();
    let canary = Some(Weighted { version: v(8), basis_points: 1_000 });
    assert_eq!((alias.version, alias.additional), (Some(v(1)), canary));
}

#[test]
fn what_history_ends_with_is_stable_where_somebody_shares_all_traffic_between_others_as_long_as_it_exists() {
    for exists in [true, false] {
        let mut sim = with_version_7();
        sim.add_version(8, image('d'));
        sim.move_by_hand(7, Some(Weighted { version: v(8), basis_points: 7_600 }));
        if !exists {
            sim.function().versions.remove(&v(1));
        }
        sim.git_wants('b');
        sim.service = service_with(two_steps());
        sim.tick();
        let stable = if exists { from_a() } else { Some(untagged(7, &release('c'))) };
        assert_eq!(sim.state.as_ref().unwrap().from, stable);
        sim.aws_finishes();
        sim.forced = true;
        let plan = sim.tick();
        let alias = sim.alias.as_ref().unwrap();
        let version = if exists { v(9) } else { v(8) };
        assert_eq!((alias.version, alias.additional.unwrap().version), (stable.unwrap().version, version));
        let on = plan.standing.waiting_on.map(|on| on.to_string()).unwrap_or_default();
        assert_eq!(on.contains("and version 7, which the release begins from, has not been live"), !exists, "{on}");
    }
}

#[test]
fn what_a_hand_gave_a_share_gets_no_more_where_history_ends_with_what_git_wants_and_that_sleeps() {
    let mut sim = with_version_7();
    sim.add_version(8, image('d'));
    sim.version(1).state = VersionState::Inactive;
    sim.move_by_hand(7, Some(Weighted { version: v(8), basis_points: 3_400 }));
    sim.service = service_with(two_steps());
    sim.forced = true;
    sim.tick();
    sim.aws_finishes();
    let writes = sim.alias_writes;
    let shared = WaitingOn::Blocked {
        message: "the alias names version 7 with 34 % on version 8, and version 7, which the release begins from, has not been live: let it name that alone".to_owned(),
    };
    assert_eq!(sim.tick().standing.waiting_on, Some(shared));
    assert_eq!(sim.alias_writes, writes);
    sim.forced = false;
    sim.move_by_hand(7, None);
    sim.tick();
    let canary = Some(Weighted { version: v(9), basis_points: 1_000 });
    assert_eq!(sim.alias.as_ref().map(|alias| (alias.version, alias.additional)), Some((Some(v(7)), canary)));
}

#[test]
fn what_somebody_shares_where_history_ends_with_latest_is_none_to_share_with() {
    let mut sim = with_version_7();
    sim.add_version(8, image('d'));
    let latest = Deployed { version: None, ..untagged(1, &release('a')) };
    sim.append(record(2, Kind::Adopted, from_a(), latest.clone(), commit('a'), [-8, -8]));
    sim.move_by_hand(7, Some(Weighted { version: v(8), basis_points: 9_100 }));
    sim.git_wants('b');
    sim.service = service_with(two_steps());
    sim.forced = true;
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().from, Some(latest));
    sim.aws_finishes();
    let writes = sim.alias_writes;
    let on = sim.tick().standing.waiting_on.unwrap().to_string();
    assert!(on.contains("`tidegate promote --full staging/flight-service` gives the new version all"), "{on}");
    assert_eq!(sim.alias_writes, writes);
}

#[test]
fn what_a_lost_rollout_shared_with_is_stable_where_somebody_made_the_new_version_the_primary() {
    let lost = || {
        let mut sim = crate::lost_rollouts::lost_in_the_first_step();
        (sim.head, sim.recorded) = (None, None);
        sim.records.clear();
        sim.move_by_hand(2, Some(Weighted { version: v(1), basis_points: 6_200 }));
        sim
    };
    let edit = WaitingOn::ForeignEdit { found: Some(v(2)), weight: Some(6_200) };
    assert_eq!(lost().tick().standing.waiting_on, Some(edit));
    let marked = |weight, letter| Some(Marker { weight, ..marker(2, &release(letter)) });
    let by_marker = [(marked(Some(1_000), 'b'), 1), (marked(None, 'b'), 2), (marked(Some(1_000), 'c'), 2), (None, 2)];
    for (marker, stable) in by_marker {
        let mut sim = lost();
        sim.alias.as_mut().unwrap().marker = marker;
        sim.forced = true;
        sim.tick();
        let first = &sim.records[0];
        assert_eq!((first.kind, first.to.version), (Kind::Adopted, Some(v(stable))));
        let share = (stable == 1).then(|| on_2(1_000));
        assert_eq!(sim.alias.as_ref().map(|it| (it.version, it.additional)), Some((Some(v(stable)), share)));
    }
}

#[test]
fn an_alias_that_names_latest_again_is_told_of_where_the_release_before_did_not_begin_there() {
    let mut sim = Sim::at_rest();
    let latest = Deployed { version: None, ..deployed(1, &release('a')) };
    sim.append(record(2, Kind::Failed, Some(latest), deployed(2, &release('b')), commit('b'), [-8, -8]));
    sim.alias.as_mut().unwrap().version = None;
    sim.git_wants('c');
    sim.service = service_with(two_steps());
    sim.tick();
    let begun = sim.state.as_ref().unwrap();
    // What the failed release began from, it told of.
    assert_eq!((&begun.from, edits(&begun.said)), (&from_a(), vec![]));
    sim.git_wants('d');
    sim.aws_finishes();
    sim.tick();
    let next = sim.state.as_ref().unwrap();
    assert_eq!((next.release.id.clone(), edits(&next.said)), (release('d').id, vec!["the alias names `$LATEST`"]));
}

#[test]
fn a_healing_that_fails_its_smoke_test_tells_what_it_was_to_set_back() {
    let mut sim = mostly_on_version_7();
    sim.move_by_hand(7, None);
    sim.service.smoke_test = Some(smoke_test());
    sim.invoked = answers(503);
    sim.forced = true;
    sim.tick();
    sim.tick();
    let failed = sim.records.last().unwrap();
    assert_eq!(failed.kind, Kind::Failed);
    let moved = "the alias names version 7 with sha256:cccccccccccc, and sha256:aaaaaaaaaaaa was released";
    assert_eq!(edits(&failed.said), [moved]);
}

#[test]
fn an_alias_that_no_abort_could_return_to_latest_is_nobodys_edit_until_a_hand_lets_it_name_latest() {
    let latest = Deployed { version: None, ..deployed(1, &release('a')) };
    for (named, expected) in [(Some(v(2)), vec![]), (None, vec!["the alias names `$LATEST`"])] {
        for began in [release('a'), release('b')] {
            let mut sim = Sim::at_rest();
            sim.add_version(2, image('b'));
            let from = Deployed { release: began.id, ..latest.clone() };
            sim.append(record(2, Kind::Aborted, Some(from), deployed(2, &release('b')), commit('b'), [-8, -8]));
            let alias = sim.alias.as_mut().unwrap();
            (alias.version, alias.marker) = (named, Some(marker(2, &release('b'))));
            sim.git_wants('c');
            sim.tick();
            assert_eq!(edits(&sim.state.as_ref().unwrap().said), expected);
        }
    }
}

#[test]
fn what_history_ends_with_is_set_back_by_itself_where_git_wants_that_beside_a_share_by_hand() {
    let mut sim = mostly_on_version_7();
    sim.service.sync_policy.self_heal = true;
    sim.tick();
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(1)), None));
    let healed = sim.records.last().unwrap();
    assert_eq!((healed.kind, &healed.from), (Kind::Healed, &Some(untagged(7, &release('c')))));
}

#[test]
fn what_history_ends_with_comes_by_steps_where_it_has_to_be_published_again() {
    let mut sim = with_version_7();
    sim.service = service_with(two_steps());
    sim.version(1).state = VersionState::Inactive;
    sim.move_by_hand(7, None);
    sim.forced = true;
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().rollout.direct, None);
    sim.aws_finishes();
    sim.tick();
    let alias = sim.alias.as_ref().unwrap();
    let canary = Some(Weighted { version: v(8), basis_points: 1_000 });
    assert_eq!((alias.version, alias.additional), (Some(v(7)), canary));
}

#[test]
fn what_cannot_share_an_alias_is_told_by_what_is_stable_and_not_by_what_somebody_put_in_its_place() {
    for (another, what) in [(7, None), (1, Some("execution roles".to_owned()))] {
        let mut sim = mostly_on_version_7();
        sim.git_wants('b');
        sim.service = service_with(two_steps());
        sim.tick();
        sim.aws_finishes();
        sim.version(another).role = Some("arn:aws:iam::111111111111:role/another".to_owned());
        sim.forced = true;
        let waits = sim.tick().standing.waiting_on;
        assert_eq!(waits, what.map(|what| WaitingOn::NotWeightable { what }).or(Some(WaitingOn::NextTick)));
    }
}

#[test]
fn what_git_wants_earns_its_traffic_also_where_somebody_gave_it_most_of_that_by_hand() {
    let mut sim = mostly_on_version_7();
    sim.git_wants('c');
    sim.service = service_with(two_steps());
    assert_eq!(sim.tick().actions, []);
    sim.forced = true;
    sim.tick();
    let begun = sim.state.as_ref().unwrap();
    assert_eq!(
        (&begun.from, edits(&begun.said)),
        (&from_a(), vec!["the alias names version 7 with 40 % on version 1"])
    );
    let alias = sim.alias.as_ref().unwrap();
    let canary = Some(Weighted { version: v(7), basis_points: 1_000 });
    assert_eq!((alias.version, alias.additional), (Some(v(1)), canary));
    assert_eq!(sim.records.len(), 1);
}

#[test]
fn what_is_stable_beside_a_share_that_somebody_gave_gets_all_traffic_at_once() {
    let mut sim = mostly_on_version_7();
    sim.service = service_with(two_steps());
    // The same content by another name: AWS publishes nothing twice.
    sim.state = Some(state(2, &release('a'), from_a(), 'a', promoting(1)));
    sim.forced = true;
    sim.tick();
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(1)), None));
    assert_eq!(sim.records.last().unwrap().kind, Kind::Promoted);
}

#[test]
fn a_stale_look_at_what_serves_begins_no_release_and_is_not_adopted() {
    // `a` is what the stale look shows, and `c` is new.
    for wanted in ['c', 'a'] {
        let mut sim = Sim::at_rest();
        sim.git_wants('b');
        sim.settle(6);
        sim.git_wants(wanted);
        let stale = sim.function.as_ref().unwrap().versions[&v(1)].clone();
        let (serving, alias) = (Seen::Found(stale), Seen::Found(sim.alias.clone().unwrap()));
        let Decision::Act(plan) = decide(&sim.subject(), &World { serving, alias, ..sim.world() }) else {
            panic!("it acts")
        };
        assert_eq!((plan.actions, plan.standing.waiting_on), (Vec::new(), Some(WaitingOn::NextTick)), "{wanted}");
    }
}

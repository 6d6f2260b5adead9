//! What people change by hand: seen, told, and gone over only where a person says so.
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, World, decide};
use tidegate_core::history::{Deployed, Kind, Said};
use tidegate_core::ids::RevisionId;
use tidegate_core::live::{LiveAlias, Seen, Weighted};
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

fn from_a() -> Option<Deployed> {
    Some(deployed(1, &release('a')))
}

fn on_version_7() -> Option<Weighted> {
    Some(Weighted { version: v(7), basis_points: 2_500 })
}

/// Release `a` is at rest, and there is a version 7 that nobody here published.
fn with_version_7() -> Sim {
    let mut sim = Sim::at_rest();
    sim.add_version(7, release('c').code);
    sim
}

fn alias_revision(sim: &Sim) -> RevisionId {
    sim.alias.as_ref().unwrap().revision.clone()
}

fn foreign(found: u64, weight: Option<u16>) -> Standing {
    needs_a_person(PhaseName::Preparing, WaitingOn::EditedMidway { found: Some(v(found)), weight })
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

/// Git wants `b`, version 2 can serve, and there is a version 7 that nobody here published.
fn about_to_promote() -> Sim {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.add_version(7, release('c').code);
    sim
}

#[test]
fn an_alias_that_was_changed_during_a_release_is_never_overwritten_silently() {
    for (version, weights) in [(7, None), (1, on_version_7()), (2, on_version_7()), (2, None)] {
        let mut sim = about_to_promote();
        sim.move_by_hand(version, weights);
        let expected = nothing(foreign(version, weights.map(|weights| weights.basis_points)));
        assert_eq!(sim.decide(), (vec![Look::Alias, Look::Version(v(2))], expected.clone()));
        sim.tick();
        assert_eq!(sim.decide().1, expected);
    }
}

#[test]
fn a_weight_that_arrived_and_that_somebody_took_back_is_an_edit_and_not_written_again() {
    let mut sim = published(two_steps());
    sim.tick();
    sim.move_by_hand(1, None);
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: None };
    assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Shifting, edit.clone()));
    assert_eq!(sim.tick(), nothing(needs_a_person(PhaseName::Shifting, edit)));
    told(&mut sim, Word::Resume, None);
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(1)), Some(on_2(1_000))));
}

#[test]
fn a_step_that_one_answer_out_of_date_aimed_is_written_again_and_is_no_edit() {
    let mut sim = holding();
    sim.at(20);
    let alias = sim.alias.clone().unwrap();
    let stale = LiveAlias { revision: RevisionId("long ago".to_owned()), ..alias };
    let Decision::Act(plan) = decide(&sim.subject(), &World { alias: Seen::Found(stale), ..sim.world() }) else {
        panic!("it acts")
    };
    assert_eq!(sim.execute(&plan, None), Err("412"));
    let mut set_back = sim.clone();
    let plan = sim.tick();
    assert_eq!(plan.actions, [set_weight(5_000, &set_back)]);

    // The same weights are somebody's where the step's own had arrived.
    set_back.tick();
    set_back.move_by_hand(1, Some(on_2(1_000)));
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: Some(1_000) };
    assert_eq!(set_back.tick().standing, needs_a_person(PhaseName::Shifting, edit));
}

#[test]
fn what_one_answer_out_of_date_took_for_an_edit_goes_on_once_the_alias_is_seen_as_it_is() {
    let mut sim = holding();
    let alias = sim.alias.clone().unwrap();
    let stale = LiveAlias { additional: None, revision: RevisionId("long ago".to_owned()), ..alias };
    let Decision::Act(plan) = decide(&sim.subject(), &World { alias: Seen::Found(stale), ..sim.world() }) else {
        panic!("it acts")
    };
    sim.execute(&plan, None).unwrap();
    assert_eq!(sim.state.as_ref().unwrap().edited, Some(shape(None)));
    sim.tick();
    let state = sim.state.as_ref().unwrap();
    let said: Vec<_> = state.said.iter().map(|said| said.what.as_str()).collect();
    assert_eq!((state.edited, &state.phase, said), (None, &first_step(), vec!["edit", "no edit"]));
}

#[test]
fn a_first_step_that_one_answer_out_of_date_aimed_is_written_again_and_is_no_edit() {
    let mut sim = published(two_steps());
    sim.alias.as_mut().unwrap().marker = Some(marker(1, &release('a')));
    let alias = sim.alias.clone().unwrap();
    let stale = LiveAlias { revision: RevisionId("long ago".to_owned()), ..alias };
    let Decision::Act(plan) = decide(&sim.subject(), &World { alias: Seen::Found(stale), ..sim.world() }) else {
        panic!("it acts")
    };
    assert_eq!(sim.execute(&plan, None), Err("412"));
    let write = set_weight(1_000, &sim);
    assert_eq!(sim.tick().actions, [write]);
}

#[test]
fn an_edit_that_nobody_told_of_yet_is_in_the_record_of_a_release_that_ends_over_it() {
    for untold in [true, false] {
        let mut sim = holding();
        sim.move_by_hand(2, None);
        if !untold {
            sim.tick();
        }
        told(&mut sim, Word::Abort, None);
        sim.tick();
        let record = sim.records.last().unwrap();
        let edits = record.said.iter().filter(|said| said.what == "edit").count();
        assert_eq!((record.kind, edits), (Kind::Aborted, 1), "{record:?}");
    }
}

/// The reasons of the edits that are told of.
fn edits(said: &[Said]) -> Vec<&str> {
    said.iter().filter(|said| said.what == "edit").filter_map(|said| said.reason.as_deref()).collect()
}

#[test]
fn an_edit_that_nobody_told_of_yet_is_in_the_record_of_a_rollback() {
    let back = "the alias names version 1";
    for (untold, expected) in [(true, vec![back]), (false, vec![back])] {
        let mut sim = holding();
        sim.move_by_hand(1, None);
        if !untold {
            sim.tick();
        }
        told(&mut sim, Word::Rollback { to: None, remind_after: None }, None);
        let record = sim.records.last().unwrap();
        assert_eq!((record.kind, edits(&record.said)), (Kind::RolledBack, expected));
    }
    let mut untouched = holding();
    told(&mut untouched, Word::Rollback { to: None, remind_after: None }, None);
    assert_eq!(edits(&untouched.records.last().unwrap().said), Vec::<&str>::new());
}

#[test]
fn an_edit_after_the_first_is_told_as_well_and_what_waits_names_it() {
    let mut sim = holding();
    sim.move_by_hand(2, Some(Weighted { version: v(1), basis_points: 2_100 }));
    sim.tick();
    assert_eq!(sim.decide().1.actions, []);
    sim.move_by_hand(1, Some(on_2(4_800)));
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: Some(4_800) };
    assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Holding, edit.clone()));
    assert_eq!(sim.decide().1, nothing(needs_a_person(PhaseName::Holding, edit)));
    // One that nobody saw before a person says how to go on, and that is as the first was.
    sim.move_by_hand(2, Some(Weighted { version: v(1), basis_points: 2_100 }));
    told(&mut sim, Word::Resume, None);
    assert_eq!(
        edits(&sim.state.as_ref().unwrap().said),
        [
            "the alias names version 2 with 21 % on version 1",
            "the alias names version 1 with 48 % on version 2",
            "the alias names version 2 with 21 % on version 1",
        ]
    );
    assert_eq!(sim.alias.as_ref().unwrap().additional, Some(on_2(1_000)));
}

#[test]
fn traffic_that_aws_shifts_while_a_rollout_holds_because_of_an_edit_is_no_other_edit() {
    let mut sim = holding();
    sim.move_by_hand(7, None);
    sim.tick();
    sim.provisioning = true;
    sim.move_by_hand(1, Some(on_2(4_800)));
    let edit = WaitingOn::EditedMidway { found: Some(v(7)), weight: None };
    assert_eq!(sim.decide().1, nothing(needs_a_person(PhaseName::Holding, edit)));
}

#[test]
fn a_person_who_goes_over_an_edit_has_it_told_by_a_release_with_steps() {
    for strategy in [two_steps(), blue_green(false, true, 5)] {
        let mut sim = published(strategy);
        sim.add_version(7, release('c').code);
        sim.move_by_hand(1, on_version_7());
        sim.forced = true;
        sim.tick();
        assert_eq!(edits(&sim.state.as_ref().unwrap().said), ["the alias names version 1 with 25 % on version 7"]);
    }
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
fn an_edit_while_a_release_is_turned_back_is_gone_over_and_said() {
    let mut sim = holding();
    says(&mut sim, Word::Abort, None);
    let (_, plan) = sim.decide();
    // The process dies before the alias is written.
    sim.execute(&plan, Some(Crash::After(0))).unwrap_err();
    sim.word = None;
    let mut untouched = sim.clone();
    sim.move_by_hand(2, Some(Weighted { version: v(1), basis_points: 2_100 }));
    for (sim, expected) in [(&mut sim, 1), (&mut untouched, 0)] {
        sim.tick();
        let record = sim.records.last().unwrap();
        assert_eq!(record.kind, Kind::Aborted);
        assert_eq!(record.said.iter().filter(|said| said.what == "edit").count(), expected, "{:?}", record.said);
        assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(1)));
    }
}

#[test]
fn an_alias_put_back_by_hand_is_an_edit_also_where_git_has_another_strategy_by_now() {
    let mut sim = holding();
    sim.service = service_with(blue_green(false, true, 0));
    sim.move_by_hand(1, None);
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: None };
    assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Holding, edit));
}

#[test]
fn an_edit_before_a_rollout_that_begins_again_gives_its_weight_back_is_an_edit() {
    let mut sim = holding();
    sim.service = service_with(blue_green(false, true, 0));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    assert_eq!(sim.state.as_ref().unwrap().rollout.strategy, None);
    sim.move_by_hand(2, None);
    let edit = WaitingOn::EditedMidway { found: Some(v(2)), weight: None };
    assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Holding, edit));
}

#[test]
fn a_switch_that_somebody_took_back_before_it_was_read_back_is_an_edit() {
    let mut sim = published(blue_green(false, true, 5));
    sim.tick();
    sim.move_by_hand(1, None);
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: None };
    assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Promoting, edit));
}

#[test]
fn a_weight_under_the_marker_of_another_transition_is_an_edit() {
    let mut sim = holding();
    sim.at(20);
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    let alias = sim.alias.as_mut().unwrap();
    alias.revision = RevisionId("of another write".to_owned());
    alias.marker.as_mut().unwrap().transition.0 = 9;
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: Some(1_000) };
    assert_eq!(sim.tick().standing, needs_a_person(PhaseName::Shifting, edit));
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

#[test]
fn a_person_goes_on_over_an_edit_during_a_release_and_the_record_says_so() {
    let mut sim = about_to_promote();
    sim.move_by_hand(7, None);
    sim.forced = true;
    let promoted = record(2, Kind::Promoted, from_a(), deployed(2, &release('b')), commit('b'), [0, 1]);
    let over = "went over a hand edit: the alias named version 7";
    let if_revision = alias_revision(&sim);
    assert_eq!(
        sim.tick().actions,
        [
            Action::UpdateAlias { version: v(2), marker: marker(2, &release('b')), if_revision },
            Action::AppendRecord(Box::new(because(over, promoted))),
            Action::WriteRegistry { version: v(2), tag: release('b').tag },
            Action::ClearState,
        ]
    );
    sim.forced = false;
    sim.assert_converged();
}

#[test]
fn an_edit_that_is_taken_back_lets_the_release_go_on() {
    let mut sim = about_to_promote();
    sim.move_by_hand(7, None);
    sim.tick();
    sim.move_by_hand(1, None);
    sim.settle(2);
    sim.assert_converged();
}

#[test]
fn moving_the_alias_back_before_the_record_was_written_is_an_edit_and_not_undone() {
    let mut sim = about_to_promote();
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.move_by_hand(1, None);
    assert_eq!(sim.decide().1, nothing(foreign(1, None)));
}

#[test]
fn an_alias_that_was_deleted_during_a_release_is_created_on_the_new_version() {
    let mut sim = about_to_promote();
    sim.alias = None;
    let plan = sim.tick();
    assert_eq!(plan.actions[0], Action::CreateAlias { version: v(2), marker: marker(2, &release('b')) });
    sim.assert_converged();
}

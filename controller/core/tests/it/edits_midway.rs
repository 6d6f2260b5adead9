//! What people change by hand during a release: never overwritten silently, and in its record.
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, World, decide};
use tidegate_core::history::Kind;
use tidegate_core::ids::{RevisionId, TransitionNumber};
use tidegate_core::live::{LiveAlias, Seen, Weighted};
use tidegate_core::plan::{Action, Standing};
use tidegate_core::state::Phase;
use tidegate_core::status::{PhaseName, WaitingOn};

use crate::build::*;
use crate::edits::{alias_revision, edits, from_a, on_version_7};
use crate::rare_orders::ticks;
use crate::rollbacks::BACK;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

fn foreign(found: u64, weight: Option<u16>) -> Standing {
    needs_a_person(PhaseName::Preparing, WaitingOn::EditedMidway { found: Some(v(found)), weight })
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
    assert_eq!(plan.actions[1..], [set_weight(5_000, &set_back)]);

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

    // What was none is not the edit that somebody makes now.
    sim.move_by_hand(1, None);
    sim.git_wants('c');
    sim.tick();
    let record = sim.records.last().unwrap();
    let said: Vec<_> = record.said.iter().map(|said| said.what.as_str()).collect();
    assert_eq!((record.kind, said), (Kind::Superseded, vec!["edit", "no edit", "edit"]));
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
fn a_version_that_a_hand_made_live_before_its_release_did_is_told_by_the_next_one() {
    let mut sim = about_to_promote();
    sim.move_by_hand(2, None);
    sim.git_wants('c');
    sim.tick();
    let begun = sim.state.as_ref().unwrap();
    assert_eq!((begun.release.id.clone(), edits(&begun.said)), (release('c').id, vec!["the alias names version 2"]));
}

#[test]
fn who_gives_the_alias_what_the_release_is_about_to_is_told() {
    let mut step = published(two_steps());
    step.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    step.move_by_hand(1, Some(on_2(1_000)));
    step.tick();
    assert_eq!(edits(&step.state.as_ref().unwrap().said), ["the alias names version 1 with 10 % on version 2"]);

    for bake in [0, 5] {
        let mut switch = published(blue_green(false, true, bake));
        switch.tick_until(Some(Crash::Before(1))).1.unwrap_err();
        switch.move_by_hand(2, None);
        let mut superseded = switch.clone();
        superseded.git_wants('c');
        superseded.tick();
        let told = edits(&superseded.records.last().unwrap().said);
        assert_eq!(told, ["the alias names version 2"], "{:?}", superseded.records);
        switch.tick();
        assert_eq!(switch.state.is_some(), bake > 0, "only a bake goes on from there");
        for _ in 0..9 {
            switch.tick();
        }
        let record = switch.records.last().unwrap();
        assert_eq!((record.kind, edits(&record.said)), (Kind::Promoted, vec!["the alias names version 2"]));
    }
}

#[test]
fn a_weight_in_the_marker_of_what_is_recorded_tells_of_no_edit() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.alias.as_mut().unwrap().marker.as_mut().unwrap().weight = Some(1_000);
    sim.git_wants('c');
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().said, []);
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
    assert!(matches!(plan.actions[0], Action::SaveState(_)), "it is told before it is answered: {plan:#?}");
    assert_eq!(plan.actions[1], Action::CreateAlias { version: v(2), marker: marker(2, &release('b')) });
    let said: Vec<_> = sim.records[1].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!(said, ["the alias is gone"]);
    sim.assert_converged();
}

#[test]
fn an_alias_that_a_write_has_not_reached_is_nobodys_edit_however_the_release_ends() {
    for ends in [
        (|sim: &mut Sim| sim.git_wants('c')) as fn(&mut Sim),
        |sim| says(sim, Word::Abort, None),
        |sim| {
            says(sim, BACK, Some("5xx"));
        },
    ] {
        let mut sim = published(two_steps());
        sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
        assert!(matches!(sim.state.as_ref().unwrap().phase, Phase::Shifting { .. }));
        ends(&mut sim);
        sim.tick();
        sim.word = None;
        ticks(&mut sim, 2);
        let ended = sim.records.iter().find(|record| record.number == TransitionNumber(2)).unwrap();
        assert_eq!(edits(&ended.said), Vec::<&str>::new());
    }
}

/// The plan's write of the alias is refused, because the alias is there.
fn finds_it_gone(sim: &mut Sim) {
    let there = sim.alias.take();
    let (plan, refused) = sim.tick_until(Some(Crash::Before(1)));
    assert!(matches!(plan.actions[1], Action::CreateAlias { .. } | Action::RecreateAlias { .. }), "{plan:?}");
    refused.unwrap_err();
    (sim.alias, sim.word) = (there, None);
    sim.settle(8);
}

#[test]
fn an_answer_that_the_alias_is_gone_is_taken_back_where_it_is_there() {
    let mut returning = holding();
    says(&mut returning, Word::Abort, None);
    for mut sim in [published(canary(vec![weight(50)])), published(blue_green(false, true, 1)), returning] {
        finds_it_gone(&mut sim);
        let said = &sim.records.last().unwrap().said;
        let notes: Vec<&str> = said.iter().map(|said| said.what.as_str()).collect();
        assert_eq!(edits(said), ["the alias is gone"]);
        assert!(notes.ends_with(&["no edit"]), "{notes:?}");
    }
}

/// What a rollback tells of edits that read what was stored before this happened, and the alias after it.
fn rolled_back_amid(happens: impl FnOnce(&mut Sim)) -> Vec<String> {
    let mut sim = holding();
    let read = sim.state.clone();
    happens(&mut sim);
    sim.state = read;
    told(&mut sim, BACK, Some("5xx"));
    let record = sim.records.last().unwrap();
    assert_eq!(record.kind, Kind::RolledBack);
    edits(&record.said).into_iter().map(str::to_owned).collect()
}

#[test]
fn what_a_tick_wrote_since_a_rollback_read_what_is_stored_is_no_edit() {
    let ticks_until = |sim: &mut Sim, moved: fn(&LiveAlias) -> bool| {
        while !sim.alias.as_ref().is_some_and(moved) {
            sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
        }
    };
    let next_step = rolled_back_amid(|sim| {
        sim.pass(30);
        ticks_until(sim, |alias| alias.additional.is_some_and(|other| other.basis_points == 5_000));
    });
    let all = rolled_back_amid(|sim| {
        says(sim, Word::Promote(FULL), None);
        ticks_until(sim, |alias| alias.version == Some(v(2)));
        sim.word = None;
    });
    let returned = rolled_back_amid(|sim| {
        says(sim, Word::Abort, None);
        ticks_until(sim, |alias| alias.additional.is_none());
        sim.word = None;
    });
    assert_eq!((next_step, all, returned), (vec![], vec![], vec![]));
    let edited = rolled_back_amid(|sim| sim.move_by_hand(1, Some(on_2(9_000))));
    assert_eq!(edited, ["the alias names version 1 with 90 % on version 2"]);
    let earlier = rolled_back_amid(|sim| sim.move_by_hand(1, Some(on_2(100))));
    assert_eq!(earlier, ["the alias names version 1 with 1 % on version 2"]);
}

#[test]
fn an_answer_out_of_date_that_looked_like_an_edit_is_taken_back_whatever_a_person_says() {
    let resume = Word::Resume;
    for word in [BACK, Word::Abort, resume] {
        let mut sim = holding();
        let there = sim.alias.clone();
        sim.move_by_hand(1, None);
        sim.tick();
        assert_eq!(sim.state.as_ref().unwrap().edited, Some(shape(None)));
        sim.alias = there;
        told(&mut sim, word, Some("5xx"));
        let said = if word == resume { &sim.state.as_ref().unwrap().said } else { &sim.records.last().unwrap().said };
        assert_eq!(edits(said), ["the alias names version 1"], "{word:?}");
        let last = said.iter().rfind(|said| said.what.contains("edit")).unwrap();
        assert_eq!(last.reason.as_deref(), Some("the alias is as the rollout left it"), "{word:?}");
    }
}

#[test]
fn a_return_that_began_by_an_answer_out_of_date_takes_back_that_it_told_of_an_edit() {
    let mut baking = published(blue_green(false, true, 60));
    let left = baking.alias.clone();
    baking.tick();
    baking.tick();
    assert!(matches!(baking.state.as_ref().unwrap().phase, Phase::Baking { .. }));
    for mut sim in [holding(), baking] {
        let there = std::mem::replace(&mut sim.alias, left.clone());
        says(&mut sim, Word::Abort, None);
        let (plan, refused) = sim.tick_until(Some(Crash::Before(1)));
        assert!(matches!(plan.actions[1], Action::Return { .. }), "{plan:?}");
        refused.unwrap_err();
        (sim.alias, sim.word) = (there, None);
        sim.tick();
        let record = sim.records.last().unwrap();
        assert_eq!((record.kind, edits(&record.said)), (Kind::Aborted, vec!["the alias names version 1"]));
        assert_eq!(record.said.last().map(|said| said.what.as_str()), Some("no edit"), "{:?}", record.said);
    }
}

#[test]
fn who_puts_the_alias_of_an_earlier_step_back_is_told_of() {
    let mut sim = holding();
    let first = sim.alias.clone();
    told(&mut sim, Word::Promote(STEP), None);
    sim.tick();
    let mut in_full = sim.clone();
    told(&mut in_full, Word::Promote(FULL), None);
    for mut sim in [sim, in_full] {
        assert_ne!(sim.alias, first);
        sim.alias.clone_from(&first);
        told(&mut sim, BACK, Some("5xx"));
        let record = sim.records.last().unwrap();
        assert_eq!(edits(&record.said), ["the alias names version 1 with 10 % on version 2"]);
    }
}

//! What people say of a rollout, and what they change of it by hand.
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::{Kind, Record};
use tidegate_core::live::LiveAlias;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::state::{Before, Phase, ServiceState};
use tidegate_core::status::{Health, HoldReason, PhaseName, WaitingOn};

use crate::build::*;
use crate::rare_orders::ticks;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

#[test]
fn an_alias_that_somebody_changed_holds_the_rollout_until_a_person_decides() {
    let mut sim = holding();
    sim.move_by_hand(1, None);
    sim.at(5);
    let standing = needs_a_person(PhaseName::Holding, WaitingOn::EditedMidway { found: Some(v(1)), weight: None });
    let (looks, plan) = sim.decide();
    assert_eq!((looks, &plan.standing), (vec![Look::Alias], &standing));
    let Action::SaveState(noted) = &plan.actions[0] else { panic!("{plan:?}") };
    assert_eq!((noted.edited, noted.said[0].what.as_str()), (Some(shape(None)), "edit"));
    sim.tick();
    sim.at(900);
    // It holds whatever Git says, and looks at the alias alone.
    sim.git_wants('c');
    assert_eq!(sim.decide(), (vec![Look::Alias], nothing(standing)));
}

#[test]
fn resume_goes_on_towards_git_from_the_step_that_was_reached() {
    let mut sim = holding();
    sim.move_by_hand(1, Some(on_2(9_000)));
    sim.tick();
    sim.at(30);
    let plan = told(&mut sim, Word::Resume, None);
    assert_eq!(plan.actions.iter().map(name).collect::<Vec<_>>(), ["SaveState", "SetWeight"]);
    assert_eq!(sim.alias.as_ref().unwrap().additional, Some(on_2(1_000)));
    sim.tick();
    assert_eq!(sim.state.as_ref().unwrap().phase, first_step());
    assert_eq!(sim.state.as_ref().unwrap().edited, None);
}

#[test]
fn abort_goes_back_to_stable_over_an_edit() {
    let mut sim = holding();
    sim.move_by_hand(2, None);
    sim.tick();
    told(&mut sim, Word::Abort, Some("I did that"));
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(1)), None));
}

#[test]
fn an_alias_that_is_gone_is_created_again_on_stable_by_an_abort() {
    let mut sim = holding();
    sim.alias = None;
    let waiting = sim.tick().standing.waiting_on.unwrap().to_string();
    assert_eq!(waiting, "the alias `live` is gone; `tidegate abort ENV/SERVICE` creates it again on stable");
    told(&mut sim, Word::Abort, None);
    assert!(matches!(&sim.alias, Some(LiveAlias { version, .. }) if *version == Some(v(1))));
}

#[test]
fn abort_is_one_mutating_call_and_keeps_the_content_out() {
    let mut sim = holding();
    sim.at(5);
    let phase = Phase::Returning {
        version: v(2),
        ending: Kind::Aborted,
        reason: "5xx".to_owned(),
        actor: "ann".to_owned(),
        before: sim.alias.as_ref().map(Before::from),
    };
    let heard = vec![said("abort", Some("5xx"), 5)];
    let returning = ServiceState { said: heard.clone(), ..rolling(phase, 5, &two_steps()) };
    let over = ServiceState { phase: Phase::Aborted { reason: "5xx".to_owned() }, ..returning.clone() };
    let record = Record { actor: "ann".to_owned(), said: heard, ..turned_back(Kind::Aborted, "5xx", 5) };
    let expected = Plan {
        actions: vec![save(returning), back(&sim), Action::AppendRecord(Box::new(record)), save(over)],
        standing: aborted("5xx"),
    };
    assert_eq!(told(&mut sim, Word::Abort, Some("5xx")), expected);
    assert_eq!(sim.decide(), (vec![Look::Alias], nothing(aborted("5xx"))));
    // Said twice, it changes nothing.
    assert_eq!(told(&mut sim, Word::Abort, Some("5xx")), nothing(aborted("5xx")));
}

#[test]
fn retry_starts_at_the_first_step_with_the_version_that_exists() {
    let mut sim = holding();
    told(&mut sim, Word::Abort, Some("5xx"));
    sim.at(60);
    let plan = told(&mut sim, Word::Retry, Some("the database is back"));
    assert_eq!(plan.actions.iter().map(name).collect::<Vec<_>>(), ["ClearState", "SaveState", "SetWeight"]);
    let state = sim.state.as_ref().unwrap();
    assert_eq!((state.transition.0, state.phase.version()), (3, Some(v(2))));
    assert_eq!(state.said, [said("retry", Some("the database is back"), 60)]);
    assert_eq!(sim.function().versions.len(), 2);
}

#[test]
fn other_content_in_git_lifts_an_abort_and_other_steps_do_not() {
    let mut sim = holding();
    told(&mut sim, Word::Abort, None);
    sim.service = service_with(canary(vec![weight(1)]));
    assert_eq!(sim.tick().actions, []);
    sim.git_wants('c');
    assert_eq!(sim.tick().standing.phase, PhaseName::Publishing);
}

#[test]
fn pause_holds_a_step_that_is_over_and_resume_goes_on() {
    let mut sim = holding();
    told(&mut sim, Word::Pause, Some("odd traffic"));
    sim.at(500);
    let on = WaitingOn::Paused { actor: "ann".to_owned(), reason: Some("odd traffic".to_owned()) };
    assert_eq!(sim.tick(), nothing(needs_a_person(PhaseName::Holding, on.clone())));
    assert_eq!(told(&mut sim, Word::Pause, None), nothing(needs_a_person(PhaseName::Holding, on)));
    let plan = told(&mut sim, Word::Resume, None);
    assert_eq!(plan.actions.iter().map(name).collect::<Vec<_>>(), ["SaveState", "SetWeight"]);
    assert_eq!(sim.state.as_ref().unwrap().paused, None);
}

#[test]
fn promote_goes_over_the_time_of_a_step_and_full_over_all_of_them() {
    let mut sim = holding();
    told(&mut sim, Word::Promote(STEP), None);
    assert!(matches!(sim.state.as_ref().unwrap().phase, Phase::Shifting { step: 1, .. }));
    // Twice within a step changes nothing.
    assert_eq!(told(&mut sim, Word::Promote(STEP), None).actions, []);
    let mut sim = holding();
    told(&mut sim, Word::Promote(FULL), None);
    sim.tick();
    sim.assert_converged();
    assert_eq!(sim.records.last().unwrap().said[0].what, "promote --full");
}

#[test]
fn words_that_come_at_the_wrong_time_say_what_state_it_is_in() {
    let refusal = |mut sim: Sim, word| {
        says(&mut sim, word, None);
        sim.refusal()
    };
    let at_rest = "`staging/flight-service` is not in a rollout: it is Synced and Healthy; there is nothing to ";
    for word in [Word::Promote(STEP), Word::Abort, Word::Pause, Word::Resume, Word::Retry] {
        assert_eq!(refusal(Sim::at_rest(), word), format!("{at_rest}{}", word.as_typed()));
    }
    let mut publishing = Sim::wanting('b');
    publishing.tick();
    publishing.state.as_mut().unwrap().phase = Phase::Publishing { revision_before: None };
    assert_eq!(refusal(publishing, Word::Promote(STEP)), "it cannot be promoted: it is still being published");
    let mut paused = holding();
    told(&mut paused, Word::Pause, None);
    assert_eq!(
        refusal(paused, Word::Promote(FULL)),
        "it cannot be promoted: it is paused by ann; `tidegate resume ENV/SERVICE` goes on"
    );
    let mut over = holding();
    told(&mut over, Word::Abort, Some("5xx"));
    assert_eq!(
        refusal(over, Word::Promote(FULL)),
        "there is nothing to promote --full: the release of `staging/flight-service` is aborted (5xx); \
         `tidegate retry staging/flight-service` tries it again"
    );
}

#[test]
fn forward_moves_wait_while_git_is_down_and_an_abort_does_not() {
    let mut sim = holding();
    sim.hold = Some(HoldReason::GitUnavailable { message: "connection refused".to_owned() });
    sim.at(100);
    let plan = sim.tick();
    assert_eq!((plan.actions, plan.standing.health), (vec![], Health::Progressing));
    assert!(matches!(plan.standing.waiting_on, Some(WaitingOn::Hold(_))));
    told(&mut sim, Word::Abort, None);
    assert_eq!(sim.alias.as_ref().unwrap().additional, None);
}

#[test]
fn a_word_that_has_nothing_to_change_stores_nothing() {
    for word in [Word::Resume, Word::Retry, Word::Unhold] {
        let mut sim = holding();
        let before = sim.state.clone();
        says(&mut sim, word, None);
        if word == Word::Unhold {
            assert_eq!(sim.refusal(), "there is no hold to lift: the service is in the phase Holding");
        } else {
            assert_eq!(sim.tick().actions, [], "{word:?}");
        }
        assert_eq!(sim.state, before, "{word:?}");
    }
}

#[test]
fn resume_begins_what_an_edit_stopped_before_its_first_step() {
    let mut sim = published(two_steps());
    sim.move_by_hand(1, Some(on_2(9_000)));
    assert_eq!(sim.tick().actions, []);
    told(&mut sim, Word::Resume, None);
    assert_eq!(sim.alias.as_ref().unwrap().additional, Some(on_2(1_000)));
}

#[test]
fn resume_lifts_a_pause_and_goes_over_an_edit_at_once() {
    let mut sim = holding();
    told(&mut sim, Word::Pause, None);
    sim.move_by_hand(1, None);
    sim.tick();
    let stopped = sim.state.clone().unwrap();
    assert!(stopped.paused.is_some() && stopped.edited.is_some());
    told(&mut sim, Word::Resume, None);
    let state = sim.state.as_ref().unwrap();
    assert_eq!((&state.paused, state.edited), (&None, None));
    assert_eq!(sim.alias.as_ref().unwrap().additional, Some(on_2(1_000)));
}

#[test]
fn resume_where_the_alias_is_gone_says_so_and_takes_it_for_no_edit_any_more() {
    let mut sim = holding();
    sim.move_by_hand(1, None);
    sim.tick();
    sim.alias = None;
    let plan = told(&mut sim, Word::Resume, None);
    assert!(plan.standing.waiting_on.unwrap().to_string().starts_with("the alias `live` is gone"));
    assert_eq!(sim.state.as_ref().unwrap().edited, None);
}

/// Watched with all traffic, and then somebody moved it back.
fn edited_while_it_was_watched() -> Sim {
    let mut sim = published(blue_green(false, true, 5));
    sim.tick();
    sim.tick();
    sim.move_by_hand(1, None);
    sim.tick();
    assert!(matches!(sim.state.as_ref().unwrap().phase, Phase::Baking { .. }));
    sim
}

#[test]
fn resume_of_a_bake_gives_all_traffic_again_where_somebody_took_it_back() {
    let mut sim = edited_while_it_was_watched();
    told(&mut sim, Word::Resume, None);
    assert!(matches!(sim.state.as_ref().unwrap().phase, Phase::Promoting { .. }));
    let alias = sim.alias.as_ref().unwrap();
    assert_eq!((alias.version, alias.additional), (Some(v(2)), None));

    let mut sim = edited_while_it_was_watched();
    sim.move_by_hand(2, None);
    let (writes, since) = (sim.alias_writes, sim.state.as_ref().unwrap().since);
    told(&mut sim, Word::Resume, None);
    let state = sim.state.as_ref().unwrap();
    assert!(matches!(state.phase, Phase::Baking { .. }));
    // Its time does not begin anew.
    assert_eq!((sim.alias_writes, state.since), (writes, since));
}

#[test]
fn a_sync_of_a_release_that_holds_because_of_an_edit_goes_over_it() {
    let mut sim = holding();
    sim.move_by_hand(1, None);
    sim.tick();
    sim.forced = true;
    sim.tick();
    assert_eq!(sim.alias.as_ref().unwrap().additional, Some(on_2(1_000)));
    assert_eq!(sim.state.as_ref().unwrap().edited, None);
}

#[test]
fn a_resume_over_an_edit_while_git_is_down_is_heard_and_writes_nothing_yet() {
    let mut sim = holding();
    sim.move_by_hand(1, None);
    sim.tick();
    let hold = HoldReason::GitUnavailable { message: "connection refused".to_owned() };
    sim.hold = Some(hold.clone());
    let plan = told(&mut sim, Word::Resume, None);
    assert_eq!(plan.actions.iter().map(name).collect::<Vec<_>>(), ["SaveState"]);
    assert_eq!(plan.standing.waiting_on, Some(WaitingOn::Hold(hold)));
    assert_eq!((sim.state.as_ref().unwrap().edited, sim.alias.as_ref().unwrap().additional), (None, None));
    sim.hold = None;
    sim.tick();
    assert_eq!(sim.alias.as_ref().unwrap().additional, Some(on_2(1_000)));
}

#[test]
fn a_resume_while_git_is_down_is_heard_and_goes_no_step_further() {
    let hold = HoldReason::GitUnavailable { message: "connection refused".to_owned() };
    for (minute, on) in [(4, WaitingOn::StepTime { until: at(12) }), (100, WaitingOn::Hold(hold.clone()))] {
        let mut sim = holding();
        told(&mut sim, Word::Pause, None);
        sim.hold = Some(hold.clone());
        sim.at(minute);
        let plan = told(&mut sim, Word::Resume, None);
        assert_eq!(plan.actions.iter().map(name).collect::<Vec<_>>(), ["SaveState"]);
        assert_eq!(plan.standing.waiting_on, Some(on));
        assert_eq!(sim.state.as_ref().unwrap().paused, None);
    }
}

#[test]
fn what_is_aborted_before_its_traffic_is_paused_no_more_and_counts_from_then() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    told(&mut sim, Word::Pause, Some("lunch"));
    assert!(sim.state.as_ref().unwrap().paused.is_some());
    sim.pass(3);
    let now = at(sim.minute());
    let mut died = sim.clone();
    told(&mut sim, Word::Abort, Some("5xx"));
    says(&mut died, Word::Abort, Some("5xx"));
    died.tick_until(Some(Crash::After(0))).1.unwrap_err();
    died.word = None;
    assert!(died.state.as_ref().unwrap().paused.is_some(), "its end is in history alone");
    died.aws_finishes();
    ticks(&mut died, 3);
    assert_eq!(sim.state.as_ref().unwrap().since, now);
    for sim in [sim, died] {
        let state = sim.state.unwrap();
        assert!(matches!(state.phase, Phase::Aborted { .. }), "{state:#?}");
        assert_eq!(state.paused, None);
    }
}

//! A rollout of which nothing is stored any more: alias, marker and history say how far it was.
use release_schema::{Configuration, Strategy};
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, World, decide};
use tidegate_core::history::{Kind, Record, Said};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::live::Weighted;
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::state::{Phase, ServiceState};
use tidegate_core::status::{Health, PhaseName, WaitingOn};

use crate::build::*;
use crate::edits::edits;
use crate::rare_orders::ticks;
use crate::rollbacks::kinds;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

fn n(number: u64) -> TransitionNumber {
    TransitionNumber(number)
}

/// In the first step of [`two_steps`], and since minute 5 nothing is stored of that.
pub(crate) fn lost_in_the_first_step() -> Sim {
    let mut sim = holding();
    sim.state = None;
    sim.at(5);
    sim
}

/// In the first step of [`two_steps`], as it is made again at minute 5.
fn made_again() -> ServiceState {
    let phase = Phase::Holding { version: v(2), step: 0, weight: 1_000 };
    let note = Said {
        what: "lost".to_owned(),
        actor: "controller".to_owned(),
        reason: Some("what was stored of it was lost at 10 %: that begins anew".to_owned()),
        at: at(5),
    };
    ServiceState { started: at(5), said: vec![note], ..rolling(phase, 5, &two_steps()) }
}

fn share(sim: &Sim) -> Option<u16> {
    sim.alias.as_ref().unwrap().additional.map(|additional| additional.basis_points)
}

#[test]
fn a_release_without_steps_tells_of_the_lost_rollout_that_it_goes_over() {
    let mut sim = lost_in_the_first_step();
    sim.service = service_with(Strategy::AllAtOnce);
    sim.git_wants('c');
    sim.tick();
    sim.aws_finishes();
    sim.tick();
    let promoted = sim.records.last().unwrap();
    assert_eq!((promoted.kind, promoted.to.version), (Kind::Promoted, Some(v(3))));
    let said: Vec<_> = promoted.said.iter().map(|said| (said.what.as_str(), said.reason.as_deref().unwrap())).collect();
    assert_eq!(said, [("lost", "what was stored of a rollout was lost: it left version 1 with 10 % on version 2")]);
    assert_eq!(sim.alias.as_ref().map(|alias| (alias.version, alias.additional)), Some((Some(v(3)), None)));
}

#[test]
fn a_rollout_that_was_lost_holds_the_step_whose_weight_is_live_anew_and_in_full() {
    let mut sim = lost_in_the_first_step();
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Alias, Look::Version(v(2))]);
    let standing = unknown(Health::Unknown, PhaseName::Holding, WaitingOn::NextTick);
    assert_eq!(plan, Plan { actions: vec![save(made_again())], standing });
    let writes = sim.alias_writes;
    sim.tick();
    assert_eq!(sim.decide().1, nothing(waits(PhaseName::Holding, WaitingOn::StepTime { until: at(15) })));
    sim.at(14);
    sim.tick();
    assert_eq!((sim.alias_writes, share(&sim)), (writes, Some(1_000)));
    sim.tick();
    assert_eq!(share(&sim), Some(5_000));
}

#[test]
fn a_rollout_that_is_lost_again_and_again_gives_no_weight_up_and_none_early() {
    let strategy = canary(vec![weight(10), pause(3), weight(25), pause(3), weight(50), pause(3)]);
    for lost_at in 0..20 {
        let mut sim = published(strategy.clone());
        let mut shares: Vec<(Option<u16>, usize)> = Vec::new();
        for tick in 0..30 {
            if tick == lost_at || tick == lost_at + 2 {
                sim.state = None;
            }
            sim.tick();
            sim.aws_finishes();
            match shares.last_mut() {
                Some((last, ticks)) if *last == share(&sim) => *ticks += 1,
                _ => shares.push((share(&sim), 1)),
            }
        }
        let given: Vec<Option<u16>> = shares.iter().map(|(share, _)| *share).skip_while(Option::is_none).collect();
        assert_eq!(given, [Some(1_000), Some(2_500), Some(5_000), None], "lost at {lost_at}");
        let held = shares.iter().filter(|(share, _)| share.is_some());
        assert!(held.into_iter().all(|(_, ticks)| *ticks >= 4), "lost at {lost_at}: {shares:?}");
        sim.assert_converged();
        assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted], "lost at {lost_at}");
        assert_eq!(sim.function().versions.len(), 2, "lost at {lost_at}");
    }
}

#[test]
fn a_lost_rollout_with_a_weight_that_no_step_has_begins_its_steps_anew() {
    let mut sim = lost_in_the_first_step();
    sim.service = service_with(canary(vec![weight(20), pause(1), weight(60)]));
    sim.tick();
    let plan = sim.tick();
    assert_eq!(plan.standing.phase, PhaseName::Shifting);
    assert_eq!(share(&sim), Some(2_000));
    for _ in 0..10 {
        sim.tick();
    }
    sim.assert_converged();
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted]);
}

#[test]
fn a_lost_rollout_whose_weight_somebody_changed_holds_because_of_that_edit() {
    let mut sim = lost_in_the_first_step();
    sim.move_by_hand(1, Some(on_2(5_800)));
    sim.tick();
    let again = sim.state.clone().unwrap();
    assert_eq!((&again.phase, again.edited), (&first_step(), Some(shape(Some(5_800)))));
    let said: Vec<_> = again.said.iter().map(|said| (said.what.as_str(), said.reason.as_deref().unwrap())).collect();
    let lost = "what was stored of it was lost at 58 %: that begins anew";
    assert_eq!(said, [("lost", lost), ("edit", "the alias names version 1 with 58 % on version 2")]);
    let edit = WaitingOn::EditedMidway { found: Some(v(1)), weight: Some(5_800) };
    assert_eq!(sim.tick(), nothing(needs_a_person(PhaseName::Holding, edit)));
    told(&mut sim, Word::Resume, None);
    assert_eq!(share(&sim), Some(1_000));
}

#[test]
fn a_lost_rollout_whose_weight_somebody_took_back_is_told_by_the_release_that_begins_again() {
    let mut sim = lost_in_the_first_step();
    let mut returned = sim.clone();
    sim.move_by_hand(1, None);
    // The same, by an alias that says so itself.
    returned.move_by_hand(1, None);
    returned.alias.as_mut().unwrap().marker = Some(marker(2, &release('a')));
    for (mut sim, expected) in [(sim, vec!["edit"]), (returned, vec![])] {
        sim.tick();
        let begun = sim.state.as_ref().unwrap();
        let said: Vec<&str> = begun.said.iter().map(|said| said.what.as_str()).collect();
        assert_eq!((begun.transition, said), (n(2), expected));
    }
}

#[test]
fn a_share_of_a_lost_rollout_that_somebody_took_back_after_the_next_release_ended_is_told_once() {
    for (waits, number) in [(true, 2), (false, 2), (true, 5)] {
        let mut sim = lost_in_the_first_step();
        (sim.head, sim.recorded) = (None, None);
        sim.records.clear();
        sim.alias.as_mut().unwrap().marker = Some(Marker { weight: Some(1_000), ..marker(number, &release('b')) });
        sim.git_wants('c');
        sim.forced = true;
        sim.tick();
        sim.forced = false;
        let begins = |sim: &mut Sim, letter, strategy| {
            sim.service = service_with(strategy);
            sim.git_wants(letter);
            for _ in 0..4 {
                sim.tick();
                sim.aws_finishes();
            }
        };
        if waits {
            begins(&mut sim, 'd', blue_green(false, true, 10));
            let on = WaitingOn::EditedMidway { found: Some(v(1)), weight: Some(1_000) };
            assert_eq!(sim.tick().standing.waiting_on, Some(on));
        }
        sim.move_by_hand(1, None);
        begins(&mut sim, 'e', Strategy::AllAtOnce);
        begins(&mut sim, 'f', Strategy::AllAtOnce);
        let told: Vec<_> = sim.records.iter().map(|record| edits(&record.said).len()).collect();
        let expected = if waits { vec![0, 0, 0, 1, 0] } else { vec![0, 0, 1, 0] };
        assert_eq!((told, share(&sim)), (expected, None));
    }
}

#[test]
fn a_retry_that_is_lost_is_not_taken_for_the_abort_before_it() {
    let mut sim = holding();
    told(&mut sim, Word::Abort, Some("5xx"));
    told(&mut sim, Word::Retry, Some("once more"));
    for _ in 0..4 {
        sim.aws_finishes();
        sim.tick();
    }
    assert_eq!(share(&sim), Some(1_000));
    sim.state = None;
    assert_eq!(sim.tick().standing.phase, PhaseName::Holding);
    let again = sim.state.as_ref().unwrap();
    assert_eq!((again.transition, PhaseName::from(&again.phase)), (n(3), PhaseName::Holding));
}

#[test]
fn a_lost_rollout_that_git_took_back_returns_its_traffic_first() {
    for wanted in ['a', 'c'] {
        let mut sim = lost_in_the_first_step();
        // A pin that was resolved anew.
        sim.recorded = None;
        sim.git_wants(wanted);
        let reason = format!("commit {} wants something else; what was stored of it was lost", commit(wanted).short());
        let (from, to) = (deployed(1, &release('a')), untagged(2, &release('b')));
        let superseded = record(2, Kind::Superseded, Some(from), to, commit('b'), [5, 5]);
        let superseded = because(&reason, Record { commit: None, ..superseded });
        let expected = [back(&sim), Action::AppendRecord(Box::new(superseded))];
        let plan = sim.tick();
        assert_eq!(plan.actions, expected, "{wanted}");
        assert_eq!(plan.standing, waits(PhaseName::Idle, WaitingOn::NextTick));
        if wanted == 'a' {
            sim.tick();
            sim.assert_converged();
        } else {
            assert_eq!(sim.tick().standing.phase, PhaseName::Publishing);
            assert_eq!(sim.state.as_ref().unwrap().transition, n(3));
        }
    }
}

#[test]
fn a_hand_that_changed_a_lost_rollout_is_told_of_before_git_that_took_it_back_is_followed() {
    let beside = |version, basis_points| Some(Weighted { version: v(version), basis_points });
    let edits = [
        ((1, beside(2, 5_800)), "the alias names version 1 with 58 % on version 2"),
        ((2, beside(1, 3_800)), "the alias names version 2 with 38 % on version 1"),
        ((7, beside(2, 2_300)), "the alias names version 7 with 23 % on version 2"),
    ];
    for (wanted, ((version, share), told)) in ['a', 'c'].into_iter().flat_map(|wanted| edits.map(|edit| (wanted, edit)))
    {
        for dies in [None, Some(Crash::After(0)), Some(Crash::After(1))] {
            let mut sim = lost_in_the_first_step();
            sim.recorded = None;
            sim.add_version(7, release('e').code);
            sim.move_by_hand(version, share);
            sim.git_wants(wanted);
            let (plan, result) = sim.tick_until(dies);
            assert_eq!(result.is_err(), dies.is_some());
            assert!(
                matches!(plan.actions[..], [Action::AppendRecord(_), Action::Return { .. }, Action::AppendRecord(_)]),
                "{plan:#?}"
            );
            let ended = &sim.records[1];
            let said: Vec<_> = ended.said.iter().map(|said| (said.what.as_str(), said.reason.as_deref())).collect();
            assert_eq!(said, [("edit", Some(told))]);
            assert_eq!(ended.to.version, Some(v(2)));
            assert_eq!((ended.kind, ended.commit.as_ref()), (Kind::Superseded, None));
            sim.recorded = None;
            if matches!(dies, Some(Crash::After(0))) {
                sim.tick();
            }
            let alias = sim.alias.as_ref().unwrap();
            assert_eq!((alias.version, alias.additional), (Some(v(1)), None), "{wanted}, {dies:?}");
            assert_eq!(alias.marker, Some(marker(3, &release('a'))));
            if !matches!(dies, Some(Crash::After(1))) {
                assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Superseded, Kind::Healed]);
            }
            if wanted == 'a' {
                sim.tick();
                sim.assert_converged();
            } else {
                assert_eq!(sim.tick().standing.phase, PhaseName::Publishing);
                assert_eq!(sim.state.as_ref().unwrap().transition, sim.records.last().unwrap().number.next());
            }
        }
    }
}

#[test]
fn a_word_to_a_lost_rollout_is_followed_before_any_tick_makes_it_again() {
    let mut sim = lost_in_the_first_step();
    told(&mut sim, Word::Abort, Some("5xx"));
    assert_eq!((share(&sim), kinds(&sim)), (None, vec![Kind::Adopted, Kind::Aborted]));
    let said: Vec<&str> = sim.records[1].said.iter().map(|said| said.what.as_str()).collect();
    assert_eq!(said, ["lost", "abort"]);

    let mut sim = lost_in_the_first_step();
    told(&mut sim, Word::Pause, Some("looking"));
    assert_eq!(share(&sim), Some(1_000));
    assert!(sim.state.as_ref().unwrap().paused.is_some());

    let mut sim = lost_in_the_first_step();
    told(&mut sim, Word::Rollback { to: None, remind_after: None }, Some("5xx"));
    assert_eq!((share(&sim), sim.alias.as_ref().unwrap().version), (None, Some(v(1))), "back to stable, not behind it");
    assert_eq!(sim.records[1].held, Some(release('b').id));
}

#[test]
fn a_weight_that_a_hand_gives_beside_a_marker_older_than_history_is_no_lost_rollout() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    // All that was stored is lost, and what is live was taken over.
    (sim.head, sim.recorded) = (None, None);
    sim.records.clear();
    sim.tick();
    assert_eq!(sim.alias.as_ref().unwrap().marker.as_ref().unwrap().transition, n(2), "the next number");
    sim.service = service_with(two_steps());
    sim.move_by_hand(1, Some(on_2(7_100)));
    sim.git_wants('c');
    let writes = sim.alias_writes;
    sim.tick();
    assert_eq!((kinds(&sim), sim.alias_writes), (vec![Kind::Adopted], writes));
}

#[test]
fn a_weight_that_a_hand_gives_at_rest_is_no_lost_rollout_when_git_wants_something_else() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.service = service_with(two_steps());
    sim.add_version(7, image('d'));
    sim.move_by_hand(2, Some(Weighted { version: v(7), basis_points: 2_500 }));
    let writes = sim.alias_writes;
    sim.git_wants('c');
    assert_eq!(sim.tick().standing.phase, PhaseName::Publishing);
    assert_eq!((kinds(&sim), sim.alias_writes), (vec![Kind::Adopted, Kind::Promoted], writes));
    assert_eq!(sim.state.as_ref().unwrap().said, [], "it is told when it is gone over");
}

#[test]
fn a_weight_that_a_hand_gives_again_to_what_returned_its_traffic_is_no_leftover_of_a_lost_rollout() {
    let mut sim = holding();
    sim.git_wants('a');
    ticks(&mut sim, 3);
    assert_eq!((sim.state.clone(), sim.records.last().unwrap().kind), (None, Kind::Superseded));
    sim.move_by_hand(1, Some(on_2(1_000)));
    sim.git_wants('c');
    sim.tick();
    assert_eq!(sim.records.last().unwrap().kind, Kind::Superseded, "no healing takes it back");
    assert_eq!(sim.state.unwrap().release.id, release('c').id);
}

#[test]
fn a_version_that_is_not_what_the_marker_says_is_not_brought_on() {
    let mut sim = lost_in_the_first_step();
    sim.version(2).code = Some(image('c'));
    assert_eq!(sim.decide().1.standing.phase, PhaseName::Publishing);
}

/// Watched after a switch at minute 1, for five minutes from minute 2; since minute 4 nothing is stored of that.
fn lost_while_it_was_watched() -> Sim {
    let mut sim = published(blue_green(false, true, 5));
    sim.tick();
    sim.tick();
    assert!(matches!(sim.state.as_ref().unwrap().phase, Phase::Baking { .. }));
    sim.state = None;
    sim.at(4);
    sim
}

#[test]
fn a_bake_that_was_lost_begins_anew_and_lasts_in_full() {
    let mut sim = lost_while_it_was_watched();
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Alias]);
    assert_eq!(plan.standing, unknown(Health::Unknown, PhaseName::Baking, WaitingOn::NextTick));
    sim.tick();
    let again = sim.state.as_ref().unwrap();
    assert_eq!((&again.phase, again.since), (&Phase::Baking { version: v(2), switched: at(-1) }, at(4)));
    assert_eq!(sim.decide().1, nothing(waits(PhaseName::Baking, WaitingOn::StepTime { until: at(9) })));
    sim.at(9);
    sim.tick();
    sim.assert_converged();
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted]);
}

#[test]
fn a_bake_that_was_lost_is_not_that_of_other_configuration_in_git_by_now() {
    let mut sim = lost_while_it_was_watched();
    let larger = Configuration { memory_size: Some(2_048), ..sim.service.configuration.clone() };
    sim.wanted = Ok(release_with('b', &larger));
    sim.service.configuration = larger;
    assert_eq!(sim.tick().standing.phase, PhaseName::Publishing);
}

#[test]
fn a_release_whose_bake_was_lost_and_that_somebody_took_back_is_told_by_the_one_that_begins_again() {
    let mut sim = lost_while_it_was_watched();
    sim.move_by_hand(1, None);
    sim.tick();
    let said: Vec<_> = sim.state.as_ref().unwrap().said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!(said, ["the alias names version 1"]);
}

#[test]
fn what_is_stored_and_cannot_be_read_is_thrown_away_before_anything_else() {
    let sim = lost_in_the_first_step();
    let world = World { unreadable: true, ..World::default() };
    let Decision::Act(plan) = decide(&sim.subject(), &world) else { panic!("it acts") };
    let standing = unknown(Health::Unknown, PhaseName::Idle, WaitingOn::NextTick);
    assert_eq!(plan, Plan { actions: vec![Action::ClearState], standing });
}

#[test]
fn a_switch_that_is_not_watched_is_adopted_where_its_state_was_lost() {
    let mut sim = published(blue_green(false, true, 0));
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    sim.state = None;
    sim.tick();
    assert_eq!((kinds(&sim), &sim.state), (vec![Kind::Adopted, Kind::Adopted], &None));
    sim.assert_converged();
}

#[test]
fn a_rollback_of_a_release_whose_bake_was_lost_goes_back_to_stable() {
    for word in [Word::Rollback { to: None, remind_after: None }, Word::Abort] {
        let mut sim = lost_while_it_was_watched();
        told(&mut sim, word, Some("5xx"));
        assert_eq!((share(&sim), sim.alias.as_ref().unwrap().version), (None, Some(v(1))), "{word:?}");
    }
}

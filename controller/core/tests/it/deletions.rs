//! An alias that somebody deleted or lets name `$LATEST`, and versions that are gone or asleep.
use release_schema::Strategy;
use tidegate_core::command::Word;
use tidegate_core::history::{Kind, Said};
use tidegate_core::live::{VersionState, Weighted};
use tidegate_core::plan::{Action, Plan};
use tidegate_core::smoke::Invoked;
use tidegate_core::state::Phase;

use crate::build::*;
use crate::rare_orders::{died_while_promoting, git_down, phase, ticks};
use crate::rollbacks::{BACK, b_is_live, kinds, live, release_live, told_to};
use crate::rollout::*;
use crate::sim::{Crash, Sim};
use crate::smoke_tests::{answers, smoke_test};

/// All that is stored is lost, and somebody lets the alias name `$LATEST`.
fn all_is_lost_on_latest(sim: &mut Sim) {
    (sim.head, sim.state, sim.recorded) = (None, None, None);
    sim.records.clear();
    sim.alias.as_mut().unwrap().version = None;
}

/// Git wants a release with steps of a service whose alias names `$LATEST`, and of which nothing is stored.
fn canary_from_latest() -> Sim {
    let mut sim = b_is_live();
    all_is_lost_on_latest(&mut sim);
    sim.service = service_with(two_steps());
    sim.git_wants('c');
    sim
}

#[test]
fn a_revert_whose_version_goes_or_never_wakes_while_it_is_prepared_comes_by_steps() {
    for is_deleted in [true, false] {
        let mut sim = b_is_live();
        sim.service = service_with(two_steps());
        sim.service.smoke_test = Some(smoke_test());
        sim.invoked = Invoked::NotReady { message: "waking".to_owned() };
        sim.git_wants('a');
        if !is_deleted {
            sim.version(1).state = VersionState::Inactive;
        }
        sim.tick();
        assert!(matches!(phase(&sim), Phase::Preparing { reused: true, .. }));
        if is_deleted {
            sim.function().versions.remove(&v(1));
        }
        for _ in 0..17 {
            if !is_deleted {
                sim.version(1).state = VersionState::Inactive;
            }
            sim.tick();
            if matches!(phase(&sim), Phase::Publishing { .. }) {
                break;
            }
        }
        sim.invoked = answers(200);
        ticks(&mut sim, 4);
        assert_eq!(live(&sim), (Some(v(2)), true), "{is_deleted}");
    }
}

#[test]
fn a_way_back_creates_an_alias_that_is_gone_whatever_the_environment_waits_for() {
    let mut ticking = holding();
    ticking.git_wants('c');
    let mut aborting = holding();
    let mut rolling_back = b_is_live();
    for sim in [&mut ticking, &mut aborting, &mut rolling_back] {
        (sim.alias, sim.hold) = (None, git_down());
    }
    ticking.tick();
    told_to(&mut aborting, Word::Abort, "5xx");
    told_to(&mut rolling_back, BACK, "5xx");
    for sim in [ticking, aborting, rolling_back] {
        assert_eq!(sim.alias.and_then(|alias| alias.version), Some(v(1)));
    }
}

#[test]
fn an_alias_on_latest_is_told_and_neither_stable_nor_a_reason_to_skip_steps() {
    let on_latest = |strategy| {
        let mut sim = b_is_live();
        sim.service = service_with(strategy);
        sim.move_by_hand(2, None);
        sim.alias.as_mut().unwrap().version = None;
        sim.git_wants('c');
        sim
    };
    let mut at_once = on_latest(release_schema::Strategy::AllAtOnce);
    ticks(&mut at_once, 4);
    assert_eq!(live(&at_once), (Some(v(3)), false));
    let said = &at_once.records.last().unwrap().said;
    assert_eq!(said.first().and_then(|said| said.reason.as_deref()), Some("the alias names `$LATEST`"));

    let mut by_steps = on_latest(two_steps());
    ticks(&mut by_steps, 2);
    by_steps.forced = true;
    by_steps.tick();
    assert_eq!(live(&by_steps), (Some(v(2)), true));

    let mut baked = on_latest(blue_green(false, true, 5));
    baked.forced = true;
    ticks(&mut baked, 3);
    assert!(matches!(phase(&baked), Phase::Baking { .. }));
    told_to(&mut baked, Word::Abort, "5xx");
    assert_eq!(live(&baked), (Some(v(2)), false), "there is something to return to");
}

#[test]
fn an_alias_that_is_deleted_is_no_reason_to_skip_steps_or_bake() {
    let mut sim = b_is_live();
    sim.service = service_with(two_steps());
    sim.alias = None;
    sim.git_wants('c');
    ticks(&mut sim, 4);
    let said =
        sim.state.as_ref().map(|it| it.said.iter().filter_map(|said| said.reason.as_deref()).collect::<Vec<_>>());
    assert_eq!(
        (live(&sim), said),
        ((Some(v(2)), true), Some(vec!["the alias is gone", "the alias is created again on version 2"]))
    );

    let mut sim = published(blue_green(false, false, 5));
    sim.tick();
    sim.alias = None;
    told_to(&mut sim, Word::Promote(STEP), "go");
    ticks(&mut sim, 3);
    assert!(matches!(sim.state.map(|state| state.phase), Some(Phase::Baking { .. })), "{:?}", sim.records);
}

#[test]
fn an_alias_that_is_gone_is_told_of_by_whatever_answers_that() {
    let reasons = |said: &[Said]| said.iter().filter_map(|said| said.reason.clone()).collect::<Vec<_>>();
    let gone = "the alias is gone".to_owned();
    // The next release.
    let mut sim = b_is_live();
    sim.alias = None;
    sim.git_wants('c');
    ticks(&mut sim, 4);
    assert_eq!((live(&sim), reasons(&sim.records[2].said)), ((Some(v(3)), false), vec![gone.clone()]));
    // A person's rollback.
    let mut sim = b_is_live();
    sim.alias = None;
    told_to(&mut sim, BACK, "5xx");
    assert_eq!((live(&sim), reasons(&sim.records[2].said)), ((Some(v(1)), false), vec![gone.clone()]));
    // A release that is turned back, as it was before, and while it is.
    for dies_before in [false, true] {
        let mut sim = holding();
        if !dies_before {
            sim.alias = None;
        }
        sim.git_wants('a');
        if dies_before {
            sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
            assert!(matches!(phase(&sim), Phase::Returning { .. }));
            sim.alias = None;
        }
        sim.tick();
        assert_eq!((live(&sim), reasons(&sim.records[1].said)), ((Some(v(1)), false), vec![gone.clone()]));
    }
}

#[test]
fn a_hand_that_moves_an_alias_which_a_return_created_again_right_before_it_died_is_told_of() {
    let mut sim = holding();
    sim.alias = None;
    sim.git_wants('a');
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    assert_eq!((live(&sim), kinds(&sim).len()), ((Some(v(1)), false), 1));
    sim.move_by_hand(2, None);
    sim.tick();
    let told: Vec<_> = sim.records[1].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!((live(&sim), told), ((Some(v(1)), false), vec!["the alias is gone", "the alias names version 2"]));
}

#[test]
fn an_alias_that_is_gone_once_more_is_told_of_once_more() {
    let mut sim = published(two_steps());
    sim.alias = None;
    ticks(&mut sim, 4);
    assert_eq!(live(&sim), (Some(v(1)), true));
    sim.alias = None;
    sim.git_wants('a');
    sim.tick();
    let told: Vec<_> = sim.records[1].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    let created = "the alias is created again on version 1";
    assert_eq!((live(&sim), told), ((Some(v(1)), false), vec!["the alias is gone", created, "the alias is gone"]));

    let mut sim = published(two_steps());
    for _ in 0..2 {
        sim.alias = None;
        sim.tick();
    }
    let told: Vec<_> = sim.state.iter().flat_map(|state| &state.said).map(|said| said.what.as_str()).collect();
    assert_eq!(told, ["edit", "created", "edit", "created"]);
}

#[test]
fn an_alias_that_named_latest_and_is_gone_is_told_of() {
    let mut sim = b_is_live();
    sim.function().versions.remove(&v(2));
    sim.alias.as_mut().unwrap().version = None;
    sim.git_wants('c');
    sim.tick();
    sim.aws_finishes();
    sim.alias = None;
    ticks(&mut sim, 3);
    let told: Vec<_> = sim.records[2].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!(told, ["the alias names `$LATEST`", "the alias is gone"]);
    sim.assert_converged();
}

#[test]
fn a_return_to_a_version_that_somebody_deleted_goes_to_the_one_before_or_stays_and_says_so() {
    for is_alone in [false, true] {
        let mut sim = b_is_live();
        sim.service = service_with(blue_green(false, true, 5));
        sim.git_wants('c');
        ticks(&mut sim, 4);
        assert!(matches!(phase(&sim), Phase::Baking { .. }), "{:?}", sim.state);
        sim.function().versions.remove(&v(2));
        if is_alone {
            sim.function().versions.remove(&v(1));
        }
        says(&mut sim, Word::Abort, Some("5xx"));
        // AWS refuses the alias.
        sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
        sim.word = None;
        let plan = sim.tick();
        let stored = plan
            .actions
            .first()
            .and_then(|first| if let Action::SaveState(state) = first { state.from.as_ref()?.version } else { None });
        assert_eq!(stored, (!is_alone).then(|| v(1)), "where it goes instead is stored before it does");
        let ended = sim.records.last().unwrap();
        let said: Vec<_> = ended.said.iter().filter_map(|said| said.reason.as_deref()).collect();
        assert_eq!((ended.kind, phase(&sim).is_over()), (Kind::Aborted, true));
        if is_alone {
            let why = "5xx; version 2 is gone, and nothing else is known to be good: the alias stays at version 3";
            assert_eq!((live(&sim), ended.reason.as_deref()), ((Some(v(3)), false), Some(why)));
        } else {
            assert_eq!(
                (live(&sim), said),
                ((Some(v(1)), false), vec!["5xx", "version 2 is gone: it returns to v-a instead"])
            );
        }
        sim.service = service_with(release_schema::Strategy::AllAtOnce);
        release_live(&mut sim, 'd');
    }
}

#[test]
fn a_version_that_slept_while_an_edit_held_its_rollout_is_woken_or_given_up() {
    for strategy in [two_steps(), blue_green(false, true, 5)] {
        let is_canary = strategy == two_steps();
        let mut asleep = published(strategy);
        ticks(&mut asleep, 3);
        asleep.move_by_hand(1, None);
        asleep.tick();
        asleep.version(2).state = VersionState::Inactive;

        let mut sim = asleep.clone();
        told_to(&mut sim, Word::Resume, "go on");
        ticks(&mut sim, 2);
        assert_eq!((live(&sim), phase(&sim).is_over()), ((Some(v(1)), false), true));
        assert_eq!(
            sim.records[1].reason.as_deref(),
            Some("version 2 is Inactive: it had no traffic for too long, and only a smoke test wakes it")
        );
        told_to(&mut sim, Word::Retry, "once more");
        ticks(&mut sim, 4);
        assert_eq!(live(&sim), if is_canary { (Some(v(1)), true) } else { (Some(v(3)), false) });

        let mut sim = asleep;
        (sim.service.smoke_test, sim.invoked) = (Some(smoke_test()), answers(200));
        told_to(&mut sim, Word::Resume, "go on");
        ticks(&mut sim, 3);
        // A release that was switched back by hand waits for a word once more, now that it is ready.
        told_to(&mut sim, Word::Resume, "go on");
        ticks(&mut sim, 3);
        assert_eq!(live(&sim), if is_canary { (Some(v(1)), true) } else { (Some(v(2)), false) });
        assert_eq!(sim.function().versions.len(), 2);
    }
}

#[test]
fn steps_from_latest_are_gone_over_by_nobody_who_does_not_say_so() {
    let mut sim = canary_from_latest();
    ticks(&mut sim, 4);
    let on = sim.tick().standing.waiting_on.unwrap().to_string();
    assert!(
        on.contains("`$LATEST`, which cannot share traffic; `tidegate promote --full staging/flight-service`"),
        "{on}"
    );
    told_to(&mut sim, Word::Resume, "go on");
    ticks(&mut sim, 2);
    assert_eq!(live(&sim).0, None, "not by a word that says nothing of it");
    told_to(&mut sim, Word::Promote(FULL), "all of it");
    ticks(&mut sim, 2);
    assert_eq!(live(&sim), (Some(v(3)), false));

    // A hand moved it meanwhile: that takes a word more, and is no dead end.
    let mut sim = canary_from_latest();
    ticks(&mut sim, 4);
    sim.move_by_hand(1, None);
    told_to(&mut sim, Word::Promote(FULL), "all of it");
    ticks(&mut sim, 2);
    assert_eq!(live(&sim), (Some(v(1)), false));
    told_to(&mut sim, Word::Resume, "go on");
    ticks(&mut sim, 2);
    assert_eq!(live(&sim), (Some(v(3)), false));
}

#[test]
fn a_hand_that_moves_the_alias_from_latest_under_a_release_is_told_of_by_the_next() {
    let mut sim = canary_from_latest();
    ticks(&mut sim, 3);
    sim.move_by_hand(3, None);
    sim.service = service_with(release_schema::Strategy::AllAtOnce);
    sim.git_wants('d');
    ticks(&mut sim, 3);
    let told: Vec<_> = sim.records[2].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!((live(&sim), told), ((Some(v(4)), false), vec!["the alias names version 3"]));
}

#[test]
fn a_hold_that_only_the_alias_knows_outlives_a_hand_that_lets_it_name_latest() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    all_is_lost_on_latest(&mut sim);
    ticks(&mut sim, 5);
    assert_eq!((live(&sim).0, sim.function().versions.len()), (None, 2));
    assert!(matches!(phase(&sim), Phase::Held { .. }), "{:?}", sim.state);
    told_to(&mut sim, Word::Unhold, "fixed");
    ticks(&mut sim, 4);
    assert_eq!(live(&sim), (Some(v(2)), false));
}

#[test]
fn no_registry_is_told_of_an_alias_that_somebody_deleted_meanwhile() {
    let tells = |plan: &Plan| plan.actions.iter().any(|action| matches!(action, Action::WriteRegistry { .. }));
    let mut promoted = Sim::wanting('b');
    ticks(&mut promoted, 1);
    promoted.tick_until(Some(Crash::After(1))).1.unwrap_err();
    promoted.git_wants('c');
    let mut rolled_back = b_is_live();
    says(&mut rolled_back, BACK, Some("5xx"));
    rolled_back.tick_until(Some(Crash::After(2))).1.unwrap_err();
    rolled_back.word = None;
    for mut sim in [promoted, rolled_back] {
        assert!(tells(&sim.clone().tick()), "it would have been told");
        sim.alias = None;
        let plan = sim.tick();
        assert!(!tells(&plan), "{plan:#?}");
    }
}

#[test]
fn a_hand_that_makes_live_again_what_history_ended_with_is_recorded_where_a_release_began_elsewhere_since() {
    let mut sim = b_is_live();
    sim.alias.as_mut().unwrap().version = None;
    sim.git_wants('c');
    ticks(&mut sim, 1);
    sim.git_wants('b');
    ticks(&mut sim, 2);
    sim.move_by_hand(2, None);
    ticks(&mut sim, 2);
    assert_eq!(kinds(&sim)[2..], [Kind::Superseded, Kind::Adopted]);
    sim.alias.as_mut().unwrap().version = None;
    release_live(&mut sim, 'd');
    let told: Vec<_> = sim.records[4].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!(told, ["the alias names `$LATEST`"]);
}

/// `c` has a share beside `b`, of which nothing is stored any more; then somebody gave two other versions the traffic, deleted `b`'s, and
/// Git wants `d`.
fn lost_and_edited_without_stable() -> Sim {
    let mut sim = b_is_live();
    sim.service = service_with(two_steps());
    sim.git_wants('c');
    for _ in 0..3 {
        sim.aws_finishes();
        sim.tick();
    }
    assert_eq!(live(&sim), (Some(v(2)), true));
    (sim.state, sim.recorded) = (None, None);
    sim.add_version(7, release('e').code);
    sim.move_by_hand(7, Some(Weighted { version: v(3), basis_points: 2_300 }));
    sim.function().versions.remove(&v(2));
    sim.git_wants('d');
    sim
}

#[test]
fn what_a_lost_rollout_has_still_goes_to_the_last_good_release_where_stable_was_deleted() {
    let mut sim = lost_and_edited_without_stable();
    sim.tick();
    assert_eq!(kinds(&sim)[2..], [Kind::Superseded, Kind::Healed]);
    assert_eq!(sim.records.last().unwrap().to, deployed(1, &release('a')));
    assert_eq!(live(&sim), (Some(v(1)), false));
}

#[test]
fn what_a_lost_rollout_has_still_stays_where_nothing_good_exists_and_git_is_followed() {
    let mut sim = lost_and_edited_without_stable();
    sim.function().versions.remove(&v(1));
    ticks(&mut sim, 1);
    let told = &sim.records[2];
    assert_eq!((told.kind, told.said[0].what.as_str()), (Kind::Superseded, "edit"));
    sim.service = service_with(Strategy::AllAtOnce);
    ticks(&mut sim, 3);
    let other = Some(Weighted { version: v(3), basis_points: 2_300 });
    assert_eq!((sim.alias.as_ref().unwrap().version, sim.alias.as_ref().unwrap().additional), (Some(v(7)), other));
    sim.forced = true;
    ticks(&mut sim, 2);
    sim.forced = false;
    sim.assert_converged();
    assert_eq!(kinds(&sim)[2..], [Kind::Superseded, Kind::Promoted]);
}

#[test]
fn a_release_whose_alias_was_deleted_right_after_its_record_is_over_and_tells_no_registry() {
    let mut sim = died_while_promoting(1);
    let registry = sim.registry.clone();
    sim.alias = None;
    sim.tick();
    assert_eq!((sim.state.clone(), sim.registry.clone()), (None, registry));
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted]);
}

#[test]
fn a_first_release_that_is_aborted_right_after_its_tick_died_ends_where_it_is() {
    let mut sim = Sim::unpublished(image('d'), release('a'));
    ticks(&mut sim, 1);
    let (plan, result) = sim.tick_until(Some(Crash::After(0)));
    result.unwrap_err();
    assert!(matches!(plan.actions[0], Action::CreateAlias { .. }), "{plan:#?}");
    let plan = told(&mut sim, Word::Abort, Some("5xx"));
    assert_eq!((live(&sim), kinds(&sim)), ((Some(v(1)), false), vec![Kind::Aborted]));
    let returns =
        |action: &Action| matches!(action, Action::SaveState(state) if matches!(state.phase, Phase::Returning { .. }));
    assert!(!plan.actions.iter().any(returns), "there is nothing to return to: {plan:#?}");
}

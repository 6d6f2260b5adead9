//! Back to what was good: from every state, with one write, and what is held out stays out.
use tidegate_core::command::Word;
use tidegate_core::decide::Look;
use tidegate_core::history::{Deployed, Kind, Record};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::live::VersionState;
use tidegate_core::plan::Action;
use tidegate_core::state::Phase;
use tidegate_core::status::{Health, HoldReason, PhaseName, WaitingOn};

use crate::build::*;
use crate::edits::edits;
use crate::rare_orders::died_while_promoting;
use crate::rollout::*;
use crate::sim::{Crash, Sim};

pub(crate) const BACK: Word = Word::Rollback { to: None, remind_after: None };

/// Release `a` was live as version 1, and `b` is now as version 2.
pub(crate) fn b_is_live() -> Sim {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim
}

/// Git releases this, and it becomes live.
pub(crate) fn release_live(sim: &mut Sim, letter: char) {
    sim.git_wants(letter);
    for _ in 0..6 {
        sim.aws_finishes();
        sim.tick();
    }
    assert_eq!(sim.records.last().unwrap().to.release, release(letter).id, "{letter} is live");
}

pub(crate) fn live(sim: &Sim) -> (Option<tidegate_core::ids::Version>, bool) {
    let alias = sim.alias.as_ref().unwrap();
    (alias.version, alias.additional.is_some())
}

pub(crate) fn kinds(sim: &Sim) -> Vec<Kind> {
    sim.records.iter().map(|record| record.kind).collect()
}

pub(crate) fn held_back(sim: &Sim) {
    let (_, plan) = sim.decide();
    assert_eq!(plan.actions, [], "it stays as it is");
    assert_eq!((plan.standing.phase, plan.standing.health), (PhaseName::RolledBack, Health::Suspended));
}

#[test]
fn a_rollback_is_two_reads_and_one_write_that_carries_traffic_and_hold() {
    let mut sim = b_is_live();
    says(&mut sim, BACK, Some("5xx"));
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Head, Look::Alias, Look::Version(v(1))]);
    let Action::Return { version, marker, if_revision } = &plan.actions[0] else { panic!("{plan:?}") };
    assert_eq!((*version, if_revision), (v(1), &sim.alias.as_ref().unwrap().revision));
    assert_eq!((&marker.release, marker.transition.0, &marker.held), (&release('a').id, 3, &Some(release('b').id)));
    let told: Vec<String> = plan.actions.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "return all traffic to version 1",
            "record transition 3 as rolled back",
            "hold v-b out",
            "write version 1 to the service registry",
            "note that the service registry is told",
        ]
    );
    told_to(&mut sim, BACK, "5xx");
    let last: &Record = sim.records.last().unwrap();
    assert_eq!((last.kind, last.actor.as_str(), last.reason.as_deref()), (Kind::RolledBack, "ann", Some("5xx")));
    assert_eq!((last.from.as_ref(), &last.to), (Some(&deployed(2, &release('b'))), &deployed(1, &release('a'))));
    assert_eq!(sim.registry, Some((v(1), release('a').tag)));
    held_back(&sim);
}

pub(crate) fn told_to(sim: &mut Sim, word: Word, reason: &str) {
    told(sim, word, Some(reason));
}

#[test]
fn a_target_whose_number_is_another_content_by_now_is_passed_over() {
    let mut sim = b_is_live();
    sim.version(1).code = Some(image('d'));
    says(&mut sim, BACK, Some("5xx"));
    let refusal = sim.refusal();
    assert!(refusal.contains("version 1 is not v-a any more"), "{refusal}");
}

#[test]
fn what_is_held_out_is_what_git_wants_and_where_that_is_not_known_what_was_under_way() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    says(&mut sim, BACK, Some("5xx"));
    let on = sim.decide().1.standing.waiting_on;
    assert!(matches!(&on, Some(WaitingOn::Held { release, .. }) if release == "v-c"), "{on:?}");

    let mut unknown = holding();
    unknown.wanted = Err("the tag does not exist".to_owned());
    told_to(&mut unknown, BACK, "5xx");
    let held = unknown.state.as_ref().unwrap();
    assert_eq!((PhaseName::from(&held.phase), &held.release), (PhaseName::RolledBack, &release('b')));
}

#[test]
fn what_is_held_out_stays_out_for_a_thousand_ticks_whatever_changes_beside_it() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    let writes = sim.alias_writes;
    for tick in 0..1_000 {
        match tick % 4 {
            0 => sim.service = service_with(two_steps()),
            1 => sim.service.analysis = Some(by_alarm()),
            2 => sim.forced = true,
            _ => sim.forced = false,
        }
        let plan = sim.tick();
        assert!(!plan.moves_forward(), "{plan:?}");
    }
    sim.forced = false;
    assert_eq!((sim.alias_writes, live(&sim)), (writes, (Some(v(1)), false)));
    held_back(&sim);
}

#[test]
fn other_content_in_git_lifts_the_hold_and_so_does_git_going_back_to_what_is_live() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    let mut back = sim.clone();
    back.git_wants('a');
    back.tick();
    back.tick();
    back.assert_converged();
    release_live(&mut sim, 'c');
    assert_eq!(live(&sim), (Some(v(3)), false));
}

#[test]
fn unhold_releases_what_git_wants_again_and_step_by_step() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.service = service_with(two_steps());
    let plan = told(&mut sim, Word::Unhold, Some("it was the database"));
    assert_eq!(plan.standing.phase, PhaseName::Shifting, "it was rolled back, so it goes through its steps");
    assert_eq!(sim.state.as_ref().unwrap().said[0].what, "unhold");
    assert_eq!(sim.function().versions.len(), 2);
}

#[test]
fn v5_bad_back_to_v4_v6_bad_back_to_v4_and_not_to_v5() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "b is bad");
    release_live(&mut sim, 'c');
    told_to(&mut sim, BACK, "c is bad");
    assert_eq!(live(&sim), (Some(v(1)), false), "a, which was good, and not b");
    held_back(&sim);
}

#[test]
fn a_rollback_ends_a_rollout_at_every_step_of_it() {
    for ticks in 1..8 {
        let mut sim = Sim::wanting('b');
        sim.service = service_with(canary(vec![weight(10), pause(1), weight(50), pause(1)]));
        for _ in 0..ticks {
            sim.tick();
            sim.aws_finishes();
        }
        if sim.state.is_none() {
            break;
        }
        let with_traffic = sim.state.as_ref().unwrap().phase.has_traffic();
        let refused = !with_traffic;
        says(&mut sim, BACK, Some("5xx"));
        if refused {
            assert!(sim.refusal().contains("has no good release to go back to"), "only `a` was ever live");
            continue;
        }
        told_to(&mut sim, BACK, "5xx");
        assert_eq!(live(&sim), (Some(v(1)), false), "after {ticks} ticks");
        assert_eq!(kinds(&sim), [Kind::Adopted, Kind::RolledBack], "after {ticks} ticks");
        for _ in 0..20 {
            sim.tick();
        }
        held_back(&sim);
    }
}

#[test]
fn a_rollback_while_another_release_is_published_goes_back_behind_what_is_live() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick();
    told_to(&mut sim, BACK, "b is bad and c is no better");
    assert_eq!(live(&sim), (Some(v(1)), false));
    for _ in 0..10 {
        sim.aws_finishes();
        sim.tick();
    }
    // Git wants `c`, and that is what is held out; `b` is none to go back to either.
    held_back(&sim);
    assert_eq!(sim.state.as_ref().unwrap().release.id, release('c').id);
    assert!(!sim.head.as_ref().unwrap().is_good(&release('b').id));
}

#[test]
fn said_twice_it_has_one_effect_and_another_record_is_named_to_go_further() {
    let mut sim = b_is_live();
    release_live(&mut sim, 'c');
    told_to(&mut sim, BACK, "5xx");
    assert_eq!(live(&sim), (Some(v(2)), false));
    let writes = sim.alias_writes;
    let plan = told(&mut sim, BACK, Some("5xx"));
    assert_eq!((plan.actions.len(), sim.alias_writes), (0, writes));
    told_to(&mut sim, Word::Rollback { to: Some(TransitionNumber(1)), remind_after: None }, "b as well");
    assert_eq!(live(&sim), (Some(v(1)), false));
    held_back(&sim);
}

#[test]
fn a_target_that_is_gone_is_passed_over_and_that_is_said() {
    let mut sim = b_is_live();
    release_live(&mut sim, 'c');
    sim.function().versions.remove(&v(2));
    told_to(&mut sim, BACK, "5xx");
    assert_eq!(live(&sim).0, Some(v(1)));
    assert_eq!(sim.records.last().unwrap().reason.as_deref(), Some("5xx (v-b (version 2) is gone)"));
}

#[test]
fn a_target_that_cannot_serve_is_refused_with_the_reason() {
    let mut sim = b_is_live();
    sim.version(1).state = VersionState::Failed { reason: "ImageDeleted".to_owned() };
    says(&mut sim, BACK, Some("5xx"));
    assert_eq!(sim.refusal(), "v-a (version 1) cannot serve: ImageDeleted; `--to RECORD` names another one");
}

#[test]
fn an_idle_target_gets_the_traffic_at_once_and_is_woken_where_there_is_a_payload() {
    let mut sim = b_is_live();
    sim.version(1).state = VersionState::Inactive;
    let mut with_payload = sim.clone();
    with_payload.service.smoke_test = Some(release_schema::SmokeTest {
        payload: serde_json::json!({}),
        expect_status: None,
        expect_body: None,
        expect_json: std::collections::BTreeMap::new(),
    });
    says(&mut with_payload, BACK, Some("5xx"));
    let actions = with_payload.decide().1.actions;
    assert!(matches!(actions[..2], [Action::Wake { .. }, Action::Return { .. }]), "{actions:?}");
    says(&mut sim, BACK, Some("5xx"));
    let actions = sim.decide().1.actions;
    let Action::AppendRecord(record) = &actions[1] else { panic!("{actions:?}") };
    assert_eq!(record.reason.as_deref(), Some("5xx (version 1 was idle: the first calls wake it)"));
}

#[test]
fn a_release_that_was_held_out_before_its_traffic_comes_back_with_its_version() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick();
    let version = sim.state.as_ref().unwrap().phase.version();
    assert!(version.is_some());
    told_to(&mut sim, BACK, "5xx");
    let record = sim.records.last().unwrap();
    let ended = record.ended.as_ref().unwrap();
    assert_eq!((record.held.as_ref(), &ended.release), (Some(&release('c').id), &release('c').id));
    assert_eq!(ended.version, version);
    assert_eq!(sim.head.as_ref().unwrap().versions_of(&release('c').id), [version.unwrap()]);
}

#[test]
fn a_release_that_a_rollback_ended_and_git_wants_no_more_comes_back_with_its_version() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick();
    let version = sim.state.as_ref().unwrap().phase.version();
    sim.git_wants('d');
    told_to(&mut sim, BACK, "5xx");
    assert_eq!(sim.records.last().unwrap().held, Some(release('d').id));
    assert_eq!(sim.head.as_ref().unwrap().versions_of(&release('c').id), [version.unwrap()]);
}

#[test]
fn without_anything_good_it_says_what_history_holds() {
    let mut sim = Sim::at_rest();
    says(&mut sim, BACK, Some("5xx"));
    assert_eq!(
        sim.refusal(),
        "`staging/flight-service` has no good release to go back to; history holds 1 v-a (adopted)"
    );
    sim.head = None;
    assert_eq!(sim.refusal(), "`staging/flight-service` has no history, so there is nothing to go back to");
    let mut sim = b_is_live();
    says(&mut sim, Word::Rollback { to: Some(TransitionNumber(9)), remind_after: None }, Some("5xx"));
    assert_eq!(
        sim.refusal(),
        "record 9 of `staging/flight-service` is none to go back to: the last ones that were live are 2, 1"
    );
}

#[test]
fn a_rollback_waits_neither_for_git_nor_for_a_wish_that_can_be_resolved() {
    for disturb in [
        (|sim: &mut Sim| sim.hold = Some(HoldReason::GitUnavailable { message: "refused".to_owned() })) as fn(&mut Sim),
        |sim| sim.wanted = Err("ECR does not answer".to_owned()),
    ] {
        let mut sim = b_is_live();
        disturb(&mut sim);
        told_to(&mut sim, BACK, "5xx");
        assert_eq!(live(&sim), (Some(v(1)), false));
        // And when all is well again, what was live is held out.
        (sim.hold, sim.wanted) = (None, Ok(release('b')));
        for _ in 0..5 {
            sim.tick();
        }
        held_back(&sim);
    }
}

#[test]
fn a_reminder_says_when_it_was_due_and_changes_nothing() {
    let mut sim = b_is_live();
    let word = Word::Rollback { to: None, remind_after: Some(3_600) };
    told_to(&mut sim, word, "5xx");
    let due = |sim: &Sim| match sim.decide().1.standing.waiting_on {
        Some(WaitingOn::Held { due, .. }) => due,
        other => panic!("{other:?}"),
    };
    let said = sim.minute();
    assert_eq!(due(&sim), None);
    sim.at(said + 61);
    assert_eq!(due(&sim), Some(at(said + 60)));
    held_back(&sim);
}

#[test]
fn words_of_a_rollout_have_nothing_to_do_with_a_hold() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    says(&mut sim, Word::Retry, None);
    assert_eq!(
        sim.refusal(),
        "it was rolled back and is held out; `tidegate unhold staging/flight-service` releases it again"
    );
    let mut holding = holding();
    says(&mut holding, Word::Unhold, None);
    assert_eq!(holding.refusal(), "there is no hold to lift: the service is in the phase Holding");
    assert!(matches!(sim.state.as_ref().unwrap().phase, Phase::Held { .. }));
}

#[test]
fn a_hold_that_git_lifted_by_going_back_is_no_hold_when_the_release_comes_again() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.git_wants('a');
    let plan = sim.tick();
    assert_eq!(plan.standing, synced());
    let reason = "commit aaaaaaaaaaaa lifts the hold of v-b";
    assert_eq!(sim.records.last().unwrap().reason.as_deref(), Some(reason));
    sim.assert_converged();
    sim.git_wants('b');
    for _ in 0..3 {
        sim.tick();
    }
    assert_eq!(live(&sim), (Some(v(2)), false));
}

#[test]
fn a_hold_that_git_lifted_by_going_back_is_told_once_whatever_died_after_that() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    sim.git_wants('a');
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    sim.tick();
    assert_eq!(kinds(&sim), [Kind::Adopted, Kind::Promoted, Kind::RolledBack, Kind::Adopted]);
    sim.assert_converged();
}

#[test]
fn a_hold_that_git_lifted_is_told_also_where_another_tick_recorded_something_since() {
    let mut sim = b_is_live();
    told_to(&mut sim, BACK, "5xx");
    let late = Record { previous: None, ..sim.records[1].clone() };
    sim.append(Record { number: TransitionNumber(4), kind: Kind::Superseded, ..late });
    sim.git_wants('a');
    sim.tick();
    let newest = sim.records.last().unwrap();
    assert_eq!(
        (newest.kind, newest.reason.as_deref()),
        (Kind::Adopted, Some("commit aaaaaaaaaaaa lifts the hold of v-b"))
    );
}

#[test]
fn a_rollback_of_what_no_hand_touched_tells_of_no_edit() {
    let at_rest = b_is_live();
    let recorded_and_died = died_while_promoting(1);
    let died = died_while_promoting(0);
    let mut lost = died.clone();
    lost.state = None;
    for (what, mut sim) in [("rest", at_rest), ("recorded", recorded_and_died), ("died", died), ("lost", lost)] {
        told_to(&mut sim, BACK, "5xx");
        let told = sim.records.last().unwrap();
        assert_eq!((told.kind, live(&sim)), (Kind::RolledBack, (Some(v(1)), false)), "{what}");
        assert_eq!(edits(&told.said), Vec::<&str>::new(), "{what}");
    }
}

#[test]
fn a_rollback_tells_what_it_ended_where_that_is_not_what_it_came_from() {
    let mut publishing = b_is_live();
    publishing.git_wants('c');
    publishing.tick_until(Some(Crash::After(0))).1.unwrap_err();
    let mut published = b_is_live();
    published.service = service_with(two_steps());
    published.git_wants('c');
    published.tick();
    published.aws_finishes();
    let mut shares = published.clone();
    shares.tick();
    let c = deployed(3, &release('c'));
    let b = deployed(2, &release('b'));
    for (mut sim, from, ended) in [
        (publishing, b.clone(), Some(Deployed { version: None, ..c.clone() })),
        (published, b, Some(c.clone())),
        (shares, c, None),
    ] {
        told_to(&mut sim, BACK, "5xx");
        let told = sim.records.last().unwrap();
        assert_eq!((told.from.as_ref(), &told.ended), (Some(&from), &ended), "{told:#?}");
    }
}

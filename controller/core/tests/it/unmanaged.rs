//! A service that is removed from Git: what is left of it, how it is closed, and how it comes back.
use tidegate_core::history::{Head, Kind, Record};
use tidegate_core::ids::{RevisionId, TransitionNumber};
use tidegate_core::live::{LiveAlias, Weighted};
use tidegate_core::plan::Action;
use tidegate_core::state::{Phase, ServiceState, Shape};
use tidegate_core::unmanaged::{Closing, Removed, close, left};

use crate::build::*;
use crate::rollout::{result, said, with_results};
use crate::sim::Sim;

/// Version 1 with `a` was promoted in record 1.
fn history() -> Head {
    let record = record(1, Kind::Promoted, None, deployed(1, &release('a')), commit('a'), [0, 0]);
    Head::append(None, record).unwrap().head
}

/// `b` is version 2, and was given 10 % of the traffic.
fn canary() -> ServiceState {
    let phase = Phase::Holding { version: v(2), step: 0, weight: 1_000 };
    state(2, &release('b'), Some(deployed(1, &release('a'))), 'b', phase)
}

fn alias(version: u64, other: Option<(u64, u16)>) -> LiveAlias {
    let additional = other.map(|(version, basis_points)| Weighted { version: v(version), basis_points });
    let marker = Some(marker(2, &release('b')));
    LiveAlias { version: Some(v(version)), additional, marker, revision: RevisionId("r7".to_owned()) }
}

fn closing(state: Option<&ServiceState>, head: Option<&Head>, alias: Option<&LiveAlias>) -> Closing {
    let (environment, service, commit) = (environment(), service().name, commit('c'));
    close(&Removed {
        environment: &environment,
        service: &service,
        commit: &commit,
        actor: "controller",
        now: at(9),
        tick: "tick-9",
        state,
        head,
        alias,
    })
}

fn told(records: &[Record]) -> Vec<(u64, Kind)> {
    records.iter().map(|record| (record.number.0, record.kind)).collect()
}

#[test]
fn at_rest_only_its_history_says_that_nobody_manages_it() {
    let Closing { returning, back, records } = closing(None, Some(&history()), Some(&alias(1, None)));
    assert_eq!((returning, back), (None, None));
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((record.number, record.kind), (TransitionNumber(2), Kind::Unmanaged));
    assert_eq!((&record.to, record.commit.as_ref()), (&deployed(1, &release('a')), Some(&commit('c'))));
    assert_eq!(record.reason.as_deref(), Some("commit cccccccccccc does not have the service"));
    let head = Head::append(Some(&history()), record.clone()).unwrap().head;
    assert_eq!(closing(None, Some(&head), None).records, [], "it is said once");
    assert_eq!(closing(None, None, None).records, [], "what was never released has no history");
}

#[test]
fn a_canary_returns_to_stable_with_its_intent_stored_first() {
    let Closing { returning, back, records } =
        closing(Some(&canary()), Some(&history()), Some(&alias(1, Some((2, 1_000)))));
    assert!(matches!(returning.unwrap().phase, Phase::Returning { ending: Kind::Superseded, .. }));
    let back = back.unwrap();
    assert_eq!((back.version, back.marker, back.if_revision.0.as_str()), (v(1), marker(2, &release('a')), "r7"));
    assert_eq!(told(&records), [(2, Kind::Superseded), (3, Kind::Unmanaged)]);
    assert_eq!(records[1].to, deployed(1, &release('a')), "stable is what stays");
}

#[test]
fn what_is_turned_back_is_recorded_with_what_it_went_through_and_is_paused_no_more() {
    let said = vec![said("pause", Some("lunch"), 4)];
    let canary = ServiceState { paused: said.first().cloned(), said: said.clone(), ..canary() };
    let steps = vec![result("10 %", 2, 4, None)];
    let canary = with_results(canary, steps.clone());
    let closing = closing(Some(&canary), Some(&history()), Some(&alias(1, Some((2, 1_000)))));
    let returning = closing.returning.unwrap();
    assert_eq!((returning.since, &returning.paused, &returning.said), (at(9), &None, &said));

    let (from, why) = (deployed(1, &release('a')), "commit cccccccccccc does not have the service");
    let ended = record(2, Kind::Superseded, Some(from.clone()), deployed(2, &release('b')), commit('b'), [0, 9]);
    let unmanaged = record(3, Kind::Unmanaged, Some(from.clone()), from, commit('c'), [9, 9]);
    let ended = because(why, Record { steps, said, ..ended });
    assert_eq!(closing.records, [ended, because(why, unmanaged)]);
}

/// It is on its way back already, on an order of somebody.
#[test]
fn what_was_being_turned_back_is_recorded_as_that_and_as_theirs() {
    let (ending, actor) = (Kind::Aborted, "ann".to_owned());
    let phase = Phase::Returning { version: v(2), ending, reason: "5xx".to_owned(), actor, before: None };
    let returning = ServiceState { phase, ..canary() };
    let closing = closing(Some(&returning), Some(&history()), Some(&alias(1, Some((2, 1_000)))));
    assert_eq!((closing.returning, closing.back.is_some()), (None, true));
    let ended = &closing.records[0];
    assert_eq!((ended.kind, ended.reason.as_deref(), ended.actor.as_str()), (Kind::Aborted, Some("5xx"), "ann"));
}

/// All traffic is on stable, but by whose hand?
#[test]
fn traffic_is_back_where_the_marker_says_so_as_well() {
    let by_hand = closing(Some(&canary()), Some(&history()), Some(&alias(1, None)));
    assert_eq!(by_hand.back.map(|back| back.version), Some(v(1)));
    let share = LiveAlias { marker: Some(marker(2, &release('a'))), ..alias(1, Some((2, 1_000))) };
    let shared_again = closing(Some(&canary()), Some(&history()), Some(&share));
    assert_eq!(shared_again.back.map(|back| back.version), Some(v(1)));
}

#[test]
fn what_a_tick_left_undone_is_done_by_the_next_and_nothing_twice() {
    let first = closing(Some(&canary()), Some(&history()), Some(&alias(1, Some((2, 1_000)))));
    let returning = *first.returning.unwrap();
    let back = LiveAlias { marker: Some(marker(2, &release('a'))), ..alias(1, None) };
    let next = closing(Some(&returning), Some(&history()), Some(&back));
    assert_eq!((next.returning, next.back), (None, None));
    assert_eq!(told(&next.records), [(2, Kind::Superseded), (3, Kind::Unmanaged)]);
    let mut head = history();
    for (done, left) in [(0, vec![(3, Kind::Unmanaged)]), (1, vec![])] {
        head = Head::append(Some(&head), first.records[done].clone()).unwrap().head;
        assert_eq!(told(&closing(Some(&returning), Some(&head), Some(&back)).records), left);
    }
}

#[test]
fn an_alias_that_is_somebody_elses_by_now_is_not_written() {
    let edited = ServiceState { edited: Some(Shape::all(v(7))), ..canary() };
    for (state, alias) in [
        (canary(), Some(alias(7, None))),
        (canary(), Some(alias(1, Some((7, 5_000))))),
        (edited, Some(alias(1, None))),
        (canary(), None),
    ] {
        let Closing { returning, back, records } = closing(Some(&state), Some(&history()), alias.as_ref());
        assert_eq!((returning, back), (None, None), "{alias:?}");
        assert_eq!(told(&records), [(2, Kind::Superseded), (3, Kind::Unmanaged)]);
    }
}

#[test]
fn what_history_tells_of_as_promoted_is_not_turned_back() {
    let baking = ServiceState { phase: Phase::Baking { version: v(2), switched: at(1) }, ..canary() };
    let (from, to) = (baking.from.clone(), deployed(2, &release('b')));
    let promoted = Record { started: baking.started, ..record(2, Kind::Promoted, from, to, commit('b'), [0, 5]) };
    let head = Head::append(Some(&history()), promoted).unwrap().head;
    let Closing { returning, back, records } = closing(Some(&baking), Some(&head), Some(&alias(2, None)));
    assert_eq!((returning, back, told(&records)), (None, None, vec![(3, Kind::Unmanaged)]));
}

#[test]
fn a_release_that_lost_its_number_to_another_record_is_ended_with_the_next() {
    let adopted = record(2, Kind::Adopted, None, deployed(1, &release('a')), commit('a'), [3, 3]);
    let head = Head::append(Some(&history()), adopted).unwrap().head;
    let Closing { records, .. } = closing(Some(&canary()), Some(&head), Some(&alias(1, Some((2, 1_000)))));
    assert_eq!(told(&records), [(3, Kind::Superseded), (4, Kind::Unmanaged)]);
}

#[test]
fn what_got_no_traffic_only_ends_and_what_has_ended_is_only_closed() {
    let from = Some(deployed(1, &release('a')));
    let published = state(2, &release('b'), from.clone(), 'b', promoting(2));
    let Closing { returning, back, records } = closing(Some(&published), Some(&history()), None);
    assert_eq!((returning, back), (None, None));
    assert_eq!(told(&records), [(2, Kind::Superseded), (3, Kind::Unmanaged)]);
    let first = state(1, &release('a'), None, 'a', promoting(1));
    assert_eq!(told(&closing(Some(&first), None, None).records), [(1, Kind::Superseded), (2, Kind::Unmanaged)]);
    let over = state(1, &release('b'), from, 'b', Phase::Failed { reason: "no".to_owned() });
    assert_eq!(told(&closing(Some(&over), Some(&history()), None).records), [(2, Kind::Unmanaged)]);
}

#[test]
fn what_is_left_of_it_is_told_with_its_share() {
    let told = left(&canary());
    assert_eq!((told.release.as_str(), told.weight, told.has_traffic), ("v-b", Some(1_000), true));
    let published = state(2, &release('b'), None, 'b', promoting(2));
    assert_eq!((left(&published).weight, left(&published).has_traffic), (None, false));
}

#[test]
fn what_a_hand_made_live_while_nobody_managed_it_is_no_edit() {
    let mut sim = Sim::at_rest();
    let [unmanaged] = closing(None, sim.head.as_ref(), sim.alias.as_ref()).records.try_into().unwrap();
    sim.append(unmanaged);
    sim.recorded = None;
    sim.add_version(7, release('d').code);
    sim.move_by_hand(7, None);
    sim.git_wants('c');
    sim.tick();
    let begun = sim.state.as_ref().unwrap();
    assert_eq!((begun.from.as_ref().and_then(|from| from.version), &begun.said), (Some(v(7)), &vec![]));
}

#[test]
fn a_service_that_comes_back_is_taken_over_as_it_lives() {
    let mut sim = Sim::wanting('a');
    sim.settle(2);
    let closed = closing(None, sim.head.as_ref(), None).records.remove(0);
    let appended = Head::append(sim.head.as_ref(), closed).unwrap();
    sim.records.push(appended.head.recent[0].clone());
    sim.head = Some(appended.head);
    sim.recorded = None;
    assert!(sim.head.as_ref().unwrap().is_unmanaged() && sim.head.as_ref().unwrap().last_live().is_none());
    let plan = sim.tick();
    assert!(plan.actions.iter().all(|action| !action.mutates_lambda()), "{plan:?}");
    assert!(
        plan.actions
            .iter()
            .any(|action| matches!(action, Action::AppendRecord(record) if record.kind == Kind::Adopted))
    );
    assert!(sim.head.as_ref().unwrap().last_live().is_some());
    assert!(!sim.head.as_ref().unwrap().in_rollback_window(&release('c').id));
}

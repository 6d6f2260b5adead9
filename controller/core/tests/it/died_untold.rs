//! What a process did right before it died, and nothing told: no version is forgotten, and no hand that changed it since.
use tidegate_core::command::Word;
use tidegate_core::history::{Kind, Record};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::plan::Action;
use tidegate_core::status::SyncStatus;

use crate::build::*;
use crate::edits::edits;
use crate::rare_orders::{died_while_promoting, ticks, to};
use crate::rollbacks::{BACK, b_is_live, kinds, live, release_live, told_to};
use crate::rollout::*;
use crate::sim::{Crash, Sim};

#[test]
fn an_abort_or_a_rollback_while_a_publish_landed_forgets_no_version() {
    for (word, is_taken_back) in [(Word::Abort, false), (Word::Abort, true), (BACK, false), (BACK, true)] {
        let mut sim = b_is_live();
        sim.git_wants('c');
        let (plan, result) = sim.tick_until(Some(Crash::After(1)));
        result.unwrap_err();
        assert!(matches!(plan.actions[1], Action::UpdateCode { .. }), "{plan:#?}");
        sim.aws_finishes();
        told_to(&mut sim, word, "5xx");
        if is_taken_back {
            sim.git_wants(if word == BACK { 'a' } else { 'b' });
            ticks(&mut sim, 3);
            assert_eq!((sim.state.clone(), sim.tick().standing.sync), (None, SyncStatus::Synced));
        }
        release_live(&mut sim, 'd');
        release_live(&mut sim, 'c');
        let twins = sim.function().versions.values().filter(|version| version.code == Some(image('c'))).count();
        assert_eq!(twins, 1, "{word:?}");
    }
}

#[test]
fn a_publish_that_landed_unseen_as_git_changed_forgets_no_version() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    let before = sim.latest().clone();
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    // AWS still says what was before.
    let landed = std::mem::replace(sim.latest(), before);
    sim.git_wants('d');
    sim.tick_until(Some(Crash::Before(3))).1.unwrap_err();
    assert_eq!(sim.records.last().map(|record| (record.kind, record.to.version)), Some((Kind::Superseded, None)));
    *sim.latest() = landed;
    ticks(&mut sim, 4);
    assert_eq!(live(&sim), (Some(v(4)), false));
    release_live(&mut sim, 'c');
    assert_eq!(live(&sim), (Some(v(3)), false));
}

#[test]
fn a_version_that_landed_unseen_and_became_that_of_another_release_is_found_by_the_first_as_well() {
    let mut sim = b_is_live();
    sim.git_wants('c');
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    sim.aws_finishes();
    told_to(&mut sim, BACK, "5xx");
    // The memory that the function has anyway: what Git gives differs, and what is published does not.
    let declared = sim.service.configuration.clone();
    sim.service.configuration.memory_size = Some(sim.latest().configuration.memory_size);
    let with_memory = release_with('c', &sim.service.configuration);
    sim.wanted = Ok(with_memory.clone());
    ticks(&mut sim, 3);
    assert_eq!(sim.records.last().map(|record| &record.to), Some(&deployed(3, &with_memory)));
    sim.service.configuration = declared;
    release_live(&mut sim, 'd');
    release_live(&mut sim, 'c');
    assert_eq!(live(&sim), (Some(v(3)), false));
}

#[test]
fn a_rollback_to_a_record_that_is_said_once_more_moves_no_alias_again() {
    let mut sim = b_is_live();
    let to_a = to(1);
    says(&mut sim, to_a, Some("5xx"));
    sim.tick_until(Some(Crash::After(0))).1.unwrap_err();
    // Another tick's record took the number.
    let taken = Record { previous: None, ..sim.records[1].clone() };
    sim.append(Record { number: TransitionNumber(3), kind: Kind::Superseded, ..taken });
    let writes = sim.alias_writes;
    for _ in 0..2 {
        told_to(&mut sim, to_a, "5xx");
        assert_eq!((live(&sim), sim.alias_writes), ((Some(v(1)), false), writes));
        assert_eq!(kinds(&sim)[2..], [Kind::Superseded, Kind::RolledBack]);
    }
    told_to(&mut sim, to(2), "a as well");
    assert_eq!(live(&sim), (Some(v(2)), false), "another record is another word");
}

#[test]
fn a_hand_that_took_a_lost_rollout_back_is_told_of_by_a_release_without_steps() {
    let mut sim = holding();
    (sim.state, sim.recorded) = (None, None);
    sim.move_by_hand(1, None);
    sim.service = service_with(release_schema::Strategy::AllAtOnce);
    sim.git_wants('c');
    ticks(&mut sim, 4);
    let told: Vec<_> = sim.records[1].said.iter().filter_map(|said| said.reason.as_deref()).collect();
    assert_eq!((live(&sim), told), ((Some(v(3)), false), vec!["the alias names version 1"]));
}

#[test]
fn a_hand_that_took_back_what_a_tick_gave_right_before_it_died_is_told_of_however_that_ends() {
    for ends in [(|sim: &mut Sim| sim.git_wants('c')) as fn(&mut Sim), |sim| {
        told_to(sim, Word::Abort, "5xx");
        ticks(sim, 2);
        sim.git_wants('c');
    }] {
        let mut sim = died_while_promoting(0);
        sim.move_by_hand(1, None);
        sim.tick();
        ends(&mut sim);
        ticks(&mut sim, 4);
        let told: Vec<_> = sim.records.iter().flat_map(|record| edits(&record.said)).collect();
        assert_eq!((live(&sim), told.len()), ((Some(v(3)), false), 1), "{told:?}");
    }
}

#[test]
fn a_hand_that_moved_what_the_first_release_gave_right_before_its_tick_died_is_told_of() {
    let mut sim = Sim::unpublished(image('d'), release('a'));
    sim.add_version(1, image('d'));
    ticks(&mut sim, 1);
    sim.git_wants('b');
    ticks(&mut sim, 1);
    let (plan, result) = sim.tick_until(Some(Crash::After(0)));
    result.unwrap_err();
    assert!(matches!(plan.actions[0], Action::CreateAlias { .. }), "{plan:#?}");
    sim.move_by_hand(1, None);
    sim.git_wants('c');
    ticks(&mut sim, 3);
    assert_eq!(kinds(&sim), [Kind::Superseded, Kind::Superseded, Kind::Promoted]);
    let told: Vec<_> = sim.records[2].said.iter().map(|said| said.reason.as_deref()).collect();
    assert_eq!(told, [Some("the alias names version 1")]);
}

#[test]
fn a_release_that_began_while_aws_said_that_nothing_serves_goes_on_from_what_does() {
    let mut sim = Sim::wanting('b');
    let alias = sim.alias.take();
    sim.tick();
    sim.alias = alias;
    sim.aws_finishes();
    sim.tick();
    let state = sim.state.clone().unwrap();
    let said: Vec<_> = state.said.iter().map(|said| said.what.as_str()).collect();
    assert_eq!((state.from, said), (Some(deployed(1, &release('a'))), vec!["edit", "no edit"]));
    assert_eq!(state.rollout.direct, None, "it is no first deploy");

    // What somebody deletes now is something else than what seemed to be gone.
    sim.alias = None;
    sim.tick();
    let told = edits(&sim.records[1].said);
    assert_eq!((live(&sim), told.len()), ((Some(v(2)), false), 2));
}

/// How many edits transition 3 tells of, under way or recorded.
fn told_edits(sim: &Sim) -> usize {
    let recorded = sim.records.iter().filter(|record| record.number == TransitionNumber(3)).map(|record| &record.said);
    recorded.chain(sim.state.as_ref().map(|state| &state.said)).map(|said| edits(said).len()).sum()
}

#[test]
fn a_hand_that_moved_the_alias_behind_an_answer_out_of_date_is_told_of_before_anything_has_its_traffic() {
    for strategy in [release_schema::Strategy::AllAtOnce, two_steps(), blue_green(false, true, 10)] {
        let mut sim = holding();
        told_to(&mut sim, Word::Abort, "5xx");
        ticks(&mut sim, 2);
        let left = sim.alias.as_ref().unwrap().marker.clone();
        assert_eq!(left, Some(marker(2, &release('a'))));
        sim.move_by_hand(2, None);
        // What the answer tells, from before the release was aborted: it has all traffic still.
        sim.alias.as_mut().unwrap().marker = Some(marker(2, &release('b')));
        sim.service = service_with(strategy);
        sim.git_wants('c');
        sim.tick();
        assert_eq!((sim.state.as_ref().unwrap().from.clone(), told_edits(&sim)), (Some(deployed(2, &release('b'))), 0));
        sim.alias.as_mut().unwrap().marker = left;
        let writes = sim.alias_writes;
        sim.aws_finishes();
        ticks(&mut sim, 3);
        assert!(sim.alias_writes > writes);
        assert_eq!(told_edits(&sim), 1);
    }
}

#[test]
fn an_alias_that_is_where_an_aborted_release_left_it_is_nobodys_edit_where_git_declares_more_of_it_since() {
    let mut sim = holding();
    told_to(&mut sim, Word::Abort, "5xx");
    ticks(&mut sim, 2);
    sim.service.configuration.memory_size = Some(sim.latest().configuration.memory_size);
    sim.wanted = Ok(release_with('c', &sim.service.configuration));
    sim.tick();
    let from = sim.state.as_ref().unwrap().from.clone().unwrap();
    assert_eq!((from.version, from.release == release('a').id), (Some(v(1)), false));
    let writes = sim.alias_writes;
    sim.aws_finishes();
    ticks(&mut sim, 3);
    assert!(sim.alias_writes > writes);
    assert_eq!(told_edits(&sim), 0);
}

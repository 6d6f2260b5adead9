//! A history whose head was lost: its records say what it was.
use std::collections::BTreeMap;

use tidegate_core::history::{Deployed, Head, Kind, Record, RecordHash, Unproven, hash_bytes};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::status::{HoldReason, PhaseName, WaitingOn};

use crate::build::*;
use crate::sim::Sim;

type Records = BTreeMap<TransitionNumber, (RecordHash, Record)>;

fn n(number: u64) -> TransitionNumber {
    TransitionNumber(number)
}

/// So many records as they are stored, and the head after them.
fn stored(records: u64) -> (Records, Head) {
    let (mut stored, mut head) = (Records::new(), None);
    for number in 1..=records {
        let record = record(number, Kind::Promoted, None, deployed(number, &release('a')), commit('a'), [0, 1]);
        let appended = Head::append(head.as_ref(), record).unwrap();
        stored.insert(n(number), (hash_bytes(&appended.bytes), appended.head.recent[0].clone()));
        head = Some(appended.head);
    }
    (stored, head.unwrap())
}

/// The last twenty of them, as they are read.
fn newest(records: &Records) -> Records {
    records.iter().rev().take(Head::RECENT).map(|(number, record)| (*number, record.clone())).collect()
}

#[test]
fn a_head_that_was_lost_is_the_same_again_however_long_the_history() {
    for length in [1, 2, 19, 20, 21, 45] {
        let (records, head) = stored(length);
        assert_eq!(Head::rebuilt(n(length), &newest(&records)), Ok(head), "{length} records");
    }
}

#[test]
fn what_was_good_stays_known_behind_a_night_of_releases_that_never_were_live() {
    let (mut records, mut head) = (Records::new(), None);
    let mut append = |kind, to: Deployed, held: Option<char>| {
        let number = head.as_ref().map_or(1, |head: &Head| head.number.next().0);
        let record =
            Record { held: held.map(|c| release(c).id), ..record(number, kind, None, to, commit('a'), [0, 1]) };
        let appended = Head::append(head.as_ref(), record).unwrap();
        records.insert(n(number), (hash_bytes(&appended.bytes), appended.head.recent[0].clone()));
        assert_eq!(Head::rebuilt(n(number), &records), Ok(appended.head.clone()), "{number}");
        head = Some(appended.head.clone());
        appended.head
    };
    let live =
        |head: &Head| head.older.iter().map(|record| (record.number.0, record.to.version.unwrap())).collect::<Vec<_>>();
    for (version, c) in [(1, 'a'), (2, 'b'), (3, 'c')] {
        append(Kind::Promoted, deployed(version, &release(c)), None);
    }
    append(Kind::RolledBack, deployed(2, &release('b')), Some('c'));
    append(Kind::Healed, deployed(2, &release('b')), None);
    let mut newest = None;
    for version in 4..24 {
        newest = Some(append(Kind::Aborted, deployed(version, &release('d')), None));
    }
    let newest = newest.unwrap();
    assert_eq!(live(&newest), [(5, v(2)), (1, v(1))], "neither what was rolled back, nor one twice");
    assert_eq!(newest.last_live().unwrap().to.version, Some(v(2)));
    assert_eq!(newest.good_before(&release('b').id).map(|to| to.version).collect::<Vec<_>>(), [Some(v(1))]);
    assert_eq!(newest.versions_of(&release('a').id), [v(1)]);
    assert!(newest.in_rollback_window(&release('a').id) && !newest.is_whole());

    let mut newest = append(Kind::RolledBack, deployed(1, &release('a')), Some('b'));
    assert_eq!(live(&newest), [], "{:?} is live again, and b is not good any more", newest.last_live());
    for (version, c) in (31..).zip("ef01234".chars()) {
        newest = append(Kind::Promoted, deployed(version, &release(c)), None);
    }
    for version in 50..70 {
        newest = append(Kind::Failed, deployed(version, &release('d')), None);
    }
    let five = [(33, v(37)), (32, v(36)), (31, v(35)), (30, v(34)), (29, v(33))];
    assert_eq!((live(&newest), newest.is_whole()), (five.to_vec(), true));
    newest = append(Kind::Unmanaged, deployed(37, &release('4')), None);
    assert_eq!((newest.older.len(), newest.is_whole()), (0, true), "what nobody managed since is not known to be good");
}

#[test]
fn a_head_is_not_made_from_records_that_do_not_prove_one_another() {
    let (records, _) = stored(25);
    let records = newest(&records);
    let rebuilt = |change: &dyn Fn(&mut Records)| {
        let mut records = records.clone();
        change(&mut records);
        Head::rebuilt(n(25), &records).unwrap_err()
    };
    assert_eq!(rebuilt(&|records| drop(records.remove(&n(7)))), Unproven::Missing(n(7)));
    let forged = |records: &mut Records| records.get_mut(&n(9)).unwrap().0 = hash_bytes(b"other");
    assert_eq!(rebuilt(&forged), Unproven::Unchained(n(10)));
    let copied = |records: &mut Records| drop(records.insert(n(9), records[&n(8)].clone()));
    assert_eq!(rebuilt(&copied), Unproven::Misplaced(n(9)));

    let (mut few, _) = stored(3);
    few.get_mut(&n(1)).unwrap().1.previous = Some(hash_bytes(b"older"));
    assert_eq!(Head::rebuilt(n(3), &few), Err(Unproven::Unchained(n(1))), "nothing is before the first");
    assert_eq!(Unproven::Missing(n(7)).to_string(), "record 7 is missing");
}

fn restores(plan: &Plan) -> Vec<&Action> {
    plan.actions.iter().filter(|action| matches!(action, Action::RestoreHead(_))).collect()
}

#[test]
fn a_lost_head_is_stored_after_everything_else_that_a_plan_does() {
    let mut sim = Sim::wanting('b');
    sim.head_lost = true;
    let head = Box::new(sim.head.clone().unwrap());
    let plan = sim.tick();
    assert_eq!(plan.standing.phase, PhaseName::Publishing);
    assert_eq!(plan.actions.last(), Some(&Action::RestoreHead(head)));
    assert_eq!(plan.actions.last().unwrap().to_string(), "restore the history's head at record 1");
    sim.aws_finishes();
    assert_eq!(restores(&sim.tick()), Vec::<&Action>::new(), "once");
}

#[test]
fn a_record_that_is_appended_writes_the_head_that_was_lost() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.head_lost = true;
    let plan = sim.tick();
    assert!(plan.actions.iter().any(|action| matches!(action, Action::AppendRecord(_))), "{plan:#?}");
    assert_eq!(restores(&plan), Vec::<&Action>::new());
}

#[test]
fn a_lost_head_is_stored_while_the_environment_is_on_hold() {
    let mut sim = Sim::wanting('b');
    sim.head_lost = true;
    let hold = HoldReason::GitUnavailable { message: "down".to_owned() };
    sim.hold = Some(hold.clone());
    let plan = sim.tick();
    assert_eq!((restores(&plan).len(), plan.actions.len()), (1, 1));
    assert_eq!(plan.standing.waiting_on, Some(WaitingOn::Hold(hold)));
}

#[test]
fn a_person_who_asks_for_a_converged_service_has_its_lost_head_stored() {
    let mut sim = Sim::at_rest();
    sim.head_lost = true;
    sim.assert_converged();
    sim.forced = true;
    let plan = sim.tick();
    assert_eq!((restores(&plan).len(), plan.standing), (1, synced()));
    assert_eq!(sim.tick(), Plan::rest(synced()));
}

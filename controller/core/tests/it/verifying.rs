//! Whoever changes, removes, swaps, copies or adds something in a history is found, and what they touched is named.
use std::collections::BTreeMap;

use tidegate_core::history::{Head, Kind, Record, RecordHash, hash_bytes};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::marker::Marker;
use tidegate_core::verify::{Alias, Evidence, Finding, Last, Testimony, Verification, verify};

use crate::build::*;

/// A service's history as it lies in the bucket, and its alias.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) records: BTreeMap<TransitionNumber, Vec<u8>>,
    pub(crate) strays: Vec<String>,
    pub(crate) head: Option<Vec<u8>>,
    pub(crate) alias: Alias,
    pub(crate) under_way: Option<TransitionNumber>,
}

pub(crate) fn n(number: u64) -> TransitionNumber {
    TransitionNumber(number)
}

/// Each release is promoted, from `a` to `e` and round again, and the alias was written by the last.
fn letter(number: u64) -> char {
    ['a', 'b', 'c', 'd', 'e'][usize::try_from(number % 5).unwrap()]
}

fn promoted(number: u64) -> Record {
    let to = deployed(number, &release(letter(number)));
    let from = (number > 1).then(|| deployed(number - 1, &release(letter(number - 1))));
    record(number, Kind::Promoted, from, to, commit(letter(number)), [0, 1])
}

pub(crate) fn marked(number: u64) -> Alias {
    Alias::Marked(marker(number, &release(letter(number))))
}

impl History {
    pub(crate) fn of(count: u64) -> Self {
        Self::made_of((1..=count).map(promoted), marked(count))
    }

    fn made_of(all: impl IntoIterator<Item = Record>, alias: Alias) -> Self {
        let mut records = BTreeMap::new();
        let mut head: Option<Head> = None;
        for record in all {
            let number = record.number;
            let appended = Head::append(head.as_ref(), record).unwrap();
            records.insert(number, appended.bytes);
            head = Some(appended.head);
        }
        Self { records, strays: Vec::new(), head: head.as_ref().map(stored), alias, under_way: None }
    }

    fn verified(&self) -> Verification {
        verify(&Evidence {
            environment: &environment(),
            service: &service().name,
            records: &self.records,
            strays: &self.strays,
            head: self.head.as_deref(),
            alias: &self.alias,
            under_way: self.under_way,
        })
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.verified().findings
    }

    pub(crate) fn hash(&self, number: u64) -> RecordHash {
        hash_bytes(&self.records[&n(number)])
    }

    pub(crate) fn put(&mut self, number: u64, bytes: Vec<u8>) {
        self.records.insert(n(number), bytes);
    }

    pub(crate) fn take(&mut self, number: u64) -> Vec<u8> {
        self.records.remove(&n(number)).unwrap()
    }
}

fn stored(head: &Head) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(head).unwrap();
    bytes.push(b'\n');
    bytes
}

/// What a forger writes who knows the format: valid JSON, and nothing that a reader would stumble over.
fn forged(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.contains(from), "{text}");
    text.replacen(from, to, 1).into_bytes()
}

#[test]
fn a_history_as_it_was_written_is_proven_and_says_what_it_is_chained_to() {
    for count in [1, 2, 19, 20, 21, 64] {
        let history = History::of(count);
        let Verification { records, last, alias, findings, .. } = history.verified();
        assert_eq!(findings, []);
        assert_eq!((records as u64, alias), (count, Testimony::Agrees { transition: n(count) }));
        let last = last.unwrap();
        assert_eq!((last.number, last.hash), (n(count), history.hash(count)));
    }
}

#[test]
fn a_service_without_a_history_has_nothing_to_be_found() {
    let nothing = History::made_of([], Alias::Unmarked);
    assert_eq!((nothing.findings(), nothing.verified().last), (vec![], None));
}

#[test]
fn a_changed_record_is_named_with_the_hash_that_the_next_one_says() {
    let mut history = History::of(8);
    let expected = history.hash(5);
    let bytes = forged(&history.records[&n(5)], "\"actor\": \"controller\"", "\"actor\": \"somebody else\"");
    let found = hash_bytes(&bytes);
    history.put(5, bytes);
    assert_eq!(history.findings(), [Finding::Changed { number: n(5), expected, found }]);
}

#[test]
fn two_changed_neighbours_are_both_named() {
    let mut history = History::of(30);
    for number in [4, 5] {
        let bytes = forged(&history.records[&n(number)], "\"controller\"", "\"nobody\"");
        history.put(number, bytes);
    }
    let numbers: Vec<_> = history.findings().iter().map(|finding| format!("{finding}")).collect();
    assert_eq!(numbers, ["record 5 was changed", "record 4 is not what record 5 says, which was changed itself"]);
}

#[test]
fn records_that_are_gone_are_named_from_first_to_last() {
    let mut history = History::of(30);
    let expected = Some(history.hash(9));
    for number in 7..=9 {
        history.take(number);
    }
    assert_eq!(history.findings(), [Finding::Missing { first: n(7), last: n(9), expected }]);
    let mut history = History::of(3);
    let expected = Some(history.hash(1));
    history.take(1);
    assert_eq!(history.findings(), [Finding::Missing { first: n(1), last: n(1), expected }]);
}

#[test]
fn a_record_in_the_place_of_another_is_told_from_a_changed_one() {
    let mut history = History::of(30);
    let (two, three) = (history.take(2), history.take(3));
    let (second, third) = (hash_bytes(&two), hash_bytes(&three));
    history.put(2, three);
    history.put(3, two);
    assert_eq!(
        history.findings(),
        [
            Finding::Reordered { number: n(3), holds: n(2), expected: Some(third.clone()), found: second.clone() },
            Finding::Reordered { number: n(2), holds: n(3), expected: Some(second), found: third },
        ]
    );
}

#[test]
fn a_copy_of_a_record_is_found_in_and_beyond_the_history() {
    let mut history = History::of(30);
    let (expected, found) = (Some(history.hash(7)), history.hash(4));
    history.put(7, history.records[&n(4)].clone());
    assert_eq!(history.findings(), [Finding::Duplicated { number: n(7), of: n(4), expected, found }]);
    let mut history = History::of(30);
    let found = history.hash(4);
    history.put(31, history.records[&n(4)].clone());
    assert_eq!(history.findings(), [Finding::Duplicated { number: n(31), of: n(4), expected: None, found }]);
}

#[test]
fn a_tail_that_was_cut_off_with_its_head_is_known_to_the_alias_alone() {
    for (kept, first) in [(5, 6), (7, 8)] {
        let cut = History { alias: marked(8), ..History::of(kept) };
        assert_eq!(cut.findings(), [Finding::CutOff { first: n(first), last: n(8) }]);
        assert_eq!(History { alias: Alias::Unmarked, ..cut }.findings(), []);
    }
    let all = History { alias: marked(8), ..History::made_of([], Alias::Unmarked) };
    assert_eq!(all.findings(), [Finding::CutOff { first: n(1), last: n(8) }]);
}

#[test]
fn a_tail_that_was_cut_off_without_its_head_is_missing() {
    let mut history = History::of(8);
    let expected = Some(history.hash(8));
    history.take(7);
    history.take(8);
    assert_eq!(history.findings(), [Finding::Missing { first: n(7), last: n(8), expected }]);
}

#[test]
fn the_transition_under_way_has_no_record_yet() {
    let begun = History { alias: marked(6), under_way: Some(n(6)), ..History::of(5) };
    let Verification { alias, findings, .. } = begun.verified();
    assert_eq!((alias, findings), (Testimony::UnderWay { transition: n(6) }, vec![]));
    let later = History { alias: marked(7), under_way: Some(n(7)), ..History::of(5) };
    assert_eq!(later.findings(), [Finding::CutOff { first: n(6), last: n(7) }]);
}

#[test]
fn a_record_whose_head_is_about_to_be_written_is_no_finding_and_an_older_head_is() {
    let whole = History::of(30);
    let about_to_be = History { head: History::of(29).head, ..whole.clone() };
    assert_eq!(about_to_be.findings(), []);
    assert_eq!(about_to_be.verified().last.unwrap().number, n(30));
    let put_back = History { head: History::of(12).head, ..whole };
    assert_eq!(put_back.findings(), [Finding::HeadBehind { number: n(12), last: n(30) }]);
}

#[test]
fn a_head_that_is_gone_or_no_head_hides_no_change_of_a_record() {
    let mut history = History { head: None, ..History::of(8) };
    assert_eq!(history.findings(), [Finding::HeadMissing]);
    history.head = Some(b"{}".to_vec());
    assert_eq!(history.findings(), [Finding::HeadUnreadable]);
    let bytes = forged(&history.records[&n(3)], "\"controller\"", "\"nobody\"");
    history.put(3, bytes);
    assert!(history.findings().iter().any(|f| matches!(f, Finding::Changed { number, .. } if *number == n(3))));
}

#[test]
fn a_head_of_this_build_is_one_in_full_and_one_of_a_newer_build_as_much_as_is_known() {
    let history = History::of(8);
    let head = String::from_utf8(history.head.clone().unwrap()).unwrap();
    let of_version = |version: u64, text: &str| {
        let text = text.replacen("\"schemaVersion\": 1", &format!("\"schemaVersion\": {version}"), 1);
        History { head: Some(text.into_bytes()), ..history.clone() }.findings()
    };
    // Its copy of the last record is none that this build can read.
    let without = head.replacen("\"environment\"", "\"universe\"", 1);
    assert_ne!(without, head);
    for (version, text, findings) in [
        (1, &head, vec![]),
        (0, &head, vec![Finding::HeadUnreadable]),
        (1, &without, vec![Finding::HeadUnreadable]),
        (99, &without, vec![Finding::HeadRetold { number: n(8) }]),
    ] {
        assert_eq!(of_version(version, text), findings, "{version}");
    }
}

#[test]
fn a_head_whose_hash_was_changed_is_known_by_its_own_copy_of_the_record() {
    let history = History::of(8);
    let mut head: Head = serde_json::from_slice(history.head.as_ref().unwrap()).unwrap();
    let found = hash_bytes(b"another");
    head.hash = found.clone();
    let expected = Last { number: n(8), hash: history.hash(8) };
    let changed = History { head: Some(stored(&head)), ..history };
    assert_eq!(changed.findings(), [Finding::HeadChanged { number: n(8), expected, found }]);
}

#[test]
fn what_was_added_at_the_end_is_unchained_or_unknown_to_the_alias() {
    let mut history = History::of(8);
    let expected = Some(history.hash(8));
    let forged = Head::append(None, promoted(9)).unwrap();
    history.put(9, forged.bytes);
    assert_eq!(history.findings(), [Finding::Unchained { number: n(9), expected, found: None }]);
    let with_its_head = History { alias: marked(8), ..History::of(9) };
    assert_eq!(with_its_head.findings(), [Finding::AliasBehind { number: n(9), alias: n(8) }]);
}

#[test]
fn what_never_touched_the_alias_may_follow_what_did() {
    let failed = Record { kind: Kind::Failed, ..promoted(4) };
    let history = History::made_of((1..=3).map(promoted).chain([failed]), marked(3));
    assert_eq!(history.findings(), []);
}

#[test]
fn the_alias_of_a_release_that_was_turned_back_names_the_one_before() {
    let aborted = Record { kind: Kind::Aborted, ..promoted(4) };
    let back = Alias::Marked(marker(4, &release(letter(3))));
    assert_eq!(History::made_of((1..=3).map(promoted).chain([aborted]), back).findings(), []);
}

#[test]
fn a_rollback_whose_number_somebody_else_took_is_told_by_the_next_record() {
    let held = Some(release(letter(3)).id);
    let alias = Alias::Marked(Marker { held: held.clone(), ..marker(4, &release(letter(2))) });
    let failed = Record { kind: Kind::Failed, ..promoted(4) };
    let to = deployed(2, &release(letter(2)));
    let back = Record { kind: Kind::RolledBack, to, held, ..promoted(5) };
    let all = (1..=3).map(promoted).chain([failed, back]);
    assert_eq!(History::made_of(all, alias.clone()).findings(), []);
    let untold = (1..=4).map(promoted);
    assert_eq!(History::made_of(untold, alias).findings(), [Finding::AliasDisagrees { number: n(4) }]);
}

#[test]
fn a_transition_whose_number_somebody_else_took_is_told_by_the_next_record() {
    let adopted = Record { kind: Kind::Adopted, to: promoted(3).to, from: None, ..promoted(4) };
    let late = Record { to: deployed(4, &release(letter(4))), ..promoted(5) };
    let all = (1..=3).map(promoted).chain([adopted.clone(), late]);
    assert_eq!(History::made_of(all, marked(4)).findings(), []);
    let too_late = [adopted.clone(), Record { number: n(5), ..adopted }, Record { to: promoted(4).to, ..promoted(6) }];
    let findings = History::made_of((1..=3).map(promoted).chain(too_late), marked(4)).findings();
    assert!(findings.contains(&Finding::AliasDisagrees { number: n(4) }), "{findings:?}");
}

#[test]
fn a_rollback_leads_where_its_marker_says() {
    let held = Some(release(letter(3)).id);
    let back = |to: u64| Record { kind: Kind::RolledBack, to: deployed(to, &release(letter(to))), ..promoted(4) };
    let alias = Alias::Marked(Marker { held, ..marker(4, &release(letter(2))) });
    for (to, findings) in [(2, vec![]), (1, vec![Finding::AliasDisagrees { number: n(4) }])] {
        let history = History::made_of((1..=3).map(promoted).chain([back(to)]), alias.clone());
        assert_eq!(history.findings(), findings);
    }
}

#[test]
fn a_healing_moved_the_alias_where_it_says_so() {
    let at = |version| Some(deployed(version, &release(letter(3))));
    let healed = |from| Record { kind: Kind::Healed, from: at(from), to: at(3).unwrap(), ..promoted(4) };
    let behind = Finding::AliasBehind { number: n(4), alias: n(3) };
    for (from, findings) in [(3, vec![]), (7, vec![behind])] {
        let history = History::made_of((1..=3).map(promoted).chain([healed(from)]), marked(3));
        assert_eq!(history.findings(), findings, "{from}");
    }
}

#[test]
fn a_finding_says_what_is_there_and_what_should_be() {
    let [expected, found] = [b"expected", b"found   "].map(|bytes| hash_bytes(bytes));
    let (some, both) = (Some(expected.clone()), (Some(&expected), Some(&found)));
    let last = Last { number: n(8), hash: expected.clone() };
    let other_number = Finding::HeadChanged { number: n(9), expected: last.clone(), found: found.clone() };
    let other_hash = Finding::HeadChanged { number: n(8), expected: last, found: found.clone() };
    let one = Finding::Missing { first: n(7), last: n(7), expected: some.clone() };
    let three = Finding::Missing { first: n(7), last: n(9), expected: some };
    for (finding, text, hashes) in [
        (other_number, "the head was changed: it calls record 8 number 9", both),
        (other_hash, "the head was changed: it gives record 8 another hash", both),
        (one, "record 7 is missing", (Some(&expected), None)),
        (three, "records 7 to 9 are missing", (Some(&expected), None)),
        (Finding::HeadMissing, "the head is missing", (None, None)),
    ] {
        assert_eq!((finding.to_string().as_str(), finding.hashes()), (text, hashes));
    }
}

#[test]
fn a_last_record_that_was_forged_with_its_head_is_known_to_the_alias() {
    let other = Record { to: deployed(4, &release('f')), ..promoted(4) };
    let history = History::made_of((1..=3).map(promoted).chain([other]), marked(4));
    assert_eq!(history.findings(), [Finding::AliasDisagrees { number: n(4) }]);
}

#[test]
fn a_head_that_tells_a_recent_record_otherwise_or_leaves_it_out_is_found() {
    let history = History::of(30);
    let head = || serde_json::from_slice::<Head>(history.head.as_ref().unwrap()).unwrap();
    let mut hidden = head();
    hidden.recent.remove(3);
    let mut retold = head();
    retold.recent[3].actor = "nobody".to_owned();
    let mut more = head();
    more.recent.push(promoted(10));
    let mut twice = head();
    twice.recent.insert(3, twice.recent[3].clone());
    for (head, number) in [(hidden, 27), (retold, 27), (more, 10), (twice, 30)] {
        let changed = History { head: Some(stored(&head)), ..history.clone() };
        assert_eq!(changed.findings(), [Finding::HeadRetold { number: n(number) }]);
    }
}

#[test]
fn what_a_head_tells_of_older_records_is_held_against_them() {
    let failed = (4..=30).map(|number| Record { kind: Kind::Failed, ..promoted(number) });
    let history = History::made_of((1..=3).map(promoted).chain(failed), marked(3));
    let head = || serde_json::from_slice::<Head>(history.head.as_ref().unwrap()).unwrap();
    assert_eq!(head().older.iter().map(|record| record.number.0).collect::<Vec<_>>(), [3, 2, 1]);
    assert_eq!(history.findings(), []);
    let mut retold = head();
    retold.older[1].actor = "nobody".to_owned();
    let mut recent = head();
    recent.older[0] = recent.recent[4].clone();
    let mut oldest = head();
    oldest.older[0] = oldest.recent[19].clone();
    let mut none = head();
    none.older[2].number = n(0);
    for (head, number) in [(retold, 2), (recent, 26), (oldest, 11), (none, 0)] {
        let changed = History { head: Some(stored(&head)), ..history.clone() };
        assert_eq!(changed.findings(), [Finding::HeadRetold { number: n(number) }]);
    }
    let mut broken = history.clone();
    broken.records.remove(&n(2));
    assert!(!broken.findings().iter().any(|finding| matches!(finding, Finding::HeadRetold { .. })), "it has its own");
}

#[test]
fn the_history_of_another_service_is_none_of_this_one() {
    let foreign = |number| Record { environment: "production".parse().unwrap(), ..promoted(number) };
    let history = History::made_of((1..=3).map(foreign), marked(3));
    assert_eq!(history.findings(), [Finding::Foreign { number: n(3), of: "production/flight-service".to_owned() }]);
}

#[test]
fn records_of_a_newer_build_are_verified_as_well() {
    let newer = forged(&History::of(1).records[&n(1)], "\"kind\": \"promoted\"", "\"kind\": \"teleported\"");
    let head = serde_json::json!({
        "schemaVersion": 2, "number": 1, "hash": hash_bytes(&newer),
        "recent": [serde_json::from_slice::<serde_json::Value>(&newer).unwrap()],
    });
    let mut history = History { head: Some(head.to_string().into_bytes()), ..History::of(1) };
    history.put(1, newer);
    assert_eq!(history.findings(), []);
    history.put(1, b"{}".to_vec());
    assert!(matches!(history.findings()[..], [Finding::Changed { .. }]));
}

#[test]
fn a_number_without_end_ends_the_search_at_once() {
    let mut history = History::of(3);
    let expected = history.hash(3);
    let head = forged(history.head.as_ref().unwrap(), "\"number\": 3,", "\"number\": 18446744073709551615,");
    history.head = Some(head);
    let told = history.findings();
    let last = tidegate_core::verify::Last { number: n(3), hash: expected.clone() };
    assert_eq!(told, [Finding::HeadChanged { number: n(u64::MAX), expected: last, found: expected }]);
    let mut history = History::of(3);
    history.head = None;
    history.put(u64::MAX, b"{}".to_vec());
    let found = history.hash(u64::MAX);
    assert_eq!(
        history.findings(),
        [
            Finding::HeadMissing,
            Finding::Unreadable { number: n(u64::MAX), found },
            Finding::Missing { first: n(4), last: n(u64::MAX - 1), expected: None },
        ]
    );
}

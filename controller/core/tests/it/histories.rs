//! The chain of records, and what its newest end knows.
use tidegate_core::history::{Deployed, Head, Kind, Record, hash_bytes};
use tidegate_core::ids::{TransitionNumber, Version};

use crate::build::*;

fn promoted(number: u64, version: u64, letter: char) -> Record {
    record(number, Kind::Promoted, None, deployed(version, &release(letter)), commit(letter), [0, 1])
}

fn of_kind(kind: Kind, record: Record) -> Record {
    Record { kind, ..record }
}

fn history(records: impl IntoIterator<Item = Record>) -> Head {
    records
        .into_iter()
        .fold(None, |head: Option<Head>, record| Some(Head::append(head.as_ref(), record).unwrap().head))
        .unwrap()
}

#[test]
fn the_first_record_has_none_before_it_and_the_next_has_its_hash() {
    let first = Head::append(None, promoted(1, 1, 'a')).unwrap();
    let stored: Record = serde_json::from_slice(&first.bytes).unwrap();
    assert_eq!(stored, promoted(1, 1, 'a'));
    assert_eq!(first.head.hash, hash_bytes(&first.bytes));
    assert_eq!((first.head.number, &first.head.recent[..]), (TransitionNumber(1), &[stored][..]));

    let second = Head::append(Some(&first.head), promoted(2, 2, 'b')).unwrap();
    let chained: Record = serde_json::from_slice(&second.bytes).unwrap();
    assert_eq!(chained, Record { previous: Some(first.head.hash.clone()), ..promoted(2, 2, 'b') });
    assert_eq!(second.head.hash, hash_bytes(&second.bytes));
    assert_eq!(second.head.recent, [chained, promoted(1, 1, 'a')]);
}

#[test]
fn whoever_changes_a_record_breaks_the_chain() {
    let first = Head::append(None, promoted(1, 1, 'a')).unwrap();
    let forged = Head::append(None, because("it was never so", promoted(1, 1, 'a'))).unwrap();
    assert_ne!(first.head.hash, forged.head.hash);
}

#[test]
fn what_is_stored_is_read_back_and_an_unknown_field_is_refused() {
    let appended = Head::append(None, because("once", promoted(1, 1, 'a'))).unwrap();
    let text = serde_json::to_string(&appended.head).unwrap();
    assert_eq!(serde_json::from_str::<Head>(&text).unwrap(), appended.head);
    let newer = text.replacen('{', "{\"color\":\"red\",", 1);
    assert!(serde_json::from_str::<Head>(&newer).is_err());
}

#[test]
fn a_record_reads_like_this() {
    let appended = Head::append(None, because("it was live", promoted(1, 7, 'a'))).unwrap();
    insta::assert_snapshot!(String::from_utf8(appended.bytes).unwrap(), @r#"
    {
      "schemaVersion": 1,
      "number": 1,
      "previous": null,
      "environment": "staging",
      "service": "flight-service",
      "kind": "promoted",
      "from": null,
      "to": {
        "version": "7",
        "release": "5fe26b56a7d20de785706ee27edcab2e",
        "code": {
          "image": "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        },
        "tag": "v-a"
      },
      "commit": {
        "id": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "author": "Ann <ann@example.com>",
        "time": "2024-10-03T23:55:00Z",
        "summary": "Release a"
      },
      "actor": "controller",
      "reason": "it was live",
      "started": "2024-10-04T00:00:00Z",
      "finished": "2024-10-04T00:01:00Z",
      "tick": "tick-1"
    }
    "#);
}

#[test]
fn the_head_carries_the_last_twenty_records() {
    let head = history((1..=25).map(|number| promoted(number, number, 'a')));
    let numbers: Vec<u64> = head.recent.iter().map(|record| record.number.0).collect();
    assert_eq!(numbers, (6..=25).rev().collect::<Vec<_>>());
    assert_eq!(head.number, TransitionNumber(25));
}

#[test]
fn what_should_be_live_is_the_last_that_moved_traffic_or_took_it_over() {
    let head = history([
        promoted(1, 1, 'a'),
        of_kind(Kind::Adopted, promoted(2, 2, 'b')),
        of_kind(Kind::Failed, promoted(3, 3, 'c')),
        of_kind(Kind::Superseded, promoted(4, 4, 'd')),
    ]);
    assert_eq!(head.last_live().unwrap().number, TransitionNumber(2));
    assert_eq!(history([of_kind(Kind::Failed, promoted(1, 1, 'a'))]).last_live(), None);
}

#[test]
fn a_release_has_the_versions_it_was_published_as_and_one_that_failed_last() {
    let head = history([
        promoted(1, 1, 'a'),
        of_kind(Kind::Superseded, promoted(2, 2, 'b')),
        of_kind(Kind::Failed, promoted(3, 3, 'c')),
        promoted(4, 4, 'a'),
        of_kind(Kind::Failed, promoted(5, 5, 'a')),
    ]);
    let known: [Vec<Version>; 4] = ['a', 'b', 'c', 'd'].map(|letter| head.versions_of(&release(letter).id));
    assert_eq!(known, [vec![v(4), v(1), v(5)], vec![v(2)], vec![v(3)], vec![]]);
}

#[test]
fn a_rollback_to_one_version_of_a_release_knows_the_other_that_it_ended() {
    let ended = Some(deployed(4, &release('b')));
    let back = Record { ended, ..of_kind(Kind::RolledBack, promoted(3, 2, 'b')) };
    let head = history([promoted(1, 1, 'a'), promoted(2, 2, 'b'), back]);
    assert_eq!(head.versions_of(&release('b').id), [v(2), v(4)]);
}

#[test]
fn a_rollback_took_traffic_from_what_it_ended_what_was_stable_and_what_it_holds_out() {
    let back = Record {
        from: Some(deployed(4, &release('d'))),
        held: Some(release('c').id),
        ..of_kind(Kind::RolledBack, promoted(4, 1, 'a'))
    };
    let records = [promoted(1, 1, 'a'), promoted(2, 2, 'b'), of_kind(Kind::Failed, promoted(3, 3, 'c')), back.clone()];
    let head = history(records.into_iter().chain([promoted(5, 5, 'e')]));
    let left: Vec<_> = head.left_by(&back).map(|left| left.version).collect();
    assert_eq!(left, [Some(v(4)), Some(v(2)), Some(v(3))]);
}

#[test]
fn a_version_that_no_record_tells_of_follows_what_was_published_before_its_attempt() {
    let attempt = |number, letter| {
        let to = Deployed { version: None, ..deployed(1, &release(letter)) };
        Record { to, ..of_kind(Kind::Superseded, promoted(number, 1, letter)) }
    };
    let untold = |head: &Head, letter| head.untold_versions_of(&release(letter).id);
    let head = history([promoted(1, 1, 'a'), attempt(2, 'b'), promoted(3, 3, 'c')]);
    assert_eq!(untold(&head, 'b'), [v(2), v(3)], "or it is what was known next");
    assert_eq!(untold(&head, 'c'), [], "all of `c` is told");
    assert_eq!(untold(&head, 'd'), [], "there was no attempt at `d`");
    let newest = history([promoted(1, 4, 'a'), attempt(2, 'b')]);
    assert_eq!(untold(&newest, 'b'), [v(5), v(6), v(7)], "no more than three");
}

#[test]
fn a_version_had_all_traffic_with_its_code_only() {
    let head = history([promoted(1, 1, 'a'), of_kind(Kind::Failed, promoted(2, 2, 'b'))]);
    let had = |version, letter| head.had_all_traffic(&deployed(version, &release(letter)));
    assert_eq!([had(1, 'a'), had(2, 'b'), had(1, 'c'), had(3, 'a')], [true, false, false, false]);
}

#[test]
fn a_version_has_the_tag_it_was_called_last() {
    let head = history([promoted(1, 1, 'a'), promoted(2, 2, 'b')]);
    assert_eq!(head.tag_of(v(1)), Some(&tag('a')));
    assert_eq!(head.tag_of(v(3)), None);
}

#[test]
fn a_writer_knows_its_own_record_again_whichever_tick_wrote_it() {
    let mine = promoted(2, 2, 'b');
    let retried = Record { finished: at(9), tick: "tick-9".to_owned(), ..mine.clone() };
    assert!(mine.same_transition(&retried));
    for other in [
        Record { started: at(5), ..mine.clone() },
        Record { kind: Kind::Failed, ..mine.clone() },
        Record { number: TransitionNumber(3), ..mine.clone() },
        Record { to: deployed(3, &release('b')), ..mine.clone() },
        Record { previous: Some(hash_bytes(b"other")), ..mine.clone() },
    ] {
        assert!(!mine.same_transition(&other), "{other:?}");
    }
}

#[test]
fn a_version_is_a_positive_number() {
    assert_eq!("12".parse::<Version>().unwrap(), v(12));
    for text in ["0", "-1", "$LATEST", "", "1.0"] {
        assert_eq!(
            text.parse::<Version>().unwrap_err().to_string(),
            format!("`{text}` is not the number of a published version")
        );
    }
}

#[test]
fn what_was_live_in_the_last_five_records_goes_straight_live_again_and_a_version_was_live_with_its_content_only() {
    let letters = "abcdef";
    let head = history(letters.chars().zip(1..).map(|(letter, number)| promoted(number, number, letter)));
    let is_in = |letter: &char| head.in_rollback_window(&release(*letter).id);
    assert_eq!(letters.chars().filter(is_in).collect::<String>(), "bcdef");
    let first = history([promoted(1, 1, 'a')]);
    assert!(first.in_rollback_window(&release('a').id));

    let was_live = |letter, version: u64| head.was_live(&release(letter).id, v(version));
    assert!(was_live('a', 1) && was_live('f', 6));
    assert!(!was_live('a', 6) && !was_live('f', 1) && !was_live('a', 7));
}

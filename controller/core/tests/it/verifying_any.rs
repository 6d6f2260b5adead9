//! Wherever in a history something is changed, removed, swapped or cut off, it is found there, and nothing else is named.
use proptest::prelude::*;
use tidegate_core::history::{Head, hash_bytes};
use tidegate_core::verify::{Finding, Place};

use crate::verifying::{History, marked, n};

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_byte_that_is_changed_anywhere_in_a_record_names_that_record(
        count in 1_u64..30, which in any::<proptest::sample::Index>(), at in any::<proptest::sample::Index>(), flip in 1_u8..=255,
    ) {
        let mut history = History::of(count);
        let number = which.index(usize::try_from(count).unwrap()) as u64 + 1;
        let expected = history.hash(number);
        let mut bytes = history.take(number);
        let index = at.index(bytes.len());
        bytes[index] ^= flip;
        let found = hash_bytes(&bytes);
        history.put(number, bytes);
        let findings = history.findings();
        prop_assert!(findings.contains(&Finding::Changed { number: n(number), expected, found }), "{findings:#?}");
        // Where it was the hash in it that was changed, the one before cannot be told from a changed one.
        let others = findings.iter().filter(|finding| finding.place() != Place::Record(n(number)));
        for other in others {
            let before = matches!(other, Finding::Unproven { number: before, .. } if before.next() == n(number));
            prop_assert!(before, "{findings:#?}");
        }
    }

    #[test]
    fn a_record_that_is_removed_is_named_and_nothing_else_is(count in 1_u64..30, which in any::<proptest::sample::Index>()) {
        let mut history = History::of(count);
        let number = which.index(usize::try_from(count).unwrap()) as u64 + 1;
        let expected = Some(history.hash(number));
        history.take(number);
        prop_assert_eq!(history.findings(), [Finding::Missing { first: n(number), last: n(number), expected }]);
    }

    #[test]
    fn two_records_that_are_swapped_are_both_named(count in 2_u64..30, one in 0_u64..30, by in 1_u64..29) {
        let (one, other) = (one % count + 1, (one + by % (count - 1) + 1) % count + 1);
        prop_assume!(one != other);
        let mut history = History::of(count);
        let (a, b) = (history.take(one), history.take(other));
        history.put(one, b);
        history.put(other, a);
        let findings = history.findings();
        let named: Vec<(u64, u64)> = findings.iter().filter_map(|finding| match finding {
            Finding::Reordered { number, holds, .. } => Some((number.0, holds.0)),
            _ => None,
        }).collect();
        let (high, low) = (one.max(other), one.min(other));
        prop_assert_eq!(named, [(high, low), (low, high)]);
        prop_assert_eq!(findings.len(), 2);
    }

    #[test]
    fn a_tail_cut_off_with_its_head_is_named_from_its_first_record_to_its_last(count in 1_u64..30, kept in 0_u64..30) {
        prop_assume!(kept < count);
        let cut = History { alias: marked(count), ..History::of(kept) };
        prop_assert_eq!(cut.findings(), [Finding::CutOff { first: n(kept + 1), last: n(count) }]);
    }

    #[test]
    fn a_byte_that_is_changed_in_the_head_is_found_where_it_says_something_else(
        count in 1_u64..30, at in any::<proptest::sample::Index>(), flip in 1_u8..=255,
    ) {
        let history = History::of(count);
        let before = history.head.clone().unwrap();
        let mut bytes = before.clone();
        let index = at.index(bytes.len());
        bytes[index] ^= flip;
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        prop_assume!(value(&bytes) != value(&before));
        // A time may be written in more than one way.
        let head = |bytes: &[u8]| serde_json::from_slice::<Head>(bytes).ok();
        prop_assume!(head(&bytes) != head(&before));
        // A newer build's head is refused by whoever reads it, in its own words.
        let version = |bytes: &[u8]| value(bytes).and_then(|value| value.get("schemaVersion")?.as_u64());
        prop_assume!(version(&bytes).is_none_or(|version| version <= 1));
        let findings = History { head: Some(bytes), ..history }.findings();
        prop_assert!(!findings.is_empty());
        prop_assert!(findings.iter().all(|finding| finding.place() == Place::Head), "{findings:#?}");
    }
}

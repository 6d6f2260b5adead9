//! Holds the head against the records: what it says of the last one, and what it tells of the recent ones.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::chain::Chain;
use super::{Contents, Finding, Last};
use crate::SCHEMA_VERSION;
use crate::history::{Head, Record, RecordHash, hash_bytes};
use crate::ids::TransitionNumber;

/// What is needed of a head: like [`Head`], for any build's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    schema_version: u32,
    number: TransitionNumber,
    hash: RecordHash,
    recent: Vec<Value>,
    #[serde(default)]
    older: Vec<Value>,
}

/// The head, the last record as far as it tells, and what is wrong with that.
pub(super) fn anchor(bytes: Option<&[u8]>, contents: &Contents<'_>) -> (Option<Told>, Option<Last>, Vec<Finding>) {
    let Some(bytes) = bytes else { return (None, None, vec![Finding::HeadMissing]) };
    let head = serde_json::from_slice::<Told>(bytes).ok().filter(|head| head.is_sound(bytes));
    let Some(head) = head else { return (None, None, vec![Finding::HeadUnreadable]) };
    let actual = head.actual(contents);
    let changed = Finding::HeadChanged { number: head.number, expected: actual.clone(), found: head.hash.clone() };
    let is_so = actual.number == head.number && actual.hash == head.hash;
    (Some(head), Some(actual), if is_so { Vec::new() } else { vec![changed] })
}

impl Told {
    /// Of this build's version it has to be a head in full; of a newer one's as much of it as is known.
    fn is_sound(&self, bytes: &[u8]) -> bool {
        match self.schema_version {
            0 => false,
            1..=SCHEMA_VERSION => serde_json::from_slice::<Head>(bytes).is_ok(),
            _ => true,
        }
    }

    /// The last record, where the head itself is wrong about it; else as it says.
    fn actual(&self, contents: &Contents<'_>) -> Last {
        if let Some(number) = contents.number_with(&self.hash) {
            return Last { number, hash: self.hash.clone() };
        }
        // Its own copy of the record says which of the two was changed: record or hash.
        let copy = self.recent.first().and_then(hash_of_copy);
        let stored = contents.at.get(&self.number).map(|content| &content.hash);
        let hash = copy.filter(|copy| Some(copy) == stored).unwrap_or_else(|| self.hash.clone());
        Last { number: self.number, hash }
    }

    /// The recent records that it tells otherwise than they are stored, leaves out, or should not tell; and the older ones that
    /// are stored otherwise.
    pub(super) fn retold(&self, chain: &Chain<'_>) -> Vec<Finding> {
        let own = chain.genuine.contains_key(&self.number).then_some(self.number);
        let end = own.or_else(|| self.recent.first().and_then(number_of));
        let Some(end) = end else { return Vec::new() };
        let mut told: BTreeMap<TransitionNumber, &Value> =
            self.recent.iter().filter_map(|told| Some((number_of(told)?, told))).collect();
        let kept = Head::RECENT as u64;
        let first = TransitionNumber(end.0.saturating_sub(kept.saturating_sub(1)).max(1));
        let mut wrong: Vec<TransitionNumber> = Vec::new();
        for (number, content) in chain.genuine.range(first..=end.max(first)).rev() {
            let same = told.remove(number).is_some_and(|told| is_same(content.bytes, told));
            wrong.extend((!same).then_some(*number));
        }
        // What lies in the range and was not genuine has a finding of its own.
        wrong.extend(told.into_keys().filter(|number| *number < first || *number > end));
        // Each once, and the newest first: who reads them takes the first for the last.
        let in_order = self.recent.iter().map(number_of).is_sorted_by(|newer, older| newer > older);
        wrong.extend((wrong.is_empty() && !in_order).then_some(end));
        let is_wrong = |told: &&Value| match number_of(told) {
            Some(number) if number >= TransitionNumber::FIRST && number < first => {
                chain.genuine.get(&number).is_some_and(|content| !is_same(content.bytes, told))
            }
            Some(_) | None => true,
        };
        let older = self.older.iter().filter(is_wrong).map(|told| number_of(told).unwrap_or(end));
        wrong.into_iter().chain(older).map(|number| Finding::HeadRetold { number }).collect()
    }
}

fn number_of(told: &Value) -> Option<TransitionNumber> {
    told.get("number").and_then(Value::as_u64).map(TransitionNumber)
}

/// The hash that a record had when it was written, made again from the head's copy of it.
fn hash_of_copy(copy: &Value) -> Option<RecordHash> {
    let record = Record::deserialize(copy).ok()?;
    let mut bytes = serde_json::to_vec_pretty(&record).ok()?;
    bytes.push(b'\n');
    Some(hash_bytes(&bytes))
}

/// Whether a copy tells what is stored. A build that knows more fields may have written one of the two.
fn is_same(stored: &[u8], copy: &Value) -> bool {
    match (serde_json::from_slice::<Record>(stored), Record::deserialize(copy)) {
        (Ok(stored), Ok(copy)) => stored == copy,
        (Ok(_), Err(_)) | (Err(_), _) => serde_json::from_slice::<Value>(stored).is_ok_and(|stored| stored == *copy),
    }
}

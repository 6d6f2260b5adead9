//! Decides whether history proves that Tidegate published a version.
//!
//! Transitions of a service come one after the other, and AWS keeps when a version was published. So the one record that can
//! tell of it is found by bisection, however long the history is: the transition that was under way then.
use std::collections::BTreeMap;

use chrono::Duration;

use super::Published;
use crate::history::{Deployed, Head, Kind, Record};
use crate::ids::TransitionNumber;

/// How far the clocks of S3 and Lambda may be apart. The times of records are HTTP dates, cut to whole seconds.
const SKEW: Duration = Duration::seconds(5);

/// Whether a record says that a transition published this version. A record that is gone proves nothing.
///
/// # Errors
/// The record that has to be read first.
pub(super) fn by_tidegate(
    published: &Published,
    head: &Head,
    read: &BTreeMap<TransitionNumber, Option<Record>>,
) -> Result<bool, TransitionNumber> {
    let recent = head.recent.iter().map(|record| (record.number, Some(record)));
    let known: BTreeMap<TransitionNumber, Option<&Record>> =
        read.iter().map(|(number, record)| (*number, record.as_ref())).chain(recent).collect();
    // The first transition that ended after it was published is neither before `first` nor after `last`.
    let (mut first, mut last) = (TransitionNumber::FIRST, head.number.next());
    for (number, record) in known.iter().filter_map(|(number, record)| Some((*number, (*record)?))) {
        if record.finished + SKEW >= published.at {
            last = last.min(number);
        } else {
            first = first.max(number.next());
        }
    }
    if first < last {
        let middle = TransitionNumber(first.0.midpoint(last.0));
        return if known.contains_key(&middle) { Ok(false) } else { Err(middle) };
    }
    let mut number = last;
    while number <= head.number {
        let record = known.get(&number).ok_or(number)?;
        let Some(record) = record else { return Ok(false) };
        if let Some(ours) = tells_of(record, published) {
            return Ok(ours);
        }
        if record.started - SKEW > published.at {
            return Ok(false);
        }
        number = number.next();
    }
    Ok(false)
}

/// Whether Tidegate published it, where this record tells.
fn tells_of(record: &Record, published: &Published) -> Option<bool> {
    let is_it = |deployed: &Deployed| {
        deployed.version == Some(published.version) && published.code.as_ref() == Some(&deployed.code)
    };
    match record.kind {
        // What was live before Tidegate came is somebody else's.
        Kind::Adopted => is_it(&record.to).then_some(false),
        // What was there before it began was used again by it.
        Kind::Promoted | Kind::Healed | Kind::Failed | Kind::Superseded | Kind::Aborted => {
            is_it(&record.to).then_some(record.started - SKEW <= published.at)
        }
        Kind::Unmanaged => None,
        // The release that it ended: its own transition is not recorded.
        Kind::RolledBack => record.from.as_ref().is_some_and(is_it).then_some(true),
    }
}

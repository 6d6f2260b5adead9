//! Decides how long healing waits where somebody keeps changing back what was healed.
use chrono::{DateTime, Duration, Utc};

use crate::history::{Head, Kind};

/// How long after the first healing of an hour the next one waits; it doubles each time.
const BACKOFF: Duration = Duration::minutes(1);

/// How long it waits at most.
const LONGEST: Duration = Duration::minutes(30);

/// Somebody keeps changing back what is healed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fight {
    /// How often it was healed in the last hour.
    pub healed: usize,
    /// Server time from which it is healed again.
    pub until: DateTime<Utc>,
}

/// Whether healing has to wait, because it was answered lately: functions of time and history, nothing more is stored.
#[must_use]
pub fn fight(head: &Head, now: DateTime<Utc>) -> Option<Fight> {
    let lately = |at: DateTime<Utc>| now - at < Duration::hours(1);
    let mut healed = head.recent.iter().filter(|record| record.kind == Kind::Healed && lately(record.finished));
    let last = healed.next()?.finished;
    let times = healed.count().saturating_add(1);
    let doubled = u32::try_from(times).ok().and_then(|times| 1_i32.checked_shl(times.saturating_sub(1)));
    let wait = doubled.and_then(|times| BACKOFF.checked_mul(times)).unwrap_or(LONGEST).min(LONGEST);
    let until = last + wait;
    (until > now).then_some(Fight { healed: times, until })
}

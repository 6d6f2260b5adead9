//! Decides whose turn it is: a function of time and place, so that nothing is stored of it.
use chrono::{DateTime, Utc};

/// One part of a list that is gone through over several ticks, each minute the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    rounds: u64,
    turn: u64,
}

impl Slice {
    /// The part of `count` things whose turn is in this minute, where `at_once` of them can be had in a tick. Each thing has
    /// its turn every `ceil(count / at_once)` minutes.
    #[must_use]
    pub fn of(now: DateTime<Utc>, count: usize, at_once: usize) -> Self {
        let rounds = u64::try_from(count.div_ceil(at_once.max(1))).unwrap_or(u64::MAX).max(1);
        let minute = u64::try_from(now.timestamp().div_euclid(60)).unwrap_or(0);
        Self { rounds, turn: minute.checked_rem(rounds).unwrap_or(0) }
    }

    /// Whether it is the turn of the thing at this place of the list.
    #[must_use]
    pub fn has(self, place: usize) -> bool {
        u64::try_from(place).is_ok_and(|place| place.checked_rem(self.rounds) == Some(self.turn))
    }

    /// Every how many minutes it is a thing's turn.
    #[must_use]
    pub const fn rounds(self) -> u64 {
        self.rounds
    }
}

//! Decides what a finding says, which object it is about, and how people read it.
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Last;
use crate::history::RecordHash;
use crate::ids::TransitionNumber;

/// Something that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "problem")]
pub enum Finding {
    /// A record is not what the one after it, or the head, says.
    Changed {
        /// Which.
        number: TransitionNumber,
        /// As the one after it says.
        expected: RecordHash,
        /// As it is.
        found: RecordHash,
    },
    /// A record is not what the one after it says, and that one was changed itself: it may be either.
    Unproven {
        /// Which.
        number: TransitionNumber,
        /// As the changed one says.
        expected: RecordHash,
        /// As it is.
        found: RecordHash,
    },
    /// An object that should be a record is none, and nothing says which it should be.
    Unreadable {
        /// Which.
        number: TransitionNumber,
        /// Hash of what is there.
        found: RecordHash,
    },
    /// Records are gone.
    Missing {
        /// The first of them.
        first: TransitionNumber,
        /// The last of them.
        last: TransitionNumber,
        /// Hash of the last of them, where something still says so.
        expected: Option<RecordHash>,
    },
    /// A record lies where another one should be.
    Reordered {
        /// Where.
        number: TransitionNumber,
        /// Which it is.
        holds: TransitionNumber,
        /// Hash of what should be there, where something says so.
        expected: Option<RecordHash>,
        /// Hash of what is there.
        found: RecordHash,
    },
    /// A record lies in its own place, and again where another one should be, or none.
    Duplicated {
        /// Where it lies again.
        number: TransitionNumber,
        /// Which it is.
        of: TransitionNumber,
        /// Hash of what should be there, where something says so.
        expected: Option<RecordHash>,
        /// Hash of what is there.
        found: RecordHash,
    },
    /// A record does not name the one before it.
    Unchained {
        /// Which.
        number: TransitionNumber,
        /// Hash of the one before it; `None` for the first.
        expected: Option<RecordHash>,
        /// As it says.
        found: Option<RecordHash>,
    },
    /// A record tells of another service.
    Foreign {
        /// The newest of them.
        number: TransitionNumber,
        /// Of which.
        of: String,
    },
    /// An object lies among the records whose name is none of a record.
    Stray {
        /// Its name below the installation's prefix.
        name: String,
    },
    /// There is no head.
    HeadMissing,
    /// The head cannot be read as one.
    HeadUnreadable,
    /// The head says another number or hash of the last record than is so.
    HeadChanged {
        /// The number that it says.
        number: TransitionNumber,
        /// What is so.
        expected: Last,
        /// The hash that it says.
        found: RecordHash,
    },
    /// The head ends before the records do: an older one was put back.
    HeadBehind {
        /// Where it ends.
        number: TransitionNumber,
        /// Where the records end.
        last: TransitionNumber,
    },
    /// The head tells of a recent record otherwise than it is stored, or not at all.
    HeadRetold {
        /// Which.
        number: TransitionNumber,
    },
    /// The alias was written by later transitions than history has: its end was cut off, or a rollback died right now.
    CutOff {
        /// The first that is missing.
        first: TransitionNumber,
        /// The transition that the alias says.
        last: TransitionNumber,
    },
    /// The alias was last written by this transition, and for another release than its record says.
    AliasDisagrees {
        /// Which.
        number: TransitionNumber,
    },
    /// A record says that it moved the alias, which was last written by an earlier transition.
    AliasBehind {
        /// Which record.
        number: TransitionNumber,
        /// The transition that the alias says.
        alias: TransitionNumber,
    },
}

/// What a finding is about: which object to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// A record's object.
    Record(TransitionNumber),
    /// The head.
    Head,
    /// An object that is neither.
    Stray(&'a str),
}

impl Finding {
    /// What it is about.
    #[must_use]
    pub fn place(&self) -> Place<'_> {
        match self {
            Self::Changed { number, .. }
            | Self::Unproven { number, .. }
            | Self::Unreadable { number, .. }
            | Self::Missing { last: number, .. }
            | Self::Reordered { number, .. }
            | Self::Duplicated { number, .. }
            | Self::Unchained { number, .. }
            | Self::Foreign { number, .. }
            | Self::CutOff { last: number, .. }
            | Self::AliasDisagrees { number }
            | Self::AliasBehind { number, .. } => Place::Record(*number),
            Self::HeadMissing
            | Self::HeadUnreadable
            | Self::HeadChanged { .. }
            | Self::HeadBehind { .. }
            | Self::HeadRetold { .. } => Place::Head,
            Self::Stray { name } => Place::Stray(name),
        }
    }

    /// The hash that should be there and the one that is, where they are known.
    #[must_use]
    pub const fn hashes(&self) -> (Option<&RecordHash>, Option<&RecordHash>) {
        match self {
            Self::Changed { expected, found, .. } | Self::Unproven { expected, found, .. } => {
                (Some(expected), Some(found))
            }
            Self::HeadChanged { expected, found, .. } => (Some(&expected.hash), Some(found)),
            Self::Unreadable { found, .. } => (None, Some(found)),
            Self::Missing { expected, .. } => (expected.as_ref(), None),
            Self::Reordered { expected, found, .. } | Self::Duplicated { expected, found, .. } => {
                (expected.as_ref(), Some(found))
            }
            Self::Unchained { expected, found, .. } => (expected.as_ref(), found.as_ref()),
            Self::Foreign { .. }
            | Self::Stray { .. }
            | Self::HeadMissing
            | Self::HeadUnreadable
            | Self::HeadBehind { .. }
            | Self::HeadRetold { .. }
            | Self::CutOff { .. }
            | Self::AliasDisagrees { .. }
            | Self::AliasBehind { .. } => (None, None),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed { number, .. } => write!(f, "record {number} was changed"),
            Self::Unproven { number, .. } => {
                write!(f, "record {number} is not what record {} says, which was changed itself", number.next())
            }
            Self::Unreadable { number, .. } => write!(f, "this cannot be read as record {number}"),
            Self::Missing { first, last, .. } => write!(f, "{} missing", records(*first, *last)),
            Self::Reordered { number, holds, .. } => {
                write!(f, "record {holds} lies in the place of record {number}")
            }
            Self::Duplicated { number, of, .. } => {
                write!(f, "a copy of record {of} lies in the place of record {number}")
            }
            Self::Unchained { number, expected: None, .. } => {
                write!(f, "record {number} names one before it, and is the first")
            }
            Self::Unchained { number, found: None, .. } => write!(f, "record {number} names none before it"),
            Self::Unchained { number, .. } => write!(f, "record {number} names another one before it than there is"),
            Self::Foreign { number, of } => write!(f, "record {number} tells of `{of}`"),
            Self::Stray { .. } => f.write_str("this is no record's name"),
            Self::HeadMissing => f.write_str("the head is missing"),
            Self::HeadUnreadable => f.write_str("the head cannot be read as one"),
            Self::HeadChanged { number, expected, .. } if *number != expected.number => {
                write!(f, "the head was changed: it calls record {} number {number}", expected.number)
            }
            Self::HeadChanged { number, .. } => {
                write!(f, "the head was changed: it gives record {number} another hash")
            }
            Self::HeadBehind { number, last } => {
                write!(f, "the head is an older one: it ends with record {number}, and records go on to {last}")
            }
            Self::HeadRetold { number } => {
                write!(f, "the head was changed: it does not tell record {number} as it is stored")
            }
            Self::CutOff { first, last } => write!(
                f,
                "the end was cut off: transition {last} wrote the alias, and {} missing",
                records(*first, *last)
            ),
            Self::AliasDisagrees { number } => {
                write!(f, "transition {number} wrote the alias for another release than record {number} says")
            }
            Self::AliasBehind { number, alias } => {
                write!(f, "record {number} says that it moved the alias, which transition {alias} wrote last")
            }
        }
    }
}

fn records(first: TransitionNumber, last: TransitionNumber) -> String {
    if first == last { format!("record {first} is") } else { format!("records {first} to {last} are") }
}

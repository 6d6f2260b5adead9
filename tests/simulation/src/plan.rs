//! A story and what goes wrong in it, as data: the same plan plays byte for byte the same.
use std::fmt;

/// How one call goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blow {
    /// The process dies before the call is sent.
    DieBefore,
    /// The process dies after the call's effect, before its answer.
    DieAfter,
    /// The request never arrives.
    LoseRequest,
    /// The effect happens; the answer never arrives.
    LoseAnswer,
    /// From this call on nothing can be reached, until the minute is over.
    CutOff,
    /// It is throttled.
    Throttle,
    /// From this call on everything is throttled, until the minute is over.
    Flood,
    /// It is answered with a 5xx.
    Break,
    /// It is refused.
    Deny,
    /// It is never answered, and has no effect.
    Hang,
    /// It arrives and is answered so many seconds later.
    Delay(u32),
    /// It is answered with what was so many changes ago.
    Stale(usize),
}

impl Blow {
    /// Every kind that a single call is tried with.
    pub const ALL: [Self; 14] = [
        Self::DieBefore,
        Self::DieAfter,
        Self::LoseRequest,
        Self::LoseAnswer,
        Self::CutOff,
        Self::Throttle,
        Self::Flood,
        Self::Break,
        Self::Deny,
        Self::Hang,
        Self::Delay(7),
        Self::Stale(1),
        Self::Stale(2),
        Self::Stale(3),
    ];
}

impl fmt::Display for Blow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DieBefore => f.write_str("the process dies before it is sent"),
            Self::DieAfter => f.write_str("the process dies after its effect"),
            Self::LoseRequest => f.write_str("the request is lost"),
            Self::LoseAnswer => f.write_str("the answer is lost"),
            Self::CutOff => f.write_str("nothing can be reached from here on"),
            Self::Throttle => f.write_str("it is throttled"),
            Self::Flood => f.write_str("everything is throttled from here on"),
            Self::Break => f.write_str("it is answered with a 5xx"),
            Self::Deny => f.write_str("it is refused"),
            Self::Hang => f.write_str("it is never answered"),
            Self::Delay(seconds) => write!(f, "it takes {seconds} s"),
            Self::Stale(1) => f.write_str("it reads what was one change ago"),
            Self::Stale(changes) => write!(f, "it reads what was {changes} changes ago"),
        }
    }
}

/// One fault: at the call with this number in this minute, both from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Strike {
    /// Of the story.
    pub minute: u32,
    /// Of all calls that controllers make in that minute.
    pub call: u32,
    /// How it goes wrong.
    pub blow: Blow,
}

/// A story, by its name, and its faults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The story.
    pub story: &'static str,
    /// The faults, in the order of their calls.
    pub strikes: Vec<Strike>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.story)?;
        for Strike { minute, call, blow } in &self.strikes {
            write!(f, "; minute {minute}, call {call}: {blow}")?;
        }
        Ok(())
    }
}

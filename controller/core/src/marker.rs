//! The marker in an alias's `Description`: traffic and intent change in one call, so the alias is its own journal.
use std::fmt;

use crate::ids::{ReleaseId, TransitionNumber};

/// What every `UpdateAlias` of ours writes beside the version. At most 256 characters, which is AWS's limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// The release that the transition leads to.
    pub release: ReleaseId,
    /// The transition that made the write.
    pub transition: TransitionNumber,
    /// The share that the write gave to the additional version, in ten-thousandths; `None` where all traffic went to one
    /// version. An alias with other weights than these was changed since.
    pub weight: Option<u16>,
    /// The release that a rollback holds out, if any.
    pub held: Option<ReleaseId>,
}

impl Marker {
    /// The marker in a description; `None` where it is not one of ours.
    #[must_use]
    pub fn parse(description: &str) -> Option<Self> {
        let mut words = description.split(' ');
        if words.next() != Some("tidegate/1") {
            return None;
        }
        let (mut release, mut transition, mut weight, mut held) = (None, None, None, None);
        for word in words {
            let (name, value) = word.split_once('=')?;
            match name {
                "release" => release = Some(value.parse().ok()?),
                "transition" => transition = Some(TransitionNumber(value.parse().ok()?)),
                "weight" => weight = Some(value.parse().ok()?),
                "held" => held = Some(value.parse().ok()?),
                _ => return None,
            }
        }
        Some(Self { release: release?, transition: transition?, weight, held })
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { release, transition, weight, held } = self;
        write!(f, "tidegate/1 release={release} transition={transition}")?;
        weight.map_or(Ok(()), |weight| write!(f, " weight={weight}"))?;
        held.as_ref().map_or(Ok(()), |held| write!(f, " held={held}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(c: char) -> ReleaseId {
        c.to_string().repeat(32).parse().unwrap()
    }

    #[test]
    fn what_is_written_is_read_back_and_fits_the_description() {
        for (weight, held) in [(None, None), (None, Some(id('b'))), (Some(u16::MAX), Some(id('b')))] {
            let marker = Marker { release: id('a'), transition: TransitionNumber(u64::MAX), weight, held };
            let text = marker.to_string();
            assert!(text.len() <= 256, "{text}");
            assert_eq!(Marker::parse(&text), Some(marker));
        }
    }

    #[test]
    fn a_description_of_somebody_else_is_no_marker() {
        for text in [
            "",
            "live traffic",
            "tidegate/1",
            "tidegate/2 release=x",
            "tidegate/1 weight=half",
            "tidegate/1 release=zz transition=1",
        ] {
            assert_eq!(Marker::parse(text), None, "{text}");
        }
    }
}

//! What people read of a drift.
use std::fmt;

use release_schema::Digest;

use super::{Drift, Holder, Whose};
use crate::ids::Version;
use crate::registry::Document;
use crate::release::Code;

/// Enough of a digest for people.
fn short(digest: &Digest) -> String {
    Code::Image(digest.clone()).short()
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named =
            |version: &Option<Version>| version.map_or_else(|| "`$LATEST`".to_owned(), |v| format!("version {v}"));
        match self {
            Self::Image { wanted, live, version } => {
                write!(
                    f,
                    "the alias names {} with {}, and {} was released",
                    named(version),
                    live.short(),
                    wanted.short()
                )
            }
            Self::Version { wanted, live } => {
                write!(f, "the alias names {}, and version {wanted} was released", named(live))
            }
            Self::Weights { version, weight } => {
                write!(f, "version {version} gets {} % of the traffic", f64::from(*weight) / 100.0)
            }
            Self::AliasMissing => f.write_str("the alias was deleted"),
            Self::FunctionMissing => f.write_str("the function was deleted"),
            Self::Latest { wanted, live } => {
                write!(f, "`$LATEST` has {}, which is no release; {} is live", live.short(), wanted.short())
            }
            Self::Configuration { field, of, wanted, live } => {
                let of = match of {
                    Holder::Version => "",
                    Holder::Latest => " of `$LATEST`",
                    Holder::Function => " of the function",
                };
                let value = |value: &Option<u32>| value.map_or_else(|| "not set".to_owned(), |value| value.to_string());
                match wanted {
                    None => write!(f, "`{field}`{of} is not what Git says"),
                    Some(wanted) => write!(f, "`{field}`{of} is {}, and Git says {wanted}", value(live)),
                }
            }
            Self::TagMoved { tag, live: None, .. } => write!(f, "the tag `{tag}` was deleted"),
            Self::TagMoved { tag, wanted, live: Some(live) } => {
                write!(
                    f,
                    "the tag `{tag}` was pushed again: it names {}, and {} was released",
                    short(live),
                    short(wanted)
                )
            }
            Self::Registry { too_long: Some(bytes), .. } => {
                let most = Document::MOST_BYTES;
                write!(f, "the service registry has no room: it would have {bytes} bytes, and a parameter takes {most}")
            }
            Self::Registry { wanted, live: Some(live), too_long: None } => {
                write!(f, "the service registry tells of version {live}, and version {wanted} was released")
            }
            Self::Registry { live: None, too_long: None, .. } => {
                f.write_str("the service registry has no entry that can be read")
            }
        }
    }
}

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeptDescription => f.write_str("by hand, or by a tool that keeps the alias's description"),
            Self::OtherDescription => f.write_str("by a tool that replaced the alias's description"),
            Self::Older { transition } => {
                write!(f, "by something that put back the alias of transition {transition}")
            }
            Self::Newer { transition } => {
                write!(
                    f,
                    "by another Tidegate: the alias tells of transition {transition}, which is not in this history"
                )
            }
        }
    }
}

//! Decides what Tidegate does: what Git wants, what is live, what is stored and the time go in; a plan comes out.
//!
//! Nothing here touches a clock, the network, the file system, the environment or randomness; `clippy.toml` says so.
//! [`decide::decide`] is the one function that decides one service. It either asks for something it has not seen yet
//! ([`decide::Decision::Look`]) or answers with a [`plan::Plan`]: data that `diff` prints and `sync` executes.
#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

/// Whether the simulation planted this bug, to see that it finds it. What is shipped has no such place.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(feature = "planted")]
        let planted = planted::is(planted::Bug::$bug);
        #[cfg(not(feature = "planted"))]
        let planted = false;
        planted
    }};
}

pub mod analysis;
pub mod command;
pub mod decide;
pub mod diff;
pub mod drift;
pub mod environment;
pub mod history;
pub mod housekeeping;
pub mod ids;
pub mod live;
pub mod marker;
pub mod plan;
pub mod registry;
pub mod release;
pub mod report;
pub mod rollout;
pub mod shard;
pub mod slice;
pub mod smoke;
pub mod state;
pub mod status;
pub mod unmanaged;
pub mod verify;

/// The version of every document this build writes. A document with a newer one is refused, never rewritten.
pub const SCHEMA_VERSION: u32 = 1;

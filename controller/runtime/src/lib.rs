//! Observes and executes: Git, AWS, stored state, and the reconcile pipeline. What to do is decided in `tidegate-core`.

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

pub mod adopt;
pub mod aws;
pub mod config;
pub mod controller;
pub mod git;
pub mod hint;
pub mod logs;
mod nearest;
pub mod origin;
pub mod secret;
pub mod store;
pub mod tick;
pub mod wanted;
pub mod write_back;

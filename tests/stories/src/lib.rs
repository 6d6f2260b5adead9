//! What stories share: setting up an account as a platform team would, through the stock SDK.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "stories stop at the first thing that does not hold"
)]

pub mod account;
pub mod calls;
pub mod cost;
pub mod events;
pub mod fleet;
pub mod grow;
pub mod logs;
pub mod release_repository;
pub mod releases;
pub mod used;
pub mod world;

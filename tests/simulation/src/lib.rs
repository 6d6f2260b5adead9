//! The shipped controller in one process with the local AWS and a Git, on paused time: every fault at every call, and what
//! must hold after each.
//!
//! A [`plan::Plan`] is a story and its faults, as data: the same plan plays byte for byte the same. [`play`] plays one;
//! [`exhaustive`], [`interleave`] and [`random`] make them; [`shrink`] makes a failing one small and [`tell`] tells it.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a simulation stops at the first thing of its own that does not hold"
)]

pub mod exhaustive;
pub mod facts;
pub mod forge;
pub mod gate;
pub mod hunt;
pub mod interleave;
pub mod invariants;
pub mod memory;
pub mod plan;
pub mod play;
pub mod process;
pub mod random;
pub mod release;
pub mod shrink;
pub mod stories;
pub mod story;
pub mod tell;
pub mod watch;
pub mod world;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

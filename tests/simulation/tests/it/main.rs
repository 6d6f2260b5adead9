//! A bounded share of the simulation, in the build that all other tests have: `cargo xtask simulate` plays the rest.
#![allow(clippy::panic, clippy::print_stdout, clippy::allow_attributes, reason = "tests")]

mod plans;
mod seeds;

//! Holds the decisions, and what people read of them, against a small world in memory.
#![cfg(test)]

mod build;
mod sim;

mod promoting;
mod publishing;
mod resting;
mod superseding;

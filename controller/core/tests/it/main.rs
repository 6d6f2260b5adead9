//! Holds the decisions, and what people read of them, against a small world in memory.
#![cfg(test)]

mod actions;
mod analysis;
mod build;
mod canaries;
mod sim;

mod bakes;
mod convergence;
mod crashes;
mod deletions;
mod died_untold;
mod diffs;
mod drifts;
mod edits;
mod edits_midway;
mod environments;
mod gates;
mod histories;
mod holds;
mod housekeeping;
mod losses;
mod lost_rollouts;
mod merging;
mod overtaken;
mod progress;
mod promoting;
mod publishing;
mod rare_orders;
mod registries;
mod reports;
mod resting;
mod reverts;
mod rollback_deaths;
mod rollbacks;
mod rollout;
mod shards;
mod slices;
mod smoke_tests;
mod superseding;
mod texts;
mod unmanaged;
mod verifying;
mod verifying_any;
mod words;

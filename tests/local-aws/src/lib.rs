//! The part of AWS that Tidegate talks to, strict, on the real wire protocols, in one process.
//!
//! One [`LocalAws`] is one world: accounts, regions, functions, objects, parameters, metrics and a clock. It answers
//! HTTP requests as AWS does; [`server`] puts it on a loopback port, [`client`] plugs it below the SDK in the same process.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "a test double: a broken assumption should stop the test at once"
)]

pub mod client;
pub mod clock;
pub mod faults;
pub mod inspect;
pub mod server;
pub mod wire;
pub mod world;

mod calls;
mod cloudwatch;
mod codec;
mod control;
mod ecr;
mod lambda;
mod limits;
mod past;
mod process;
mod runtime_api;
mod s3;
mod scheduler;
mod snapshot;
mod ssm;
mod sts;

pub use cloudwatch::{MetricFate, MetricTrouble};
pub use faults::{Fault, Hook, Observer};
pub use lambda::{AliasRef, Context, Event, FunctionError, Handler, LogLine, Served, Traffic, VersionState};
pub use snapshot::Snapshot;
pub use wire::{AwsError, Call, Caller, Purpose, Service};
pub use world::{CallRecord, LocalAws, Options, Used};

//! The targets, by what they read.
pub(crate) mod calls;
pub(crate) mod contract;
mod decided;
pub(crate) mod documents;
pub(crate) mod events;
pub(crate) mod git;
pub(crate) mod installation;
pub(crate) mod metrics;

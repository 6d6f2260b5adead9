//! Judges a new version by what CloudWatch measured of it: what to measure, what came back, and the verdict.
//!
//! Nothing here reads a metric. Data that are missing, late, partial or senseless are inconclusive, and never a pass.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use release_schema::{AlarmName, Analysis};
use serde::{Deserialize, Serialize};

use crate::ids::Version;

mod judge;
mod proportion;
mod text;

pub use judge::judge;

/// A span of server time in whole minutes, `from` included and `to` not: CloudWatch keeps a point a minute, stamped with
/// the minute in which the invocations began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Window {
    /// The first minute.
    pub from: DateTime<Utc>,
    /// The end of the last minute.
    pub to: DateTime<Utc>,
}

impl Window {
    /// How long it is; never negative.
    #[must_use]
    pub fn length(&self) -> chrono::Duration {
        (self.to - self.from).max(chrono::Duration::zero())
    }
}

/// What has to be measured of one service to judge its new version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measure {
    /// The new version, and when it served. `None` where only the alarms are asked for.
    pub canary: Option<(Version, Window)>,
    /// The version to compare with, and when it served. `None` where nothing is compared.
    pub stable: Option<(Version, Window)>,
    /// Count the calls of the new version that took longer than this.
    pub slower_than: Option<Duration>,
    /// The alarms whose state is asked for.
    pub alarms: BTreeSet<AlarmName>,
}

/// What came of measuring.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Of the new version.
    pub canary: Sample,
    /// Of the version to compare with.
    pub stable: Sample,
    /// Those of the alarms that exist.
    pub alarms: BTreeMap<AlarmName, AlarmState>,
    /// Why something of it is missing, where CloudWatch said so.
    pub trouble: Option<String>,
}

/// Counts over a window. `None` where CloudWatch did not answer, or not in full; nothing invoked is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Invocations.
    pub invocations: Option<f64>,
    /// Those that failed.
    pub errors: Option<f64>,
    /// Those that took longer than asked.
    pub slow: Option<f64>,
}

/// An alarm's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AlarmState {
    /// `OK`.
    Ok,
    /// `ALARM`.
    Alarm,
    /// `INSUFFICIENT_DATA`.
    InsufficientData,
}

/// What a look at the metrics came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Outcome {
    /// Nothing speaks against the new version.
    Successful,
    /// It cannot be said.
    Inconclusive,
    /// The new version is not good enough.
    Failed,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{self:?}"))
    }
}

/// One gate of an analysis, looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Finding {
    /// What this gate says.
    pub outcome: Outcome,
    /// With its numbers, for people: one line.
    pub message: String,
}

/// One look at all gates: as bad as the worst of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verdict {
    /// The worst outcome of any gate.
    pub outcome: Outcome,
    /// Server time of the look.
    pub at: DateTime<Utc>,
    /// The time of the new version that it is about.
    pub window: Window,
    /// Each gate, the worst first.
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// What decided it, in one line: the findings that are as bad as the verdict.
    #[must_use]
    pub fn because(&self) -> String {
        let worst = self.findings.iter().filter(|finding| finding.outcome == self.outcome);
        worst.map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
    }
}

/// What a look is about, beside what was measured.
#[derive(Clone, Copy, Debug)]
pub struct LookAt<'a> {
    /// The gates.
    pub analysis: &'a Analysis,
    /// The number of this look in the whole rollout, 1 for the first: the confidence is shared out over all of them.
    pub number: u32,
    /// Alarms that were red before the release got traffic: they are reported and do not count.
    pub red_before: &'a BTreeSet<AlarmName>,
    /// The time of the new version that was measured.
    pub window: Window,
    /// Whether the time is over after which the data should be there: `onMissingData: fail` fails only then.
    pub over: bool,
    /// Server time.
    pub now: DateTime<Utc>,
}

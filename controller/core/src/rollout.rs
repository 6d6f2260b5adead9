//! A strategy as a rollout follows it: its steps, each a weight and how long it holds; and how far a rollout is, for people.
use chrono::{DateTime, Duration, Utc};
use release_schema::{Step as Written, Strategy, Weight};
use serde::{Deserialize, Serialize};

use crate::analysis::Verdict;
use crate::history::{Said, StepResult};
use crate::ids::Version;
use crate::state::{Phase, Rollout, ServiceState, Shape};

/// One step: a weight, and everything that `services.yaml` says until the next weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The new version's share.
    pub weight: Weight,
    /// How long it holds: the durations of all its pauses.
    pub hold: Duration,
    /// Whether a person has to promote it then: one of its pauses has no duration.
    pub needs_person: bool,
}

impl Step {
    /// The new version's share, as an alias names it.
    #[must_use]
    pub fn basis_points(&self) -> u16 {
        u16::from(self.weight.percent()) * 100
    }
}

/// The steps of a strategy; none where traffic is switched at once.
#[must_use]
pub fn steps(strategy: &Strategy) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for written in strategy.steps() {
        match (written, steps.last_mut()) {
            (Written::SetWeight(weight), _) => {
                steps.push(Step { weight, hold: Duration::zero(), needs_person: false });
            }
            (Written::Pause(Some(time)), Some(step)) => step.hold += duration(time),
            (Written::Pause(None), Some(step)) => step.needs_person = true,
            // `release-schema` refuses a pause before the first weight.
            (Written::Pause(_), None) => {}
        }
    }
    steps
}

/// A duration from `services.yaml`, which is bounded to days.
pub(crate) fn duration(time: std::time::Duration) -> Duration {
    Duration::from_std(time).unwrap_or(Duration::MAX)
}

/// How far a rollout is: what `tidegate status --watch` draws.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Progress {
    /// What the release is called.
    pub release: String,
    /// The version that has the traffic, or had it.
    pub stable: Option<Version>,
    /// The new version, once it is published.
    pub canary: Option<Version>,
    /// The strategy in words.
    pub strategy: String,
    /// Which step, 1 for the first; `None` before the first and after the last.
    pub step: Option<usize>,
    /// How many steps there are; 0 where traffic is switched at once.
    pub steps: usize,
    /// The share that the new version shall have now, in ten-thousandths.
    pub weight_wanted: u16,
    /// The share that it was seen to have, in ten-thousandths.
    pub weight_read: Option<u16>,
    /// Since when (server time) it is in this phase.
    pub since: DateTime<Utc>,
    /// When (server time) the step's own time is over.
    pub until: Option<DateTime<Utc>>,
    /// The last look at the step's metrics.
    pub verdict: Option<Verdict>,
    /// How the steps before were decided.
    pub results: Vec<StepResult>,
    /// What people said to it.
    pub said: Vec<Said>,
}

/// All traffic, in ten-thousandths.
pub(crate) const ALL: u16 = 10_000;

impl Progress {
    /// How far `state` is by `strategy`, its alias seen as `alias`.
    #[must_use]
    pub fn of(state: &ServiceState, strategy: &Strategy, alias: Option<Shape>) -> Self {
        let steps = steps(strategy);
        let (step, weight_wanted) = match state.phase {
            Phase::Shifting { step, weight, .. } | Phase::Holding { step, weight, .. } => (Some(step), weight),
            Phase::Promoting { .. } | Phase::Baking { .. } => (None, ALL),
            Phase::Publishing { .. }
            | Phase::Preparing { .. }
            | Phase::Returning { .. }
            | Phase::Aborted { .. }
            | Phase::Held { .. }
            | Phase::Failed { .. } => (None, 0),
        };
        let hold = match (&state.phase, strategy) {
            (Phase::Holding { step, .. }, _) => steps.get(*step).map(|step| step.hold),
            (Phase::Baking { .. }, Strategy::BlueGreen(blue_green)) => Some(duration(blue_green.bake)),
            _ => None,
        };
        let canary = state.phase.version();
        let Rollout { verdict, results, .. } = &state.rollout;
        Self {
            release: state.release.label(),
            stable: state.from.as_ref().and_then(|from| from.version),
            canary,
            strategy: strategy.to_string(),
            step: step.map(|step| step.saturating_add(1)),
            steps: steps.len(),
            weight_wanted,
            weight_read: alias.zip(canary).map(|(alias, canary)| share(alias, canary)),
            since: state.since,
            until: hold.and_then(|hold| state.since.checked_add_signed(hold)),
            verdict: verdict.clone(),
            results: results.clone(),
            said: state.said.clone(),
        }
    }
}

/// The share of an alias's traffic that a version gets, in ten-thousandths.
fn share(alias: Shape, version: Version) -> u16 {
    let additional = alias.additional.map_or(0, |additional| additional.basis_points);
    if alias.version == Some(version) {
        return ALL.saturating_sub(additional);
    }
    alias.additional.filter(|additional| additional.version == version).map_or(0, |additional| additional.basis_points)
}

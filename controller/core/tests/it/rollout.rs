//! Helps the tests of rollouts: services with a strategy, worlds in the middle of one, what CloudWatch measured.
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use release_schema::{
    AlarmName, Analysis, BlueGreen, Canary, OnMissingData, Percentage, Service, Step, Strategy, Weight,
};
use tidegate_core::analysis::{AlarmState, Measured, Sample};
use tidegate_core::command::Word;
use tidegate_core::history::{Kind, Record, Said, StepResult};
use tidegate_core::live::Weighted;
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::state::{Advance, Before, Phase, Rollout, ServiceState, Shape};
use tidegate_core::status::{Health, PhaseName, WaitingOn};

use crate::build::*;
use crate::sim::Sim;

pub(crate) const STEP: Advance = Advance { full: false, force: false };
pub(crate) const FULL: Advance = Advance { full: true, force: false };

pub(crate) fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

pub(crate) fn weight(percent: u8) -> Step {
    Step::SetWeight(Weight::try_from(percent).unwrap())
}

pub(crate) fn pause(time: u64) -> Step {
    Step::Pause(Some(minutes(time)))
}

pub(crate) fn canary(steps: Vec<Step>) -> Strategy {
    Strategy::Canary(Canary { steps })
}

/// 10 % for ten minutes, then 50 % until a person promotes.
pub(crate) fn two_steps() -> Strategy {
    canary(vec![weight(10), pause(10), weight(50), Step::Pause(None)])
}

pub(crate) fn blue_green(preview: bool, auto_promote: bool, bake: u64) -> Strategy {
    let preview_alias = preview.then(|| "candidate".parse().unwrap());
    Strategy::BlueGreen(BlueGreen { preview_alias, auto_promote, bake: minutes(bake) })
}

pub(crate) fn alarm() -> AlarmName {
    "flight-5xx".parse().unwrap()
}

/// Only the alarm gates.
pub(crate) fn by_alarm() -> Analysis {
    Analysis {
        max_error_rate: None,
        max_error_rate_increase: None,
        max_duration_p99: None,
        min_invocations: 50,
        confidence: Percentage::of(99),
        max_inconclusive: 3,
        alarms: BTreeSet::from([alarm()]),
        on_missing_data: OnMissingData::Hold,
    }
}

/// At most 1 % errors.
pub(crate) fn by_errors() -> Analysis {
    Analysis { max_error_rate: Some(Percentage::of(1)), alarms: BTreeSet::new(), ..by_alarm() }
}

pub(crate) fn alarm_is(state: AlarmState) -> Measured {
    Measured { alarms: BTreeMap::from([(alarm(), state)]), ..Measured::default() }
}

pub(crate) fn errors(errors: f64, invocations: f64) -> Measured {
    let canary = Sample { invocations: Some(invocations), errors: Some(errors), slow: Some(0.0) };
    Measured { canary, ..Measured::default() }
}

pub(crate) fn service_with(strategy: Strategy) -> Service {
    Service { strategy, ..service() }
}

/// Release `b` is wanted with this strategy, and published as version 2, which can serve; a minute has passed.
pub(crate) fn published(strategy: Strategy) -> Sim {
    let mut sim = Sim::wanting('b');
    sim.service = service_with(strategy);
    sim.tick();
    sim.aws_finishes();
    sim
}

/// [`published`] with [`two_steps`], whose first weight was written at minute 1 and read back at minute 2.
pub(crate) fn holding() -> Sim {
    let mut sim = published(two_steps());
    sim.tick();
    sim.tick();
    sim
}

pub(crate) fn says(sim: &mut Sim, word: Word, reason: Option<&str>) {
    let said = said(word.as_typed(), reason, sim.minute());
    sim.word = Some((word, said));
}

/// Says something, and does what follows; no minute passes.
pub(crate) fn told(sim: &mut Sim, word: Word, reason: Option<&str>) -> Plan {
    says(sim, word, reason);
    let (_, plan) = sim.decide();
    sim.execute(&plan, None).unwrap();
    sim.word = None;
    plan
}

pub(crate) fn said(what: &str, reason: Option<&str>, minute: i64) -> Said {
    Said { what: what.to_owned(), actor: "ann".to_owned(), reason: reason.map(str::to_owned), at: at(minute) }
}

/// All traffic to version 1, or a share of it to version 2.
pub(crate) fn shape(share: Option<u16>) -> Shape {
    Shape { version: Some(v(1)), additional: share.map(on_2) }
}

/// The alias as the next write finds it.
pub(crate) fn before(sim: &Sim) -> Before {
    Before::from(sim.alias.as_ref().unwrap())
}

pub(crate) fn on_2(basis_points: u16) -> Weighted {
    Weighted { version: v(2), basis_points }
}

/// The second transition, to release `b`, in a rollout, as it is stored since `minute`.
pub(crate) fn rolling(phase: Phase, minute: i64, strategy: &Strategy) -> ServiceState {
    let rollout = Rollout { strategy: Some(strategy.to_string()), timeout: Some(3), ..Rollout::default() };
    let state = state(2, &release('b'), Some(deployed(1, &release('a'))), 'b', phase);
    ServiceState { since: at(minute), rollout, ..state }
}

pub(crate) fn save(state: ServiceState) -> Action {
    Action::SaveState(Box::new(state))
}

/// The write of a step's weight.
pub(crate) fn set_weight(basis_points: u16, sim: &Sim) -> Action {
    Action::SetWeight {
        stable: v(1),
        canary: on_2(basis_points),
        marker: Marker { weight: Some(basis_points), ..marker(2, &release('b')) },
        if_revision: sim.alias.as_ref().unwrap().revision.clone(),
    }
}

/// The write that sends everything back to version 1, by the second transition.
pub(crate) fn back(sim: &Sim) -> Action {
    Action::Return {
        version: v(1),
        marker: marker(2, &release('a')),
        if_revision: sim.alias.as_ref().unwrap().revision.clone(),
    }
}

/// The write that gives everything to version 2.
pub(crate) fn promote(sim: &Sim) -> Action {
    Action::UpdateAlias {
        version: v(2),
        marker: marker(2, &release('b')),
        if_revision: sim.alias.as_ref().unwrap().revision.clone(),
    }
}

pub(crate) fn first_step() -> Phase {
    Phase::Holding { version: v(2), step: 0, weight: 1_000 }
}

pub(crate) fn result(step: &str, since: i64, until: i64, over: Option<&str>) -> StepResult {
    let over = over.map(str::to_owned);
    StepResult { step: step.to_owned(), since: at(since), until: at(until), verdict: None, over }
}

pub(crate) fn with_results(state: ServiceState, results: Vec<StepResult>) -> ServiceState {
    ServiceState { rollout: Rollout { results, ..state.rollout.clone() }, ..state }
}

pub(crate) fn turned_back(kind: Kind, reason: &str, minute: i64) -> Record {
    let from = Some(deployed(1, &release('a')));
    because(reason, record(2, kind, from, deployed(2, &release('b')), commit('b'), [0, minute]))
}

pub(crate) fn aborted(reason: &str) -> Standing {
    Standing { health: Health::Degraded, ..waits(PhaseName::Aborted, WaitingOn::Retry { reason: reason.to_owned() }) }
}

pub(crate) fn name(action: &Action) -> &'static str {
    match action {
        Action::SaveState(_) => "SaveState",
        Action::UpdateAlias { .. } => "UpdateAlias",
        Action::AppendRecord(_) => "AppendRecord",
        Action::WriteRegistry { .. } => "WriteRegistry",
        Action::ClearState => "ClearState",
        Action::Return { .. } => "Return",
        Action::SetWeight { .. } => "SetWeight",
        other => panic!("{other:?}"),
    }
}

//! What people read of each action, and what it does: changes Lambda, brings a release on.
use release_schema::Strategy;
use tidegate_core::analysis::AlarmState;
use tidegate_core::command::Word;
use tidegate_core::plan::{Action, Plan};

use crate::build::*;
use crate::rollbacks::BACK;
use crate::rollout::*;
use crate::sim::Sim;
use crate::smoke_tests::{answers, smoke_test};

/// `L` before an action that changes Lambda, `F` before one that brings a release on.
fn lines(plans: &[Plan]) -> String {
    let line = |action: &Action| {
        let lambda = if action.mutates_lambda() { 'L' } else { '-' };
        let forward = if action.moves_forward() { 'F' } else { '-' };
        format!("{lambda}{forward} {action}")
    };
    plans.iter().flat_map(|plan| &plan.actions).map(line).collect::<Vec<_>>().join("\n")
}

/// So many ticks, in which AWS finishes what it was told and the alarm is quiet.
fn played(sim: &mut Sim, ticks: usize) -> Vec<Plan> {
    let tick = |_| {
        let plan = sim.tick();
        sim.aws_finishes();
        plan
    };
    (0..ticks).map(tick).collect()
}

#[test]
fn a_release_reads_like_this() {
    let mut sim = Sim::at_rest();
    sim.service = service_with(blue_green(true, true, 3));
    sim.service.smoke_test = Some(smoke_test());
    sim.service.analysis = Some(by_alarm());
    sim.service.reserved_concurrency = Some(5);
    sim.service.configuration.memory_size = Some(512);
    sim.service.configuration.environment.insert("LOG_LEVEL".to_owned(), "info".to_owned());
    sim.wanted = Ok(release_with('b', &sim.service.configuration));
    (sim.invoked, sim.measured) = (answers(200), alarm_is(AlarmState::Ok));
    insta::assert_snapshot!(lines(&played(&mut sim, 14)), @r"
    -- begin transition 2 to v-b
    LF set memorySize, environment.LOG_LEVEL
    -- go on with transition 2 to v-b
    LF publish flight-service@sha256:bbbbbbbbbbbb
    -- note the published version
    LF let `candidate` name version 2
    -F smoke-test candidate
    -- go on with transition 2 to v-b
    LF send all traffic to version 2
    -- go on with transition 2 to v-b
    -- note what the metrics say
    -- note what the metrics say
    -- record transition 2 as promoted
    -- write version 2 to the service registry
    -- finish the transition
    LF set reservedConcurrency to 5
    ");
}

#[test]
fn a_canary_that_is_aborted_and_a_rollback_read_like_this() {
    let mut sim = published(two_steps());
    let mut plans = played(&mut sim, 4);
    plans.push(told(&mut sim, Word::Abort, Some("5xx")));
    plans.extend(played(&mut sim, 2));
    sim.service.strategy = Strategy::AllAtOnce;
    sim.git_wants('c');
    plans.extend(played(&mut sim, 6));
    sim.pushed = Some(Ok(Vec::new()));
    plans.push(told(&mut sim, BACK, Some("5xx")));
    insta::assert_snapshot!(lines(&plans), @r"
    -- go on with transition 2 to v-b
    LF give version 2 10 % of the traffic
    -- go on with transition 2 to v-b
    -- go on with transition 2 to v-b
    L- return all traffic to version 1
    -- record transition 2 as aborted
    -- keep v-b from being tried again
    -- finish the transition
    -- begin transition 3 to v-c
    LF publish flight-service@sha256:cccccccccccc
    -- note the published version
    LF send all traffic to version 3
    -- record transition 3 as promoted
    -- write version 3 to the service registry
    -- finish the transition
    L- return all traffic to version 1
    -- record transition 4 as rolled back
    -- hold v-c out
    -- write version 1 to the service registry
    -- note that the service registry is told
    -- push the revert to the release repository
    ");
}

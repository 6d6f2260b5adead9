//! Many services of one environment, all in the middle of a canary at the same time.
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use local_aws::Options;
use tidegate_core::status::PhaseName;

use crate::account::environment_configuration;
use crate::releases::Releases;
use crate::world::{Calls, World};

/// The alarm that every service names.
pub const ALARM: &str = "fleet-5xx";

/// What a tick that watches and moves a whole fleet calls.
#[derive(Clone, Debug)]
pub struct Costs {
    /// `GetMetricData` and `DescribeAlarms` of a tick in which every service is judged and none moves.
    pub metric_calls: usize,
    /// The most mutating Lambda calls that any service has in the tick in which all of them move.
    pub mutations_of_one: usize,
    /// How many services moved in that tick.
    pub moved: usize,
}

fn function(number: usize) -> String {
    format!("StagingService{number}")
}

fn services(count: usize, tag: &str) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..count {
        let _infallible = write!(
            text,
            "  service-{number}:\n    imageTag: \"{tag}\"\n    functionName: {}\n    ecrRepository: \
             company/service-{number}\n    strategy: {{ linear: {{ step: 20, every: 5m }} }}\n    analysis: {{ \
             maxErrorRate: 1%, maxErrorRateIncrease: 0.5%, maxDurationP99: 1s, minInvocations: 10, alarms: [{ALARM}] }}\n",
            function(number)
        );
    }
    text
}

/// Releases `count` services at once, each with a canary that is judged by metrics and an alarm, and counts what the ticks
/// call while all of them are in flight.
pub async fn costs(count: usize, options: Options) -> Costs {
    let releases = Arc::new(Releases::of(&services(count, "v1.0.0")));
    let world = World::empty(releases, options).await;
    for number in 0..count {
        world.create_service(&format!("service-{number}"), &function(number)).await;
    }
    world.account.put_alarm(ALARM).await.expect("an alarm");
    world.configure("staging", &environment_configuration("Staging")).await;
    world.settle().await;
    world.releases.replace("staging", &services(count, "v1.1.0"));
    while !all_are(&world, PhaseName::Holding).await {
        minute(&world, count).await;
    }
    // Now the first minutes of every service can be seen, and no step's time is over.
    for _ in 0..3 {
        minute(&world, count).await;
    }
    let watching = calls_of_a_tick(&world).await;
    assert_eq!(watching.lambda_mutations(), Vec::<String>::new(), "nothing moves yet");
    let metric_calls = watching.0.iter().filter(|call| call.service == "monitoring" && !call.is_mutating()).count();
    for _ in 0..10 {
        minute_of_traffic(&world, count);
        let moving = calls_of_a_tick(&world).await;
        let mutations = moving.lambda_mutations();
        if mutations.is_empty() {
            continue;
        }
        let each: Vec<usize> = (0..count)
            .map(|number| format!(" {}:live", function(number)))
            .map(|resource| mutations.iter().filter(|call| call.ends_with(&resource)).count())
            .collect();
        let moved = each.iter().filter(|calls| **calls > 0).count();
        return Costs { metric_calls, mutations_of_one: each.into_iter().max().unwrap_or(0), moved };
    }
    panic!("no step was ever judged: {:#?}", world.status("staging").await);
}

async fn all_are(world: &World, phase: PhaseName) -> bool {
    world.status("staging").await.services.values().all(|service| service.standing.phase == phase)
}

async fn minute(world: &World, count: usize) {
    minute_of_traffic(world, count);
    world.tick().await;
}

fn minute_of_traffic(world: &World, count: usize) {
    for number in 0..count {
        world.traffic(&function(number), 60, |_| 0.0);
    }
}

async fn calls_of_a_tick(world: &World) -> Calls {
    world.calls();
    world.tick().await;
    let calls = world.calls();
    world.advance(Duration::ZERO).await;
    calls
}

//! Many services of one environment, all in the middle of a canary at the same time.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use local_aws::{Fault, Options};
use tidegate_core::report::Answer;
use tidegate_core::status::PhaseName;

use crate::account::environment_configuration;
use crate::calls::Calls;
use crate::grow::Fleet;
use crate::releases::Releases;
use crate::world::{World, only, sync};

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

/// The function of a fleet's service with this number.
#[must_use]
pub fn function(number: usize) -> String {
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

/// What it takes to roll a whole fleet back under the rates of AWS.
#[derive(Clone, Debug)]
pub struct RollbackCosts {
    /// How many services could not be rolled back.
    pub failed: usize,
    /// From the command to the first alias that is back, in server time.
    pub first: Duration,
    /// From the command to the answer, in server time.
    pub all: Duration,
    /// The most reads of Lambda that any service has.
    pub reads_of_one: usize,
    /// The most mutating Lambda calls that any service has.
    pub mutations_of_one: usize,
}

/// `count` services of staging that differ in nothing but their names.
fn plain(count: usize, tag: &str) -> String {
    tagged(count, |_| tag.to_owned())
}

/// `count` services of staging that differ in nothing but their names and tags.
#[must_use]
pub fn tagged(count: usize, tag: impl Fn(usize) -> String) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..count {
        let _infallible = write!(
            text,
            "  service-{number}:\n    imageTag: \"{}\"\n    functionName: {}\n    ecrRepository: company/all\n",
            tag(number),
            function(number)
        );
    }
    text
}

/// A world with `count` such services at `v1.0.0`, all of it as Git wants it.
pub async fn deployed(count: usize, options: Options) -> World {
    let world = World::empty(Arc::new(Releases::of(&plain(count, "v1.0.0"))), options).await;
    world.create_service("all", &function(0)).await;
    let image = world.push_image("all", "v1.3.0").await;
    for number in 1..count {
        world.account.create_function(&function(number), &image, 10, &[]).await.expect("a function");
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    world.settle().await;
    world
}

/// Releases `count` services, then rolls all of them back with one command while AWS's request rates are enforced.
pub async fn rollback_of(count: usize, options: Options) -> RollbackCosts {
    let world = deployed(count, options).await;
    world.releases.replace("staging", &plain(count, "v1.1.0"));
    world.settle().await;

    world.aws.enforce_rates(true);
    let names: Vec<String> = (0..count).map(|number| format!("service-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let began = world.aws.clock().now();
    let answer = world.roll_back(&names, "all of it").await;
    let all = (world.aws.clock().now() - began).to_std().unwrap_or_default();
    let calls = world.calls();
    let Answer::Services { failures, .. } = answer else { panic!("no answer: {answer:?}") };
    let moves = calls.0.iter().filter(|call| call.operation == "UpdateAlias" && call.error.is_none());
    let first = moves.map(|call| call.at - began).min().and_then(|first| first.to_std().ok()).unwrap_or(Duration::MAX);
    let of = |number: usize, mutating: bool| {
        let ours = |name: &str| name == function(number) || name.starts_with(&format!("{}:", function(number)));
        let lambda = calls.0.iter().filter(|call| call.service == "lambda" && call.error.is_none());
        lambda.filter(|call| call.is_mutating() == mutating && ours(&call.resource)).count()
    };
    let most = |mutating| (0..count).map(|number| of(number, mutating)).max().unwrap_or(0);
    RollbackCosts { failed: failures.len(), first, all, reads_of_one: most(false), mutations_of_one: most(true) }
}

/// All that AWS takes: for the scenes before what is measured.
pub const WHOLE_BUDGET: &str = "callBudget: { getFunction: 100, controlPlane: 15, registryWrites: 10 }\n";

/// What a call of AWS takes.
pub const LATENCY: Duration = Duration::from_millis(20);

/// So many services that lived before Tidegate came, each adopted by the controller.
pub async fn adopted_each(count: usize, options: Options) -> World {
    let world = World::empty(Arc::new(Releases::of(&plain(count, "v1.0.0"))), options).await;
    world.create_functions(count, function).await;
    world.configure("staging", &format!("{}{WHOLE_BUDGET}", environment_configuration("Staging"))).await;
    world.settle().await;
    world
}

/// The same, but the controller adopts only one: the others are as it left that one.
pub async fn adopted(count: usize, options: Options) -> World {
    let world = adopted_each(1, options).await;
    let services = plain(count, "v1.0.0");
    let commit = world.releases.replace("staging", &services);
    let environment = "staging".parse().expect("a name");
    let fleet = Fleet { aws: &world.aws, account: &world.account, environment: &environment, function: &function };
    fleet.grow(count, &services, &commit).await.expect("a fleet");
    world
}

/// What ticks call in which nothing is to be done.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// How long the second took, in server time.
    pub took: Duration,
    /// What the first tick of a process calls, as `service:Operation`.
    pub cold: BTreeMap<String, usize>,
    /// What the second one calls.
    pub calls: BTreeMap<String, usize>,
    /// How often the second one asks Git for its branches.
    pub git_lists: usize,
    /// How many metrics are published of the whole environment.
    pub metrics: usize,
    /// Bytes of the status document that the second one wrote.
    pub status_bytes: usize,
}

/// Two converged ticks of `count` services at `a_second` calls of `GetFunction`, while AWS's request rates are enforced and each
/// call takes 20 ms. Needs paused time: what is measured is how long calls and their turns take, not this machine.
pub async fn sweep(count: usize, a_second: u16, options: Options) -> Sweep {
    let world = adopted(count, options).await;
    // The process with this budget knows nothing yet.
    let budget = format!("callBudget: {{ getFunction: {a_second} }}\n");
    world.configure("staging", &format!("{}{budget}", environment_configuration("Staging"))).await;
    world.aws.enforce_rates(true);
    world.break_calls(|_| Some(Fault::Delay(LATENCY)));
    world.calls();
    world.tick().await;
    let cold = counted(&world);
    world.releases.server.forget_requests();
    let began = world.aws.clock().now();
    let report = only(world.run(&sync("staging", None, None)).await).expect("a tick");
    let took = (world.aws.clock().now() - began).to_std().unwrap_or_default();
    let calls = counted(&world);
    let git_lists = world.releases.server.requests().len();
    assert!(report.services.values().all(|service| service.seen == report.started), "each service was visited");
    let metrics = world.account.cloudwatch.list_metrics().namespace("Tidegate").send().await.expect("ListMetrics");
    let metrics = metrics.metrics().iter().filter(|metric| metric.dimensions().len() == 1).count();
    Sweep { took, cold, calls, git_lists, metrics, status_bytes: world.document("status/staging.json").await.len() }
}

/// How often each operation was called since this was asked last. None of them failed.
fn counted(world: &World) -> BTreeMap<String, usize> {
    let mut calls = BTreeMap::new();
    for call in world.calls().0 {
        assert_eq!(call.error, None, "{call:?}");
        *calls.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
    }
    calls
}

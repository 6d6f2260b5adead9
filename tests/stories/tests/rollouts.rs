//! Stories of releases that get their traffic step by step: with real requests by the alias's weights, and the metrics that
//! those left behind.
#![expect(clippy::panic, reason = "a story that takes another turn should fail")]
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, Statistic};
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use bytes::Bytes;
use local_aws::{Event, Fault, FunctionError, Service};
use stories::releases::Releases;
use stories::world::{World, options, service, waiting};
use tidegate_core::analysis::Outcome;
use tidegate_core::command::{Command, To};
use tidegate_core::history::Kind;
use tidegate_core::report::FailureKind;
use tidegate_core::status::{Health, PhaseName, SyncStatus};

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";

const CANARY: [&str; 2] = [
    "strategy: { canary: { steps: [{ setWeight: 10 }, { pause: { duration: 10m } }, { setWeight: 50 }, { pause: { duration: 5m } }] } }",
    "analysis: { maxErrorRate: 1%, maxErrorRateIncrease: 0.5%, minInvocations: 50 }",
];

/// One service with `v1.0.0` live and this said of it; `v1.1.0` is merged, and its metrics come two minutes late.
async fn merged(lines: &[&str]) -> World {
    let releases = Arc::new(Releases::one_service());
    let options = local_aws::Options { metric_delay: Duration::from_secs(110), ..options() };
    let world = World::empty(releases, options).await;
    world.create_service(SERVICE, FUNCTION).await;
    world.configure("staging", &stories::account::environment_configuration("Staging")).await;
    world.settle().await;
    world.releases.add("staging", SERVICE, lines);
    world.settle().await;
    world.releases.merge(SERVICE, "v1.1.0");
    world.calls();
    world
}

fn good(_: &str) -> f64 {
    0.002
}

/// Version 2 fails in one of twenty.
fn bad(version: &str) -> f64 {
    if version == "2" { 0.05 } else { 0.002 }
}

/// Requests and ticks until the service is in this phase; gives how many minutes that took.
async fn until(world: &World, phase: PhaseName, failing: fn(&str) -> f64) -> usize {
    for minute in 0..90 {
        if service(&world.status("staging").await, SERVICE).standing.phase == phase {
            return minute;
        }
        world.minutes(1, FUNCTION, 600, failing).await;
    }
    panic!("it never is {phase}: {:#?}", world.status("staging").await);
}

#[tokio::test(start_paused = true)]
async fn a_good_canary_goes_through_its_steps_and_becomes_live() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    assert_eq!((world.primary(FUNCTION).await, world.weight(FUNCTION).await), ("1".to_owned(), 10.0));
    world.minutes(8, FUNCTION, 600, good).await;
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    world.minutes(8, FUNCTION, 600, good).await;
    assert_eq!(world.weight(FUNCTION).await, 50.0);
    until(&world, PhaseName::Idle, good).await;
    assert_eq!(world.live(FUNCTION).await, "2");

    let calls = world.calls();
    let mutations = calls.lambda_mutations();
    assert_eq!(mutations.len(), 4, "publish, 10 %, 50 %, all: {mutations:?}");
    let history = world.history(SERVICE).await;
    let last = history.last().unwrap_or_else(|| panic!("no history"));
    assert_eq!(last.kind, Kind::Promoted);
    let steps: Vec<(&str, Option<Outcome>)> = last
        .steps
        .iter()
        .map(|step| (step.step.as_str(), step.verdict.as_ref().map(|verdict| verdict.outcome)))
        .collect();
    assert_eq!(steps, [("10 %", Some(Outcome::Successful)), ("50 %", Some(Outcome::Successful))]);
    assert_eq!(world.registry(SERVICE).await["version"], "2");
    world.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_canary_is_turned_back_at_its_first_step_and_stays_out_until_git_changes() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Aborted, bad).await;
    assert_eq!(world.live(FUNCTION).await, "1");
    let report = world.status("staging").await;
    let now = service(&report, SERVICE);
    assert_eq!((now.standing.sync, now.standing.health), (SyncStatus::OutOfSync, Health::Degraded));
    let live = now.live.as_ref().and_then(|live| live.tag.as_ref());
    assert_eq!(live.map(ToString::to_string).as_deref(), Some("v1.0.0"), "what serves is called what it is");
    assert!(waiting(&report, SERVICE).starts_with("turned back: the analysis failed: error rate"), "{report:#?}");
    let history = world.history(SERVICE).await;
    let last = history.last().unwrap_or_else(|| panic!("no history"));
    assert_eq!((last.kind, last.steps.len()), (Kind::Aborted, 1));
    assert_eq!(last.steps[0].step, "10 %");
    world.calls();
    world.minutes(30, FUNCTION, 100, bad).await;
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.registry(SERVICE).await["version"], "1");

    world.releases.merge(SERVICE, "v1.2.0");
    until(&world, PhaseName::Idle, good).await;
    assert_eq!(world.live(FUNCTION).await, "3");
}

#[tokio::test(start_paused = true)]
async fn without_traffic_a_canary_is_held_and_then_turned_back_and_never_promoted() {
    let world = merged(&CANARY).await;
    for _ in 0..60 {
        world.tick().await;
        assert_ne!(world.weight(FUNCTION).await, 50.0);
    }
    assert_eq!(world.live(FUNCTION).await, "1");
    let last = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
    assert_eq!(last.kind, Kind::Aborted);
    let reason = last.reason.unwrap_or_default();
    assert!(reason.starts_with("the analysis stayed inconclusive 4 times: 0 of 50 invocations"), "{reason}");
}

/// A program whose answer is the version that its image was built as.
fn healthy_but(broken: &'static str) -> local_aws::Handler {
    Arc::new(move |event: Event| {
        Box::pin(async move {
            let version = event.context.environment.get("BUILD_VERSION").cloned().unwrap_or_default();
            if version == broken {
                let message = "no route to the database".to_owned();
                return Err(FunctionError { error_type: "Unhealthy".to_owned(), message });
            }
            Ok(Bytes::from(format!(r#"{{"statusCode":200,"body":"{{\"version\":\"{version}\"}}"}}"#)))
        })
    })
}

const BLUE_GREEN: [&str; 2] = [
    "strategy: { blueGreen: { previewAlias: candidate, autoPromote: false, bake: 5m } }",
    "smokeTest: { payload: { path: /health }, expectStatus: 200, expectJson: { /body/version: v1.1.0 } }",
];

#[tokio::test(start_paused = true)]
async fn blue_green_is_tested_through_its_own_alias_waits_for_a_person_and_bakes() {
    let releases = Arc::new(Releases::one_service());
    let world = World::with_one_service(releases).await;
    world.aws.register_program("none", healthy_but("none"));
    world.settle().await;
    world.releases.add("staging", SERVICE, &BLUE_GREEN);
    world.releases.merge(SERVICE, "v1.1.0");
    for _ in 0..4 {
        world.tick().await;
    }
    let report = world.tick().await;
    assert_eq!(waiting(&report, SERVICE), "a person: `tidegate promote ENV/SERVICE` goes on");
    assert_eq!(world.live(FUNCTION).await, "1");
    let candidate = world.account.lambda.get_alias().function_name(FUNCTION).name("candidate").send().await;
    assert_eq!(candidate.ok().and_then(|alias| alias.function_version).as_deref(), Some("2"));

    world.calls();
    let now = world.say(Command::Promote, SERVICE, "looked at it").await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(now.standing.phase, PhaseName::Promoting);
    assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
    assert_eq!(world.live(FUNCTION).await, "2");
    world.tick().await;
    assert_eq!(service(&world.status("staging").await, SERVICE).standing.phase, PhaseName::Baking);
    for _ in 0..5 {
        world.tick().await;
    }
    let last = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
    assert_eq!((last.kind, last.steps[0].step.as_str()), (Kind::Promoted, "bake"));
    assert_eq!(last.said[0].reason.as_deref(), Some("looked at it"));
    world.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_smoke_test_that_fails_keeps_the_release_from_any_traffic() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.aws.register_program("none", healthy_but("v1.1.0"));
    world.settle().await;
    world.releases.add("staging", SERVICE, &BLUE_GREEN);
    world.releases.merge(SERVICE, "v1.1.0");
    world.calls();
    for _ in 0..5 {
        world.tick().await;
    }
    let report = world.status("staging").await;
    assert_eq!(
        waiting(&report, SERVICE),
        "the release failed: the smoke test failed: the function failed (Unhandled): no route to the database; change \
         it in Git, or try again with `tidegate retry ENV/SERVICE`"
    );
    assert_eq!(world.live(FUNCTION).await, "1");
    let touched = world.calls().lambda_mutations();
    assert!(!touched.contains(&format!("UpdateAlias {FUNCTION}:live")), "{touched:?}");

    // The dependency is back: the same version is tested again.
    world.aws.register_program("none", healthy_but("none"));
    world.say(Command::Retry, SERVICE, "the database is back").await.unwrap_or_else(|error| panic!("{error:?}"));
    for _ in 0..3 {
        world.tick().await;
    }
    assert!(waiting(&world.status("staging").await, SERVICE).starts_with("a person"));
}

#[tokio::test(start_paused = true)]
async fn a_smoke_test_that_takes_too_long_twice_fails_its_release_and_not_the_tick() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world.aws.register_program(
        "none",
        Arc::new(|_| {
            Box::pin(async {
                tokio::time::sleep(Duration::from_secs(600)).await;
                Ok(Bytes::from_static(b"{}"))
            })
        }),
    );
    let timeout = world.account.lambda.update_function_configuration().function_name(FUNCTION).timeout(300);
    timeout.send().await.unwrap_or_else(|error| panic!("{error:?}"));
    world.advance(Duration::from_secs(10)).await;
    world.releases.add("staging", SERVICE, &["smokeTest: { payload: {} }"]);
    world.releases.merge(SERVICE, "v1.1.0");
    for _ in 0..5 {
        world.tick().await;
    }
    let waiting = waiting(&world.status("staging").await, SERVICE);
    let failed = "the release failed: the smoke test failed: no answer within 20 s, twice";
    assert!(waiting.starts_with(failed), "{waiting}");
    assert_eq!(world.live(FUNCTION).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_manual_gate_waits_for_as_long_as_it_takes_and_goes_on_at_a_word() {
    let steps = "strategy: { canary: { steps: [{ setWeight: 20 }, { pause: {} }] } }";
    let world = merged(&[steps]).await;
    until(&world, PhaseName::Holding, good).await;
    for _ in 0..120 {
        world.tick().await;
    }
    assert_eq!(waiting(&world.status("staging").await, SERVICE), "a person: `tidegate promote ENV/SERVICE` goes on");
    world.calls();
    let now = world.say(Command::Promote, SERVICE, "the traces are fine").await.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!((now.standing.sync, now.standing.health), (SyncStatus::Synced, Health::Healthy));
    assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
    assert_eq!(world.live(FUNCTION).await, "2");
    let status = world.status("staging").await;
    assert_eq!(service(&status, SERVICE).standing.sync, SyncStatus::Synced, "status shows it before the next tick");
    // Said again, it is told how things stand.
    let failure = world.say(Command::Promote, SERVICE, "again").await.expect_err("nothing to promote");
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains("is not in a rollout: it is Synced and Healthy"), "{failure:?}");
    world.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_is_superseded_half_way_goes_back_to_stable_first() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    world.releases.merge(SERVICE, "v1.2.0");
    world.calls();
    world.minutes(1, FUNCTION, 100, good).await;
    assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
    assert_eq!(world.live(FUNCTION).await, "1");
    until(&world, PhaseName::Holding, good).await;
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    until(&world, PhaseName::Idle, good).await;
    assert_eq!(world.live(FUNCTION).await, "3");
    let kinds: Vec<Kind> = world.history(SERVICE).await.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Promoted, Kind::Superseded, Kind::Promoted]);
}

#[tokio::test(start_paused = true)]
async fn an_abort_needs_neither_git_nor_ecr_nor_cloudwatch() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    world.releases.server.behave(git_server::Behaviour::Down);
    world.break_calls(|call| {
        let down = matches!(call.service, Service::Ecr | Service::CloudWatch);
        down.then_some(Fault::LoseRequest)
    });
    world.calls();
    let now = world.say(Command::Abort, SERVICE, "5xx after 14:02").await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!((now.standing.phase, now.standing.health), (PhaseName::Aborted, Health::Degraded));
    assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
    assert_eq!(world.live(FUNCTION).await, "1");
    let last = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
    assert_eq!((last.kind, last.reason.as_deref()), (Kind::Aborted, Some("5xx after 14:02")));
}

#[tokio::test(start_paused = true)]
async fn a_word_that_meets_a_tick_loses_nothing() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    world.minutes(16, FUNCTION, 600, good).await;
    // The tick that would shift further, and an abort, at the same moment.
    let sync = stories::world::sync("staging", None, None);
    let (_, aborted) = tokio::join!(world.run(&sync), world.say(Command::Abort, SERVICE, "now"));
    world.advance(Duration::from_secs(60)).await;
    for _ in 0..3 {
        world.tick().await;
    }
    match aborted {
        Ok(now) => assert_eq!(now.standing.phase, PhaseName::Aborted),
        Err(failure) => panic!("{failure:?}"),
    }
    assert_eq!(world.live(FUNCTION).await, "1");
    let kinds: Vec<Kind> = world.history(SERVICE).await.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Promoted, Kind::Aborted]);
}

#[tokio::test(start_paused = true)]
async fn a_pause_holds_a_step_and_a_resume_goes_on() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    let now = world.say(Command::Pause, SERVICE, "waiting for the night").await.unwrap_or_else(|e| panic!("{e:?}"));
    assert_eq!(now.standing.health, Health::Suspended);
    world.minutes(30, FUNCTION, 600, good).await;
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    assert!(waiting(&world.status("staging").await, SERVICE).starts_with("paused by"));
    world.say(Command::Resume, SERVICE, "go on").await.unwrap_or_else(|error| panic!("{error:?}"));
    until(&world, PhaseName::Idle, good).await;
    assert_eq!(world.live(FUNCTION).await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_hand_on_the_alias_holds_a_rollout_until_somebody_says_resume() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    let none = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(HashMap::new())).build();
    let update = world.account.lambda.update_alias().function_name(FUNCTION).name("live").routing_config(none);
    update.send().await.unwrap_or_else(|error| panic!("{error:?}"));
    world.minutes(20, FUNCTION, 100, good).await;
    let said = waiting(&world.status("staging").await, SERVICE);
    assert!(said.starts_with("somebody changed the alias by hand"), "{said}");
    world.say(Command::Resume, SERVICE, "it was me").await.unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    until(&world, PhaseName::Idle, good).await;
    let last = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
    let said: Vec<&str> = last.said.iter().map(|said| said.what.as_str()).collect();
    assert_eq!(said, ["edit", "resume"]);
}

#[tokio::test(start_paused = true)]
async fn a_revert_in_git_goes_straight_back_without_steps() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    until(&world, PhaseName::Idle, good).await;
    world.releases.merge(SERVICE, "v1.0.0");
    world.calls();
    world.tick().await;
    assert_eq!(world.live(FUNCTION).await, "1");
    assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
}

#[tokio::test(start_paused = true)]
async fn the_weights_of_provisioned_concurrency_are_waited_out_and_are_nobodys_edit() {
    let lines = ["strategy: { blueGreen: { bake: 3m } }"];
    let world = merged(&lines).await;
    let put = world.account.lambda.put_provisioned_concurrency_config().function_name(FUNCTION).qualifier("live");
    put.provisioned_concurrent_executions(2).send().await.unwrap_or_else(|error| panic!("{error:?}"));
    world.advance(Duration::from_secs(180)).await;
    for _ in 0..3 {
        world.tick().await;
    }
    let said = waiting(&world.status("staging").await, SERVICE);
    assert!(said.starts_with("provisioned concurrency is being prepared"), "{said}");
    for _ in 0..8 {
        world.tick().await;
    }
    assert_eq!(world.live(FUNCTION).await, "2");
    world.settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_force_needs_a_reason() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    let forced = |to: To| Command::Promote(To { force: true, reason: None, ..to });
    let failure = world.say(forced, SERVICE, "").await.expect_err("a reason is needed");
    assert_eq!(failure.message, "`--force` goes over a failed analysis, so it needs a `--reason`");
}

#[tokio::test(start_paused = true)]
async fn dashboards_see_the_weight_of_a_canary_holds_with_their_age_and_throttled_calls() {
    let world = merged(&CANARY).await;
    until(&world, PhaseName::Holding, good).await;
    world.tick().await;
    world.roll_back(&[SERVICE], "5xx").await;
    world.tick().await;
    let throttled = AtomicBool::new(false);
    world.break_calls(move |call| {
        (call.operation == "GetAlias" && !throttled.swap(true, Ordering::Relaxed)).then_some(Fault::Throttle)
    });
    world.tick().await;
    world.advance(Duration::from_secs(180)).await;
    let now = aws_sdk_cloudwatch::primitives::DateTime::from_secs(world.aws.clock().now().timestamp());
    let long_ago = aws_sdk_cloudwatch::primitives::DateTime::from_secs(now.secs() - 86_400);
    for (metric, service, greatest) in [
        ("CanaryWeight", Some(SERVICE), 10.0),
        ("HeldServices", None, 1.0),
        ("OldestHoldSeconds", None, 60.0),
        ("ThrottledCalls", None, 1.0),
    ] {
        let dimension = |name: &str, value: &str| Dimension::builder().name(name).value(value).build();
        let read = world.account.cloudwatch.get_metric_statistics().namespace("Tidegate").metric_name(metric);
        let of_service = service.map(|service| dimension("Service", service));
        let dimensions = [dimension("Environment", "staging")].into_iter().chain(of_service).collect();
        let read = read.set_dimensions(Some(dimensions));
        let read = read.start_time(long_ago).end_time(now).period(60).statistics(Statistic::Maximum);
        let answer = read.send().await.unwrap_or_else(|error| panic!("{error:?}"));
        let seen = answer.datapoints().iter().filter_map(|point| point.maximum()).fold(0.0, f64::max);
        assert!((seen - greatest).abs() < 0.001, "{metric} is {seen}");
    }
}

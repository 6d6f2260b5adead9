//! Stories of hints: what AWS tells of an account makes a tick of just what it names, soon, and of nothing else.
#![expect(clippy::expect_used, reason = "a story that takes another turn should fail")]
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::types::StateValue;
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use serde_json::{Value, json};
use stories::account::{ACCOUNT, CONTROLLER, environment_configuration};
use stories::calls::Calls;
use stories::events::{alarm, batch, call, call_by_role, queued};
use stories::fleet::adopted;
use stories::logs::{keep_logs, logged};
use stories::releases::Releases;
use stories::world::{SAMPLE, World, options, service, waiting};
use tidegate_core::history::Kind;
use tidegate_core::report::{FailureKind, TickReport};
use tidegate_core::status::{PhaseName, SyncStatus};
use tidegate_lambda::{BatchReply, FailedRecord, Reply};

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";

/// How many services there are where only one is hinted at.
const MANY: usize = 20;

/// All records are done with.
fn done() -> Reply {
    Reply::Batch(BatchReply::default())
}

/// These records are to come again.
fn again(ids: &[&str]) -> Reply {
    let failed = |id: &&str| FailedRecord { item_identifier: (*id).to_owned() };
    Reply::Batch(BatchReply { batch_item_failures: ids.iter().map(failed).collect() })
}

fn kinds(report: &TickReport, name: &str) -> Vec<&'static str> {
    service(report, name).drift.iter().map(|drifted| drifted.drift.kind()).collect()
}

/// How often each operation was called, as `service:Operation`.
fn counted(calls: &Calls) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for call in &calls.0 {
        *counts.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
    }
    counts
}

/// How many ticks took the lease: each writes it twice.
fn ticks(calls: &Calls) -> usize {
    calls.mutations("s3").iter().filter(|call| call.contains("lease/")).count() / 2
}

/// Somebody gives another version a share by hand: what only a close look finds.
async fn weigh(world: &World, function: &str, version: &str) {
    let routing = AliasRoutingConfiguration::builder().additional_version_weights(version, 0.25).build();
    let call = world.account.lambda.update_alias().function_name(function).name("live").routing_config(routing);
    call.send().await.expect("UpdateAlias");
}

/// Somebody publishes another version with the same code.
async fn publish(world: &World, function: &str) {
    let lambda = &world.account.lambda;
    let configured = lambda.update_function_configuration().function_name(function).description("another").send().await;
    configured.expect("UpdateFunctionConfiguration");
    world.advance(Duration::from_secs(60)).await;
    let published = lambda.publish_version().function_name(function).send().await.expect("PublishVersion");
    assert_eq!(published.version.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn what_is_hinted_at_is_looked_at_closely_and_nothing_else_is_looked_at() {
    keep_logs();
    let world = adopted(MANY, options()).await;
    // From here on the process knows what its last tick left.
    world.tick().await;
    let function = "StagingService7";
    publish(&world, function).await;
    weigh(&world, function, "2").await;
    let before = world.status("staging").await;
    world.releases.server.forget_requests();
    world.calls();

    assert_eq!(world.deliver(queued(&call("UpdateAlias20150331", function))).await, done());
    let calls = world.calls();
    assert_eq!(world.releases.server.requests().len(), 0, "Git is not asked");
    let expected = [
        // What the alias names, how, and whether AWS itself moves its traffic.
        ("lambda:GetFunction", 1),
        ("lambda:GetAlias", 1),
        ("lambda:GetProvisionedConcurrencyConfig", 1),
        ("ecr:BatchGetImage", 1),
        ("monitoring:PutMetricData", 1),
        // What hints are about, the lease, what history says of the alias, and whether a record follows that.
        ("s3:GetObject", 4),
        // Whose shard they are, and what is under way.
        ("s3:ListObjectsV2", 2),
        // The lease twice, and the status.
        ("s3:PutObject", 3),
        ("ssm:GetParametersByPath", 1),
    ];
    let expected: BTreeMap<String, usize> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(counted(&calls), expected);

    let status = world.status("staging").await;
    assert_eq!(kinds(&status, "service-7"), ["weights"]);
    assert_eq!(status.services.len(), MANY);
    for (name, now) in status.services.iter().filter(|(name, _)| name.as_str() != "service-7") {
        assert_eq!(Some(now), before.services.get(name), "{name} is as it was seen last");
    }
    assert_eq!((status.started, status.tick), (before.started, before.tick), "the whole was not looked at");
    // Where nothing is found, that took a look at `$LATEST` and at the registry's entry, and none at history.
    world.calls();
    assert_eq!(world.deliver(queued(&call("UpdateAlias20150331", "StagingService8"))).await, done());
    let calls = counted(&world.calls());
    let looks = ["lambda:GetFunction", "lambda:GetAlias", "ssm:GetParameter", "s3:GetObject"];
    assert_eq!(looks.map(|name| calls.get(name).copied().unwrap_or(0)), [2, 1, 1, 2], "{calls:?}");

    let line = logged().lines().any(|line| line.contains(r#""hinted":"function StagingService7""#));
    assert!(line, "the summary line says by what the tick was hinted");

    let whole = world.tick().await;
    assert_eq!(kinds(&whole, "service-7"), ["weights"], "the next whole tick knows of it");
}

#[tokio::test(start_paused = true)]
async fn what_was_moved_by_hand_is_set_back_by_the_hinted_tick() {
    let world = World::second_is_live(&["syncPolicy: { selfHeal: true }"]).await;
    world.move_by_hand(FUNCTION, "1").await;
    // Git may be down meanwhile.
    world.releases.server.behave(git_server::Behaviour::Down);
    assert_eq!(world.deliver(queued(&call("UpdateAlias20150331", FUNCTION))).await, done());
    assert_eq!(world.live(FUNCTION).await, "2");
    assert_eq!(world.history(SERVICE).await.last().map(|record| record.kind), Some(Kind::Healed));
    assert_eq!(world.status("staging").await.hold, None);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_comes_without_a_queue_is_followed_as_well() {
    let world = World::second_is_live(&[]).await;
    weigh(&world, FUNCTION, "1").await;
    let Reply::Answer(answer) = world.deliver(call("UpdateAlias20150331", FUNCTION)).await else { panic!("a batch") };
    let report = stories::world::only(answer).expect("a tick");
    assert_eq!(kinds(&report, SERVICE), ["weights"]);
}

#[tokio::test(start_paused = true)]
async fn what_tidegate_did_itself_makes_no_tick() {
    let world = World::second_is_live(&[]).await;
    let by_function = call_by_role("UpdateAlias20150331", FUNCTION, "tidegate-main-role", CONTROLLER);
    assert_eq!(world.deliver(queued(&by_function)).await, done());
    assert_eq!(world.calls().0.len(), 0);

    let role = format!("arn:aws:iam::{ACCOUNT}:role/tidegate");
    world.aws.register_role(&role, None);
    world.configure("staging", &format!("{}roleArn: {role}\n", environment_configuration("Staging"))).await;
    world.settle().await;
    let by_role = call_by_role("UpdateAlias20150331", FUNCTION, "tidegate", "tidegate");
    assert_eq!(world.deliver(queued(&by_role)).await, done());
    assert_eq!(counted(&world.calls()), BTreeMap::from([("ssm:GetParametersByPath".to_owned(), 1)]));
    let by_other = call_by_role("UpdateAlias20150331", FUNCTION, "deployer", "ann");
    world.deliver(queued(&by_other)).await;
    assert_eq!(ticks(&world.calls()), 1);
}

#[tokio::test(start_paused = true)]
async fn an_alarm_that_gates_a_release_turns_it_back_in_the_hinted_tick() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.account.put_alarm("flight-5xx").await.expect("an alarm");
    let set = |state| {
        let call = world.account.cloudwatch.set_alarm_state().alarm_name("flight-5xx").state_value(state);
        async move { call.state_reason("a story").send().await.expect("SetAlarmState") }
    };
    set(StateValue::Ok).await;
    let steps = "strategy: { canary: { steps: [{ setWeight: 10 }, { pause: { duration: 30m } }] } }";
    world.releases.add("staging", SERVICE, &[steps, "analysis: { alarms: [flight-5xx] }"]);
    world.settle().await;

    set(StateValue::Alarm).await;
    world.calls();
    assert_eq!(world.deliver(queued(&alarm("flight-5xx"))).await, done());
    let calls = world.calls();
    assert_eq!(ticks(&calls), 0, "nothing is under way that it gates");
    assert_eq!(counted(&calls).get("s3:GetObject"), Some(&1));

    set(StateValue::Ok).await;
    world.releases.merge(SERVICE, "v1.1.0");
    for _ in 0..10 {
        world.tick().await;
    }
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    set(StateValue::Alarm).await;
    assert_eq!(world.deliver(queued(&alarm("flight-5xx"))).await, done());
    assert_eq!((world.live(FUNCTION).await.as_str(), world.weight(FUNCTION).await), ("1", 0.0));
    let status = world.status("staging").await;
    assert_eq!(service(&status, SERVICE).standing.phase, PhaseName::Aborted, "{status:#?}");
    assert!(waiting(&status, SERVICE).contains("flight-5xx"), "{}", waiting(&status, SERVICE));
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_hints_at_one_function_is_one_tick() {
    let world = World::second_is_live(&[]).await;
    let names = ["UpdateFunctionCode20150331v2", "PublishVersion20150331", "UpdateAlias20150331"];
    let of = |number: usize| {
        call(names[number % names.len()], if number.is_multiple_of(2) { FUNCTION } else { "StagingFlightService:live" })
    };
    let texts: Vec<String> = (0..50).map(|number| of(number).to_string()).collect();
    assert_eq!(world.deliver(batch(&texts)).await, done());
    let calls = world.calls();
    assert_eq!((ticks(&calls), calls.lambda()["GetAlias"]), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_hint_waits_for_a_tick_that_ends_soon_and_is_given_back_where_it_does_not() {
    let world = World::second_is_live(&[]).await;
    weigh(&world, FUNCTION, "1").await;
    let lease = |seconds: i64| {
        let until = world.aws.clock().now() + chrono::Duration::seconds(seconds);
        json!({"schemaVersion": 1, "holder": "another", "epoch": 1_000, "until": until}).to_string().into_bytes()
    };
    let hint = || {
        let texts =
            [call("UpdateAlias20150331", FUNCTION).to_string(), call("UpdateAlias20150331", "Other").to_string()];
        world.deliver(batch(&texts))
    };
    world.put_document("lease/staging.json", lease(600)).await;
    assert_eq!(hint().await, again(&["m0"]), "what is about nothing here does not come again");
    assert_eq!(kinds(&world.status("staging").await, SERVICE), Vec::<&str>::new());

    world.put_document("lease/staging.json", lease(15)).await;
    let began = world.aws.clock().now();
    assert_eq!(hint().await, done());
    let took = world.aws.clock().now() - began;
    assert!((14..=18).contains(&took.num_seconds()), "{took}");
    assert_eq!(kinds(&world.status("staging").await, SERVICE), ["weights"]);
}

#[tokio::test(start_paused = true)]
async fn hinted_ticks_do_not_keep_the_schedule_out() {
    let world = World::second_is_live(&[]).await;
    let lease = |holder: &str| {
        let until = world.aws.clock().now() + chrono::Duration::seconds(5);
        json!({"schemaVersion": 1, "holder": holder, "epoch": 1_000, "until": until}).to_string().into_bytes()
    };
    world.put_document("lease/staging.json", lease("another")).await;
    assert!(world.try_tick().await.is_err(), "a whole tick finds the same");
    world.put_document("lease/staging.json", lease("hint event-7")).await;
    assert_eq!(world.tick().await.sync(), SyncStatus::Synced);
}

#[tokio::test(start_paused = true)]
async fn what_is_forged_or_about_nothing_here_is_harmless() {
    let world = World::second_is_live(&[]).await;
    let long = format!("{{\"source\": \"{}\"}}", "x".repeat(1_000_000));
    let unmanaged = call("DeleteFunction20150331", "StagingNobodys").to_string();
    let elsewhere = call("DeleteFunction20150331", &format!("arn:aws:lambda:us-east-1:{ACCOUNT}:function:{FUNCTION}"));
    let texts = [
        long,
        "not JSON".to_owned(),
        "[".repeat(100_000),
        json!({"command": "rollback", "environment": "staging", "services": [SERVICE], "reason": "none"}).to_string(),
        call("UpdateAlias20150331", "../../staging").to_string(),
        elsewhere.to_string(),
        unmanaged,
    ];
    assert_eq!(world.deliver(batch(&texts)).await, done());
    let calls = world.calls();
    let expected = [("ssm:GetParametersByPath", 1), ("s3:GetObject", 1)];
    let expected: BTreeMap<String, usize> = expected.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(counted(&calls), expected, "one look at what is managed, and no tick");

    // A hint at what did not change says nothing either, however often it comes.
    let report = world.status("staging").await;
    world.deliver(queued(&call("DeleteFunction20150331", FUNCTION))).await;
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!((report.sync(), world.status("staging").await.sync()), (SyncStatus::Synced, SyncStatus::Synced));
    let refused = |reply| match reply {
        Reply::Answer(tidegate_core::report::Answer::Failed(failure)) => failure.kind,
        other => panic!("it was taken: {other:?}"),
    };
    let junk: Value = json!({"Records": [{"eventSource": "aws:s3"}]});
    assert_eq!(refused(world.deliver(junk).await), FailureKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn what_a_service_depends_on_is_seen_with_it_so_that_it_can_be_set_back() {
    let world = World::sample().await;
    world.releases.add("staging", "flight-bff", &["syncPolicy: { selfHeal: true }"]);
    world.settle().await;
    let visited = |calls: &Calls| {
        let of =
            |function: &str| calls.0.iter().any(|call| call.service == "lambda" && call.resource.contains(function));
        SAMPLE.map(|(_, function)| of(function))
    };
    world.deliver(queued(&call("UpdateAlias20150331", "StagingReservationService"))).await;
    assert_eq!(visited(&world.calls()), [false, true, false]);

    publish(&world, "StagingFlightBff").await;
    weigh(&world, "StagingFlightBff", "2").await;
    world.calls();
    world.deliver(queued(&call("UpdateAlias20150331", "StagingFlightBff"))).await;
    assert_eq!(visited(&world.calls()), [true, true, true]);
    assert_eq!(world.weight("StagingFlightBff").await, 0.0);
}

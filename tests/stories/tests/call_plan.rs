//! Stories of what ticks call, and how often: within a budget, by turns, and no more than there is to know.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::collections::BTreeMap;

use stories::account::environment_configuration;
use stories::cost;
use stories::fleet::{adopted, sweep, tagged};
use stories::world::{World, only, options, service, sync};
use tidegate_core::report::TickReport;
use tidegate_core::status::SyncStatus;

/// How many of 120 services are looked at closely in a minute: five seconds of four calls.
const CLOSELY: usize = 20;

#[tokio::test(start_paused = true)]
async fn a_converged_tick_asks_once_for_each_service_and_five_times_for_what_is_stored() {
    let swept = sweep(120, 50, options()).await;
    let warm = [
        // Once each, and `$LATEST` of those that are looked at closely in this minute.
        ("lambda:GetFunction", 120 + CLOSELY),
        ("lambda:GetAlias", CLOSELY),
        ("ecr:BatchGetImage", 1),
        ("ssm:GetParameter", CLOSELY),
        ("monitoring:PutMetricData", cost::METRIC_CALLS),
        // The lease twice, and the status.
        ("s3:PutObject", cost::S3_WRITES - 1),
        ("s3:GetObject", cost::S3_READS),
        ("s3:ListObjectsV2", 1),
        ("ssm:GetParametersByPath", 1),
    ];
    let mut expected: BTreeMap<String, usize> = warm.map(|(name, count)| (name.to_owned(), count)).into();
    assert_eq!(swept.calls, expected);
    assert_eq!((swept.git_lists, swept.metrics), (1, cost::METRICS));
    // A process that knows nothing yet reads what is wanted and the last report as well; and a configuration that is new is
    // compared with its copy, and copied.
    expected.insert("s3:GetObject".to_owned(), cost::S3_READS + 3);
    expected.insert("s3:PutObject".to_owned(), cost::S3_WRITES);
    assert_eq!(swept.cold, expected);
    // A second's worth of `GetAlias` at once, then four a second.
    assert!((4.0..=4.5).contains(&swept.took.as_secs_f64()), "{:?}", swept.took);
    assert!(swept.status_bytes <= 120 * cost::STATUS_BYTES, "{} bytes", swept.status_bytes);
    let estimated = cost::seconds(120);
    assert!(swept.took.as_secs_f64() <= estimated, "{:?} for {estimated} s", swept.took);
}

#[tokio::test(start_paused = true)]
async fn one_tick_in_ten_reads_again_what_is_wanted() {
    let world = World::deployed().await;
    let mut reads = Vec::new();
    for _ in 0..10 {
        world.calls();
        on_schedule(&world).await;
        reads.push(world.calls().0.iter().filter(|call| call.operation == "GetObject").count());
    }
    reads.sort_unstable();
    assert_eq!(reads[..9], [cost::S3_READS; 9]);
    assert_eq!(reads[9], cost::S3_READS + 1);
}

#[tokio::test(start_paused = true)]
async fn a_preview_looks_at_every_service_however_long_that_takes() {
    let world = adopted(100, options()).await;
    few_calls(&world).await;
    world.releases.replace("staging", &tagged(100, |number| format!("v1.{}.0", number % 2)));
    let preview = world.preview().await;
    assert_eq!(preview.services.len(), 100);
    for (name, shown) in &preview.services {
        assert!(shown.is_ok(), "{name}: {shown:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn more_services_than_a_tick_has_time_for_are_visited_by_turns() {
    let world = adopted(100, options()).await;
    few_calls(&world).await;
    let mut visited = vec![0; 100];
    for _ in 0..2 {
        world.calls();
        let report = on_schedule(&world).await;
        assert_eq!(report.services.len(), 100, "those that were not visited are told of as well");
        assert_eq!(report.sync(), SyncStatus::Synced);
        let seen = seen_now(&report);
        assert!(world.calls().lambda()["GetFunction"] <= 92, "45 s of two calls a second");
        for (place, name) in report.services.keys().enumerate() {
            visited[place] += usize::from(seen.contains(&name.to_string()));
        }
    }
    assert!(visited.iter().all(|times| *times >= 1), "each in two ticks: {visited:?}");
}

#[tokio::test(start_paused = true)]
async fn what_git_changes_does_not_wait_for_its_turn() {
    let world = adopted(100, options()).await;
    few_calls(&world).await;
    for name in ["service-7", "service-55", "service-93"] {
        world.releases.merge_into("staging", name, "v1.1.0");
        let report = world.tick().await;
        assert!(seen_now(&report).contains(&name.to_owned()), "{name}");
        assert_ne!(service(&report, name).standing.sync, SyncStatus::Synced, "{name} is being released");
        // What is under way is visited in the next tick as well.
        assert!(seen_now(&world.tick().await).contains(&name.to_owned()), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_that_fails_as_a_whole_says_so_in_one_call() {
    let world = World::deployed().await;
    world.delete_document("desired/staging.json").await;
    world.releases.server.behave(git_server::Behaviour::Down);
    // Without it nobody knows who ticked last: nothing is remembered.
    world.delete_document("lease/staging.json").await;
    world.calls();
    assert!(world.try_tick().await.is_err(), "nothing is known of what Git wants");
    let told = world.calls().0.into_iter().filter(|call| call.operation == "PutMetricData").count();
    assert_eq!(told, 1);
}

/// From now on, so that a hundred services are more than a sweep has time for.
async fn few_calls(world: &World) {
    let budget = "callBudget: { getFunction: 2, controlPlane: 1 }\n";
    world.configure("staging", &format!("{}{budget}", environment_configuration("Staging"))).await;
}

/// A tick, and what is left of the minute until the next.
async fn on_schedule(world: &World) -> TickReport {
    let next = world.aws.clock().now() + chrono::Duration::minutes(1);
    let report = only(world.run(&sync("staging", None, None)).await).expect("a tick");
    world.aws.clock().sleep_until(next).await;
    report
}

/// The services that this tick visited.
fn seen_now(report: &TickReport) -> Vec<String> {
    let seen = report.services.iter().filter(|(_, service)| service.seen == report.started);
    seen.map(|(name, _)| name.to_string()).collect()
}

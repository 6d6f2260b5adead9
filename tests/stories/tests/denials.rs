//! Stories of what AWS denies for many services at once: it is said once, with how many, and is in nobody's way.
use local_aws::{AwsError, Fault};
use stories::fleet;
use stories::logs::{keep_warnings, logged};
use stories::world::{only, options, sync};
use tidegate_core::status::{Health, SyncStatus};

#[tokio::test(start_paused = true)]
async fn what_is_denied_for_many_services_is_said_once_a_tick_with_how_many() {
    let world = fleet::adopted(30, options()).await;
    keep_warnings();
    world.break_calls(|call| {
        let denied = ["GetParameter", "BatchGetImage", "PutMetricData"].contains(&call.operation);
        denied.then(|| Fault::FailBefore(AwsError::new(400, "AccessDeniedException", "it may not")))
    });
    let report = world.tick().await;
    assert_eq!((report.sync(), report.health()), (SyncStatus::Synced, Health::Healthy), "it is in nobody's way");
    let told: Vec<(&str, usize)> =
        report.failed_calls.iter().map(|failed| (failed.operation.as_str(), failed.services)).collect();
    assert_eq!(told, [("cloudwatch:PutMetricData", 0), ("ecr:BatchGetImage", 30), ("ssm:GetParameter", 30)]);
    let log = logged();
    let said = |line: &&str| line.contains("the service registry cannot be compared");
    assert_eq!(log.lines().filter(said).count(), 1, "{log}");
    let status = world.status("staging").await;
    assert_eq!(status.failed_calls, report.failed_calls, "people find it where they look");

    world.aws.clear_hook();
    assert_eq!(world.tick().await.failed_calls, []);
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_cannot_be_told_is_said_once_and_stays_each_services_own_failure() {
    let world = fleet::deployed(30, options()).await;
    keep_warnings();
    world.break_calls(|call| {
        let denied = AwsError::new(400, "AccessDeniedException", "it may not be written");
        (call.operation == "PutParameter").then_some(Fault::FailBefore(denied))
    });
    let text = world.releases.services("staging").replace("v1.0.0", "v1.1.0");
    let commit = world.releases.replace("staging", &text);
    only(world.run(&sync("staging", None, Some(&commit))).await).expect("a tick");
    let mut report = world.tick().await;
    while report.failed_calls.is_empty() {
        report = world.tick().await;
    }
    let [failed] = report.failed_calls.as_slice() else { panic!("{:#?}", report.failed_calls) };
    let own = report.services.values().filter(|service| service.error.is_some()).count();
    assert_eq!((failed.operation.as_str(), failed.services), ("ssm:PutParameter", own));
    assert!(own > 1, "as many as the call budget let come so far: {own}");
    let log = logged();
    let said = |line: &&str| line.contains("it may not be written");
    assert_eq!(log.lines().filter(said).count(), 1, "{log}");
}

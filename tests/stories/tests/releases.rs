//! Stories of releases that go well: from a merge in Git to what the alias serves, and what is told about it.
use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_lambda::types::Environment;
use stories::account::{BUCKET, Build};
use stories::releases::Releases;
use stories::world::{World, archive, only, options, service, sync, waiting};
use tidegate_core::history::Kind;
use tidegate_core::marker::Marker;
use tidegate_core::status::{Health, SyncStatus};

#[tokio::test(start_paused = true)]
async fn a_first_deploy_publishes_once_creates_the_alias_and_begins_a_history() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.calls();
    world.tick().await;
    let report = world.tick().await;
    let calls = world.calls();
    assert_eq!(
        calls.lambda_mutations(),
        ["PublishVersion StagingFlightService", "CreateAlias StagingFlightService:live"]
    );
    let now = service(&report, "flight-service");
    assert_eq!((now.standing.sync, now.standing.health), (SyncStatus::Synced, Health::Healthy), "{now:#?}");
    assert_eq!(world.live("StagingFlightService").await, "1");
    assert_eq!(world.versions("StagingFlightService").await, ["1"]);

    let history = world.history("flight-service").await;
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].kind, &history[0].from), (Kind::Promoted, &None));
    assert_eq!(history[0].to.tag.as_ref().map(|tag| tag.as_str()), Some("v1.0.0"));
    assert_eq!(
        history[0].commit.as_ref().map(|commit| commit.author.as_str()),
        Some("Rita Release <rita@example.com>")
    );
    let registry = world.registry("flight-service").await;
    assert_eq!(registry["version"], "1");
    assert_eq!(registry["tag"], "v1.0.0");
    assert_eq!(registry["aliasArn"], "arn:aws:lambda:eu-central-1:111111111111:function:StagingFlightService:live");
    assert!(world.documents("state/").await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_function_that_lives_already_is_adopted_without_touching_it() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.account.publish_by_hand("StagingFlightService", "live").await.expect("an alias by hand");
    let before = world.alias("StagingFlightService").await;
    world.calls();
    let report = world.tick().await;
    world.tick().await;
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(service(&report, "flight-service").standing.sync, SyncStatus::Synced);
    assert_eq!(world.alias("StagingFlightService").await.revision_id(), before.revision_id());
    let history = world.history("flight-service").await;
    assert_eq!(history.iter().map(|record| record.kind).collect::<Vec<_>>(), [Kind::Adopted]);
    assert_eq!(world.registry("flight-service").await["version"], "1");
}

#[tokio::test(start_paused = true)]
async fn what_lived_before_tidegate_is_recorded_before_it_is_replaced() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.account.publish_by_hand("StagingFlightService", "live").await.expect("an alias by hand");
    world.releases.merge("flight-service", "v1.1.0");
    world.settle().await;
    let history = world.history("flight-service").await;
    assert_eq!(history.iter().map(|record| record.kind).collect::<Vec<_>>(), [Kind::Adopted, Kind::Promoted]);
    assert_eq!(history[1].from.as_ref().and_then(|from| from.version), history[0].to.version);
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_merge_is_live_within_two_ticks_with_two_mutating_lambda_calls_of_six() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    let commit = world.releases.merge("flight-service", "v1.1.0");
    world.calls();
    world.tick().await;
    let report = world.tick().await;
    let calls = world.calls();

    assert_eq!(world.live("StagingFlightService").await, "2");
    assert_eq!(
        calls.lambda_mutations(),
        ["UpdateFunctionCode StagingFlightService", "UpdateAlias StagingFlightService:live"]
    );
    let lambda = calls.lambda();
    assert_eq!(
        lambda,
        BTreeMap::from([("GetAlias", 1), ("GetFunction", 3), ("UpdateAlias", 1), ("UpdateFunctionCode", 1)])
    );
    assert_eq!(calls.mutations("ssm"), ["PutParameter /services/staging/flight-service"]);

    let history = world.history("flight-service").await;
    assert_eq!(history.len(), 2);
    assert_eq!(history[1].kind, Kind::Promoted);
    assert_eq!(history[1].commit.as_ref().map(|found| found.id.as_str()), Some(commit.as_str()));
    assert_eq!(history[1].from.as_ref(), Some(&history[0].to));
    let alias = world.alias("StagingFlightService").await;
    let marker = Marker::parse(alias.description().unwrap_or_default()).expect("a marker");
    assert_eq!((&marker.release, marker.transition), (&history[1].to.release, history[1].number));
    assert_eq!(world.registry("flight-service").await["tag"], "v1.1.0");

    let live = service(&report, "flight-service").live.as_ref().expect("what is live");
    assert_eq!(live.tag.as_ref().map(|tag| tag.as_str()), Some("v1.1.0"));
    assert_eq!(
        report,
        tidegate_core::report::TickReport { calls: report.calls.clone(), ..world.status("staging").await }
    );
    let after = world.settle().await;
    assert_eq!(after.commit.map(|commit| commit.id), Some(commit));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_converged_ticks_change_nothing_and_look_at_each_service() {
    let world = World::deployed().await;
    world.releases.server.forget_requests();
    for _ in 0..100 {
        let report = world.tick().await;
        assert_eq!((report.sync(), report.health()), (SyncStatus::Synced, Health::Healthy));
    }
    let calls = world.calls();
    // One look at each for its traffic, and, as few as they are, a close one: at the alias's weights and `$LATEST`.
    assert_eq!(calls.lambda(), BTreeMap::from([("GetAlias", 300), ("GetFunction", 600)]));
    assert_eq!(calls.mutations("ssm"), Vec::<String>::new());
    let writes = calls.mutations("s3").into_iter().fold(BTreeMap::new(), |mut counts, write| {
        *counts.entry(write).or_insert(0) += 1;
        counts
    });
    let lease = format!("PutObject {BUCKET}/tidegate/lease/staging.json");
    let status = format!("PutObject {BUCKET}/tidegate/status/staging.json");
    assert_eq!(writes, BTreeMap::from([(lease, 200), (status, 100)]));
    assert_eq!(world.releases.server.requests().len(), 100, "Git is only listed");
}

#[tokio::test(start_paused = true)]
async fn services_are_released_in_the_order_that_they_depend_on_each_other() {
    let world = World::sample().await;
    world.tick().await;
    let second = world.tick().await;
    assert_eq!(world.live("StagingFlightService").await, "1");
    assert_eq!(world.live("StagingReservationService").await, "1");
    assert!(world.versions("StagingFlightBff").await.is_empty());
    assert_eq!(waiting(&second, "flight-bff"), "`flight-service` is not healthy at what Git wants");
    world.settle().await;
    assert_eq!(world.live("StagingFlightBff").await, "1");
    let finished = |history: Vec<tidegate_core::history::Record>| history[0].finished;
    let bff = world.history("flight-bff").await;
    assert!(bff[0].started > finished(world.history("reservation-service").await));
}

#[tokio::test(start_paused = true)]
async fn a_changed_configuration_becomes_a_version_and_other_variables_stay() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    let lines = ["memorySize: 512", "timeout: 30s", "environment: { LOG_LEVEL: debug }"];
    world.releases.add("staging", "flight-service", &lines);
    world.settle().await;
    let call = world.account.lambda.get_function_configuration().function_name("StagingFlightService");
    let live = call.qualifier("live").send().await.expect("the configuration");
    assert_eq!((live.version(), live.memory_size(), live.timeout()), (Some("2"), Some(512), Some(30)));
    let variables = live.environment().and_then(|environment| environment.variables()).expect("variables");
    assert_eq!(variables["LOG_LEVEL"], "debug");
    assert_eq!(variables["SERVICE_REGISTRY"], "/services/staging");
    let history = world.history("flight-service").await;
    assert_eq!(history.len(), 2);
    assert_eq!(history[0].to.code, history[1].to.code);
    assert_ne!(history[0].to.release, history[1].to.release);
}

#[tokio::test(start_paused = true)]
async fn reserved_concurrency_is_set_once_beside_a_release_and_on_its_own_and_set_back_only_by_a_person() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    let reserved = async || {
        let call = world.account.lambda.get_function_concurrency().function_name("StagingFlightService");
        call.send().await.expect("the concurrency").reserved_concurrent_executions()
    };
    world.releases.add("staging", "flight-service", &["reservedConcurrency: 5", "memorySize: 512"]);
    world.settle().await;
    assert_eq!((reserved().await, world.live("StagingFlightService").await.as_str()), (Some(5), "2"));
    world.releases.replace("staging", &world.releases.services("staging").replace("Concurrency: 5", "Concurrency: 7"));
    world.settle().await;
    assert_eq!((reserved().await, world.live("StagingFlightService").await.as_str()), (Some(7), "2"));
    let call = world.account.lambda.put_function_concurrency().function_name("StagingFlightService");
    call.reserved_concurrent_executions(0).send().await.expect("a hand");
    assert_eq!((world.tick().await.sync(), reserved().await), (SyncStatus::OutOfSync, Some(0)));
    only(world.run(&sync("staging", Some("flight-service"), None)).await).expect("a tick");
    assert_eq!((world.tick().await.sync(), reserved().await), (SyncStatus::Synced, Some(7)));
}

#[tokio::test(start_paused = true)]
async fn a_variable_that_git_does_not_name_may_be_changed_by_others() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    let call = world.account.lambda.update_function_configuration().function_name("StagingFlightService");
    call.environment(Environment::builder().variables("FEATURE", "on").build()).send().await.expect("a hand");
    let report = world.tick().await;
    assert_eq!(report.sync(), SyncStatus::Synced);
    assert_eq!(world.versions("StagingFlightService").await, ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_revert_in_git_goes_back_to_the_version_that_exists() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world.releases.merge("flight-service", "v1.1.0");
    world.settle().await;
    world.releases.tree.git(["revert", "--no-edit", "HEAD"]).expect("a revert");
    world.releases.tree.push().expect("a push");
    let report = world.tick().await;
    assert_eq!(
        world.calls().lambda_mutations(),
        ["UpdateAlias StagingFlightService:live"],
        "{:#?}",
        service(&report, "flight-service")
    );
    assert_eq!(world.live("StagingFlightService").await, "1");
    assert_eq!(world.versions("StagingFlightService").await, ["1", "2"]);
    assert_eq!(world.history("flight-service").await.len(), 3);
    assert_eq!(world.registry("flight-service").await["version"], "1");
}

#[tokio::test(start_paused = true)]
async fn a_zip_function_is_released_by_object_version_without_its_hash_being_given() {
    let world = World::empty(Arc::new(Releases::of("services: {}\n")), options()).await;
    world.account.create_bucket("artifacts").await.expect("a bucket");
    let function = "StagingReports";
    world.account.create_zip_function(function, archive("one"), 10, &[]).await.expect("a function");
    world.configure("staging", &stories::account::environment_configuration("Staging")).await;
    for (number, content) in ["one", "two"].into_iter().enumerate() {
        let put = world.account.s3.put_object().bucket("artifacts").key("reports.zip").body(archive(content).into());
        let object = put.send().await.expect("PutObject").version_id.expect("a version");
        world.releases.replace(
            "staging",
            &format!(
                "services:\n  reports:\n    functionName: {function}\n    s3Bucket: artifacts\n    s3Key: reports.zip\n    s3ObjectVersion: \"{object}\"\n"
            ),
        );
        world.settle().await;
        assert_eq!(world.live(function).await, (number + 1).to_string());
    }
    let history = world.history("reports").await;
    assert_eq!(history.len(), 2);
    assert_ne!(history[0].to.code, history[1].to.code);
}

#[tokio::test(start_paused = true)]
async fn a_digest_in_git_is_released_although_its_tag_was_pushed_again() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    let uri = world.push_image("flight-service", "v1.3.0").await;
    let digest = uri.split_once('@').expect("a digest").1;
    let other = Build { program: "closure:other", environment: &[] };
    world.account.push_image("company/flight-service", "v1.3.0", other).await.expect("pushed again");
    world.settle().await;
    world.releases.merge("flight-service", &format!("v1.3.0@{digest}"));
    world.settle().await;
    let history = world.history("flight-service").await;
    assert_eq!(history.last().map(|record| record.to.code.to_string()).as_deref(), Some(digest));
}

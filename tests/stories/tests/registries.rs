//! Stories of the service registry as one document: written once a tick, shared with others, and never longer than it may be.
#![expect(clippy::expect_used, reason = "a story that takes another turn should fail")]
use std::sync::Arc;

use serde_json::{Value, json};
use stories::account::environment_configuration;
use stories::releases::Releases;
use stories::world::{SAMPLE, World, options, service, waiting};
use tidegate_core::report::TickReport;
use tidegate_core::status::{Health, SyncStatus};

const NAME: &str = "/services/registry";

/// The sample in staging, with its registry in one document, and no tick yet.
async fn sample(registry: &str) -> World {
    let world = World::sample().await;
    world.configure("staging", &format!("{}registry: {registry}\n", environment_configuration("Staging"))).await;
    world.calls();
    world
}

async fn text(world: &World) -> String {
    let answer = world.account.ssm.get_parameter().name(NAME).send().await.expect("the document");
    answer.parameter.and_then(|parameter| parameter.value).expect("a value")
}

async fn document(world: &World) -> Value {
    serde_json::from_str(&text(world).await).expect("JSON")
}

async fn put(world: &World, value: &str) {
    world.account.put_parameter(NAME, value, false).await.expect("PutParameter");
}

/// How often the document was written since the calls were asked for last.
fn writes(world: &World) -> usize {
    world.calls().0.iter().filter(|call| call.operation == "PutParameter").count()
}

fn kinds(report: &TickReport, name: &str) -> Vec<&'static str> {
    service(report, name).drift.iter().map(|drifted| drifted.drift.kind()).collect()
}

#[tokio::test(start_paused = true)]
async fn all_services_stand_in_one_document_that_a_tick_writes_once() {
    let world = sample("{ form: document }").await;
    let mut most = 0;
    for _ in 0..12 {
        world.tick().await;
        most = most.max(writes(&world));
    }
    assert_eq!(most, 1, "one write a tick");
    let document = document(&world).await;
    assert_eq!((&document["schemaVersion"], &document["environment"]), (&json!(1), &json!("staging")));
    for (service, function) in SAMPLE {
        let arn = format!("arn:aws:lambda:eu-central-1:111111111111:function:{function}:live");
        assert_eq!(document["services"][service], json!({"aliasArn": arn, "version": "1", "tag": "v1.0.0"}));
        assert_eq!(world.history(service).await.len(), 1, "{service}");
        assert_eq!(world.documents("state/").await, Vec::<String>::new());
    }
    let report = world.tick().await;
    assert_eq!((report.sync(), report.health(), writes(&world)), (SyncStatus::Synced, Health::Healthy, 0));
}

#[tokio::test(start_paused = true)]
async fn what_another_writer_drops_is_written_again_and_what_it_adds_stays() {
    let world = sample("{ form: document }").await;
    world.settle().await;
    let before = text(&world).await;
    let others = before
        .replace("\"services\":{", "\"services\":{\"theirs\":{\"aliasArn\":\"arn:x\",\"version\":\"3\",\"tag\":null},");
    world.releases.merge("flight-service", "v1.1.0");
    for _ in 0..12 {
        world.tick().await;
        if document(&world).await["services"]["flight-service"]["version"] == "2" {
            break;
        }
    }
    let waiting = ["state/staging/flight-service.json"];
    assert_eq!(world.documents("state/").await, waiting, "it is not finished before the entry was read");
    // A tick of another shard, that read the document before and writes it now.
    put(&world, &others).await;
    world.settle().await;
    let now = document(&world).await;
    assert_eq!(now["services"]["flight-service"]["version"], "2");
    assert_eq!(now["services"]["theirs"]["version"], "3");
    assert_eq!(world.history("flight-service").await.len(), 2);
    assert_eq!(world.documents("state/").await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_entry_that_somebody_changes_is_drift_and_set_back_where_the_policy_says_so() {
    let world = sample("{ form: document }").await;
    world.settle().await;
    let right = text(&world).await;
    put(&world, &right.replacen("\"version\":\"1\"", "\"version\":\"9\"", 1)).await;
    let report = world.tick().await;
    assert_eq!(kinds(&report, "flight-bff"), ["registry"]);
    assert_eq!(
        report.services.values().filter(|service| !service.drift.is_empty()).count(),
        1,
        "the others are as they were"
    );
    world.releases.add("staging", "flight-bff", &["syncPolicy: { selfHeal: true }"]);
    world.settle().await;
    assert_eq!(text(&world).await, right);
}

#[tokio::test(start_paused = true)]
async fn a_document_of_something_else_is_not_written_over() {
    for (found, told) in [
        (r#"{"theme": "dark"}"#, "it holds something else than a service registry"),
        (
            r#"{"schemaVersion":1,"environment":"production","services":{}}"#,
            "it is the service registry of `production`",
        ),
        (r#"{"schemaVersion":2,"environment":"staging","services":{}}"#, "it has schema version 2"),
    ] {
        let world = sample("{ form: document }").await;
        put(&world, found).await;
        for _ in 0..6 {
            world.tick().await;
        }
        let report = world.tick().await;
        let said = report.failed_calls.iter().any(|failed| failed.message.contains(told));
        assert!(said, "{told}: {:#?}", report.failed_calls);
        assert_eq!((text(&world).await.as_str(), world.live("StagingFlightService").await.as_str()), (found, "1"));
    }
}

#[tokio::test(start_paused = true)]
async fn services_for_which_there_is_no_room_are_told_and_released_all_the_same() {
    let mut services = "services:\n".to_owned();
    for number in 0..40 {
        services.push_str(&format!(
            "  service-{number}:\n    imageTag: \"v1.0.0\"\n    functionName: StagingService{number}\n    \
             ecrRepository: company/all\n"
        ));
    }
    let world = World::empty(Arc::new(Releases::of(&services)), options()).await;
    world.create_service("all", "StagingService0").await;
    let image = world.push_image("all", "v1.3.0").await;
    for number in 1..40 {
        let function = format!("StagingService{number}");
        world.account.create_function(&function, &image, 10, &[]).await.expect("a function");
    }
    let budget = "callBudget: { getFunction: 100, controlPlane: 15, registryWrites: 10 }\n";
    let base = environment_configuration("Staging");
    world.configure("staging", &format!("{base}{budget}registry: {{ form: document }}\n")).await;
    for _ in 0..12 {
        world.tick().await;
    }
    let text = text(&world).await;
    let listed = serde_json::from_str::<Value>(&text).expect("JSON")["services"].as_object().map_or(0, |all| all.len());
    assert!(text.len() <= 4_096 && (25..40).contains(&listed), "{listed} services in {} bytes", text.len());
    assert_eq!(world.documents("state/").await, Vec::<String>::new(), "each release is finished");
    let report = world.tick().await;
    let left: Vec<&str> = report
        .services
        .iter()
        .filter(|(_, service)| !service.drift.is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(left.len(), 40 - listed, "{report:#?}");
    let hint = "`registry: { form: perService }` has room for all";
    assert!(waiting(&report, left[0]).ends_with(hint), "{}", waiting(&report, left[0]));
    assert_eq!(service(&report, left[0]).standing.health, Health::Healthy);

    world.configure("staging", &format!("{base}{budget}registry: {{ form: perService }}\n")).await;
    let report = world.tick().await;
    assert!(kinds(&report, "service-0").contains(&"registry"), "the other form has nothing yet");
}

#[tokio::test(start_paused = true)]
async fn an_installation_may_do_without_a_registry() {
    let world = sample("{ form: none }").await;
    for _ in 0..8 {
        world.tick().await;
    }
    assert_eq!(world.tick().await.health(), Health::Healthy);
    let calls = world.aws.calls();
    assert!(calls.iter().all(|call| !["PutParameter", "GetParameter"].contains(&call.operation)), "{calls:#?}");
    assert_eq!(world.history("flight-service").await.len(), 1);
}

//! Stories of thousands of services: some of them in trouble, the others undisturbed.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a step of a test that fails should end the test there"
)]
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use local_aws::{AwsError, Call, Fault, Service};
use serde_json::{Value, json};
use stories::account::environment_configuration;
use stories::fleet::{LATENCY, adopted, adopted_each, function, tagged};
use stories::world::{World, archive, only, options, service, sync};
use tidegate_core::report::TickReport;
use tidegate_core::status::{Health, SyncStatus};

#[tokio::test(start_paused = true)]
async fn a_fleet_that_is_grown_is_what_the_adoption_of_each_service_leaves() {
    let (grown, each) = (adopted(4, options()).await, adopted_each(4, options()).await);
    assert_eq!(left(&grown, 4).await, left(&each, 4).await);
    let report = grown.tick().await;
    assert!(report.services.values().all(|service| service.done.is_empty() && service.error.is_none()), "{report:#?}");
    assert_eq!(grown.calls().lambda_mutations(), Vec::<String>::new());
}

/// Everything that is known of so many services, without the times and names of ticks and commits.
async fn left(world: &World, count: usize) -> BTreeMap<String, Value> {
    let mut left = BTreeMap::new();
    for name in world.documents("").await {
        // After a fleet has grown, somebody else had the lease last.
        if !name.starts_with("lease/") && name != "configuration.json" {
            let document = serde_json::from_slice(&world.document(&name).await).expect("JSON");
            left.insert(name, timeless(document));
        }
    }
    for number in 0..count {
        let name = function(number);
        left.insert(format!("registry of {name}"), world.registry(&format!("service-{number}")).await);
        let alias = world.alias(&name).await;
        let alias = json!([alias.function_version(), alias.description(), alias.routing_config().is_some()]);
        left.insert(format!("alias of {name}"), alias);
        left.insert(format!("versions of {name}"), json!(world.versions(&name).await));
        let history = world.history(&format!("service-{number}")).await;
        left.insert(format!("records of {name}"), json!(history.len()));
    }
    left
}

/// A document without what differs from run to run.
fn timeless(document: Value) -> Value {
    const DIFFERS: [&str; 11] =
        ["started", "finished", "seen", "since", "time", "lastSuccess", "durationMs", "calls", "tick", "hash", "id"];
    match document {
        Value::Object(members) => {
            let same = members.into_iter().filter(|(name, _)| !DIFFERS.contains(&name.as_str()));
            Value::Object(same.map(|(name, value)| (name, timeless(value))).collect())
        }
        Value::Array(items) => items.into_iter().map(timeless).collect(),
        other => other,
    }
}

/// How many services there are.
const SERVICES: usize = 3000;

/// One service in so many is in trouble, and another is released.
const EVERY: usize = 100;

/// What may be wrong with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    NoFunction,
    NoRights,
    OtherPackage,
    NoAlias,
    NoImage,
    BrokenState,
    NewerState,
}

const TROUBLES: [Trouble; 7] = [
    Trouble::NoFunction,
    Trouble::NoRights,
    Trouble::OtherPackage,
    Trouble::NoAlias,
    Trouble::NoImage,
    Trouble::BrokenState,
    Trouble::NewerState,
];

/// What is wrong with the service with this number, where something is.
fn trouble(number: usize) -> Option<Trouble> {
    (number % EVERY == 7).then(|| TROUBLES[number / EVERY % TROUBLES.len()])
}

/// Whether Git wants another release of the service with this number.
fn is_released(number: usize) -> bool {
    number % (3 * EVERY) == 50
}

/// What people read of a service in trouble, in part; nothing, where it is out of it by itself.
const fn told(trouble: Trouble) -> Option<&'static str> {
    match trouble {
        Trouble::NoFunction => Some("the function does not exist; create it"),
        Trouble::NoRights => Some("access denied (AccessDeniedException"),
        Trouble::OtherPackage => Some("the package type cannot be changed"),
        Trouble::NoAlias => Some("the alias was deleted; `tidegate sync ENV/SERVICE` sets it back"),
        Trouble::NoImage => Some("tag `v9.9.9` does not exist in"),
        // It counts as lost: the alias and the history say that nothing is under way.
        Trouble::BrokenState => None,
        Trouble::NewerState => Some("it was written by a newer Tidegate"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_in_a_hundred_of_three_thousand_services_in_trouble_disturbs_none_of_the_others() {
    let world = adopted(SERVICES, options()).await;
    for number in 0..SERVICES {
        bring_into(&world, number).await;
    }
    let budget = "callBudget: { getFunction: 80 }\n";
    world.configure("staging", &format!("{}{budget}", environment_configuration("Staging"))).await;
    world.releases.replace("staging", &tagged(SERVICES, tag));
    world.aws.enforce_rates(true);
    world.break_calls(|call| Some(if is_refused(call) { refused() } else { Fault::Delay(LATENCY) }));
    world.calls();
    let report = released(&world).await;
    let calls = world.calls();
    let throttled = calls.0.iter().filter(|call| call.error.as_deref() == Some("TooManyRequestsException")).count();
    assert_eq!(throttled, 0, "AWS's rates are kept");
    let moved: BTreeSet<String> = calls.lambda_mutations().iter().filter_map(|call| function_of(call)).collect();
    let wanted: BTreeSet<String> = (0..SERVICES).filter(|number| is_released(*number)).map(function).collect();
    assert_eq!(moved, wanted, "nothing else is touched");
    for number in 0..SERVICES {
        let it = service(&report, &format!("service-{number}"));
        let waiting_on = it.standing.waiting_on.as_ref().map(ToString::to_string);
        let says = [waiting_on, it.error.clone()].into_iter().flatten().collect::<Vec<_>>().join("; ");
        match trouble(number).and_then(told) {
            None => {
                let stands = (it.standing.sync, it.standing.health, says.as_str());
                assert_eq!(stands, (SyncStatus::Synced, Health::Healthy, ""), "service-{number}");
            }
            Some(told) => {
                assert!(it.standing.health != Health::Healthy && says.contains(told), "service-{number}: {says}");
            }
        }
    }
    on_schedule(&world).await;
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new(), "and then all is quiet");
}

/// Ticks until all releases are through; gives the last one's report. Each is over in time.
async fn released(world: &World) -> TickReport {
    for _ in 0..6 {
        let (report, took) = on_schedule(world).await;
        assert!(took <= Duration::from_secs(58), "a tick took {took:?}");
        let is_through = |number: usize| {
            let it = service(&report, &format!("service-{number}"));
            it.standing.sync == SyncStatus::Synced && it.done.is_empty()
        };
        if (0..SERVICES).filter(|number| is_released(*number)).all(is_through) {
            return report;
        }
    }
    panic!("the releases are not through in six ticks");
}

/// A tick, how long it took, and what is left of the minute until the next.
async fn on_schedule(world: &World) -> (TickReport, Duration) {
    let began = world.aws.clock().now();
    let report = only(world.run(&sync("staging", None, None)).await).expect("a tick");
    let took = (world.aws.clock().now() - began).to_std().expect("a time");
    world.aws.clock().sleep_until(began + chrono::Duration::minutes(1)).await;
    (report, took)
}

/// What Git wants of the service with this number.
fn tag(number: usize) -> String {
    let tag = match trouble(number) {
        Some(Trouble::NoImage) => "v9.9.9",
        _ if is_released(number) => "v1.1.0",
        _ => "v1.0.0",
    };
    tag.to_owned()
}

async fn bring_into(world: &World, number: usize) {
    let (name, lambda) = (function(number), &world.account.lambda);
    let state = format!("state/staging/service-{number}.json");
    match trouble(number) {
        None | Some(Trouble::NoRights | Trouble::NoImage) => {}
        Some(Trouble::NoFunction) => {
            lambda.delete_function().function_name(name).send().await.expect("DeleteFunction");
        }
        Some(Trouble::OtherPackage) => {
            lambda.delete_function().function_name(&name).send().await.expect("DeleteFunction");
            world.account.create_zip_function(&name, archive("another"), 10, &[]).await.expect("a function");
            world.account.publish_by_hand(&name, "live").await.expect("a version");
        }
        Some(Trouble::NoAlias) => {
            lambda.delete_alias().function_name(name).name("live").send().await.expect("DeleteAlias");
        }
        Some(Trouble::BrokenState) => world.put_document(&state, b"{ \"schemaVersion\": 1, ".to_vec()).await,
        Some(Trouble::NewerState) => world.put_document(&state, b"{ \"schemaVersion\": 99 }".to_vec()).await,
    }
}

/// Whether a call is about a function that the controller may not read.
fn is_refused(call: &Call) -> bool {
    let is_its = |name: &String| {
        let number = name.strip_prefix("StagingService").and_then(|number| number.parse().ok());
        number.and_then(trouble) == Some(Trouble::NoRights)
    };
    call.service == Service::Lambda && call.segments().get(2).is_some_and(is_its)
}

fn refused() -> Fault {
    Fault::FailBefore(AwsError::new(403, "AccessDeniedException", "not authorized to perform: lambda:GetFunction"))
}

/// The function that a mutating call is about: `UpdateAlias StagingService50:live`.
fn function_of(call: &str) -> Option<String> {
    let resource = call.split(' ').nth(1)?;
    Some(resource.split(':').next()?.to_owned())
}

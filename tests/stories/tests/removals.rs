//! Stories of services that are removed from Git: what lives stays as it is, and what was under way is told, or ended where
//! the environment prunes.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that takes another turn should fail")]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_aws::Fault;
use stories::account::environment_configuration;
use stories::releases::Releases;
use stories::world::{World, only, options, service, sync};
use tidegate_core::history::Kind;
use tidegate_core::report::{Answer, TickReport, Unmanaged};
use tidegate_core::status::{Health, HoldReason, PhaseName, SyncStatus};

const SERVICE: &str = "flight-service";
const FUNCTION: &str = "StagingFlightService";
const OTHER: &str = "reservation-service";

const PRUNES: &str = "environments:\n  staging:\n    defaults: { syncPolicy: { prune: true } }\n";
const KEEPS: &str = "environments:\n  staging: {}\n";

fn entry(service: &str, function: &str, tag: &str) -> String {
    let strategy = "strategy: { canary: { steps: [{ setWeight: 10 }, { pause: {} }] } }";
    format!(
        "  {service}:\n    imageTag: \"{tag}\"\n    functionName: {function}\n    ecrRepository: company/{service}\n    {strategy}\n"
    )
}

/// Both services, the first at this tag; or only the other.
fn services(tag: Option<&str>) -> String {
    let own = tag.map(|tag| entry(SERVICE, FUNCTION, tag)).unwrap_or_default();
    format!("services:\n{own}{}", entry(OTHER, "StagingReservationService", "v1.0.0"))
}

/// Both services at `v1.0.0`.
async fn deployed(release_config: &str) -> World {
    let world = World::empty(Arc::new(Releases::of(&services(Some("v1.0.0")))), options()).await;
    world.create_service(SERVICE, FUNCTION).await;
    world.create_service(OTHER, "StagingReservationService").await;
    world.configure("staging", &environment_configuration("Staging")).await;
    world.releases.write("release-config.yaml", release_config);
    world.releases.push("Say what happens to services that are removed");
    world.settle().await;
    world
}

/// The same, and `v1.1.0` has 10 % of the first one's traffic, until a person says more.
async fn in_a_canary(release_config: &str) -> World {
    let world = deployed(release_config).await;
    world.releases.replace("staging", &services(Some("v1.1.0")));
    for _ in 0..8 {
        let report = world.tick().await;
        if service(&report, SERVICE).standing.phase == PhaseName::Holding {
            world.calls();
            assert_eq!(world.weight(FUNCTION).await, 10.0);
            return world;
        }
    }
    panic!("no canary: {:#?}", world.status("staging").await);
}

fn removed(report: &TickReport) -> &Unmanaged {
    let found = report.unmanaged.iter().find(|(name, _)| name.as_str() == SERVICE);
    found.unwrap_or_else(|| panic!("it is not told: {report:#?}")).1
}

async fn kinds(world: &World) -> Vec<Kind> {
    world.history(SERVICE).await.iter().map(|record| record.kind).collect()
}

async fn assert_proven(world: &World) {
    let verified = world.verify(SERVICE).await.expect("verified");
    assert!(verified.findings.is_empty(), "{:#?}", verified.findings);
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_service_is_removed_stands_where_it_is_and_is_told_until_it_is_back_in_git() {
    let world = in_a_canary(KEEPS).await;
    world.releases.replace("staging", &services(None));
    for _ in 0..2 {
        let report = world.tick().await;
        let left = removed(&report).left.as_ref().expect("what is left");
        assert_eq!((left.phase, left.release.as_str(), left.weight), (PhaseName::Holding, "v1.1.0", Some(1_000)));
        assert_eq!((report.health(), report.services.len()), (Health::Degraded, 1), "it is not unseen");
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());

    world.releases.replace("staging", &services(Some("v1.1.0")));
    let report = world.tick().await;
    assert_eq!((report.unmanaged.len(), service(&report, SERVICE).standing.phase), (0, PhaseName::Holding));
    assert_eq!(kinds(&world).await, [Kind::Promoted], "it goes on where it was");
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_service_is_pruned_returns_to_stable_and_is_closed() {
    let world = in_a_canary(PRUNES).await;
    world.releases.replace("staging", &services(None));
    let report = world.tick().await;
    let done =
        ["return all traffic to version 1", "record transition 2 as superseded", "record transition 3 as unmanaged"];
    assert_eq!(removed(&report).done, done);
    assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")], "nothing is deleted");
    assert_eq!(world.live(FUNCTION).await, "1");
    assert_eq!(kinds(&world).await, [Kind::Promoted, Kind::Superseded, Kind::Unmanaged]);
    assert_eq!(world.documents("state/staging/").await, Vec::<String>::new());
    assert_eq!(world.registry(SERVICE).await["version"], "1", "others may still look it up");
    assert_proven(&world).await;
    let report = world.tick().await;
    assert_eq!((report.unmanaged.len(), report.health()), (0, Health::Healthy));
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_after_it_was_pruned_is_taken_over_as_it_lives() {
    let world = deployed(PRUNES).await;
    world.releases.replace("staging", &services(None));
    world.tick().await;
    assert_eq!(kinds(&world).await, [Kind::Promoted, Kind::Unmanaged]);
    // Nobody manages it: what people do meanwhile is no drift.
    let image = world.push_image(SERVICE, "v7.7.7").await;
    let call = world.account.lambda.update_function_code().function_name(FUNCTION).image_uri(image).publish(true);
    let version = call.send().await.expect("UpdateFunctionCode").version.expect("a version");
    world.move_by_hand(FUNCTION, &version).await;

    world.releases.replace("staging", &services(Some("v7.7.7")));
    world.calls();
    let report = world.settle().await;
    assert_eq!((report.unmanaged.len(), service(&report, SERVICE).standing.sync), (0, SyncStatus::Synced));
    assert_eq!(kinds(&world).await, [Kind::Promoted, Kind::Unmanaged, Kind::Adopted]);
    assert_eq!(world.live(FUNCTION).await, version, "nothing moved");
    assert_proven(&world).await;

    world.releases.replace("staging", &services(None));
    world.tick().await;
    world.releases.replace("staging", &services(Some("v1.1.0")));
    world.tick().await;
    let last = world.history(SERVICE).await.pop().expect("a record");
    let reason = "it was live when Tidegate saw it first";
    assert_eq!((last.kind, last.reason.as_deref()), (Kind::Adopted, Some(reason)), "before anything replaces it");
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_somebody_changed_is_left_to_them_when_its_service_is_pruned() {
    let world = in_a_canary(PRUNES).await;
    let image = world.push_image(SERVICE, "v7.7.7").await;
    let call = world.account.lambda.update_function_code().function_name(FUNCTION).image_uri(image).publish(true);
    let version = call.send().await.expect("UpdateFunctionCode").version.expect("a version");
    let nothing = aws_sdk_lambda::types::AliasRoutingConfiguration::builder();
    let call = world.account.lambda.update_alias().function_name(FUNCTION).name("live").function_version(&version);
    let routing = nothing.set_additional_version_weights(Some(std::collections::HashMap::new())).build();
    call.routing_config(routing).send().await.expect("UpdateAlias");
    world.releases.replace("staging", &services(None));
    world.calls();
    let report = world.tick().await;
    assert_eq!(removed(&report).done, ["record transition 2 as superseded", "record transition 3 as unmanaged"]);
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.live(FUNCTION).await, version);
}

#[tokio::test(start_paused = true)]
async fn a_hold_ends_with_its_service_where_that_is_pruned() {
    let world = deployed(PRUNES).await;
    world.releases.replace("staging", &services(Some("v1.1.0")));
    for _ in 0..4 {
        world.tick().await;
    }
    assert!(matches!(world.roll_back(&[SERVICE], "5xx").await, Answer::Services { .. }));
    world.releases.replace("staging", &services(None));
    world.tick().await;
    let report = world.tick().await;
    assert_eq!(report.unmanaged.len(), 0, "{:#?}", report.unmanaged);
    assert_eq!(kinds(&world).await.last(), Some(&Kind::Unmanaged));
    assert_eq!((world.documents("state/staging/").await, world.live(FUNCTION).await), (vec![], "1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_pruned_before_a_person_says_that_an_emptied_environment_is_meant() {
    let world = in_a_canary(PRUNES).await;
    let commit = world.releases.replace("staging", "services: {}\n");
    let report = world.tick().await;
    assert!(matches!(report.hold, Some(HoldReason::MassChange { .. })), "{:?}", report.hold);
    assert_eq!((report.unmanaged.len(), world.weight(FUNCTION).await), (0, 10.0));
    let report = only(world.run(&sync("staging", None, Some(&commit))).await).expect("a tick");
    assert!(report.unmanaged.values().all(|unmanaged| !unmanaged.done.is_empty()), "{:#?}", report.unmanaged);
    assert_eq!(world.live(FUNCTION).await, "1");
    assert_eq!(world.versions(FUNCTION).await, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_at_any_call_of_a_prune_changes_nothing_of_its_end() {
    for lost in 0..14 {
        let world = in_a_canary(PRUNES).await;
        world.releases.replace("staging", &services(None));
        let calls = AtomicUsize::new(0);
        world.break_calls(move |call| {
            let mutates = ["PutObject", "DeleteObject", "UpdateAlias"].contains(&call.operation);
            (mutates && calls.fetch_add(1, Ordering::Relaxed) == lost).then_some(Fault::LoseAnswer)
        });
        let _may_fail = world.try_tick().await;
        world.aws.clear_hook();
        for _ in 0..3 {
            let _may_wait_for_the_lease = world.try_tick().await;
        }
        let report = world.tick().await;
        assert_eq!((report.unmanaged.len(), report.health()), (0, Health::Healthy), "{lost}");
        assert_eq!(kinds(&world).await, [Kind::Promoted, Kind::Superseded, Kind::Unmanaged], "{lost}");
        assert_eq!((world.documents("state/staging/").await, world.live(FUNCTION).await), (vec![], "1".to_owned()));
        assert_proven(&world).await;
    }
}

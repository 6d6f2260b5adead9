//! Stories of many services at once, under the request rates that AWS enforces.
#![expect(clippy::panic, reason = "a story that does not end should fail")]
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use local_aws::CallRecord;
use stories::account::environment_configuration;
use stories::releases::Releases;
use stories::world::{World, options};
use tidegate_core::status::{Health, SyncStatus};
use tidegate_core::verify::{Testimony, Verification};
use tokio::time::Instant;

const SERVICES: usize = 60;

/// Publishing, preparing and moving are a tick each; what the budget and three registry writes a second leave is one more.
const TICKS: usize = 4;

#[tokio::test(start_paused = true)]
async fn sixty_services_converge_under_the_rates_of_aws() {
    let mut text = "services:\n".to_owned();
    for number in 0..SERVICES {
        let _infallible = write!(
            text,
            "  service-{number}:\n    imageTag: \"v1.0.0\"\n    functionName: StagingService{number}\n    \
             ecrRepository: company/service-{number}\n"
        );
    }
    let world = World::empty(Arc::new(Releases::of(&text)), options()).await;
    for number in 0..SERVICES {
        world.create_service(&format!("service-{number}"), &format!("StagingService{number}")).await;
    }
    world.aws.enforce_rates(true);
    world.configure("staging", &environment_configuration("Staging")).await;
    let converged = converge(&world).await;
    assert!(converged <= TICKS, "the first deploys take {converged} ticks");
    for number in 0..SERVICES {
        assert_eq!(world.live(&format!("StagingService{number}")).await, "1");
        world.advance(Duration::from_secs(1)).await;
    }

    world.releases.replace("staging", &text.replace("v1.0.0", "v1.1.0"));
    let converged = converge(&world).await;
    assert!(converged <= TICKS, "a release of everything takes {converged} ticks");
    for number in 0..SERVICES {
        let history = world.history(&format!("service-{number}")).await;
        assert_eq!(history.len(), 2, "service-{number}");
        assert_eq!(world.versions(&format!("StagingService{number}")).await, ["1", "2"], "service-{number}");
        world.advance(Duration::from_secs(1)).await;
    }
    world.calls();
    world.tick().await;
    let calls = world.calls();
    let throttled = calls.0.iter().filter(|call| call.error.as_deref() == Some("TooManyRequestsException")).count();
    // Once for each, and `$LATEST` of those that are looked at closely.
    assert!((SERVICES..=2 * SERVICES).contains(&calls.lambda()["GetFunction"]), "{:?}", calls.lambda());
    assert_eq!(throttled, 0, "a converged tick stays within the rates");
}

#[tokio::test(start_paused = true)]
async fn fifty_rollouts_in_flight_are_measured_in_one_call_of_each_kind_and_moved_in_one_each() {
    let costs = stories::fleet::costs(50, options()).await;
    assert_eq!((costs.metric_calls, costs.mutations_of_one, costs.moved), (2, 1, 50));
}

#[tokio::test(start_paused = true)]
async fn sixty_histories_are_verified_without_a_call_that_is_throttled() {
    let world = stories::fleet::deployed(SERVICES, options()).await;
    world.aws.enforce_rates(true);
    // An alias is read once, and twice where something was found: it may have been written meanwhile.
    for reads in [1, 2] {
        let (began, found) = (Instant::now(), verified(&world).await);
        assert_eq!((found.len(), found.iter().sum::<usize>()), (SERVICES, SERVICES * (reads - 1)));
        assert!(began.elapsed() <= Duration::from_secs(10), "{:?}", began.elapsed());
        let calls = world.calls();
        // Nothing is under way, so there is no stored state to read.
        let failed = |call: &&CallRecord| call.error.as_deref().is_some_and(|error| error != "NoSuchKey");
        assert_eq!(calls.0.iter().filter(failed).map(|call| call.operation).collect::<Vec<_>>(), Vec::<&str>::new());
        assert_eq!(calls.lambda()["GetAlias"], SERVICES * reads);
        for number in 0..SERVICES {
            world.put_document(&format!("history/staging/service-{number}/stray.json"), b"{}".to_vec()).await;
        }
        world.advance(Duration::from_secs(60)).await;
        world.calls();
    }
}

/// How many findings each history has.
async fn verified(world: &World) -> Vec<usize> {
    let all = world.verify_all().await.unwrap_or_else(|failure| panic!("{failure:?}"));
    let findings = all.into_iter().map(|(service, verified)| match verified {
        Ok(Verification { findings, alias: Testimony::Agrees { .. }, .. }) => findings.len(),
        other => panic!("{service}: {other:?}"),
    });
    findings.collect()
}

/// Ticks until all is as Git wants it; gives how many that took.
async fn converge(world: &World) -> usize {
    for number in 1..20 {
        let report = world.tick().await;
        let idle = report.services.values().all(|service| service.done.is_empty() && service.error.is_none());
        if idle && (report.sync(), report.health()) == (SyncStatus::Synced, Health::Healthy) {
            return number;
        }
    }
    panic!("it does not converge: {:#?}", world.status("staging").await);
}

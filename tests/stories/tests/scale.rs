//! Stories of many services at once, under the request rates that AWS enforces.
#![expect(clippy::panic, reason = "a story that does not end should fail")]
use std::fmt::Write as _;
use std::sync::Arc;

use local_aws::Options;
use stories::account::environment_configuration;
use stories::releases::Releases;
use stories::world::{World, options};
use tidegate_core::status::{Health, SyncStatus};

const SERVICES: usize = 60;

/// The registry's writes bound it: Parameter Store takes three in a second, and what it refuses waits for the next tick.
const TICKS: usize = 16;

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
    let world = World::empty(Arc::new(Releases::of(&text)), Options { rates: true, ..options() }).await;
    for number in 0..SERVICES {
        world.create_service(&format!("service-{number}"), &format!("StagingService{number}")).await;
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    let converged = converge(&world).await;
    assert!(converged <= TICKS, "the first deploys take {converged} ticks");
    for number in 0..SERVICES {
        assert_eq!(world.live(&format!("StagingService{number}")).await, "1");
        world.advance(std::time::Duration::from_secs(1)).await;
    }

    world.releases.replace("staging", &text.replace("v1.0.0", "v1.1.0"));
    let converged = converge(&world).await;
    assert!(converged <= TICKS, "a release of everything takes {converged} ticks");
    for number in 0..SERVICES {
        let history = world.history(&format!("service-{number}")).await;
        assert_eq!(history.len(), 2, "service-{number}");
        assert_eq!(world.versions(&format!("StagingService{number}")).await, ["1", "2"], "service-{number}");
        world.advance(std::time::Duration::from_secs(1)).await;
    }
    world.calls();
    world.tick().await;
    let calls = world.calls();
    let throttled = calls.0.iter().filter(|call| call.error.as_deref() == Some("TooManyRequestsException")).count();
    assert_eq!((calls.lambda()["GetFunction"], throttled), (SERVICES, 0), "a converged tick stays within the rates");
}

#[tokio::test(start_paused = true)]
async fn fifty_rollouts_in_flight_are_measured_in_one_call_of_each_kind_and_moved_in_one_each() {
    let costs = stories::fleet::costs(50, options()).await;
    assert_eq!((costs.metric_calls, costs.mutations_of_one, costs.moved), (2, 1, 50));
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

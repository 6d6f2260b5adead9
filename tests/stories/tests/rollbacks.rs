//! Stories of the night: back to what was good, whatever else is broken, and what is held out stays out.
#![expect(clippy::panic, reason = "a story that takes another turn should fail")]
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use local_aws::{AwsError, Fault, Service};
use stories::releases::Releases;
use stories::world::{World, options, service, sync, waiting};
use tidegate_core::command::Command;
use tidegate_core::history::Kind;
use tidegate_core::marker::Marker;
use tidegate_core::report::{Answer, ServiceReport};
use tidegate_core::status::{Health, PhaseName};

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";

/// `v1.0.0`, then `v1.1.0`, both were live; the second is.
async fn second_is_live() -> World {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world.releases.merge(SERVICE, "v1.1.0");
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "2");
    world.calls();
    world
}

fn rolled_back(answer: Answer) -> ServiceReport {
    match answer {
        Answer::Services { mut reports, failures, .. } if failures.is_empty() => {
            reports.pop_first().unwrap_or_else(|| panic!("no service")).1
        }
        other => panic!("{other:#?}"),
    }
}

async fn kinds(world: &World) -> Vec<Kind> {
    world.history(SERVICE).await.iter().map(|record| record.kind).collect()
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_one_write_and_at_most_three_reads_of_lambda() {
    let world = second_is_live().await;
    let now = rolled_back(world.roll_back(&[SERVICE], "5xx after 14:02").await);
    assert_eq!((now.standing.phase, now.standing.health), (PhaseName::RolledBack, Health::Suspended));
    assert_eq!(now.error, None);
    let live = now.live.and_then(|live| live.tag);
    assert_eq!(live.map(|tag| tag.to_string()).as_deref(), Some("v1.0.0"), "what serves is called what it is");
    let calls = world.calls();
    assert_eq!(calls.lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
    assert_eq!(calls.lambda(), BTreeMap::from([("GetAlias", 1), ("GetFunction", 1), ("UpdateAlias", 1)]));
    assert_eq!(world.live(FUNCTION).await, "1");

    let history = world.history(SERVICE).await;
    let last = history.last().unwrap_or_else(|| panic!("no history"));
    assert_eq!((last.kind, last.reason.as_deref()), (Kind::RolledBack, Some("5xx after 14:02")));
    let alias = world.alias(FUNCTION).await;
    let marker = Marker::parse(alias.description().unwrap_or_default()).unwrap_or_else(|| panic!("no marker"));
    assert_eq!((marker.transition, marker.held.as_ref()), (last.number, last.held.as_ref()));
    assert_eq!(world.registry(SERVICE).await["tag"], "v1.0.0");
    let status = world.status("staging").await;
    assert!(waiting(&status, SERVICE).starts_with("v1.1.0 is held out since"), "status shows it before the next tick");
}

#[tokio::test(start_paused = true)]
async fn it_needs_neither_git_nor_ecr_nor_cloudwatch_nor_parameter_store() {
    let world = second_is_live().await;
    world.releases.server.behave(git_server::Behaviour::Down);
    world.break_calls(|call| {
        let down = matches!(call.service, Service::Ecr | Service::CloudWatch | Service::Ssm | Service::Sts);
        down.then_some(Fault::LoseRequest)
    });
    let now = rolled_back(world.roll_back(&[SERVICE], "5xx").await);
    assert_eq!(now.standing.phase, PhaseName::RolledBack);
    assert!(now.error.is_some(), "the registry could not be told, and that is said");
    assert_eq!(world.live(FUNCTION).await, "1");
    assert_eq!(kinds(&world).await.last(), Some(&Kind::RolledBack));

    // All is back: the next ticks tell the registry, and the bad commit stays out.
    world.aws.clear_hook();
    world.releases.server.behave(git_server::Behaviour::Serve);
    for _ in 0..3 {
        world.tick().await;
    }
    assert_eq!(world.registry(SERVICE).await["version"], "1");
    assert_eq!(world.live(FUNCTION).await, "1");
}

#[tokio::test(start_paused = true)]
async fn the_bad_commit_never_comes_back_by_itself() {
    let world = second_is_live().await;
    rolled_back(world.roll_back(&[SERVICE], "5xx").await);
    world.calls();
    for tick in 0..1_000 {
        if tick % 100 == 50 {
            let steps = format!("# looked at {tick}");
            world.releases.add("staging", SERVICE, &[&steps]);
        }
        world.tick().await;
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.live(FUNCTION).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_rollback_beats_a_tick_that_is_running() {
    for late in [0, 1, 2, 3, 5, 8, 13] {
        let world = World::with_one_service(Arc::new(Releases::one_service())).await;
        world.settle().await;
        world.releases.merge(SERVICE, "v1.1.0");
        world.settle().await;
        world.releases.merge(SERVICE, "v1.2.0");
        world.tick().await;
        // The tick that gives everything to v1.2.0; its calls take their time, and the rollback comes in between.
        world.break_calls(|_| Some(Fault::Delay(Duration::from_millis(10))));
        let tick = sync("staging", None, None);
        let rollback = async {
            tokio::time::sleep(Duration::from_millis(10 * late)).await;
            world.roll_back(&[SERVICE], "5xx").await
        };
        let (_, answer) = tokio::join!(world.run(&tick), rollback);
        world.aws.clear_hook();
        rolled_back(answer);
        for _ in 0..4 {
            world.advance(Duration::from_secs(60)).await;
            world.tick().await;
        }
        let live = world.live(FUNCTION).await;
        assert!(live == "1" || live == "2", "{late}: never what was rolled back, and it is {live}");
        let records = world.history(SERVICE).await;
        let backs = records.iter().filter(|record| record.kind == Kind::RolledBack).count();
        assert_eq!(backs, 1, "{late}: {:?}", kinds(&world).await);
        let status = world.status("staging").await;
        assert_eq!(service(&status, SERVICE).standing.phase, PhaseName::RolledBack, "{late}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_people_at_once_have_one_effect() {
    let world = second_is_live().await;
    let (one, other) = tokio::join!(world.roll_back(&[SERVICE], "5xx"), world.roll_back(&[SERVICE], "errors"));
    rolled_back(one);
    rolled_back(other);
    assert_eq!(world.live(FUNCTION).await, "1");
    assert_eq!(kinds(&world).await, [Kind::Promoted, Kind::Promoted, Kind::RolledBack]);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_lost_is_recognised_and_a_command_that_dies_is_completed_by_the_next_tick() {
    let world = second_is_live().await;
    world.break_calls(|call| (call.operation == "UpdateAlias").then_some(Fault::LoseAnswer));
    let answer = world.roll_back(&[SERVICE], "5xx").await;
    world.aws.clear_hook();
    assert_eq!(world.live(FUNCTION).await, "1", "{answer:?}");
    for _ in 0..3 {
        world.tick().await;
    }
    assert_eq!(kinds(&world).await, [Kind::Promoted, Kind::Promoted, Kind::RolledBack]);
    assert_eq!(service(&world.status("staging").await, SERVICE).standing.phase, PhaseName::RolledBack);
    assert_eq!(world.live(FUNCTION).await, "1");
}

#[tokio::test(start_paused = true)]
async fn v5_bad_back_to_v4_v6_bad_back_to_v4_and_not_to_v5() {
    let world = second_is_live().await;
    rolled_back(world.roll_back(&[SERVICE], "v1.1.0 is bad").await);
    world.releases.merge(SERVICE, "v1.2.0");
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "3");
    rolled_back(world.roll_back(&[SERVICE], "v1.2.0 is bad as well").await);
    assert_eq!(world.live(FUNCTION).await, "1");
}

#[tokio::test(start_paused = true)]
async fn a_hold_survives_the_loss_of_all_stored_state() {
    let world = second_is_live().await;
    rolled_back(world.roll_back(&[SERVICE], "5xx").await);
    for beginning in ["state/", "desired/", "status/", "lease/"] {
        for name in world.documents(beginning).await {
            let delete = world.account.s3.delete_object().bucket(stories::account::BUCKET);
            delete.key(format!("tidegate/{name}")).send().await.unwrap_or_else(|error| panic!("{error:?}"));
        }
    }
    world.calls();
    for _ in 0..10 {
        world.tick().await;
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.live(FUNCTION).await, "1");
    assert_eq!(service(&world.status("staging").await, SERVICE).standing.phase, PhaseName::RolledBack);
}

#[tokio::test(start_paused = true)]
async fn a_hold_survives_the_loss_of_the_whole_bucket_and_is_recorded_once() {
    let world = second_is_live().await;
    world.releases.merge(SERVICE, "v1.2.0");
    world.settle().await;
    rolled_back(world.roll_back(&[SERVICE], "5xx").await);
    for name in world.documents("").await {
        let delete = world.account.s3.delete_object().bucket(stories::account::BUCKET);
        delete.key(format!("tidegate/{name}")).send().await.unwrap_or_else(|error| panic!("{error:?}"));
    }
    world.calls();
    for _ in 0..10 {
        world.tick().await;
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.live(FUNCTION).await, "2");
    assert_eq!(service(&world.status("staging").await, SERVICE).standing.phase, PhaseName::RolledBack);
    assert_eq!(kinds(&world).await, [Kind::Adopted, Kind::RolledBack]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_state_is_rebuilt_from_history_and_nothing_moves_meanwhile() {
    let world = second_is_live().await;
    rolled_back(world.roll_back(&[SERVICE], "5xx").await);
    let put = world.account.s3.put_object().bucket(stories::account::BUCKET);
    let put = put.key("tidegate/state/staging/flight-service.json").body(b"{ half a docum".to_vec().into());
    put.send().await.unwrap_or_else(|error| panic!("{error:?}"));
    world.calls();
    for _ in 0..5 {
        world.tick().await;
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(service(&world.status("staging").await, SERVICE).standing.phase, PhaseName::RolledBack);
}

#[tokio::test(start_paused = true)]
async fn unhold_releases_it_again_with_its_reason() {
    let world = second_is_live().await;
    rolled_back(world.roll_back(&[SERVICE], "5xx").await);
    world.say(Command::Unhold, SERVICE, "it was the database").await.unwrap_or_else(|error| panic!("{error:?}"));
    world.tick().await;
    world.tick().await;
    assert_eq!(world.live(FUNCTION).await, "2");
    let last = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
    assert_eq!((last.kind, last.said[0].what.as_str()), (Kind::Promoted, "unhold"));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_rolled_back_says_so_with_the_nearest_names() {
    let world = second_is_live().await;
    let message = |answer: Answer| match answer {
        Answer::Failed(failure) => failure.message,
        other => panic!("{other:?}"),
    };
    let unknown = message(world.roll_back(&["flight-servce"], "5xx").await);
    assert_eq!(unknown, "there is no service `flight-servce` in `staging`; did you mean `flight-service`?");
    assert_eq!(message(world.roll_back(&[SERVICE], " ").await), "a rollback needs a reason");
}

#[tokio::test(start_paused = true)]
async fn many_services_at_once_are_back_as_fast_as_the_rates_of_aws_allow() {
    let costs = stories::fleet::rollback_of(60, options()).await;
    assert_eq!((costs.failed, costs.reads_of_one, costs.mutations_of_one), (0, 2, 1));
    assert!(costs.first <= Duration::from_secs(1), "{costs:?}");
    // Two calls each, of fifteen a second.
    assert!(costs.all <= Duration::from_secs(10), "{costs:?}");
}

/// The sample, with a release of each service behind it: `flight-bff` depends on the two others.
async fn second_of_all_is_live() -> World {
    let world = World::deployed().await;
    let text = world.releases.services("staging");
    world.releases.replace("staging", &text.replace("v1.0.0", "v1.1.0"));
    for _ in 0..3 {
        world.tick().await;
    }
    world.settle().await;
    world.calls();
    world
}

/// Which aliases were moved, in order, and how long after the first call of all.
fn moves(world: &World) -> Vec<(String, i64)> {
    let calls = world.calls().0;
    let began = calls.first().map(|call| call.at).unwrap_or_default();
    let moves = calls.iter().filter(|call| call.operation == "UpdateAlias" && call.status == Some(200));
    moves.map(|call| (call.resource.clone(), (call.at - began).num_seconds())).collect()
}

#[tokio::test(start_paused = true)]
async fn of_several_services_those_that_depend_on_another_are_back_before_it() {
    let world = second_of_all_is_live().await;
    world.break_calls(|call| {
        let slow = call.operation == "GetAlias" && call.head.uri.path().contains("StagingFlightBff");
        slow.then(|| Fault::Delay(Duration::from_secs(2)))
    });
    let answer = world.roll_back(&["reservation-service", "flight-service", "flight-bff"], "5xx").await;
    assert!(matches!(answer, Answer::Services { failures, .. } if failures.is_empty()));
    let moved: Vec<String> = moves(&world).into_iter().map(|(alias, _)| alias).collect();
    assert_eq!(moved[0], "StagingFlightBff:live");
    assert_eq!(moved.len(), 3, "{moved:?}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_rolled_back_keeps_no_other_from_it() {
    let denied = AwsError::new(403, "AccessDeniedException", "not authorized to perform: lambda:UpdateAlias");
    for (fault, within) in [(Fault::FailBefore(denied), 3), (Fault::Hang, 11)] {
        let world = second_of_all_is_live().await;
        let broken = fault.clone();
        world.break_calls(move |call| {
            let bff = call.operation == "UpdateAlias" && call.head.uri.path().contains("StagingFlightBff");
            bff.then(|| broken.clone())
        });
        let answer = world.roll_back(&["flight-service", "reservation-service", "flight-bff"], "5xx").await;
        let Answer::Services { reports, failures, .. } = answer else { panic!("{answer:#?}") };
        assert_eq!((reports.len(), failures.len()), (2, 1), "{fault:?}");
        let moved = moves(&world);
        assert_eq!(moved.len(), 2, "{fault:?}");
        assert!(moved.iter().all(|(_, after)| *after <= within), "{fault:?}: {moved:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_waits_for_the_traffic_of_those_that_depend_on_it_and_not_for_what_is_written_down_of_it() {
    let world = second_of_all_is_live().await;
    world.break_calls(|call| {
        let record = call.operation == "PutObject" && call.head.uri.path().contains("history/staging/flight-bff/");
        record.then(|| Fault::Delay(Duration::from_secs(5)))
    });
    rolled_back(world.roll_back(&["flight-service", "flight-bff"], "5xx").await);
    let moved = [("StagingFlightBff:live".to_owned(), 0), ("StagingFlightService:live".to_owned(), 0)];
    assert_eq!(moves(&world), moved);
}

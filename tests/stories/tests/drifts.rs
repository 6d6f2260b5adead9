//! Stories of hands in the account: what is changed there is seen, told, and set back where the policy says so.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that takes another turn should fail")]
use std::sync::Arc;

use local_aws::{Fault, Service};
use stories::account::Build;
use stories::releases::Releases;
use stories::world::{World, only, service, sync, waiting};
use tidegate_core::command::Command;
use tidegate_core::drift::{Drift, Whose};
use tidegate_core::history::Kind;
use tidegate_core::report::{Failure, FailureKind, ServiceReport, TickReport};
use tidegate_core::status::{Health, SyncStatus};

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";

const HEALS: &[&str] = &["syncPolicy: { selfHeal: true }"];

fn of(report: &TickReport) -> &ServiceReport {
    service(report, SERVICE)
}

fn kinds(report: &TickReport) -> Vec<&'static str> {
    of(report).drift.iter().map(|drifted| drifted.drift.kind()).collect()
}

async fn last(world: &World) -> (Kind, String) {
    let history = world.history(SERVICE).await;
    let last = history.last().expect("a record");
    (last.kind, last.reason.clone().unwrap_or_default())
}

async fn lambda_says(answer: Result<impl Sized, impl std::fmt::Debug>) {
    if let Err(error) = answer {
        panic!("{error:?}");
    }
}

/// Somebody updates `$LATEST` to another image, and publishes nothing.
async fn upload(world: &World, tag: &str) {
    let image = world.push_image(SERVICE, tag).await;
    let lambda = &world.account.lambda;
    lambda_says(lambda.update_function_code().function_name(FUNCTION).image_uri(image).send().await).await;
    world.advance(std::time::Duration::from_secs(60)).await;
}

async fn weigh(world: &World, version: &str, weight: f64) {
    let routing =
        aws_sdk_lambda::types::AliasRoutingConfiguration::builder().additional_version_weights(version, weight).build();
    let call = world.account.lambda.update_alias().function_name(FUNCTION).name("live").routing_config(routing);
    lambda_says(call.send().await).await;
}

async fn delete_alias(world: &World) {
    lambda_says(world.account.lambda.delete_alias().function_name(FUNCTION).name("live").send().await).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_by_hand_is_told_and_left_alone() {
    let world = World::second_is_live(&[]).await;
    world.move_by_hand(FUNCTION, "1").await;
    world.calls();
    let first = world.tick().await;
    let [drifted] = of(&first).drift.as_slice() else { panic!("{first:#?}") };
    assert!(matches!(drifted.drift, Drift::Image { .. }), "{drifted:?}");
    assert_eq!((drifted.since, drifted.whose), (first.started, Some(Whose::KeptDescription)));
    let later = world.tick().await;
    assert_eq!(of(&later).drift.first().map(|drifted| drifted.since), Some(first.started), "it is as old as it is");
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert!(waiting(&later, SERVICE).contains("`tidegate sync ENV/SERVICE` goes back to Git"));

    world.run(&sync("staging", Some(SERVICE), None)).await;
    assert_eq!(world.live(FUNCTION).await, "2");
    assert_eq!(last(&world).await.0, Kind::Healed);
    let report = world.tick().await;
    assert_eq!((kinds(&report), report.sync()), (vec![], SyncStatus::Synced));
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_by_hand_is_set_back_where_the_policy_says_so() {
    let world = World::second_is_live(HEALS).await;
    world.move_by_hand(FUNCTION, "1").await;
    world.tick().await;
    assert_eq!(world.live(FUNCTION).await, "2");
    let (kind, reason) = last(&world).await;
    assert_eq!(kind, Kind::Healed);
    assert!(reason.starts_with("the alias names version 1 with sha256:"), "{reason}");

    world.advance(std::time::Duration::from_secs(3_600)).await;
    weigh(&world, "1", 0.25).await;
    world.tick().await;
    assert_eq!(world.weight(FUNCTION).await, 0.0);
    assert_eq!(last(&world).await, (Kind::Healed, "version 1 gets 25 % of the traffic".to_owned()));

    world.advance(std::time::Duration::from_secs(3_600)).await;
    delete_alias(&world).await;
    world.tick().await;
    assert_eq!(world.live(FUNCTION).await, "2");
    assert_eq!(last(&world).await, (Kind::Healed, "the alias was deleted".to_owned()));
    let report = world.tick().await;
    assert_eq!((report.sync(), report.health()), (SyncStatus::Synced, Health::Healthy));
    assert_eq!(world.versions(FUNCTION).await, ["1", "2"], "nothing was published for it");
}

#[tokio::test(start_paused = true)]
async fn a_deleted_alias_is_missing_until_a_person_or_git_says_otherwise() {
    let world = World::second_is_live(&[]).await;
    delete_alias(&world).await;
    let report = world.tick().await;
    assert_eq!((kinds(&report), of(&report).standing.health), (vec!["aliasMissing"], Health::Missing));
    world.releases.merge(SERVICE, "v1.2.0");
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "3", "a release creates it");
}

#[tokio::test(start_paused = true)]
async fn latest_and_the_registry_are_told_and_set_back_though_no_traffic_depends_on_them() {
    for (lines, heals) in [(&[] as &[&str], false), (HEALS, true)] {
        let world = World::second_is_live(lines).await;
        upload(&world, "v9.9.9").await;
        let report = world.tick().await;
        assert_eq!(of(&report).standing.health, Health::Healthy);
        if heals {
            world.advance(std::time::Duration::from_secs(60)).await;
            let (kind, reason) = last(&world).await;
            assert_eq!(kind, Kind::Healed);
            assert!(reason.starts_with("`$LATEST` has sha256:"), "{reason}");
        } else {
            assert_eq!(kinds(&report), ["latest"]);
            assert!(waiting(&report, SERVICE).contains("which is no release"));
        }
        let name = "/services/staging/flight-service";
        world.account.put_parameter(name, "{}", false).await.expect("PutParameter");
        world.tick().await;
        let report = world.tick().await;
        assert_eq!(kinds(&report), if heals { vec![] } else { vec!["latest", "registry"] });
        assert_eq!(world.registry(SERVICE).await["version"] == "2", heals);
        assert_eq!(world.live(FUNCTION).await, "2");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_pushed_again_is_told_and_what_was_released_stays() {
    let world = World::second_is_live(HEALS).await;
    push_again(&world).await;
    let report = world.tick().await;
    assert_eq!(kinds(&report), ["tagMoved"]);
    assert!(waiting(&report, SERVICE).ends_with("; `tidegate sync ENV/SERVICE --repin` releases that"));
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
}

/// `tidegate sync staging/flight-service --repin`.
async fn repin(world: &World) -> Result<TickReport, Failure> {
    let (environment, service) = ("staging".parse().ok(), SERVICE.parse().ok());
    only(world.run(&Command::Sync { environment, service, confirm: None, shard: None, repin: true }).await)
}

async fn push_again(world: &World) {
    let again = Build { program: "closure:none", environment: &[("BUILD_VERSION", "v1.1.0"), ("BUILT", "again")] };
    world.account.push_image("company/flight-service", "v1.1.0", again).await.expect("an image");
}

#[tokio::test(start_paused = true)]
async fn a_tag_that_is_pushed_again_is_released_where_a_person_says_that_it_is_meant() {
    let world = World::second_is_live(&["strategy: { linear: { step: 50, every: 1m } }"]).await;
    let still = repin(&world).await.expect("a tick");
    let [said] = of(&still).done.as_slice() else { panic!("{still:#?}") };
    assert!(said.starts_with("ask what `v1.1.0` names: it still names sha256:"), "{said}");
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());

    push_again(&world).await;
    world.break_calls(|call| (call.operation == "BatchGetImage").then_some(Fault::LoseRequest));
    let failure = repin(&world).await.expect_err("ECR does not answer");
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(
        failure.message.starts_with("what the tag names cannot be asked for, and nothing was changed"),
        "{failure:?}"
    );
    world.aws.clear_hook();
    let report = world.tick().await;
    assert_eq!((kinds(&report), world.calls().lambda_mutations()), (vec!["tagMoved"], vec![]));

    let report = repin(&world).await.expect("a tick");
    assert!(of(&report).done.first().is_some_and(|said| said.starts_with("pin `v1.1.0` anew: it names sha256:")));
    let mut weights = Vec::new();
    for _ in 0..8 {
        world.traffic(FUNCTION, 60, |_| 0.0);
        world.tick().await;
        weights.push(world.weight(FUNCTION).await);
    }
    assert!(weights.contains(&50.0), "it goes through its steps: {weights:?}");
    assert_eq!((world.live(FUNCTION).await.as_str(), last(&world).await.0), ("3", Kind::Promoted));
    assert_eq!(kinds(&world.tick().await), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn what_no_push_can_move_is_not_asked_for_again() {
    let world = World::second_is_live(&[]).await;
    let environment = "staging".parse().ok();
    let all =
        only(world.run(&Command::Sync { environment, service: None, confirm: None, shard: None, repin: true }).await);
    assert_eq!(
        all.expect_err("the environment").message,
        "only the tag of one service is asked for again: name the service"
    );
    let image = world.push_image(SERVICE, "v3.0.0").await;
    let (_, digest) = image.split_once('@').expect("a digest");
    world.releases.merge(SERVICE, &format!("v3.0.0@{digest}"));
    let failure = repin(&world).await.expect_err("a digest");
    assert_eq!(
        (failure.kind, failure.message.as_str()),
        (FailureKind::Refused, "Git names the digest of `flight-service`: no push moves that",)
    );
    world.releases.merge(SERVICE, "v9.9.9");
    let failure = repin(&world).await.expect_err("no such tag");
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.starts_with("tag `v9.9.9` does not exist in"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn two_people_and_a_tick_that_change_one_alias_end_in_one_order_and_lose_nothing() {
    let world = World::second_is_live(HEALS).await;
    for round in 0..4 {
        world.advance(std::time::Duration::from_secs(3_600)).await;
        world.break_calls(|_| Some(Fault::Delay(std::time::Duration::from_millis(10))));
        world.move_by_hand(FUNCTION, "1").await;
        let tick = sync("staging", None, None);
        let other = async {
            tokio::time::sleep(std::time::Duration::from_millis(25 + 10 * round)).await;
            weigh(&world, "2", 0.5).await;
        };
        tokio::join!(world.run(&tick), other);
        world.aws.clear_hook();
        for _ in 0..4 {
            world.tick().await;
        }
        assert_eq!((world.live(FUNCTION).await.as_str(), world.weight(FUNCTION).await), ("2", 0.0), "round {round}");
    }
    let verified = world.verify(SERVICE).await.expect("verified");
    assert!(verified.findings.is_empty(), "{:#?}", verified.findings);
}

#[tokio::test(start_paused = true)]
async fn somebody_who_keeps_changing_it_back_is_answered_ever_more_slowly() {
    let world = World::second_is_live(HEALS).await;
    let mut fights = 0;
    for _ in 0..30 {
        if world.live(FUNCTION).await == "2" {
            world.move_by_hand(FUNCTION, "1").await;
        }
        let report = world.tick().await;
        fights += usize::from(waiting_or_empty(&report).starts_with("healed "));
    }
    let healed = world.history(SERVICE).await.iter().filter(|record| record.kind == Kind::Healed).count();
    assert!((4..=6).contains(&healed) && fights > 20, "{healed} times healed, {fights} times told");
}

fn waiting_or_empty(report: &TickReport) -> String {
    of(report).standing.waiting_on.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn without_automation_git_is_only_told_until_a_person_syncs() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world.releases.add("staging", SERVICE, &["syncPolicy: { automated: false }"]);
    world.releases.merge(SERVICE, "v1.1.0");
    world.calls();
    for _ in 0..3 {
        let report = world.tick().await;
        assert_eq!((of(&report).standing.sync, of(&report).standing.health), (SyncStatus::OutOfSync, Health::Healthy));
        assert!(waiting(&report, SERVICE).contains("`automated: false`"));
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    world.run(&sync("staging", Some(SERVICE), None)).await;
    world.advance(std::time::Duration::from_secs(60)).await;
    let report = world.settle().await;
    assert_eq!((report.sync(), world.live(FUNCTION).await.as_str()), (SyncStatus::Synced, "2"));
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_may_not_be_read_is_in_nobodys_way() {
    let world = World::second_is_live(&[]).await;
    world.break_calls(|call| {
        (call.service == Service::Ssm && call.operation == "GetParameter").then_some(Fault::LoseRequest)
    });
    let report = world.tick().await;
    assert_eq!((report.sync(), of(&report).error.as_deref()), (SyncStatus::Synced, None));
}

//! Stories of an environment whose services are divided among several schedules: split, merged, and one of them gone.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use local_aws::Fault;
use stories::account::environment_configuration;
use stories::events::{call, queued};
use stories::releases::Releases;
use stories::world::{World, only, options, service, sync, sync_shard, waiting};
use tidegate_core::report::{FailureKind, TickReport};
use tidegate_core::shard::Shard;
use tidegate_core::status::{PhaseName, SyncStatus};

const SERVICES: usize = 60;

/// Every tenth service is released in steps.
const CANARIES: [usize; 6] = [0, 10, 20, 30, 40, 50];

/// The one that somebody moves by hand before the split, and nobody sets back.
const MOVED: usize = 7;

fn shard(text: &str) -> Shard {
    text.parse().expect("a shard")
}

fn name(number: usize) -> String {
    format!("service-{number}")
}

fn function(number: usize) -> String {
    format!("StagingService{number}")
}

fn services(tag: &str) -> String {
    some(SERVICES, tag)
}

fn some(count: usize, tag: &str) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..count {
        let _infallible = write!(
            text,
            "  {}:\n    imageTag: \"{tag}\"\n    functionName: {}\n    ecrRepository: company/all\n",
            name(number),
            function(number)
        );
        if CANARIES.contains(&number) {
            let steps =
                "[{ setWeight: 10 }, { pause: { duration: 8m } }, { setWeight: 50 }, { pause: { duration: 8m } }]";
            let _infallible = writeln!(text, "    strategy: {{ canary: {{ steps: {steps} }} }}");
        }
    }
    text
}

/// Sixty services that live as Git wants them, under AWS's request rates, where each call takes 20 ms.
async fn fleet() -> World {
    fleet_of(SERVICES).await
}

async fn fleet_of(count: usize) -> World {
    let world = World::empty(Arc::new(Releases::of(&some(count, "v1.0.0"))), options()).await;
    world.create_functions(count, function).await;
    world.configure("staging", &environment_configuration("Staging")).await;
    world.settle().await;
    world.aws.enforce_rates(true);
    world.break_calls(|_| Some(Fault::Delay(Duration::from_millis(20))));
    world
}

/// A tick of each of three shards, all at once, and the rest of the minute. No service is visited by two of them.
async fn minute_of_three(world: &World) -> [TickReport; 3] {
    let next = world.aws.clock().now() + chrono::Duration::minutes(1);
    let tick = |text: &str| {
        let command = sync_shard("staging", shard(text));
        async move { only(world.run(&command).await).expect("a tick") }
    };
    let (one, two, three) = tokio::join!(tick("1/3"), tick("2/3"), tick("3/3"));
    world.aws.clock().sleep_until(next).await;
    let reports = [one, two, three];
    let mut seen = BTreeSet::new();
    for report in &reports {
        for (service, of) in &report.services {
            assert!(report.shard.takes(service), "{service} is none of {}", report.shard);
            assert!(seen.insert(service.clone()), "{service} is in two shards");
            assert_eq!(of.error, None, "{service}");
        }
    }
    assert_eq!(seen.len(), SERVICES);
    reports
}

fn phases(report: &TickReport) -> Vec<PhaseName> {
    CANARIES.iter().map(|number| service(report, &name(*number)).standing.phase).collect()
}

async fn weights(world: &World) -> Vec<f64> {
    let mut weights = Vec::new();
    for number in CANARIES {
        weights.push(world.weight(&function(number)).await);
    }
    weights
}

#[tokio::test(start_paused = true)]
async fn an_environment_is_split_and_merged_in_the_middle_of_its_releases_and_nothing_is_lost() {
    let world = fleet().await;
    // Somebody changes `$LATEST` of a service by hand: that is told, with since when.
    let image = world.push_image("all", "by-hand").await;
    let upload = world.account.lambda.update_function_code().function_name(function(MOVED)).image_uri(image);
    upload.send().await.expect("UpdateFunctionCode");
    // Its turn comes every third minute; one may pass while the upload is in progress, and one between two ticks.
    for _ in 0..8 {
        world.tick().await;
    }
    let since = |report: &TickReport| service(report, &name(MOVED)).drift.first().map(|drifted| drifted.since);
    let first = since(&world.status("staging").await).expect("a drift");

    // Everything is released, but for what drifted; the canaries are at their first step when the environment is split.
    let text = services("v1.1.0");
    let kept = format!("  {}:\n    imageTag: \"v1.1.0\"", name(MOVED));
    world.releases.replace("staging", &text.replace(&kept, &kept.replace("v1.1.0", "v1.0.0")));
    while phases(&world.tick().await) != [PhaseName::Holding; CANARIES.len()] {}
    assert_eq!(weights(&world).await, [10.0; CANARIES.len()]);

    let reports = minute_of_three(&world).await;
    let whole = world.status("staging").await;
    assert_eq!((whole.shard, whole.services.len()), (Shard::WHOLE, SERVICES));
    assert_eq!(whole.shards.keys().map(ToString::to_string).collect::<Vec<_>>(), ["1/3", "2/3", "3/3"]);
    assert!(whole.shards.values().all(|ticked| reports.iter().any(|report| Some(report.started) == *ticked)));
    assert_eq!(since(&whole), Some(first), "since when it is there is known by the shard that has it now");

    // Under way it goes on: the next step, and a rollback by a person meanwhile.
    world.roll_back(&["service-1"], "it is slow").await;
    for _ in 0..8 {
        minute_of_three(&world).await;
    }
    assert_eq!(weights(&world).await, [50.0; CANARIES.len()]);
    assert_eq!(service(&world.status("staging").await, "service-1").standing.phase, PhaseName::RolledBack);

    // Merged at the second step.
    let whole = world.tick().await;
    assert_eq!((whole.services.len(), since(&whole)), (SERVICES, Some(first)));
    assert_eq!(whole, TickReport { calls: whole.calls.clone(), ..world.status("staging").await });
    for _ in 0..10 {
        world.tick().await;
    }
    world.break_calls(|_| None);
    world.aws.enforce_rates(false);
    let whole = world.status("staging").await;
    assert_eq!(since(&whole), Some(first));
    for number in 0..SERVICES {
        let (history, live) = (world.history(&name(number)).await, world.live(&function(number)).await);
        let expected = match number {
            // What was live already, and what people did since.
            1 => (3, "1"),
            MOVED => (1, "1"),
            _ => (2, "2"),
        };
        assert_eq!((history.len(), live.as_str()), expected, "{} {:#?}", name(number), whole.services);
        assert!(world.versions(&function(number)).await.len() <= 2, "nothing was published twice");
    }
    assert_eq!(world.documents("state/").await, ["state/staging/service-1.json"], "only the hold is left");
}

#[tokio::test(start_paused = true)]
async fn ticks_of_two_layouts_meet_at_every_service_and_release_each_once() {
    const FEW: usize = 12;
    let world = fleet_of(FEW).await;
    world.releases.replace("staging", &some(FEW, "v1.1.0"));
    let tick = |command| {
        let world = &world;
        // That another one was first is told, and is no failure of the tick.
        async move { only(world.run(&command).await).expect("a tick") }
    };
    for _ in 0..30 {
        let next = world.aws.clock().now() + chrono::Duration::minutes(1);
        let halves = ["1/2", "2/2"].map(|half| sync_shard("staging", shard(half)));
        let [first, second] = halves.map(tick);
        tokio::join!(tick(sync("staging", None, None)), first, second);
        world.aws.clock().sleep_until(next).await;
    }
    world.break_calls(|_| None);
    world.aws.enforce_rates(false);
    let whole = world.status("staging").await;
    for number in 0..FEW {
        let (history, live) = (world.history(&name(number)).await, world.live(&function(number)).await);
        assert_eq!((history.len(), live.as_str()), (2, "2"), "{} {whole:#?}", name(number));
        assert_eq!(world.versions(&function(number)).await, ["1", "2"], "nothing was published twice");
        assert_eq!(service(&whole, &name(number)).standing.sync, SyncStatus::Synced);
    }
    assert_eq!(world.documents("state/").await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_release_waits_for_what_it_depends_on_in_another_shard() {
    let world = World::deployed().await;
    // The flight service is the first half's, and the two others the second's; `flight-bff` depends on both.
    let (first, second) = (sync_shard("staging", shard("1/2")), sync_shard("staging", shard("2/2")));
    let tick = async |command| {
        let report = only(world.run(command).await).expect("a tick");
        world.advance(Duration::from_secs(60)).await;
        report
    };
    tick(&first).await;
    tick(&second).await;
    world.releases.merge("flight-service", "v1.1.0");
    world.releases.merge("flight-bff", "v1.1.0");
    world.calls();
    for _ in 0..3 {
        let report = tick(&second).await;
        assert_eq!(waiting(&report, "flight-bff"), "`flight-service` is not healthy at what Git wants");
        assert_eq!(report.services.len(), 2, "what it depends on is looked at, and not its own");
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    for _ in 0..6 {
        tick(&first).await;
        tick(&second).await;
    }
    assert_eq!(
        (world.live("StagingFlightService").await, world.live("StagingFlightBff").await),
        ("2".into(), "2".into())
    );
    let mutations = world.calls().lambda_mutations();
    let at = |call: &str| mutations.iter().position(|made| made == call).expect("a call");
    assert!(at("UpdateAlias StagingFlightService:live") < at("UpdateFunctionCode StagingFlightBff"), "{mutations:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_stopped_is_told_and_the_others_go_on() {
    let world = World::deployed().await;
    let tick = async |text: &str| {
        let report = only(world.run(&sync_shard("staging", shard(text))).await).expect("a tick");
        world.advance(Duration::from_secs(60)).await;
        report
    };
    let stopped = tick("1/2").await;
    world.releases.merge("reservation-service", "v1.1.0");
    for _ in 0..7 {
        tick("2/2").await;
    }
    let whole = world.status("staging").await;
    assert_eq!(whole.shards[&shard("1/2")], Some(stopped.started));
    assert_eq!(whole.shards[&shard("2/2")], Some(whole.started));
    assert_eq!(whole.last_success, Some(stopped.started), "the environment is as far behind as its last shard");
    assert_eq!(service(&whole, "flight-service").seen, stopped.started);
    assert_eq!(service(&whole, "reservation-service").seen, whole.started);
    assert_eq!(world.live("StagingReservationService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn what_one_schedule_takes_in_is_known_to_the_shards_that_remember_otherwise() {
    let world = World::deployed().await;
    let configuration = environment_configuration("Staging").replace("percent: 100", "percent: 50, atLeast: 1");
    world.configure("staging", &configuration).await;
    let tick = async |command| {
        let report = only(world.run(&command).await).expect("a tick");
        world.advance(Duration::from_secs(60)).await;
        report
    };
    let halves = || [shard("1/2"), shard("2/2")].map(|half| sync_shard("staging", half));
    for half in halves() {
        tick(half).await;
    }
    let text = world.releases.services("staging").replace("v1.0.0", "v1.1.0");
    let commit = world.releases.replace("staging", &text);
    for half in halves() {
        assert!(tick(half).await.hold.is_some(), "three of three, though one or two of them are the shard's");
    }
    tick(sync("staging", None, Some(&commit))).await;
    for half in halves() {
        let report = tick(half).await;
        assert_eq!((report.hold, report.commit.map(|commit| commit.id)), (None, Some(commit.clone())));
    }
}

#[tokio::test(start_paused = true)]
async fn a_person_syncs_one_service_under_the_lease_of_its_shard() {
    let world = World::deployed().await;
    for text in ["1/2", "2/2"] {
        only(world.run(&sync_shard("staging", shard(text))).await).expect("a tick");
    }
    world.advance(Duration::from_secs(60)).await;
    let before = world.document("lease/staging.json").await;
    let report = only(world.run(&sync("staging", Some("flight-service"), None)).await).expect("a tick");
    assert_eq!((report.shard, report.services.len()), (shard("1/2"), 1));
    assert_eq!(world.document("lease/staging.json").await, before, "nobody takes that lease any more");
    assert_eq!(world.status("staging").await.services.len(), 3);

    let both = tidegate_core::command::Command::Sync {
        environment: Some("staging".parse().expect("a name")),
        service: Some("flight-service".parse().expect("a name")),
        confirm: None,
        shard: Some(shard("2/2")),
        repin: false,
    };
    assert_eq!(only(world.run(&both).await).expect_err("a refusal").kind, FailureKind::Refused);
}

#[tokio::test(start_paused = true)]
async fn a_hint_is_followed_by_the_shards_of_the_services_that_it_names() {
    let world = World::deployed().await;
    for text in ["1/2", "2/2"] {
        only(world.run(&sync_shard("staging", shard(text))).await).expect("a tick");
    }
    world.advance(Duration::from_secs(60)).await;
    let leases = async || {
        let names = ["lease/staging.json", "lease/staging.1-2.json", "lease/staging.2-2.json"];
        [world.document(names[0]).await, world.document(names[1]).await, world.document(names[2]).await]
    };
    let before = leases().await;
    let image = world.push_image("flight-service", "by-hand").await;
    let upload = world.account.lambda.update_function_code().function_name("StagingFlightService").image_uri(image);
    upload.send().await.expect("UpdateFunctionCode");
    world.advance(Duration::from_secs(10)).await;
    world.deliver(queued(&call("UpdateFunctionCode20150331v2", "StagingFlightService"))).await;
    let after = leases().await;
    let taken: Vec<bool> = before.iter().zip(&after).map(|(before, after)| before != after).collect();
    assert_eq!(taken, [false, true, false], "the flight service is the first half's");
    let whole = world.status("staging").await;
    let kinds = service(&whole, "flight-service").drift.iter().map(|drifted| drifted.drift.kind());
    assert_eq!(kinds.collect::<Vec<_>>(), ["latest"]);
    assert_eq!(whole.services.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_left_git_leaves_the_status_of_every_layout() {
    let world = World::deployed().await;
    only(world.run(&sync_shard("staging", shard("1/2"))).await).expect("a tick");
    world.advance(Duration::from_secs(60)).await;
    let text = world.releases.services("staging");
    let gone = text.find("  flight-bff:").expect("an entry");
    world.releases.replace("staging", &text[..gone]);
    for text in ["1/2", "2/2"] {
        only(world.run(&sync_shard("staging", shard(text))).await).expect("a tick");
        world.advance(Duration::from_secs(60)).await;
    }
    let whole = world.status("staging").await;
    let names: Vec<&str> = whole.services.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["flight-service", "reservation-service"], "the whole environment's last report has it still");
    assert_eq!(whole.unmanaged.len(), 1);
    assert_eq!(whole.sync(), SyncStatus::Synced);
}

#[tokio::test(start_paused = true)]
async fn three_shards_together_stay_within_the_budget_of_the_environment() {
    let world = fleet().await;
    let few = "callBudget: { getFunction: 3, controlPlane: 1 }\n";
    world.configure("staging", &format!("{}{few}", environment_configuration("Staging"))).await;
    minute_of_three(&world).await;
    world.calls();
    minute_of_three(&world).await;
    let visits = world.calls().lambda()["GetFunction"];
    assert!((SERVICES..=3 * 45 + 3).contains(&visits), "{visits}");
}

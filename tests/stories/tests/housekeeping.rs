//! Stories of old versions: they go by themselves, a few at a time, and never one that somebody needs.
#![expect(clippy::panic, reason = "a story that takes another turn should fail")]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local_aws::{AwsError, Fault, Service};
use stories::account::environment_configuration;
use stories::calls::Calls;
use stories::releases::Releases;
use stories::world::World;
use tidegate_core::command::Command;
use tidegate_core::history::Kind;
use tidegate_core::housekeeping::{AT_ONCE, Kept, whose_turn};
use tidegate_core::report::{Answer, FailureKind, Pruned, TickReport};
use tidegate_core::status::PhaseName;

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The number of a version, and of the record that tells of it.
fn tag(number: usize) -> String {
    format!("v1.{number}.0")
}

/// So many releases, one after the other; the configuration says nothing of old versions.
async fn released(count: usize) -> World {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    for number in 3..count {
        world.push_image(SERVICE, &tag(number)).await;
    }
    for number in 0..count {
        world.releases.merge(SERVICE, &tag(number));
        world.settle().await;
    }
    assert_eq!(world.versions(FUNCTION).await.len(), count);
    world.calls();
    world
}

async fn keep(world: &World, versions: usize, days: usize) {
    let text = environment_configuration("Staging");
    let housekeeping = format!("versionHousekeeping: {{ keepVersions: {versions}, keepDays: {days} }}\n");
    world.configure("staging", &format!("{text}{housekeeping}")).await;
}

/// An hour of ticks.
async fn an_hour(world: &World) -> Vec<TickReport> {
    let mut reports = Vec::new();
    for _ in 0..60 {
        reports.push(world.tick().await);
    }
    reports
}

/// The next tick that looks at the versions of the one service.
async fn turn(world: &World) -> TickReport {
    while whose_turn(world.aws.clock().now(), 1).is_none() {
        world.advance(Duration::from_secs(60)).await;
    }
    world.tick().await
}

async fn prune(world: &World, dry_run: bool) -> Answer {
    let environment = "staging".parse().unwrap_or_else(|_| panic!("a name"));
    world.run(&Command::PruneVersions { environment, service: None, dry_run }).await
}

fn one(answer: Answer) -> Pruned {
    match answer {
        Answer::Versions { mut services, failures, .. } if failures.is_empty() => {
            services.pop_first().unwrap_or_else(|| panic!("no service")).1
        }
        other => panic!("{other:#?}"),
    }
}

/// What was deleted, after it was made sure that each deletion names a version by its number.
fn deletions(calls: &Calls) -> Vec<u64> {
    let deletions = calls.0.iter().filter(|call| call.operation == "DeleteFunction");
    let number = |resource: &str| resource.strip_prefix(&format!("{FUNCTION}:"))?.parse().ok();
    deletions.map(|call| number(&call.resource).unwrap_or_else(|| panic!("{call:?}"))).collect()
}

fn range(numbers: impl IntoIterator<Item = usize>) -> Vec<String> {
    numbers.into_iter().map(|number| number.to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn of_fifty_versions_the_newest_stay_and_the_service_can_still_be_rolled_back_to_the_oldest_of_them() {
    let world = released(50).await;
    world.advance(31 * DAY).await;
    keep(&world, 10, 30).await;
    let mut deleted = 0;
    while deleted < 40 {
        let of_this = turn(&world).await.housekeeping.map_or(0, |housekeeping| housekeeping.deleted.len());
        assert!((1..=AT_ONCE).contains(&of_this), "{of_this} at once");
        deleted += of_this;
    }
    assert_eq!(turn(&world).await.housekeeping, None);
    let calls = world.calls();
    assert_eq!((deletions(&calls), deleted), ((1..=40).collect(), 40));
    assert_eq!(world.versions(FUNCTION).await, range(41..=50));
    assert_eq!(calls.lambda_mutations().len(), 40, "nothing else is changed");

    let to = Some(tidegate_core::ids::TransitionNumber(41));
    let (environment, services) = ("staging".parse().unwrap_or_else(|_| panic!("a name")), vec![name()]);
    let reason = "all of these were bad".to_owned();
    let answer = world.run(&Command::Rollback { environment, services, to, reason, remind_after: None }).await;
    let Answer::Services { reports, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(reports[&name()].standing.phase, PhaseName::RolledBack);
    assert_eq!(world.live(FUNCTION).await, "41");
    // What is held out stays, and so does what is live instead.
    world.advance(400 * DAY).await;
    turn(&world).await;
    turn(&world).await;
    assert_eq!(world.versions(FUNCTION).await, range(41..=50));
    assert_eq!(world.verify(SERVICE).await.map(|looked| looked.findings.len()).ok(), Some(0));
}

fn name() -> release_schema::ServiceName {
    SERVICE.parse().unwrap_or_else(|_| panic!("a name"))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_listed_or_deleted_where_nobody_configured_it() {
    let world = released(8).await;
    world.advance(400 * DAY).await;
    an_hour(&world).await;
    let calls = world.calls().lambda();
    assert_eq!(calls.keys().copied().collect::<Vec<_>>(), ["GetAlias", "GetFunction"], "{calls:?}");
    let Answer::Failed(failure) = prune(&world, false).await else { panic!("it is not refused") };
    assert_eq!(failure.kind, FailureKind::Refused);
    assert_eq!(
        failure.message,
        "`versionHousekeeping` is not configured for `staging`, so no version of it is ever deleted"
    );
}

#[tokio::test(start_paused = true)]
async fn what_there_is_to_look_at_is_looked_at_a_few_times_an_hour() {
    let world = released(7).await;
    keep(&world, 5, 30).await;
    an_hour(&world).await;
    let calls = world.calls();
    let counts = calls.lambda();
    assert!((5..=6).contains(&counts["ListVersionsByFunction"]), "{counts:?}");
    assert_eq!(counts["ListAliases"], counts["ListVersionsByFunction"]);
    assert_eq!(deletions(&calls), Vec::<u64>::new(), "all of them are young");
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_says_what_would_go_and_the_command_deletes_just_that() {
    let world = released(9).await;
    world.advance(31 * DAY).await;
    keep(&world, 5, 30).await;
    let shown = one(prune(&world, true).await);
    assert_eq!(
        range(shown.delete.iter().map(|version| usize::try_from(version.number()).unwrap_or(0))),
        ["1", "2", "3"]
    );
    assert_eq!(shown.deleted, []);
    assert_eq!(deletions(&world.calls()), Vec::<u64>::new());
    let done = one(prune(&world, false).await);
    assert_eq!((&done.deleted, &done.kept), (&shown.delete, &shown.kept));
    assert_eq!(done.kept.values().filter(|kept| **kept == Kept::Later).count(), 1);
    assert_eq!(deletions(&world.calls()), [1, 2, 3]);
    let done = one(prune(&world, false).await);
    assert_eq!((done.deleted.len(), world.versions(FUNCTION).await), (1, range(5..=9)));
}

#[tokio::test(start_paused = true)]
async fn a_release_that_git_wants_back_is_published_anew_where_its_version_is_gone() {
    let world = released(8).await;
    world.advance(31 * DAY).await;
    keep(&world, 5, 30).await;
    an_hour(&world).await;
    assert_eq!(world.versions(FUNCTION).await, range(4..=8));
    world.releases.merge(SERVICE, &tag(0));
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "9");
    assert_eq!(world.history(SERVICE).await.last().map(|record| record.kind), Some(Kind::Promoted));
}

#[tokio::test(start_paused = true)]
async fn a_version_is_not_taken_for_gone_by_two_answers_that_are_out_of_date() {
    let world = released(3).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    world.break_calls(move |call| {
        let is_it = call.operation == "GetFunction" && *call.resource == format!("{FUNCTION}:1");
        let denied = is_it && count.fetch_add(1, Ordering::Relaxed) < 2;
        denied.then(|| Fault::FailBefore(AwsError::new(404, "ResourceNotFoundException", "Function not found")))
    });
    world.releases.merge(SERVICE, &tag(0));
    world.settle().await;
    assert_eq!((world.live(FUNCTION).await, world.versions(FUNCTION).await), ("1".to_owned(), range(1..=3)));
    assert!(asked.load(Ordering::Relaxed) > 2);
}

#[tokio::test(start_paused = true)]
async fn what_people_published_and_what_their_aliases_name_stays() {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    // Version 1 was live before Tidegate came.
    world.account.publish_by_hand(FUNCTION, "live").await.unwrap_or_else(|error| panic!("{error:#}"));
    world.settle().await;
    for number in 1..9 {
        if number > 2 {
            world.push_image(SERVICE, &tag(number)).await;
        }
        world.releases.merge(SERVICE, &tag(number));
        world.settle().await;
    }
    let alias = world.account.lambda.create_alias().function_name(FUNCTION).name("pinned").function_version("3");
    alias.send().await.unwrap_or_else(|error| panic!("{error:?}"));
    world.advance(31 * DAY).await;
    keep(&world, 5, 30).await;
    an_hour(&world).await;
    assert_eq!(world.versions(FUNCTION).await, range([1, 3, 5, 6, 7, 8, 9]));
    let kept = one(prune(&world, true).await).kept;
    let why = |number| tidegate_core::ids::Version::new(number).and_then(|version| kept.get(&version).cloned());
    assert_eq!((why(1), why(3)), (Some(Kept::NotOurs), Some(Kept::Alias("pinned".to_owned()))));
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_fails_fails_no_tick_and_is_tried_again() {
    let world = released(7).await;
    world.advance(31 * DAY).await;
    keep(&world, 5, 30).await;
    world.break_calls(|call| {
        let refused = call.service == Service::Lambda && call.operation == "DeleteFunction";
        refused.then(|| Fault::FailBefore(AwsError::new(403, "AccessDeniedException", "not allowed")))
    });
    let reports = an_hour(&world).await;
    let told: Vec<_> = reports.iter().filter_map(|report| report.housekeeping.as_ref()).collect();
    assert!((5..=6).contains(&told.len()), "{told:#?}");
    for housekeeping in told {
        let problem = housekeeping.problem.as_deref().unwrap_or_default();
        assert!(problem.starts_with("`lambda:DeleteFunction` of `StagingFlightService:1`: access denied"), "{problem}");
        assert_eq!(housekeeping.deleted, []);
    }
    assert!(reports.iter().all(|report| report.hold.is_none() && report.services[&name()].error.is_none()));
    world.aws.clear_hook();
    an_hour(&world).await;
    assert_eq!(world.versions(FUNCTION).await, range(3..=7));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_while_git_cannot_be_read_or_a_release_is_under_way() {
    let world = released(7).await;
    world.advance(31 * DAY).await;
    keep(&world, 5, 30).await;
    world.releases.server.behave(git_server::Behaviour::Down);
    an_hour(&world).await;
    world.releases.server.behave(git_server::Behaviour::Serve);
    world.push_image(SERVICE, &tag(7)).await;
    world.releases.merge(SERVICE, &tag(7));
    world.releases.add("staging", SERVICE, &["strategy: { canary: { steps: [{ setWeight: 10 }, { pause: {} }] } }"]);
    an_hour(&world).await;
    assert_eq!(deletions(&world.calls()), Vec::<u64>::new());
    let Answer::Versions { services, failures, .. } = prune(&world, false).await else { panic!("no answer") };
    assert!(services.is_empty());
    assert_eq!(
        failures[&name()].message,
        "none is deleted: a release is under way, or was turned back and may be tried again"
    );
    assert_eq!(deletions(&world.calls()), Vec::<u64>::new());
}

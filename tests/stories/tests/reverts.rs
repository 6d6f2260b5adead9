//! Stories of the release repository after a rollback: a branch that sets the service back, in nobody's way.
#![expect(clippy::panic, clippy::expect_used, reason = "a story that takes another turn should fail")]
use std::sync::Arc;

use git_server::Behaviour;
use stories::releases::Releases;
use stories::world::{World, service};
use tidegate_core::command::Command;
use tidegate_core::history::Kind;
use tidegate_core::report::{Answer, ServiceReport};
use tidegate_core::state::Revert;
use tidegate_core::status::{Health, PhaseName};
use tidegate_runtime::write_back::RollbackConfig;

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";
const BRANCH: &str = "tidegate/rollback/staging/flight-service/3";

/// `v1.0.0`, then `v1.1.0`; the installation tells its release repository of rollbacks.
async fn second_is_live() -> World {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.account.install(&world.releases.url(), true).await.expect("a configuration");
    world.settle().await;
    world.releases.merge(SERVICE, "v1.1.0");
    world.settle().await;
    world
}

fn of(answer: Answer) -> ServiceReport {
    match answer {
        Answer::Services { mut reports, failures, .. } if failures.is_empty() => {
            reports.pop_first().unwrap_or_else(|| panic!("no service")).1
        }
        other => panic!("{other:#?}"),
    }
}

fn problem(revert: Option<&Revert>) -> &str {
    match revert {
        Some(Revert::Wanted { problem: Some(problem) }) => problem,
        other => panic!("{other:?}"),
    }
}

fn branches(world: &World) -> String {
    world.releases.repository.git(["branch", "--list", "tidegate/*"]).expect("the branches")
}

fn diff(world: &World, branch: &str) -> String {
    world.releases.repository.git(["diff", "--stat=200", "--summary", &format!("main..{branch}")]).expect("a diff")
}

#[tokio::test(start_paused = true)]
async fn a_rollback_leaves_a_branch_with_the_one_line_that_sets_the_service_back() {
    let world = second_is_live().await;
    let now = of(world.roll_back(&[SERVICE], "5xx after 14:02").await);
    assert_eq!((now.standing.phase, now.error), (PhaseName::RolledBack, None));
    let Some(Revert::Pushed(pushed)) = now.revert else { panic!("{:?}", now.revert) };
    assert_eq!((pushed.branch.as_str(), pushed.without_edit), (BRANCH, None));
    let changed = diff(&world, BRANCH);
    assert!(changed.contains("environments/staging/services.yaml") && changed.contains("2 files changed"), "{changed}");
    let show = |path: &str| world.releases.repository.git(["show", &format!("{BRANCH}:{path}")]).expect("a file");
    assert!(show("environments/staging/services.yaml").contains("imageTag: \"v1.0.0\""));

    // The next ticks push nothing more, and the status says where it is.
    world.tick().await;
    let report = world.tick().await;
    assert!(matches!(service(&report, SERVICE).revert, Some(Revert::Pushed(_))));
    assert_eq!(world.releases.repository.git(["rev-list", "--count", BRANCH]).expect("a count"), "3");

    // Merged as it is: nothing is published, the hold is over, and history says why.
    let before = world.versions(FUNCTION).await;
    world.releases.tree.git(["fetch", "--quiet", "origin", BRANCH]).expect("fetched");
    world.releases.tree.git(["merge", "--quiet", "--no-edit", "FETCH_HEAD"]).expect("merged");
    world.releases.tree.push().expect("pushed");
    let report = world.settle().await;
    assert_eq!(
        (service(&report, SERVICE).standing.health, world.live(FUNCTION).await.as_str()),
        (Health::Healthy, "1")
    );
    assert_eq!(world.versions(FUNCTION).await, before);
    let history = world.history(SERVICE).await;
    assert_eq!(history.last().map(|record| record.kind), Some(Kind::Adopted));
}

#[tokio::test(start_paused = true)]
async fn no_push_that_fails_fails_a_rollback_and_a_later_tick_makes_up_for_it() {
    for (behaviour, said) in [(Behaviour::Down, ""), (Behaviour::ReadOnly, "takes no push from")] {
        let world = second_is_live().await;
        world.releases.server.behave(behaviour);
        let now = of(world.roll_back(&[SERVICE], "5xx").await);
        assert_eq!((now.standing.phase, now.error), (PhaseName::RolledBack, None));
        assert!(problem(now.revert.as_ref()).contains(said), "{:?}", now.revert);
        assert_eq!(world.live(FUNCTION).await, "1");
        let report = world.tick().await;
        problem(service(&report, SERVICE).revert.as_ref());
        assert_eq!(branches(&world), "");

        world.releases.server.behave(Behaviour::Serve);
        let report = world.tick().await;
        let Some(Revert::Pushed(_)) = &service(&report, SERVICE).revert else { panic!("{report:#?}") };
        assert!(branches(&world).contains(BRANCH));
        assert_eq!(world.live(FUNCTION).await, "1");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_and_a_lost_state_leave_one_branch_with_one_commit() {
    let world = second_is_live().await;
    world.releases.server.behave(Behaviour::PushUnanswered);
    of(world.roll_back(&[SERVICE], "5xx").await);
    world.releases.server.behave(Behaviour::Serve);
    let commit = world.releases.repository.head(BRANCH).expect("it arrived");
    world.delete_document("state/staging/flight-service.json").await;
    world.releases.add("staging", SERVICE, &["# looked at"]);
    for _ in 0..3 {
        world.tick().await;
    }
    let status = world.status("staging").await;
    let Some(Revert::Pushed(_)) = &service(&status, SERVICE).revert else { panic!("{status:#?}") };
    assert_eq!(world.releases.repository.head(BRANCH).expect("it is there"), commit);
}

#[tokio::test(start_paused = true)]
async fn what_was_written_down_can_be_done_again() {
    let world = second_is_live().await;
    of(world.roll_back(&[SERVICE], "5xx after 14:02").await);
    let list = ["ls-tree", "-r", "--name-only", BRANCH, "history/rollback-configs/"];
    let path = world.releases.repository.git(list).expect("a file");
    let text = world.releases.repository.git(["show", &format!("{BRANCH}:{path}")]).expect("its text");
    let written = RollbackConfig::parse(&path, text.as_bytes()).expect("it can be read");
    assert_eq!((written.reason.as_str(), written.service.as_str()), ("5xx after 14:02", SERVICE));

    world.say(Command::Unhold, SERVICE, "it was the database").await.unwrap_or_else(|failure| panic!("{failure:?}"));
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "2");
    let RollbackConfig { environment, service, record, reason, .. } = written;
    let again =
        Command::Rollback { environment, services: vec![service], to: Some(record), reason, remind_after: None };
    assert_eq!(of(world.run(&again).await).standing.phase, PhaseName::RolledBack);
    assert_eq!(world.live(FUNCTION).await, "1");
}

//! Stories of stored documents that somebody deleted, broke, or wrote with a later build: what can be known is made again,
//! and until it is, nothing moves.
#![expect(clippy::panic, reason = "a story that takes another turn should fail")]
use std::sync::Arc;

use git_server::Behaviour;
use stories::releases::Releases;
use stories::world::{World, only, service, sync};
use tidegate_core::command::Command;
use tidegate_core::history::{Head, Kind, Record};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::report::Answer;
use tidegate_core::status::{Health, SyncStatus};
use tidegate_core::verify::Finding;

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";
const DESIRED: &str = "desired/staging.json";
const HEAD: &str = "history/staging/flight-service/head.json";
const STATE: &str = "state/staging/flight-service.json";

fn key(number: u64) -> String {
    format!("history/staging/flight-service/{number:010}.json")
}

/// `v1.0.0` is live, with one record.
async fn deployed() -> World {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world
}

async fn head(world: &World) -> Head {
    serde_json::from_slice(&world.document(HEAD).await).unwrap_or_else(|error| panic!("{error}"))
}

/// Releases that failed, until there are so many records.
async fn with_records(world: &World, records: u64) {
    let mut head = head(world).await;
    let mut record = head.recent.first().cloned().unwrap_or_else(|| panic!("no history"));
    record.kind = Kind::Failed;
    for number in 2..=records {
        record.number = TransitionNumber(number);
        let appended = Head::append(Some(&head), record.clone()).unwrap_or_else(|error| panic!("{error}"));
        world.put_document(&key(number), appended.bytes).await;
        head = appended.head;
    }
    world.put_document(HEAD, serde_json::to_vec(&head).unwrap_or_default()).await;
}

/// The ways in which a document is lost.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Deleted,
    Broken,
    Emptied,
    /// It is larger than any document of ours can be, and is not read to its end.
    Grown,
}

async fn lose(world: &World, name: &str, loss: Loss) {
    match loss {
        Loss::Deleted => world.delete_document(name).await,
        Loss::Broken => world.put_document(name, b"{ \"schemaVersion\": 1, \"numb".to_vec()).await,
        Loss::Emptied => world.put_document(name, Vec::new()).await,
        Loss::Grown => world.put_document(name, vec![b' '; 33 << 20]).await,
    }
}

/// The head has the last twenty records, newest first, and the first, which is good still; and all of it is proven.
async fn assert_whole(world: &World, last: u64, when: &str) {
    let head = head(world).await;
    let numbers = |records: &[Record]| records.iter().map(|record| record.number.0).collect::<Vec<_>>();
    assert_eq!(numbers(&head.recent), (last.saturating_sub(19).max(1)..=last).rev().collect::<Vec<_>>(), "{when}");
    assert_eq!(numbers(&head.older), if last > 20 { vec![1] } else { Vec::new() }, "{when}");
    let found = world.verify(SERVICE).await.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(found.findings, [], "{when}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_head_comes_back_whole_with_the_next_release() {
    for loss in [Loss::Deleted, Loss::Broken, Loss::Emptied, Loss::Grown] {
        let world = deployed().await;
        with_records(&world, 25).await;
        lose(&world, HEAD, loss).await;
        world.releases.merge(SERVICE, "v1.1.0");
        world.tick().await;
        assert_whole(&world, 25, &format!("{loss:?}, and the release begins")).await;
        lose(&world, HEAD, loss).await;
        world.settle().await;
        assert_eq!(world.live(FUNCTION).await, "2");
        assert_whole(&world, 26, &format!("{loss:?}, and the release ends")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_head_comes_back_when_a_person_asks_and_is_told_from_the_records_until_then() {
    let world = deployed().await;
    with_records(&world, 25).await;
    world.delete_document(HEAD).await;
    let history = Command::History {
        environment: "staging".parse().unwrap_or_else(|error| panic!("{error}")),
        service: Some(SERVICE.parse().unwrap_or_else(|error| panic!("{error}"))),
        limit: Some(22),
    };
    match world.run(&history).await {
        Answer::History { records } => {
            let numbers: Vec<u64> = records.iter().map(|record| record.number.0).collect();
            assert_eq!(numbers, (4..=25).rev().collect::<Vec<_>>());
        }
        other => panic!("{other:?}"),
    }
    let found = world.verify(SERVICE).await.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_eq!(found.findings, [Finding::HeadMissing], "reading writes nothing");

    world.calls();
    let report =
        only(world.run(&sync("staging", Some(SERVICE), None)).await).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(service(&report, SERVICE).done, ["restore the history's head at record 25"]);
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_whole(&world, 25, "a person asked").await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_last_good_content_is_stored_again_by_who_remembers_it_while_git_is_down() {
    for loss in [Loss::Deleted, Loss::Broken, Loss::Emptied, Loss::Grown] {
        let world = World::second_is_live(&[]).await;
        let stored = world.document(DESIRED).await;
        world.releases.server.behave(Behaviour::Down);
        lose(&world, DESIRED, loss).await;
        for _ in 0..10 {
            world.tick().await;
        }
        assert_eq!(world.document(DESIRED).await, stored, "{loss:?}");
        world.roll_back(&[SERVICE], "5xx").await;
        assert_eq!(world.live(FUNCTION).await, "1", "{loss:?}");
    }
}

/// A rollback died between its record and the head.
async fn rolled_back_without_its_head() -> World {
    let world = World::second_is_live(&[]).await;
    let before = world.document(HEAD).await;
    world.roll_back(&[SERVICE], "5xx").await;
    world.put_document(HEAD, before).await;
    world.delete_document(STATE).await;
    world
}

/// The next rollback does not know its reason.
#[tokio::test(start_paused = true)]
async fn a_record_that_no_head_names_is_taken_in_whoever_wrote_it() {
    let world = rolled_back_without_its_head().await;
    world.roll_back(&[SERVICE], "it is bad").await;
    world.tick().await;
    assert_whole(&world, 3, "after the next command").await;
    assert_eq!(world.live(FUNCTION).await, "1");
}

/// Somebody moved the alias and merged a release before any tick came.
#[tokio::test(start_paused = true)]
async fn what_ended_is_known_though_its_head_was_never_written() {
    let world = rolled_back_without_its_head().await;
    world.move_by_hand(FUNCTION, "2").await;
    world.releases.merge(SERVICE, "v1.2.0");
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "3");
    assert_whole(&world, 4, "after the release").await;
    let kinds: Vec<Kind> = head(&world).await.recent.iter().map(|record| record.kind).collect();
    assert_eq!(kinds[..2], [Kind::Promoted, Kind::RolledBack]);
    let said = head(&world).await.recent.into_iter().next().map(|record| record.said).unwrap_or_default();
    let reasons: Vec<_> = said.iter().map(|said| (said.what.as_str(), said.reason.as_deref())).collect();
    assert_eq!(reasons, [("edit", Some("the alias names version 2"))]);
}

#[tokio::test(start_paused = true)]
async fn a_head_that_a_record_follows_is_moved_on_when_a_person_asks() {
    let world = deployed().await;
    let before = world.document(HEAD).await;
    world.releases.merge(SERVICE, "v1.1.0");
    world.settle().await;
    world.put_document(HEAD, before).await;
    let report =
        only(world.run(&sync("staging", Some(SERVICE), None)).await).unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(service(&report, SERVICE).done, ["restore the history's head at record 2"]);
    assert_whole(&world, 2, "a person asked").await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_finds_its_way_without_the_head() {
    for loss in [Loss::Deleted, Loss::Broken] {
        let world = deployed().await;
        world.releases.merge(SERVICE, "v1.1.0");
        world.settle().await;
        lose(&world, HEAD, loss).await;
        world.calls();
        match world.roll_back(&[SERVICE], "5xx").await {
            Answer::Services { failures, .. } => assert!(failures.is_empty(), "{failures:?}"),
            other => panic!("{other:?}"),
        }
        assert_eq!(world.calls().lambda_mutations(), [format!("UpdateAlias {FUNCTION}:live")]);
        assert_eq!(world.live(FUNCTION).await, "1");
        assert_whole(&world, 3, &format!("{loss:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn while_the_records_do_not_make_the_head_again_nothing_is_known_and_nothing_moves() {
    let world = deployed().await;
    with_records(&world, 5).await;
    let third = world.document(&key(3)).await;
    let text = String::from_utf8_lossy(&third).replace("\"actor\": \"controller\"", "\"actor\": \"nobody\"");
    world.delete_document(HEAD).await;
    world.releases.merge(SERVICE, "v1.1.0");
    world.calls();
    for (lost, message) in [
        (Some(text.into_bytes()), "record 4 does not follow the one before it"),
        (None, "record 3 is missing"),
        (Some(b"{}".to_vec()), "cannot be read"),
    ] {
        match lost {
            Some(bytes) => world.put_document(&key(3), bytes).await,
            None => world.delete_document(&key(3)).await,
        }
        let report = world.tick().await;
        let now = service(&report, SERVICE);
        assert_eq!((now.standing.sync, now.standing.health), (SyncStatus::Unknown, Health::Unknown), "{message}");
        let error = now.error.clone().unwrap_or_default();
        assert!(error.contains(message), "{error}");
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert!(world.documents(HEAD).await.is_empty(), "no head is made of what is not proven");

    world.put_document(&key(3), third).await;
    world.settle().await;
    assert_eq!(world.live(FUNCTION).await, "2");
    assert_whole(&world, 6, "the record is back").await;
}

/// A document as a later build writes it.
fn newer(bytes: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let newer = text.replacen("\"schemaVersion\": 1", "\"schemaVersion\": 2, \"unheardOf\": true", 1);
    assert_ne!(text, newer, "it has a schema version");
    newer.into_bytes()
}

#[tokio::test(start_paused = true)]
async fn a_state_or_head_or_record_of_a_later_build_is_refused_by_name_and_left_alone() {
    for name in [STATE, HEAD, &key(1)] {
        let world = deployed().await;
        world.releases.merge(SERVICE, "v1.1.0");
        world.tick().await;
        let before = world.document(name).await;
        let later = newer(&before);
        world.put_document(name, later.clone()).await;
        if name == key(1) {
            // A record is read where the head is gone.
            world.delete_document(HEAD).await;
        }
        world.calls();
        for _ in 0..3 {
            let report = world.tick().await;
            let now = service(&report, SERVICE);
            assert_eq!((now.standing.sync, now.standing.health), (SyncStatus::Unknown, Health::Unknown), "{name}");
            assert_eq!(
                now.error.as_deref(),
                Some(
                    format!(
                        "`tidegate/{name}` has schema version 2, and this build knows 1; it was written by a newer Tidegate"
                    )
                    .as_str()
                )
            );
        }
        assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new(), "{name}");
        assert_eq!(world.document(name).await, later, "{name} is left as it is");

        world.put_document(name, before).await;
        world.settle().await;
        assert_eq!(world.live(FUNCTION).await, "2", "{name}");
        assert_whole(&world, 2, name).await;
    }
}

/// Ten minutes each, and no metrics, so that it needs no traffic.
const CANARY: [&str; 1] = [
    "strategy: { canary: { steps: [{ setWeight: 10 }, { pause: { duration: 10m } }, { setWeight: 50 }, { pause: { duration: 10m } }] } }",
];

#[tokio::test(start_paused = true)]
async fn a_canary_whose_state_is_lost_in_its_second_step_holds_that_in_full_and_is_completed() {
    for loss in [Loss::Deleted, Loss::Broken, Loss::Emptied, Loss::Grown] {
        let world = deployed().await;
        world.releases.add("staging", SERVICE, &CANARY);
        world.releases.merge(SERVICE, "v1.1.0");
        while world.weight(FUNCTION).await < 50.0 {
            world.tick().await;
        }
        for _ in 0..6 {
            world.tick().await;
        }
        lose(&world, STATE, loss).await;
        world.calls();
        for minute in 0..10 {
            world.tick().await;
            assert_eq!(world.weight(FUNCTION).await, 50.0, "{loss:?}, {minute} minutes later");
        }
        assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new(), "{loss:?}");
        world.settle().await;
        assert_eq!(world.live(FUNCTION).await, "2");
        assert_eq!(world.versions(FUNCTION).await, ["1", "2"]);
        let last = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
        let said: Vec<&str> = last.said.iter().map(|said| said.what.as_str()).collect();
        assert_eq!((last.number, last.kind, said), (TransitionNumber(2), Kind::Promoted, vec!["lost"]));
        assert_whole(&world, 2, &format!("{loss:?}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_whose_state_is_lost_while_git_goes_back_returns_its_traffic() {
    let world = deployed().await;
    world.releases.add("staging", SERVICE, &CANARY);
    world.releases.merge(SERVICE, "v1.1.0");
    while world.weight(FUNCTION).await < 10.0 {
        world.tick().await;
    }
    world.delete_document(STATE).await;
    world.releases.merge(SERVICE, "v1.0.0");
    world.tick().await;
    assert_eq!(world.live(FUNCTION).await, "1");
    world.settle().await;
    let kinds: Vec<Kind> = world.history(SERVICE).await.iter().map(|record| record.kind).collect();
    assert_eq!(kinds, [Kind::Promoted, Kind::Superseded]);
    assert_whole(&world, 2, "it is back").await;
}

#[tokio::test(start_paused = true)]
async fn a_last_good_content_that_cannot_be_read_is_written_over_and_never_deleted() {
    const DESIRED: &str = "desired/staging.json";
    for loss in [Loss::Broken, Loss::Emptied, Loss::Grown] {
        let world = deployed().await;
        let stored = world.document(DESIRED).await;
        lose(&world, DESIRED, loss).await;
        // While Git is down it is what the controller remembers, and then what Git has.
        world.releases.server.behave(git_server::Behaviour::Down);
        world.releases.merge(SERVICE, "v1.1.0");
        world.calls();
        world.tick().await;
        assert_eq!(world.document(DESIRED).await, stored, "{loss:?}");
        world.releases.server.behave(git_server::Behaviour::Serve);
        world.tick().await;
        let calls = world.calls();
        assert!(calls.mutations("s3").iter().all(|call| !call.contains("DeleteObject")), "{loss:?}: {calls:#?}");
        let found: serde_json::Value =
            serde_json::from_slice(&world.document(DESIRED).await).unwrap_or_else(|error| panic!("{loss:?}: {error}"));
        assert_eq!(found.get("schemaVersion"), Some(&serde_json::json!(1)), "{loss:?}");
        world.settle().await;
        assert_eq!(world.live(FUNCTION).await, "2", "{loss:?}");
    }
}

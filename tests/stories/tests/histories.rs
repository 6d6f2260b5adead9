//! Stories of a history that somebody asks for, and of one that somebody meddled with: whatever happened to a service is
//! proven, and whatever happened to its records is named.
#![expect(clippy::panic, reason = "a story that takes another turn should fail")]
use std::sync::Arc;
use std::time::Duration;

use local_aws::{AwsError, Fault, Service};
use stories::releases::Releases;
use stories::world::{World, sync};
use tidegate_core::command::Command;
use tidegate_core::history::{Head, Kind, Record, hash_bytes};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::report::{Answer, FailureKind};
use tidegate_core::verify::{Finding, Testimony, Verification};

const FUNCTION: &str = "StagingFlightService";
const SERVICE: &str = "flight-service";
const HEAD: &str = "history/staging/flight-service/head.json";

/// Steps that take no metrics, so that a story needs no traffic.
const CANARY: [&str; 7] = [
    "strategy:",
    "  canary:",
    "    steps:",
    "      - setWeight: 10",
    "      - pause: { duration: 1h }",
    "      - setWeight: 50",
    "      - pause: { duration: 1h }",
];

fn n(number: u64) -> TransitionNumber {
    TransitionNumber(number)
}

fn key(number: u64) -> String {
    format!("history/staging/flight-service/{number:010}.json")
}

/// `v1.0.0` is live, with one record.
async fn deployed() -> World {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world
}

/// Five records, the last of them wrote the alias.
async fn with_five_records() -> World {
    let world = deployed().await;
    for tag in ["v1.1.0", "v1.2.0", "v1.0.0", "v1.1.0"] {
        world.releases.merge(SERVICE, tag);
        world.settle().await;
    }
    assert_eq!(world.history(SERVICE).await.len(), 5);
    world
}

async fn verified(world: &World) -> Verification {
    world.verify(SERVICE).await.unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// Nothing is found, and the alias was last written by this transition.
async fn assert_proven(world: &World, transition: u64, when: &str) {
    let Verification { records, alias, findings, .. } = verified(world).await;
    assert_eq!((findings, alias), (vec![], Testimony::Agrees { transition: n(transition) }), "{when}");
    assert_eq!(records, world.history(SERVICE).await.len(), "{when}");
}

#[tokio::test(start_paused = true)]
async fn whatever_happens_to_a_service_its_history_is_proven() {
    let world = deployed().await;
    assert_proven(&world, 1, "the first deploy").await;
    world.releases.merge(SERVICE, "v1.1.0");
    world.settle().await;
    assert_proven(&world, 2, "a release").await;

    world.roll_back(&[SERVICE], "5xx").await;
    assert_proven(&world, 3, "a rollback").await;
    world.say(Command::Unhold, SERVICE, "it was the database").await.unwrap_or_else(|failure| panic!("{failure:?}"));
    for _ in 0..3 {
        world.tick().await;
    }
    assert_proven(&world, 4, "a hold that was lifted").await;

    world.releases.add("staging", SERVICE, &CANARY);
    world.releases.merge(SERVICE, "v1.2.0");
    for _ in 0..4 {
        world.tick().await;
    }
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    let during = verified(&world).await;
    assert_eq!((during.findings, during.alias), (vec![], Testimony::UnderWay { transition: n(5) }));
    world.say(Command::Abort, SERVICE, "5xx").await.unwrap_or_else(|failure| panic!("{failure:?}"));
    assert_proven(&world, 5, "an abort").await;

    world.say(Command::Retry, SERVICE, "once more").await.unwrap_or_else(|failure| panic!("{failure:?}"));
    for _ in 0..4 {
        world.tick().await;
    }
    assert_eq!(world.weight(FUNCTION).await, 10.0);
    world.releases.merge(SERVICE, "v1.1.0");
    for _ in 0..3 {
        world.tick().await;
    }
    let kinds: Vec<Kind> = world.history(SERVICE).await.iter().map(|record| record.kind).collect();
    assert_eq!(kinds.last(), Some(&Kind::Superseded), "{kinds:?}");
    assert_proven(&world, 6, "a release that Git took back").await;

    world.move_by_hand(FUNCTION, "1").await;
    assert_proven(&world, 6, "an alias that somebody moved by hand").await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_or_a_death_at_any_call_leaves_a_history_that_is_proven_after_the_next_ticks() {
    for call in 0..30 {
        let world = deployed().await;
        world.releases.merge(SERVICE, "v1.1.0");
        world.tick().await;
        let left = std::sync::atomic::AtomicUsize::new(call);
        world.break_calls(move |_| {
            let number =
                left.fetch_update(std::sync::atomic::Ordering::Relaxed, std::sync::atomic::Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
            number.is_err().then_some(Fault::LoseAnswer)
        });
        let _died_halfway = world.run(&sync("staging", None, None)).await;
        world.aws.clear_hook();
        world.advance(Duration::from_secs(90)).await;
        world.settle().await;
        assert_proven(&world, 2, &format!("after {call} calls")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_while_a_history_is_read_is_no_finding() {
    for late in [0, 5, 10, 15, 20, 30, 40, 60, 80, 120] {
        let world = deployed().await;
        world.releases.merge(SERVICE, "v1.1.0");
        world.tick().await;
        world.break_calls(|_| Some(Fault::Delay(Duration::from_millis(10))));
        let verifying = async {
            tokio::time::sleep(Duration::from_millis(late)).await;
            verified(&world).await
        };
        let both = async {
            let _released = world.run(&sync("staging", None, None)).await;
            world.roll_back(&[SERVICE], "5xx").await
        };
        let (found, _) = tokio::join!(verifying, both);
        assert_eq!(found.findings, [], "{late} ms later");
        world.aws.clear_hook();
    }
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_changed_is_named_with_both_hashes() {
    let world = with_five_records().await;
    let bytes = world.document(&key(3)).await;
    let text = String::from_utf8_lossy(&bytes).replace("\"actor\": \"controller\"", "\"actor\": \"nobody\"");
    world.put_document(&key(3), text.clone().into_bytes()).await;
    let (expected, found) = (hash_bytes(&bytes), hash_bytes(text.as_bytes()));
    let Verification { findings, .. } = verified(&world).await;
    assert_eq!(findings[0], Finding::Changed { number: n(3), expected, found });
    assert_eq!(findings.len(), 1, "{findings:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_record_that_somebody_removed_swapped_or_copied_is_named() {
    let world = with_five_records().await;
    let (second, third) = (world.document(&key(2)).await, world.document(&key(3)).await);
    world.delete_document(&key(3)).await;
    let gone = Finding::Missing { first: n(3), last: n(3), expected: Some(hash_bytes(&third)) };
    assert_eq!(verified(&world).await.findings, [gone]);

    world.put_document(&key(3), second.clone()).await;
    let (expected, found) = (Some(hash_bytes(&third)), hash_bytes(&second));
    let copied = Finding::Duplicated { number: n(3), of: n(2), expected, found };
    assert_eq!(verified(&world).await.findings, [copied]);

    world.put_document(&key(2), third).await;
    let findings = verified(&world).await.findings;
    let swapped = |finding: &Finding| matches!(finding, Finding::Reordered { .. });
    assert!(findings.len() == 2 && findings.iter().all(swapped), "{findings:#?}");

    world.put_document(&key(3), b"{}".to_vec()).await;
    world.put_document("history/staging/flight-service/3.json", b"{}".to_vec()).await;
    let findings = verified(&world).await.findings;
    let stray = Finding::Stray { name: "history/staging/flight-service/3.json".to_owned() };
    assert!(findings.contains(&stray), "{findings:#?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_was_cut_off_with_its_head_is_known_from_the_alias_alone() {
    let world = with_five_records().await;
    let head: Head = serde_json::from_slice(&world.document(HEAD).await).unwrap_or_else(|error| panic!("{error}"));
    let recent: Vec<Record> = head.recent.iter().filter(|record| record.number <= n(3)).cloned().collect();
    let hash = hash_bytes(&world.document(&key(3)).await);
    let older = Head { number: n(3), hash, recent, ..head };
    world.put_document(HEAD, serde_json::to_vec(&older).unwrap_or_default()).await;
    for number in [4, 5] {
        world.delete_document(&key(number)).await;
    }
    assert_eq!(verified(&world).await.findings, [Finding::CutOff { first: n(4), last: n(5) }]);

    for name in world.documents("history/").await {
        world.delete_document(&name).await;
    }
    assert_eq!(verified(&world).await.findings, [Finding::CutOff { first: n(1), last: n(5) }]);
}

#[tokio::test(start_paused = true)]
async fn a_history_whose_alias_nobody_can_ask_says_so() {
    let world = with_five_records().await;
    let denied = AwsError::new(403, "AccessDeniedException", "not authorized to perform: lambda:GetAlias");
    world.break_calls(move |call| (call.operation == "GetAlias").then(|| Fault::FailBefore(denied.clone())));
    let Verification { findings, alias, .. } = verified(&world).await;
    assert_eq!(findings, []);
    match alias {
        Testimony::Unreadable { message } => assert!(message.contains("lambda:GetAlias"), "{message}"),
        other => panic!("{other:?}"),
    }
    world.aws.clear_hook();

    world
        .account
        .lambda
        .delete_alias()
        .function_name(FUNCTION)
        .name("live")
        .send()
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    assert_eq!(verified(&world).await.alias, Testimony::Missing);

    let denied = AwsError::new(403, "AccessDenied", "not authorized to perform: s3:GetObject");
    world.break_calls(move |call| {
        (call.service == Service::S3 && call.head.uri.path().contains("0000000002"))
            .then(|| Fault::FailBefore(denied.clone()))
    });
    let failure = world.verify(SERVICE).await.err().unwrap_or_else(|| panic!("it cannot be read"));
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.contains("s3:GetObject"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn one_record_is_told_as_it_is_stored_and_a_number_that_is_not_there_with_those_that_are() {
    let world = with_five_records().await;
    let record = |service: &str, number| Command::Record {
        environment: "staging".parse().unwrap_or_else(|error| panic!("{error}")),
        service: service.parse().unwrap_or_else(|error| panic!("{error}")),
        number: n(number),
    };
    let stored = world.document(&key(2)).await;
    world.calls();
    match world.run(&record(SERVICE, 2)).await {
        Answer::Record { stored: told } => assert_eq!(told.as_bytes(), stored),
        other => panic!("{other:?}"),
    }
    assert_eq!(reads_of_history(&world), ["GetObject"]);
    for (service, number, told) in [
        (SERVICE, 6, "`staging/flight-service` has no record 6; it has records 1 to 5"),
        ("flight-bff", 1, "`staging/flight-bff` has no history; these have: `flight-service`"),
    ] {
        match world.run(&record(service, number)).await {
            Answer::Failed(failure) => {
                assert_eq!((failure.kind, failure.message.as_str()), (FailureKind::Refused, told));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The operations that read something of a history, since this was asked last.
fn reads_of_history(world: &World) -> Vec<&'static str> {
    let calls = world.calls().0.into_iter().filter(|call| call.service == "s3");
    let of_history = calls.filter(|call| call.operation == "ListObjectsV2" || call.resource.contains("history/"));
    of_history.map(|call| call.operation).collect()
}

#[tokio::test(start_paused = true)]
async fn of_ten_thousand_records_the_last_twenty_are_two_calls_and_all_are_proven_in_seconds() {
    const RECORDS: u64 = 10_000;
    let world = deployed().await;
    let mut record = world.history(SERVICE).await.pop().unwrap_or_else(|| panic!("no history"));
    let mut head: Head = serde_json::from_slice(&world.document(HEAD).await).unwrap_or_else(|error| panic!("{error}"));
    record.kind = Kind::Failed;
    for number in 2..=RECORDS {
        record.number = n(number);
        let appended = Head::append(Some(&head), record.clone()).unwrap_or_else(|error| panic!("{error}"));
        world.put_document(&key(number), appended.bytes).await;
        head = appended.head;
    }
    world.put_document(HEAD, serde_json::to_vec(&head).unwrap_or_default()).await;
    world.calls();

    let history = Command::History {
        environment: "staging".parse().unwrap_or_else(|error| panic!("{error}")),
        service: Some(SERVICE.parse().unwrap_or_else(|error| panic!("{error}"))),
        limit: Some(20),
    };
    match world.run(&history).await {
        Answer::History { records } => {
            let numbers: Vec<u64> = records.iter().map(|record| record.number.0).collect();
            assert_eq!(numbers, (RECORDS - 19..=RECORDS).rev().collect::<Vec<_>>());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(reads_of_history(&world), ["GetObject"; 2], "the head, and whether a record follows it");

    // An answer of S3 takes 20 ms or so.
    world.break_calls(|_| Some(Fault::Delay(Duration::from_millis(20))));
    let began = tokio::time::Instant::now();
    let Verification { records, findings, .. } = verified(&world).await;
    assert_eq!((records as u64, findings), (RECORDS, vec![]));
    assert!(began.elapsed() <= Duration::from_secs(10), "{:?}", began.elapsed());
    let calls = reads_of_history(&world);
    let lists = calls.iter().filter(|operation| **operation == "ListObjectsV2").count();
    assert_eq!((lists, calls.len() - lists), (12, RECORDS as usize + 1), "the services, and 10,001 names in thousands");
}

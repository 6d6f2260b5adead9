//! Stories of the credential of a private release repository: it opens Git, and is shown nowhere.
use std::sync::Arc;

use stories::account::{BUCKET, INSTALLATION, environment_configuration};
use stories::logs::{keep_logs, logged};
use stories::releases::Releases;
use stories::world::{SAMPLE, World, options};
use tidegate_core::status::HoldReason;

const SECRET: &str = "sesame-7b1f0c52";
const WRONG: &str = "mallory-93aa61d4";
const CREDENTIAL: &str = "/tidegate/main/git-token";

async fn private() -> World {
    let world = World::empty(Arc::new(Releases::private("deploy", SECRET)), options()).await;
    for (service, function) in SAMPLE {
        world.create_service(service, function).await;
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    let installation = format!(
        "schemaVersion: 1\nrepository:\n  url: {}\n  credential: {CREDENTIAL}\n  username: deploy\nstate:\n  bucket: {BUCKET}\n  prefix: tidegate\n",
        world.releases.url()
    );
    put(&world, &format!("/tidegate/{INSTALLATION}/installation"), &installation, false).await;
    put(&world, CREDENTIAL, SECRET, true).await;
    world
}

async fn put(world: &World, name: &str, value: &str, secret: bool) {
    let put = world.account.put_parameter(name, value, secret).await;
    assert!(put.is_ok(), "{put:?}");
}

/// Neither in logs, nor in any object as it is now, nor in a parameter that is no secret.
async fn assert_shown_nowhere(world: &World, secret: &str) {
    let requests = world.releases.server.requests();
    let sent = requests.iter().filter_map(|request| request.authorization.as_deref()?.strip_prefix("Basic "));
    let sent: std::collections::BTreeSet<&str> = sent.collect();
    assert!(!sent.is_empty(), "it was sent");
    let logs = logged();
    assert!(logs.contains("\"tick\""), "logs are kept");
    for text in sent.into_iter().chain([secret]) {
        let line = logs.lines().find(|line| line.contains(text));
        assert_eq!(line, None);
        for name in world.documents("").await {
            let content = String::from_utf8(world.document(&name).await).unwrap_or_default();
            assert!(!content.contains(text), "{name}: {content}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_private_repository_is_read_with_the_credential_of_parameter_store() {
    keep_logs();
    let world = private().await;
    let report = world.settle().await;
    assert_eq!(report.hold, None);
    assert!(!format!("{report:?}").contains(SECRET));
    assert_shown_nowhere(&world, SECRET).await;
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_was_stored_with_the_end_of_its_line_is_read_without() {
    let world = private().await;
    put(&world, CREDENTIAL, &format!("{SECRET}\n"), true).await;
    let report = world.settle().await;
    assert_eq!(report.hold, None);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_is_refused_and_shown_nowhere() {
    keep_logs();
    let world = private().await;
    world.settle().await;
    put(&world, CREDENTIAL, WRONG, true).await;
    world.releases.merge("flight-service", "v1.1.0");
    let report = world.tick().await;
    let hold = report.hold.clone();
    assert!(
        matches!(&hold, Some(HoldReason::GitUnavailable { message }) if message.contains("credential refused")),
        "{hold:?}"
    );
    assert!(!format!("{report:?}{:?}", world.status("staging").await).contains(WRONG));
    assert_shown_nowhere(&world, WRONG).await;
    assert_eq!(world.live("StagingFlightService").await, "1");
    put(&world, CREDENTIAL, SECRET, true).await;
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
    assert_shown_nowhere(&world, SECRET).await;
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_does_not_exist_is_named_and_holds_everything() {
    let world = private().await;
    world.settle().await;
    world.account.ssm.delete_parameter().name(CREDENTIAL).send().await.expect("DeleteParameter");
    world.releases.merge("flight-service", "v1.1.0");
    let report = world.tick().await;
    let hold = report.hold.expect("a hold").to_string();
    assert!(hold.contains(CREDENTIAL), "{hold}");
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
}

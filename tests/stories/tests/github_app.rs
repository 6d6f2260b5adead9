//! Stories of a private release repository that a GitHub App opens: keys are rotated, tokens end, GitHub is down, and
//! nothing of it is shown anywhere.
#![expect(clippy::panic, clippy::expect_used, reason = "a story that takes another turn should fail")]
use std::sync::Arc;

use git_server::{GithubApp, Keys};
use stories::account::{BUCKET, INSTALLATION, environment_configuration};
use stories::logs::{keep_logs, logged};
use stories::releases::Releases;
use stories::world::{SAMPLE, World, options};
use tidegate_core::report::Answer;
use tidegate_core::state::Revert;
use tidegate_core::status::HoldReason;

const KEY: &str = "/tidegate/main/github-app-key";

async fn put(world: &World, name: &str, value: &str, secret: bool) {
    world.account.put_parameter(name, value, secret).await.expect("PutParameter");
}

/// The sample in staging, behind a GitHub App of this key.
async fn private(keys: &Keys) -> World {
    let world = World::empty(Arc::new(Releases::of_github_app(keys)), options()).await;
    for (service, function) in SAMPLE {
        world.create_service(service, function).await;
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    let GithubApp { id, installation, .. } = GithubApp::new("releases", keys);
    let (url, api) = (world.releases.url(), world.releases.server.api_url());
    let configuration = format!(
        "schemaVersion: 1\nrepository:\n  url: {url}\n  githubApp:\n    appId: {id}\n    installationId: {installation}\n    privateKey: {KEY}\n    apiUrl: {api}\nstate:\n  bucket: {BUCKET}\n  prefix: tidegate\n"
    );
    put(&world, &format!("/tidegate/{INSTALLATION}/installation"), &configuration, false).await;
    put(&world, KEY, &keys.private_pem, true).await;
    world
}

/// What reads of Git are held by after a merge.
async fn hold_after_a_merge(world: &World) -> String {
    world.releases.merge("flight-service", "v1.1.0");
    let report = world.tick().await;
    match report.hold {
        Some(HoldReason::GitUnavailable { message }) => message,
        other => panic!("{other:?}"),
    }
}

/// Neither in logs, nor in any stored object, nor in a parameter that is no secret: keys, tokens, and what signs in.
async fn assert_shown_nowhere(world: &World, keys: &[&Keys]) {
    let server = &world.releases.server;
    let sent =
        server.requests().into_iter().filter_map(|request| Some(request.authorization?.split_once(' ')?.1.to_owned()));
    let tokens = server.github_tokens().into_iter().map(|token| token.text);
    let lines = keys.iter().flat_map(|keys| keys.private_pem.lines().filter(|line| !line.starts_with('-')));
    let secrets: std::collections::BTreeSet<String> = sent.chain(tokens).chain(lines.map(str::to_owned)).collect();
    assert!(secrets.len() > 2, "something was sent");
    let logs = logged();
    assert!(logs.contains("\"tick\""), "logs are kept");
    for secret in &secrets {
        assert_eq!(logs.lines().find(|line| line.contains(secret)), None);
    }
    for name in world.documents("").await {
        let content = String::from_utf8(world.document(&name).await).unwrap_or_default();
        let shown = secrets.iter().find(|secret| content.contains(*secret));
        assert_eq!(shown, None, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_merge_goes_live_by_tokens_that_may_only_read_and_are_shown_nowhere() {
    keep_logs();
    let keys = Keys::generate();
    let world = private(&keys).await;
    world.settle().await;
    world.releases.merge("flight-service", "v1.1.0");
    let report = world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
    let tokens = world.releases.server.github_tokens();
    assert_eq!(tokens.iter().map(|token| token.contents.as_str()).collect::<Vec<_>>(), ["read"], "one for many ticks");
    assert!(!format!("{report:?}").contains(&tokens[0].text));
    assert_shown_nowhere(&world, &[&keys]).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_told_by_a_token_that_may_write() {
    let keys = Keys::generate();
    let world = private(&keys).await;
    world.settle().await;
    world.releases.merge("flight-service", "v1.1.0");
    world.settle().await;
    let Answer::Services { reports, .. } = world.roll_back(&["flight-service"], "5xx").await else {
        panic!("no answer")
    };
    let revert = reports.into_values().next().and_then(|report| report.revert);
    assert!(matches!(revert, Some(Revert::Pushed(_))), "{revert:?}");
    let tokens = world.releases.server.github_tokens();
    assert_eq!(tokens.iter().map(|token| token.contents.as_str()).collect::<Vec<_>>(), ["read", "write"]);
}

#[tokio::test(start_paused = true)]
async fn a_rotated_key_is_read_by_the_next_tick() {
    keep_logs();
    let (old, new) = (Keys::generate(), Keys::generate());
    let world = private(&old).await;
    world.settle().await;
    let server = &world.releases.server;
    // As the guide has it: the new key is added, then stored, then the old one deleted.
    server.change_github_app(|app| app.public_keys.push(new.public_der.clone()));
    put(&world, KEY, &new.private_pem, true).await;
    assert_eq!(world.tick().await.hold, None);
    assert_eq!(server.github_tokens().len(), 2, "one of each key");
    server.change_github_app(|app| app.public_keys = vec![new.public_der.clone()]);
    world.releases.merge("flight-service", "v1.1.0");
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
    assert_shown_nowhere(&world, &[&old, &new]).await;
}

#[tokio::test(start_paused = true)]
async fn a_token_that_ends_in_the_middle_of_a_tick_is_replaced_in_it() {
    let keys = Keys::generate();
    let world = private(&keys).await;
    world.settle().await;
    // The next list ends the token that is known, and each new one serves a single request.
    world.releases.server.change_github_app(|app| {
        app.token_serves = Some(1);
        app.clock_ahead = app.token_lives;
    });
    world.releases.merge("flight-service", "v1.1.0");
    let report = world.tick().await;
    assert_eq!(report.hold, None);
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
    assert!(world.releases.server.github_tokens().len() > 2, "the tick needed more than one");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_holds_forward_moves_is_named_and_shown_nowhere() {
    keep_logs();
    let (keys, wrong) = (Keys::generate(), Keys::generate());
    let world = private(&keys).await;
    world.settle().await;
    put(&world, KEY, &wrong.private_pem, true).await;
    let hold = hold_after_a_merge(&world).await;
    assert!(hold.contains("refused the key of GitHub App 1234: was the key deleted"), "{hold}");
    assert_eq!(world.live("StagingFlightService").await, "1");
    assert_shown_nowhere(&world, &[&keys, &wrong]).await;
    put(&world, KEY, &keys.private_pem, true).await;
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn where_githubs_api_is_down_and_no_token_lives_it_is_as_git_being_down() {
    let keys = Keys::generate();
    let world = private(&keys).await;
    world.settle().await;
    world.releases.server.change_github_app(|app| {
        app.status = Some(503);
        app.clock_ahead = app.token_lives;
    });
    let hold = hold_after_a_merge(&world).await;
    assert!(hold.contains("answered with HTTP status 503"), "{hold}");
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    world.releases.server.change_github_app(|app| app.status = None);
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_configuration_with_both_ways_in_is_refused_before_anything_is_done() {
    let keys = Keys::generate();
    let world = private(&keys).await;
    let url = world.releases.url();
    let both = format!(
        "schemaVersion: 1\nrepository:\n  url: {url}\n  credential: /tidegate/main/token\n  githubApp: {{appId: 1, installationId: 2, privateKey: {KEY}}}\nstate:\n  bucket: {BUCKET}\n"
    );
    put(&world, &format!("/tidegate/{INSTALLATION}/installation"), &both, false).await;
    let failure = world.try_tick().await.expect_err("refused");
    assert!(failure.message.contains("leave one of them out"), "{failure:?}");
}

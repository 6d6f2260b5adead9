//! The commands that reach an installation, against a local AWS over HTTP.
use std::path::PathBuf;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use local_aws::server::{Server, serve};
use local_aws::{LocalAws, Options};

use crate::{Ended, ended, sample, tidegate};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-central-1";
const BUCKET: &str = "tidegate-main-state";

/// An account with a state bucket, an installation of one environment, and no controller.
struct Installation {
    endpoint: String,
    config: PathBuf,
    s3: aws_sdk_s3::Client,
    _files: tempfile::TempDir,
    _server: Server,
}

impl Installation {
    async fn new() -> Self {
        let (address, server) = serve(LocalAws::new(Options::default()), 0).await.unwrap();
        let endpoint = format!("http://{address}");
        let s3 = aws_sdk_s3::config::Builder::from(&sdk(&endpoint)).force_path_style(true).build();
        let s3 = aws_sdk_s3::Client::from_conf(s3);
        let place = aws_sdk_s3::types::CreateBucketConfiguration::builder()
            .location_constraint(aws_sdk_s3::types::BucketLocationConstraint::from(REGION))
            .build();
        s3.create_bucket().bucket(BUCKET).create_bucket_configuration(place).send().await.unwrap();
        let files = tempfile::tempdir().unwrap();
        let config = files.path().join("tidegate.yaml");
        std::fs::write(
            &config,
            format!(
                "installation:\n  schemaVersion: 1\n  repository: {{ url: 'https://git.example.com/r' }}\n  state: {{ bucket: {BUCKET} }}\n\
                 environments:\n  staging:\n    schemaVersion: 1\n    region: {REGION}\n    allowedFunctions: ['Staging*']\n    \
                 registries: [{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com]\n"
            ),
        )
        .unwrap();
        Self { endpoint, config, s3, _files: files, _server: server }
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        let mut command = tidegate(arguments);
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("TIDEGATE_CONFIG", &self.config);
        tokio::task::spawn_blocking(move || ended(command)).await.unwrap()
    }

    async fn put(&self, key: &str, document: serde_json::Value) {
        self.put_bytes(key, document.to_string().as_bytes()).await;
    }

    async fn put_bytes(&self, key: &str, bytes: &[u8]) {
        let body = bytes.to_vec().into();
        self.s3.put_object().bucket(BUCKET).key(key).body(body).send().await.unwrap();
    }
}

fn sdk(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(ACCOUNT, "test", None, None, "test")))
        .region(Region::from_static(REGION))
        .endpoint_url(endpoint)
        .build()
}

fn report(started: chrono::DateTime<chrono::Utc>) -> serde_json::Value {
    serde_json::json!({
        "schemaVersion": 1, "environment": "staging", "tick": "t", "started": started, "durationMs": 5,
        "commit": null, "hold": null, "problems": [], "lastSuccess": started, "calls": {},
        "services": {
            "flight-service": {
                "standing": { "sync": "Synced", "health": "Healthy", "phase": "Idle", "waitingOn": null },
                "function": "StagingFlightService", "alias": "live",
                "wanted": { "label": "v1.0.0", "release": null, "code": null },
                "live": { "version": "3", "code": null, "tag": "v1.0.0" }, "done": [], "error": null
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn before_the_first_tick_there_is_no_status_and_that_is_said() {
    let installation = Installation::new().await;
    let ended = installation.run(&["status", "staging", "--direct"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""));
    assert_eq!(ended.stderr, "error: `staging` has no status yet: no tick of it has ended; does its schedule run?\n");
    let ended = installation.run(&["status", "staging"]).await;
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.contains("`staging` has no status yet"), "{}", ended.stderr);
    let ended = installation.run(&["history", "staging"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, "`staging` has no history yet\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_read_without_a_controller() {
    let installation = Installation::new().await;
    installation.put("status/staging.json", report(std::time::SystemTime::now().into())).await;
    let ended = installation.run(&["status"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.starts_with("staging  Synced  Healthy\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nflight-service  Synced  Healthy  Idle   3        v1.0.0\n"), "{}", ended.stdout);
    let json = installation.run(&["status", "staging/flight-service", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json[0]["services"]["flight-service"]["live"]["version"], "3");
    assert_eq!(installation.run(&["status", "staging/nothing"]).await.code, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_environment_is_refused_with_those_that_there_are() {
    let installation = Installation::new().await;
    for arguments in [["status", "test"], ["history", "test"]] {
        let ended = installation.run(&arguments).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (4, ""));
        assert_eq!(ended.stderr, "error: there is no environment `test` in the configuration; there are `staging`\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_that_does_not_exist_is_named() {
    let installation = Installation::new().await;
    let ended = installation.run(&["sync", "staging"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (5, ""));
    assert_eq!(
        ended.stderr,
        "error: there is no controller `tidegate-main` in eu-central-1\n\
         hint: name it with `--function` or `--installation`, or set `AWS_REGION`; `--direct` does without it\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_diff_leaves_out_what_the_installation_does_not_have_and_names_what_stands_in_the_way() {
    let installation = Installation::new().await;
    let sample = sample();
    let ended = installation.run(&["diff", sample.to_str().unwrap(), "--direct"]).await;
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.stderr.contains("warning: `production` is left out: the installation does not have it\n"));
    assert!(ended.stderr.contains("`staging`: 3 of 3 services differ\n"), "{}", ended.stderr);
    assert!(ended.stdout.starts_with("staging/flight-bff\n  waits on: "), "{}", ended.stdout);
    let json = installation.run(&["diff", sample.to_str().unwrap(), "--environment", "staging", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["staging"]["flight-service"]["waitingOn"].is_string(), "{json}");
    let unknown = installation.run(&["diff", sample.to_str().unwrap(), "--environment", "test"]).await;
    assert_eq!(unknown.code, 4);
    assert!(unknown.stderr.contains("there are `production`, `staging`"), "{}", unknown.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aws_that_does_not_answer_and_a_missing_region_have_messages_of_their_own() {
    let mut command = tidegate(&["sync", "--function", "mine"]);
    command
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCOUNT)
        .env("AWS_SECRET_ACCESS_KEY", "planted-secret");
    let ended = tokio::task::spawn_blocking(move || ended(command)).await.unwrap();
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.starts_with("error: the controller `mine` did not answer: "), "{}", ended.stderr);
    assert!(!ended.stderr.contains("planted-secret"));
    let mut command = tidegate(&["status"]);
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let ended = tokio::task::spawn_blocking(move || crate::ended(command)).await.unwrap();
    assert_eq!(ended.code, 5);
    assert!(ended.stderr.starts_with("error: there is no AWS region\nhint: "), "{}", ended.stderr);
}

/// Three records of `staging/flight-service` and their head, as the controller writes them.
async fn with_history(installation: &Installation) -> Vec<Vec<u8>> {
    use tidegate_core::history::{Deployed, Head, Kind, Record};
    use tidegate_core::ids::{ReleaseId, TransitionNumber, Version};
    use tidegate_core::release::Code;

    let at: chrono::DateTime<chrono::Utc> = "2026-11-21T05:43:10Z".parse().unwrap();
    let (mut head, mut stored): (Option<Head>, Vec<Vec<u8>>) = (None, Vec::new());
    for number in 1..=3 {
        let to = Deployed {
            version: Version::new(number),
            release: ReleaseId::from_sha256([7; 32]),
            code: Code::Image(format!("sha256:{}", "ab".repeat(32)).parse().unwrap()),
            tag: Some("v1.0.0".parse().unwrap()),
            archive: None,
        };
        let record = Record {
            schema_version: 1,
            number: TransitionNumber(number),
            previous: None,
            environment: "staging".parse().unwrap(),
            service: "flight-service".parse().unwrap(),
            kind: Kind::Promoted,
            from: None,
            to,
            held: None,
            ended: None,
            marked: None,
            commit: None,
            actor: "controller".to_owned(),
            reason: None,
            started: at,
            finished: at,
            tick: "t".to_owned(),
            steps: Vec::new(),
            said: Vec::new(),
        };
        let appended = Head::append(head.as_ref(), record).unwrap();
        installation.put_bytes(&format!("history/staging/flight-service/{number:010}.json"), &appended.bytes).await;
        stored.push(appended.bytes);
        head = Some(appended.head);
    }
    installation.put("history/staging/flight-service/head.json", serde_json::to_value(&head).unwrap()).await;
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_shown_in_full_and_for_programs_to_the_byte() {
    let installation = Installation::new().await;
    let stored = with_history(&installation).await;
    let ended = installation.run(&["history", "show", "staging/flight-service", "2"]).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.starts_with("staging/flight-service 2: promoted\nto       version 2, v1.0.0\n"), "{ended:?}");
    let hash = tidegate_core::history::hash_bytes(&stored[1]).0;
    assert!(ended.stdout.ends_with(&format!("\nhash     {hash}\n")), "{}", ended.stdout);
    let json = installation.run(&["history", "show", "staging/flight-service", "2", "-o", "json"]).await;
    assert_eq!((json.code, json.stdout.as_bytes()), (0, stored[1].as_slice()));
    let yaml = installation.run(&["history", "show", "staging/flight-service", "2", "-o", "yaml", "--direct"]).await;
    assert!(yaml.stdout.starts_with("schemaVersion: 1\nnumber: 2\nprevious: "), "{}", yaml.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_or_service_that_is_not_there_is_refused_with_those_that_are() {
    let installation = Installation::new().await;
    let nothing = installation.run(&["history", "show", "staging/flight-service", "1"]).await;
    assert_eq!((nothing.code, nothing.stderr.as_str()), (4, "error: `staging` has no history yet\n"));
    with_history(&installation).await;
    let ended = installation.run(&["history", "show", "staging/flight-service", "4"]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""));
    assert_eq!(ended.stderr, "error: `staging/flight-service` has no record 4; it has records 1 to 3\n");
    for command in [&["history", "show", "staging/nothing", "1"][..], &["history", "verify", "staging/nothing"]] {
        let ended = installation.run(command).await;
        assert_eq!(ended.code, 4);
        assert_eq!(
            ended.stderr, "error: `staging/nothing` has no history; these have: `flight-service`\n",
            "{command:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_verified_as_far_as_it_can_be_and_what_was_changed_is_named() {
    let installation = Installation::new().await;
    let stored = with_history(&installation).await;
    let ended = installation.run(&["history", "verify", "staging", "--direct"]).await;
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.stdout.starts_with("3 records of staging/flight-service: chained to "), "{}", ended.stdout);
    assert_eq!(
        ended.stderr,
        "error: the alias of `staging/flight-service` could not be read: \
         it is not known what Git wants of `staging`: no tick of it has ended\n"
    );
    let forged = String::from_utf8(stored[1].clone()).unwrap().replace("controller", "somebody");
    installation.put_bytes("history/staging/flight-service/0000000002.json", forged.as_bytes()).await;
    let ended = installation.run(&["history", "verify", "staging/flight-service"]).await;
    assert_eq!(ended.code, 1);
    assert!(
        ended.stdout.contains("\n  history/staging/flight-service/0000000002.json\n    record 2 was changed\n"),
        "{}",
        ended.stdout
    );
    assert!(ended.stderr.ends_with("error: 1 of 1 history is not as written\n"), "{}", ended.stderr);
    let json = installation.run(&["history", "verify", "staging", "-o", "json"]).await;
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json[0]["proven"], &json[0]["records"]), (&false.into(), &3.into()));
    let finding = &json[0]["findings"][0];
    assert_eq!(finding["object"], "history/staging/flight-service/0000000002.json");
    assert_eq!((&finding["problem"], &finding["number"]), (&"changed".into(), &2.into()));
    assert_eq!(finding["expected"], tidegate_core::history::hash_bytes(&stored[1]).0);
}

//! `init`: from functions that a team deployed by hand to an environment that Tidegate finds as wanted.
use std::path::Path;
use std::time::Duration;

use aws_sdk_lambda::types::AliasRoutingConfiguration;
use git_server::{GitServer, Repository, WorkTree};
use local_aws::server::{Server, serve};
use local_aws::wire::AwsError;
use local_aws::{Fault, LocalAws, Options};
use stories::account::{ACCOUNT, Account, BUCKET, Build, REGION, config_at, registry};
use stories::world::archive;

use crate::{Ended, ended, repository, tidegate};

const SERVICES: &str = "environments/staging/services.yaml";

/// An account in which a team has deployed functions for years.
pub(crate) struct Team {
    pub(crate) aws: LocalAws,
    pub(crate) account: Account,
    endpoint: String,
    _server: Server,
}

impl Team {
    pub(crate) async fn new() -> Self {
        // Nobody waits here for an image to be fetched.
        let at_once = Duration::ZERO;
        let options = Options {
            image_update: at_once,
            zip_update: at_once,
            configuration_update: at_once,
            publish: at_once,
            ..Options::default()
        };
        let aws = LocalAws::new(options);
        let (address, server) = serve(aws.clone(), 0).await.unwrap();
        let endpoint = format!("http://{address}");
        Self { aws, account: Account::new(&config_at(&endpoint, ACCOUNT)), endpoint, _server: server }
    }

    /// A function from an image with this tag, and `live` on its version.
    async fn deploy(&self, function: &str, repository: &str, tag: &str) {
        self.deploy_with(function, repository, tag, &[("TOKEN", "planted-secret")]).await;
    }

    /// The same, with these variables.
    pub(crate) async fn deploy_with(&self, function: &str, repository: &str, tag: &str, variables: &[(&str, &str)]) {
        self.account.create_repository(repository).await.unwrap();
        let image = self.push(repository, tag, "first").await;
        self.account.create_function(function, &image, 10, variables).await.unwrap();
        self.account.publish_by_hand(function, "live").await.unwrap();
    }

    pub(crate) async fn push(&self, repository: &str, tag: &str, build: &str) -> String {
        let build = Build { program: "closure:none", environment: &[("BUILD", build)] };
        self.account.push_image(repository, tag, build).await.unwrap()
    }

    /// Functions of every kind that can be taken over, and of some that cannot.
    async fn with_functions() -> Self {
        let team = Self::new().await;
        team.deploy("StagingFlightService", "company/flight-service", "v1.0.0").await;
        team.deploy("StagingFlightBff", "company/flight-bff", "latest").await;
        team.deploy("StagingReservationService", "company/reservation-service", "v1.0.0").await;
        // The tag is pushed again: what is live has none any more.
        team.push("company/reservation-service", "v1.0.0", "second").await;
        team.deploy("ProductionFlightService", "company/production", "v1.0.0").await;
        let account = &team.account;
        account.create_zip_function("StagingReports", archive("1"), 10, &[]).await.unwrap();
        account.publish_by_hand("StagingReports", "live").await.unwrap();
        account.create_zip_function("StagingCron", archive("2"), 10, &[]).await.unwrap();
        team
    }

    pub(crate) async fn run(&self, arguments: &[&str], config: Option<&Path>) -> Ended {
        let mut command = tidegate(arguments);
        command
            .env("AWS_ENDPOINT_URL", &self.endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", ACCOUNT)
            .env("AWS_SECRET_ACCESS_KEY", "test");
        if let Some(config) = config {
            command.env("TIDEGATE_CONFIG", config).env("XDG_CACHE_HOME", config.parent().unwrap());
        }
        tokio::task::spawn_blocking(move || ended(command)).await.unwrap()
    }

    async fn init(&self, dir: &Path, more: &[&str]) -> Ended {
        let dir = dir.to_str().unwrap();
        let arguments = ["init", dir, "--environment", "staging", "--function-prefix", "Staging"];
        self.run(&[&arguments, more].concat(), None).await
    }

    /// The calls that changed a function or an alias.
    fn changes(&self) -> Vec<String> {
        let calls = self.aws.calls().into_iter().filter(|call| call.service == "lambda" && call.is_mutating());
        calls.map(|call| format!("{} {}", call.operation, call.resource)).collect()
    }

    /// The controller's configuration as a file, for a release repository at `url`.
    async fn configuration(&self, dir: &Path, url: &str) -> std::path::PathBuf {
        self.account.create_bucket(BUCKET).await.unwrap();
        let path = dir.join("tidegate.yaml");
        let text = format!(
            "installation:\n  schemaVersion: 1\n  repository: {{ url: '{url}' }}\n  state: {{ bucket: {BUCKET} }}\n\
             environments:\n  staging:\n    schemaVersion: 1\n    region: {REGION}\n    allowedFunctions: ['Staging*']\n    \
             registries: [{}]\n    buckets: [artifacts]\n",
            registry()
        );
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn read(dir: &Path, file: &str) -> String {
    std::fs::read_to_string(dir.join(file)).unwrap()
}

/// The file with its one zip archive completed, as its comment says.
fn with_object(services: &str) -> String {
    let completed = |line: &str| match line.strip_prefix("  # ") {
        Some(entry) if entry == "reports:" => format!("  {entry}\n"),
        Some(field) if field.starts_with("  ") => format!("  {}\n", field.replace("\"\"", "\"artifacts\"")),
        Some(_) | None => format!("{line}\n"),
    };
    services.lines().map(completed).collect()
}

fn release_repository(dir: &Path) -> (Repository, WorkTree, GitServer) {
    let bare = Repository::create(dir.join("git/releases.git")).unwrap();
    let tree = bare.work_tree(dir.join("tree")).unwrap();
    let server = GitServer::start(&dir.join("git"), git_server::Options::default()).unwrap();
    (bare, tree, server)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_team_deployed_by_hand_is_taken_over_without_a_call_that_changes_anything() {
    let team = Team::with_functions().await;
    let dir = tempfile::tempdir().unwrap();
    let (_bare, tree, server) = release_repository(dir.path());
    team.aws.forget_calls();

    let init = team.init(tree.dir(), &[]).await;
    assert_eq!((init.code, init.stdout.as_str()), (0, ""), "{init:?}");
    tree.write(SERVICES, with_object(&read(tree.dir(), SERVICES))).unwrap();
    let valid = team.run(&["validate", tree.dir().to_str().unwrap()], None).await;
    assert_eq!((valid.code, valid.stderr.as_str()), (0, "valid: 4 services in `staging`\n"));
    tree.commit("Adopt what is live in staging").unwrap();
    tree.push().unwrap();
    let config = team.configuration(dir.path(), &server.url("releases.git")).await;
    let diff = team.run(&["diff", tree.dir().to_str().unwrap()], Some(&config)).await;
    let adopts = |service| {
        format!(
            "staging/{service}\n  would write version 1 to the service registry\n  would record transition 1 as adopted\n"
        )
    };
    let adopted = ["flight-bff", "flight-service", "reports", "reservation-service"].map(adopts);
    assert_eq!((diff.code, diff.stdout), (1, adopted.join("\n")));
    for _ in 0..3 {
        let tick = team.run(&["sync", "staging", "--direct"], Some(&config)).await;
        assert_eq!(tick.code, 0, "{tick:?}");
    }

    let status = team.run(&["status", "staging", "-o", "json"], Some(&config)).await;
    let status: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    let services = status[0]["services"].as_object().unwrap();
    assert_eq!(services.keys().collect::<Vec<_>>(), ["flight-bff", "flight-service", "reports", "reservation-service"]);
    for (name, service) in services {
        assert_eq!(service["standing"]["sync"], "Synced", "{name}: {service}");
        assert_eq!(service["live"]["version"], "1", "{name}");
    }
    let diff = team.run(&["diff", tree.dir().to_str().unwrap()], Some(&config)).await;
    assert_eq!((diff.code, diff.stdout.as_str()), (0, ""), "{diff:?}");
    assert_eq!(team.changes(), Vec::<String>::new());
    let history = team.run(&["history", "staging/flight-service", "-o", "json"], Some(&config)).await;
    assert_eq!(history.stdout.matches("\"adopted\"").count(), 1, "{}", history.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_and_what_is_said_name_what_was_left_out_and_what_is_next() {
    let team = Team::with_functions().await;
    let dir = tempfile::tempdir().unwrap();
    let init = team.init(&dir.path().join("releases"), &[]).await;
    assert_eq!((init.code, init.stdout.as_str()), (0, ""), "{init:?}");
    let dir = dir.path().join("releases");
    let said = init.stderr.replace(&dir.display().to_string(), "releases");
    insta::assert_snapshot!(format!("{said}---\n{}---\n{}", read(&dir, "release-config.yaml"), read(&dir, SERVICES)));
    let all = format!("{said}{}", read(&dir, SERVICES));
    assert!(!all.contains("planted-secret"), "the value of an environment variable is shown");
    assert!(said.lines().all(|line| line.len() <= 80), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_exists_is_kept_and_what_it_lacks_can_be_shown() {
    let team = Team::with_functions().await;
    let entry = "services:\n  bff:\n    functionName: StagingFlightBff\n    ecrRepository: company/flight-bff\n    imageTag: \"v1\"\n";
    let dir = repository(&[("release-config.yaml", "environments:\n  staging: {}\n"), (SERVICES, entry)]);
    let ended = team.init(dir.path(), &[]).await;
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""));
    assert!(ended.stderr.contains("services.yaml` exists, and stays as it is\nhint: `--stdout` shows"), "{ended:?}");
    assert_eq!(team.aws.calls().iter().filter(|call| call.operation == "ListFunctions").count(), 0);

    let ended = team.init(dir.path(), &["--stdout", "--exclude", "StagingReservationService"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.starts_with("  flight-service:\n    imageTag: \"v1.0.0\"\n"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("FlightBff") && !ended.stdout.contains("Reservation"), "{}", ended.stdout);
    assert_eq!(read(dir.path(), SERVICES), entry);
    std::fs::write(dir.path().join(SERVICES), format!("{entry}\n{}", ended.stdout)).unwrap();
    let valid = team.run(&["validate", dir.path().to_str().unwrap()], None).await;
    assert_eq!(valid.code, 0, "{valid:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_does_not_list_the_environment_or_is_not_valid_is_refused_before_aws_is_asked() {
    let team = Team::new().await;
    let dir = repository(&[("release-config.yaml", "environments:\n  production: {}\n")]);
    let ended = team.init(dir.path(), &[]).await;
    assert_eq!(ended.code, 4);
    assert_eq!(
        ended.stderr,
        "error: `release-config.yaml` does not list `staging`\n\
         hint: add it there, as `staging: {}` below `environments:`, and say this again\n"
    );
    let dir = repository(&[("release-config.yaml", "environment: {}\n")]);
    let ended = team.init(dir.path(), &[]).await;
    assert_eq!(ended.code, 3);
    assert!(ended.stderr.ends_with("error: `release-config.yaml` is not valid\n"), "{}", ended.stderr);
    assert!(!dir.path().join(SERVICES).exists());
    assert!(team.aws.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_of_a_large_account_is_read() {
    let team = Team::new().await;
    for number in 0..60 {
        let name = if number == 59 { "StagingLast".to_owned() } else { format!("Other{number:02}") };
        team.account.create_zip_function(&name, archive("1"), 10, &[]).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let ended = team.init(dir.path(), &["--stdout"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stdout.contains("services: {}\n  # StagingLast is left out: it has no alias `live`"), "{ended:?}");
    assert!(ended.stderr.contains("`release-config.yaml` would be written as well"), "{}", ended.stderr);
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none(), "`--stdout` writes no file");
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_that_somebody_shifts_is_not_taken_over_until_that_is_done() {
    let team = Team::new().await;
    team.deploy("StagingFlightService", "company/flight-service", "v1.0.0").await;
    let image = team.push("company/flight-service", "v1.1.0", "second").await;
    let lambda = &team.account.lambda;
    let update = lambda.update_function_code().function_name("StagingFlightService").image_uri(image).publish(true);
    let version = update.send().await.unwrap().version.unwrap();
    let routing = AliasRoutingConfiguration::builder().additional_version_weights(version, 0.1).build();
    let shift = lambda.update_alias().function_name("StagingFlightService").name("live").routing_config(routing);
    shift.send().await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let ended = team.init(dir.path(), &["--stdout"]).await;
    assert!(ended.stdout.contains("sends a part of the traffic to version 2"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_read_is_said_and_nothing_is_written_where_nothing_was_read() {
    let team = Team::with_functions().await;
    let deny = |operation: &'static str| {
        move |call: &local_aws::Call| match call.operation == operation {
            true => Fault::FailBefore(AwsError::new(403, "AccessDeniedException", format!("no {operation}"))),
            false => Fault::None,
        }
    };
    for operation in ["ListFunctions", "GetFunction"] {
        team.aws.set_hook(std::sync::Arc::new(deny(operation)));
        let dir = tempfile::tempdir().unwrap();
        let ended = team.init(dir.path(), &[]).await;
        assert_eq!(ended.code, 4, "{ended:?}");
        assert!(ended.stderr.starts_with(&format!("error: `lambda:{operation}` of ")), "{}", ended.stderr);
        assert!(ended.stderr.ends_with("\nhint: `tidegate init --help` names the rights that it needs\n"));
        assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
    }
    team.aws.set_hook(std::sync::Arc::new(deny("DescribeImages")));
    let dir = tempfile::tempdir().unwrap();
    let ended = team.init(dir.path(), &["--stdout"]).await;
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains("warning: tags could not be read, so digests are written: "), "{}", ended.stderr);
    assert_eq!(ended.stdout.matches("@sha256:").count(), 3, "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_functions_no_credentials_and_no_region_are_told_apart() {
    let team = Team::new().await;
    let dir = tempfile::tempdir().unwrap();
    let ended = team.init(dir.path(), &[]).await;
    assert_eq!(ended.code, 4);
    assert_eq!(
        ended.stderr,
        "error: there is no function in eu-central-1 whose name begins with `Staging`\n\
         hint: are `AWS_PROFILE` and `AWS_REGION` those of the environment?\n"
    );
    let dir = dir.path().to_str().unwrap().to_owned();
    let mut command = tidegate(&["init", &dir, "--environment", "staging"]);
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", REGION);
    let no_credentials = tokio::task::spawn_blocking(move || crate::ended(command)).await.unwrap();
    assert_eq!(no_credentials.code, 5);
    assert_eq!(no_credentials.stderr, "error: there are no AWS credentials\nhint: sign in, or set `AWS_PROFILE`\n");
    let mut command = tidegate(&["init", &dir, "--environment", "staging"]);
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    let no_region = tokio::task::spawn_blocking(move || crate::ended(command)).await.unwrap();
    assert_eq!(no_region.code, 5);
    assert!(no_region.stderr.starts_with("error: there is no AWS region\nhint: "), "{no_region:?}");
}

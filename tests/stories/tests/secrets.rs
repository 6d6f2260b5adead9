//! The story of fourteen planted secrets: releases and rollbacks, while each kind of call fails in each way that there is. None of
//! them is in a log, a report, a record, a metric, a diff, a parameter that is no secret, or a branch.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that takes another turn should fail")]
use std::collections::BTreeSet;
use std::sync::Arc;

use git_server::{Behaviour, GithubApp, Keys};
use local_aws::{AwsError, Call, Fault};
use stories::account::{BUCKET, INSTALLATION, environment_configuration};
use stories::logs::{keep_logs, logged};
use stories::releases::Releases;
use stories::world::{SAMPLE, World, options, sync};
use tidegate_core::command::Command;

/// What nobody may see, each with a name for whoever reads a failure.
const GIT_TOKEN: (&str, &str) = ("the token of the release repository", "p1anted-git-token");
const LIVE: (&str, &str) = ("a variable that is not in Git", "p1anted-live-variable");
const GIVEN: (&str, &str) = ("a variable that is in Git", "p1anted-given-variable");
const OTHER_PARAMETER: (&str, &str) = ("another SecureString", "p1anted-parameter");
const EXTERNAL_ID: (&str, &str) = ("the external id of the role", "p1anted-external-id");
const ROLE_SECRET: (&str, &str) = ("the secret key of the role's session", "local-secret-of-");
const ROLE_TOKEN: (&str, &str) = ("the token of the role's session", "local-session-token-of-");
const STATE: (&str, &str) = ("what lies in a document that cannot be read", "p1anted-state");
const REDIRECT: (&str, &str) = ("a password in a redirect", "p1anted-redirect");
const PAGE: (&str, &str) = ("what a server says that is none of Git", "p1anted-page");

/// Beside them: the token as it is sent; of a GitHub App its key, what it signs in with, and its tokens.
const FIXED: [(&str, &str); 10] =
    [GIT_TOKEN, LIVE, GIVEN, OTHER_PARAMETER, EXTERNAL_ID, ROLE_SECRET, ROLE_TOKEN, STATE, REDIRECT, PAGE];

const CREDENTIAL: &str = "/tidegate/main/credential";
const ROLE: &str = "arn:aws:iam::111111111111:role/tidegate";

/// A world with all of them in it, and everything that it has said.
struct Planted {
    world: World,
    /// Those that are made on the way.
    keys: Option<Keys>,
    said: Vec<String>,
    releases: usize,
}

impl Planted {
    /// Behind a password, or a GitHub App.
    async fn new(keys: Option<Keys>) -> Self {
        keep_logs();
        let releases = keys.as_ref().map_or_else(|| Releases::private("deploy", GIT_TOKEN.1), Releases::of_github_app);
        let world = World::empty(Arc::new(releases), options()).await;
        let (service, function) = SAMPLE[0];
        world.create_service(service, function).await;
        let put = |name: &'static str, value: String, secret: bool| {
            let account = &world.account;
            async move { account.put_parameter(name, &value, secret).await.expect("PutParameter") }
        };
        let (login, credential) = match &keys {
            None => (format!("  credential: {CREDENTIAL}\n  username: deploy\n"), GIT_TOKEN.1.to_owned()),
            Some(keys) => {
                let GithubApp { id, installation, .. } = GithubApp::new("releases", keys);
                let api = world.releases.server.api_url();
                let app =
                    format!("appId: {id}, installationId: {installation}, privateKey: {CREDENTIAL}, apiUrl: \"{api}\"");
                (format!("  githubApp: {{ {app} }}\n"), keys.private_pem.clone())
            }
        };
        put(CREDENTIAL, credential, true).await;
        put("/tidegate/main/other", OTHER_PARAMETER.1.to_owned(), true).await;
        let installation = format!(
            "schemaVersion: 1\nrepository:\n  url: {}\n{login}state:\n  bucket: {BUCKET}\n  prefix: tidegate\n",
            world.releases.url()
        );
        let name = format!("/tidegate/{INSTALLATION}/installation");
        world.account.put_parameter(&name, &installation, false).await.expect("PutParameter");
        world.aws.register_role(ROLE, Some(EXTERNAL_ID.1));
        let staging = environment_configuration("Staging");
        world.configure("staging", &format!("{staging}roleArn: {ROLE}\nexternalId: {}\n", EXTERNAL_ID.1)).await;
        let variables = aws_sdk_lambda::types::Environment::builder().variables("LIVE", LIVE.1).build();
        let call = world.account.lambda.update_function_configuration().function_name(function);
        call.environment(variables).send().await.expect("UpdateFunctionConfiguration");
        Self { world, keys, said: Vec::new(), releases: 0 }
    }

    /// A merge of another image, and of another value.
    fn release(&mut self) {
        self.releases += 1;
        let tag = if self.releases.is_multiple_of(2) { "v1.1.0" } else { "v1.2.0" };
        self.world.releases.write(
            "environments/staging/services.yaml",
            &format!(
                "services:\n  flight-service:\n    imageTag: {tag}\n    functionName: StagingFlightService\n    \
                 ecrRepository: company/flight-service\n    environment: {{ GIVEN: {}-{} }}\n    \
                 strategy: {{ canary: {{ steps: [{{ setWeight: 10 }}, {{ pause: {{ duration: 1m }} }}] }} }}\n    \
                 analysis: {{ maxErrorRate: 50%, minInvocations: 1 }}\n",
                GIVEN.1, self.releases
            ),
        );
        self.world.releases.push("Release");
    }

    /// A tick, and everything else that people look at.
    async fn look(&mut self) {
        self.world.traffic("StagingFlightService", 50, |_| 0.0);
        let (environment, service) = ("staging".parse().expect("a name"), SAMPLE[0].0.parse().expect("a name"));
        for command in [
            sync("staging", None, None),
            Command::Status { environment: Some("staging".parse().expect("a name")) },
            Command::History { environment, service: Some(service), limit: None },
        ] {
            self.say(&command).await;
        }
        let preview = self.world.try_preview().await;
        self.said.push(format!("{preview:?}"));
        self.world.advance(std::time::Duration::from_secs(60)).await;
    }

    /// A tick, and the minute until the next.
    async fn tick(&mut self) {
        self.say(&sync("staging", None, None)).await;
        self.world.advance(std::time::Duration::from_secs(60)).await;
    }

    async fn say(&mut self, command: &Command) {
        let answer = self.world.run(command).await;
        self.said.push(format!("{answer:?} {}", serde_json::to_string(&answer).expect("an answer")));
    }

    async fn roll_back(&mut self) {
        let answer = self.world.roll_back(&[SAMPLE[0].0], "5xx").await;
        self.said.push(format!("{answer:?} {}", serde_json::to_string(&answer).expect("an answer")));
    }

    /// All secrets: the fixed ones, and those that were made.
    fn secrets(&self) -> Vec<(String, String)> {
        let fixed = FIXED.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let server = &self.world.releases.server;
        let sent = server.requests().into_iter().filter_map(|request| request.authorization);
        let sent =
            sent.filter_map(|sent| Some(("what a request carried".to_owned(), sent.split_once(' ')?.1.to_owned())));
        let sent: BTreeSet<(String, String)> = sent.collect();
        assert!(!sent.is_empty(), "something was sent");
        let tokens = server.github_tokens().into_iter().map(|token| ("a token of the app".to_owned(), token.text));
        let lines = self.keys.iter().flat_map(|keys| keys.private_pem.lines().filter(|line| !line.starts_with('-')));
        let key = lines.map(|line| ("the key of the app".to_owned(), line.to_owned()));
        fixed.chain(sent).chain(tokens).chain(key).collect()
    }

    /// Everything that was said, by where.
    async fn outputs(&self) -> Vec<(String, String)> {
        let mut outputs: Vec<(String, String)> =
            self.said.iter().map(|said| ("an answer".to_owned(), said.clone())).collect();
        outputs.push(("the log".to_owned(), logged()));
        for name in self.world.documents("").await {
            let content = String::from_utf8_lossy(&self.world.document(&name).await).into_owned();
            outputs.push((name, content));
        }
        let account = &self.world.account;
        let metrics = account.cloudwatch.list_metrics().send().await.expect("ListMetrics");
        outputs.push(("the metrics".to_owned(), format!("{metrics:?}")));
        let registry = account.ssm.get_parameters_by_path().path("/services").recursive(true).send().await;
        outputs.push(("the registry".to_owned(), format!("{:?}", registry.expect("GetParametersByPath"))));
        outputs.push(("the alias".to_owned(), format!("{:?}", self.world.alias(SAMPLE[0].1).await)));
        let log = ["log", "--all", "--patch", "--format=fuller"];
        outputs.push(("the branches".to_owned(), self.world.releases.repository.git(log).expect("a log")));
        outputs
    }

    async fn assert_shown_nowhere(&self) {
        let outputs = self.outputs().await;
        for (name, secret) in self.secrets() {
            for (place, text) in &outputs {
                if !belongs(&name, place) {
                    let line = text.lines().find(|line| line.contains(&secret));
                    assert_eq!(line, None, "{name} is in {place}");
                }
            }
        }
    }
}

/// What Git says is in Git, and in the copy of it that serves while Git is down; the external id is in the copy of the
/// configuration; what somebody put into a document is in that document.
fn belongs(secret: &str, place: &str) -> bool {
    match place {
        "the branches" | "desired/staging.json" => secret == GIVEN.0,
        "configuration.json" => secret == EXTERNAL_ID.0 || secret == STATE.0,
        "state/staging/broken.json" => secret == STATE.0,
        _ => false,
    }
}

/// Each way in which a call can fail. Lambda's refusal of an environment repeats it.
fn faults() -> [Fault; 7] {
    let measured = format!("String measured: {{\"GIVEN\":\"{}-7\",\"LIVE\":\"{}\"}}", GIVEN.1, LIVE.1);
    [
        Fault::FailBefore(AwsError::new(400, "InvalidParameterValueException", measured)),
        Fault::FailBefore(AwsError::new(500, "InternalError", "it is us")),
        Fault::FailBefore(AwsError::new(403, "AccessDeniedException", "it may not")),
        Fault::LoseRequest,
        Fault::LoseAnswer,
        Fault::Throttle,
        Fault::Hang,
    ]
}

/// Only Lambda's refusal of an environment may repeat one.
fn fits(fault: &Fault, operation: &str) -> bool {
    let repeats = matches!(fault, Fault::FailBefore(error) if error.code == "InvalidParameterValueException");
    !repeats || operation == "UpdateFunctionConfiguration"
}

/// The kinds of calls that a release and a rollback make.
async fn kinds(planted: &mut Planted) -> BTreeSet<&'static str> {
    let all = ["UpdateFunctionConfiguration", "UpdateFunctionCode", "UpdateAlias", "AssumeRole", "GetMetricData"];
    planted.world.aws.forget_calls();
    let mut kinds = BTreeSet::new();
    for look in 0..40 {
        if look % 10 == 0 {
            planted.release();
        }
        planted.look().await;
        kinds = planted.world.aws.calls().iter().map(|call| call.operation).collect();
        if all.iter().all(|kind| kinds.contains(kind)) {
            planted.roll_back().await;
            planted.look().await;
            return kinds;
        }
    }
    panic!("{kinds:?} {:#?}", planted.said.last());
}

async fn every_call_fails(mut planted: Planted, faults: impl IntoIterator<Item = Fault>) {
    let kinds = kinds(&mut planted).await;
    for (number, fault) in faults.into_iter().enumerate() {
        for (place, kind) in kinds.iter().copied().filter(|kind| fits(&fault, kind)).enumerate() {
            let fails = fault.clone();
            let hit = move |call: &Call| (call.operation == kind).then(|| fails.clone());
            planted.release();
            planted.world.break_calls(hit);
            planted.tick().await;
            planted.look().await;
            if (number + place) % 3 == 0 {
                planted.roll_back().await;
            }
            planted.world.aws.clear_hook();
            planted.tick().await;
        }
    }
    planted.assert_shown_nowhere().await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_shown_whatever_call_fails_and_however() {
    every_call_fails(Planted::new(None).await, faults()).await;
}

#[tokio::test(start_paused = true)]
async fn nor_where_a_github_app_opens_the_repository() {
    let [_, internal, _, _, lose_answer, ..] = faults();
    every_call_fails(Planted::new(Some(Keys::generate())).await, [internal, lose_answer]).await;
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_shown_whatever_the_git_server_does_or_somebody_writes_into_the_bucket() {
    let mut planted = Planted::new(None).await;
    planted.release();
    planted.world.settle().await;
    let url = format!("https://deploy:{}@example.com/{}", REDIRECT.1, REDIRECT.1);
    let behaviours = [
        Behaviour::Redirect(url),
        Behaviour::Garbage(format!("<html>{}", PAGE.1)),
        Behaviour::Garbage(format!("{:04x}{}", PAGE.1.len() + 4, PAGE.1)),
        Behaviour::Status(401),
        Behaviour::Status(500),
        Behaviour::Down,
        Behaviour::ReadOnly,
    ];
    for behaviour in behaviours {
        planted.world.releases.server.behave(Behaviour::Serve);
        planted.release();
        planted.world.releases.server.behave(behaviour);
        planted.look().await;
        planted.roll_back().await;
        planted.look().await;
    }
    planted.world.releases.server.behave(Behaviour::Serve);
    let broken = format!("{{\"schemaVersion\": 1, \"transition\": \"{0}\", \"{0}\": {0}", STATE.1).into_bytes();
    let names =
        ["state/staging/flight-service.json", "history/staging/flight-service/head.json", "desired/staging.json"];
    for name in names.into_iter().chain(["status/staging.json", "configuration.json"]) {
        planted.world.put_document(name, broken.clone()).await;
        planted.look().await;
        planted.roll_back().await;
        planted.release();
        planted.look().await;
        planted.look().await;
    }
    planted.world.put_document("state/staging/broken.json", broken).await;
    planted.look().await;
    let verified = planted.world.verify_all().await;
    planted.said.push(format!("{verified:?}"));
    planted.assert_shown_nowhere().await;
}

//! The program writes no secret, whichever call fails: neither the repository's token, nor what Git or an account give a
//! function.
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_aws::wire::AwsError;
use local_aws::{Call, Fault};
use stories::account::{BUCKET, REGION, registry};
use stories::releases::Releases;
use tokio::task::JoinSet;

use crate::Ended;
use crate::adoption::Team;

const TOKEN: &str = "p1anted-git-token";
/// `deploy:` and the token, as it is sent.
const SENT: &str = "ZGVwbG95OnAxYW50ZWQtZ2l0LXRva2Vu";
const LIVE: &str = "p1anted-live-variable";
const GIVEN: &str = "p1anted-given-variable";
const ROLE_SECRETS: [&str; 2] = ["local-secret-of-", "local-session-token-of-"];

const FUNCTION: &str = "StagingFlightService";
const ROLE: &str = "arn:aws:iam::111111111111:role/tidegate";

/// An installation without a controller, whose repository wants a password.
struct Installation {
    team: Team,
    releases: Releases,
    config: PathBuf,
    _dir: tempfile::TempDir,
}

impl Installation {
    async fn new() -> Self {
        let team = Team::new().await;
        team.deploy_with(FUNCTION, "company/flight-service", "v1.0.0", &[("LIVE", LIVE)]).await;
        team.push("company/flight-service", "v1.1.0", "second").await;
        team.account.create_bucket(BUCKET).await.unwrap();
        team.account.put_parameter("/tidegate/main/credential", TOKEN, true).await.unwrap();
        team.aws.register_role(ROLE, None);
        let releases = Releases::private("deploy", TOKEN);
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("tidegate.yaml");
        let url = releases.url();
        let text = format!(
            "installation:\n  schemaVersion: 1\n  \
             repository: {{ url: '{url}', credential: /tidegate/main/credential, username: deploy }}\n  \
             state: {{ bucket: {BUCKET} }}\n\
             environments:\n  staging:\n    schemaVersion: 1\n    region: {REGION}\n    allowedFunctions: ['Staging*']\n    \
             registries: [{}]\n    roleArn: {ROLE}\n",
            registry()
        );
        std::fs::write(&config, text).unwrap();
        let installation = Self { team, releases, config, _dir: dir };
        installation.release(1);
        installation
    }

    /// A merge of another value.
    fn release(&self, number: usize) {
        let text = format!(
            "services:\n  flight-service:\n    imageTag: v1.{}.0\n    functionName: {FUNCTION}\n    \
             ecrRepository: company/flight-service\n    environment: {{ GIVEN: {GIVEN}-{number} }}\n",
            number % 2
        );
        self.releases.write("environments/staging/services.yaml", &text);
        self.releases.push(&format!("Release {number}"));
    }

    async fn run(&self, command: &[&str]) -> Ended {
        self.team.run(command, Some(&self.config)).await
    }
}

/// The commands that reach an installation, so that each finds something to do.
fn commands(tree: &str) -> Vec<Vec<&str>> {
    const SERVICE: &str = "staging/flight-service";
    vec![
        vec!["diff", tree, "--direct"],
        vec!["diff", tree, "--direct", "-o", "yaml"],
        // Configuration, image, version, alias: a tick each.
        vec!["sync", "staging", "--direct"],
        vec!["sync", "staging", "--direct"],
        vec!["sync", "staging", "--direct"],
        vec!["sync", "staging", "--direct"],
        vec!["status", "staging", "--direct", "-o", "json"],
        vec!["rollback", SERVICE, "--direct", "--reason", "5xx", "-o", "json"],
        vec!["history", "verify", "staging", "--direct"],
        vec!["unhold", SERVICE, "--direct"],
        vec!["retry", SERVICE, "--direct"],
        vec!["prune-versions", "staging", "--dry-run", "--direct"],
        vec!["sync", SERVICE, "--direct", "-o", "yaml"],
        vec!["history", "staging", "--direct", "-o", "yaml"],
    ]
}

/// Lambda's refusal of an environment repeats it.
fn refusal(operation: &str) -> AwsError {
    let measured = format!("String measured: {{\"GIVEN\":\"{GIVEN}-7\",\"LIVE\":\"{LIVE}\"}}");
    match operation {
        "UpdateFunctionConfiguration" => AwsError::new(400, "InvalidParameterValueException", measured),
        _ => AwsError::new(403, "AccessDeniedException", format!("no {operation}")),
    }
}

/// Says all commands once; gives what was written to each.
async fn say_all(installation: &Installation, without: Option<&str>) -> Vec<(String, Ended)> {
    let tree = installation.releases.tree.dir().to_str().unwrap();
    let mut said = Vec::new();
    for command in commands(tree) {
        let ended = installation.run(&command).await;
        // Every kind of word was understood, and something was answered to each.
        assert_ne!(ended.code, 2, "{command:?}: {ended:?}");
        let without = without.map(|kind| format!(" without {kind}")).unwrap_or_default();
        said.push((format!("tidegate {}{without}", command.join(" ")), ended));
    }
    said
}

/// An installation in which all goes well, and then each call of one kind fails.
async fn breaks(kind: &'static str) -> Vec<(String, Ended)> {
    let installation = Installation::new().await;
    let mut said = say_all(&installation, None).await;
    installation.release(2);
    let failed = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&failed);
    installation.team.aws.set_hook(Arc::new(move |call: &Call| match call.operation == kind {
        true => {
            counter.fetch_add(1, Ordering::Relaxed);
            Fault::FailBefore(refusal(kind))
        }
        false => Fault::None,
    }));
    said.extend(say_all(&installation, Some(kind)).await);
    assert_ne!(failed.load(Ordering::Relaxed), 0, "{kind} was never called");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn no_command_writes_a_secret_whichever_call_fails() {
    let installation = Installation::new().await;
    installation.team.aws.forget_calls();
    let mut said = say_all(&installation, None).await;
    let kinds: BTreeSet<&str> = installation.team.aws.calls().iter().map(|call| call.operation).collect();
    for kind in ["UpdateFunctionConfiguration", "UpdateFunctionCode", "UpdateAlias", "GetParameter", "AssumeRole"] {
        assert!(kinds.contains(kind), "{kinds:?}");
    }
    // At once: what fails is mostly waited for.
    let mut breaking: JoinSet<_> = kinds.into_iter().map(breaks).collect();
    while let Some(more) = breaking.join_next().await {
        said.extend(more.unwrap());
    }
    assert!(said.iter().any(|(_, ended)| ended.code == 0) && said.iter().any(|(_, ended)| ended.code == 5));
    for (command, Ended { stdout, stderr, .. }) in &said {
        for secret in [TOKEN, SENT, LIVE, GIVEN].into_iter().chain(ROLE_SECRETS) {
            let line = stdout.lines().chain(stderr.lines()).find(|line| line.contains(secret));
            assert_eq!(line, None, "`{command}`");
        }
    }
}

//! Stories of what others shipped once, named after where it was found: each class of hole in a GitOps controller is closed here.
#![expect(clippy::expect_used, clippy::panic, reason = "a story that takes another turn should fail")]
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::time::Duration;

use git_server::{Behaviour, GitServer, Options};
use serde_json::{Value, json};
use stories::account::{BUCKET, INSTALLATION, environment_configuration};
use stories::logs::{keep_logs, logged};
use stories::releases::Releases;
use stories::world::{SAMPLE, World, options, waiting};
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, Failure, FailureKind};
use tidegate_core::status::SyncStatus;
use tidegate_lambda::{Commands, Reply};

const STAGING: &str = "environments/staging/services.yaml";

/// What nobody may read through the release repository.
const OUTSIDE: &str = "services: {} # root:x:0:0";

async fn one_service() -> World {
    let world = World::with_one_service(Arc::new(Releases::one_service())).await;
    world.settle().await;
    world
}

/// Why nothing moves forward, after a tick that changed nothing.
async fn held(world: &World) -> String {
    world.calls();
    let report = world.tick().await;
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    let hold = report.hold.clone().unwrap_or_else(|| panic!("no hold: {report:#?}"));
    format!("{hold}\n{}", report.problems.join("\n"))
}

/// Replaces something of the work tree by a symbolic link, and pushes that.
fn link(world: &World, to: &str, at: &str) {
    let path = world.releases.tree.dir().join(at);
    let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
    removed.expect("something was there");
    symlink(to, &path).expect("a link");
    world.releases.push("Link");
}

/// Argo CD read a file outside of the repository by a path in an application's values.
#[tokio::test(start_paused = true)]
async fn cve_2022_24348_no_name_of_a_release_repository_leads_out_of_it() {
    let world = one_service().await;
    let good = world.releases.services("staging");
    for name in ["../production", "..", "/etc", "a/../b", "%2e%2e", "staging/../production"] {
        world.releases.write("release-config.yaml", &format!("environments:\n  staging: {{}}\n  \"{name}\": {{}}\n"));
        world.releases.push("Lead out");
        let hold = held(&world).await;
        assert!(hold.contains("release-config.yaml:3"), "{name}: {hold}");
    }
    world.releases.write("release-config.yaml", "environments:\n  staging: {}\n");
    for (from, to) in [
        ("flight-service:", "\"../../etc\":"),
        ("StagingFlightService", "../../Staging"),
        ("StagingFlightService", "arn:aws:lambda:eu-central-1:222222222222:function:StagingFlightService"),
        ("company/flight-service", "../company/flight-service"),
        ("v1.0.0", "../v1.0.0"),
    ] {
        world.releases.replace("staging", &good.replacen(from, to, 1));
        let hold = held(&world).await;
        assert!(hold.contains(STAGING), "{to}: {hold}");
    }
    for environment in ["../production", "staging/../production", "staging\u{0}"] {
        let event = json!({"command": "sync", "environment": environment});
        let Reply::Answer(Answer::Failed(Failure { kind, .. })) = world.deliver(event).await else {
            panic!("no refusal")
        };
        assert_eq!(kind, FailureKind::Refused, "{environment}");
    }
}

/// Argo CD followed a symbolic link out of a repository, and showed what it found there.
#[tokio::test(start_paused = true)]
async fn cve_2022_24904_a_symbolic_link_in_a_files_place_is_not_followed() {
    keep_logs();
    let world = one_service().await;
    let outside = tempfile::tempdir().expect("a directory");
    let secret = outside.path().join("secret.yaml");
    std::fs::write(&secret, OUTSIDE).expect("a file");
    let absolute = secret.to_str().expect("a path");
    for to in [absolute, "../../release-config.yaml", "/proc/self/environ", "../../../../../../../../etc/passwd"] {
        link(&world, to, STAGING);
        let hold = held(&world).await;
        assert!(hold.contains(&format!("`{STAGING}` is a symbolic link, not a regular file")), "{to}: {hold}");
        assert!(!hold.contains("root:x"), "{hold}");
    }
    assert!(!logged().contains(OUTSIDE));
    for name in world.documents("").await {
        assert!(!String::from_utf8_lossy(&world.document(&name).await).contains(OUTSIDE), "{name}");
    }
    assert_eq!(world.live(SAMPLE[0].1).await, "1");
}

/// Argo CD followed links on the way to a file as well, so that a repository could show YAML of the server that reads it.
#[tokio::test(start_paused = true)]
async fn cve_2022_31036_a_link_or_a_submodule_on_the_way_is_not_followed() {
    let world = one_service().await;
    let outside = tempfile::tempdir().expect("a directory");
    std::fs::write(outside.path().join("services.yaml"), OUTSIDE).expect("a file");
    let good = world.releases.services("staging");
    link(&world, outside.path().to_str().expect("a path"), "environments/staging");
    let hold = held(&world).await;
    assert!(hold.contains("`environments/staging` is a symbolic link, not a directory"), "{hold}");

    std::fs::remove_file(world.releases.tree.dir().join("environments/staging")).expect("the link");
    let commit = world.releases.push("Take it away");
    let submodule = format!("160000,{commit},environments/staging");
    world.releases.tree.git(["update-index", "--add", "--cacheinfo", &submodule]).expect("a submodule");
    world.releases.tree.git(["commit", "--quiet", "--message", "Add a submodule"]).expect("a commit");
    world.releases.tree.push().expect("a push");
    let hold = held(&world).await;
    assert!(hold.contains("`environments/staging` is a submodule, not a directory"), "{hold}");

    world.releases.tree.git(["rm", "--quiet", "--cached", "environments/staging"]).expect("without it");
    world.releases.replace("staging", &good.replace("v1.0.0", "v1.1.0"));
    world.settle().await;
    assert_eq!(world.live(SAMPLE[0].1).await, "2");
}

/// Argo CD put a repository's credential into the error of a Git operation that failed.
#[tokio::test(start_paused = true)]
async fn cve_2023_25163_an_error_of_git_does_not_hold_the_credential() {
    const PASSWORD: &str = "p1anted-password";
    keep_logs();
    let world = World::empty(Arc::new(Releases::private("deploy", "another one")), options()).await;
    for (service, function) in SAMPLE {
        world.create_service(service, function).await;
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    let parameter = "/tidegate/main/git";
    world.account.put_parameter(parameter, PASSWORD, true).await.expect("PutParameter");
    let configure = |url: String| {
        let account = &world.account;
        let text = format!(
            "schemaVersion: 1\nrepository: {{ url: \"{url}\", credential: {parameter}, username: deploy }}\n\
             state: {{ bucket: {BUCKET}, prefix: tidegate }}\n"
        );
        async move {
            let name = format!("/tidegate/{INSTALLATION}/installation");
            account.put_parameter(&name, &text, false).await.expect("PutParameter");
        }
    };
    configure(world.releases.url()).await;
    let mut said = String::new();
    for behaviour in
        [Behaviour::Serve, Behaviour::Status(500), Behaviour::Down, Behaviour::Garbage("<html>".to_owned())]
    {
        world.releases.server.behave(behaviour);
        said += &format!("{:?}", world.try_tick().await);
    }
    // Nor does it where somebody wrote it into the URL.
    configure(world.releases.url().replace("http://", &format!("http://deploy:{PASSWORD}@"))).await;
    said += &format!("{:?}", world.try_tick().await);
    assert!(said.contains("credential refused") && said.contains("user or password"), "{said}");
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(!logged().contains(PASSWORD));
}

/// Argo CD showed values of a Secret in the error of one that was not valid, and in its diff.
#[tokio::test(start_paused = true)]
async fn cve_2025_23216_values_are_shown_neither_where_a_file_is_invalid_nor_in_a_diff() {
    const VALUE: &str = "p1anted-value";
    keep_logs();
    let world = one_service().await;
    let given = |line: &str| {
        let text = world.releases.services("staging");
        let text = text.lines().filter(|line| !line.contains("VALUE")).collect::<Vec<_>>().join("\n");
        world.releases.replace("staging", &format!("{text}\n    {line}\n"));
    };
    let mut said = String::new();
    for invalid in [
        format!("environment: {{ VALUE: [{VALUE}] }}"),
        format!("environment: {{ VALUE: {VALUE}, VALUE: {VALUE} }}"),
        format!("enviroment: {{ VALUE: {VALUE} }}"),
        format!("environment: {{ VALUE: \"{VALUE}\\x\" }}"),
        format!("environment: {{ VALUE: {VALUE}"),
        format!("environment: {{ 1VALUE: {VALUE} }}"),
    ] {
        given(&invalid);
        let hold = held(&world).await;
        assert!(hold.contains(STAGING), "{hold}");
        said += &hold;
        said += &format!("{:?}", world.try_preview().await.expect_err("it is not valid"));
    }
    given(&format!("environment: {{ VALUE: {VALUE} }}"));
    let preview = format!("{:?}", world.try_preview().await.expect("a diff"));
    assert!(preview.contains("environment.VALUE: ********"), "{preview}");
    said += &preview;
    said += &format!("{:?} {:?}", world.settle().await, world.history(SAMPLE[0].0).await);
    assert!(!said.contains(VALUE), "{said}");
    assert!(!logged().contains(VALUE));
}

/// Argo CD answered whoever may look at a project with the credentials of its repositories.
#[tokio::test(start_paused = true)]
async fn cve_2025_55190_no_command_is_answered_with_a_credential() {
    const PASSWORD: &str = "p1anted-password";
    let world = World::empty(Arc::new(Releases::private("deploy", PASSWORD)), options()).await;
    for (service, function) in SAMPLE {
        world.create_service(service, function).await;
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    let parameter = "/tidegate/main/git";
    world.account.put_parameter(parameter, PASSWORD, true).await.expect("PutParameter");
    let text = format!(
        "schemaVersion: 1\nrepository: {{ url: \"{}\", credential: {parameter}, username: deploy }}\n\
         state: {{ bucket: {BUCKET}, prefix: tidegate }}\n",
        world.releases.url()
    );
    world.account.put_parameter(&format!("/tidegate/{INSTALLATION}/installation"), &text, false).await.expect("put");
    world.settle().await;
    let base = json!({"environment": "staging", "service": SAMPLE[0].0, "reason": "because"});
    for command in Command::NAMES {
        let mut event = base.clone();
        event["command"] = json!(command);
        match command {
            "sync" | "history" | "pruneVersions" => drop(event.as_object_mut().expect("an object").remove("reason")),
            "status" => event = json!({"command": command}),
            "record" => {
                event.as_object_mut().expect("an object").remove("reason");
                event["number"] = json!(1);
            }
            "rollback" => {
                event = json!({"command": command, "environment": "staging", "services": [SAMPLE[0].0], "reason": "x"})
            }
            _ => {}
        }
        if command == "pruneVersions" {
            event["dryRun"] = json!(true);
        }
        let reply = serde_json::to_string(&world.deliver(event).await).expect("a reply");
        assert!(!reply.contains("is not valid"), "{command} was not tried: {reply}");
        assert!(!reply.contains(PASSWORD), "{command}: {reply}");
    }
}

/// Argo CD read files of any size, and let go of all else meanwhile.
#[tokio::test(start_paused = true)]
async fn cve_2022_31016_a_file_that_is_too_large_or_expands_too_far_freezes_its_environment_alone() {
    let world = World::deployed().await;
    world.configure("production", &environment_configuration("Production")).await;
    let good = world.releases.services("staging");
    let bomb = (1..40).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, level| {
        format!("{text}a{level}: &a{level} [{}]\n", format!("*a{},", level - 1).repeat(9))
    });
    let deep = format!("services: {}", "[".repeat(10_000));
    let long = format!("{good}# {}\n", "x".repeat(3 << 20));
    let huge = format!("{good}# {}\n", "x".repeat(5 << 20));
    for (text, why) in [
        (bomb, "alias"),
        (deep, "inside one another"),
        (long, "more than the 2097152"),
        (huge, "larger than the limit"),
    ] {
        world.releases.replace("staging", &text);
        let hold = held(&world).await;
        assert!(hold.contains(why), "{why}: {}", hold.chars().take(1_000).collect::<String>());
        assert!(hold.len() < 20_000, "as much is said of it");
        assert_eq!(world.status("staging").await.sync(), SyncStatus::Synced, "as it was");
    }
    world.releases.replace("staging", &good.replacen("v1.0.0", "v1.1.0", 1));
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
}

/// Argo CD loaded the whole index of a registry, however large it was.
#[tokio::test(start_paused = true)]
async fn cve_2024_29893_an_answer_without_an_end_is_ended() {
    let world = one_service().await;
    world.releases.merge(SAMPLE[0].0, "v1.1.0");
    for behaviour in [Behaviour::Endless, Behaviour::EndlessPack] {
        world.releases.server.behave(behaviour.clone());
        let began = std::time::Instant::now();
        let hold = held(&world).await;
        assert!(
            hold.contains("larger than the limit of") || hold.contains("did not finish within"),
            "{behaviour:?}: {hold}"
        );
        assert!(began.elapsed() < Duration::from_secs(45), "a tick has no more than that: {:?}", began.elapsed());
    }
    world.releases.server.behave(Behaviour::Serve);
    world.settle().await;
    assert_eq!(world.live(SAMPLE[0].1).await, "2");
}

/// libgit2 went on to where a server sent it, with what it had for another, and over what nobody had proven.
#[tokio::test(start_paused = true)]
async fn cve_2026_53583_to_53587_no_request_follows_a_redirect_and_no_credential_leaves_for_another_host() {
    const PASSWORD: &str = "p1anted-password";
    let world = World::empty(Arc::new(Releases::private("deploy", PASSWORD)), options()).await;
    for (service, function) in SAMPLE {
        world.create_service(service, function).await;
    }
    world.configure("staging", &environment_configuration("Staging")).await;
    let parameter = "/tidegate/main/git";
    world.account.put_parameter(parameter, PASSWORD, true).await.expect("PutParameter");
    let text = format!(
        "schemaVersion: 1\nrepository: {{ url: \"{}\", credential: {parameter}, username: deploy }}\n\
         state: {{ bucket: {BUCKET}, prefix: tidegate }}\n",
        world.releases.url()
    );
    world.account.put_parameter(&format!("/tidegate/{INSTALLATION}/installation"), &text, false).await.expect("put");
    world.settle().await;
    let root = tempfile::tempdir().expect("a directory");
    let other = GitServer::start(root.path(), Options::default()).expect("a server");
    let (own, other_address) = (world.releases.server.address(), other.address());
    for to in [
        format!("http://{other_address}"),
        format!("http://deploy:{PASSWORD}@{other_address}"),
        format!("//{other_address}"),
        format!("http://{own}"),
        format!("http://{own}@{other_address}"),
        "file:///etc/passwd#".to_owned(),
        "ext::sh -c touch% /tmp/x".to_owned(),
    ] {
        world.releases.merge(SAMPLE[0].0, if to.len() % 2 == 0 { "v1.1.0" } else { "v1.2.0" });
        world.releases.server.behave(Behaviour::Redirect(to.clone()));
        let hold = held(&world).await;
        world.releases.server.behave(Behaviour::Serve);
        assert!(hold.contains("redirects are not followed"), "{to}: {hold}");
        assert!(!hold.contains(PASSWORD), "{to}: {hold}");
        assert_eq!(other.requests(), [], "{to} was followed");
    }
    // A host's name in the configuration is one host: no other scheme, no credential, nothing behind it.
    for url in ["ssh://git@example.com/r.git", "file:///etc", "http://example.com/r.git", "https://a:b@example.com/r"] {
        let error = tidegate_runtime::git::Remote::new(url, "main").expect_err("refused");
        assert!(error.to_string().starts_with("the repository URL cannot be used"), "{url}: {error}");
    }
}

/// Kargo's newer API promoted for people who had no right to: it asked whether they may create what a promotion is.
#[tokio::test(start_paused = true)]
async fn cve_2026_27111_who_may_roll_back_can_release_nothing_in_any_way_that_there_is() {
    let world = one_service().await;
    world.releases.merge(SAMPLE[0].0, "v1.1.0");
    world.calls();
    let on_call = Commands::parse("rollback,abort,pause,status,history,record").expect("commands");
    let to = json!({"environment": "staging", "service": SAMPLE[0].0, "reason": "because"});
    let forward = ["promote", "resume", "retry", "unhold"].map(|command| {
        let mut event = to.clone();
        event["command"] = json!(command);
        event
    });
    let hint = json!({
        "source": "aws.lambda", "detail-type": "AWS API Call via CloudTrail",
        "detail": {"eventSource": "lambda.amazonaws.com", "eventName": "UpdateAlias20150331",
                   "requestParameters": {"functionName": SAMPLE[0].1}},
    });
    let record = json!({"messageId": "m", "eventSource": "aws:sqs", "body": hint.to_string()});
    let others: [Value; 7] = [
        json!({"command": "sync"}),
        json!({"command": "sync", "environment": "staging", "service": SAMPLE[0].0}),
        json!({"command": "pruneVersions", "environment": "staging"}),
        json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
        hint,
        json!({"Records": [record]}),
        json!({"command": ["sync"], "Records": []}),
    ];
    for event in forward.into_iter().chain(others) {
        let Reply::Answer(Answer::Failed(Failure { kind, .. })) = world.deliver_to(&on_call, event.clone()).await
        else {
            panic!("{event} was taken")
        };
        assert_eq!(kind, FailureKind::Refused, "{event}");
    }
    assert_eq!(world.calls().0.len(), 0, "nothing was asked of AWS");
    assert_eq!(world.live(SAMPLE[0].1).await, "1");
}

/// Whoever can merge names functions, registries and buckets; which of them there are is for the controller's configuration.
#[tokio::test(start_paused = true)]
async fn a_merge_reaches_no_function_registry_or_bucket_beyond_its_environments() {
    let world = one_service().await;
    let good = world.releases.services("staging");
    let image = "    imageTag: \"v1.0.0\"\n";
    let zip = "    s3Bucket: somebody-elses\n    s3Key: x.zip\n    s3ObjectVersion: \"1\"\n";
    for (text, why) in [
        (good.replace("StagingFlightService", "ProductionFlightService"), "function `ProductionFlightService` is none"),
        (good.replace("StagingFlightService", "tidegate-main"), "function `tidegate-main` is none"),
        (
            good.replace("company/", "222222222222.dkr.ecr.eu-central-1.amazonaws.com/company/"),
            "registry `222222222222.dkr.ecr.eu-central-1.amazonaws.com` is none",
        ),
        (
            good.replace(image, "").replace("    ecrRepository: company/flight-service\n", zip),
            "bucket `somebody-elses` is none",
        ),
    ] {
        world.releases.replace("staging", &text);
        world.calls();
        let report = world.tick().await;
        let why_not = waiting(&report, SAMPLE[0].0);
        assert!(why_not.starts_with(why), "{why_not}");
        let calls = world.calls();
        assert_eq!(calls.lambda_mutations(), Vec::<String>::new());
        let reached = calls.0.iter().find(|call| {
            ["Production", "222222222222", "somebody-elses"].iter().any(|name| call.resource.contains(name))
        });
        assert!(reached.is_none(), "it was looked at: {reached:?}");
    }
}

/// Names and messages come from whoever can push: they end no line of a log and drive no terminal.
#[tokio::test(start_paused = true)]
async fn log_injection_what_a_commit_says_stays_within_its_line() {
    keep_logs();
    let world = one_service().await;
    let tree = &world.releases.tree;
    let text = world.releases.services("staging").replace("v1.0.0", "v1.1.0");
    tree.write(STAGING, text).expect("a file");
    tree.git(["add", "--all"]).expect("added");
    let author = "--author=Mallory \u{1b}[2J\u{202e} <m@example.com>";
    let message = "Release\r{\"level\":\"INFO\",\"forged\":true}\u{1b}[31m";
    tree.git(["commit", "--quiet", author, "--message", message]).expect("a commit");
    tree.push().expect("a push");
    world.settle().await;
    assert_eq!(world.live(SAMPLE[0].1).await, "2");
    let log = logged();
    assert!(!log.contains(['\u{1b}', '\r']), "control characters are in the log");
    for line in log.lines() {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(value.get("forged"), None, "a line was forged");
    }
    // As it was, where it is data: whoever shows it escapes it.
    let history = world.history(SAMPLE[0].0).await;
    let commit = history.last().and_then(|record| record.commit.clone()).expect("a commit");
    assert!(commit.author.contains("Mallory"), "{commit:?}");
}

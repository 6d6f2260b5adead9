//! What the Lambda is invoked with: a schedule's input, a queue's batch of EventBridge's events, a person's command.
use std::sync::LazyLock;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tidegate_core::report::{Answer, FailureKind};
use tidegate_lambda::{Commands, Invocation, Reply, reply};
use tidegate_runtime::aws::Home;
use tidegate_runtime::config::Source;
use tidegate_runtime::controller::Controller;
use tokio::time::Instant;

use crate::aws::{Answer as Http, Aws, REGION, answer, runtime};

/// What whoever is on call may say, and look at.
const ON_CALL: [&str; 6] = ["abort", "history", "pause", "record", "rollback", "status"];

static WORLD: LazyLock<(Aws, Controller, TempDir)> = LazyLock::new(|| {
    let aws = Aws::new();
    let scratch = tempfile::tempdir().expect("a directory");
    let source = Source::Parameters { installation: "main".to_owned(), copy: None };
    let controller = Controller::new(Home::new(&aws.config()), source, scratch.path().join("cache"));
    (aws, controller, scratch)
});

/// An event, as JSON. Configuration can be read; everything else of AWS is denied.
pub(crate) fn events(data: &[u8]) {
    let Ok(event) = serde_json::from_slice::<Value>(data) else { return };
    let (aws, _, _) = &*WORLD;
    aws.answers(|request| {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        if target == "AmazonSSM.GetParametersByPath" { configuration() } else { denied() }
    });
    let said = serde_json::to_string(&invoke(&event, &Commands::all())).expect("an answer");
    assert!(said.len() < 1 << 20, "an answer of {} bytes", said.len());

    aws.answers(|_| denied());
    let on_call = Commands::parse(&ON_CALL.join(",")).expect("commands");
    let reply = invoke(&event, &on_call);
    let command = event.get("command").and_then(Value::as_str).unwrap_or_default();
    if !ON_CALL.contains(&command) {
        let refused = matches!(&reply, Reply::Answer(Answer::Failed(failure)) if failure.kind == FailureKind::Refused);
        assert!(refused, "who is on call was not refused: {reply:?}");
        assert_eq!(aws.asked(), 0, "something was asked of AWS before it was refused");
    }
}

fn invoke(event: &Value, commands: &Commands) -> Reply {
    let (_, controller, _) = &*WORLD;
    runtime().block_on(async {
        let deadline = Instant::now() + Duration::from_secs(60);
        let invocation = Invocation { request: "request".to_owned(), function: "tidegate-main".to_owned(), deadline };
        Box::pin(reply(controller, commands, event.clone(), invocation)).await
    })
}

fn configuration() -> Http {
    let installation =
        "schemaVersion: 1\nrepository: { url: \"http://127.0.0.1:9/r.git\" }\nstate: { bucket: state }\n";
    let staging = format!("schemaVersion: 1\nregion: {REGION}\nallowedFunctions: [\"Staging*\"]\n");
    let parameter = |name: &str, value: &str| json!({"Name": name, "Type": "String", "Value": value});
    let parameters = json!({"Parameters": [
        parameter("/tidegate/main/installation", installation),
        parameter("/tidegate/main/environments/staging", &staging),
    ]});
    answer(200, &[("content-type", b"application/x-amz-json-1.1")], parameters.to_string().into_bytes())
}

fn denied() -> Http {
    let body = br#"{"__type": "AccessDeniedException", "message": "no"}"#;
    answer(403, &[("x-amzn-errortype", b"AccessDeniedException")], body.to_vec())
}

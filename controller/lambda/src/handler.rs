//! Answers one invocation: a command in, a report out. What could not be done is an answer too, not a function error:
//! a function error would be retried by whoever invoked.
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::Value;
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, Failure, FailureKind};
use tidegate_runtime::controller::{Caller, Controller, TIMEOUT};
use tokio::time::{Duration, Instant};
use tracing::Instrument as _;

use crate::event;

/// Handles one event.
pub(crate) async fn handle(controller: &Controller, event: LambdaEvent<Value>) -> Result<Answer, Error> {
    let LambdaEvent { payload, context } = event;
    let span = tracing::info_span!("invocation", request = context.request_id, trace = context.xray_trace_id);
    async {
        let actor = actor(&payload);
        let command = match event::command(payload) {
            Ok(command) => command,
            Err(error) => return Ok(refused(&error)),
        };
        Ok(controller.run(&command, &caller(&context, actor, &command)).await)
    }
    .instrument(span)
    .await
}

/// A schedule's `sync` is the controller's own; whatever names a service was sent by a person.
fn actor(payload: &Value) -> &'static str {
    if payload.get("service").is_some_and(|service| !service.is_null()) {
        "a person, through the Lambda"
    } else {
        "controller"
    }
}

fn caller(context: &Context, actor: &str, command: &Command) -> Caller {
    tracing::debug!(command = command.name(), "command");
    Caller { actor: actor.to_owned(), id: context.request_id.clone(), deadline: deadline(context) }
}

/// The Lambda's own deadline, as time from now.
fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(std::time::SystemTime::now()).unwrap_or(TIMEOUT);
    Instant::now() + left.min(Duration::from_secs(900))
}

fn refused(error: &event::Error) -> Answer {
    tracing::warn!(%error, "the event was refused");
    Answer::Failed(Failure { environment: None, kind: FailureKind::Refused, message: error.to_string() })
}

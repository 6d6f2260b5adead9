//! Answers one invocation: a command in, a report out. What could not be done is an answer too, not a function error:
//! a function error would be retried by whoever invoked.
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::Value;
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, Failure, FailureKind};
use tidegate_runtime::controller::{Caller, Controller, TIMEOUT};
use tidegate_runtime::tick::SCHEDULE;
use tokio::time::{Duration, Instant};
use tracing::Instrument as _;

use crate::event;
use crate::settings::Commands;

/// Handles one event.
pub(crate) async fn handle(
    controller: &Controller,
    commands: &Commands,
    event: LambdaEvent<Value>,
) -> Result<Answer, Error> {
    let LambdaEvent { mut payload, context } = event;
    let span = tracing::info_span!("invocation", request = context.request_id, trace = context.xray_trace_id);
    async {
        let caller = event::take_caller(&mut payload);
        let command = match event::command(payload) {
            Ok(command) if commands.take(command.name()) => command,
            Ok(command) => return Ok(refused(&not_taken(&command, commands))),
            Err(error) => return Ok(refused(&error.to_string())),
        };
        tracing::debug!(command = command.name(), "command");
        let actor = actor(&command, caller);
        let caller = Caller { actor, id: context.request_id.clone(), deadline: deadline(&context) };
        Ok(controller.run(&command, &caller).await)
    }
    .instrument(span)
    .await
}

/// A schedule's `sync` is the controller's own. Everything else was sent by a person: who that says to be is recorded with
/// the request's id, by which CloudTrail proves it where the invocations are logged there.
fn actor(command: &Command, caller: Option<String>) -> String {
    let by_schedule = matches!(command, Command::Sync { service: None, confirm: None, .. });
    match caller {
        Some(caller) => caller,
        None if by_schedule => SCHEDULE.to_owned(),
        None => "a person, through the Lambda".to_owned(),
    }
}

fn not_taken(command: &Command, commands: &Commands) -> String {
    format!("this function does not take `{}`; it takes {}", command.name(), commands.names())
}

/// The Lambda's own deadline, as time from now.
fn deadline(context: &Context) -> Instant {
    let left = context.deadline().duration_since(std::time::SystemTime::now()).unwrap_or(TIMEOUT);
    Instant::now() + left.min(Duration::from_secs(900))
}

fn refused(message: &str) -> Answer {
    tracing::warn!(message, "the event was refused");
    Answer::Failed(Failure { environment: None, kind: FailureKind::Refused, message: message.to_owned() })
}

//! Answers one invocation: a command or hints in, a report out. What could not be done is an answer too, not a function
//! error: a function error would be retried by whoever invoked.
use lambda_runtime::{Context, Error, LambdaEvent};
use serde::Serialize;
use serde_json::Value;
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, Failure, FailureKind};
use tidegate_runtime::controller::{Caller, Controller, TIMEOUT};
use tidegate_runtime::tick::SCHEDULE;
use tokio::time::{Duration, Instant};
use tracing::Instrument as _;

use crate::event::{self, Batch, Happening};
use crate::hints::{self, BatchReply};
use crate::settings::Commands;

/// What an invocation answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// To a command, and to one event.
    Answer(Answer),
    /// To a batch of a queue.
    Batch(BatchReply),
}

/// What is known of an invocation beside its event.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The request's id.
    pub request: String,
    /// The name of this function, which is that of its own role's sessions as well.
    pub function: String,
    /// When the answer has to be there.
    pub deadline: Instant,
}

/// Handles one event.
///
/// # Errors
/// None: what could not be done is in the answer.
pub async fn handle(controller: &Controller, commands: &Commands, event: LambdaEvent<Value>) -> Result<Reply, Error> {
    let LambdaEvent { payload, context } = event;
    let span = tracing::info_span!("invocation", request = context.request_id, trace = context.xray_trace_id);
    let invocation = Invocation {
        request: context.request_id.clone(),
        function: context.env_config.function_name.clone(),
        deadline: deadline(&context),
    };
    // Boxed: the whole of a tick and of a hinted one is too deep a type for the compiler.
    Ok(Box::pin(reply(controller, commands, payload, invocation)).instrument(span).await)
}

/// What an event is answered.
pub async fn reply(controller: &Controller, commands: &Commands, mut payload: Value, invocation: Invocation) -> Reply {
    let Invocation { request: id, function, deadline } = invocation;
    let batch = Batch::of(&payload, &function);
    if batch.is_some() || Happening::is_known(&payload) {
        if !commands.take(hints::NEEDS) {
            return Reply::Answer(refused(&not_taken(hints::NEEDS, commands)));
        }
        let caller = Caller { actor: SCHEDULE.to_owned(), id, deadline };
        return match batch {
            Some(batch) => Reply::Batch(hints::batch(controller, batch, &caller).await),
            None => Reply::Answer(hints::one(controller, Happening::of(&payload, &function), &caller).await),
        };
    }
    let sender = event::take_caller(&mut payload);
    let command = match event::command(payload) {
        Ok(command) if commands.take(command.name()) => command,
        Ok(command) => return Reply::Answer(refused(&not_taken(command.name(), commands))),
        Err(error) => return Reply::Answer(refused(&error.to_string())),
    };
    tracing::debug!(command = command.name(), "command");
    let caller = Caller { actor: actor(&command, sender), id, deadline };
    Reply::Answer(Box::pin(controller.run(&command, &caller)).await)
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

fn not_taken(command: &str, commands: &Commands) -> String {
    format!("this function does not take `{command}`; it takes {}", commands.names())
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

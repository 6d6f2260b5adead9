//! Invocations: picks the version by weight, runs its program within the limits, and says how that went.
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::time::Instant;

use super::code::Code;
use super::concurrency::ACCOUNT_LIMIT;
use super::logs::Sink;
use super::metrics::{self, Batch, Seen};
use super::model::{Snapshot, VersionState};
use super::program::{Context, Event, Launch};
use super::validation::Problems;
use super::{Key, State, Target, asynchronous, conflict, environment, function_not_found, idleness};
use crate::LocalAws;
use crate::process::{Program, Ran, Sandbox, runtime_error};
use crate::runtime_api::Delivery;
use crate::wire::{self, Answer, AwsError, Call};
use crate::world::WeakAws;

/// The largest payload of a synchronous invocation: 6 MB.
const SYNCHRONOUS_LIMIT: usize = 6 * 1024 * 1024;
/// The largest payload of an asynchronous one: 1 MB.
pub(super) const ASYNCHRONOUS_LIMIT: usize = 1024 * 1024;

/// One invocation, whoever asks for it.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) target: Target,
    pub(crate) payload: Bytes,
    pub(crate) request_id: String,
    pub(super) trace_id: String,
    pub(super) client_context: Option<String>,
}

/// How an invocation that ran ended.
pub(super) struct Outcome {
    version: String,
    request_id: String,
    /// The answer, or the error object.
    pub(super) result: Result<Bytes, Bytes>,
    /// The log's tail in base64.
    log: String,
}

pub(crate) async fn invoke(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    let target = Target::of(&call)?;
    let kind = call.header("x-amz-invocation-type").unwrap_or("RequestResponse").to_owned();
    let log = call.header("x-amz-log-type").unwrap_or("None").to_owned();
    let mut problems = Problems::default();
    problems.one_of(&kind, "invocationType", &["Event", "RequestResponse", "DryRun"]);
    problems.one_of(&log, "logType", &["None", "Tail"]);
    problems.finish()?;
    let limit = if kind == "Event" { ASYNCHRONOUS_LIMIT } else { SYNCHRONOUS_LIMIT };
    let payload = checked_payload(&call.body, limit)?;
    let client_context = call
        .header("x-amz-client-context")
        .and_then(|context| String::from_utf8(BASE64_STANDARD.decode(context).ok()?).ok());
    let trace_id = call.header("x-amzn-trace-id").map_or_else(|| new_trace_id(aws, call.now), str::to_owned);
    let request = Request { target, payload, request_id: aws.uuid(), trace_id, client_context };
    match kind.as_str() {
        "DryRun" => {
            aws.lambda().function(&request.target, call.now)?.qualified(&request.target)?;
            Ok(wire::empty(204))
        }
        "Event" => {
            let request_id = request.request_id.clone();
            asynchronous::enqueue_request(aws, request)?;
            let mut answer = wire::json(202, &serde_json::json!({})).map(|_| Bytes::new());
            wire::set_header(&mut answer, wire::REQUEST_ID, &request_id);
            Ok(answer)
        }
        _ => {
            // A caller that goes away does not stop the function.
            let running = tokio::spawn(run(aws.clone(), request));
            let outcome = running.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
            Ok(answer(outcome, log == "Tail"))
        }
    }
}

pub(super) fn checked_payload(body: &Bytes, limit: usize) -> Result<Bytes, AwsError> {
    if body.len() > limit {
        let message = format!("Request must be smaller than {limit} bytes for the InvokeFunction operation");
        return Err(AwsError::new(413, "RequestTooLargeException", message));
    }
    if body.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    match serde_json::from_slice::<serde::de::IgnoredAny>(body) {
        Ok(_) => Ok(body.clone()),
        Err(error) => {
            let message = format!("Could not parse request body into json: {error}");
            Err(AwsError::new(400, "InvalidRequestContentException", message))
        }
    }
}

fn answer(outcome: Outcome, with_log: bool) -> Answer {
    let mut answer = wire::empty(200);
    wire::set_header(&mut answer, "content-type", "application/json");
    wire::set_header(&mut answer, "x-amz-executed-version", &outcome.version);
    wire::set_header(&mut answer, wire::REQUEST_ID, &outcome.request_id);
    if with_log {
        wire::set_header(&mut answer, "x-amz-log-result", &outcome.log);
    }
    match outcome.result {
        Ok(body) => *answer.body_mut() = body,
        Err(body) => {
            wire::set_header(&mut answer, "x-amz-function-error", "Unhandled");
            *answer.body_mut() = body;
        }
    }
    answer
}

pub(super) fn new_trace_id(aws: &LocalAws, now: DateTime<Utc>) -> String {
    let id = aws.uuid().replace('-', "");
    let (root, parent) = (&id[..24], &id[16..]);
    format!("Root=1-{:08x}-{root};Parent={parent};Sampled=0", now.timestamp())
}

/// An invocation that may run: what it runs, and its place among the function's concurrent executions.
struct Admitted {
    label: String,
    snapshot: Arc<Snapshot>,
    concurrent: u32,
    _slot: Slot,
}

/// Gives the place back when the invocation ends, however it does.
struct Slot {
    aws: WeakAws,
    key: Key,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(aws) = self.aws.upgrade() else { return };
        if let Some(function) = aws.lambda().functions.get_mut(&self.key) {
            function.running = function.running.saturating_sub(1);
        }
    }
}

pub(super) async fn run(aws: LocalAws, request: Request) -> Result<Outcome, AwsError> {
    let now = aws.clock().now();
    let admitted = match admit(&aws, &request.target, now) {
        Ok(admitted) => admitted,
        Err(error) => {
            if error.status == 429 {
                metrics::publish(&aws, &request.target, None, Seen { at: now, received: now }, &Batch::throttled());
            }
            return Err(error);
        }
    };
    let (ran, sink) = execute(&aws, &admitted, &request).await;
    let batch = Batch {
        durations: vec![(ran.duration, 1)],
        failed: u32::from(ran.result.is_err()),
        throttled: 0,
        concurrent: admitted.concurrent,
    };
    let seen = Seen { at: now, received: aws.clock().now() };
    metrics::publish(&aws, &request.target, Some(&admitted.label), seen, &batch);
    report(&sink, &request.request_id, &ran, admitted.snapshot.configuration.memory);
    Ok(Outcome { version: admitted.label, request_id: request.request_id, result: ran.result, log: sink.tail() })
}

/// The two lines that Lambda ends an invocation's log with.
fn report(sink: &Sink, request_id: &str, ran: &Ran, memory: u32) {
    let duration = ran.duration.as_secs_f64() * 1000.0;
    if let Err(error) = &ran.result
        && !ran.reusable
    {
        sink.line(&String::from_utf8_lossy(error));
    }
    sink.line(&format!("END RequestId: {request_id}"));
    let init =
        ran.init.map_or_else(String::new, |init| format!("\tInit Duration: {:.2} ms", init.as_secs_f64() * 1000.0));
    sink.line(&format!(
        "REPORT RequestId: {request_id}\tDuration: {duration:.2} ms\tBilled Duration: {:.0} ms\tMemory Size: {memory} \
         MB{init}",
        duration.ceil()
    ));
}

/// Decides which version runs, and whether it may.
fn admit(aws: &LocalAws, target: &Target, now: DateTime<Utc>) -> Result<Admitted, AwsError> {
    let mut state = aws.lambda();
    check_account_limit(&state, target)?;
    let function = state.function(target, now)?;
    let label = match target.qualifier.as_ref().map(|it| (it, function.aliases.get(it))) {
        None => "$LATEST".to_owned(),
        Some((_, Some(alias))) => alias.route(now, || aws.random(fastrand::Rng::f64)),
        Some((qualifier, None)) => qualifier.clone(),
    };
    let version = function.version_mut(&label).ok_or_else(|| function_not_found(target))?;
    let refused = |state: VersionState| {
        conflict(format!(
            "The operation cannot be performed at this time. The function is currently in the following state: {}",
            state.name()
        ))
    };
    match version.state {
        VersionState::Active => {}
        VersionState::Pending | VersionState::Failed => return Err(refused(version.state)),
        VersionState::Inactive => {
            idleness::wake(aws, version, now);
            return Err(refused(VersionState::Inactive));
        }
    }
    let snapshot = Arc::clone(version.serving());
    if function.reserved.is_some_and(|reserved| function.running >= reserved) {
        return Err(throttled("ReservedFunctionConcurrentInvocationLimitExceeded"));
    }
    function.running += 1;
    let slot = Slot { aws: aws.downgrade(), key: target.key.clone() };
    Ok(Admitted { label, snapshot, concurrent: function.running, _slot: slot })
}

fn check_account_limit(state: &State, target: &Target) -> Result<(), AwsError> {
    let neighbours = state
        .functions
        .values()
        .filter(|it| it.key.account == target.key.account && it.key.region == target.key.region);
    let running: u32 = neighbours.map(|function| function.running).sum();
    if running < ACCOUNT_LIMIT { Ok(()) } else { Err(throttled("ConcurrentInvocationLimitExceeded")) }
}

fn throttled(reason: &str) -> AwsError {
    AwsError::new(429, "TooManyRequestsException", "Rate Exceeded.").with("Type", "User").with("Reason", reason)
}

async fn execute(aws: &LocalAws, admitted: &Admitted, request: &Request) -> (Ran, Sink) {
    let key = &request.target.key;
    let launch = match &admitted.snapshot.code {
        Code::Image(image) => match &image.launch {
            Ok(launch) => Ok((launch.clone(), None)),
            Err(reason) => Err(reason.text.clone()),
        },
        Code::Zip(archive) => aws.lambda().pool.unpack(archive).map_err(|error| error.to_string()).map(|directory| {
            let path = directory.path().join("bootstrap");
            (Launch::Executable { path, environment: BTreeMap::new() }, Some(directory))
        }),
    };
    match launch {
        Ok((Launch::Closure { name, environment }, _)) => {
            let sink = Sink::new(aws, key, &admitted.label);
            sink.start(&request.request_id);
            (call_closure(aws, admitted, request, &name, environment).await, sink)
        }
        Ok((Launch::Executable { path, environment }, unpacked)) => {
            let directory = match (&unpacked, path.parent()) {
                (Some(unpacked), _) => unpacked.path().to_owned(),
                (None, Some(parent)) => parent.to_owned(),
                (None, None) => std::path::PathBuf::from("/"),
            };
            let configuration = &admitted.snapshot.configuration;
            let environment =
                environment::of_process(aws, key, &admitted.label, configuration, &directory, environment);
            run_process(aws, admitted, request, Program { path, directory, environment, unpacked }).await
        }
        Err(text) => {
            let sink = Sink::new(aws, key, &admitted.label);
            sink.start(&request.request_id);
            (could_not_start(&request.request_id, &text), sink)
        }
    }
}

fn could_not_start(request_id: &str, text: &str) -> Ran {
    let error = runtime_error("Runtime.InvalidEntrypoint", request_id, text);
    Ran { result: Err(error), duration: Duration::ZERO, init: None, reusable: false }
}

async fn call_closure(
    aws: &LocalAws,
    admitted: &Admitted,
    request: &Request,
    name: &str,
    image_environment: BTreeMap<String, String>,
) -> Ran {
    let Some(handler) = aws.lambda().handlers.get(name).cloned() else {
        return could_not_start(&request.request_id, &format!("no closure is registered as `{name}`"));
    };
    let configuration = &admitted.snapshot.configuration;
    let timeout = Duration::from_secs(configuration.timeout.into());
    let mut environment = image_environment;
    environment.extend(configuration.environment.clone());
    let began = Instant::now();
    let Key { account, region, name: function } = request.target.key.clone();
    let context = Context {
        request_id: request.request_id.clone(),
        function,
        version: admitted.label.clone(),
        invoked_arn: request.target.arn(),
        account,
        region,
        environment,
        deadline: began + timeout,
    };
    // On its own task: its panic is the function's, not the world's.
    let mut task = tokio::spawn(handler(Event { payload: request.payload.clone(), context }));
    let result = match tokio::time::timeout(timeout, &mut task).await {
        Ok(Ok(Ok(body))) => Ok(body),
        Ok(Ok(Err(error))) => Err(error.payload()),
        Ok(Err(_)) => {
            let text = "Runtime exited with error: the closure panicked";
            Err(runtime_error("Runtime.ExitError", &request.request_id, text))
        }
        Err(_) => {
            task.abort();
            let text = format!("Task timed out after {:.2} seconds", timeout.as_secs_f64());
            Err(runtime_error("Sandbox.Timedout", &request.request_id, &text))
        }
    };
    Ran { result, duration: began.elapsed(), init: None, reusable: true }
}

async fn run_process(aws: &LocalAws, admitted: &Admitted, request: &Request, program: Program) -> (Ran, Sink) {
    let Request { target, payload, request_id, trace_id, client_context } = request.clone();
    let key = target.key.clone();
    let warm = aws.lambda().pool.take(&key, &admitted.label, &admitted.snapshot);
    let sink = warm.as_ref().map_or_else(|| Sink::new(aws, &key, &admitted.label), |it| it.sink().clone());
    sink.start(&request_id);
    let mut sandbox = match warm {
        Some(sandbox) => sandbox,
        None => {
            let path = program.path.clone();
            match Sandbox::start(program, sink.clone()).await {
                Ok(sandbox) => sandbox,
                Err(error) => {
                    let text = format!("Couldn't start `{}`: {error}", path.display());
                    return (could_not_start(&request_id, &text), sink);
                }
            }
        }
    };
    let timeout = Duration::from_secs(admitted.snapshot.configuration.timeout.into());
    let invoked_arn = target.arn();
    let delivery = Delivery { request_id, payload, invoked_arn, trace_id, client_context, timeout };
    let ran = sandbox.run(delivery).await;
    if ran.reusable {
        let id = aws.lambda().pool.put(key, admitted.label.clone(), Arc::clone(&admitted.snapshot), sandbox);
        end_when_idle(aws, id);
    }
    (ran, sink)
}

/// Ends a process that has had no work for a while. One that is taken in the meantime comes back under another id.
fn end_when_idle(aws: &LocalAws, id: u64) {
    let (world, idle) = (aws.downgrade(), aws.options().idle_process);
    tokio::spawn(async move {
        tokio::time::sleep(idle).await;
        if let Some(aws) = world.upgrade() {
            aws.lambda().pool.end(id);
        }
    });
}

//! How asynchronous invocations of a function are retried, and how old they may grow.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::validation::Problems;
use super::{Target, function_not_found};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

/// One `event-invoke-config`.
#[derive(Clone, Debug)]
pub(crate) struct EventInvoke {
    /// How often a failed event is tried again: 0 to 2.
    pub(crate) retries: u32,
    /// How old an event may grow before it is dropped: 60 s to 6 h.
    pub(crate) age: Duration,
    modified: DateTime<Utc>,
}

/// What holds where nothing is configured: two retries within six hours.
pub(crate) const DEFAULT: (u32, Duration) = (2, Duration::from_secs(6 * 3600));

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    maximum_retry_attempts: Option<i64>,
    maximum_event_age_in_seconds: Option<i64>,
    destination_config: Option<Value>,
}

pub(crate) fn put(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let request: PutRequest = call.json()?;
    let retries = request.maximum_retry_attempts.unwrap_or(i64::from(DEFAULT.0));
    let age = request.maximum_event_age_in_seconds.unwrap_or(6 * 3600);
    let mut problems = Problems::default();
    problems.range(retries, "maximumRetryAttempts", 0, 2);
    problems.range(age, "maximumEventAgeInSeconds", 60, 6 * 3600);
    problems.finish()?;
    let empty = |config: &Value| config.as_object().is_some_and(|it| it.values().all(|side| *side == json!({})));
    if request.destination_config.is_some_and(|config| !empty(&config)) {
        return Err(AwsError::not_implemented("lambda member `DestinationConfig`"));
    }
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    function.qualified(&target)?;
    let config = EventInvoke {
        retries: u32::try_from(retries).unwrap_or_default(),
        age: Duration::from_secs(age.unsigned_abs()),
        modified: call.now,
    };
    let answer = wire::json(200, &shown(&target, &config));
    function.event_invoke.insert(qualifier(&target), config);
    Ok(answer)
}

pub(crate) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let config = function.event_invoke.get(&qualifier(&target)).ok_or_else(|| missing(&target))?;
    Ok(wire::json(200, &shown(&target, config)))
}

pub(crate) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    function.event_invoke.remove(&qualifier(&target)).ok_or_else(|| missing(&target))?;
    Ok(wire::empty(204))
}

fn missing(target: &Target) -> AwsError {
    let mut error = function_not_found(target);
    error.message = format!("The function {} doesn't have an EventInvokeConfig", target.arn());
    error
}

/// The qualifier that a configuration is kept under.
pub(crate) fn qualifier(target: &Target) -> String {
    target.qualifier.clone().unwrap_or_else(|| "$LATEST".to_owned())
}

fn shown(target: &Target, config: &EventInvoke) -> Value {
    json!({
        "LastModified": config.modified.timestamp_millis() as f64 / 1000.0,
        "FunctionArn": format!("{}:{}", target.key.arn(), qualifier(target)),
        "MaximumRetryAttempts": config.retries,
        "MaximumEventAgeInSeconds": config.age.as_secs(),
        "DestinationConfig": { "OnSuccess": {}, "OnFailure": {} },
    })
}

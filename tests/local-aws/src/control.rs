//! What a story needs to see and set up that AWS has no call for, under `/_local/`: unsigned, on loopback.
//!
//! `GET /_local/calls[?after=SEQUENCE]`, `GET /_local/logs[?function=NAME]`, `GET /_local/clock`,
//! `POST /_local/roles {arn, externalId}`, `POST /_local/version-state {account, region, function, qualifier, state}`.
//!
//! Traffic without programs, now or at `at`: `POST /_local/traffic {account, region, function, alias, requests, at?, versions:
//! {NUMBER: {errorRate, durationMs}}}` is split by the alias's weights and answered with the requests that each version had;
//! `POST /_local/traffic {account, region, function, alias, version, invocations, errors, throttles, durationMs, at?}` is
//! recorded as it stands.
//!
//! `POST /_local/metrics {trouble?: "PartialData" | "InternalError", lost?: [{from, to}], late?: [{from, to, seconds}]}`
//! disturbs the metrics of the world in this way from now on, and in no other.
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::cloudwatch::{MetricFate, MetricTrouble};
use crate::lambda::{AliasRef, Served, Traffic, VersionState};
use crate::wire::{Answer, AwsError, empty, json, query_value, rest_json_error};
use crate::{LocalAws, lambda};

/// The answer to a control request; none where the request is one for AWS.
pub(crate) fn answer(aws: &LocalAws, request: &http::Request<Bytes>) -> Option<Answer> {
    let path = request.uri().path().strip_prefix("/_local/")?;
    let result = match (request.method().as_str(), path) {
        ("GET", "calls") => calls(aws, request),
        ("GET", "logs") => logs(aws, request),
        ("GET", "clock") => Ok(json(200, &json!({ "now": aws.clock().now() }))),
        ("POST", "roles") => register_role(aws, request),
        ("POST", "version-state") => set_version_state(aws, request),
        ("POST", "traffic") => traffic(aws, request),
        ("POST", "metrics") => metrics(aws, request),
        (method, path) => Err(AwsError::not_implemented(format_args!("{method} /_local/{path}"))),
    };
    Some(result.unwrap_or_else(|error| rest_json_error(&error, "message")))
}

fn calls(aws: &LocalAws, request: &http::Request<Bytes>) -> Result<Answer, AwsError> {
    let after: Option<u64> = match query_value(request.uri(), "after") {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| bad_request(format!("`after` is not a number: `{text}`")))?),
    };
    let mut calls = aws.calls();
    calls.retain(|call| after.is_none_or(|after| call.sequence > after));
    Ok(json(200, &json!(calls)))
}

fn logs(aws: &LocalAws, request: &http::Request<Bytes>) -> Result<Answer, AwsError> {
    let lines = match query_value(request.uri(), "function") {
        Some(function) => aws.function_logs(&function),
        None => aws.all_function_logs(),
    };
    Ok(json(200, &json!(lines)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Role {
    arn: String,
    external_id: Option<String>,
}

fn register_role(aws: &LocalAws, request: &http::Request<Bytes>) -> Result<Answer, AwsError> {
    let role: Role = body(request)?;
    aws.register_role(&role.arn, role.external_id.as_deref());
    Ok(empty(204))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct VersionStateRequest {
    account: String,
    region: String,
    function: String,
    qualifier: String,
    state: String,
}

fn set_version_state(aws: &LocalAws, request: &http::Request<Bytes>) -> Result<Answer, AwsError> {
    let VersionStateRequest { account, region, function, qualifier, state } = body(request)?;
    let states = [VersionState::Pending, VersionState::Active, VersionState::Inactive, VersionState::Failed];
    let state = states.into_iter().find(|it| it.name() == state);
    let state = state.ok_or_else(|| bad_request("`state` is none of Pending, Active, Inactive, Failed"))?;
    let key = lambda::Key { account, region, name: function };
    if aws.set_version_state(&key.account, &key.region, &key.name, &qualifier, state) {
        Ok(empty(204))
    } else {
        Err(AwsError::new(404, "ResourceNotFoundException", format!("Function not found: {}:{qualifier}", key.arn())))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TrafficRequest {
    account: String,
    region: String,
    function: String,
    alias: String,
    at: Option<DateTime<Utc>>,
    requests: Option<u32>,
    #[serde(default)]
    versions: BTreeMap<String, VersionTraffic>,
    version: Option<String>,
    #[serde(default)]
    invocations: u32,
    #[serde(default)]
    errors: u32,
    #[serde(default)]
    throttles: u32,
    #[serde(default)]
    duration_ms: u32,
}

/// How the requests go that meet a version. One that the request does not name answers at once, without an error.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct VersionTraffic {
    /// From 0 to 1.
    error_rate: f64,
    duration_ms: u32,
}

fn traffic(aws: &LocalAws, request: &http::Request<Bytes>) -> Result<Answer, AwsError> {
    let asked: TrafficRequest = body(request)?;
    let TrafficRequest { account, region, function, alias, at, requests, versions, version, .. } = asked;
    let name = format!("{function}:{alias}");
    let alias = AliasRef { account, region, function, alias };
    let at = at.unwrap_or_else(|| aws.clock().now());
    let met = match (requests, version) {
        (Some(requests), None) => aws.drive_at(&alias, at, requests, |version, random| {
            let served = versions.get(version);
            Served {
                failed: served.is_some_and(|it| random.f64() < it.error_rate),
                duration: milliseconds(served.map_or(0, |it| it.duration_ms)),
            }
        }),
        (None, Some(version)) => {
            let TrafficRequest { invocations, errors, throttles, duration_ms, .. } = asked;
            let traffic = Traffic { invocations, errors, throttles, duration: milliseconds(duration_ms) };
            if aws.record_traffic(&alias, &version, at, traffic) {
                BTreeMap::from([(version, invocations)])
            } else {
                BTreeMap::new()
            }
        }
        (Some(_), Some(_)) | (None, None) => return Err(bad_request("give either `requests` or `version`")),
    };
    if met.is_empty() && requests != Some(0) {
        return Err(AwsError::new(404, "ResourceNotFoundException", format!("Alias or version not found: {name}")));
    }
    Ok(json(200, &json!(met)))
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct MetricsRequest {
    trouble: Option<MetricTrouble>,
    #[serde(default)]
    lost: Vec<Period>,
    #[serde(default)]
    late: Vec<Late>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Late {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    seconds: u32,
}

fn metrics(aws: &LocalAws, request: &http::Request<Bytes>) -> Result<Answer, AwsError> {
    let MetricsRequest { trouble, lost, late } = body(request)?;
    aws.mend_metrics();
    aws.trouble_metrics(trouble);
    for Period { from, to } in lost {
        aws.disturb_metrics(from..to, MetricFate::Lost);
    }
    for Late { from, to, seconds } in late {
        aws.disturb_metrics(from..to, MetricFate::Late(Duration::from_secs(seconds.into())));
    }
    Ok(empty(204))
}

fn body<T: DeserializeOwned>(request: &http::Request<Bytes>) -> Result<T, AwsError> {
    serde_json::from_slice(request.body()).map_err(|error| bad_request(error.to_string()))
}

fn bad_request(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "BadRequest", message)
}

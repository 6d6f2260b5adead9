//! What a story needs to see and set up that AWS has no call for, under `/_local/`: unsigned, on loopback.
//!
//! `GET /_local/calls[?after=SEQUENCE]`, `GET /_local/logs[?function=NAME]`, `GET /_local/clock`,
//! `POST /_local/roles {arn, externalId}`, `POST /_local/version-state {account, region, function, qualifier, state}`.
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::lambda::VersionState;
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

fn body<T: DeserializeOwned>(request: &http::Request<Bytes>) -> Result<T, AwsError> {
    serde_json::from_slice(request.body()).map_err(|error| bad_request(error.to_string()))
}

fn bad_request(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "BadRequest", message)
}

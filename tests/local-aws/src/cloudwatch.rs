//! Metrics and alarms: CBOR, JSON or query, as the client prefers.
use bytes::Bytes;

use crate::LocalAws;
use crate::wire::{Answer, AwsError, Call, rest_json_error};

use chrono::{DateTime, Utc};

/// All metrics and alarms of the world.
#[derive(Default)]
pub(crate) struct State {}

/// One value of one metric, as another service publishes it.
#[derive(Clone, Debug)]
pub(crate) struct Datum {
    /// For example `AWS/Lambda`.
    pub(crate) namespace: String,
    /// For example `Invocations`.
    pub(crate) name: String,
    /// Name and value of each dimension.
    pub(crate) dimensions: Vec<(String, String)>,
    /// On the world's clock.
    pub(crate) at: DateTime<Utc>,
    /// In `unit`.
    pub(crate) value: f64,
    /// For example `Count` or `Milliseconds`.
    pub(crate) unit: &'static str,
}

/// Adds one value to a metric of `account` in `region`.
pub(crate) fn record(_aws: &LocalAws, _account: &str, _region: &str, _datum: Datum) {}

/// The operation that a request asks for.
pub(crate) fn operation(_head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    None
}

/// What a call is about, for the log of calls.
pub(crate) fn resource(_call: &Call) -> String {
    String::new()
}

/// Answers one call.
pub(crate) async fn handle(_aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    Err(AwsError::not_implemented(call.operation))
}

/// An error in the protocol of the request.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    rest_json_error(error, "message")
}

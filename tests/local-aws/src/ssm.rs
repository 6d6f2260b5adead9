//! Parameter Store: AWS-JSON 1.1.
use bytes::Bytes;

use crate::LocalAws;
use crate::wire::{Answer, AwsError, Call, rest_json_error};

/// All parameters of the world.
#[derive(Default)]
pub(crate) struct State {}

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

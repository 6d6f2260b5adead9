//! Images: AWS-JSON 1.1.
use bytes::Bytes;

use crate::LocalAws;
use crate::wire::{Answer, AwsError, Call, rest_json_error};

/// All repositories of the world.
#[derive(Default)]
pub(crate) struct State {}

/// How an image is named within its repository.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reference<'a> {
    /// For example `v1.2.3`.
    Tag(&'a str),
    /// For example `sha256:…`.
    Digest(&'a str),
}

/// An image as Lambda pulls it.
pub(crate) struct StoredImage {
    /// `sha256:` and 64 hex digits: of the bytes of `manifest`.
    pub(crate) digest: String,
    /// The manifest as `PutImage` sent it.
    pub(crate) manifest: String,
}

impl State {
    /// The image of that name in `account`'s registry in `region`.
    pub(crate) fn image(
        &self,
        _account: &str,
        _region: &str,
        _repository: &str,
        _reference: Reference<'_>,
    ) -> Option<StoredImage> {
        None
    }
}

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

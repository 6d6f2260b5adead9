//! Objects: REST-XML, path style.
use bytes::Bytes;

use crate::LocalAws;
use crate::wire::{Answer, AwsError, Call, rest_json_error};

/// All buckets of the world.
#[derive(Default)]
pub(crate) struct State {}

/// One version of an object, as Lambda fetches it.
pub(crate) struct StoredObject {
    /// The account that owns the bucket.
    pub(crate) account: String,
    /// The bucket's region.
    pub(crate) region: String,
    /// The version's id; none where the bucket is not versioned.
    pub(crate) version: Option<String>,
    /// The content.
    pub(crate) bytes: Bytes,
}

impl State {
    /// The current version of an object, or the one that is named.
    pub(crate) fn object(&self, _bucket: &str, _key: &str, _version: Option<&str>) -> Option<StoredObject> {
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

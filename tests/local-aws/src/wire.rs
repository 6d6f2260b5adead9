//! What one call carries, whatever its protocol, and how answers and errors are written for each protocol.
use bytes::Bytes;
use chrono::{DateTime, Utc};

/// The services that this AWS serves, by the name in the signature's credential scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// `lambda`, REST-JSON.
    Lambda,
    /// `s3`, REST-XML, path style.
    S3,
    /// `ssm`, AWS-JSON 1.1.
    Ssm,
    /// `ecr`, AWS-JSON 1.1.
    Ecr,
    /// `monitoring`: Smithy RPC v2 CBOR, AWS-JSON 1.0 or AWS query, as the client prefers.
    CloudWatch,
    /// `sts`, AWS query.
    Sts,
    /// `scheduler`, REST-JSON.
    Scheduler,
}

/// Who calls and where: read from the signature. An access key that is 12 digits long is the account itself; keys that
/// `AssumeRole` gave out belong to the role's account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller {
    /// 12 digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// For example `arn:aws:iam::111111111111:root` or an assumed role's session.
    pub arn: String,
}

/// One request, its body read, its operation named.
#[derive(Clone, Debug)]
pub struct Call {
    /// Which service it is for.
    pub service: Service,
    /// The operation's name in AWS's model, for example `GetFunction`.
    pub operation: &'static str,
    /// Account, region and principal.
    pub caller: Caller,
    /// Server time when the call arrived.
    pub now: DateTime<Utc>,
    /// The request as it came; its body is in `body`.
    pub head: http::request::Parts,
    /// The whole body.
    pub body: Bytes,
}

/// What every service module answers with.
pub type Answer = http::Response<Bytes>;

/// An error as AWS would send it; each protocol writes it in its own form.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{status} {code}: {message}")]
pub struct AwsError {
    /// HTTP status.
    pub status: u16,
    /// The modelled name, for example `ResourceConflictException`.
    pub code: String,
    /// What a person reads.
    pub message: String,
    /// Further members of the error's shape, for example `Type: User`.
    pub fields: Vec<(&'static str, String)>,
}

impl AwsError {
    /// An error with a status, code and message.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), fields: Vec::new() }
    }

    /// What this AWS does not do: said clearly, never guessed.
    pub fn not_implemented(what: impl std::fmt::Display) -> Self {
        Self::new(501, "NotImplemented", format!("not implemented: {what}"))
    }
}

//! What one call carries, whatever its protocol: who signed it, for which service, and how REST-JSON is read and written.
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

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

impl Service {
    /// The service whose signing name this is.
    #[must_use]
    pub fn from_signing_name(name: &str) -> Option<Self> {
        Some(match name {
            "lambda" => Self::Lambda,
            "s3" => Self::S3,
            "ssm" => Self::Ssm,
            "ecr" => Self::Ecr,
            "monitoring" => Self::CloudWatch,
            "sts" => Self::Sts,
            "scheduler" => Self::Scheduler,
            _ => return None,
        })
    }

    /// The name in the signature's credential scope.
    #[must_use]
    pub const fn signing_name(self) -> &'static str {
        match self {
            Self::Lambda => "lambda",
            Self::S3 => "s3",
            Self::Ssm => "ssm",
            Self::Ecr => "ecr",
            Self::CloudWatch => "monitoring",
            Self::Sts => "sts",
            Self::Scheduler => "scheduler",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.signing_name())
    }
}

/// Who calls and where: read from the signature. An access key that is 12 digits long is the account itself; keys that
/// `AssumeRole` gave out belong to the role's account; any other key belongs to the world's default account.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller {
    /// 12 digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// For example `arn:aws:iam::111111111111:root` or an assumed role's session.
    pub arn: String,
}

/// The credential of a SigV4 signature, from the `Authorization` header or a presigned query. The signature itself is not
/// verified: there are no secret keys in this world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key id.
    pub access_key: String,
    /// The region of the scope.
    pub region: String,
    /// The signing name of the scope.
    pub service: String,
}

impl Credential {
    /// The credential that signs this request, if it is signed at all.
    #[must_use]
    pub fn of(head: &http::request::Parts) -> Option<Self> {
        let header = head.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header {
            Some(value) => Self::from_header(value),
            None => query_value(&head.uri, "X-Amz-Credential").and_then(|scope| Self::from_scope(&scope)),
        }
    }

    fn from_header(value: &str) -> Option<Self> {
        let parameters = value.strip_prefix("AWS4-HMAC-SHA256")?.split(',').map(str::trim);
        let scope = parameters.filter_map(|part| part.strip_prefix("Credential=")).next()?;
        Self::from_scope(scope)
    }

    /// `AKIDEXAMPLE/20260101/eu-central-1/lambda/aws4_request`.
    fn from_scope(scope: &str) -> Option<Self> {
        let mut parts = scope.split('/');
        let (access_key, _date) = (parts.next()?, parts.next()?);
        let (region, service) = (parts.next()?, parts.next()?);
        (parts.next() == Some("aws4_request")).then(|| Self {
            access_key: access_key.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }
}

/// What the program that sends a request does at that moment, as it says itself: an extension of the request, which no
/// wire carries.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Purpose(pub String);

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
    pub head: Arc<http::request::Parts>,
    /// The whole body.
    pub body: Bytes,
    /// What it is about, as [`CallRecord::resource`](crate::CallRecord::resource) has it.
    pub resource: Arc<str>,
}

impl Call {
    /// The decoded value of a query parameter: the first one of that name.
    #[must_use]
    pub fn query(&self, name: &str) -> Option<String> {
        query_value(&self.head.uri, name)
    }

    /// A header's value, where it is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The path's segments, each decoded; a trailing slash gives no empty segment.
    #[must_use]
    pub fn segments(&self) -> Vec<String> {
        path_segments(&self.head.uri)
    }

    /// The body as JSON; an empty body counts as `{}`.
    ///
    /// # Errors
    /// `SerializationException` (400), as AWS says where a body does not parse or a member has the wrong type.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, AwsError> {
        let body: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        serde_json::from_slice(body).map_err(|error| {
            AwsError::new(400, "SerializationException", format!("Could not parse request body: {error}"))
        })
    }
}

/// The first query parameter of that name, decoded.
#[must_use]
pub fn query_value(uri: &http::Uri, name: &str) -> Option<String> {
    let query = uri.query()?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// The path's segments, each percent-decoded. Empty ones are left out: operations are told by what is there.
#[must_use]
pub fn path_segments(uri: &http::Uri) -> Vec<String> {
    let decode = |segment: &str| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
    uri.path().split('/').filter(|segment| !segment.is_empty()).map(decode).collect()
}

/// What every service module answers with.
pub type Answer = http::Response<Bytes>;

/// An error as AWS would send it; each protocol writes it in its own form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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

    /// The same error with one more member of its shape.
    #[must_use]
    pub fn with(mut self, member: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((member, value.into()));
        self
    }

    /// What this AWS does not do: said clearly, never guessed.
    pub fn not_implemented(what: impl fmt::Display) -> Self {
        Self::new(501, "NotImplemented", format!("not implemented: {what}"))
    }

    /// The `ValidationException` (400) that the services' front ends answer before the operation itself looks.
    pub fn validation<'a>(problems: impl IntoIterator<Item = impl Into<Cow<'a, str>>>) -> Self {
        let problems: Vec<Cow<'a, str>> = problems.into_iter().map(Into::into).collect();
        let noun = if problems.len() == 1 { "error" } else { "errors" };
        let message = format!("{} validation {noun} detected: {}", problems.len(), problems.join("; "));
        Self::new(400, "ValidationException", message)
    }
}

/// The header that names a request.
pub(crate) const REQUEST_ID: &str = "x-amzn-requestid";

/// An answer without a body.
#[must_use]
pub fn empty(status: u16) -> Answer {
    let mut answer = Answer::new(Bytes::new());
    *answer.status_mut() = http::StatusCode::from_u16(status).expect("a status in AWS's model");
    answer
}

/// An answer in REST-JSON.
#[must_use]
pub fn json(status: u16, body: &Value) -> Answer {
    let mut answer = empty(status);
    *answer.body_mut() = Bytes::from(body.to_string());
    set_header(&mut answer, "content-type", "application/json");
    answer
}

/// An error in REST-JSON: its name in `x-amzn-errortype`, its members in the body.
#[must_use]
pub fn rest_json_error(error: &AwsError, message_member: &str) -> Answer {
    let mut body = serde_json::Map::new();
    for (member, value) in &error.fields {
        body.insert((*member).to_owned(), Value::from(value.as_str()));
    }
    body.insert(message_member.to_owned(), Value::from(error.message.as_str()));
    let mut answer = json(error.status, &Value::Object(body));
    set_header(&mut answer, "x-amzn-errortype", &error.code);
    answer
}

/// Sets a header of an answer.
pub fn set_header(answer: &mut Answer, name: &'static str, value: &str) {
    let value = http::HeaderValue::from_str(value).expect("header values of answers are printable");
    answer.headers_mut().insert(name, value);
}

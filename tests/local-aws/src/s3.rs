//! S3: buckets, versions, conditional writes and listings, on REST-XML; path style and virtual-hosted style.
//!
//! A bucket belongs to the account that created it and to one region; other accounts are refused, since there are no bucket
//! policies here. Every read sees every write that was answered before.
use bytes::Bytes;

use crate::LocalAws;
use crate::codec::xml::{self, Element};
use crate::wire::{Answer, AwsError, Call, empty};

mod bucket;
mod buckets;
mod delete;
mod list;
mod objects;
mod payload;
mod target;

pub(crate) use bucket::State;
use target::Target;

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// The operation that a request asks for.
pub(crate) fn operation(head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    target::operation(head)
}

/// What a call is about, for the log of calls: `bucket/key`.
pub(crate) fn resource(call: &Call) -> String {
    let target = Target::of(&call.head);
    match target.key {
        Some(key) => format!("{}/{key}", target.bucket),
        None => target.bucket,
    }
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    let target = Target::of(&call.head);
    let state = &mut *aws.s3();
    match call.operation {
        "ListBuckets" => Ok(buckets::list(state, &call)),
        "CreateBucket" => buckets::create(state, &call, &target),
        "HeadBucket" => buckets::head(state, &call, &target),
        "DeleteBucket" => buckets::delete(state, &call, &target),
        "GetBucketLocation" => buckets::location(state, &call, &target),
        "GetBucketVersioning" => buckets::versioning(state, &call, &target),
        "PutBucketVersioning" => buckets::put_versioning(state, &call, &target),
        "ListObjectsV2" => list::objects(state, &call, &target),
        "ListObjectVersions" => list::versions(state, &call, &target),
        "PutObject" => objects::put(state, &call, &target),
        "GetObject" | "HeadObject" => objects::get(state, &call, &target),
        "DeleteObject" => delete::one(state, &call, &target),
        "DeleteObjects" => delete::many(state, &call, &target),
        other => Err(AwsError::not_implemented(format_args!("s3 {other}"))),
    }
}

/// An error in the protocol of the request; an answer to `HEAD` and a 304 have no body.
pub(crate) fn error(head: &http::request::Parts, error: &AwsError) -> Answer {
    let (status, code) = match error.code.as_str() {
        "ExpiredTokenException" => (400, "ExpiredToken"),
        code => (error.status, code),
    };
    let headers = error.fields.iter().filter(|(name, _)| name.starts_with("x-amz-") || *name == "etag");
    let mut answer = if head.method == http::Method::HEAD || status == 304 {
        empty(status)
    } else {
        let members = error.fields.iter().filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase()));
        let root = Element::new("Error")
            .child(Element::text("Code", code))
            .child(Element::text("Message", &error.message))
            .children(members.map(|(name, value)| Element::text(*name, value)))
            .child(Element::text("Resource", head.uri.path()))
            .child(Element::text("RequestId", "LOCAL00000000000"))
            .child(Element::text("HostId", "local"));
        xml::answer(status, &root)
    };
    for (name, value) in headers {
        crate::wire::set_header(&mut answer, name, value);
    }
    answer
}

/// A root element in S3's namespace.
fn root(name: &str) -> Element {
    Element::new(name).attribute("xmlns", NAMESPACE)
}

fn access_denied() -> AwsError {
    AwsError::new(403, "AccessDenied", "Access Denied")
}

fn invalid_argument(message: &str, name: &str, value: &str) -> AwsError {
    AwsError::new(400, "InvalidArgument", message).with("ArgumentName", name).with("ArgumentValue", value)
}

fn no_such_key(key: &str) -> AwsError {
    AwsError::new(404, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

fn precondition_failed(condition: &str) -> AwsError {
    let message = "At least one of the pre-conditions you specified did not hold";
    AwsError::new(412, "PreconditionFailed", message).with("Condition", condition)
}

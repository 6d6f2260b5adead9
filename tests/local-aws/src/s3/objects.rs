//! `PutObject`, `GetObject` and `HeadObject`: conditional writes and reads, ranges and versions.
use std::ops::Range;

use chrono::{DateTime, SubsecRound, Utc};
use http::{HeaderName, HeaderValue};
use md5::{Digest, Md5};

use super::bucket::{Bucket, Object, State, Version};
use super::{Target, invalid_argument, no_such_key, payload, precondition_failed};
use crate::wire::{Answer, AwsError, Call, empty, set_header};

/// Headers of a put that every read gives back; metadata is besides them.
const KEPT: [&str; 5] = ["cache-control", "content-disposition", "content-language", "content-type", "expires"];

/// Headers of a put that would change what S3 does, and that this AWS does not have.
const REFUSED: [&str; 6] = [
    "x-amz-tagging",
    "x-amz-object-lock-mode",
    "x-amz-object-lock-legal-hold",
    "x-amz-server-side-encryption-customer-algorithm",
    "x-amz-write-offset-bytes",
    "x-amz-website-redirect-location",
];

/// `PutObject`.
pub(super) fn put(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let bucket = state.bucket(call, target)?;
    let key = target.key.as_deref().unwrap_or_default();
    if key.len() > 1024 {
        return Err(AwsError::new(400, "KeyTooLongError", "Your key is too long").with("Size", key.len().to_string()));
    }
    if let Some(header) = REFUSED.iter().find(|header| call.head.headers.contains_key(**header)) {
        return Err(AwsError::not_implemented(format_args!("s3 PutObject with {header}")));
    }
    let payload = payload::read(call)?;
    check_write(bucket, key, call)?;
    let object = Object {
        etag: format!("\"{}\"", hex::encode(Md5::digest(&payload.bytes))),
        headers: kept_headers(call)?,
        checksum: payload.checksum,
        bytes: payload.bytes,
    };
    let mut answer = empty(200);
    set_header(&mut answer, "etag", &object.etag);
    set_checksum(&mut answer, &object);
    for (name, value) in object.headers.iter().filter(|(name, _)| name.starts_with("x-amz-server-side-encryption")) {
        set(&mut answer, name, value);
    }
    let id = bucket.push(key, call.now, Some(object)).id.clone();
    if bucket.versioning == super::bucket::Versioning::Enabled {
        set_header(&mut answer, "x-amz-version-id", &id);
    }
    Ok(answer)
}

/// `If-None-Match: *` creates only, `If-Match` replaces only what was read. A delete marker is nothing.
fn check_write(bucket: &Bucket, key: &str, call: &Call) -> Result<(), AwsError> {
    let current = bucket.current_object(key);
    match call.header("if-none-match") {
        None => {}
        Some("*") if current.is_some() => return Err(precondition_failed("If-None-Match")),
        Some("*") => {}
        Some(_) => {
            let message = "A header you provided implies functionality that is not implemented";
            return Err(AwsError::new(501, "NotImplemented", message).with("Header", "If-None-Match"));
        }
    }
    match (call.header("if-match"), current) {
        (None, _) => Ok(()),
        (Some(_), None) => Err(no_such_key(key)),
        (Some(expected), Some(object)) if matches(expected, &object.etag) => Ok(()),
        (Some(_), Some(_)) => Err(precondition_failed("If-Match")),
    }
}

/// Whether an entity tag is among those that a header lists; clients leave the quotes out at times.
pub(super) fn matches(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_matches('"') == etag.trim_matches('"'))
}

fn kept_headers(call: &Call) -> Result<Vec<(String, String)>, AwsError> {
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut metadata = 0;
    for (name, value) in &call.head.headers {
        let (name, value) = (name.as_str(), String::from_utf8_lossy(value.as_bytes()).into_owned());
        if let Some(key) = name.strip_prefix("x-amz-meta-") {
            metadata += key.len() + value.len();
        } else if !KEPT.contains(&name) && !name.starts_with("x-amz-server-side-encryption") {
            continue;
        }
        kept.push((name.to_owned(), value));
    }
    if metadata > 2048 {
        let message = "Your metadata headers exceed the maximum allowed metadata size";
        return Err(AwsError::new(400, "MetadataTooLarge", message));
    }
    // What the SDK adds for the transfer is no property of the object.
    let encodings = call.header("content-encoding").unwrap_or_default().split(',').map(str::trim);
    let encodings: Vec<_> = encodings.filter(|encoding| !encoding.is_empty() && *encoding != "aws-chunked").collect();
    if !encodings.is_empty() {
        kept.push(("content-encoding".to_owned(), encodings.join(",")));
    }
    if !kept.iter().any(|(name, _)| name == "content-type") {
        kept.push(("content-type".to_owned(), "binary/octet-stream".to_owned()));
    }
    if !kept.iter().any(|(name, _)| name == "x-amz-server-side-encryption") {
        kept.push(("x-amz-server-side-encryption".to_owned(), "AES256".to_owned()));
    }
    Ok(kept)
}

/// `GetObject` and `HeadObject`: they differ in the body only.
pub(super) fn get(state: &mut State, call: &Call, target: &Target) -> Result<Answer, AwsError> {
    let bucket = state.bucket(call, target)?;
    let key = target.key.as_deref().unwrap_or_default();
    let (version, object) = find(bucket, key, call.query("versionId").as_deref())?;
    check_read(version, object, call)?;
    let range = call.header("range").map(|header| parse_range(header, object.bytes.len())).transpose()?.flatten();
    let mut answer = empty(if range.is_some() { 206 } else { 200 });
    for (name, value) in &object.headers {
        set(&mut answer, name, value);
    }
    set_header(&mut answer, "accept-ranges", "bytes");
    set_header(&mut answer, "etag", &object.etag);
    set_header(&mut answer, "last-modified", &httpdate::fmt_http_date(version.modified.into()));
    if let Some(id) = bucket.shown_id(version) {
        set_header(&mut answer, "x-amz-version-id", id);
    }
    if range.is_none() && call.header("x-amz-checksum-mode").is_some() {
        set_checksum(&mut answer, object);
    }
    if let Some(range) = &range {
        let content = format!("bytes {}-{}/{}", range.start, range.end - 1, object.bytes.len());
        set_header(&mut answer, "content-range", &content);
    }
    let bytes = range.map_or_else(|| object.bytes.clone(), |range| object.bytes.slice(range));
    set_header(&mut answer, "content-length", &bytes.len().to_string());
    if call.operation == "GetObject" {
        *answer.body_mut() = bytes;
    }
    Ok(answer)
}

/// The version that a read is about; markers are told apart from keys that never were.
fn find<'b>(bucket: &'b Bucket, key: &str, id: Option<&str>) -> Result<(&'b Version, &'b Object), AwsError> {
    let Some(id) = id else {
        let version = bucket.current(key).ok_or_else(|| no_such_key(key))?;
        let object = version.object.as_ref().ok_or_else(|| {
            no_such_key(key).with("x-amz-delete-marker", "true").with("x-amz-version-id", &version.id)
        })?;
        return Ok((version, object));
    };
    check_version_id(id)?;
    let version = bucket.version(key, id).ok_or_else(|| {
        let message = "The specified version does not exist.";
        AwsError::new(404, "NoSuchVersion", message).with("Key", key).with("VersionId", id)
    })?;
    let object = version.object.as_ref().ok_or_else(|| {
        AwsError::new(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
            .with("Method", "GET")
            .with("ResourceType", "DeleteMarker")
            .with("x-amz-delete-marker", "true")
    })?;
    Ok((version, object))
}

/// An id that no version can have is another error than one that none has.
pub(super) fn check_version_id(id: &str) -> Result<(), AwsError> {
    let possible =
        id == super::bucket::NULL_VERSION || (id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if possible { Ok(()) } else { Err(invalid_argument("Invalid version id specified", "versionId", id)) }
}

/// The order of RFC 9110: `If-Match` before `If-Unmodified-Since`, `If-None-Match` before `If-Modified-Since`.
fn check_read(version: &Version, object: &Object, call: &Call) -> Result<(), AwsError> {
    let date =
        |name| call.header(name).and_then(|text| httpdate::parse_http_date(text).ok()).map(DateTime::<Utc>::from);
    let modified = version.modified.trunc_subsecs(0);
    match call.header("if-match") {
        Some(expected) if !matches(expected, &object.etag) => return Err(precondition_failed("If-Match")),
        Some(_) => {}
        None if date("if-unmodified-since").is_some_and(|since| modified > since) => {
            return Err(precondition_failed("If-Unmodified-Since"));
        }
        None => {}
    }
    let unchanged = match call.header("if-none-match") {
        Some(known) => matches(known, &object.etag),
        None => date("if-modified-since").is_some_and(|since| modified <= since),
    };
    if unchanged {
        return Err(AwsError::new(304, "NotModified", "Not Modified").with("etag", &object.etag));
    }
    Ok(())
}

/// `bytes=a-b`, `bytes=a-` or `bytes=-n`; several ranges, and what does not parse, are ignored as S3 does.
fn parse_range(header: &str, length: usize) -> Result<Option<Range<usize>>, AwsError> {
    let Some((first, last)) = header.strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Ok(None);
    };
    let range = match (first.parse::<usize>(), last.parse::<usize>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(length),
        (Ok(first), Err(_)) if last.is_empty() => first..length,
        (Err(_), Ok(suffix)) if first.is_empty() => length.saturating_sub(suffix)..length,
        _ => return Ok(None),
    };
    if range.start >= range.end {
        return Err(AwsError::new(416, "InvalidRange", "The requested range is not satisfiable")
            .with("RangeRequested", header)
            .with("ActualObjectSize", length.to_string()));
    }
    Ok(Some(range))
}

fn set_checksum(answer: &mut Answer, object: &Object) {
    if let Some((name, value)) = &object.checksum {
        set(answer, name, value);
        set_header(answer, "x-amz-checksum-type", "FULL_OBJECT");
    }
}

/// Sets a header whose name came from a client.
fn set(answer: &mut Answer, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        answer.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_at_the_end_and_refused_beyond_it() {
        assert_eq!(parse_range("bytes=0-3", 10).unwrap(), Some(0..4));
        assert_eq!(parse_range("bytes=8-100", 10).unwrap(), Some(8..10));
        assert_eq!(parse_range("bytes=-3", 10).unwrap(), Some(7..10));
        assert_eq!(parse_range("bytes=-30", 10).unwrap(), Some(0..10));
        assert_eq!(parse_range("bytes=4-", 10).unwrap(), Some(4..10));
        assert_eq!(parse_range("bytes=0-1,4-5", 10).unwrap(), None);
        for beyond in ["bytes=10-", "bytes=-0", "bytes=10-11"] {
            assert_eq!(parse_range(beyond, 10).unwrap_err().code, "InvalidRange", "{beyond}");
        }
    }
}

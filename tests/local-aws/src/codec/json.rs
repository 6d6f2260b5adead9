//! AWS-JSON 1.0 and 1.1: the operation is in `X-Amz-Target`, the body one JSON object, times are epoch seconds.
use bytes::Bytes;

use super::{Value, epoch_seconds};
use crate::wire::{Answer, AwsError};

/// The operation that `X-Amz-Target: <prefix>.<operation>` names.
pub(crate) fn target(head: &http::request::Parts) -> Option<&str> {
    let target = head.headers.get("x-amz-target")?.to_str().ok()?;
    target.rsplit_once('.').map(|(_, operation)| operation)
}

/// Reads a request's body; an empty one is an empty structure.
pub(crate) fn read(body: &[u8]) -> Result<Value, AwsError> {
    if body.is_empty() {
        return Ok(super::structure());
    }
    let document: serde_json::Value = serde_json::from_slice(body)
        .map_err(|error| AwsError::new(400, "SerializationException", error.to_string()))?;
    match from_json(document) {
        Some(value @ Value::Struct(_)) => Ok(value),
        _ => Err(AwsError::new(400, "SerializationException", "Start of structure or map found where not expected.")),
    }
}

/// An answer; `version` is `1.0` or `1.1`.
pub(crate) fn answer(version: &str, value: &Value) -> Answer {
    respond(200, version, to_json(value))
}

/// An error: its shape's name in `__type`, its further members beside `message`.
pub(crate) fn error(version: &str, error: &AwsError) -> Answer {
    let mut body = serde_json::Map::new();
    body.insert("__type".into(), error.code.clone().into());
    body.insert("message".into(), error.message.clone().into());
    for (name, value) in &error.fields {
        body.insert((*name).into(), value.clone().into());
    }
    // Expired credentials are 403 elsewhere, 400 in this protocol.
    let status = if error.code == "ExpiredTokenException" { 400 } else { error.status };
    let mut answer = respond(status, version, body.into());
    if let Ok(code) = error.code.parse() {
        answer.headers_mut().insert("x-amzn-errortype", code);
    }
    answer
}

fn respond(status: u16, version: &str, body: serde_json::Value) -> Answer {
    http::Response::builder()
        .status(status)
        .header("content-type", format!("application/x-amz-json-{version}"))
        .body(Bytes::from(body.to_string()))
        .expect("a status and a content type make a valid answer")
}

/// `None` is JSON's null, which AWS reads as a member that is not there.
fn from_json(value: serde_json::Value) -> Option<Value> {
    use serde_json::Value as Json;
    Some(match value {
        Json::Null => return None,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Int(integer),
            None => Value::Double(number.as_f64()?),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().filter_map(from_json).collect()),
        Json::Object(members) => {
            Value::Struct(members.into_iter().filter_map(|(name, value)| Some((name, from_json(value)?))).collect())
        }
    })
}

fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        // AWS writes what JSON cannot as text: "NaN", "Infinity", "-Infinity".
        Value::Double(number) if !number.is_finite() => super::query::number(*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::Time(time) => epoch_seconds(*time).into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Struct(members) | Value::Dictionary(members) => {
            members.iter().map(|(name, value)| (name.clone(), to_json(value))).collect::<serde_json::Map<_, _>>().into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_members_are_read_as_missing() {
        let value = read(br#"{"Name": null, "Overwrite": true}"#).unwrap();
        assert_eq!(value, super::super::structure().with("Overwrite", true));
    }

    #[test]
    fn a_body_that_is_no_object_is_a_serialization_exception() {
        for body in [&b"[]"[..], b"nul", b"null", b"{"] {
            assert_eq!(read(body).unwrap_err().code, "SerializationException");
        }
    }

    #[test]
    fn times_are_epoch_seconds_with_milliseconds() {
        let time: chrono::DateTime<chrono::Utc> = "2026-01-02T03:04:05.678901Z".parse().unwrap();
        assert_eq!(to_json(&Value::Time(time)).to_string(), "1767323045.678");
    }
}

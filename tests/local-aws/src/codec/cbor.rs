//! Smithy RPC v2 CBOR: the operation is in the path, bodies are CBOR maps, times are epoch seconds under tag 1.
use bytes::Bytes;
use ciborium::Value as Cbor;

use super::{Value, epoch_seconds};
use crate::wire::{Answer, AwsError};

const EPOCH: u64 = 1;

/// The operation that `/service/<service>/operation/<operation>` names.
pub(crate) fn operation(head: &http::request::Parts) -> Option<&str> {
    head.uri.path().strip_prefix("/service/")?.split_once("/operation/").map(|(_, operation)| operation)
}

/// Reads a request's body; an empty one is an empty structure.
pub(crate) fn read(body: &[u8]) -> Result<Value, AwsError> {
    if body.is_empty() {
        return Ok(super::structure());
    }
    let malformed = |reason: String| AwsError::new(400, "SerializationException", reason);
    let document: Cbor = ciborium::from_reader(body).map_err(|error| malformed(error.to_string()))?;
    match from_cbor(document)? {
        Some(value @ Value::Struct(_)) => Ok(value),
        _ => Err(malformed("the body must be a map".to_owned())),
    }
}

/// An answer.
pub(crate) fn answer(value: &Value) -> Answer {
    respond(200, &to_cbor(value))
}

/// An error. Services that once spoke AWS query name the old code in `x-amzn-query-error`, and SDKs believe that one.
pub(crate) fn error(shape: &str, error: &AwsError) -> Answer {
    let mut body = super::structure().with("__type", shape).with("message", &error.message);
    for (name, value) in &error.fields {
        body = body.with(name, value);
    }
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let mut answer = respond(error.status, &to_cbor(&body));
    if let Ok(code) = format!("{};{fault}", error.code).parse() {
        answer.headers_mut().insert("x-amzn-query-error", code);
    }
    answer
}

fn respond(status: u16, body: &Cbor) -> Answer {
    let mut bytes = Vec::new();
    ciborium::into_writer(body, &mut bytes).expect("writing to memory does not fail");
    http::Response::builder()
        .status(status)
        .header("content-type", "application/cbor")
        .header("smithy-protocol", "rpc-v2-cbor")
        .body(Bytes::from(bytes))
        .expect("a status and a content type make a valid answer")
}

/// `None` is null: a member that is not there.
fn from_cbor(value: Cbor) -> Result<Option<Value>, AwsError> {
    let refuse = |what: &str| AwsError::new(400, "SerializationException", format!("{what} is not expected here"));
    Ok(Some(match value {
        Cbor::Null => return Ok(None),
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Integer(number) => Value::Int(i64::try_from(number).map_err(|_| refuse("an integer beyond 64 bits"))?),
        Cbor::Float(number) => Value::Double(number),
        Cbor::Text(text) => Value::Text(text),
        Cbor::Tag(EPOCH, seconds) => {
            let seconds = from_cbor(*seconds)?.ok_or_else(|| refuse("a timestamp without a value"))?;
            Value::Time(seconds.as_time().ok_or_else(|| refuse("a timestamp out of range"))?)
        }
        Cbor::Array(items) => {
            Value::List(items.into_iter().filter_map(|item| from_cbor(item).transpose()).collect::<Result<_, _>>()?)
        }
        Cbor::Map(entries) => Value::Struct(
            entries
                .into_iter()
                .filter_map(|(name, value)| match (name, from_cbor(value)) {
                    (_, Ok(None)) => None,
                    (Cbor::Text(name), Ok(Some(value))) => Some(Ok((name, value))),
                    (_, Ok(Some(_))) => Some(Err(refuse("a key that is no text"))),
                    (_, Err(error)) => Some(Err(error)),
                })
                .collect::<Result<_, _>>()?,
        ),
        _ => return Err(refuse("this type of CBOR")),
    }))
}

fn to_cbor(value: &Value) -> Cbor {
    match value {
        Value::Bool(flag) => (*flag).into(),
        Value::Int(number) => (*number).into(),
        Value::Double(number) => (*number).into(),
        Value::Text(text) => text.clone().into(),
        Value::Time(time) => Cbor::Tag(EPOCH, Box::new(epoch_seconds(*time).into())),
        Value::List(items) => Cbor::Array(items.iter().map(to_cbor).collect()),
        Value::Struct(members) | Value::Dictionary(members) => {
            Cbor::Map(members.iter().map(|(name, value)| (name.clone().into(), to_cbor(value))).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::structure;
    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let time: chrono::DateTime<chrono::Utc> = "2026-01-02T03:04:05.678Z".parse().unwrap();
        let value = structure()
            .with("Text", "a")
            .with("Int", -7_i64)
            .with("Double", 0.1)
            .with("Flag", true)
            .with("When", time)
            .with("List", vec![structure().with("Infinite", f64::INFINITY)]);
        assert_eq!(read(answer(&value).body()).unwrap(), value);
    }

    #[test]
    fn bytes_that_are_no_map_are_a_serialization_exception() {
        for body in [&b"\xff"[..], b"\x01", b"\xbf", b"\xa1\x01\x01"] {
            assert_eq!(read(body).unwrap_err().code, "SerializationException");
        }
    }
}

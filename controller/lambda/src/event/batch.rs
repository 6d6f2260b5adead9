//! Reads a batch of a queue: each record says of one thing that happened, or cannot be read, and is then left out.
use serde_json::Value;

use super::happening::{Happening, Unread};

/// More than EventBridge puts into an event (256 KiB).
const LONGEST: usize = 256 * 1024;

/// One record of a batch.
#[derive(Debug)]
pub(crate) struct Record {
    /// How the queue knows it, where it says so.
    pub(crate) id: Option<String>,
    /// What it says.
    pub(crate) happening: Result<Happening, Unread>,
}

/// The records that a queue hands over at once.
#[derive(Debug)]
pub(crate) struct Batch(pub(crate) Vec<Record>);

impl Batch {
    /// The batch that an event is; `None` where it is none of a queue. `session` is the name of our own sessions.
    pub(crate) fn of(event: &Value, session: &str) -> Option<Self> {
        let records = event.get("Records")?.as_array().filter(|records| !records.is_empty())?;
        let of_queue = |record: &Value| record.get("eventSource").and_then(Value::as_str) == Some("aws:sqs");
        let read = |record: &Value| Record { id: id(record), happening: body(record, session) };
        records.iter().all(of_queue).then(|| Self(records.iter().map(read).collect()))
    }
}

fn id(record: &Value) -> Option<String> {
    record.get("messageId").and_then(Value::as_str).map(str::to_owned)
}

fn body(record: &Value, session: &str) -> Result<Happening, Unread> {
    let text = record.get("body").and_then(Value::as_str).ok_or(Unread::NoText)?;
    if text.len() > LONGEST {
        return Err(Unread::TooLong { bytes: text.len() });
    }
    let event: Value = serde_json::from_str(text).map_err(|error| Unread::NoJson { line: error.line() })?;
    Happening::of(&event, session)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(body: &Value) -> Value {
        json!({"messageId": "m", "eventSource": "aws:sqs", "body": body})
    }

    fn read(body: &Value) -> Result<Happening, Unread> {
        Batch::of(&json!({"Records": [record(body)]}), "tidegate-main").unwrap().0.remove(0).happening
    }

    #[test]
    fn what_cannot_be_read_is_said_and_harms_no_other_record() {
        let long = "x".repeat(1_000_000);
        let deep = "[".repeat(100_000);
        for (body, why) in [
            (json!(null), "it has no text"),
            (json!({"detail": {}}), "it has no text"),
            (json!("not JSON"), "it is not JSON (line 1)"),
            (json!(deep), "it is not JSON (line 1)"),
            (json!(long), "it is 1000000 bytes long"),
            (json!("[1]"), "it is no event of EventBridge"),
            (json!("{\"source\": \"aws.s3\", \"detail-type\": \"x\\n\"}"), "it is `x\\n from aws.s3`"),
        ] {
            assert_eq!(read(&body).unwrap_err().to_string(), why);
        }
    }

    #[test]
    fn only_what_a_queue_hands_over_is_a_batch() {
        let s3 = json!({"eventSource": "aws:s3"});
        for event in [
            json!({}),
            json!({"Records": []}),
            json!({"Records": {}}),
            json!({"Records": [s3]}),
            json!({"Records": [record(&json!("{}")), s3]}),
        ] {
            assert!(Batch::of(&event, "tidegate-main").is_none(), "{event}");
        }
    }
}

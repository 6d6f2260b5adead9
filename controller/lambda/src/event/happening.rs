//! Reads what happened in an account out of EventBridge's event. No word of it decides anything: it says where to look.
use serde_json::Value;
use tidegate_runtime::hint::{Hint, Named, Place, Sighting};

use super::{cloudtrail, shown};

/// What happened, as far as it is of interest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Happening {
    /// Something may have changed.
    Change(Sighting),
    /// Tidegate itself did it.
    Own,
    /// Nothing changed that is looked at, and why that is known.
    Nothing(&'static str),
}

/// Why an event cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// A record without a body.
    #[error("it has no text")]
    NoText,
    /// A body that is longer than any event.
    #[error("it is {bytes} bytes long")]
    TooLong {
        /// How long.
        bytes: usize,
    },
    /// A body that is no JSON.
    #[error("it is not JSON (line {line})")]
    NoJson {
        /// Where it stops being JSON.
        line: usize,
    },
    /// JSON that says neither its source nor its kind.
    #[error("it is no event of EventBridge")]
    NoEvent,
    /// An event that nobody asked for.
    #[error("it is `{name}`")]
    Unknown {
        /// What the event says of itself.
        name: String,
    },
    /// An event that does not name what it is about.
    #[error("it names no {what} that there can be")]
    Nameless {
        /// What it should name.
        what: &'static str,
    },
}

impl Happening {
    /// What an event of EventBridge says. `session` is the name of our own sessions.
    pub(crate) fn of(event: &Value, session: &str) -> Result<Self, Unread> {
        let (Some(kind), Some(source)) = (text(event, "/detail-type"), text(event, "/source")) else {
            return Err(Unread::NoEvent);
        };
        match (source, kind) {
            ("aws.lambda", "AWS API Call via CloudTrail") => cloudtrail::read(event, session),
            ("aws.cloudwatch", "CloudWatch Alarm State Change") => alarm(event),
            (_, _) => Err(Unread::Unknown { name: shown(&format!("{kind} from {source}")) }),
        }
    }

    /// Whether an event is one of those that are read here.
    pub(crate) fn is_known(event: &Value) -> bool {
        let known =
            [("aws.lambda", "AWS API Call via CloudTrail"), ("aws.cloudwatch", "CloudWatch Alarm State Change")];
        let (source, kind) = (text(event, "/source"), text(event, "/detail-type"));
        known.iter().any(|(known_source, known_kind)| (source, kind) == (Some(known_source), Some(known_kind)))
    }
}

/// An alarm that changed its state, to whichever.
fn alarm(event: &Value) -> Result<Happening, Unread> {
    let name = text(event, "/detail/alarmName").and_then(|name| name.parse().ok());
    let named = name.map(Named::Alarm).ok_or(Unread::Nameless { what: "alarm" })?;
    let hint = Hint { named, place: place(event) };
    Ok(Happening::Change(Sighting { hint, by_role: None }))
}

/// Where it happened, where the event says something that can be.
pub(super) fn place(event: &Value) -> Place {
    Place { account: text(event, "/account").and_then(account), region: text(event, "/region").and_then(region) }
}

/// An account's number.
pub(super) fn account(text: &str) -> Option<String> {
    (text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.to_owned())
}

/// A region's name.
pub(super) fn region(text: &str) -> Option<String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    ((1..=32).contains(&text.len()) && text.bytes().all(fits)).then(|| text.to_owned())
}

/// The text at a place of an event.
pub(super) fn text<'a>(event: &'a Value, place: &str) -> Option<&'a str> {
    event.pointer(place)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn alarm(name: &Value) -> Result<Happening, Unread> {
        let event = json!({
            "source": "aws.cloudwatch",
            "detail-type": "CloudWatch Alarm State Change",
            "account": "111111111111",
            "region": "eu-central-1",
            "detail": {"alarmName": name, "state": {"value": "ALARM"}, "previousState": {"value": "OK"}},
        });
        Happening::of(&event, "tidegate-main")
    }

    #[test]
    fn an_alarm_that_changed_its_state_is_a_hint_at_it() {
        let Ok(Happening::Change(sighting)) = alarm(&json!("flight-5xx")) else { panic!("no hint") };
        assert_eq!(sighting.hint.named, Named::Alarm("flight-5xx".parse().unwrap()));
        let place = Place { account: Some("111111111111".to_owned()), region: Some("eu-central-1".to_owned()) };
        assert_eq!((sighting.hint.place, sighting.by_role), (place, None));
        for bad in [json!(null), json!(7), json!("a\u{7}"), json!("x".repeat(256))] {
            assert_eq!(alarm(&bad), Err(Unread::Nameless { what: "alarm" }), "{bad}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_is_none() {
        let event = json!({"account": "1111\n", "region": "eu central"});
        assert_eq!(place(&event), Place::default());
    }
}

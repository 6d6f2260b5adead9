//! The document that every protocol carries: what was asked or answered, apart from how it is written on the wire.
//!
//! A service reads and builds a [`Value`]; [`json`], [`cbor`], [`query`] and [`xml`] turn it into bytes and back. Members
//! are read leniently where protocols differ (AWS query has only text), and strictly otherwise: a member of the wrong
//! type is a `SerializationException`, as AWS answers.
use chrono::{DateTime, Utc};

use crate::wire::AwsError;

pub(crate) mod cbor;
pub(crate) mod json;
pub(crate) mod query;
pub(crate) mod xml;

/// A structure, list or scalar of AWS's models.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    /// A boolean.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A double; may be infinite or not a number where the protocol can say so.
    Double(f64),
    /// A string.
    Text(String),
    /// A timestamp, written as each protocol writes it.
    Time(DateTime<Utc>),
    /// A list.
    List(Vec<Value>),
    /// A structure: its members are named by the model.
    Struct(Vec<(String, Value)>),
    /// A map: its keys are data. Differs from a structure only in XML.
    Dictionary(Vec<(String, Value)>),
}

/// A structure with no members yet.
pub(crate) fn structure() -> Value {
    Value::Struct(Vec::new())
}

impl Value {
    /// This structure with one more member.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: impl Into<Self>) -> Self {
        if let Self::Struct(members) = &mut self {
            members.push((name.to_owned(), value.into()));
        }
        self
    }

    /// This structure with one more member, unless there is nothing to say.
    #[must_use]
    pub(crate) fn with_some(self, name: &str, value: Option<impl Into<Self>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The member `name` of a structure.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let (Self::Struct(members) | Self::Dictionary(members)) = self else { return None };
        members.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// A member that is a string.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&str>, AwsError> {
        match self.get(name) {
            None => Ok(None),
            Some(Self::Text(text)) => Ok(Some(text)),
            Some(_) => Err(wrong_type(name, "a string")),
        }
    }

    /// A member that is a string and must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, AwsError> {
        self.text(name)?.ok_or_else(|| missing(name))
    }

    /// A member that is an integer.
    pub(crate) fn int(&self, name: &str) -> Result<Option<i64>, AwsError> {
        match self.get(name) {
            None => Ok(None),
            Some(Self::Int(number)) => Ok(Some(*number)),
            #[expect(clippy::cast_possible_truncation, reason = "a whole number of this size is exact")]
            Some(Self::Double(number)) if number.fract() == 0.0 && number.abs() < 9e15 => Ok(Some(*number as i64)),
            Some(Self::Text(text)) => text.parse().map(Some).map_err(|_| wrong_type(name, "an integer")),
            Some(_) => Err(wrong_type(name, "an integer")),
        }
    }

    /// A member that is a double.
    pub(crate) fn double(&self, name: &str) -> Result<Option<f64>, AwsError> {
        self.get(name).map(|value| value.as_double().ok_or_else(|| wrong_type(name, "a number"))).transpose()
    }

    /// A member that is a list of doubles; missing is empty.
    pub(crate) fn doubles(&self, name: &str) -> Result<Vec<f64>, AwsError> {
        self.list(name)?.iter().map(|item| item.as_double().ok_or_else(|| wrong_type(name, "a number"))).collect()
    }

    /// A member that is a boolean.
    pub(crate) fn bool(&self, name: &str) -> Result<Option<bool>, AwsError> {
        match self.get(name) {
            None => Ok(None),
            Some(Self::Bool(flag)) => Ok(Some(*flag)),
            Some(Self::Text(text)) if text == "true" => Ok(Some(true)),
            Some(Self::Text(text)) if text == "false" => Ok(Some(false)),
            Some(_) => Err(wrong_type(name, "a boolean")),
        }
    }

    /// A member that is a timestamp: epoch seconds, or ISO 8601 where the protocol has only text.
    pub(crate) fn time(&self, name: &str) -> Result<Option<DateTime<Utc>>, AwsError> {
        self.get(name).map(|value| value.as_time().ok_or_else(|| wrong_type(name, "a timestamp"))).transpose()
    }

    /// A member that is a list; missing is empty.
    pub(crate) fn list(&self, name: &str) -> Result<&[Self], AwsError> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Self::List(items)) => Ok(items),
            // AWS query writes an empty list as an empty parameter.
            Some(Self::Text(text)) if text.is_empty() => Ok(&[]),
            Some(_) => Err(wrong_type(name, "a list")),
        }
    }

    /// A member that is a list of strings; missing is empty.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<&str>, AwsError> {
        let items = self.list(name)?.iter();
        items.map(|item| item.as_text().ok_or_else(|| wrong_type(name, "a list of strings"))).collect()
    }

    fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    fn as_double(&self) -> Option<f64> {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a metric's value is a double on the wire as well")]
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            Self::Text(text) => text.parse().ok(),
            Self::Bool(_) | Self::Time(_) | Self::List(_) | Self::Struct(_) | Self::Dictionary(_) => None,
        }
    }

    fn as_time(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Int(_) | Self::Double(_) => from_epoch(self.as_double()?),
            Self::Text(text) => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
            Self::Bool(_) | Self::List(_) | Self::Struct(_) | Self::Dictionary(_) => None,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<DateTime<Utc>> for Value {
    fn from(time: DateTime<Utc>) -> Self {
        Self::Time(time)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// Epoch seconds as AWS writes them: with milliseconds, no finer.
#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit a double for another 285,000 years")]
pub(crate) fn epoch_seconds(time: DateTime<Utc>) -> f64 {
    time.timestamp_millis() as f64 / 1000.0
}

fn from_epoch(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "out of range saturates, and chrono refuses it")]
    DateTime::from_timestamp_millis((seconds * 1000.0).round() as i64)
}

fn wrong_type(name: &str, expected: &str) -> AwsError {
    AwsError::new(400, "SerializationException", format!("{name} must be {expected}"))
}

/// A required member that is missing: the message of AWS's front end.
pub(crate) fn missing(name: &str) -> AwsError {
    let mut member = name.to_owned();
    if let Some(first) = member.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    AwsError::new(
        400,
        "ValidationException",
        format!(
            "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
        ),
    )
}

/// A value that breaks a constraint of the model: the message of AWS's front end.
pub(crate) fn constraint(value: &str, member: &str, constraint: &str) -> AwsError {
    AwsError::new(
        400,
        "ValidationException",
        format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_of_every_protocol_read_alike() {
        let when: DateTime<Utc> = "2026-01-02T03:04:05.678Z".parse().unwrap();
        for time in
            [Value::Time(when), Value::Double(epoch_seconds(when)), Value::Text("2026-01-02T03:04:05.678Z".into())]
        {
            assert_eq!(structure().with("T", time).time("T").unwrap(), Some(when));
        }
        for number in [Value::Int(7), Value::Double(7.0), Value::Text("7".into())] {
            assert_eq!(structure().with("N", number.clone()).int("N").unwrap(), Some(7));
            assert_eq!(structure().with("N", number).double("N").unwrap(), Some(7.0));
        }
    }

    #[test]
    fn a_member_of_the_wrong_type_is_named() {
        let error = structure().with("Name", 7_i64).text("Name").unwrap_err();
        assert_eq!((error.code.as_str(), error.message.as_str()), ("SerializationException", "Name must be a string"));
    }
}

//! `PutMetricData`: every datum is checked before any is kept.
use chrono::{DateTime, Duration, Utc};

use super::series::{Metric, Sample, Shelf};
use super::{dimensions, invalid, missing, required};
use crate::codec::{Value, structure};
use crate::wire::{AwsError, Call};

const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// `PutMetricData`: at most 1,000 metrics.
pub(super) fn put(shelf: &mut Shelf, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let namespace = required(input, "Namespace")?;
    check_namespace(namespace)?;
    if !input.list("EntityMetricData")?.is_empty() {
        return Err(AwsError::not_implemented("monitoring PutMetricData with EntityMetricData"));
    }
    let data = input.list("MetricData")?;
    if data.is_empty() {
        return Err(missing("MetricData"));
    }
    if data.len() > 1000 {
        return Err(invalid("The collection MetricData must not have a size greater than 1000."));
    }
    let mut samples = Vec::with_capacity(data.len());
    for (index, datum) in data.iter().enumerate() {
        samples.push(read(namespace, datum, &format!("MetricData.member.{}.", index + 1), call.now)?);
    }
    for (metric, at, resolution, sample) in samples {
        shelf.add(metric, at, resolution, sample);
    }
    Ok(structure())
}

fn check_namespace(namespace: &str) -> Result<(), AwsError> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-/#: ".contains(c);
    if namespace.starts_with("AWS/") {
        return Err(invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    if namespace.is_empty() || namespace.len() > 255 || namespace.starts_with(':') || !namespace.chars().all(legal) {
        return Err(invalid(format!("The value {namespace} for parameter Namespace is invalid.")));
    }
    Ok(())
}

type Reading = (Metric, DateTime<Utc>, i64, Sample);

/// One datum; `at` names its place in messages.
fn read(namespace: &str, datum: &Value, at: &str, now: DateTime<Utc>) -> Result<Reading, AwsError> {
    let name = datum.text("MetricName")?.ok_or_else(|| missing(&format!("{at}MetricName")))?;
    if name.is_empty() || name.len() > 255 {
        return Err(invalid(format!("The parameter {at}MetricName must be between 1 and 255 characters long.")));
    }
    let timestamp = datum.time("Timestamp")?.unwrap_or(now);
    if timestamp < now - Duration::weeks(2) {
        return Err(invalid(format!("The parameter {at}Timestamp must specify a time within the past two weeks.")));
    }
    if timestamp > now + Duration::hours(2) {
        let message = format!("The parameter {at}Timestamp must specify a time no more than two hours in the future.");
        return Err(invalid(message));
    }
    let unit = datum.text("Unit")?.unwrap_or("None");
    if !UNITS.contains(&unit) {
        return Err(invalid(format!("The value {unit} for parameter {at}Unit is invalid.")));
    }
    let resolution = datum.int("StorageResolution")?.unwrap_or(60);
    if resolution != 1 && resolution != 60 {
        return Err(invalid(format!("The parameter {at}StorageResolution must be 1 or 60.")));
    }
    let metric = Metric::new(namespace.to_owned(), name.to_owned(), dimensions(datum, at)?);
    Ok((metric, timestamp, resolution, sample(datum, at, unit, now)?))
}

/// A single value, values with counts, or a statistic set: exactly one of them.
fn sample(datum: &Value, at: &str, unit: &str, now: DateTime<Utc>) -> Result<Sample, AwsError> {
    let (value, values) = (datum.double("Value")?, datum.doubles("Values")?);
    let statistics = datum.get("StatisticValues");
    let given = [("Value", value.is_some()), ("Values", !values.is_empty()), ("StatisticValues", statistics.is_some())];
    let given: Vec<_> = given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    if let [first, second, ..] = given[..] {
        let message =
            format!("The parameters {at}{first} and {at}{second} are mutually exclusive and you have specified both.");
        return Err(AwsError::new(400, "InvalidParameterCombination", message));
    }
    if let Some(set) = statistics {
        return statistic_set(set, at, unit, now);
    }
    let values = value.map_or(values, |value| vec![value]);
    if values.is_empty() {
        let message =
            format!("At least one of the parameters must be specified: {at}Value, {at}Values, {at}StatisticValues.");
        return Err(AwsError::new(400, "MissingParameter", message));
    }
    if values.len() > 150 {
        return Err(invalid(format!("The collection {at}Values must not have a size greater than 150.")));
    }
    let mut counts = datum.doubles("Counts")?;
    if counts.is_empty() {
        counts = vec![1.0; values.len()];
    }
    if counts.len() != values.len() {
        return Err(invalid(format!("The parameters {at}Values and {at}Counts must be of the same size.")));
    }
    for number in values.iter().chain(&counts) {
        check_number(*number, &format!("{at}Value"))?;
    }
    if counts.iter().any(|count| *count < 0.0) {
        return Err(invalid(format!("The parameter {at}Counts must not be negative.")));
    }
    Ok(Sample::of_values(now, unit, values.into_iter().zip(counts).collect()))
}

fn statistic_set(set: &Value, at: &str, unit: &str, now: DateTime<Utc>) -> Result<Sample, AwsError> {
    let member = |name: &str| {
        let place = format!("{at}StatisticValues.{name}");
        let number = set.double(name)?.ok_or_else(|| missing(&place))?;
        check_number(number, &place)?;
        Ok::<f64, AwsError>(number)
    };
    let statistics = [member("Sum")?, member("Minimum")?, member("Maximum")?, member("SampleCount")?];
    let [_, minimum, maximum, count] = statistics;
    if minimum > maximum || count < 0.0 {
        let message = format!("The parameter {at}StatisticValues must have a Minimum that is not above its Maximum.");
        return Err(invalid(message));
    }
    Ok(Sample::of_statistics(now, unit, statistics))
}

/// CloudWatch takes −2³⁶⁰ to 2³⁶⁰ and nothing that is no number.
fn check_number(number: f64, at: &str) -> Result<(), AwsError> {
    if !number.is_finite() {
        return Err(invalid(format!("The parameter {at} must be a number different from NaN or Infinity.")));
    }
    if number.abs() > 2_f64.powi(360) {
        return Err(invalid(format!("The value {number} for parameter {at} is out of range.")));
    }
    Ok(())
}

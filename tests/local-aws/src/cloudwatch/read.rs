//! `GetMetricData`, `GetMetricStatistics` and `ListMetrics`: points exist only where something was published.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::series::{Metric, Readable, Sample};
use super::statistics::Statistic;
use super::trouble::MetricTrouble;
use super::{dimensions, invalid, missing, required};
use crate::codec::{Value, structure};
use crate::wire::AwsError;

/// The points of a call when it names no number, and the most it may name.
const MAX_DATAPOINTS: i64 = 100_800;

fn validation(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

/// One `MetricDataQueries` entry.
struct Query<'a> {
    id: &'a str,
    label: String,
    metric: Metric,
    period: i64,
    statistic: Statistic,
    unit: Option<&'a str>,
    returned: bool,
}

/// `GetMetricData`: at most 500 queries.
pub(super) fn data(shelf: &Readable<'_>, input: &Value) -> Result<Value, AwsError> {
    let (start, end) = window(input)?;
    let newest_first = match input.text("ScanBy")?.unwrap_or("TimestampDescending") {
        "TimestampDescending" => true,
        "TimestampAscending" => false,
        other => return Err(validation(format!("The value {other} for parameter ScanBy is not supported."))),
    };
    let most = input.int("MaxDatapoints")?.unwrap_or(MAX_DATAPOINTS);
    if !(1..=MAX_DATAPOINTS).contains(&most) {
        return Err(validation(format!("The parameter MaxDatapoints must be between 1 and {MAX_DATAPOINTS}.")));
    }
    let queries = queries(input)?;
    let mut position = Position::read(input.text("NextToken")?)?;
    let mut room = usize::try_from(most).unwrap_or(usize::MAX);
    let (mut results, mut next) = (Vec::new(), None);
    for (index, query) in queries.iter().filter(|query| query.returned).enumerate().skip(position.query) {
        if room == 0 {
            next = Some(Position { query: index, point: 0 });
            break;
        }
        let mut points = points(shelf, query, start, end);
        if let Some(trouble) = shelf.trouble() {
            results.push(troubled(query, trouble, points, newest_first));
            continue;
        }
        if newest_first {
            points.reverse();
        }
        let rest = points.split_off(position.point.min(points.len()));
        let (taken, left) = rest.split_at(room.min(rest.len()));
        results.push(result(query, taken, if left.is_empty() { "Complete" } else { "PartialData" }));
        if !left.is_empty() {
            next = Some(Position { query: index, point: position.point + taken.len() });
            break;
        }
        room -= taken.len();
        position.point = 0;
    }
    Ok(structure()
        .with("MetricDataResults", results)
        .with("Messages", Value::List(Vec::new()))
        .with_some("NextToken", next.map(|next| next.write())))
}

fn result(query: &Query<'_>, points: &[(DateTime<Utc>, f64)], status: &str) -> Value {
    structure()
        .with("Id", query.id)
        .with("Label", &query.label)
        .with("Timestamps", points.iter().map(|(at, _)| *at).collect::<Value>())
        .with("Values", points.iter().map(|(_, value)| *value).collect::<Value>())
        .with("StatusCode", status)
}

/// A result while something is wrong: its status and message say so, and nothing else does.
fn troubled(
    query: &Query<'_>,
    trouble: MetricTrouble,
    mut points: Vec<(DateTime<Utc>, f64)>,
    newest_first: bool,
) -> Value {
    let (keep, status) = match trouble {
        MetricTrouble::PartialData => (points.len() / 2, "PartialData"),
        MetricTrouble::InternalError => (0, "InternalError"),
    };
    points.truncate(keep);
    if newest_first {
        points.reverse();
    }
    let message = structure().with("Code", status).with("Value", "Not all data of this query could be read.");
    result(query, &points, status).with("Messages", vec![message])
}

/// Where a page ended: among the queries that are returned, and among the points of that one.
#[derive(Clone, Copy, Debug, Default)]
struct Position {
    query: usize,
    point: usize,
}

impl Position {
    fn read(token: Option<&str>) -> Result<Self, AwsError> {
        let Some(token) = token.filter(|token| !token.is_empty()) else { return Ok(Self::default()) };
        let parts = token.strip_prefix("local-").and_then(|rest| rest.split_once('-'));
        let numbers = parts.and_then(|(query, point)| Some((query.parse().ok()?, point.parse().ok()?)));
        let (query, point) =
            numbers.ok_or_else(|| AwsError::new(400, "InvalidNextToken", "The service token is invalid."))?;
        Ok(Self { query, point })
    }

    fn write(self) -> String {
        format!("local-{}-{}", self.query, self.point)
    }
}

fn window(input: &Value) -> Result<(DateTime<Utc>, DateTime<Utc>), AwsError> {
    let start = input.time("StartTime")?.ok_or_else(|| missing("StartTime"))?;
    let end = input.time("EndTime")?.ok_or_else(|| missing("EndTime"))?;
    if start >= end {
        return Err(validation("The parameter StartTime must be less than the parameter EndTime."));
    }
    Ok((start, end))
}

fn queries(input: &Value) -> Result<Vec<Query<'_>>, AwsError> {
    let list = input.list("MetricDataQueries")?;
    if list.is_empty() {
        return Err(missing("MetricDataQueries"));
    }
    if list.len() > 500 {
        return Err(validation("The collection MetricDataQueries must not have a size greater than 500."));
    }
    let mut ids = BTreeSet::new();
    let queries = list.iter().enumerate().map(|(index, query)| {
        let query = read_query(query, &format!("MetricDataQueries.member.{}.", index + 1))?;
        if ids.insert(query.id) {
            Ok(query)
        } else {
            Err(validation("The values for parameter id in MetricDataQueries are not unique."))
        }
    });
    let queries = queries.collect::<Result<Vec<_>, _>>()?;
    if queries.iter().any(|query| query.returned) {
        Ok(queries)
    } else {
        Err(validation("At least one of the MetricDataQueries must have ReturnData set to true."))
    }
}

fn read_query<'a>(query: &'a Value, at: &str) -> Result<Query<'a>, AwsError> {
    let id = query.text("Id")?.ok_or_else(|| missing(&format!("{at}Id")))?;
    let legal = id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !legal || !id.starts_with(|c: char| c.is_ascii_lowercase()) || id.len() > 255 {
        return Err(validation(format!(
            "The value {id} for parameter {at}Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )));
    }
    if let Some(expression) = query.text("Expression")? {
        return Err(AwsError::not_implemented(format_args!("monitoring metric maths `{expression}`")));
    }
    if query.get("AccountId").is_some() {
        return Err(AwsError::not_implemented("monitoring GetMetricData of another account"));
    }
    let stat = query.get("MetricStat").ok_or_else(|| missing(&format!("{at}MetricStat")))?;
    let metric = stat.get("Metric").ok_or_else(|| missing(&format!("{at}MetricStat.Metric")))?;
    let name = required(metric, "MetricName")?;
    let (namespace, dimensions) = (required(metric, "Namespace")?, dimensions(metric, at)?);
    let statistic = stat.text("Stat")?.ok_or_else(|| missing(&format!("{at}MetricStat.Stat")))?;
    Ok(Query {
        id,
        label: query.text("Label")?.unwrap_or(name).to_owned(),
        metric: Metric::new(namespace.to_owned(), name.to_owned(), dimensions),
        period: period(stat, &format!("{at}MetricStat."))?,
        statistic: Statistic::parse(statistic, &format!("{at}MetricStat.Stat"))?,
        unit: stat.text("Unit")?,
        returned: query.bool("ReturnData")?.unwrap_or(true),
    })
}

fn period(input: &Value, at: &str) -> Result<i64, AwsError> {
    let period = input.int("Period")?.ok_or_else(|| missing(&format!("{at}Period")))?;
    if [1, 5, 10, 20, 30].contains(&period) || (period > 0 && period % 60 == 0) {
        return Ok(period);
    }
    Err(validation(format!("The parameter {at}Period must be 1, 5, 10, 20, 30 or a multiple of 60.")))
}

/// Where the periods of a call begin: CloudWatch rounds the start down to a whole minute, or to a division of one that the
/// period spells.
fn aligned(start: DateTime<Utc>, end: DateTime<Utc>, period: i64) -> Range<i64> {
    let step = period.min(60);
    let start = start.timestamp() - start.timestamp().rem_euclid(step);
    let partial = i64::from(end.timestamp_subsec_nanos() > 0);
    start..end.timestamp() + partial
}

/// The samples of each period that has any, by the second that the period begins at.
fn periods<'s>(
    shelf: &Readable<'s>,
    metric: &Metric,
    unit: Option<&'s str>,
    window: Range<i64>,
    period: i64,
) -> BTreeMap<i64, Vec<&'s Sample>> {
    let mut periods: BTreeMap<i64, Vec<&Sample>> = BTreeMap::new();
    let first = window.start;
    for (at, sample) in shelf.samples(metric, window, unit) {
        periods.entry(at - (at - first).rem_euclid(period)).or_default().push(sample);
    }
    periods
}

fn points(
    shelf: &Readable<'_>,
    query: &Query<'_>,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Vec<(DateTime<Utc>, f64)> {
    let window = aligned(start, end, query.period);
    let periods = periods(shelf, &query.metric, query.unit, window, query.period);
    let point =
        |(at, samples): (i64, Vec<&Sample>)| Some((DateTime::from_timestamp(at, 0)?, query.statistic.of(&samples)?));
    periods.into_iter().filter_map(point).collect()
}

/// `GetMetricStatistics`: one metric, at most 1,440 points, in no order that callers may rely on.
pub(super) fn statistics(shelf: &Readable<'_>, input: &Value) -> Result<Value, AwsError> {
    let (start, end) = window(input)?;
    let period = period(input, "")?;
    let name = required(input, "MetricName")?;
    let metric = Metric::new(required(input, "Namespace")?.to_owned(), name.to_owned(), dimensions(input, "")?);
    let (plain, extended) = (input.texts("Statistics")?, input.texts("ExtendedStatistics")?);
    if plain.is_empty() == extended.is_empty() {
        let message = "Must specify either Statistics or ExtendedStatistics";
        return Err(AwsError::new(400, "InvalidParameterCombination", message));
    }
    let window = aligned(start, end, period);
    if (window.end - window.start) / period > 1440 {
        let message = "You have requested up to more datapoints than the limit of 1,440. You may reduce the datapoints \
                       requested by increasing Period, or decreasing the time range.";
        return Err(AwsError::new(400, "InvalidParameterCombination", message));
    }
    let mut datapoints = Vec::new();
    for (at, samples) in periods(shelf, &metric, input.text("Unit")?, window, period) {
        let mut point = structure()
            .with_some("Timestamp", DateTime::from_timestamp(at, 0))
            .with_some("Unit", samples.first().map(|sample| sample.unit()));
        for statistic in &plain {
            point = point.with_some(statistic, Statistic::parse(statistic, "Statistics")?.of(&samples));
        }
        let mut values = Vec::new();
        for statistic in &extended {
            let value = Statistic::parse(statistic, "ExtendedStatistics")?.of(&samples);
            values.extend(value.map(|value| ((*statistic).to_owned(), Value::Double(value))));
        }
        if !values.is_empty() {
            point = point.with("ExtendedStatistics", Value::Dictionary(values));
        }
        datapoints.push(point);
    }
    Ok(structure().with("Label", name).with("Datapoints", datapoints))
}

/// `ListMetrics`: 500 a page; a dimension without a value matches any.
pub(super) fn list(shelf: &Readable<'_>, input: &Value) -> Result<Value, AwsError> {
    let (namespace, name) = (input.text("Namespace")?, input.text("MetricName")?);
    let mut wanted = Vec::new();
    for filter in input.list("Dimensions")? {
        wanted.push((required(filter, "Name")?, filter.text("Value")?));
    }
    let matches = |metric: &&Metric| {
        let has = |(name, value): &(&str, Option<&str>)| {
            metric.dimensions.iter().any(|(own, of)| own == name && value.is_none_or(|value| of == value))
        };
        namespace.is_none_or(|namespace| metric.namespace == namespace)
            && name.is_none_or(|name| metric.name == name)
            && wanted.iter().all(has)
    };
    let skip = Position::read(input.text("NextToken")?).map_err(|_| invalid("Invalid nextToken"))?.point;
    let mut found: Vec<_> = shelf.metrics().filter(matches).skip(skip).take(501).collect();
    let more = found.len() > 500;
    found.truncate(500);
    let next = more.then(|| Position { query: 0, point: skip + 500 }.write());
    Ok(structure()
        .with("Metrics", found.into_iter().map(Metric::describe).collect::<Value>())
        .with_some("NextToken", next))
}

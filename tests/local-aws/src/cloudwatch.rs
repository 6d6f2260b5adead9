//! CloudWatch: metrics and alarms, in whichever of three protocols the client speaks.
//!
//! Alarms, metric and composite ones, keep their definition and the state that `SetAlarmState` gives them: nothing
//! evaluates them. Metric maths, other trimmed statistics than `PR`, and metrics of other accounts are not served.
use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::LocalAws;
use crate::codec::{Value, cbor, json, query};
use crate::wire::{Answer, AwsError, Call};

mod alarms;
mod publish;
mod read;
mod series;
mod statistics;
mod trouble;

pub(crate) use series::State;
pub use trouble::{MetricFate, MetricTrouble};

use alarms::Kind;
use series::{Metric, Sample};

const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";
const JSON_VERSION: &str = "1.0";
/// A request as it is sent, compressed or not, in bytes.
const REQUEST_LIMIT: usize = 1024 * 1024;
/// What a compressed request may become, in bytes.
const INFLATED_LIMIT: u64 = 64 * 1024 * 1024;

/// Values of one metric, as another service publishes them.
#[derive(Clone, Debug)]
pub(crate) struct Datum {
    /// For example `AWS/Lambda`.
    pub(crate) namespace: String,
    /// For example `Invocations`.
    pub(crate) name: String,
    /// Name and value of each dimension.
    pub(crate) dimensions: Vec<(String, String)>,
    /// The time that it is about, on the world's clock.
    pub(crate) at: DateTime<Utc>,
    /// When CloudWatch was told.
    pub(crate) received: DateTime<Utc>,
    /// Values in `unit`, each with how often it occurred; at least one.
    pub(crate) values: Vec<(f64, f64)>,
    /// For example `Count` or `Milliseconds`.
    pub(crate) unit: &'static str,
}

/// Adds values to a metric of `account` in `region`.
pub(crate) fn record(aws: &LocalAws, account: &str, region: &str, datum: Datum) {
    let metric = Metric::new(datum.namespace, datum.name, datum.dimensions);
    let sample = Sample::of_values(datum.received, datum.unit, datum.values);
    aws.cloudwatch().shelf(account, region).add(metric, datum.at, 60, sample);
}

/// How a request is written, and therefore its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Protocol {
    Cbor,
    Json,
    Query,
}

impl Protocol {
    fn of(head: &http::request::Parts) -> Self {
        if cbor::operation(head).is_some() {
            Self::Cbor
        } else if json::target(head).is_some() {
            Self::Json
        } else {
            Self::Query
        }
    }

    fn read(self, body: &[u8]) -> Result<Value, AwsError> {
        match self {
            Self::Cbor => cbor::read(body),
            Self::Json => json::read(body),
            Self::Query => Ok(query::read(body)),
        }
    }
}

/// The operation that a request asks for.
pub(crate) fn operation(head: &http::request::Parts, body: &Bytes) -> Option<&'static str> {
    let known = [
        "PutMetricData",
        "GetMetricData",
        "GetMetricStatistics",
        "ListMetrics",
        "PutMetricAlarm",
        "PutCompositeAlarm",
        "DescribeAlarms",
        "SetAlarmState",
        "DeleteAlarms",
    ];
    let form;
    let asked = match Protocol::of(head) {
        Protocol::Cbor => cbor::operation(head)?,
        Protocol::Json => json::target(head)?,
        Protocol::Query => {
            form = query::read(&inflate(head, body).ok()?);
            form.text("Action").ok()??
        }
    };
    known.into_iter().find(|name| *name == asked)
}

/// What a call is about, for the log of calls: a namespace or alarms.
pub(crate) fn resource(call: &Call) -> String {
    let Ok(input) = input(call) else { return String::new() };
    let one = ["Namespace", "AlarmName", "AlarmNamePrefix"].iter().find_map(|name| input.text(name).ok().flatten());
    match one {
        Some(name) => name.to_owned(),
        None => input.texts("AlarmNames").unwrap_or_default().join(","),
    }
}

fn input(call: &Call) -> Result<Value, AwsError> {
    Protocol::of(&call.head).read(&inflate(&call.head, &call.body)?)
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    if call.body.len() > REQUEST_LIMIT {
        return Err(AwsError::new(413, "RequestEntityTooLarge", "Request size exceeds 1 MB"));
    }
    let input = input(&call)?;
    let delay = chrono::Duration::from_std(aws.options().metric_delay).unwrap_or(chrono::Duration::MAX);
    // What came later than this cannot be read yet.
    let visible = call.now.checked_sub_signed(delay).unwrap_or(DateTime::<Utc>::MIN_UTC);
    let mut state = aws.cloudwatch();
    let (account, region) = (&call.caller.account, &call.caller.region);
    let output = match call.operation {
        "PutMetricData" => publish::put(state.shelf(account, region), &call, &input),
        "GetMetricData" => read::data(&state.readable(account, region, visible), &input),
        "GetMetricStatistics" => read::statistics(&state.readable(account, region, visible), &input),
        "ListMetrics" => read::list(&state.readable(account, region, visible), &input),
        "PutMetricAlarm" => alarms::put(state.shelf(account, region), &call, Kind::Metric, &input),
        "PutCompositeAlarm" => alarms::put(state.shelf(account, region), &call, Kind::Composite, &input),
        "DescribeAlarms" => alarms::describe(state.shelf(account, region), &input),
        "SetAlarmState" => alarms::set_state(state.shelf(account, region), &call, &input),
        "DeleteAlarms" => alarms::delete(state.shelf(account, region), &input),
        other => Err(AwsError::not_implemented(format_args!("monitoring {other}"))),
    }?;
    Ok(match Protocol::of(&call.head) {
        Protocol::Cbor => cbor::answer(&output),
        Protocol::Json => json::answer(JSON_VERSION, &output),
        Protocol::Query => query::answer(NAMESPACE, call.operation, &output),
    })
}

/// An error in the protocol of the request. The codes are those of AWS query; newer protocols tell the shape's name too.
pub(crate) fn error(head: &http::request::Parts, error: &AwsError) -> Answer {
    let shape = match error.code.as_str() {
        "InvalidParameterValue" => "InvalidParameterValueException",
        "InvalidParameterCombination" => "InvalidParameterCombinationException",
        "MissingParameter" => "MissingRequiredParameterException",
        "ResourceNotFound" => "ResourceNotFound",
        "InvalidNextToken" => "InvalidNextToken",
        same => same,
    };
    match Protocol::of(head) {
        Protocol::Cbor => cbor::error(shape, &query::renamed(error)),
        Protocol::Json => {
            let mut answer = json::error(JSON_VERSION, &AwsError { code: shape.to_owned(), ..error.clone() });
            let fault = if error.status < 500 { "Sender" } else { "Receiver" };
            if let Ok(code) = format!("{};{fault}", query::renamed(error).code).parse() {
                answer.headers_mut().insert("x-amzn-query-error", code);
            }
            answer
        }
        Protocol::Query => query::error(NAMESPACE, &query::renamed(error)),
    }
}

/// SDKs compress what is larger than 10 kB.
fn inflate(head: &http::request::Parts, body: &Bytes) -> Result<Bytes, AwsError> {
    use std::io::Read as _;
    match head.headers.get(http::header::CONTENT_ENCODING).map(http::HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(body.clone()),
        Some(b"gzip") => {
            let mut plain = Vec::new();
            let mut reader = flate2::read::GzDecoder::new(&**body).take(INFLATED_LIMIT);
            let read = reader.read_to_end(&mut plain);
            read.map_err(|error| AwsError::new(400, "SerializationException", format!("gzip: {error}")))?;
            Ok(plain.into())
        }
        Some(other) => {
            let other = String::from_utf8_lossy(other).into_owned();
            Err(AwsError::not_implemented(format_args!("monitoring with content-encoding {other}")))
        }
    }
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterValue", message)
}

fn missing(name: &str) -> AwsError {
    AwsError::new(400, "MissingParameter", format!("The parameter {name} is required."))
}

/// A string that has to be there.
fn required<'v>(input: &'v Value, name: &str) -> Result<&'v str, AwsError> {
    input.text(name)?.ok_or_else(|| missing(name))
}

/// The dimensions of a metric: at most 30, each named once. `at` names the place in messages.
fn dimensions(input: &Value, at: &str) -> Result<Vec<(String, String)>, AwsError> {
    let list = input.list("Dimensions")?;
    if list.len() > 30 {
        return Err(invalid(format!("The collection {at}Dimensions must not have a size greater than 30.")));
    }
    let mut dimensions: Vec<(String, String)> = Vec::with_capacity(list.len());
    for (index, dimension) in list.iter().enumerate() {
        let place = format!("{at}Dimensions.member.{}", index + 1);
        for (member, limit) in [("Name", 255), ("Value", 1024)] {
            let text = dimension.text(member)?.ok_or_else(|| missing(&format!("{place}.{member}")))?;
            if text.is_empty() || text.len() > limit {
                return Err(invalid(format!(
                    "The parameter {place}.{member} must be between 1 and {limit} characters long."
                )));
            }
            if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) || text.trim().is_empty() {
                return Err(invalid(format!("The parameter {place}.{member} must contain only ASCII characters.")));
            }
        }
        let (name, value) = (required(dimension, "Name")?, required(dimension, "Value")?);
        if name.starts_with(':') {
            return Err(invalid(format!("The parameter {place}.Name must not start with a colon.")));
        }
        if dimensions.iter().any(|(known, _)| known == name) {
            return Err(invalid(format!("The parameter {place}.Name is given twice: {name}.")));
        }
        dimensions.push((name.to_owned(), value.to_owned()));
    }
    Ok(dimensions)
}

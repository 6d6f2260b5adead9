//! Alarms: their definition as it was put, and the state that somebody set.
use super::series::Shelf;
use super::{dimensions, invalid, missing, required};
use crate::codec::{Value, structure};
use crate::wire::{AwsError, Call};

/// The members of `PutMetricAlarm` that `DescribeAlarms` gives back as they came.
const KEPT: [&str; 18] = [
    "AlarmDescription",
    "OKActions",
    "AlarmActions",
    "InsufficientDataActions",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Dimensions",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
    "EvaluateLowSampleCountPercentile",
    "Metrics",
];

/// The same of `PutCompositeAlarm`.
const KEPT_OF_COMPOSITE: [&str; 5] =
    ["AlarmDescription", "OKActions", "AlarmActions", "InsufficientDataActions", "AlarmRule"];

/// What an alarm looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A metric, or maths on some.
    Metric,
    /// Other alarms.
    Composite,
}

impl Kind {
    fn kept(self) -> &'static [&'static str] {
        match self {
            Self::Metric => &KEPT,
            Self::Composite => &KEPT_OF_COMPOSITE,
        }
    }

    /// The name in `AlarmTypes`.
    fn name(self) -> &'static str {
        match self {
            Self::Metric => "MetricAlarm",
            Self::Composite => "CompositeAlarm",
        }
    }
}

/// One alarm.
#[derive(Clone)]
pub(super) struct Alarm {
    kind: Kind,
    definition: Value,
    arn: String,
    updated: chrono::DateTime<chrono::Utc>,
    state: String,
    reason: String,
    reason_data: Option<String>,
    state_updated: chrono::DateTime<chrono::Utc>,
    transitioned: chrono::DateTime<chrono::Utc>,
}

/// `PutMetricAlarm` and `PutCompositeAlarm`: a new alarm begins without data; a changed one keeps its state.
pub(super) fn put(shelf: &mut Shelf, call: &Call, kind: Kind, input: &Value) -> Result<Value, AwsError> {
    let name = required(input, "AlarmName")?;
    if name.is_empty() || name.len() > 255 {
        return Err(invalid("The parameter AlarmName must be between 1 and 255 characters long."));
    }
    match kind {
        Kind::Metric => check(input)?,
        Kind::Composite => check_composite(input)?,
    }
    if shelf.alarms.get(name).is_some_and(|alarm| alarm.kind != kind) {
        return Err(validation(format!("An alarm of another type with the name {name} exists already.")));
    }
    let definition = definition(kind, input)?;
    let alarm = shelf.alarms.entry(name.to_owned()).or_insert_with(|| Alarm {
        kind,
        definition: structure(),
        arn: format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", call.caller.region, call.caller.account),
        updated: call.now,
        state: "INSUFFICIENT_DATA".to_owned(),
        reason: "Unchecked: Initial alarm creation".to_owned(),
        reason_data: None,
        state_updated: call.now,
        transitioned: call.now,
    });
    alarm.definition = definition;
    alarm.updated = call.now;
    Ok(structure())
}

fn check(input: &Value) -> Result<(), AwsError> {
    for member in ["EvaluationCriteria", "EvaluationWindow", "ThresholdMetricId"] {
        if input.get(member).is_some() {
            return Err(AwsError::not_implemented(format_args!("monitoring PutMetricAlarm with {member}")));
        }
    }
    let metrics = !input.list("Metrics")?.is_empty();
    if metrics == input.get("MetricName").is_some() {
        return Err(validation("Exactly one of the parameters MetricName and Metrics must be specified."));
    }
    let needed: &[&str] = if metrics { &[] } else { &["Namespace", "Period"] };
    for member in needed.iter().chain(&["EvaluationPeriods", "ComparisonOperator", "Threshold"]) {
        if input.get(member).is_none() {
            return Err(missing(member));
        }
    }
    let operators =
        ["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"];
    let operator = required(input, "ComparisonOperator")?;
    if !operators.contains(&operator) {
        return Err(invalid(format!("The value {operator} for parameter ComparisonOperator is not supported.")));
    }
    dimensions(input, "").map(drop)
}

/// The rule is kept as it came: nothing reads it.
fn check_composite(input: &Value) -> Result<(), AwsError> {
    for member in ["ActionsSuppressor", "ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"] {
        if input.get(member).is_some() {
            return Err(AwsError::not_implemented(format_args!("monitoring PutCompositeAlarm with {member}")));
        }
    }
    match required(input, "AlarmRule")?.len() {
        1..=10_240 => Ok(()),
        _ => Err(invalid("The parameter AlarmRule must be between 1 and 10240 characters long.")),
    }
}

fn validation(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationError", message)
}

/// What is kept of the request, its numbers as numbers whatever protocol they came in.
fn definition(kind: Kind, input: &Value) -> Result<Value, AwsError> {
    let mut definition = structure().with("ActionsEnabled", input.bool("ActionsEnabled")?.unwrap_or(true));
    for member in kind.kept() {
        definition = match *member {
            "Period" | "EvaluationPeriods" | "DatapointsToAlarm" => {
                definition.with_some(member, input.int(member)?.map(Value::Int))
            }
            "Threshold" => definition.with_some(member, input.double(member)?),
            _ => definition.with_some(member, input.get(member).cloned()),
        };
    }
    Ok(definition)
}

impl Alarm {
    fn describe(&self, name: &str) -> Value {
        let mut alarm = structure()
            .with("AlarmName", name)
            .with("AlarmArn", &self.arn)
            .with("AlarmConfigurationUpdatedTimestamp", self.updated)
            .with("StateValue", &self.state)
            .with("StateReason", &self.reason)
            .with_some("StateReasonData", self.reason_data.as_ref())
            .with("StateUpdatedTimestamp", self.state_updated)
            .with("StateTransitionedTimestamp", self.transitioned);
        for member in self.kind.kept().iter().chain(&["ActionsEnabled"]) {
            alarm = alarm.with_some(member, self.definition.get(member).cloned());
        }
        alarm
    }
}

/// `DescribeAlarms`: at most 100 names, or a prefix; names that do not exist are left out, and composite alarms where
/// nobody asked for them.
pub(super) fn describe(shelf: &Shelf, input: &Value) -> Result<Value, AwsError> {
    let names = input.texts("AlarmNames")?;
    if names.len() > 100 {
        return Err(validation("The collection AlarmNames must not have a size greater than 100."));
    }
    for member in ["ActionPrefix", "ChildrenOfAlarmName", "ParentsOfAlarmName"] {
        if input.get(member).is_some() {
            return Err(AwsError::not_implemented(format_args!("monitoring DescribeAlarms with {member}")));
        }
    }
    let most = input.int("MaxRecords")?.unwrap_or(if names.is_empty() { 50 } else { 100 });
    let most = usize::try_from(most).ok().filter(|most| (1..=100).contains(most));
    let most = most.ok_or_else(|| invalid("The parameter MaxRecords must be between 1 and 100."))?;
    let (prefix, state) = (input.text("AlarmNamePrefix")?, input.text("StateValue")?);
    if prefix.is_some() && !names.is_empty() {
        return Err(validation("The parameters AlarmNames and AlarmNamePrefix are mutually exclusive."));
    }
    let types = input.texts("AlarmTypes")?;
    if let Some(other) = types.iter().find(|name| ![Kind::Metric, Kind::Composite].map(Kind::name).contains(name)) {
        return Err(validation(format!("The value {other} for parameter AlarmTypes is not supported.")));
    }
    let after = input.text("NextToken")?.filter(|token| !token.is_empty());
    let matches = |name: &str, alarm: &Alarm| {
        (names.is_empty() || names.contains(&name))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && state.is_none_or(|state| alarm.state == state)
            && (types.contains(&alarm.kind.name()) || types.is_empty() && alarm.kind == Kind::Metric)
            && after.is_none_or(|after| name > after)
    };
    let mut found: Vec<_> = shelf.alarms.iter().filter(|(name, alarm)| matches(name, alarm)).take(most + 1).collect();
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|(name, _)| name.as_str());
    let of = |kind: Kind| {
        let alarms = found.iter().filter(|(_, alarm)| alarm.kind == kind);
        alarms.map(|(name, alarm)| alarm.describe(name)).collect::<Value>()
    };
    Ok(structure()
        .with("MetricAlarms", of(Kind::Metric))
        .with("CompositeAlarms", of(Kind::Composite))
        .with_some("NextToken", next))
}

fn not_found() -> AwsError {
    AwsError::new(404, "ResourceNotFound", "The named resource does not exist.")
}

/// `SetAlarmState`.
pub(super) fn set_state(shelf: &mut Shelf, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let (name, state) = (required(input, "AlarmName")?, required(input, "StateValue")?);
    let reason = required(input, "StateReason")?;
    if !["OK", "ALARM", "INSUFFICIENT_DATA"].contains(&state) {
        return Err(invalid(format!("The value {state} for parameter StateValue is not supported.")));
    }
    let alarm = shelf.alarms.get_mut(name).ok_or_else(not_found)?;
    if alarm.state != state {
        alarm.transitioned = call.now;
    }
    state.clone_into(&mut alarm.state);
    reason.clone_into(&mut alarm.reason);
    alarm.reason_data = input.text("StateReasonData")?.map(str::to_owned);
    alarm.state_updated = call.now;
    Ok(structure())
}

/// `DeleteAlarms`: at most 100, of which one may be composite. Those that exist are deleted even where another does not.
pub(super) fn delete(shelf: &mut Shelf, input: &Value) -> Result<Value, AwsError> {
    let names = input.texts("AlarmNames")?;
    if names.is_empty() {
        return Err(missing("AlarmNames"));
    }
    if names.len() > 100 {
        return Err(validation("The collection AlarmNames must not have a size greater than 100."));
    }
    let named = || names.iter().map(|name| shelf.alarms.get(*name));
    if named().flatten().filter(|alarm| alarm.kind == Kind::Composite).count() > 1 {
        return Err(validation("Only one composite alarm can be deleted per operation."));
    }
    let unknown = named().any(|alarm| alarm.is_none());
    shelf.alarms.retain(|name, _| !names.contains(&name.as_str()));
    if unknown { Err(not_found()) } else { Ok(structure()) }
}

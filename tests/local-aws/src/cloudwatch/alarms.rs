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

/// One metric alarm.
pub(super) struct Alarm {
    definition: Value,
    arn: String,
    updated: chrono::DateTime<chrono::Utc>,
    state: String,
    reason: String,
    reason_data: Option<String>,
    state_updated: chrono::DateTime<chrono::Utc>,
    transitioned: chrono::DateTime<chrono::Utc>,
}

/// `PutMetricAlarm`: a new alarm begins without data; a changed one keeps its state.
pub(super) fn put(shelf: &mut Shelf, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let name = required(input, "AlarmName")?;
    if name.is_empty() || name.len() > 255 {
        return Err(invalid("The parameter AlarmName must be between 1 and 255 characters long."));
    }
    check(input)?;
    let definition = definition(input)?;
    let alarm = shelf.alarms.entry(name.to_owned()).or_insert_with(|| Alarm {
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
        let message = "Exactly one of the parameters MetricName and Metrics must be specified.";
        return Err(AwsError::new(400, "ValidationError", message));
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

/// What is kept of the request, its numbers as numbers whatever protocol they came in.
fn definition(input: &Value) -> Result<Value, AwsError> {
    let mut definition = structure().with("ActionsEnabled", input.bool("ActionsEnabled")?.unwrap_or(true));
    for member in KEPT {
        definition = match member {
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
        for member in KEPT.iter().chain(&["ActionsEnabled"]) {
            alarm = alarm.with_some(member, self.definition.get(member).cloned());
        }
        alarm
    }
}

/// `DescribeAlarms`: at most 100 names, or a prefix; names that do not exist are left out.
pub(super) fn describe(shelf: &Shelf, input: &Value) -> Result<Value, AwsError> {
    let names = input.texts("AlarmNames")?;
    if names.len() > 100 {
        return Err(AwsError::new(
            400,
            "ValidationError",
            "The collection AlarmNames must not have a size greater than 100.",
        ));
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
    let types = input.texts("AlarmTypes")?;
    let after = input.text("NextToken")?.filter(|token| !token.is_empty());
    let matches = |name: &str, alarm: &Alarm| {
        (names.is_empty() || names.contains(&name))
            && prefix.is_none_or(|prefix| name.starts_with(prefix))
            && state.is_none_or(|state| alarm.state == state)
            && (types.is_empty() || types.contains(&"MetricAlarm"))
            && after.is_none_or(|after| name > after)
    };
    let mut found: Vec<_> = shelf.alarms.iter().filter(|(name, alarm)| matches(name, alarm)).take(most + 1).collect();
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|(name, _)| name.as_str());
    Ok(structure()
        .with("MetricAlarms", found.iter().map(|(name, alarm)| alarm.describe(name)).collect::<Value>())
        .with("CompositeAlarms", Value::List(Vec::new()))
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

/// `DeleteAlarms`: all of them, or none where one does not exist.
pub(super) fn delete(shelf: &mut Shelf, input: &Value) -> Result<Value, AwsError> {
    let names = input.texts("AlarmNames")?;
    if names.is_empty() {
        return Err(missing("AlarmNames"));
    }
    if names.iter().any(|name| !shelf.alarms.contains_key(*name)) {
        return Err(not_found());
    }
    shelf.alarms.retain(|name, _| !names.contains(&name.as_str()));
    Ok(structure())
}

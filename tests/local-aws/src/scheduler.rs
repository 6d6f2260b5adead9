//! EventBridge Scheduler over REST-JSON: schedules that invoke functions on the world's clock.
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::AbortHandle;

use crate::LocalAws;
use crate::lambda::{self, Target};
use crate::wire::{self, Answer, AwsError, Call, Caller, path_segments, rest_json_error};
use crate::world::WeakAws;

mod expression;
mod requests;

use expression::Expression;

/// Account, region, group, name.
type Key = (String, String, String, String);

/// All schedules of the world.
#[derive(Default)]
pub(crate) struct State {
    schedules: BTreeMap<Key, Schedule>,
}

struct Schedule {
    definition: Definition,
    created: DateTime<Utc>,
    modified: DateTime<Utc>,
    /// Waits for the next time; ended when the schedule is changed or deleted.
    task: Option<AbortHandle>,
}

impl Drop for Schedule {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

/// What a request says of a schedule.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Definition {
    #[serde(default = "default_group")]
    group_name: String,
    schedule_expression: String,
    schedule_expression_timezone: Option<String>,
    start_date: Option<f64>,
    end_date: Option<f64>,
    description: Option<String>,
    #[serde(default = "enabled")]
    state: String,
    flexible_time_window: FlexibleTimeWindow,
    target: ScheduleTarget,
    #[serde(default = "no_action")]
    action_after_completion: String,
    kms_key_arn: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct FlexibleTimeWindow {
    mode: String,
    maximum_window_in_minutes: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ScheduleTarget {
    arn: String,
    role_arn: String,
    input: Option<String>,
    retry_policy: Option<RetryPolicy>,
    dead_letter_config: Option<Value>,
    /// Parameters of targets that are not functions.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RetryPolicy {
    maximum_event_age_in_seconds: Option<i64>,
    maximum_retry_attempts: Option<i64>,
}

fn default_group() -> String {
    "default".to_owned()
}

fn enabled() -> String {
    "ENABLED".to_owned()
}

fn no_action() -> String {
    "NONE".to_owned()
}

/// The operation that a request asks for.
pub(crate) fn operation(head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    let segments = path_segments(&head.uri);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    Some(match (head.method.as_str(), segments.as_slice()) {
        ("POST", ["schedules", _]) => "CreateSchedule",
        ("GET", ["schedules", _]) => "GetSchedule",
        ("PUT", ["schedules", _]) => "UpdateSchedule",
        ("DELETE", ["schedules", _]) => "DeleteSchedule",
        ("GET", ["schedules"]) => "ListSchedules",
        _ => return None,
    })
}

/// The schedule's name.
pub(crate) fn resource(call: &Call) -> String {
    call.segments().get(1).cloned().unwrap_or_default()
}

/// An error in REST-JSON.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    rest_json_error(error, "Message")
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    match call.operation {
        "CreateSchedule" => requests::create(aws, &call),
        "GetSchedule" => requests::get(aws, &call),
        "UpdateSchedule" => requests::update(aws, &call),
        "DeleteSchedule" => requests::delete(aws, &call),
        "ListSchedules" => requests::list(aws, &call),
        other => Err(AwsError::not_implemented(format_args!("scheduler {other}"))),
    }
}

/// When a schedule fires, from its definition alone.
struct Timetable {
    expression: Expression,
    from: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Timetable {
    fn of(definition: &Definition, modified: DateTime<Utc>) -> Result<Self, AwsError> {
        let expression = Expression::parse(&definition.schedule_expression)?;
        let from = definition.start_date.and_then(from_epoch).map_or(modified, |start| start.max(modified));
        Ok(Self { expression, from, until: definition.end_date.and_then(from_epoch) })
    }

    /// The first time after `after`; with none, the very first. A rate without a start date fires at once, as AWS documents.
    fn next(&self, after: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let next = self.expression.next(self.from, after)?;
        self.until.is_none_or(|until| next <= until).then_some(next)
    }
}

fn from_epoch(seconds: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "epoch milliseconds fit")]
    DateTime::from_timestamp_millis((seconds * 1000.0) as i64)
}

/// Starts the task that fires an enabled schedule; it ends with the schedule, or with the world.
fn start(
    aws: &LocalAws,
    key: &Key,
    definition: &Definition,
    modified: DateTime<Utc>,
) -> Result<Option<AbortHandle>, AwsError> {
    let timetable = Timetable::of(definition, modified)?;
    if definition.state != "ENABLED" {
        return Ok(None);
    }
    let caller = Caller { account: key.0.clone(), region: key.1.clone(), arn: definition.target.role_arn.clone() };
    let run = tick(aws.downgrade(), timetable, definition.target.clone(), caller);
    Ok(Some(tokio::spawn(run).abort_handle()))
}

async fn tick(world: WeakAws, timetable: Timetable, target: ScheduleTarget, caller: Caller) {
    let mut last = None;
    while let Some(next) = timetable.next(last) {
        let Some(clock) = world.upgrade().map(|aws| aws.clock().clone()) else { return };
        clock.sleep_until(next).await;
        last = Some(next);
        // On its own task: retries of one time do not delay the next.
        tokio::spawn(fire(world.clone(), target.clone(), caller.clone(), next));
    }
}

/// Hands one event to Lambda's queue. What is retried here is only that hand-over: failures of the function are Lambda's to
/// retry. Scheduler's defaults are 185 times within a day.
async fn fire(world: WeakAws, target: ScheduleTarget, caller: Caller, scheduled: DateTime<Utc>) {
    let policy = target.retry_policy.as_ref();
    let retries = policy.and_then(|it| it.maximum_retry_attempts).unwrap_or(185);
    let age = policy.and_then(|it| it.maximum_event_age_in_seconds).unwrap_or(86_400);
    let payload = Bytes::from(target.input.clone().unwrap_or_else(|| "{}".to_owned()));
    for attempt in 0..=retries {
        let Some(aws) = world.upgrade() else { return };
        if (aws.clock().now() - scheduled).num_seconds() > age {
            return;
        }
        let function = Target::parse(&target.arn, &caller, "Invoke");
        if function.and_then(|function| lambda::enqueue(&aws, function, payload.clone())).is_ok() {
            return;
        }
        let clock = aws.clock().clone();
        drop(aws);
        clock.sleep(Duration::from_secs(1 << attempt.clamp(0, 8))).await;
    }
}

/// `GetSchedule`'s answer.
fn shown(key: &Key, schedule: &Schedule) -> Value {
    let Definition {
        group_name,
        schedule_expression,
        schedule_expression_timezone,
        start_date,
        end_date,
        description,
        state,
        flexible_time_window,
        target,
        action_after_completion,
        kms_key_arn,
    } = &schedule.definition;
    let policy = target.retry_policy.as_ref();
    let mut shown = json!({
        "Arn": arn(key),
        "GroupName": group_name,
        "Name": key.3,
        "ScheduleExpression": schedule_expression,
        "ScheduleExpressionTimezone": schedule_expression_timezone.as_deref().unwrap_or("UTC"),
        "StartDate": start_date,
        "EndDate": end_date,
        "Description": description,
        "State": state,
        "CreationDate": epoch(schedule.created),
        "LastModificationDate": epoch(schedule.modified),
        "KmsKeyArn": kms_key_arn,
        "ActionAfterCompletion": action_after_completion,
        "FlexibleTimeWindow": {
            "Mode": flexible_time_window.mode,
            "MaximumWindowInMinutes": flexible_time_window.maximum_window_in_minutes,
        },
        "Target": {
            "Arn": target.arn,
            "RoleArn": target.role_arn,
            "Input": target.input,
            "DeadLetterConfig": target.dead_letter_config,
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": policy.and_then(|it| it.maximum_event_age_in_seconds).unwrap_or(86_400),
                "MaximumRetryAttempts": policy.and_then(|it| it.maximum_retry_attempts).unwrap_or(185),
            },
        },
    });
    strip_nulls(&mut shown);
    shown
}

/// Absent members are left out.
fn strip_nulls(value: &mut Value) {
    if let Value::Object(members) = value {
        members.retain(|_, member| !member.is_null());
        members.values_mut().for_each(strip_nulls);
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit")]
fn epoch(at: DateTime<Utc>) -> f64 {
    at.timestamp_millis() as f64 / 1000.0
}

fn arn(key: &Key) -> String {
    let (account, region, group, name) = key;
    format!("arn:aws:scheduler:{region}:{account}:schedule/{group}/{name}")
}

/// An answer with the schedule's ARN.
fn answer_arn(key: &Key) -> Answer {
    wire::json(200, &json!({ "ScheduleArn": arn(key) }))
}

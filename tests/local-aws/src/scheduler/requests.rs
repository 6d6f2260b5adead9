//! Schedules as clients create, read, change and delete them.
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::{Definition, Key, Schedule, answer_arn, arn, epoch, expression, shown, start};
use crate::LocalAws;
use crate::lambda::Target;
use crate::wire::{self, Answer, AwsError, Call};

/// At most this many schedules a page.
const PAGE: usize = 100;

fn key(call: &Call, group: Option<String>) -> Result<Key, AwsError> {
    let name = call.segments().get(1).cloned().unwrap_or_default();
    let group = group.unwrap_or_else(|| "default".to_owned());
    let allowed = |it: &str| it.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    for (member, value) in [("name", &name), ("groupName", &group)] {
        if value.is_empty() || value.len() > 64 || !allowed(value) {
            return Err(AwsError::validation([format!(
                "Value '{value}' at '{member}' failed to satisfy constraint: Member must satisfy regular expression \
                 pattern: ^[0-9a-zA-Z-_.]+$"
            )]));
        }
    }
    Ok((call.caller.account.clone(), call.caller.region.clone(), group, name))
}

fn not_found(key: &Key) -> AwsError {
    let message = format!("Schedule {} does not exist.", key.3);
    AwsError::new(404, "ResourceNotFoundException", message)
}

fn invalid(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "ValidationException", message)
}

fn definition(call: &Call) -> Result<Definition, AwsError> {
    let definition: Definition = call.json().map_err(|error| invalid(error.message))?;
    expression::Expression::parse(&definition.schedule_expression)?;
    if let Some(zone) = definition.schedule_expression_timezone.as_deref().filter(|zone| *zone != "UTC") {
        return Err(AwsError::not_implemented(format_args!("scheduler timezone `{zone}`")));
    }
    if !["ENABLED", "DISABLED"].contains(&definition.state.as_str()) {
        return Err(AwsError::validation([format!(
            "Value '{}' at 'state' failed to satisfy constraint: Member must satisfy enum value set: [ENABLED, DISABLED]",
            definition.state
        )]));
    }
    // A window would only make the time less certain: without one every time is still within it.
    match definition.flexible_time_window.mode.as_str() {
        "OFF" | "FLEXIBLE" => {}
        other => return Err(invalid(format!("Invalid FlexibleTimeWindow mode {other}"))),
    }
    if let Some((member, _)) = definition.target.rest.iter().find(|(_, value)| !value.is_null()) {
        return Err(AwsError::not_implemented(format_args!("scheduler target with `{member}`")));
    }
    if !definition.target.arn.starts_with("arn:aws:lambda:") {
        return Err(AwsError::not_implemented(format_args!("scheduler target `{}`", definition.target.arn)));
    }
    Target::parse(&definition.target.arn, &call.caller, "Invoke").map_err(|error| invalid(error.message))?;
    if let Some(input) = &definition.target.input {
        serde_json::from_str::<serde_json::Value>(input)
            .map_err(|_| invalid("Invalid RequestJson provided. Reason: Input is not valid JSON for this target."))?;
    }
    if let Some(policy) = &definition.target.retry_policy {
        let attempts = policy.maximum_retry_attempts.unwrap_or(0);
        let age = policy.maximum_event_age_in_seconds.unwrap_or(60);
        if !(0..=185).contains(&attempts) || !(60..=86_400).contains(&age) {
            return Err(invalid("RetryPolicy: attempts are 0 to 185, the event's age is 60 to 86400 seconds"));
        }
    }
    Ok(definition)
}

pub(super) fn create(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let definition = definition(call)?;
    let key = key(call, Some(definition.group_name.clone()))?;
    if aws.scheduler().schedules.contains_key(&key) {
        return Err(AwsError::new(409, "ConflictException", format!("Schedule {} already exists.", key.3)));
    }
    let task = start(aws, &key, &definition, call.now)?;
    let schedule = Schedule { definition, created: call.now, modified: call.now, task };
    let answer = answer_arn(&key);
    aws.scheduler().schedules.insert(key, schedule);
    Ok(answer)
}

pub(super) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let key = key(call, call.query("groupName"))?;
    let state = aws.scheduler();
    let schedule = state.schedules.get(&key).ok_or_else(|| not_found(&key))?;
    Ok(wire::json(200, &shown(&key, schedule)))
}

/// Replaces the whole definition: what a request leaves out is gone, as in AWS.
pub(super) fn update(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let definition = definition(call)?;
    let key = key(call, Some(definition.group_name.clone()))?;
    let mut state = aws.scheduler();
    let created = state.schedules.get(&key).ok_or_else(|| not_found(&key))?.created;
    let task = start(aws, &key, &definition, call.now)?;
    let answer = answer_arn(&key);
    state.schedules.insert(key, Schedule { definition, created, modified: call.now, task });
    Ok(answer)
}

pub(super) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let key = key(call, call.query("groupName"))?;
    aws.scheduler().schedules.remove(&key).ok_or_else(|| not_found(&key))?;
    Ok(wire::json(200, &json!({})))
}

pub(super) fn list(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let (group, prefix, wanted) = (call.query("ScheduleGroup"), call.query("NamePrefix"), call.query("State"));
    let size = match call.query("MaxResults").map(|text| text.parse::<usize>()) {
        None => PAGE,
        Some(Ok(size @ 1..=PAGE)) => size,
        Some(_) => return Err(invalid("MaxResults is a number from 1 to 100")),
    };
    let after = match call.query("NextToken") {
        None => None,
        Some(token) => Some(BASE64_STANDARD.decode(token).map_err(|_| invalid("Invalid NextToken"))?),
    };
    let state = aws.scheduler();
    let position = |key: &Key| format!("{}/{}", key.2, key.3).into_bytes();
    let mut found = state.schedules.iter().filter(|(key, schedule)| {
        key.0 == call.caller.account
            && key.1 == call.caller.region
            && group.as_ref().is_none_or(|group| *group == key.2)
            && prefix.as_ref().is_none_or(|prefix| key.3.starts_with(prefix))
            && wanted.as_ref().is_none_or(|wanted| *wanted == schedule.definition.state)
    });
    let mut found =
        found.by_ref().filter(|(key, _)| after.as_ref().is_none_or(|after| position(key) > *after)).peekable();
    let (mut items, mut last) = (Vec::new(), None);
    while items.len() < size {
        let Some((key, schedule)) = found.next() else { break };
        items.push(json!({
            "Arn": arn(key),
            "GroupName": key.2,
            "Name": key.3,
            "State": schedule.definition.state,
            "CreationDate": epoch(schedule.created),
            "LastModificationDate": epoch(schedule.modified),
            "Target": { "Arn": schedule.definition.target.arn },
        }));
        last = Some(position(key));
    }
    let mut body = json!({ "Schedules": items });
    if let (Some(last), true) = (last, found.peek().is_some()) {
        body["NextToken"] = BASE64_STANDARD.encode(last).into();
    }
    Ok(wire::json(200, &body))
}

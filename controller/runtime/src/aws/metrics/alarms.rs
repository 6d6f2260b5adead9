//! Reads the states of alarms with `DescribeAlarms`, metric alarms and composite ones.
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::operation::describe_alarms::DescribeAlarmsOutput;
use aws_sdk_cloudwatch::types::{AlarmType, StateValue};
use release_schema::AlarmName;
use tidegate_core::analysis::AlarmState;

use crate::aws::error::{CallError, failed};

/// The most names of one call, and the most alarms of one page (CloudWatch API, `DescribeAlarms`).
const MOST_NAMES: usize = 100;
/// See [`MOST_NAMES`].
const MOST_RECORDS: i32 = 100;
/// No page is smaller than the alarms that are asked for, but CloudWatch may say so.
const MOST_PAGES: usize = 100;

/// The states of those that exist; why not, for those that could not be read; and the calls that failed.
pub(super) async fn read(
    client: &aws_sdk_cloudwatch::Client,
    names: &BTreeSet<&AlarmName>,
) -> (BTreeMap<AlarmName, Result<AlarmState, String>>, Vec<CallError>) {
    let (mut states, mut failed) = (BTreeMap::new(), Vec::new());
    let names: Vec<&AlarmName> = names.iter().copied().collect();
    for names in names.chunks(MOST_NAMES) {
        match pages(client, names).await {
            Ok(pages) => states.extend(names.iter().filter_map(|name| Some(((*name).clone(), state(name, &pages)?)))),
            Err(error) => {
                states.extend(names.iter().map(|name| ((*name).clone(), Err(error.to_string()))));
                failed.push(error);
            }
        }
    }
    (states, failed)
}

async fn pages(
    client: &aws_sdk_cloudwatch::Client,
    names: &[&AlarmName],
) -> Result<Vec<DescribeAlarmsOutput>, CallError> {
    let mut pages = Vec::new();
    let mut token = None;
    while pages.len() < MOST_PAGES {
        let page = client
            .describe_alarms()
            .set_alarm_names(Some(names.iter().map(ToString::to_string).collect()))
            // Without both only metric alarms are described.
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(MOST_RECORDS)
            .set_next_token(token)
            .send()
            .await
            .map_err(failed("cloudwatch:DescribeAlarms", &list(names)))?;
        token = page.next_token.clone().filter(|token| !token.is_empty());
        pages.push(page);
        if token.is_none() {
            break;
        }
    }
    Ok(pages)
}

/// A few of the names.
fn list(names: &[&AlarmName]) -> String {
    match names {
        [] => String::new(),
        [name] => name.to_string(),
        [name, rest @ ..] => format!("{name} and {} more", rest.len()),
    }
}

/// An alarm's state; `None` where there is no such alarm.
fn state(name: &AlarmName, pages: &[DescribeAlarmsOutput]) -> Option<Result<AlarmState, String>> {
    let metric = pages.iter().flat_map(DescribeAlarmsOutput::metric_alarms);
    let composite = pages.iter().flat_map(DescribeAlarmsOutput::composite_alarms);
    let metric = metric.map(|alarm| (alarm.alarm_name(), alarm.state_value()));
    let composite = composite.map(|alarm| (alarm.alarm_name(), alarm.state_value()));
    let (_, value) = metric.chain(composite).find(|(found, _)| *found == Some(name.as_str()))?;
    Some(match value {
        Some(StateValue::Ok) => Ok(AlarmState::Ok),
        Some(StateValue::Alarm) => Ok(AlarmState::Alarm),
        Some(StateValue::InsufficientData) => Ok(AlarmState::InsufficientData),
        other => Err(format!("alarm {name} is in a state that is not known: {}", other.map_or("", StateValue::as_str))),
    })
}

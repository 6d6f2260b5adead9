//! Reads what the analyses of an environment need: one `GetMetricData` and one `DescribeAlarms` for all its rollouts.
use std::collections::{BTreeMap, BTreeSet};

use release_schema::{AlarmName, ServiceName};
use tidegate_core::analysis::{AlarmState, Measure, Measured};

use super::series::{Answer, Query, Side};
use super::{alarms, sample, series};
use crate::aws::CallError;

/// What has to be measured of one service.
#[derive(Clone, Debug)]
pub struct Request {
    /// The function's name.
    pub function: String,
    /// The alias that traffic comes through.
    pub alias: String,
    /// What, and when.
    pub measure: Measure,
}

/// What was measured.
#[derive(Debug)]
pub struct Measurements {
    /// Of each service that was asked for.
    pub measured: BTreeMap<ServiceName, Measured>,
    /// The calls that failed.
    pub failed: Vec<CallError>,
}

/// Measures for all services together. Every request has a result.
///
/// Nothing here fails: what could not be read, or not in full, is `None` in its result, and why is in its `trouble`.
pub async fn measure(client: &aws_sdk_cloudwatch::Client, requests: &BTreeMap<ServiceName, Request>) -> Measurements {
    let queries = requests.iter().flat_map(|(service, request)| series::queries(service, request)).collect();
    let names: BTreeSet<&AlarmName> = requests.values().flat_map(|request| &request.measure.alarms).collect();
    let ((answers, mut failed), (alarms, others)) =
        futures::future::join(series::read(client, queries), alarms::read(client, &names)).await;
    failed.extend(others);
    let result =
        |(service, request): (&ServiceName, &Request)| (service.clone(), measured(service, request, &answers, &alarms));
    Measurements { measured: requests.iter().map(result).collect(), failed }
}

fn measured(
    service: &ServiceName,
    request: &Request,
    answers: &BTreeMap<Query, Answer>,
    alarms: &BTreeMap<AlarmName, Result<AlarmState, String>>,
) -> Measured {
    let own: BTreeMap<&Query, &Answer> = answers.iter().filter(|(query, _)| query.service == *service).collect();
    let sample_of = |side: Side| sample::of(own.iter().filter(|(query, _)| query.side == side).map(|(q, a)| (*q, *a)));
    let named = || request.measure.alarms.iter().filter_map(|name| Some((name, alarms.get(name)?)));
    let mut trouble = own.values().filter_map(|answer| answer.as_ref().err());
    let mut alarm_trouble = named().filter_map(|(_, state)| state.as_ref().err());
    Measured {
        canary: sample_of(Side::Canary),
        stable: sample_of(Side::Stable),
        alarms: named().filter_map(|(name, state)| Some((name.clone(), *state.as_ref().ok()?))).collect(),
        trouble: trouble.next().or_else(|| alarm_trouble.next()).cloned(),
    }
}

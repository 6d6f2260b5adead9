//! Publishes what dashboards and alarms read of a tick, in one call. A failure to publish never fails a tick.
use aws_sdk_cloudwatch::types::builders::MetricDatumBuilder;
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum, StandardUnit};
use chrono::{DateTime, Utc};
use release_schema::EnvironmentName;
use tidegate_core::report::TickReport;
use tidegate_core::shard::Shard;
use tidegate_core::status::{Health, PhaseName, SyncStatus};

use super::catalogue::BY_ENVIRONMENT_TOO;
use crate::aws::error::{CallError, failed};

/// For how long no tick succeeded: the one to put an alarm on.
const SILENCE: &str = "SecondsSinceLastSuccessfulSync";

/// How many services could not be done, and whether the environment as a whole could not.
const ERRORS: &str = "SyncErrors";

/// Publishes the metrics of one tick, of an environment or of a shard of it.
///
/// # Errors
/// Where CloudWatch refuses or does not answer; the caller logs it and goes on.
pub async fn publish(
    client: &aws_sdk_cloudwatch::Client,
    namespace: &str,
    report: &TickReport,
) -> Result<(), CallError> {
    client
        .put_metric_data()
        .namespace(namespace)
        .set_metric_data(Some(data(report)))
        .send()
        .await
        .map_err(failed("cloudwatch:PutMetricData", namespace))?;
    Ok(())
}

/// Publishes that a tick failed as a whole, and for how long there was none that succeeded, where that is known.
///
/// # Errors
/// Where CloudWatch refuses or does not answer; the caller logs it and goes on.
pub async fn publish_failure(
    client: &aws_sdk_cloudwatch::Client,
    namespace: &str,
    environment: &EnvironmentName,
    shard: Shard,
    silence: Option<chrono::TimeDelta>,
) -> Result<(), CallError> {
    let seconds = silence.map(|silence| silence.num_seconds().max(0) as f64);
    let data =
        [Some((ERRORS, 1.0, StandardUnit::Count)), seconds.map(|seconds| (SILENCE, seconds, StandardUnit::Seconds))];
    let data = data.into_iter().flatten().flat_map(|data| of_a_schedule(environment, shard, data)).collect();
    let call = client.put_metric_data().namespace(namespace).set_metric_data(Some(data));
    call.send().await.map_err(failed("cloudwatch:PutMetricData", namespace))?;
    Ok(())
}

/// What one schedule has of a metric. Shards would overwrite each other's gauges, so each has series of its own; those of which the
/// worst one or the sum says something of the environment are its series as well, so that an alarm on them outlives a split.
fn of_a_schedule(environment: &EnvironmentName, shard: Shard, data: (&str, f64, StandardUnit)) -> Vec<MetricDatum> {
    let whole = || datum(environment, data.clone()).build();
    if shard.is_whole() {
        return vec![whole()];
    }
    let part = Dimension::builder().name("Shard").value(shard.to_string()).build();
    let part = datum(environment, data.clone()).dimensions(part).build();
    if BY_ENVIRONMENT_TOO.contains(&data.0) { vec![part, whole()] } else { vec![part] }
}

fn datum(environment: &EnvironmentName, (name, value, unit): (&str, f64, StandardUnit)) -> MetricDatumBuilder {
    let environment = Dimension::builder().name("Environment").value(environment.as_str()).build();
    MetricDatum::builder().metric_name(name).value(value).unit(unit).dimensions(environment)
}

fn data(report: &TickReport) -> Vec<MetricDatum> {
    let services = || report.services.values();
    let count =
        |matches: &dyn Fn(&&tidegate_core::report::ServiceReport) -> bool| services().filter(matches).count() as f64;
    let lambda_calls: u64 = report.calls.iter().filter(|(name, _)| name.starts_with("lambda:")).map(|(_, n)| n).sum();
    let errors = count(&|service| service.error.is_some())
        + f64::from(u8::from(report.hold.is_some()))
        + report.failed_calls.len() as f64;
    // A release that was left in the middle is nobody's any more, and must not go unseen for that.
    let left = report.unmanaged.values().filter(|service| service.is_trouble()).count() as f64;
    let degraded = count(&|service| service.standing.health >= Health::Missing) + left;
    let mut data = vec![
        ("ManagedServices", services().count() as f64, StandardUnit::Count),
        ("OutOfSyncServices", count(&|service| service.standing.sync == SyncStatus::OutOfSync), StandardUnit::Count),
        ("DegradedServices", degraded, StandardUnit::Count),
        ("RolloutsInProgress", count(&|service| service.standing.phase.is_under_way()), StandardUnit::Count),
        ("DriftedServices", count(&|service| !service.drift.is_empty()), StandardUnit::Count),
        ("HeldServices", count(&|service| service.standing.phase == PhaseName::RolledBack), StandardUnit::Count),
        ("SyncDuration", report.duration_ms as f64, StandardUnit::Milliseconds),
        (ERRORS, errors, StandardUnit::Count),
        ("LambdaApiCalls", lambda_calls as f64, StandardUnit::Count),
        ("ThrottledCalls", report.throttled as f64, StandardUnit::Count),
    ];
    if let Some(last) = report.last_success {
        let seconds = (report.started - last).num_seconds().max(0);
        data.push((SILENCE, seconds as f64, StandardUnit::Seconds));
    }
    let age =
        |since: Option<DateTime<Utc>>| since.map_or(0, |since| (report.started - since).num_seconds().max(0)) as f64;
    let drifts = services().flat_map(|service| &service.drift).map(|drifted| drifted.since);
    data.push(("OldestDriftSeconds", age(drifts.min()), StandardUnit::Seconds));
    let held = services().filter(|service| service.standing.phase == PhaseName::RolledBack);
    let holds = held.filter_map(|service| Some(service.rollout.as_ref()?.since));
    data.push(("OldestHoldSeconds", age(holds.min()), StandardUnit::Seconds));
    let datum = |data| datum(&report.environment, data);
    let whole = data.into_iter().flat_map(|data| of_a_schedule(&report.environment, report.shard, data));
    // A series of its own costs money for as long as it is published: only while a service rolls out or drifts.
    let canaries = report.services.iter().filter_map(|(name, service)| {
        let progress = service.rollout.as_ref().filter(|_| service.standing.phase.is_under_way())?;
        let weight = f64::from(progress.weight_read?) / 100.0;
        let service = Dimension::builder().name("Service").value(name.as_str()).build();
        Some(datum(("CanaryWeight", weight, StandardUnit::Percent)).dimensions(service).build())
    });
    let drifted = report.services.iter().filter(|(_, service)| !service.drift.is_empty()).map(|(name, service)| {
        let name = Dimension::builder().name("Service").value(name.as_str()).build();
        datum(("Drift", service.drift.len() as f64, StandardUnit::Count)).dimensions(name).build()
    });
    whole.chain(canaries).chain(drifted).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::aws::metrics::{CATALOGUE, Metric};

    /// Of a service that drifts while it rolls out.
    fn report() -> TickReport {
        let service = json!({
            "seen": "2026-11-21T05:43:10Z",
            "standing": {"sync": "OutOfSync", "health": "Progressing", "phase": "Holding", "waitingOn": null},
            "function": "F", "alias": "live", "wanted": {"label": "v1.1.0", "release": null, "code": null},
            "live": null, "done": [], "error": null,
            "drift": [{"drift": {"kind": "aliasMissing"}, "since": "2026-11-21T05:40:10Z", "whose": null}],
            "rollout": {
                "release": "v1.1.0", "stable": "1", "canary": "2", "strategy": "canary", "step": 1, "steps": 2,
                "weightWanted": 1000, "weightRead": 1000, "since": "2026-11-21T05:42:10Z", "until": null,
                "verdict": null, "results": [], "said": []
            }
        });
        let report = json!({
            "schemaVersion": 1, "environment": "staging", "tick": "t", "started": "2026-11-21T05:43:10Z",
            "durationMs": 300, "commit": null, "hold": null, "problems": [], "lastSuccess": "2026-11-21T05:42:10Z",
            "calls": {}, "throttled": 0, "services": {"flight-service": service}
        });
        serde_json::from_value(report).unwrap()
    }

    #[test]
    fn what_is_published_is_what_the_catalogue_names() {
        let published = data(&report());
        let told = |datum: &MetricDatum| {
            let by_service = datum.dimensions().iter().any(|dimension| dimension.name() == Some("Service"));
            (datum.metric_name().unwrap().to_owned(), (datum.unit().unwrap().as_str().to_owned(), by_service))
        };
        let published: BTreeMap<_, _> = published.iter().map(told).collect();
        let entry = |metric: &Metric| (metric.name.to_owned(), (metric.unit.as_str().to_owned(), metric.by_service));
        let named: BTreeMap<_, _> = CATALOGUE.iter().map(entry).collect();
        assert_eq!(published, named);
    }

    /// The dimensions of each series that a schedule of this shard has of a metric.
    fn series(shard: &str, name: &str) -> Vec<String> {
        let data =
            of_a_schedule(&"production".parse().unwrap(), shard.parse().unwrap(), (name, 1.0, StandardUnit::Count));
        let dimension =
            |it: &Dimension| format!("{}={}", it.name().unwrap_or_default(), it.value().unwrap_or_default());
        let each = data.iter().map(|datum| datum.dimensions().iter().map(dimension).collect::<Vec<_>>().join(" "));
        each.collect()
    }

    #[test]
    fn an_environment_without_shards_has_the_series_that_it_always_had() {
        assert_eq!(series("1/1", "ManagedServices"), ["Environment=production"]);
        assert_eq!(series("1/1", SILENCE), ["Environment=production"]);
    }

    #[test]
    fn no_shard_overwrites_anothers_gauges_and_an_alarm_on_the_environment_outlives_a_split() {
        assert_eq!(series("2/4", "ManagedServices"), ["Environment=production Shard=2/4"]);
        for name in [SILENCE, ERRORS] {
            assert_eq!(series("2/4", name), ["Environment=production Shard=2/4", "Environment=production"]);
        }
    }
}

//! Publishes `AWS/Lambda` metrics of invocations, by every set of dimensions that Lambda publishes.
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Key, Target};
use crate::LocalAws;
use crate::cloudwatch::{self, Datum};

/// A metric's name, its unit, and its values, each with how often it occurred.
type Measured = (&'static str, &'static str, Vec<(f64, f64)>);

/// Invocations of one version that began in the same minute, as metrics see them.
pub(crate) struct Batch {
    /// How long they ran, without the initialisation, and how many of them each time. All that ran are here.
    pub(crate) durations: Vec<(Duration, u32)>,
    /// How many of those that ran failed.
    pub(crate) failed: u32,
    /// How many were refused: neither invocations nor errors.
    pub(crate) throttled: u32,
    /// How many of the function ran at once when these started.
    pub(crate) concurrent: u32,
}

impl Batch {
    /// One invocation that was refused.
    pub(crate) fn throttled() -> Self {
        Self { durations: Vec::new(), failed: 0, throttled: 1, concurrent: 0 }
    }

    /// What each metric gets of them.
    fn values(&self) -> [Measured; 5] {
        let ran: u32 = self.durations.iter().map(|(_, count)| count).sum();
        let milliseconds = self.durations.iter().map(|(time, count)| (time.as_secs_f64() * 1000.0, f64::from(*count)));
        let failed = self.failed.min(ran);
        [
            ("Invocations", "Count", counted([(1.0, ran), (0.0, 0)])),
            ("Errors", "Count", counted([(1.0, failed), (0.0, ran - failed)])),
            ("Throttles", "Count", counted([(1.0, self.throttled), (0.0, ran)])),
            ("Duration", "Milliseconds", milliseconds.filter(|(_, count)| *count > 0.0).collect()),
            ("ConcurrentExecutions", "Count", counted([(f64::from(self.concurrent), ran), (0.0, 0)])),
        ]
    }
}

fn counted(values: [(f64, u32); 2]) -> Vec<(f64, f64)> {
    values.into_iter().filter(|(_, count)| *count > 0).map(|(value, count)| (value, f64::from(count))).collect()
}

/// When something happened, and when CloudWatch was told.
#[derive(Clone, Copy)]
pub(crate) struct Seen {
    /// The start of the invocation: the time of its points.
    pub(crate) at: DateTime<Utc>,
    /// The end of it: its points can be read this much later, at the earliest.
    pub(crate) received: DateTime<Utc>,
}

/// Publishes what invocations have left.
pub(crate) fn publish(aws: &LocalAws, target: &Target, version: Option<&str>, seen: Seen, batch: &Batch) {
    let values = batch.values();
    for dimensions in dimension_sets(&target.key, target.qualifier.as_deref(), version) {
        for (name, unit, values) in values.iter().filter(|(_, _, values)| !values.is_empty()) {
            let datum = Datum {
                namespace: "AWS/Lambda".to_owned(),
                name: (*name).to_owned(),
                dimensions: dimensions.clone(),
                at: seen.at,
                received: seen.received,
                values: values.clone(),
                unit,
            };
            cloudwatch::record(aws, &target.key.account, &target.key.region, datum);
        }
    }
}

/// All functions together; the function; what was invoked of it; behind an alias also the version that ran.
fn dimension_sets(key: &Key, qualifier: Option<&str>, version: Option<&str>) -> Vec<Vec<(String, String)>> {
    let dimension = |name: &str, value: String| (name.to_owned(), value);
    let function = dimension("FunctionName", key.name.clone());
    let resource = dimension(
        "Resource",
        match qualifier {
            Some(qualifier) => format!("{}:{qualifier}", key.name),
            None => key.name.clone(),
        },
    );
    let mut sets = vec![vec![], vec![function.clone()], vec![function.clone(), resource.clone()]];
    if let (Some(qualifier), Some(version)) = (qualifier, version)
        && qualifier != version
    {
        sets.push(vec![function, resource, dimension("ExecutedVersion", version.to_owned())]);
    }
    sets
}

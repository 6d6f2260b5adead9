//! Publishes `AWS/Lambda` metrics of each invocation, by every set of dimensions that Lambda publishes.
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{Key, Target};
use crate::LocalAws;
use crate::cloudwatch::{self, Datum};

/// One invocation, as metrics see it.
pub(crate) enum Observation {
    /// It was refused: neither an invocation nor an error.
    Throttled,
    /// It ran.
    Ran {
        /// Whether it failed.
        failed: bool,
        /// Without the initialisation.
        duration: Duration,
        /// How many of the function ran at once when it started.
        concurrent: u32,
    },
}

/// Publishes an observation; its time is the invocation's start.
pub(crate) fn publish(
    aws: &LocalAws,
    target: &Target,
    version: Option<&str>,
    at: DateTime<Utc>,
    observation: &Observation,
) {
    let values: Vec<(&str, f64, &'static str)> = match *observation {
        Observation::Throttled => vec![("Throttles", 1.0, "Count")],
        Observation::Ran { failed, duration, concurrent } => vec![
            ("Invocations", 1.0, "Count"),
            ("Errors", if failed { 1.0 } else { 0.0 }, "Count"),
            ("Throttles", 0.0, "Count"),
            ("Duration", duration.as_secs_f64() * 1000.0, "Milliseconds"),
            ("ConcurrentExecutions", f64::from(concurrent), "Count"),
        ],
    };
    for dimensions in dimension_sets(&target.key, target.qualifier.as_deref(), version) {
        for (name, value, unit) in &values {
            let datum = Datum {
                namespace: "AWS/Lambda".to_owned(),
                name: (*name).to_owned(),
                dimensions: dimensions.clone(),
                at,
                value: *value,
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

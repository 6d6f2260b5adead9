//! Names each metric that a tick publishes, for whoever puts an alarm on one. A test holds what is published against it.
use aws_sdk_cloudwatch::types::StandardUnit;

/// One metric.
#[derive(Clone, Debug)]
pub struct Metric {
    /// As CloudWatch calls it.
    pub name: &'static str,
    /// What it counts.
    pub unit: StandardUnit,
    /// Whether there is one for each service, beside `Environment`; published only while there is something to tell.
    pub by_service: bool,
    /// What it says, in a sentence.
    pub about: &'static str,
}

const fn whole(name: &'static str, unit: StandardUnit, about: &'static str) -> Metric {
    Metric { name, unit, by_service: false, about }
}

const fn one(name: &'static str, unit: StandardUnit, about: &'static str) -> Metric {
    Metric { name, unit, by_service: true, about }
}

/// Those that a shard publishes by `Environment` alone as well as with its own dimension: of these the worst, or the sum, says
/// something of the whole environment.
pub const BY_ENVIRONMENT_TOO: [&str; 2] = ["SecondsSinceLastSuccessfulSync", "SyncErrors"];

/// All of them.
pub const CATALOGUE: [Metric; 15] = [
    whole(
        "SecondsSinceLastSuccessfulSync",
        StandardUnit::Seconds,
        "How long ago the last tick without an error of the whole environment was. The one to put an alarm on; missing is as bad.",
    ),
    whole(
        "SyncErrors",
        StandardUnit::Count,
        "Services that a tick could not serve, operations beside Lambda that failed, and 1 where the environment is on hold, or the \
         tick failed as a whole.",
    ),
    whole("ManagedServices", StandardUnit::Count, "Services that Git names; of a shard, those that are its own."),
    whole("OutOfSyncServices", StandardUnit::Count, "Services that are live with something else than Git wants."),
    whole(
        "DegradedServices",
        StandardUnit::Count,
        "Services that are `Degraded`, `Missing` or `Unknown`, or were removed from Git in the middle of a release.",
    ),
    whole("HeldServices", StandardUnit::Count, "Services whose release is held out by a rollback."),
    whole("DriftedServices", StandardUnit::Count, "Services of which somebody changed something in the account."),
    whole("OldestDriftSeconds", StandardUnit::Seconds, "For how long the oldest drift stands; 0 where there is none."),
    whole("OldestHoldSeconds", StandardUnit::Seconds, "For how long the oldest hold stands; 0 where there is none."),
    whole("RolloutsInProgress", StandardUnit::Count, "Releases under way."),
    whole("SyncDuration", StandardUnit::Milliseconds, "How long the tick took."),
    whole("LambdaApiCalls", StandardUnit::Count, "Calls of Lambda's API that the tick made, retries included."),
    whole("ThrottledCalls", StandardUnit::Count, "Calls of the tick that Lambda throttled, whoever used up the rate."),
    one("CanaryWeight", StandardUnit::Percent, "The share of a release under way that was read back."),
    one("Drift", StandardUnit::Count, "How many things drift. Published only while one does."),
];

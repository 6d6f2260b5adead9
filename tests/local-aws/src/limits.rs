//! Decides whether a call is within AWS's request rates: token buckets on the world's clock, an account and region each.
//!
//! The rates count seconds of the world's clock, as a controller with a budget for each minute sees them; a world that
//! runs sixty times as fast therefore allows sixty times as many calls in one of the machine's seconds.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::wire::{AwsError, Call, Service};

/// One limit and the name of the bucket that it shares: Lambda's quota page, and SSM's default throughput.
fn limit(service: Service, operation: &str) -> Option<(&'static str, f64)> {
    match (service, operation) {
        (Service::Lambda, "Invoke") => None,
        (Service::Lambda, "GetFunction") => Some(("lambda/GetFunction", 100.0)),
        (Service::Lambda, "GetPolicy") => Some(("lambda/GetPolicy", 15.0)),
        (Service::Lambda, _) => Some(("lambda/control-plane", 15.0)),
        (Service::Ssm, "PutParameter") => Some(("ssm/PutParameter", 3.0)),
        (Service::Ssm, "GetParameter" | "GetParameters" | "GetParametersByPath") => Some(("ssm/reads", 40.0)),
        (Service::Ssm, _) => Some(("ssm/others", 5.0)),
        (Service::CloudWatch, "GetMetricData") => Some(("monitoring/GetMetricData", 50.0)),
        (Service::CloudWatch, "DescribeAlarms") => Some(("monitoring/DescribeAlarms", 9.0)),
        (Service::S3 | Service::Ecr | Service::Sts | Service::Scheduler | Service::CloudWatch, _) => None,
    }
}

/// How the service says that a caller is too fast.
pub(crate) fn throttled(service: Service) -> AwsError {
    match service {
        Service::Lambda => AwsError::new(429, "TooManyRequestsException", "Rate exceeded")
            .with("Type", "User")
            .with("Reason", "CallerRateLimitExceeded"),
        Service::S3 => AwsError::new(503, "SlowDown", "Please reduce your request rate."),
        Service::Scheduler => AwsError::new(429, "ThrottlingException", "Rate exceeded"),
        Service::Ssm | Service::Ecr => AwsError::new(400, "ThrottlingException", "Rate exceeded"),
        Service::CloudWatch | Service::Sts => AwsError::new(400, "Throttling", "Rate exceeded"),
    }
}

struct Bucket {
    tokens: f64,
    at: DateTime<Utc>,
}

type BucketKey = (String, String, &'static str);

/// All buckets of a world. A bucket holds at most one second's worth.
#[derive(Default)]
pub(crate) struct Limits {
    buckets: BTreeMap<BucketKey, Bucket>,
}

impl Limits {
    /// Takes one token for `call`, or says in the service's words that there is none.
    pub(crate) fn admit(&mut self, call: &Call) -> Result<(), AwsError> {
        let Some((name, rate)) = limit(call.service, call.operation) else { return Ok(()) };
        let key = (call.caller.account.clone(), call.caller.region.clone(), name);
        let bucket = self.buckets.entry(key).or_insert(Bucket { tokens: rate, at: call.now });
        let elapsed = (call.now - bucket.at).as_seconds_f64().max(0.0);
        bucket.tokens = (bucket.tokens + elapsed * rate).min(rate);
        bucket.at = call.now;
        if bucket.tokens < 1.0 {
            return Err(throttled(call.service));
        }
        bucket.tokens -= 1.0;
        Ok(())
    }
}

//! AWS's published prices in US East (N. Virginia), without free tiers and discounts, as they stood in November 2026.

/// A price, and the page that publishes it.
pub(super) struct Price {
    /// US dollars for one.
    pub(super) dollars: f64,
    /// The page.
    pub(super) source: &'static str,
}

const fn price(dollars: f64, source: &'static str) -> Price {
    Price { dollars, source }
}

const LAMBDA: &str = "https://aws.amazon.com/lambda/pricing/";
const EVENTBRIDGE: &str = "https://aws.amazon.com/eventbridge/pricing/";
const S3: &str = "https://aws.amazon.com/s3/pricing/";
const CLOUDWATCH: &str = "https://aws.amazon.com/cloudwatch/pricing/";
const XRAY: &str = "https://aws.amazon.com/xray/pricing/";
const KMS: &str = "https://aws.amazon.com/kms/pricing/";
const SQS: &str = "https://aws.amazon.com/sqs/pricing/";

/// A second of a function on Arm, for each GB of its memory.
pub(super) const LAMBDA_GB_SECOND: Price = price(0.000_013_333_4, LAMBDA);
/// An invocation: $0.20 a million.
pub(super) const LAMBDA_REQUEST: Price = price(0.000_000_2, LAMBDA);
/// A schedule's invocation: $1 a million.
pub(super) const SCHEDULER_INVOCATION: Price = price(0.000_001, EVENTBRIDGE);
/// A `PUT` or `LIST`: $0.005 a thousand.
pub(super) const S3_WRITE: Price = price(0.000_005, S3);
/// A `GET`: $0.0004 a thousand.
pub(super) const S3_READ: Price = price(0.000_000_4, S3);
/// A GB for a month.
pub(super) const S3_GB_MONTH: Price = price(0.023, S3);
/// A custom metric for a month, where it is published in each hour of it.
pub(super) const METRIC_MONTH: Price = price(0.30, CLOUDWATCH);
/// A call of `PutMetricData`: $0.01 a thousand.
pub(super) const METRIC_CALL: Price = price(0.000_01, CLOUDWATCH);
/// An alarm for a month, of a metric of a minute's resolution.
pub(super) const ALARM_MONTH: Price = price(0.10, CLOUDWATCH);
/// A dashboard for a month.
pub(super) const DASHBOARD_MONTH: Price = price(3.00, CLOUDWATCH);
/// A GB of logs that comes in.
pub(super) const LOG_GB: Price = price(0.50, CLOUDWATCH);
/// A trace: $5 a million.
pub(super) const TRACE: Price = price(0.000_005, XRAY);
/// A request of a standard queue: $0.40 a million.
pub(super) const QUEUE_REQUEST: Price = price(0.000_000_4, SQS);
/// A key of one's own, for a month, before it was ever rotated.
pub(super) const KEY_MONTH: Price = price(1.00, KMS);

/// All of them, with what each is for.
pub(super) const ALL: [(&str, Price); 14] = [
    ("a GB-second of a Lambda on Arm", LAMBDA_GB_SECOND),
    ("an invocation of a Lambda", LAMBDA_REQUEST),
    ("an invocation by a schedule", SCHEDULER_INVOCATION),
    ("a write to S3, or a list", S3_WRITE),
    ("a read of S3", S3_READ),
    ("a GB in S3, a month", S3_GB_MONTH),
    ("a metric, a month", METRIC_MONTH),
    ("a call of `PutMetricData`", METRIC_CALL),
    ("an alarm, a month", ALARM_MONTH),
    ("a dashboard, a month", DASHBOARD_MONTH),
    ("a GB of logs", LOG_GB),
    ("a trace", TRACE),
    ("a request of a queue", QUEUE_REQUEST),
    ("a key, a month", KEY_MONTH),
];

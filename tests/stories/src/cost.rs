//! Computes what an installation costs a month: what a converged tick calls and how long it takes, times AWS's prices.
//!
//! Where nothing changes is where the money goes: a tick every minute. A release adds six calls of Lambda that cost nothing,
//! and a few objects.
mod prices;

use std::fmt::Write as _;

/// Ticks of an environment in a month: one a minute, 730 hours as AWS counts them.
pub const TICKS: f64 = 730.0 * 60.0;

/// What a converged warm tick calls of S3 that is billed as a write: the lease twice, the status, and the list of what is
/// under way.
pub const S3_WRITES: usize = 4;

/// What it reads of S3: the lease. One tick in ten reads what is wanted as well: a fifth of a cent a month.
pub const S3_READS: usize = 1;

/// Its calls of CloudWatch.
pub const METRIC_CALLS: usize = 1;

/// The metrics of an environment in which nothing drifts and nothing is released.
pub const METRICS: usize = 13;

/// The status document, in bytes a service, at most.
pub const STATUS_BYTES: usize = 1_000;

/// A history of one record and its head, in bytes, at most.
pub const HISTORY_BYTES: usize = 3_000;

/// The log lines of a tick and those of Lambda itself, in bytes, at most.
pub const LOG_BYTES: usize = 2_000;

/// The Lambda's memory, in GB.
const MEMORY: f64 = 0.25;

/// What the calls before and after the looks take, in seconds: the lease, Git, the status, the metrics.
const AROUND: f64 = 1.0;

/// Calls of `GetFunction` and of the rest of the control plane a second: the default budget.
const BUDGET: (f64, f64) = (50.0, 4.0);

/// For how long a tick looks at most, in seconds.
const SWEEP: f64 = 45.0;

/// What the construct for the CDK makes of an installation with one environment and is billed by the month: alarms, dashboards,
/// and keys, of the state and of the alarms' topic.
pub const MADE: [(&str, usize); 3] =
    [("AWS::CloudWatch::Alarm", 9), ("AWS::CloudWatch::Dashboard", 1), ("AWS::KMS::Key", 2)];

/// How often Lambda asks the queue of hints whether there are any: five pollers that wait 20 s each.
const POLLS: f64 = 5.0 * 730.0 * 180.0;

/// The environments that the table shows.
pub const SIZES: [usize; 3] = [10, 300, 3000];

/// How long a converged tick of so many services takes, in seconds: what its calls wait for.
#[must_use]
pub fn seconds(services: usize) -> f64 {
    let services = services as f64;
    let (visits, looks) = BUDGET;
    let closely = (looks * (services / visits).floor().max(5.0)).min(looks * SWEEP / 4.0).min(services);
    // More services than a sweep has time for are visited by turns.
    let rounds = (services / (visits * SWEEP - 2.0 * closely)).ceil().max(1.0);
    ((services / rounds + closely) / visits).max(closely / looks) + AROUND
}

/// One line of the bill: what it is for, and what it costs a month.
struct Line {
    what: &'static str,
    dollars: f64,
}

/// The bill of one environment of so many services in which nothing changes.
fn bill(services: usize) -> Vec<Line> {
    use prices as p;
    let line = |what, dollars| Line { what, dollars };
    let each = |count: usize| count as f64 * TICKS;
    let gb = |bytes: f64| bytes / 1e9;
    let status = (services * STATUS_BYTES) as f64;
    let [alarms, dashboards, keys] = MADE.map(|(_, count)| count);
    // What is overwritten stays for a day.
    let stored = status * 24.0 * 60.0 + (services * HISTORY_BYTES) as f64;
    vec![
        line("Lambda, time", TICKS * seconds(services) * MEMORY * p::LAMBDA_GB_SECOND.dollars),
        line("Lambda, requests", TICKS * p::LAMBDA_REQUEST.dollars),
        line("EventBridge Scheduler", TICKS * p::SCHEDULER_INVOCATION.dollars),
        line("S3, writes and lists", each(S3_WRITES) * p::S3_WRITE.dollars),
        line("S3, reads", each(S3_READS) * p::S3_READ.dollars),
        line("S3, storage", gb(stored) * p::S3_GB_MONTH.dollars),
        line("CloudWatch, metrics", METRICS as f64 * p::METRIC_MONTH.dollars),
        line("CloudWatch, `PutMetricData`", each(METRIC_CALLS) * p::METRIC_CALL.dollars),
        line("CloudWatch, alarms", alarms as f64 * p::ALARM_MONTH.dollars),
        line("CloudWatch, dashboard", dashboards as f64 * p::DASHBOARD_MONTH.dollars),
        line("CloudWatch, logs", gb(each(LOG_BYTES)) * p::LOG_GB.dollars),
        line("X-Ray", TICKS * p::TRACE.dollars),
        line("SQS, the queue of hints", POLLS * p::QUEUE_REQUEST.dollars),
        line("KMS, keys", keys as f64 * p::KEY_MONTH.dollars),
    ]
}

/// The bills of [`SIZES`], as a table of Markdown.
#[must_use]
pub fn table() -> String {
    let bills = SIZES.map(bill);
    let mut text =
        "| a month, in US dollars | 10 services | 300 services | 3,000 services |\n|---|---:|---:|---:|\n".to_owned();
    let mut row = |what: &str, dollars: [f64; 3]| {
        let [ten, hundreds, thousands] = dollars;
        let _infallible = writeln!(text, "| {what} | {ten:.2} | {hundreds:.2} | {thousands:.2} |");
    };
    for (place, line) in bills[0].iter().enumerate() {
        row(line.what, [0, 1, 2].map(|size: usize| bills[size][place].dollars));
    }
    row("**together**", bills.map(|bill| bill.iter().map(|line| line.dollars).sum()));
    text
}

/// The prices that the table is made of, as a table of Markdown.
#[must_use]
pub fn prices() -> String {
    let mut text = "| price | dollars | where it stands |\n|---|---:|---|\n".to_owned();
    for (what, price) in prices::ALL {
        let _infallible = writeln!(text, "| {what} | {} | <{}> |", price.dollars, price.source);
    }
    text
}

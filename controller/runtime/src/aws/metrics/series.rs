//! Reads series of points with `GetMetricData`: as many queries a call as it takes, and all pages of its answer.
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_cloudwatch::operation::get_metric_data::GetMetricDataOutput;
use aws_sdk_cloudwatch::primitives::DateTime as AwsDateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, StatusCode};
use chrono::{DateTime, Utc};
use release_schema::ServiceName;
use tidegate_core::analysis::Window;
use tidegate_core::ids::Version;

use super::read::Request;
use crate::aws::error::{CallError, failed};

/// The most queries of one call (CloudWatch API, `GetMetricData`).
const MOST_QUERIES: usize = 500;
/// The most points of one page (CloudWatch API, `MaxDatapoints`).
const MOST_POINTS: i64 = 100_800;
/// CloudWatch keeps points of one minute for 15 days, which no window is as old as when it is judged.
const PERIOD_SECONDS: i32 = 60;
/// More pages than any call of ours has: beyond it the answer is taken as not in full.
const MOST_PAGES: usize = 100;

/// Which of two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Side {
    Canary,
    Stable,
}

/// A series of one point a minute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Series {
    /// How many invocations began.
    Invocations,
    /// How many of them failed.
    Errors,
    /// How many percent of them took this long or less.
    Within(Duration),
}

impl Series {
    const fn metric(self) -> &'static str {
        match self {
            Self::Invocations => "Invocations",
            Self::Errors => "Errors",
            Self::Within(_) => "Duration",
        }
    }

    /// `PR(:800)` is the percentile rank: how many percent are 800 or less (CloudWatch guide, "Statistics
    /// definitions").
    fn statistic(self) -> String {
        match self {
            Self::Invocations | Self::Errors => "Sum".to_owned(),
            Self::Within(limit) => format!("PR(:{})", limit.as_millis()),
        }
    }
}

/// One series of one version of a service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Query {
    pub(super) service: ServiceName,
    pub(super) side: Side,
    pub(super) series: Series,
    function: String,
    alias: String,
    version: Version,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
}

/// Points by their minute; or why they are not there, or not all of them.
pub(super) type Answer = Result<BTreeMap<DateTime<Utc>, f64>, String>;

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of version {}", self.series.metric(), self.version)
    }
}

/// What has to be asked for one service.
pub(super) fn queries(service: &ServiceName, request: &Request) -> Vec<Query> {
    let measure = &request.measure;
    let query = |side: Side, (version, window): (Version, Window), series: Series| Query {
        service: service.clone(),
        side,
        series,
        function: request.function.clone(),
        alias: request.alias.clone(),
        version,
        from: window.from,
        to: window.to,
    };
    let counts = [Series::Invocations, Series::Errors];
    let canary = measure.canary.into_iter().flat_map(|served| {
        let slower = measure.slower_than.map(Series::Within);
        counts.into_iter().chain(slower).map(move |series| query(Side::Canary, served, series))
    });
    let stable = measure.stable.into_iter().flat_map(|served| counts.map(|series| query(Side::Stable, served, series)));
    // A window without a minute has no points, and that says nothing of invocations.
    canary.chain(stable).filter(|query| query.from < query.to).collect()
}

/// Reads all of them. Every query has an answer; beside them are the calls that failed.
pub(super) async fn read(
    client: &aws_sdk_cloudwatch::Client,
    queries: Vec<Query>,
) -> (BTreeMap<Query, Answer>, Vec<CallError>) {
    let (mut answers, mut failed) = (BTreeMap::new(), Vec::new());
    for queries in calls(queries) {
        let pages = pages(client, &queries).await;
        answers.extend(queries.into_iter().enumerate().map(|(index, query)| {
            let answer = match &pages {
                Ok(pages) => answer(&query, &id(index), pages),
                Err(error) => Err(error.to_string()),
            };
            (query, answer)
        }));
        failed.extend(pages.err());
    }
    (answers, failed)
}

/// Which queries go into one call. A call has one start and one end for all its queries, and answers each with the
/// points between them: a step that holds for a day is not asked for together with many that began a minute ago.
fn calls(mut queries: Vec<Query>) -> Vec<Vec<Query>> {
    queries.sort_by_key(|query| std::cmp::Reverse(query.from));
    let mut calls: Vec<Vec<Query>> = Vec::new();
    for query in queries {
        let fits = |call: &&mut Vec<Query>| {
            let (from, to) = span(call.iter().chain([&query]));
            let points = (to - from).num_minutes().saturating_mul(i64::try_from(call.len() + 1).unwrap_or(i64::MAX));
            call.len() < MOST_QUERIES && points <= MOST_POINTS
        };
        match calls.last_mut().filter(fits) {
            Some(call) => call.push(query),
            None => calls.push(vec![query]),
        }
    }
    calls
}

/// The time that has all windows in it.
fn span<'q>(queries: impl Iterator<Item = &'q Query>) -> (DateTime<Utc>, DateTime<Utc>) {
    let nothing = (DateTime::<Utc>::MAX_UTC, DateTime::<Utc>::MIN_UTC);
    queries.fold(nothing, |(from, to), query| (from.min(query.from), to.max(query.to)))
}

/// The name of a query within its call: `[a-z][a-zA-Z0-9_]*`.
fn id(index: usize) -> String {
    format!("q{index}")
}

async fn pages(client: &aws_sdk_cloudwatch::Client, queries: &[Query]) -> Result<Vec<GetMetricDataOutput>, CallError> {
    let (from, to) = span(queries.iter());
    let described: Vec<MetricDataQuery> =
        queries.iter().enumerate().map(|(index, query)| describe(query, id(index))).collect();
    let mut pages = Vec::new();
    let mut token = None;
    while pages.len() < MOST_PAGES {
        let page = client
            .get_metric_data()
            .start_time(AwsDateTime::from_secs(from.timestamp()))
            .end_time(AwsDateTime::from_secs(to.timestamp()))
            .set_metric_data_queries(Some(described.clone()))
            .set_next_token(token)
            .send()
            .await
            .map_err(failed("cloudwatch:GetMetricData", "AWS/Lambda"))?;
        token = page.next_token.clone().filter(|token| !token.is_empty());
        pages.push(page);
        if token.is_none() {
            break;
        }
    }
    Ok(pages)
}

fn describe(query: &Query, id: String) -> MetricDataQuery {
    let dimension = |name: &str, value: String| Dimension::builder().name(name).value(value).build();
    let metric = Metric::builder()
        .namespace("AWS/Lambda")
        .metric_name(query.series.metric())
        .dimensions(dimension("FunctionName", query.function.clone()))
        .dimensions(dimension("Resource", format!("{}:{}", query.function, query.alias)))
        .dimensions(dimension("ExecutedVersion", query.version.to_string()))
        .build();
    let statistic = MetricStat::builder().metric(metric).period(PERIOD_SECONDS).stat(query.series.statistic()).build();
    MetricDataQuery::builder().id(id).metric_stat(statistic).return_data(true).build()
}

/// The points of one query, over all pages that have some. A page that ends within it calls it partial; its last page
/// has to call it complete.
fn answer(query: &Query, id: &str, pages: &[GetMetricDataOutput]) -> Answer {
    let parts: Vec<&MetricDataResult> =
        pages.iter().flat_map(GetMetricDataOutput::metric_data_results).filter(|part| part.id() == Some(id)).collect();
    let status = parts.last().and_then(|last| last.status_code());
    if status != Some(&StatusCode::Complete) {
        let status = status.map_or("nothing", StatusCode::as_str);
        let said = parts.iter().flat_map(|part| part.messages()).chain(pages.iter().flat_map(|page| page.messages()));
        let said = said.filter_map(|message| message.value()).next().map(|value| format!(": {value}"));
        return Err(format!("CloudWatch answered {status} for {query}{}", said.unwrap_or_default()));
    }
    let mut points = BTreeMap::new();
    for part in parts {
        if part.timestamps().len() != part.values().len() {
            return Err(format!("CloudWatch answered with points without a time for {query}"));
        }
        let timed = part.timestamps().iter().zip(part.values());
        let minutes = timed.filter_map(|(at, value)| Some((DateTime::from_timestamp(at.secs(), 0)?, *value)));
        points.extend(minutes.filter(|(at, _)| (query.from..query.to).contains(at)));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::MessageData;
    use tidegate_core::analysis::Measure;

    use super::*;

    /// So many minutes after the tests' beginning.
    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + chrono::Duration::days(20_000) + chrono::Duration::minutes(minute)
    }

    fn request(minutes: std::ops::Range<i64>) -> Request {
        let window = Window { from: at(minutes.start), to: at(minutes.end) };
        let version = |number| Version::new(number).unwrap();
        let measure = Measure {
            canary: Some((version(7), window)),
            stable: Some((version(6), window)),
            slower_than: Some(Duration::from_millis(800)),
            alarms: std::collections::BTreeSet::new(),
        };
        Request { function: "StagingFlightService".to_owned(), alias: "live".to_owned(), measure }
    }

    fn queries_of(service: usize, minutes: std::ops::Range<i64>) -> Vec<Query> {
        queries(&format!("service-{service}").parse().unwrap(), &request(minutes))
    }

    /// The first query of a step from minute 0 to minute 10.
    fn query() -> Query {
        queries_of(1, 0..10).remove(0)
    }

    fn part(points: &[(i64, f64)], status: StatusCode) -> GetMetricDataOutput {
        let (minutes, values): (Vec<_>, Vec<_>) = points.iter().copied().unzip();
        let times = minutes.into_iter().map(|minute| AwsDateTime::from_secs(at(minute).timestamp())).collect();
        let result = MetricDataResult::builder().id("q0").set_timestamps(Some(times)).set_values(Some(values));
        GetMetricDataOutput::builder().metric_data_results(result.status_code(status).build()).build()
    }

    #[test]
    fn both_versions_are_asked_for_and_the_duration_of_the_new_one() {
        let asked: Vec<String> = queries_of(1, 0..10).iter().map(|q| format!("{q} {}", q.series.statistic())).collect();
        assert_eq!(
            asked,
            [
                "`Invocations` of version 7 Sum",
                "`Errors` of version 7 Sum",
                "`Duration` of version 7 PR(:800)",
                "`Invocations` of version 6 Sum",
                "`Errors` of version 6 Sum",
            ]
        );
    }

    #[test]
    fn a_window_without_a_minute_is_not_asked_for() {
        assert_eq!(queries_of(1, 3..3), []);
    }

    #[test]
    fn a_hundred_rollouts_of_the_same_hour_are_one_call() {
        let queries: Vec<Query> = (0..100).flat_map(|service| queries_of(service, 0..60)).collect();
        let sizes: Vec<usize> = calls(queries).iter().map(Vec::len).collect();
        assert_eq!(sizes, [500]);
    }

    #[test]
    fn more_queries_or_points_than_a_call_takes_are_another_call() {
        let many = (0..101).flat_map(|service| queries_of(service, 0..60)).collect();
        assert_eq!(calls(many).iter().map(Vec::len).collect::<Vec<_>>(), [500, 5]);
        // 70 series of a day are as many points as a page has.
        let long = (0..20).flat_map(|service| queries_of(service, 0..1440)).collect();
        assert_eq!(calls(long).iter().map(Vec::len).collect::<Vec<_>>(), [70, 30]);
    }

    #[test]
    fn a_step_of_a_day_is_asked_for_apart_from_many_short_ones() {
        let short = (0..20).flat_map(|service| queries_of(service, 1430..1440));
        let calls = calls((20..40).flat_map(|service| queries_of(service, 0..1440)).chain(short).collect());
        let minutes = calls.iter().map(|call| span(call.iter())).map(|(from, to)| (to - from).num_minutes());
        assert!(
            calls
                .iter()
                .zip(minutes)
                .all(|(call, minutes)| i64::try_from(call.len()).unwrap() * minutes <= MOST_POINTS)
        );
        assert_eq!(calls.iter().map(Vec::len).sum::<usize>(), 200);
    }

    #[test]
    fn points_outside_of_the_window_belong_to_other_queries() {
        let page = part(&[(-1, 1.0), (0, 2.0), (9, 3.0), (10, 4.0)], StatusCode::Complete);
        assert_eq!(answer(&query(), "q0", &[page]), Ok(BTreeMap::from([(at(0), 2.0), (at(9), 3.0)])));
    }

    #[test]
    fn pages_are_put_together() {
        let pages = [part(&[(3, 1.0)], StatusCode::PartialData), part(&[(2, 5.0)], StatusCode::Complete)];
        assert_eq!(answer(&query(), "q0", &pages), Ok(BTreeMap::from([(at(2), 5.0), (at(3), 1.0)])));
    }

    #[test]
    fn a_series_that_stays_partial_is_not_taken_for_what_there_is_of_it() {
        let error = answer(&query(), "q0", &[part(&[(3, 1.0)], StatusCode::PartialData)]).unwrap_err();
        assert_eq!(error, "CloudWatch answered PartialData for `Invocations` of version 7");
    }

    #[test]
    fn a_query_without_an_answer_has_what_cloudwatch_said_of_it() {
        let message =
            MessageData::builder().code("MaxMetrics").value("Maximum number of allowed metrics exceeded").build();
        let page = GetMetricDataOutput::builder().messages(message).build();
        let error = answer(&query(), "q0", &[page]).unwrap_err();
        let said =
            "CloudWatch answered nothing for `Invocations` of version 7: Maximum number of allowed metrics exceeded";
        assert_eq!(error, said);
    }

    #[test]
    fn a_status_that_is_new_to_us_is_no_data() {
        assert!(answer(&query(), "q0", &[part(&[(3, 1.0)], StatusCode::from("Estimated"))]).is_err());
    }
}

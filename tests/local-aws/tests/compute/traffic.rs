//! Traffic without programs, and metrics that are late, lost or answered in part.
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat, ScanBy, StatusCode};
use aws_sdk_lambda::types::AliasRoutingConfiguration;
use chrono::Utc;
use local_aws::{AliasRef, MetricFate, MetricTrouble, Options, Served, Traffic};

use crate::{ACCOUNT, Airline, NAME, REGION, config};

fn live() -> AliasRef {
    let [account, region, function, alias] = [ACCOUNT, REGION, NAME, "live"].map(str::to_owned);
    AliasRef { account, region, function, alias }
}

fn traffic(invocations: u32, errors: u32, milliseconds: u64) -> Traffic {
    Traffic { invocations, errors, throttles: 0, duration: Duration::from_millis(milliseconds) }
}

impl Airline {
    async fn split(&self, version: &str, weight: f64) {
        let weights = HashMap::from([(version.to_owned(), weight)]);
        let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
        self.lambda.update_alias().function_name(NAME).name("live").routing_config(routing).send().await.unwrap();
    }

    /// The minute that the world's clock shows.
    fn minute(&self) -> chrono::DateTime<Utc> {
        let now = self.aws.clock().now();
        now - chrono::Duration::seconds(now.timestamp().rem_euclid(60))
    }

    /// A statistic of one version behind the alias: the world's first ten minutes by the minute, oldest first.
    async fn measured(&self, metric: &str, stat: &str, version: &str) -> MetricDataResult {
        let dimensions = [("FunctionName", NAME), ("Resource", "flights:live"), ("ExecutedVersion", version)];
        let dimensions = dimensions.map(|(name, value)| Dimension::builder().name(name).value(value).build());
        let metric = Metric::builder().namespace("AWS/Lambda").metric_name(metric);
        let metric = metric.set_dimensions(Some(dimensions.into())).build();
        let stat = MetricStat::builder().metric(metric).period(60).stat(stat).build();
        let query = MetricDataQuery::builder().id("q").metric_stat(stat).build();
        let client = aws_sdk_cloudwatch::Client::new(&config(&self.aws, ACCOUNT));
        let epoch = self.aws.options().epoch.timestamp();
        let get = client.get_metric_data().metric_data_queries(query).scan_by(ScanBy::TimestampAscending);
        let get = get.start_time(DateTime::from_secs(epoch)).end_time(DateTime::from_secs(epoch + 600));
        get.send().await.unwrap().metric_data_results.unwrap().remove(0)
    }

    async fn values(&self, metric: &str, stat: &str, version: &str) -> Vec<f64> {
        self.measured(metric, stat, version).await.values.unwrap_or_default()
    }
}

#[tokio::test(start_paused = true)]
async fn traffic_without_a_program_follows_the_weights_and_is_measured() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    airline.split("2", 0.25).await;
    let serve = |version: &str, _: &mut fastrand::Rng| Served {
        failed: version == "2",
        duration: Duration::from_millis(if version == "2" { 900 } else { 20 }),
    };
    let met = airline.aws.drive(ACCOUNT, REGION, NAME, "live", 1_000, serve);
    assert_eq!(met.values().sum::<u32>(), 1_000);
    assert!((180..=320).contains(&met["2"]), "{met:?}");
    assert_eq!(airline.values("Invocations", "Sum", "2").await, [f64::from(met["2"])]);
    assert_eq!(airline.values("Errors", "Average", "2").await, [1.0]);
    assert_eq!(airline.values("Errors", "Sum", "1").await, [0.0]);
    assert_eq!(airline.values("Duration", "p99", "2").await, [900.0]);
    assert_eq!(airline.values("Duration", "SampleCount", "1").await, [f64::from(met["1"])]);
    let unknown = |_: &str, _: &mut fastrand::Rng| Served { failed: false, duration: Duration::ZERO };
    assert!(airline.aws.drive(ACCOUNT, REGION, NAME, "gone", 5, unknown).is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_drives_the_same_traffic() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let airline = Airline::with_function(Options { seed: 3, ..Options::default() }).await;
        airline.release("v2").await;
        airline.split("2", 0.1).await;
        let met = airline.aws.drive_at(&live(), airline.minute(), 400, |_, random| Served {
            failed: random.f64() < 0.05,
            duration: Duration::from_millis(random.u64(10..1_000)),
        });
        runs.push((met, airline.values("Errors", "Sum", "2").await, airline.values("Duration", "p99", "2").await));
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn recorded_traffic_is_counted_exactly_and_in_its_minute() {
    let airline = Airline::with_function(Options::default()).await;
    let minute = airline.minute();
    let throttled = Traffic { throttles: 7, ..traffic(100, 3, 250) };
    assert!(airline.aws.record_traffic(&live(), "1", minute, throttled));
    let next = minute + chrono::Duration::seconds(75);
    assert!(airline.aws.record_traffic(&live(), "1", next, traffic(0, 0, 0)));
    tokio::time::sleep(Duration::from_secs(120)).await;
    for (metric, sum) in [("Invocations", 100.0), ("Errors", 3.0), ("Throttles", 7.0), ("Duration", 25_000.0)] {
        assert_eq!(airline.values(metric, "Sum", "1").await, [sum], "{metric}");
    }
    assert_eq!(airline.measured("Errors", "Sum", "1").await.timestamps()[0].secs(), minute.timestamp());
    assert_eq!(airline.values("Duration", "PR(:250)", "1").await, [100.0]);
    assert!(!airline.aws.record_traffic(&live(), "9", minute, traffic(1, 0, 1)));
    let nowhere = AliasRef { alias: "gone".to_owned(), ..live() };
    assert!(!airline.aws.record_traffic(&nowhere, "1", minute, traffic(1, 0, 1)));
}

#[tokio::test(start_paused = true)]
async fn a_minute_is_read_in_part_until_all_of_it_has_arrived() {
    let airline = Airline::with_function(Options { metric_delay: Duration::from_secs(90), ..Options::default() }).await;
    tokio::time::sleep(Duration::from_secs(40)).await;
    let minute = airline.minute();
    airline.aws.record_traffic(&live(), "1", minute, traffic(60, 0, 1));
    airline.aws.record_traffic(&live(), "1", minute + chrono::Duration::seconds(30), traffic(40, 9, 1));
    let mut seen = Vec::new();
    for seconds in [89, 90, 119, 120] {
        airline.aws.clock().sleep_until(minute + chrono::Duration::seconds(seconds)).await;
        seen.push((airline.values("Invocations", "Sum", "1").await, airline.values("Errors", "Sum", "1").await));
    }
    let (none, half, all) = ((vec![], vec![]), (vec![60.0], vec![0.0]), (vec![100.0], vec![9.0]));
    assert_eq!(seen, [none, half.clone(), half, all]);
}

#[tokio::test(start_paused = true)]
async fn an_invocation_counts_for_the_minute_of_its_start_and_arrives_at_its_end() {
    let airline = Airline::with_function(Options::default()).await;
    let minute = airline.minute() + chrono::Duration::seconds(60);
    airline.aws.clock().sleep_until(minute + chrono::Duration::seconds(59)).await;
    // It is stopped after three seconds, in the minute after.
    let (_, _, failed) = airline.fly(r#"{"sleep":1}"#).await;
    assert!(failed && airline.minute() == minute + chrono::Duration::seconds(60));
    let errors = airline.measured("Errors", "Sum", "1").await;
    assert_eq!((errors.timestamps()[0].secs(), errors.values()), (minute.timestamp(), &[1.0][..]));
}

#[tokio::test(start_paused = true)]
async fn minutes_of_metrics_can_be_lost_or_late() {
    let airline = Airline::with_function(Options::default()).await;
    let first = airline.minute();
    let minute = |number: i32| first + chrono::Duration::minutes(number.into());
    for number in 0..4 {
        airline.aws.record_traffic(&live(), "1", minute(number), traffic(10, 0, 1));
    }
    airline.aws.disturb_metrics(minute(1)..minute(2), MetricFate::Lost);
    airline.aws.disturb_metrics(minute(2)..minute(3), MetricFate::Late(Duration::from_secs(300)));
    let minutes = || async {
        let seen = airline.measured("Invocations", "Sum", "1").await;
        seen.timestamps().iter().map(|at| (at.secs() - first.timestamp()) / 60).collect::<Vec<_>>()
    };
    airline.aws.clock().sleep_until(minute(3)).await;
    assert_eq!(minutes().await, [0, 3]);
    airline.aws.clock().sleep_until(minute(7)).await;
    assert_eq!(minutes().await, [0, 2, 3]);
    airline.aws.mend_metrics();
    assert_eq!(minutes().await, [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_query_in_trouble_says_so_with_its_status_alone() {
    let airline = Airline::with_function(Options::default()).await;
    let first = airline.minute();
    for number in 0..3 {
        let at = first + chrono::Duration::minutes(number);
        airline.aws.record_traffic(&live(), "1", at, traffic(10, 0, 1));
    }
    airline.aws.clock().sleep_until(first + chrono::Duration::minutes(3)).await;
    let expected = [
        (Some(MetricTrouble::PartialData), StatusCode::PartialData, 1),
        (Some(MetricTrouble::InternalError), StatusCode::InternalError, 0),
        (None, StatusCode::Complete, 3),
    ];
    for (trouble, status, points) in expected {
        airline.aws.trouble_metrics(trouble);
        let got = airline.measured("Invocations", "Sum", "1").await;
        assert_eq!((got.status_code(), got.values().len()), (Some(&status), points));
        assert_eq!(got.messages().is_empty(), trouble.is_none());
    }
}

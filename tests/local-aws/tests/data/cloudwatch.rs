//! CloudWatch: what a release is judged by.
use std::time::Duration;

use aws_sdk_cloudwatch::Client;
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{
    AlarmType, ComparisonOperator, Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, ScanBy, StandardUnit,
    StateValue, StatisticSet,
};
use local_aws::{LocalAws, Options};

use crate::{ACCOUNT, REGION, STRANGER, code, config, config_of};

const NAMESPACE: &str = "Tidegate";

fn dimension(name: &str, value: &str) -> Dimension {
    Dimension::builder().name(name).value(value).build()
}

fn now(aws: &LocalAws) -> i64 {
    aws.clock().now().timestamp()
}

/// The minute that the world begins with: everything below happens in the minutes after it.
fn start(aws: &LocalAws) -> i64 {
    now(aws) - now(aws).rem_euclid(60)
}

async fn put(client: &Client, name: &str, at: i64, value: f64) {
    let datum = MetricDatum::builder().metric_name(name).value(value).unit(StandardUnit::Count);
    let datum = datum.timestamp(DateTime::from_secs(at)).dimensions(dimension("Environment", "production")).build();
    client.put_metric_data().namespace(NAMESPACE).metric_data(datum).send().await.unwrap();
}

fn query(id: &str, name: &str, stat: &str, period: i32) -> MetricDataQuery {
    let metric = Metric::builder().namespace(NAMESPACE).metric_name(name);
    let metric = metric.dimensions(dimension("Environment", "production")).build();
    let stat = MetricStat::builder().metric(metric).period(period).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

/// The points of one query, oldest first, as seconds after `from`.
async fn points(client: &Client, query: MetricDataQuery, from: i64, to: i64) -> Vec<(i64, f64)> {
    let get = client.get_metric_data().metric_data_queries(query).scan_by(ScanBy::TimestampAscending);
    let got = get.start_time(DateTime::from_secs(from)).end_time(DateTime::from_secs(to)).send().await.unwrap();
    let result = &got.metric_data_results()[0];
    let seconds = result.timestamps().iter().map(|at| at.secs() - from);
    seconds.zip(result.values().iter().copied()).collect()
}

#[tokio::test(start_paused = true)]
async fn points_exist_only_where_something_was_published() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    for (second, value) in [(5, 1.0), (59, 2.0), (125, 4.0)] {
        put(&client, "Calls", start + second, value).await;
    }
    assert_eq!(points(&client, query("q", "Calls", "Sum", 60), start, start + 240).await, [(0, 3.0), (120, 4.0)]);
    assert_eq!(points(&client, query("q", "Calls", "SampleCount", 180), start, start + 240).await, [(0, 3.0)]);
    assert_eq!(points(&client, query("q", "Calls", "p50", 180), start, start + 240).await, [(0, 2.0)]);
    // The end is not part of the window, the start is.
    assert_eq!(points(&client, query("q", "Calls", "Sum", 60), start + 60, start + 120).await, []);
    assert_eq!(points(&client, query("q", "Other", "Sum", 60), start, start + 240).await, []);
}

#[tokio::test(start_paused = true)]
async fn a_metric_is_its_namespace_name_and_all_of_its_dimensions() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    put(&client, "Calls", start, 1.0).await;
    let bare = MetricDatum::builder().metric_name("Calls").value(9.0).timestamp(DateTime::from_secs(start)).build();
    client.put_metric_data().namespace(NAMESPACE).metric_data(bare).send().await.unwrap();
    assert_eq!(points(&client, query("q", "Calls", "Sum", 60), start, start + 60).await, [(0, 1.0)]);
    let listed = client.list_metrics().namespace(NAMESPACE).send().await.unwrap();
    assert_eq!(listed.metrics().len(), 2);
    let stranger = Client::new(&config_of(&aws, STRANGER, REGION));
    assert!(stranger.list_metrics().send().await.unwrap().metrics().is_empty());
}

#[tokio::test(start_paused = true)]
async fn values_with_counts_and_statistic_sets_add_up() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    let datum = || MetricDatum::builder().metric_name("Duration").dimensions(dimension("Environment", "production"));
    let many = datum().set_values(Some(vec![10.0, 20.0])).set_counts(Some(vec![98.0, 2.0])).build();
    client.put_metric_data().namespace(NAMESPACE).metric_data(many).send().await.unwrap();
    assert_eq!(points(&client, query("q", "Duration", "p98", 60), start, start + 60).await, [(0, 10.0)]);
    assert_eq!(points(&client, query("q", "Duration", "p99", 60), start, start + 60).await, [(0, 20.0)]);
    let set = StatisticSet::builder().sum(880.0).minimum(5.0).maximum(800.0).sample_count(100.0).build();
    let set = datum().statistic_values(set).build();
    client.put_metric_data().namespace(NAMESPACE).metric_data(set).send().await.unwrap();
    assert_eq!(points(&client, query("q", "Duration", "Average", 60), start, start + 60).await, [(0, 9.5)]);
    assert_eq!(points(&client, query("q", "Duration", "Maximum", 60), start, start + 60).await, [(0, 800.0)]);
    assert_eq!(points(&client, query("q", "Duration", "p99", 60), start, start + 60).await, []);
}

#[tokio::test(start_paused = true)]
async fn data_can_be_read_only_after_the_delay_that_the_world_has() {
    let aws = LocalAws::new(Options { metric_delay: Duration::from_secs(120), ..Options::default() });
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    put(&client, "Calls", start, 1.0).await;
    tokio::time::sleep(Duration::from_secs(119)).await;
    assert_eq!(points(&client, query("q", "Calls", "Sum", 60), start, start + 60).await, []);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(points(&client, query("q", "Calls", "Sum", 60), start, start + 60).await, [(0, 1.0)]);
}

#[tokio::test(start_paused = true)]
async fn a_call_carries_a_thousand_metrics_and_a_large_one_travels_compressed() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let data = |count: i64| {
        let datum = |number: i64| MetricDatum::builder().metric_name(format!("m{number:04}")).value(1.0).build();
        Some((0..count).map(datum).collect::<Vec<_>>())
    };
    let put = |count| client.put_metric_data().namespace(NAMESPACE).set_metric_data(data(count)).send();
    assert_eq!(code(put(1001).await), "InvalidParameterValue");
    put(1000).await.unwrap();
    let first = client.list_metrics().namespace(NAMESPACE).send().await.unwrap();
    assert_eq!(first.metrics().len(), 500);
    let rest = client.list_metrics().namespace(NAMESPACE).next_token(first.next_token().unwrap()).send().await.unwrap();
    assert_eq!((rest.metrics().len(), rest.next_token()), (500, None));
}

#[tokio::test(start_paused = true)]
async fn one_wrong_datum_refuses_the_whole_call() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let datum = || MetricDatum::builder().metric_name("Calls");
    let two_weeks_ago = DateTime::from_secs(now(&aws) - 14 * 86_400 - 60);
    let wrong = [
        (datum().value(f64::NAN).build(), "InvalidParameterValue"),
        (datum().value(1.0).timestamp(two_weeks_ago).build(), "InvalidParameterValue"),
        (datum().value(1.0).timestamp(DateTime::from_secs(now(&aws) + 7260)).build(), "InvalidParameterValue"),
        (datum().build(), "MissingParameter"),
        (datum().value(1.0).set_values(Some(vec![1.0])).build(), "InvalidParameterCombination"),
        (datum().value(1.0).dimensions(dimension("Service", "")).build(), "InvalidParameterValue"),
        (
            datum()
                .value(1.0)
                .set_dimensions(Some((0..31).map(|n| dimension(&format!("d{n}"), "x")).collect()))
                .build(),
            "InvalidParameterValue",
        ),
    ];
    for (wrong, expected) in wrong {
        let put = client.put_metric_data().namespace(NAMESPACE).metric_data(datum().value(1.0).build());
        assert_eq!(code(put.metric_data(wrong.clone()).send().await), expected, "{wrong:?}");
    }
    assert!(client.list_metrics().send().await.unwrap().metrics().is_empty());
    let reserved = client.put_metric_data().namespace("AWS/Lambda").metric_data(datum().value(1.0).build());
    assert_eq!(code(reserved.send().await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn answers_are_paged_by_their_points_newest_first() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    for minute in 0..3 {
        put(&client, "Calls", start + minute * 60, 1.0).await;
        put(&client, "Errors", start + minute * 60, 2.0).await;
    }
    let get = || {
        let queries = vec![query("a", "Calls", "Sum", 60), query("b", "Errors", "Sum", 60)];
        let get = client.get_metric_data().set_metric_data_queries(Some(queries)).max_datapoints(4);
        get.start_time(DateTime::from_secs(start)).end_time(DateTime::from_secs(start + 180))
    };
    let first = get().send().await.unwrap();
    let sizes: Vec<_> = first.metric_data_results().iter().map(|result| result.values().len()).collect();
    assert_eq!(sizes, [3, 1]);
    assert_eq!(first.metric_data_results()[0].timestamps()[0].secs(), start + 120);
    let second = get().next_token(first.next_token().unwrap()).send().await.unwrap();
    let [rest] = second.metric_data_results() else { panic!("one result: {second:?}") };
    assert_eq!((rest.id(), rest.values().len(), second.next_token()), (Some("b"), 2, None));
}

#[tokio::test(start_paused = true)]
async fn queries_that_cloudwatch_would_refuse_are_refused_and_maths_is_not_served() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    let get = |queries| {
        let get = client.get_metric_data().set_metric_data_queries(Some(queries));
        get.start_time(DateTime::from_secs(start)).end_time(DateTime::from_secs(start + 60)).send()
    };
    let many = (0..501).map(|number| query(&format!("q{number}"), "Calls", "Sum", 60)).collect();
    assert_eq!(code(get(many).await), "ValidationError");
    let twice = vec![query("a", "Calls", "Sum", 60), query("a", "Calls", "Sum", 60)];
    assert_eq!(code(get(twice).await), "ValidationError");
    assert_eq!(code(get(vec![query("a", "Calls", "Sum", 90)]).await), "ValidationError");
    let maths = MetricDataQuery::builder().id("e").expression("a / b").build();
    assert_eq!(code(get(vec![maths]).await), "NotImplemented");
}

#[tokio::test(start_paused = true)]
async fn an_alarm_has_the_state_that_was_set() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let put = client.put_metric_alarm().alarm_name("flight-5xx").namespace(NAMESPACE).metric_name("Errors");
    let put = put.period(60).evaluation_periods(1).threshold(1.0).statistic("Sum".into());
    put.comparison_operator(ComparisonOperator::GreaterThanThreshold).send().await.unwrap();
    let describe = || client.describe_alarms().alarm_names("flight-5xx").alarm_names("none").send();
    let described = describe().await.unwrap();
    let [alarm] = described.metric_alarms() else { panic!("one alarm: {described:?}") };
    assert_eq!(alarm.state_value(), Some(&StateValue::InsufficientData));
    assert_eq!(alarm.alarm_arn(), Some(&*format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:flight-5xx")));
    assert_eq!((alarm.period(), alarm.threshold()), (Some(60), Some(1.0)));
    let set = |name: &str| {
        client.set_alarm_state().alarm_name(name).state_value(StateValue::Alarm).state_reason("a story").send()
    };
    set("flight-5xx").await.unwrap();
    assert_eq!(describe().await.unwrap().metric_alarms()[0].state_value(), Some(&StateValue::Alarm));
    assert_eq!(code(set("none").await), "ResourceNotFound");
    client.delete_alarms().alarm_names("flight-5xx").send().await.unwrap();
    assert!(describe().await.unwrap().metric_alarms().is_empty());
    let names = (0..101).map(|number| format!("a{number}")).collect();
    assert_eq!(code(client.describe_alarms().set_alarm_names(Some(names)).send().await), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn percentile_ranks_are_shares_in_percent_of_all_values() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let start = start(&aws);
    for value in [100.0, 200.0, 800.0, 900.0] {
        put(&client, "Duration", start, value).await;
    }
    for (stat, share) in [("PR(:800)", 75.0), ("PR(100:800)", 50.0), ("PR(800:)", 25.0), ("PR(:50)", 0.0)] {
        assert_eq!(points(&client, query("q", "Duration", stat, 60), start, start + 60).await, [(0, share)], "{stat}");
    }
    // Without a value there is no share either.
    assert_eq!(points(&client, query("q", "Duration", "PR(:800)", 60), start + 60, start + 120).await, []);
    let get = client.get_metric_data().metric_data_queries(query("q", "Duration", "PR(800)", 60));
    let get = get.start_time(DateTime::from_secs(start)).end_time(DateTime::from_secs(start + 60)).send();
    assert_eq!(code(get.await), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn composite_alarms_are_described_only_where_somebody_asks_for_them() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let rule = "ALARM(flight-5xx) OR ALARM(flight-slow)";
    for name in ["flights", "bookings"] {
        client.put_composite_alarm().alarm_name(name).alarm_rule(rule).send().await.unwrap();
    }
    let set = client.set_alarm_state().alarm_name("flights").state_value(StateValue::Alarm).state_reason("a story");
    set.send().await.unwrap();
    let describe = || client.describe_alarms().alarm_names("flights");
    let unasked = describe().send().await.unwrap();
    assert!(unasked.metric_alarms().is_empty() && unasked.composite_alarms().is_empty());
    let both = [AlarmType::MetricAlarm, AlarmType::CompositeAlarm].to_vec();
    let asked = describe().set_alarm_types(Some(both)).send().await.unwrap();
    let [alarm] = asked.composite_alarms() else { panic!("one alarm: {asked:?}") };
    assert_eq!((alarm.state_value(), alarm.alarm_rule()), (Some(&StateValue::Alarm), Some(rule)));
    assert!(asked.metric_alarms().is_empty());

    let clash = client.put_metric_alarm().alarm_name("flights").namespace(NAMESPACE).metric_name("Errors");
    let clash = clash.period(60).evaluation_periods(1).threshold(1.0).statistic("Sum".into());
    let clash = clash.comparison_operator(ComparisonOperator::GreaterThanThreshold).send().await;
    assert_eq!(code(clash), "ValidationError");
    let delete = |names: &[&str]| {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        client.delete_alarms().set_alarm_names(Some(names)).send()
    };
    assert_eq!(code(delete(&["flights", "bookings"]).await), "ValidationError");
    // What exists is gone, whatever the other name.
    assert_eq!(code(delete(&["flights", "none"]).await), "ResourceNotFound");
    assert!(describe().alarm_types(AlarmType::CompositeAlarm).send().await.unwrap().composite_alarms().is_empty());
}

#[tokio::test(start_paused = true)]
async fn alarms_are_named_or_prefixed_and_not_both() {
    let aws = LocalAws::new(Options::default());
    let client = Client::new(&config(&aws));
    let both = client.describe_alarms().alarm_names("flights").alarm_name_prefix("f").send().await;
    assert_eq!(code(both), "ValidationError");
    let other = client.describe_alarms().alarm_types(AlarmType::from("LogAlarms")).send().await;
    assert_eq!(code(other), "ValidationError");
}

//! What is measured of versions behind an alias, and of alarms, from invocations that took place: in two calls for all.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{ComparisonOperator, StateValue, Statistic};
use bytes::Bytes;
use chrono::{DateTime, DurationRound as _, Utc};
use local_aws::{AwsError, Event, Fault, FunctionError, LocalAws, MetricTrouble, Options, Served};
use release_schema::{AlarmName, ServiceName};
use serde_json::{Value, json};
use stories::account::{ACCOUNT, Account, Build, REGION, config_in};
use tidegate_core::analysis::{AlarmState, Measure, Measured, Sample, Window};
use tidegate_core::ids::Version;
use tidegate_runtime::aws::Home;
use tidegate_runtime::aws::metrics::{Request, measure};

const FUNCTION: &str = "StagingFlightService";

/// An account with one function, whose alias `live` is at version 1, beside which there is a version 2.
struct Flights {
    aws: LocalAws,
    account: Account,
    cloudwatch: aws_sdk_cloudwatch::Client,
    began: DateTime<Utc>,
}

impl Flights {
    async fn new() -> Self {
        let nothing = Duration::ZERO;
        let options = Options { image_update: nothing, publish: nothing, ..stories::world::options() };
        let aws = LocalAws::new(options);
        aws.register_program("flights", Arc::new(|event| Box::pin(fly(event))));
        let config = config_in(&aws, ACCOUNT);
        let account = Account::new(&config);
        account.create_repository("company/flight-service").await.expect("a repository");
        for tag in ["v1", "v2"] {
            let build = Build { program: "closure:flights", environment: &[("BUILD", tag)] };
            let image = account.push_image("company/flight-service", tag, build).await.expect("an image");
            if tag == "v1" {
                account.create_function(FUNCTION, &image, 10, &[]).await.expect("a function");
                account.publish_by_hand(FUNCTION, "live").await.expect("a version");
            } else {
                let update = account.lambda.update_function_code().function_name(FUNCTION).image_uri(image);
                update.publish(true).send().await.expect("UpdateFunctionCode");
            }
        }
        let cloudwatch = Home::new(&config).cloudwatch;
        // The first whole minute from now on.
        let now = aws.clock().now();
        let began = now.duration_trunc(chrono::Duration::minutes(1)).expect("a minute") + chrono::Duration::minutes(1);
        aws.clock().sleep_until(began).await;
        aws.forget_calls();
        Self { aws, account, cloudwatch, began }
    }

    /// So many minutes after the beginning.
    fn at(&self, minute: i64) -> DateTime<Utc> {
        self.began + chrono::Duration::minutes(minute)
    }

    /// Puts all traffic on a version, invokes it so often, then lets the minute end.
    async fn minute(&self, version: &str, invocations: usize, failing: usize) {
        let moved = self.account.lambda.update_alias().function_name(FUNCTION).name("live").function_version(version);
        moved.send().await.expect("UpdateAlias");
        for number in 0..invocations {
            let event = json!({"fail": number < failing});
            let answer = self.account.invoke(FUNCTION, Some("live"), &event).await;
            assert_eq!(answer.is_ok(), number >= failing);
        }
        let now = self.aws.clock().now();
        let next = now.duration_trunc(chrono::Duration::minutes(1)).expect("a minute") + chrono::Duration::minutes(1);
        self.aws.clock().sleep_until(next).await;
    }

    async fn alarm(&self, name: &str, state: StateValue) {
        let put = self.cloudwatch.put_metric_alarm().alarm_name(name).namespace("Flights").metric_name("Failures");
        let put = put.statistic(Statistic::Sum).period(60).evaluation_periods(1).threshold(1.0);
        put.comparison_operator(ComparisonOperator::GreaterThanThreshold).send().await.expect("PutMetricAlarm");
        let set = self.cloudwatch.set_alarm_state().alarm_name(name).state_value(state).state_reason("a test");
        set.send().await.expect("SetAlarmState");
    }

    /// The versions 2 and 1 over these minutes, and these alarms.
    fn request(&self, minutes: std::ops::Range<i64>, alarms: &[&str]) -> Request {
        let window = Window { from: self.at(minutes.start), to: self.at(minutes.end) };
        let version = |number| Version::new(number).expect("a version");
        let measure = Measure {
            canary: Some((version(2), window)),
            stable: Some((version(1), window)),
            slower_than: None,
            alarms: alarms.iter().map(|name| name.parse().expect("a name")).collect(),
        };
        Request { function: FUNCTION.to_owned(), alias: "live".to_owned(), measure }
    }

    async fn measured(&self, request: Request) -> Measured {
        let service: ServiceName = "flight-service".parse().expect("a name");
        let results = measure(&self.cloudwatch, &BTreeMap::from([(service.clone(), request)])).await.measured;
        results.get(&service).expect("a result").clone()
    }
}

/// The program: fails where the event says so.
async fn fly(event: Event) -> Result<Bytes, FunctionError> {
    let asked: Value = serde_json::from_slice(&event.payload).unwrap_or_default();
    if asked.get("fail") == Some(&json!(true)) {
        return Err(FunctionError { error_type: "NoFlight".to_owned(), message: "there is none".to_owned() });
    }
    Ok(Bytes::from_static(b"{}"))
}

fn counts(invocations: f64, errors: f64) -> Sample {
    Sample { invocations: Some(invocations), errors: Some(errors), slow: None }
}

fn name(alarm: &str) -> AlarmName {
    alarm.parse().expect("a name")
}

#[tokio::test(start_paused = true)]
async fn each_version_has_the_invocations_of_its_window() {
    let flights = Flights::new().await;
    flights.minute("1", 7, 1).await;
    flights.minute("2", 5, 2).await;
    flights.minute("1", 3, 0).await;
    flights.minute("2", 9, 0).await;
    let measured = flights.measured(flights.request(1..3, &[])).await;
    assert_eq!((measured.canary, measured.stable), (counts(5.0, 2.0), counts(3.0, 0.0)));
    let measured = flights.measured(flights.request(0..4, &[])).await;
    assert_eq!((measured.canary, measured.stable), (counts(14.0, 2.0), counts(10.0, 1.0)));
    assert_eq!(measured.trouble, None);
}

#[tokio::test(start_paused = true)]
async fn calls_slower_than_the_limit_are_counted_and_one_that_takes_just_that_long_is_not() {
    let flights = Flights::new().await;
    for slow in [3, 0, 1] {
        flights.minute("2", 0, 0).await;
        let mut number = 0;
        flights.aws.drive(ACCOUNT, REGION, FUNCTION, "live", 67, |_, _| {
            number += 1;
            let duration = Duration::from_millis(if number <= slow { 801 } else { 800 });
            Served { failed: false, duration }
        });
    }
    let mut request = flights.request(0..4, &[]);
    request.measure.slower_than = Some(Duration::from_millis(800));
    let measured = flights.measured(request).await;
    assert_eq!(measured.canary, Sample { slow: Some(4.0), ..counts(201.0, 0.0) });
    assert_eq!(measured.trouble, None);
}

#[tokio::test(start_paused = true)]
async fn nothing_invoked_is_zero_and_not_unknown() {
    let flights = Flights::new().await;
    flights.minute("1", 4, 0).await;
    let measured = flights.measured(flights.request(0..1, &[])).await;
    assert_eq!((measured.canary, measured.stable), (counts(0.0, 0.0), counts(4.0, 0.0)));
}

#[tokio::test(start_paused = true)]
async fn all_services_of_an_environment_are_measured_in_one_call_of_each_kind() {
    let flights = Flights::new().await;
    flights.alarm("flight-5xx", StateValue::Alarm).await;
    flights.minute("2", 2, 0).await;
    flights.aws.forget_calls();
    let of = |number: i64| {
        (format!("service-{number}").parse().expect("a name"), flights.request(0..1 + number, &["flight-5xx"]))
    };
    let requests: BTreeMap<ServiceName, Request> = (0..50).map(of).collect();
    let results = measure(&flights.cloudwatch, &requests).await.measured;
    let calls: Vec<&str> = flights.aws.calls().iter().map(|call| call.operation).collect();
    assert_eq!(BTreeSet::from_iter(&calls), BTreeSet::from([&"GetMetricData", &"DescribeAlarms"]));
    assert_eq!(calls.len(), 2);
    assert_eq!(results.len(), 50);
    for measured in results.values() {
        assert_eq!((measured.canary, measured.trouble.as_ref()), (counts(2.0, 0.0), None));
        assert_eq!(measured.alarms, BTreeMap::from([(name("flight-5xx"), AlarmState::Alarm)]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_complete_is_no_number() {
    let flights = Flights::new().await;
    flights.minute("2", 2, 0).await;
    for (trouble, status) in
        [(MetricTrouble::PartialData, "PartialData"), (MetricTrouble::InternalError, "InternalError")]
    {
        flights.aws.trouble_metrics(Some(trouble));
        let measured = flights.measured(flights.request(0..1, &[])).await;
        assert_eq!((measured.canary, measured.stable), (Sample::default(), Sample::default()));
        let why = measured.trouble.expect("why");
        let said = format!("CloudWatch answered {status} for `Invocations` of version 2");
        assert!(why.starts_with(&said), "{why}");
    }
    flights.aws.trouble_metrics(None);
    assert_eq!(flights.measured(flights.request(0..1, &[])).await.canary, counts(2.0, 0.0));
}

#[tokio::test(start_paused = true)]
async fn composite_alarms_are_read_beside_metric_alarms() {
    let flights = Flights::new().await;
    flights.alarm("flight-5xx", StateValue::Ok).await;
    let put = flights.cloudwatch.put_composite_alarm().alarm_name("flights").alarm_rule("ALARM(flight-5xx)");
    put.send().await.expect("PutCompositeAlarm");
    let set = flights.cloudwatch.set_alarm_state().alarm_name("flights").state_value(StateValue::Alarm);
    set.state_reason("a test").send().await.expect("SetAlarmState");
    let measured = flights.measured(flights.request(0..1, &["flight-5xx", "flights"])).await;
    let known = [(name("flight-5xx"), AlarmState::Ok), (name("flights"), AlarmState::Alarm)];
    assert_eq!(measured.alarms, BTreeMap::from(known));
}

#[tokio::test(start_paused = true)]
async fn alarms_that_do_not_exist_are_left_out() {
    let flights = Flights::new().await;
    flights.alarm("flight-5xx", StateValue::Ok).await;
    flights.alarm("flight-slow", StateValue::InsufficientData).await;
    let measured = flights.measured(flights.request(0..1, &["flight-5xx", "flight-slow", "misspelt"])).await;
    let known = [(name("flight-5xx"), AlarmState::Ok), (name("flight-slow"), AlarmState::InsufficientData)];
    assert_eq!((measured.alarms, measured.trouble), (BTreeMap::from(known), None));
}

#[tokio::test(start_paused = true)]
async fn more_alarms_than_a_call_takes_are_all_read() {
    let flights = Flights::new().await;
    let names: Vec<String> = (0..150).map(|number| format!("alarm-{number}")).collect();
    for name in &names {
        flights.alarm(name, StateValue::Ok).await;
    }
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let measured = flights.measured(flights.request(0..1, &names)).await;
    assert_eq!(measured.alarms.len(), 150);
}

#[tokio::test(start_paused = true)]
async fn metrics_that_cannot_be_read_are_unknown_with_the_reason_and_alarms_are_read_all_the_same() {
    let flights = Flights::new().await;
    flights.alarm("flight-5xx", StateValue::Ok).await;
    flights.minute("2", 2, 0).await;
    let denied = AwsError::new(403, "AccessDenied", "not authorized to perform: cloudwatch:GetMetricData");
    flights.aws.set_hook(Arc::new(move |call| match call.operation {
        "GetMetricData" => Fault::FailBefore(denied.clone()),
        _ => Fault::None,
    }));
    let measured = flights.measured(flights.request(0..1, &["flight-5xx"])).await;
    assert_eq!((measured.canary, measured.stable), (Sample::default(), Sample::default()));
    assert_eq!(measured.alarms.get(&name("flight-5xx")), Some(&AlarmState::Ok));
    let trouble = measured.trouble.expect("why");
    assert!(trouble.starts_with("`cloudwatch:GetMetricData` of `AWS/Lambda`: access denied"), "{trouble}");
}

#[tokio::test(start_paused = true)]
async fn alarms_that_cannot_be_read_are_unknown_with_the_reason() {
    let flights = Flights::new().await;
    flights.alarm("flight-5xx", StateValue::Ok).await;
    flights.minute("2", 2, 0).await;
    let denied = AwsError::new(403, "AccessDenied", "not authorized to perform: cloudwatch:DescribeAlarms");
    flights.aws.set_hook(Arc::new(move |call| match call.operation {
        "DescribeAlarms" => Fault::FailBefore(denied.clone()),
        _ => Fault::None,
    }));
    let measured = flights.measured(flights.request(0..1, &["flight-5xx"])).await;
    assert_eq!((measured.canary, measured.alarms), (counts(2.0, 0.0), BTreeMap::new()));
    let trouble = measured.trouble.expect("why");
    assert!(trouble.starts_with("`cloudwatch:DescribeAlarms` of `flight-5xx`: access denied"), "{trouble}");
}

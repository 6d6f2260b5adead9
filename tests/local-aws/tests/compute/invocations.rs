//! Invocations: routing by weight, failures, limits, retries, and the metrics of all that.
use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::types::{AliasRoutingConfiguration, InvocationType, LogType, State};
use base64::Engine as _;
use local_aws::{Options, VersionState};

use crate::{ACCOUNT, Airline, NAME, REGION, REPOSITORY, code, config};

/// The sum of a metric over the first hour, by these dimensions.
async fn sum(airline: &Airline, metric: &str, dimensions: &[(&str, &str)]) -> f64 {
    let client = aws_sdk_cloudwatch::Client::new(&config(&airline.aws, ACCOUNT));
    let dimensions = dimensions.iter().map(|(name, value)| Dimension::builder().name(*name).value(*value).build());
    let metric =
        Metric::builder().namespace("AWS/Lambda").metric_name(metric).set_dimensions(Some(dimensions.collect()));
    let stat = MetricStat::builder().metric(metric.build()).period(3600).stat("Sum").build();
    let query = MetricDataQuery::builder().id("m").metric_stat(stat).build();
    let epoch = airline.aws.options().epoch.timestamp();
    let data = client.get_metric_data().metric_data_queries(query);
    let data = data.start_time(aws_sdk_cloudwatch::primitives::DateTime::from_secs(epoch));
    let data = data.end_time(aws_sdk_cloudwatch::primitives::DateTime::from_secs(epoch + 3600)).send().await.unwrap();
    data.metric_data_results()[0].values().iter().sum()
}

async fn canary(airline: &Airline, version: &str, weight: f64) {
    let weights = HashMap::from([(version.to_owned(), weight)]);
    let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
    airline.lambda.update_alias().function_name(NAME).name("live").routing_config(routing).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn traffic_is_split_by_weight_and_the_same_seed_splits_it_the_same() {
    let mut runs = Vec::new();
    for _ in 0..2 {
        let airline = Airline::with_function(Options { seed: 7, ..Options::default() }).await;
        airline.release("v2").await;
        canary(&airline, "2", 0.25).await;
        let mut answered = Vec::new();
        for _ in 0..200 {
            answered.push(airline.fly("{}").await.0);
        }
        let share = answered.iter().filter(|version| *version == "2").count();
        assert!((30..=70).contains(&share), "{share} of 200");
        runs.push(answered);
    }
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_function_is_an_answer_with_a_mark() {
    let airline = Airline::with_function(Options::default()).await;
    let failed = (r#"{"errorMessage":"no such flight","errorType":"FlightNotFound"}"#.to_owned(), true);
    let (_, body, marked) = airline.fly(r#"{"fail":1}"#).await;
    assert_eq!((body, marked), failed);
    let (_, body, marked) = airline.fly(r#"{"sleep":1}"#).await;
    assert!(marked && body.contains("Task timed out after 3.00 seconds"), "{body}");
    let (_, body, marked) = airline.fly(r#"{"panic":1}"#).await;
    assert!(marked && body.contains("Runtime.ExitError"), "{body}");
    let wrong = airline.lambda.invoke().function_name(NAME).payload(b"{".to_vec().into()).send().await;
    assert_eq!(code(wrong), "InvalidRequestContentException");
}

#[tokio::test(start_paused = true)]
async fn an_answer_carries_its_request_id_and_the_end_of_its_log() {
    let airline = Airline::with_function(Options::default()).await;
    let invoke = airline.lambda.invoke().function_name(NAME).qualifier("live").log_type(LogType::Tail);
    let done = invoke.payload(br#"{"sleep":1}"#.to_vec().into()).send().await.unwrap();
    let id = done.request_id().unwrap().to_owned();
    assert_eq!(done.function_error(), Some("Unhandled"));
    let log = String::from_utf8(base64::prelude::BASE64_STANDARD.decode(done.log_result().unwrap()).unwrap()).unwrap();
    assert!(log.starts_with(&format!("START RequestId: {id} Version: 1\n")), "{log}");
    assert!(log.contains(&format!("REPORT RequestId: {id}\tDuration: 3000.00 ms")), "{log}");
    let body = String::from_utf8(done.payload.unwrap().into_inner()).unwrap();
    assert!(body.contains(&id) && body.contains("Task timed out after 3.00 seconds"), "{body}");
    let plain = airline.lambda.invoke().function_name(NAME).send().await.unwrap();
    assert_eq!((plain.log_result(), plain.function_error()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_payload_of_six_megabytes_is_taken_and_one_byte_more_is_not() {
    let airline = Airline::with_function(Options::default()).await;
    let invoke = |bytes: usize| {
        let payload = format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
        airline.lambda.invoke().function_name(NAME).payload(payload.into()).send()
    };
    invoke(6 * 1024 * 1024).await.unwrap();
    assert_eq!(code(invoke(6 * 1024 * 1024 + 1).await), "RequestTooLargeException");
}

#[tokio::test(start_paused = true)]
async fn metrics_tell_the_versions_behind_an_alias_apart() {
    let airline = Airline::with_function(Options::default()).await;
    airline.release("v2").await;
    canary(&airline, "2", 1.0).await;
    airline.fly("{}").await;
    airline.fly(r#"{"fail":1}"#).await;
    canary(&airline, "2", 0.0).await;
    airline.fly(r#"{"nap":1}"#).await;
    airline.lambda.invoke().function_name(NAME).send().await.unwrap();
    let version = |number| [("FunctionName", NAME), ("Resource", "flights:live"), ("ExecutedVersion", number)];
    assert_eq!(sum(&airline, "Invocations", &version("2")).await.to_string(), "2");
    assert_eq!(sum(&airline, "Errors", &version("2")).await.to_string(), "1");
    assert_eq!(sum(&airline, "Invocations", &version("1")).await.to_string(), "1");
    assert!(sum(&airline, "Duration", &version("1")).await >= 1000.0);
    let resource = [("FunctionName", NAME), ("Resource", "flights:live")];
    assert_eq!(sum(&airline, "Invocations", &resource).await.to_string(), "3");
    assert_eq!(sum(&airline, "Invocations", &[("FunctionName", NAME)]).await.to_string(), "4");
}

#[tokio::test(start_paused = true)]
async fn the_first_invocation_of_an_idle_version_fails_and_wakes_it() {
    let airline = Airline::with_function(Options::default()).await;
    assert!(airline.aws.set_version_state(ACCOUNT, REGION, NAME, "1", VersionState::Inactive));
    let state = || async {
        let get = airline.lambda.get_function().function_name(NAME).qualifier("live").send().await.unwrap();
        get.configuration.unwrap().state.unwrap()
    };
    assert_eq!(state().await, State::Inactive);
    let invoke = || airline.lambda.invoke().function_name(NAME).qualifier("live");
    assert_eq!(code(invoke().send().await), "ResourceConflictException");
    assert_eq!(state().await, State::Pending);
    airline.settle().await;
    invoke().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_version_whose_image_was_deleted_never_wakes() {
    let airline = Airline::with_function(Options::default()).await;
    let id = aws_sdk_ecr::types::ImageIdentifier::builder().image_tag("v1").build();
    airline.ecr.batch_delete_image().repository_name(REPOSITORY).image_ids(id).send().await.unwrap();
    airline.fly("{}").await;
    airline.aws.set_version_state(ACCOUNT, REGION, NAME, "live", VersionState::Inactive);
    let invoke = || airline.lambda.invoke().function_name(NAME).qualifier("live");
    assert_eq!(code(invoke().send().await), "ResourceConflictException");
    airline.settle().await;
    let get = airline.lambda.get_function().function_name(NAME).qualifier("1").send().await.unwrap();
    let configuration = get.configuration.unwrap();
    assert_eq!(configuration.state, Some(State::Failed));
    assert_eq!(configuration.state_reason_code.unwrap().as_str(), "ImageDeleted");
    assert_eq!(code(invoke().send().await), "ResourceConflictException");
}

#[tokio::test(start_paused = true)]
async fn reserved_concurrency_throttles_and_leaves_enough_for_the_others() {
    let airline = Airline::with_function(Options::default()).await;
    let reserve =
        |wanted| airline.lambda.put_function_concurrency().function_name(NAME).reserved_concurrent_executions(wanted);
    assert_eq!(code(reserve(901).send().await), "InvalidParameterValueException");
    reserve(1).send().await.unwrap();
    let invoke = || airline.lambda.invoke().function_name(NAME).payload(br#"{"nap":1}"#.to_vec().into()).send();
    let (first, second) = tokio::join!(invoke(), invoke());
    first.unwrap();
    assert_eq!(code(second), "TooManyRequestsException");
    assert_eq!(sum(&airline, "Throttles", &[("FunctionName", NAME)]).await.to_string(), "1");
    assert_eq!(sum(&airline, "Invocations", &[("FunctionName", NAME)]).await.to_string(), "1");
    airline.lambda.delete_function_concurrency().function_name(NAME).send().await.unwrap();
    let (first, second) = tokio::join!(invoke(), invoke());
    assert!(first.is_ok() && second.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_event_that_fails_is_tried_twice_more_after_one_and_two_minutes() {
    let airline = Airline::with_function(Options::default()).await;
    let send = || airline.lambda.invoke().function_name(NAME).invocation_type(InvocationType::Event);
    let event = || send().payload(br#"{"fail":1}"#.to_vec().into());
    assert_eq!(event().send().await.unwrap().status_code, 202);
    let mut seen = Vec::new();
    for seconds in [1, 61, 120, 600] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        seen.push(sum(&airline, "Invocations", &[("FunctionName", NAME)]).await.to_string());
    }
    assert_eq!(seen, ["1", "2", "3", "3"]);
    let put = airline.lambda.put_function_event_invoke_config().function_name(NAME).maximum_retry_attempts(0);
    put.send().await.unwrap();
    event().send().await.unwrap();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(sum(&airline, "Invocations", &[("FunctionName", NAME)]).await.to_string(), "4");
    assert_eq!(airline.aws.function_logs(NAME).iter().filter(|line| line.text.starts_with("START")).count(), 4);
}

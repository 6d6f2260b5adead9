//! Faults: what a caller sees, what has happened nevertheless, and what the world remembers.
use std::sync::Arc;
use std::time::Duration;

use local_aws::wire::AwsError;
use local_aws::{Call, Fault, Options};

use crate::{Airline, NAME, code};

/// Every `UpdateAlias` fails like this.
fn plant(airline: &Airline, fault: Fault) {
    let hook = move |call: &Call| if call.operation == "UpdateAlias" { fault.clone() } else { Fault::None };
    airline.aws.set_hook(Arc::new(hook));
}

async fn describe(airline: &Airline) -> Result<(), aws_sdk_lambda::Error> {
    airline.lambda.update_alias().function_name(NAME).name("live").description("changed").send().await?;
    Ok(())
}

async fn description(airline: &Airline) -> String {
    let get = airline.lambda.get_alias().function_name(NAME).name("live").send().await.unwrap();
    get.description.unwrap_or_default()
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_has_had_its_effect_and_a_lost_request_has_not() {
    for (fault, expected) in [(Fault::LoseAnswer, "changed"), (Fault::LoseRequest, "")] {
        let airline = Airline::with_function(Options::default()).await;
        plant(&airline, fault);
        let update = airline.lambda.update_alias().function_name(NAME).name("live").description("changed").send().await;
        let error = update.unwrap_err();
        assert!(matches!(&error, aws_sdk_lambda::error::SdkError::DispatchFailure(it) if it.is_io()), "{error:?}");
        assert_eq!(description(&airline).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn refusals_and_throttles_come_before_any_effect() {
    let airline = Airline::with_function(Options::default()).await;
    let denied = AwsError::new(403, "AccessDeniedException", "no");
    for (fault, expected) in
        [(Fault::FailBefore(denied), "AccessDeniedException"), (Fault::Throttle, "TooManyRequestsException")]
    {
        plant(&airline, fault);
        let update = airline.lambda.update_alias().function_name(NAME).name("live").description("changed").send().await;
        assert_eq!(code(update), expected);
        assert_eq!(description(&airline).await, "");
    }
    airline.aws.clear_hook();
    describe(&airline).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_ends_with_the_callers_own_timeout() {
    let airline = Airline::with_function(Options::default()).await;
    plant(&airline, Fault::Hang);
    let before = tokio::time::Instant::now();
    let update = airline.lambda.update_alias().function_name(NAME).name("live").send().await;
    assert!(matches!(update.unwrap_err(), aws_sdk_lambda::error::SdkError::TimeoutError(_)));
    assert_eq!(before.elapsed().as_secs(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_call_takes_its_effect_late() {
    let airline = Airline::with_function(Options::default()).await;
    plant(&airline, Fault::Delay(Duration::from_secs(5)));
    let before = tokio::time::Instant::now();
    describe(&airline).await.unwrap();
    assert_eq!(before.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_world_remembers_each_call_and_which_could_change_something() {
    let airline = Airline::with_function(Options::default()).await;
    airline.aws.forget_calls();
    describe(&airline).await.unwrap();
    description(&airline).await;
    code(airline.lambda.get_function().function_name("none").send().await);
    let calls = airline.aws.calls();
    let seen: Vec<_> = calls
        .iter()
        .map(|call| (call.operation, call.resource.as_str(), call.status, call.error.as_deref(), call.is_mutating()))
        .collect();
    assert_eq!(
        seen,
        [
            ("UpdateAlias", "flights:live", Some(200), None, true),
            ("GetAlias", "flights:live", Some(200), None, false),
            ("GetFunction", "none", Some(404), Some("ResourceNotFoundException"), false),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn answers_are_dated_by_the_worlds_clock() {
    let airline = Airline::with_function(Options { time_scale: 60.0, ..Options::default() }).await;
    let date = || async {
        let request = http::Request::get("http://localhost/2015-03-31/functions").body(bytes::Bytes::new()).unwrap();
        let answer = airline.aws.handle(request).await.unwrap();
        assert_eq!(answer.headers()["x-amzn-errortype"], "MissingAuthenticationToken");
        httpdate::parse_http_date(answer.headers()["date"].to_str().unwrap()).unwrap()
    };
    let before = date().await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(date().await.duration_since(before).unwrap().as_secs(), 600);
}

#[tokio::test]
async fn over_a_socket_a_lost_answer_is_a_closed_connection() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let aws = local_aws::LocalAws::new(Options::default());
    aws.set_hook(Arc::new(|call| if call.operation == "ListFunctions" { Fault::LoseAnswer } else { Fault::None }));
    let (address, server) = local_aws::server::serve(aws.clone(), 0).await.unwrap();
    assert!(address.ip().is_loopback());
    let credential = "AWS4-HMAC-SHA256 Credential=111111111111/20260101/eu-central-1/lambda/aws4_request";
    let ask = |path: &'static str| async move {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let head =
            format!("GET {path} HTTP/1.1\r\nhost: l\r\nauthorization: {credential}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    };
    assert_eq!(ask("/2015-03-31/functions").await, "");
    assert!(ask("/2015-03-31/functions/none").await.starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(ask("/2015-03-31/layers").await.contains("not implemented: lambda GET /2015-03-31/layers"));
    drop(server);
    tokio::task::yield_now().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

//! Decides whether the BFF finds, asks and combines real functions of the local AWS, and names what fails.

use std::sync::Arc;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_lambda::types::{FunctionCode, PackageType};
use aws_sdk_ssm::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_ssm::types::ParameterType;
use lambda_runtime::Context;
use local_aws::{FunctionError, LocalAws, Options};

use super::*;
use crate::registry::{Place, Registry};

const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-central-1";

/// What a service answers to every event.
type Answer = Result<Value, FunctionError>;

/// A world in which image functions are ready at once.
fn world() -> LocalAws {
    let zero = std::time::Duration::ZERO;
    LocalAws::new(Options { image_update: zero, publish: zero, ..Options::default() })
}

fn config(aws: &LocalAws) -> SdkConfig {
    let credentials = Credentials::new(ACCOUNT, "secret", None, None, "test");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws.http_client())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::new(REGION))
        .retry_config(RetryConfig::disabled())
        .build()
}

/// Deploys a service that always answers the same, with an alias, and registers it as Tidegate does.
async fn deploy(aws: &LocalAws, service: &str, answer: Answer) {
    let config = config(aws);
    aws.register_program(
        service,
        Arc::new(move |_| {
            let answer = answer.clone().map(|value| value.to_string().into());
            Box::pin(async move { answer })
        }),
    );

    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "annotations": { "dev.tidegate.local.program": format!("closure:{service}") },
    });
    let ecr = aws_sdk_ecr::Client::new(&config);
    ecr.create_repository().repository_name(service).send().await.unwrap();
    let image = ecr.put_image().repository_name(service).image_tag("v1.2.3");
    image.image_manifest(manifest.to_string()).send().await.unwrap();

    let lambda = aws_sdk_lambda::Client::new(&config);
    let uri = format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{service}:v1.2.3");
    let function = lambda.create_function().function_name(service).package_type(PackageType::Image).publish(true);
    let function = function.role(format!("arn:aws:iam::{ACCOUNT}:role/{service}"));
    function.code(FunctionCode::builder().image_uri(uri).build()).send().await.unwrap();
    let alias = lambda.create_alias().function_name(service).name("live").function_version("1");
    let alias_arn = alias.send().await.unwrap().alias_arn.unwrap();

    let entry = json!({ "schemaVersion": 1, "aliasArn": alias_arn, "version": "1", "tag": "v1.2.3" });
    let parameter = aws_sdk_ssm::Client::new(&config).put_parameter().r#type(ParameterType::String);
    parameter.name(format!("/services/staging/{service}")).value(entry.to_string()).send().await.unwrap();
}

async fn ask(aws: &LocalAws, payload: Value) -> Value {
    let config = config(aws);
    let registry = Registry::new(aws_sdk_ssm::Client::new(&config), Place::Below("/services/staging".to_owned()));
    let downstream = Downstream::new(aws_sdk_lambda::Client::new(&config), registry);
    let bff = FlightBff { build: Build::new("v3.0.0"), downstream };
    let reply = handle(&bff, LambdaEvent::new(payload, Context::default())).await.unwrap();
    serde_json::to_value(reply).unwrap()
}

fn flight() -> Answer {
    Ok(json!({ "statusCode": 200, "version": "v1.2.3", "result": { "flight": "TG123", "origin": "BKK" } }))
}

fn seats() -> Answer {
    Ok(json!({ "statusCode": 200, "version": "v2.0.0", "result": { "reserved": 1, "available": 167 } }))
}

#[tokio::test(start_paused = true)]
async fn a_page_is_made_of_what_both_services_answer_and_names_their_builds() {
    let aws = world();
    deploy(&aws, FLIGHT_SERVICE, flight()).await;
    deploy(&aws, RESERVATION_SERVICE, seats()).await;
    let expected = json!({
        "statusCode": 200,
        "version": "v3.0.0",
        "result": {
            "flight": { "flight": "TG123", "origin": "BKK" },
            "seats": { "reserved": 1, "available": 167 },
            "servedBy": { "flight-service": "v1.2.3", "reservation-service": "v2.0.0" },
        },
    });
    assert_eq!(ask(&aws, json!({ "flight": "TG123" })).await, expected);
}

#[tokio::test(start_paused = true)]
async fn the_alias_is_what_is_invoked() {
    let aws = world();
    deploy(&aws, FLIGHT_SERVICE, flight()).await;
    deploy(&aws, RESERVATION_SERVICE, seats()).await;
    aws.forget_calls();
    ask(&aws, json!({ "flight": "TG123" })).await;
    let mut invoked: Vec<_> = aws.calls().into_iter().filter(|call| call.operation == "Invoke").collect();
    invoked.sort_by(|a, b| a.resource.cmp(&b.resource));
    let resources: Vec<_> = invoked.iter().map(|call| call.resource.as_str()).collect();
    assert!(resources.iter().all(|resource| resource.ends_with(":live")), "{resources:?}");
    assert_eq!(resources.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_not_registered_is_told_apart_from_one_that_fails() {
    let aws = world();
    deploy(&aws, FLIGHT_SERVICE, flight()).await;
    let answer = ask(&aws, json!({ "flight": "TG123" })).await;
    assert_eq!((&answer["statusCode"], &answer["error"]["code"]), (&json!(503), &json!("ServiceNotRegistered")));

    let fault = FunctionError { error_type: "BuildFault".to_owned(), message: "inside".to_owned() };
    deploy(&aws, RESERVATION_SERVICE, Err(fault)).await;
    let answer = ask(&aws, json!({ "flight": "TG123" })).await;
    let expected = json!({ "code": "DownstreamFailed", "message": "`reservation-service` failed with `BuildFault`" });
    assert_eq!((&answer["statusCode"], &answer["error"]), (&json!(502), &expected));
}

#[tokio::test(start_paused = true)]
async fn a_flight_that_does_not_exist_is_passed_on_as_such() {
    let aws = world();
    let unknown = json!({ "code": "UnknownFlight", "message": "no flight `TG999`" });
    deploy(&aws, FLIGHT_SERVICE, Ok(json!({ "statusCode": 404, "version": "v1.2.3", "error": unknown }))).await;
    deploy(&aws, RESERVATION_SERVICE, seats()).await;
    let answer = ask(&aws, json!({ "flight": "TG999" })).await;
    assert_eq!(answer, json!({ "statusCode": 404, "version": "v3.0.0", "error": unknown }));
}

#[tokio::test]
async fn what_is_not_a_request_asks_nobody() {
    let aws = world();
    let answer = ask(&aws, json!({ "flights": "TG123" })).await;
    assert_eq!(answer["error"]["code"], "MalformedRequest");
    assert!(aws.calls().is_empty());
}

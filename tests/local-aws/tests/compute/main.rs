//! The rules of Lambda and EventBridge Scheduler, seen through the SDK that shipped code uses: one process, paused time.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests may fail as tests do"
)]

mod aliases;
mod faults;
mod functions;
mod invocations;
mod provisioned;
mod schedules;
mod traffic;

use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_lambda::types::{FunctionCode, PackageType};
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use local_aws::{Event, FunctionError, LocalAws, Options};

const ACCOUNT: &str = "111111111111";
const STRANGER: &str = "222222222222";
const REGION: &str = "eu-central-1";
const ROLE: &str = "arn:aws:iam::111111111111:role/flights";
const REPOSITORY: &str = "company/flights";
const NAME: &str = "flights";

/// An SDK configuration of `account`, below which the world answers. Nothing is retried: tests see each answer.
fn config(aws: &LocalAws, account: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws.http_client())
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(account, "secret", None, None, "test")))
        .region(Region::from_static(REGION))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(Duration::from_secs(30)).build())
        .build()
}

/// A world with one repository, whose images answer with their release.
struct Airline {
    aws: LocalAws,
    lambda: aws_sdk_lambda::Client,
    ecr: aws_sdk_ecr::Client,
}

impl Airline {
    async fn new(options: Options) -> Self {
        let aws = LocalAws::new(options);
        let config = config(&aws, ACCOUNT);
        let (lambda, ecr) = (aws_sdk_lambda::Client::new(&config), aws_sdk_ecr::Client::new(&config));
        ecr.create_repository().repository_name(REPOSITORY).send().await.unwrap();
        aws.register_program("flights", Arc::new(|event| Box::pin(answer(event))));
        Self { aws, lambda, ecr }
    }

    /// The same with a function on release `v1`: active, version 1 behind the alias `live`.
    async fn with_function(options: Options) -> Self {
        let airline = Self::new(options).await;
        airline.create(&airline.push("v1").await).await;
        airline.publish().await;
        let create = airline.lambda.create_alias().function_name(NAME).name("live").function_version("1");
        create.send().await.unwrap();
        airline
    }

    /// Pushes an image of that release and gives its URI by digest.
    async fn push(&self, release: &str) -> String {
        self.push_manifest(release, &format!(
            r#"{{"schemaVersion":2,"annotations":{{"dev.tidegate.local.program":"closure:flights","dev.tidegate.local.env.RELEASE":"{release}"}}}}"#
        ))
        .await
    }

    async fn push_manifest(&self, tag: &str, manifest: &str) -> String {
        let put = self.ecr.put_image().repository_name(REPOSITORY).image_tag(tag).image_manifest(manifest);
        let pushed = put.send().await.unwrap().image.unwrap().image_id.unwrap();
        format!("{}@{}", repository_uri(), pushed.image_digest.unwrap())
    }

    async fn create(&self, image: &str) {
        let code = FunctionCode::builder().image_uri(image).build();
        let create = self.lambda.create_function().function_name(NAME).role(ROLE).code(code);
        create.package_type(PackageType::Image).timeout(3).send().await.unwrap();
        self.settle().await;
    }

    /// Updates the code with `Publish`, waits until the version is ready, and gives its number.
    async fn release(&self, release: &str) -> String {
        let image = self.push(release).await;
        let update = self.lambda.update_function_code().function_name(NAME).image_uri(image).publish(true);
        let version = update.send().await.unwrap().version.unwrap();
        self.settle().await;
        version
    }

    async fn publish(&self) -> String {
        let version = self.lambda.publish_version().function_name(NAME).send().await.unwrap().version.unwrap();
        self.settle().await;
        version
    }

    /// Long enough for everything that is under way.
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_secs(10)).await;
    }

    /// Invokes the alias `live` and gives the version that ran, the answer, and whether it was an error.
    async fn fly(&self, payload: &str) -> (String, String, bool) {
        let invoke = self.lambda.invoke().function_name(NAME).qualifier("live").payload(payload.as_bytes().into());
        let done = invoke.send().await.unwrap();
        let body = String::from_utf8(done.payload.unwrap().into_inner()).unwrap();
        (done.executed_version.unwrap(), body, done.function_error.is_some())
    }
}

fn repository_uri() -> String {
    format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{REPOSITORY}")
}

/// The program of all images: what the event asks for, else the release.
async fn answer(event: Event) -> Result<bytes::Bytes, FunctionError> {
    let text = String::from_utf8_lossy(&event.payload).into_owned();
    if text.contains("sleep") {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    if text.contains("nap") {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert!(!text.contains("panic"), "as the event asked");
    if text.contains("fail") {
        return Err(FunctionError { error_type: "FlightNotFound".to_owned(), message: "no such flight".to_owned() });
    }
    Ok(bytes::Bytes::from(format!("\"{}\"", event.context.environment["RELEASE"])))
}

/// The code and message of a call that must fail.
fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> (String, String) {
    let error = result.expect_err("the call should have been refused");
    let code = error.code().unwrap_or_else(|| panic!("no code in {error:?}")).to_owned();
    (code, error.message().unwrap_or_default().to_owned())
}

/// The code of a call that must fail.
fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(result: Result<T, E>) -> String {
    refusal(result).0
}

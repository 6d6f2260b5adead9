//! The rules of S3, SSM, ECR, STS and CloudWatch, seen through the SDK that shipped code uses, in one process.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "the helpers of tests may fail as tests do"
)]

mod cloudwatch;
mod ecr;
mod s3;
mod ssm;
mod sts;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::{SharedAsyncSleep, TokioSleep};
use local_aws::LocalAws;

/// The account and region that most tests live in.
const ACCOUNT: &str = "111111111111";
const REGION: &str = "eu-central-1";
/// Somebody else.
const STRANGER: &str = "222222222222";

/// An SDK configuration of `account` in `region`, below which the world answers.
fn config_of(aws: &LocalAws, account: &str, region: &'static str) -> SdkConfig {
    with_credentials(aws, Credentials::new(account, "secret", None, None, "test"), region)
}

fn with_credentials(aws: &LocalAws, credentials: Credentials, region: &'static str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(aws.http_client())
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .region(Region::from_static(region))
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .build()
}

fn config(aws: &LocalAws) -> SdkConfig {
    config_of(aws, ACCOUNT, REGION)
}

/// The code of a call that must fail.
fn code<T: std::fmt::Debug, E>(result: Result<T, E>) -> String
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::fmt::Debug,
{
    let error = result.expect_err("the call should have been refused");
    error.code().unwrap_or_else(|| panic!("no code in {error:?}")).to_owned()
}

/// The message of a call that must fail.
fn message<T: std::fmt::Debug, E>(result: Result<T, E>) -> String
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::fmt::Debug,
{
    result.expect_err("the call should have been refused").message().unwrap_or_default().to_owned()
}

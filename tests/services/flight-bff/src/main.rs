//! Effect: runs the flight BFF as a Lambda. `{"flight": "TG123"}` in, the flight with its free seats out.
//!
//! The function's environment says where the other services are looked up: `SERVICE_REGISTRY=/services/<environment>`.

mod downstream;
mod handler;
mod registry;

use std::process::ExitCode;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::timeout::TimeoutConfig;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use service_kit::Build;

use crate::downstream::Downstream;
use crate::handler::FlightBff;
use crate::registry::Registry;

/// For one try of one call: what takes longer than this is of no use to whoever waits for the page.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service_kit::init_logs();
    service_kit::end(run().await)
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let build = Build::from_env()?;
    let path = std::env::var("SERVICE_REGISTRY").map_err(|source| format!("`SERVICE_REGISTRY`: {source}"))?;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
    let registry = Registry::new(aws_sdk_ssm::Client::new(&config), &path);
    let bff = FlightBff { build, downstream: Downstream::new(aws_sdk_lambda::Client::new(&config), registry) };
    tracing::info!(version = bff.build.version(), registry = path, "ready");
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handler::handle(&bff, event))).await
}

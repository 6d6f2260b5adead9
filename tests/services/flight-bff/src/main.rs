//! Effect: runs the flight BFF as a Lambda. `{"flight": "TG123"}` in, the flight with its free seats out.
//!
//! The function's environment says where the other services are looked up: `SERVICE_REGISTRY=/services/<environment>`, or
//! `SERVICE_REGISTRY_DOCUMENT=/services/registry` where all of them stand in one document.

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
use crate::registry::{Place, Registry};

/// For one try of one call: what takes longer than this is of no use to whoever waits for the page.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service_kit::init_logs();
    service_kit::end(run().await)
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let build = Build::from_env()?;
    let place = place()?;
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build();
    let config = aws_config::defaults(BehaviorVersion::latest()).timeout_config(timeouts).load().await;
    let registry = Registry::new(aws_sdk_ssm::Client::new(&config), place.clone());
    let bff = FlightBff { build, downstream: Downstream::new(aws_sdk_lambda::Client::new(&config), registry) };
    tracing::info!(version = bff.build.version(), registry = ?place, "ready");
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handler::handle(&bff, event))).await
}

/// Where the registry stands, as the function's environment says.
fn place() -> Result<Place, String> {
    if let Ok(name) = std::env::var("SERVICE_REGISTRY_DOCUMENT") {
        return Ok(Place::Document(name));
    }
    let path = std::env::var("SERVICE_REGISTRY").map_err(|source| format!("`SERVICE_REGISTRY`: {source}"))?;
    Ok(Place::Below(path))
}

//! Effect: runs the flight service as a Lambda. `{"flight": "TG123"}` in, the flight's details out.

mod handler;
mod timetable;

use std::process::ExitCode;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use service_kit::Build;

use crate::handler::FlightService;
use crate::timetable::Timetable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service_kit::init_logs();
    service_kit::end(run().await)
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let service = FlightService { build: Build::from_env()?, timetable: Timetable::published() };
    tracing::info!(version = service.build.version(), flights = service.timetable.len(), "ready");
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handler::handle(&service, event))).await
}

//! Effect: runs the flight service as a Lambda. `{"flight": "TG123"}` in, the flight's details out.

mod handler;
mod timetable;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use service_kit::Build;

use crate::handler::FlightService;
use crate::timetable::Timetable;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    service_kit::init_logs();
    let service = FlightService { build: Build::from_env()?, timetable: Timetable::published() };
    tracing::info!(version = service.build.version(), flights = service.timetable.len(), "ready");
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handler::handle(&service, event))).await
}

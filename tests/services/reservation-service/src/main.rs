//! Effect: runs the reservation service as a Lambda. `{"action": "reserve" | "read" | "seats", …}` in, see `handler`.

mod handler;
mod reservations;

use std::process::ExitCode;
use std::sync::Mutex;

use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use service_kit::Build;

use crate::handler::ReservationService;
use crate::reservations::Reservations;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    service_kit::init_logs();
    service_kit::end(run().await)
}

async fn run() -> Result<(), lambda_runtime::Error> {
    let service = ReservationService { build: Build::from_env()?, reservations: Mutex::new(Reservations::default()) };
    tracing::info!(version = service.build.version(), "ready");
    lambda_runtime::run(service_fn(|event: LambdaEvent<Value>| handler::handle(&service, event))).await
}

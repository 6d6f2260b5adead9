//! The Lambda's process: builds the clients once, and answers one invocation after the other.
use lambda_runtime::{Error, LambdaEvent, service_fn};
use tidegate_lambda::{Settings, handle};
use tidegate_runtime::aws::Home;
use tidegate_runtime::controller::Controller;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tidegate_runtime::logs::json();
    let settings = Settings::from_environment().inspect_err(|error| tracing::error!(%error, "cannot start"))?;
    let home = Home::from_environment().await;
    let controller = Controller::new(home, settings.source, settings.cache);
    let commands = settings.commands;
    let handle = |event: LambdaEvent<serde_json::Value>| handle(&controller, &commands, event);
    lambda_runtime::run(service_fn(handle)).await
}

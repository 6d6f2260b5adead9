//! Where a command is run: in the controller's function, or here.
use aws_sdk_lambda::primitives::Blob;
use tidegate_core::command::Command;
use tidegate_core::report::Answer;
use tidegate_runtime::aws::{Home, error};
use tidegate_runtime::config::Source;
use tidegate_runtime::controller::{Caller, Controller, TIMEOUT};
use tokio::time::Instant;

use crate::arguments::Global;
use crate::exit::{Error, Exit};

/// The controller in this process, with the caller's own credentials.
pub(crate) async fn here(global: &Global) -> Controller {
    let source = match &global.config {
        Some(file) => Source::File(file.clone()),
        None => Source::Parameters { installation: global.installation.clone(), copy: None },
    };
    let cache = std::env::temp_dir().join(format!("tidegate-{}", whoami()));
    Controller::new(Home::from_environment().await, source, cache)
}

/// The person at this command line, as this machine knows them.
pub(crate) fn caller() -> Caller {
    let id = format!("cli-{}", uuid::Uuid::new_v4().simple());
    Caller { actor: format!("{}, from the command line", whoami()), id, deadline: Instant::now() + TIMEOUT }
}

fn whoami() -> String {
    let name = std::env::var("USER").unwrap_or_default();
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c)).take(32).collect();
    if plain.is_empty() { "somebody".to_owned() } else { plain }
}

/// Runs a command in the controller's function, or here where `--direct` asks for it.
pub(crate) async fn send(global: &Global, command: &Command) -> Result<Answer, Error> {
    if global.direct {
        return Ok(here(global).await.run(command, &caller()).await);
    }
    let function = global.function();
    let config = aws_config::defaults(aws_config::BehaviorVersion::latest()).load().await;
    // A tick may take as long as the function may; asking twice would only find the lease held.
    let timeouts = aws_config::timeout::TimeoutConfig::builder().operation_timeout(TIMEOUT).build();
    let config =
        config.to_builder().timeout_config(timeouts).retry_config(aws_config::retry::RetryConfig::disabled()).build();
    let client = aws_sdk_lambda::Client::new(&config);
    let payload = serde_json::to_vec(command).map_err(|error| Error::new(Exit::Unavailable, error.to_string()))?;
    let answer = client.invoke().function_name(&function).payload(Blob::new(payload)).send().await;
    let answer =
        answer.map_err(error::failed("lambda:Invoke", &function)).map_err(|error| unreached(&function, &error))?;
    let body = answer.payload.map(Blob::into_inner).unwrap_or_default();
    if let Some(kind) = answer.function_error {
        let text = String::from_utf8_lossy(&body).chars().take(500).collect::<String>();
        let message = format!(
            "the function `{function}` failed ({kind}): {text}\nhint: look at its log, or run the command with `--direct`"
        );
        return Err(Error::new(Exit::Unavailable, message));
    }
    serde_json::from_slice(&body).map_err(|_| {
        let message =
            format!("`{function}` answers, but not as a Tidegate of this version\nhint: is `--function` right?");
        Error::new(Exit::Unavailable, message)
    })
}

fn unreached(function: &str, error: &error::CallError) -> Error {
    let hint = match error.kind {
        error::Kind::NotFound => "is `--installation` or `--function` right, and the region?".to_owned(),
        error::Kind::Denied => {
            format!("you need `lambda:InvokeFunction` on `{function}`; `--direct` uses your own rights")
        }
        _ => "`--direct` does it here, with your own credentials".to_owned(),
    };
    let exit = if error.kind == error::Kind::Denied { Exit::Refused } else { Exit::Unavailable };
    Error::new(exit, format!("the controller could not be asked: {error}\nhint: {hint}"))
}

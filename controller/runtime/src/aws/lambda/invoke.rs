//! Invokes a version for its smoke test: the one call that runs somebody else's code.
use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use tidegate_core::smoke::Invoked;

use super::Paced;
use crate::aws::error::{CallError, Kind, failed};

/// `Invoke`, and wait for the answer for at most `patience`.
///
/// # Errors
/// Where the call may not be made at all, or there is no such version; everything else is an answer.
pub async fn invoke(
    lambda: Paced<'_>,
    function: &str,
    qualifier: &str,
    payload: &serde_json::Value,
    patience: Duration,
) -> Result<Invoked, CallError> {
    let call = lambda
        .unpaced()
        .invoke()
        .function_name(function)
        .qualifier(qualifier)
        .payload(Blob::new(payload.to_string()))
        .customize()
        // A function may take longer than any call of the control plane; and asking it twice is for the next tick to decide.
        .config_override(
            aws_sdk_lambda::config::Builder::new()
                .timeout_config(
                    aws_sdk_lambda::config::timeout::TimeoutConfig::builder()
                        .operation_timeout(patience)
                        .operation_attempt_timeout(patience)
                        .build(),
                )
                .retry_config(aws_sdk_lambda::config::retry::RetryConfig::disabled()),
        )
        .send();
    let resource = format!("{function}:{qualifier}");
    let answer = match tokio::time::timeout(patience, call).await {
        Ok(answer) => answer,
        Err(_) => return Ok(Invoked::TimedOut { seconds: patience.as_secs() }),
    };
    match answer {
        Ok(answer) => Ok(Invoked::Answered {
            error: answer.function_error,
            payload: answer.payload.map(Blob::into_inner).unwrap_or_default(),
        }),
        Err(aws_smithy_runtime_api::client::result::SdkError::TimeoutError(_)) => {
            Ok(Invoked::TimedOut { seconds: patience.as_secs() })
        }
        Err(error) => {
            let error = failed("lambda:Invoke", &resource)(error);
            match error.kind {
                // A version that wakes answers 409 or 502; throttles and lost connections pass.
                Kind::Conflict | Kind::Throttled | Kind::Unreachable => {
                    Ok(Invoked::NotReady { message: error.message })
                }
                Kind::NotFound | Kind::Raced | Kind::Denied | Kind::Invalid | Kind::Spent => Err(error),
            }
        }
    }
}

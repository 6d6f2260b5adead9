//! Effect: asks another service, by invoking the alias that the registry has for it.

use aws_sdk_lambda::error::BoxError;
use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;
use service_kit::{Outcome, Rejection, Reply};

use crate::registry::{self, Registry};

/// Why another service gave no result.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It is not to be found.
    #[error(transparent)]
    Registry(#[from] registry::Error),
    /// Lambda did not run it: throttled, denied, alias gone, or no answer in time.
    #[error("`{service}` could not be invoked")]
    NotInvoked { service: &'static str, source: BoxError },
    /// It ran, and failed.
    #[error("`{service}` failed with `{error_type}`")]
    Failed { service: &'static str, error_type: String },
    /// It answered something else than its contract says.
    #[error("`{service}` gave an answer that cannot be read")]
    Malformed { service: &'static str, source: serde_json::Error },
    /// It says why it has no result: the caller is told the same.
    #[error("{message}")]
    Rejected { service: &'static str, status_code: u16, code: String, message: String },
}

impl Rejection for Error {
    fn status_code(&self) -> u16 {
        match self {
            Self::Registry(_) | Self::NotInvoked { .. } => 503,
            Self::Rejected { status_code, .. } if (400..500).contains(status_code) => *status_code,
            Self::Failed { .. } | Self::Malformed { .. } | Self::Rejected { .. } => 502,
        }
    }

    fn code(&self) -> &str {
        match self {
            Self::Registry(registry::Error::NotRegistered { .. } | registry::Error::NotListed { .. }) => {
                "ServiceNotRegistered"
            }
            Self::Registry(registry::Error::Unavailable { .. } | registry::Error::Malformed { .. }) => {
                "RegistryUnavailable"
            }
            Self::NotInvoked { .. } => "DownstreamUnavailable",
            Self::Failed { .. } | Self::Malformed { .. } => "DownstreamFailed",
            Self::Rejected { code, .. } => code,
        }
    }
}

/// A result, and the build that gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) result: Value,
    pub(crate) version: String,
}

/// The other services.
#[derive(Debug)]
pub(crate) struct Downstream {
    lambda: aws_sdk_lambda::Client,
    registry: Registry,
}

impl Downstream {
    /// The services that `registry` knows, invoked through `lambda`.
    pub(crate) fn new(lambda: aws_sdk_lambda::Client, registry: Registry) -> Self {
        Self { lambda, registry }
    }

    /// Asks one service and waits for its answer.
    pub(crate) async fn ask(&self, service: &'static str, request: &Value) -> Result<Served, Error> {
        let entry = self.registry.find(service).await?;
        tracing::debug!(service, alias = entry.alias_arn, version = entry.version, tag = entry.tag, "asking");
        let payload = Blob::new(request.to_string());
        let invoked = self.lambda.invoke().function_name(entry.alias_arn).payload(payload).send().await;
        let answer = invoked.map_err(|source| Error::NotInvoked { service, source: source.into() })?;
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        if answer.function_error.is_some() {
            return Err(Error::Failed { service, error_type: error_type(&payload) });
        }
        read_reply(service, &payload)
    }
}

/// The type of a function error: its payload is `{"errorType": …, "errorMessage": …}`. The message stays in the log of
/// the service that failed.
fn error_type(payload: &[u8]) -> String {
    let error: Option<Value> = serde_json::from_slice(payload).ok();
    let error_type = error.as_ref().and_then(|error| error.get("errorType")).and_then(Value::as_str);
    error_type.unwrap_or("an error without a type").to_owned()
}

fn read_reply(service: &'static str, payload: &[u8]) -> Result<Served, Error> {
    let reply: Reply<Value> = serde_json::from_slice(payload).map_err(|source| Error::Malformed { service, source })?;
    match reply.outcome {
        Outcome::Result(result) => Ok(Served { result, version: reply.version }),
        Outcome::Error { code, message } => {
            Err(Error::Rejected { service, status_code: reply.status_code, code, message })
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(payload: &Value) -> Result<Served, Error> {
        read_reply("flight-service", payload.to_string().as_bytes())
    }

    #[test]
    fn a_result_comes_with_the_build_that_gave_it() {
        let served = read(&json!({ "statusCode": 200, "version": "v1.2.3", "result": { "flight": "TG123" } })).unwrap();
        assert_eq!(served, Served { result: json!({ "flight": "TG123" }), version: "v1.2.3".to_owned() });
    }

    #[test]
    fn what_the_caller_did_wrong_is_passed_on_and_what_a_service_did_wrong_is_a_bad_gateway() {
        for (status, passed_on) in [(404, 404), (409, 409), (500, 502), (200, 502)] {
            let error = json!({ "code": "UnknownFlight", "message": "no flight `TG999`" });
            let error = read(&json!({ "statusCode": status, "version": "v1", "error": error })).unwrap_err();
            assert_eq!((error.status_code(), error.code()), (passed_on, "UnknownFlight"));
            assert_eq!(error.to_string(), "no flight `TG999`");
        }
    }

    #[test]
    fn an_answer_that_is_no_reply_is_named_with_its_service() {
        for payload in [json!(null), json!({ "flight": "TG123" })] {
            let error = read(&payload).unwrap_err();
            assert_eq!((error.status_code(), error.code()), (502, "DownstreamFailed"));
            assert_eq!(error.to_string(), "`flight-service` gave an answer that cannot be read");
        }
    }

    #[test]
    fn a_function_error_is_known_by_its_type_and_its_message_is_kept_back() {
        assert_eq!(error_type(br#"{"errorType":"BuildFault","errorMessage":"secret"}"#), "BuildFault");
        assert_eq!(error_type(b"Task timed out"), "an error without a type");
    }
}

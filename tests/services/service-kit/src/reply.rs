//! Decides how an answer looks.
//!
//! The services are invoked directly, with plain JSON in and out. The answer has a `statusCode` with HTTP's meaning, so
//! that "no such flight" is an answer and not a function error: Lambda's `Errors` then counts only what is broken.

use serde::{Deserialize, Serialize};

use crate::Build;
use crate::logs::chain;

/// What a service answers: a result, or why there is none, and always which build says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply<T> {
    /// As in HTTP.
    pub status_code: u16,
    /// The build that answered: `v1.2.3`.
    pub version: String,
    /// Whether there is a result; `result` or `error` in JSON.
    #[serde(flatten)]
    pub outcome: Outcome<T>,
}

/// `{"result": …}` or `{"error": {"code", "message"}}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome<T> {
    /// What was asked for.
    Result(T),
    /// Why it is not to be had.
    Error {
        /// For programs: `UnknownFlight`.
        code: String,
        /// For people.
        message: String,
    },
}

/// A service's own error, as its callers see it.
pub trait Rejection: std::error::Error {
    /// As in HTTP: 4xx where the caller can do something about it, 5xx where not.
    fn status_code(&self) -> u16;
    /// A name that stays the same when the message changes.
    fn code(&self) -> &str;
}

impl<T> Reply<T> {
    /// The answer of `build` with a result.
    pub fn ok(build: &Build, status_code: u16, result: T) -> Self {
        Self { status_code, version: build.version().to_owned(), outcome: Outcome::Result(result) }
    }

    /// The answer of `build` when it has no result; logged here, with its causes, so that no service forgets to.
    pub fn rejected(build: &Build, rejection: &impl Rejection) -> Self {
        let (status_code, code) = (rejection.status_code(), rejection.code());
        if status_code >= 500 {
            tracing::error!(status_code, code, error = chain(rejection), "request failed");
        } else {
            tracing::info!(status_code, code, error = chain(rejection), "request rejected");
        }
        let outcome = Outcome::Error { code: code.to_owned(), message: rejection.to_string() };
        Self { status_code, version: build.version().to_owned(), outcome }
    }

    /// The result, if there is one.
    pub fn result(&self) -> Option<&T> {
        match &self.outcome {
            Outcome::Result(result) => Some(result),
            Outcome::Error { .. } => None,
        }
    }

    /// The error's code, if there is one.
    pub fn error_code(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Result(_) => None,
            Outcome::Error { code, .. } => Some(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no flight `XX1`")]
    struct Unknown {
        source: std::fmt::Error,
    }

    impl Rejection for Unknown {
        fn status_code(&self) -> u16 {
            404
        }
        fn code(&self) -> &str {
            "UnknownFlight"
        }
    }

    #[test]
    fn a_result_stands_beside_status_and_version() {
        let reply = Reply::ok(&Build::new("v1.2.3"), 200, json!({ "gate": "C4" }));
        let expected = json!({ "statusCode": 200, "version": "v1.2.3", "result": { "gate": "C4" } });
        assert_eq!(serde_json::to_value(&reply).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Reply<serde_json::Value>>(expected).unwrap(), reply);
    }

    #[test]
    fn a_rejection_tells_its_code_and_message_but_not_its_causes() {
        let reply = Reply::<()>::rejected(&Build::new("v1.2.3"), &Unknown { source: std::fmt::Error });
        assert_eq!(
            serde_json::to_value(&reply).unwrap(),
            json!({
                "statusCode": 404,
                "version": "v1.2.3",
                "error": { "code": "UnknownFlight", "message": "no flight `XX1`" },
            })
        );
        assert_eq!((reply.result(), reply.error_code()), (None, Some("UnknownFlight")));
    }
}

//! What a failed AWS call means for us, whichever service it was.
use aws_credential_types::provider::error::CredentialsError;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// What a failure asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The thing does not exist (404).
    NotFound,
    /// An update is in progress, or it exists already (409).
    Conflict,
    /// Somebody else wrote since we read (412): read again, plan again.
    Raced,
    /// Too many requests, after the SDK's own retries.
    Throttled,
    /// The credentials may not do this, or could not be had.
    Denied,
    /// AWS refused what was sent.
    Invalid,
    /// It was not sent: the budget had no call left in time.
    Spent,
    /// No answer, or an answer of 5xx: whether it had an effect is not known.
    Unreachable,
}

impl Kind {
    const fn describe(self) -> &'static str {
        match self {
            Self::NotFound => "not found",
            Self::Conflict => "conflict",
            Self::Raced => "changed by somebody else meanwhile",
            Self::Throttled => "throttled",
            Self::Denied => "access denied",
            Self::Invalid => "refused",
            Self::Spent => "not asked",
            Self::Unreachable => "no answer",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.describe())
    }
}

/// A call that failed.
#[derive(Debug, thiserror::Error)]
#[error("`{operation}` of `{resource}`: {kind}{}", detail(code.as_deref(), message))]
pub struct CallError {
    /// Service and operation, for example `lambda:GetFunction`.
    pub operation: &'static str,
    /// What it was about.
    pub resource: String,
    /// What the failure asks for.
    pub kind: Kind,
    /// AWS's own code, where there was an answer.
    pub code: Option<String>,
    /// AWS's own words, or what the connection said.
    pub message: String,
}

fn detail(code: Option<&str>, message: &str) -> String {
    match code {
        Some(code) => format!(" ({code}: {message})"),
        None => format!(" ({message})"),
    }
}

impl CallError {
    /// Whether the budget had no call left in time: nothing is known of the thing, and nothing is wrong with it.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.kind == Kind::Spent
    }

    /// The same, without what it repeats of these values. Lambda does so where an environment is too large for it: `String
    /// measured: {"NAME":"value", …}`, as a text that may be escaped, so that all of that is left out.
    #[must_use]
    pub fn without_values<'v>(mut self, values: impl Iterator<Item = &'v String>) -> Self {
        // Shorter ones are words of their own, and tell nothing.
        for value in values.filter(|value| value.len() >= SHORTEST_SECRET) {
            self.message = self.message.replace(&shown(value, usize::MAX), "…");
        }
        // After the values: an escaped character has a brace too, and what is cut in two is not found any more.
        if let Some(at) = self.message.find('{') {
            self.message.truncate(at);
            self.message.push('…');
        }
        self
    }

    /// Whether the thing does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.kind == Kind::NotFound
    }
}

/// Turns the SDK's error into ours: for `map_err`.
pub fn failed<E>(operation: &'static str, resource: &str) -> impl FnOnce(SdkError<E, Response>) -> CallError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let resource = resource.to_owned();
    move |error| {
        let status = error.raw_response().map(|response| response.status().as_u16());
        let code = error.as_service_error().and_then(|service| service.code()).map(|code| shown(code, LONGEST_CODE));
        let kind = kind_of(&error, code.as_deref(), status);
        let message = match (error.as_service_error(), credentials(&error)) {
            (Some(service), _) => service.message().unwrap_or("no message").to_owned(),
            (None, Some(credentials)) => chain(credentials),
            (None, None) => chain(&error),
        };
        CallError { operation, resource, kind, code, message: shown(&message, LONGEST_MESSAGE) }
    }
}

/// Values with fewer bytes are not looked for in what AWS says.
const SHORTEST_SECRET: usize = 4;
/// AWS's longest codes have half as many characters.
const LONGEST_CODE: usize = 120;
/// What a denial says has some hundred characters.
const LONGEST_MESSAGE: usize = 1_000;

/// Words from outside: they end no line of a log, and are cut where they are long.
fn shown(text: &str, longest: usize) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == longest {
            shown.push('…');
            break;
        }
        if character.is_control() { shown.extend(character.escape_default()) } else { shown.push(character) }
    }
    shown
}

fn kind_of<E>(error: &SdkError<E, Response>, code: Option<&str>, status: Option<u16>) -> Kind
where
    E: std::error::Error + 'static,
{
    if matches!(error, SdkError::ConstructionFailure(_)) {
        return Kind::Invalid;
    }
    if credentials(error).is_some() {
        return Kind::Denied;
    }
    let by_code = code.and_then(|code| match code {
        "ResourceNotFoundException"
        | "NoSuchKey"
        | "NoSuchBucket"
        | "NotFound"
        | "ParameterNotFound"
        | "RepositoryNotFoundException"
        | "ImageNotFoundException" => Some(Kind::NotFound),
        "PreconditionFailedException" | "PreconditionFailed" => Some(Kind::Raced),
        "ResourceConflictException" | "ConditionalRequestConflict" | "OperationAborted" => Some(Kind::Conflict),
        "TooManyRequestsException" | "ThrottlingException" | "Throttling" | "SlowDown" | "RequestLimitExceeded" => {
            Some(Kind::Throttled)
        }
        "AccessDenied"
        | "AccessDeniedException"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "KMSAccessDeniedException" => Some(Kind::Denied),
        _ => None,
    });
    by_code.unwrap_or(match status {
        Some(404) => Kind::NotFound,
        Some(409) => Kind::Conflict,
        Some(412) => Kind::Raced,
        Some(429) => Kind::Throttled,
        Some(401 | 403) => Kind::Denied,
        Some(400..=499) => Kind::Invalid,
        _ => Kind::Unreachable,
    })
}

/// Why there are no credentials to sign with, where that is what a failure comes from. No request was sent.
fn credentials<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e CredentialsError> {
    std::iter::successors(Some(error), |error| error.source()).find_map(|error| error.downcast_ref())
}

/// An error and its causes, in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.ends_with(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(message: &str) -> CallError {
        let message = shown(message, LONGEST_MESSAGE);
        let (operation, resource) = ("lambda:UpdateFunctionConfiguration", "Flight".to_owned());
        CallError { operation, resource, kind: Kind::Invalid, code: None, message }
    }

    #[test]
    fn what_lambda_repeats_of_an_environment_is_left_out() {
        let values = ["hunter2-\u{7}".to_owned(), "no".to_owned()];
        let message = |text: &str| said(text).without_values(values.iter()).message;
        let measured =
            "the environment variables you have provided exceeds the 4KB limit. String measured: {\"A\":\"hunter2\"}";
        assert_eq!(
            message(measured),
            "the environment variables you have provided exceeds the 4KB limit. String measured: …"
        );
        assert_eq!(message("Value 'hunter2-\u{7}' is not valid"), "Value '…' is not valid");
        assert_eq!(message("The role cannot be assumed, no"), "The role cannot be assumed, no");
    }

    #[test]
    fn words_of_aws_end_no_line_and_are_cut() {
        assert_eq!(said("first\nsecond \u{1b}[31m").message, "first\\nsecond \\u{1b}[31m");
        assert_eq!(said(&"ä".repeat(2_000)).message.chars().count(), LONGEST_MESSAGE + 1);
    }
}

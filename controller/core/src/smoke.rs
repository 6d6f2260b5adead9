//! Judges a smoke test: one invocation of the new version before it gets any traffic.
use chrono::{DateTime, Utc};
use release_schema::SmokeTest;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How many characters of an answer are kept, escaped.
const KEPT: usize = 500;

/// What came of the invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Invoked {
    /// The function answered.
    Answered {
        /// `X-Amz-Function-Error`, where the handler failed.
        error: Option<String>,
        /// The answer, as the function gave it.
        payload: Vec<u8>,
    },
    /// Lambda took no invocation: the version wakes, or calls are throttled. It is tried again.
    NotReady {
        /// What Lambda said.
        message: String,
    },
    /// There was no answer within this many seconds: the function is slow, or the answer was lost on its way.
    TimedOut {
        /// Seconds.
        seconds: u64,
    },
}

/// How a smoke test went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Result {
    /// What came of it.
    pub outcome: Outcome,
    /// Why, where it did not pass.
    pub message: Option<String>,
    /// The beginning of the answer, escaped: text from outside.
    pub answer: Option<String>,
    /// Server time.
    pub at: DateTime<Utc>,
}

/// What comes of a smoke test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// All that was expected is there.
    Passed,
    /// It is not.
    Failed,
    /// It could not be run yet.
    NotReady,
    /// It was run, and no answer came: it is run once more.
    Unanswered,
}

/// Holds the answer against what was expected of it. `before` is how it went the last time, where it was run before.
#[must_use]
pub fn judge(test: &SmokeTest, invoked: &Invoked, before: Option<&Result>, now: DateTime<Utc>) -> Result {
    let (outcome, message, answer) = match invoked {
        Invoked::NotReady { message } => (Outcome::NotReady, Some(shown(message)), None),
        Invoked::TimedOut { seconds } if before.is_some_and(|before| before.outcome == Outcome::Unanswered) => {
            (Outcome::Failed, Some(format!("no answer within {seconds} s, twice")), None)
        }
        Invoked::TimedOut { seconds } => (Outcome::Unanswered, Some(format!("no answer within {seconds} s")), None),
        Invoked::Answered { error, payload } => {
            let complaint = complaint(test, error.as_deref(), payload);
            let outcome = if complaint.is_none() { Outcome::Passed } else { Outcome::Failed };
            (outcome, complaint, Some(shown(&String::from_utf8_lossy(payload))))
        }
    };
    Result { outcome, message, answer, at: now }
}

/// The first expectation that the answer does not meet.
fn complaint(test: &SmokeTest, error: Option<&str>, payload: &[u8]) -> Option<String> {
    if let Some(error) = error {
        let what = serde_json::from_slice::<Value>(payload).ok();
        let message = what.as_ref().and_then(|what| what.get("errorMessage")?.as_str()).unwrap_or("no message");
        return Some(format!("the function failed ({}): {}", shown(error), shown(message)));
    }
    let SmokeTest { payload: _, expect_status, expect_body, expect_json } = test;
    if expect_status.is_none() && expect_body.is_none() && expect_json.is_empty() {
        return None;
    }
    let Ok(answer) = serde_json::from_slice::<Value>(payload) else {
        return Some("the answer is not JSON".to_owned());
    };
    let status = answer.get("statusCode").and_then(Value::as_u64);
    if let Some(expected) = expect_status.filter(|expected| status != Some(u64::from(*expected))) {
        let found = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        return Some(format!("statusCode is {found}, not {expected}"));
    }
    let body = answer.get("body").map(|body| body.as_str().map_or_else(|| body.to_string(), str::to_owned));
    if let Some(fragment) =
        expect_body.as_ref().filter(|fragment| body.as_ref().is_none_or(|body| !body.contains(*fragment)))
    {
        return Some(format!("the body does not contain `{}`", shown(fragment)));
    }
    let answer = with_body_read(answer);
    expect_json.iter().find_map(|(pointer, expected)| {
        let found = answer.pointer(pointer.as_str());
        let is = || found.map_or_else(|| "nothing".to_owned(), |found| format!("`{}`", shown(&found.to_string())));
        (found != Some(expected)).then(|| format!("`{pointer}` is {}, not `{}`", is(), shown(&expected.to_string())))
    })
}

/// The answer, with its body read as JSON where that is JSON in a text, as behind an API gateway.
fn with_body_read(mut answer: Value) -> Value {
    if let Some(body) = answer.get_mut("body")
        && let Some(read) = body.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok())
    {
        *body = read;
    }
    answer
}

/// Text from outside, on one line and cut.
fn shown(text: &str) -> String {
    let mut kept: String = text.chars().take(KEPT).flat_map(char::escape_debug).collect();
    if text.chars().nth(KEPT).is_some() {
        kept.push('…');
    }
    kept
}

//! Sessions: AWS query.
use bytes::Bytes;

use crate::LocalAws;
use crate::wire::{Answer, AwsError, Call, rest_json_error};

use chrono::{DateTime, Utc};

/// All sessions of the world.
#[derive(Default)]
pub(crate) struct State {
    sessions: std::collections::BTreeMap<String, Session>,
}

/// Whom an access key speaks for.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    /// The role's account.
    pub(crate) account: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
    pub(crate) arn: String,
    /// On the world's clock.
    pub(crate) expires: DateTime<Utc>,
}

impl State {
    /// The session that an access key belongs to, expired or not.
    pub(crate) fn session(&self, access_key: &str) -> Option<Session> {
        self.sessions.get(access_key).cloned()
    }

    /// From now on `access_key` speaks for `session`: Lambda gives such keys to its functions.
    pub(crate) fn remember(&mut self, access_key: String, session: Session) {
        self.sessions.insert(access_key, session);
    }
}

/// The operation that a request asks for.
pub(crate) fn operation(_head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    None
}

/// What a call is about, for the log of calls.
pub(crate) fn resource(_call: &Call) -> String {
    String::new()
}

/// Answers one call.
pub(crate) async fn handle(_aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    Err(AwsError::not_implemented(call.operation))
}

/// An error in the protocol of the request.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    rest_json_error(error, "message")
}

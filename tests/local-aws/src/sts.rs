//! STS: who a caller is, and the sessions that `AssumeRole` gives out.
//!
//! While no role is registered any role of any account can be assumed. As soon as one is, only registered roles can, with
//! the external id that each was registered with.
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use chrono::{DateTime, Duration, Utc};
use sha2::{Digest, Sha256};

use crate::LocalAws;
use crate::codec::{Value, query, structure};
use crate::wire::{Answer, AwsError, Call, Caller};

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Roles that may be assumed, and the sessions given out.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    roles: BTreeMap<String, Role>,
    sessions: HashMap<String, Session>,
    opened: u64,
}

#[derive(Clone, Debug)]
struct Role {
    external_id: Option<String>,
}

/// What the credentials of one `AssumeRole` stand for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// The role's account, 12 digits.
    pub(crate) account: String,
    /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`.
    pub(crate) arn: String,
    /// Server time from which the credentials are refused.
    pub(crate) expires: DateTime<Utc>,
}

impl LocalAws {
    /// Lets the role `arn` be assumed, by callers that give `external_id` where there is one. As soon as one role is
    /// registered, only registered ones can be assumed.
    pub fn register_role(&self, arn: &str, external_id: Option<&str>) {
        self.sts().register_role(arn, external_id);
    }
}

impl State {
    fn register_role(&mut self, arn: &str, external_id: Option<&str>) {
        self.roles.insert(arn.to_owned(), Role { external_id: external_id.map(str::to_owned) });
    }

    /// The session that an access key belongs to, expired or not.
    pub(crate) fn session(&self, access_key: &str) -> Option<Session> {
        self.sessions.get(access_key).cloned()
    }

    /// From now on `access_key` speaks for `session`: Lambda gives such keys to its functions.
    pub(crate) fn remember(&mut self, access_key: String, session: Session) {
        self.sessions.insert(access_key, session);
    }

    fn may_assume(&self, arn: &str, external_id: Option<&str>) -> bool {
        match self.roles.get(arn) {
            Some(Role { external_id: None }) => true,
            Some(Role { external_id: Some(expected) }) => external_id == Some(expected),
            None => self.roles.is_empty(),
        }
    }

    /// Keys are a function of what was asked before: the same run gives out the same ones.
    fn open(&mut self, role: &RoleArn<'_>, name: &str, expires: DateTime<Utc>) -> (String, Session) {
        self.opened += 1;
        let seed = hex::encode_upper(Sha256::digest(format!("{}/{}/{name}", self.opened, role.arn)));
        let session = Session {
            account: role.account.to_owned(),
            arn: format!("arn:aws:sts::{}:assumed-role/{}/{name}", role.account, role.name),
            expires,
        };
        let key = format!("ASIA{seed:.16}");
        self.sessions.insert(key.clone(), session.clone());
        (key, session)
    }
}

/// The operation that the form names.
pub(crate) fn operation(head: &http::request::Parts, body: &Bytes) -> Option<&'static str> {
    match query::read(form(head, body)).text("Action").ok()?? {
        "AssumeRole" => Some("AssumeRole"),
        "GetCallerIdentity" => Some("GetCallerIdentity"),
        _ => None,
    }
}

/// The form is the body of a POST, or the query string of a GET.
fn form<'r>(head: &'r http::request::Parts, body: &'r Bytes) -> &'r [u8] {
    if body.is_empty() { head.uri.query().unwrap_or_default().as_bytes() } else { body }
}

/// What a call is about, for the log of calls: the role.
pub(crate) fn resource(call: &Call) -> String {
    let input = query::read(form(&call.head, &call.body));
    input.text("RoleArn").ok().flatten().unwrap_or_default().to_owned()
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    let input = query::read(form(&call.head, &call.body));
    let mut state = aws.sts();
    let output = match call.operation {
        "AssumeRole" => assume_role(&mut state, &call, &input)?,
        "GetCallerIdentity" => caller_identity(&call.caller),
        other => return Err(AwsError::not_implemented(format_args!("sts {other}"))),
    };
    Ok(query::answer(NAMESPACE, call.operation, &output))
}

/// An error in the protocol of the request.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    query::error(NAMESPACE, &query::renamed(error))
}

fn caller_identity(caller: &Caller) -> Value {
    let user = match assumed_role_id(&caller.arn) {
        Some(id) => id,
        None => caller.account.clone(),
    };
    structure().with("Arn", &caller.arn).with("UserId", user).with("Account", &caller.account)
}

/// `AROA…:<session>`: the same for every session of a role.
fn assumed_role_id(arn: &str) -> Option<String> {
    let (role, session) = arn.rsplit_once('/').filter(|_| arn.contains(":assumed-role/"))?;
    Some(format!("AROA{:.17}:{session}", hex::encode_upper(Sha256::digest(role))))
}

fn assume_role(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let invalid = |message: String| AwsError::new(400, "ValidationError", message);
    let arn = input.text("RoleArn")?.ok_or_else(|| required("roleArn"))?;
    let name = input.text("RoleSessionName")?.ok_or_else(|| required("roleSessionName"))?;
    let role = RoleArn::parse(arn).ok_or_else(|| invalid(format!("{arn} is invalid")))?;
    if !(2..=64).contains(&name.len()) || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c)) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    let seconds = input.int("DurationSeconds")?.unwrap_or(3600);
    if !(900..=43_200).contains(&seconds) {
        return Err(invalid(format!(
            "1 validation error detected: Value '{seconds}' at 'durationSeconds' failed to satisfy constraint: Member \
             must have value between 900 and 43200"
        )));
    }
    // A role's `MaxSessionDuration` is an hour unless somebody raised it, and nobody can here.
    if seconds > 3600 {
        return Err(invalid(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.".to_owned(),
        ));
    }
    if !state.may_assume(arn, input.text("ExternalId")?) {
        let message =
            format!("User: {} is not authorized to perform: sts:AssumeRole on resource: {arn}", call.caller.arn);
        return Err(AwsError::new(403, "AccessDenied", message));
    }
    let (key, session) = state.open(&role, name, call.now + Duration::seconds(seconds));
    let credentials = structure()
        .with("AccessKeyId", &key)
        .with("SecretAccessKey", format!("local-secret-of-{key}"))
        .with("SessionToken", format!("local-session-token-of-{key}"))
        .with("Expiration", session.expires);
    let user = structure().with_some("AssumedRoleId", assumed_role_id(&session.arn)).with("Arn", &session.arn);
    Ok(structure().with("Credentials", credentials).with("AssumedRoleUser", user))
}

fn required(member: &str) -> AwsError {
    let message = format!(
        "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
    );
    AwsError::new(400, "ValidationError", message)
}

/// `arn:aws:iam::<account>:role/[path/]<name>`; a session's ARN leaves the path out.
struct RoleArn<'a> {
    arn: &'a str,
    account: &'a str,
    name: &'a str,
}

impl<'a> RoleArn<'a> {
    fn parse(arn: &'a str) -> Option<Self> {
        let (account, path) = arn.strip_prefix("arn:aws:iam::")?.split_once(":role/")?;
        let name = path.rsplit('/').next()?;
        let digits = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let named = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c));
        (digits && named).then_some(Self { arn, account, name })
    }
}

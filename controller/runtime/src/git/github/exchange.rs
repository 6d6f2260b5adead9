//! Effect: asks GitHub's API for a token, with the same refusals as all of Git's traffic: one host, no redirect, no proxy,
//! little read.
use std::io::Read as _;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, Utc};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::assertion::assertion;
use super::error::Error;
use super::{App, Right};
use crate::git::http::{CONNECT_TIMEOUT, agent};
use crate::secret::Secret;

/// Bytes of an answer: GitHub's has some 5 kB, most of it about the repository.
const MAX_ANSWER_BYTES: u64 = 256 << 10;

/// By how much our clock may be wrong: less than the minute by which an assertion is antedated.
const SKEW: Duration = Duration::from_secs(50);

/// What GitHub gave.
pub(super) struct Granted {
    pub(super) token: Secret,
    /// How long from now, by the server's clock.
    pub(super) lives: Duration,
}

#[derive(Deserialize)]
struct Grant {
    token: String,
    expires_at: DateTime<Utc>,
}

/// Asks for a token with this right. Where the assertion is refused and our clock is not the server's, once more by the
/// server's.
pub(super) fn ask(app: &App, right: Right, time: Duration) -> Result<Granted, Error> {
    let began = Instant::now();
    let now = SystemTime::now();
    let answer = send(app, right, now, time)?;
    match server_time(answer.headers()) {
        Some(theirs) if answer.status() == StatusCode::UNAUTHORIZED && apart(now, theirs) > SKEW => {
            tracing::warn!(host = app.host, "this machine's clock is not GitHub's, which counts");
            granted(app, right, send(app, right, theirs, time.saturating_sub(began.elapsed()))?)
        }
        _ => granted(app, right, answer),
    }
}

fn send(app: &App, right: Right, now: SystemTime, time: Duration) -> Result<http::Response<ureq::Body>, Error> {
    let protocol = |what| Error::Protocol { host: app.host.clone(), what };
    let assertion = assertion(app.id, &app.key, now)?;
    let mut authorization = HeaderValue::try_from(format!("Bearer {}", assertion.expose()))
        .map_err(|_| protocol("the assertion cannot be sent"))?;
    authorization.set_sensitive(true);
    let mut url = app.api.clone();
    let path = format!("{}/app/installations/{}/access_tokens", url.path().trim_end_matches('/'), app.installation);
    url.set_path(&path);
    let wanted = json!({"repositories": [app.repository], "permissions": {"contents": permission(right)}}).to_string();
    let request = Request::post(url.as_str())
        .header(AUTHORIZATION, authorization)
        .header(ACCEPT, "application/vnd.github+json")
        .header("X-GitHub-Api-Version", "2022-11-28")
        .header(CONTENT_TYPE, "application/json")
        .body(wanted)
        .map_err(|_| protocol("the request cannot be sent"))?;
    let agent = agent(&app.api, None);
    let request = agent.configure_request(request).timeout_global(Some(time));
    let request = request.timeout_connect(Some(time.min(CONNECT_TIMEOUT))).build();
    agent.run(request).map_err(|source| Error::Unreachable { host: app.host.clone(), source: Box::new(source) })
}

/// Contents alone: reading metadata comes with every token.
const fn permission(right: Right) -> &'static str {
    match right {
        Right::Read => "read",
        Right::Write => "write",
    }
}

fn granted(app: &App, right: Right, answer: http::Response<ureq::Body>) -> Result<Granted, Error> {
    let host = app.host.clone();
    let (head, body) = answer.into_parts();
    let (id, installation) = (app.id, app.installation);
    match head.status {
        StatusCode::CREATED => {}
        StatusCode::UNAUTHORIZED => return Err(Error::KeyRefused { host, app: id }),
        StatusCode::TOO_MANY_REQUESTS => return Err(Error::Throttled { host }),
        StatusCode::FORBIDDEN if none_left(&head.headers) => return Err(Error::Throttled { host }),
        StatusCode::FORBIDDEN => return Err(Error::Forbidden { host, installation }),
        StatusCode::NOT_FOUND => return Err(Error::InstallationMissing { host, app: id, installation }),
        StatusCode::UNPROCESSABLE_ENTITY => {
            let (repository, permission) = (app.repository.clone(), permission(right));
            return Err(Error::NotGranted { installation, repository, permission });
        }
        status if status.is_redirection() => return Err(Error::Redirected { host }),
        status => return Err(Error::Status { host, status: status.as_u16() }),
    }
    let protocol = |what| Error::Protocol { host: app.host.clone(), what };
    let mut bytes = Vec::new();
    let read = body.into_reader().take(MAX_ANSWER_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Unreachable { host: app.host.clone(), source: Box::new(source) })?;
    if bytes.len() as u64 > MAX_ANSWER_BYTES {
        return Err(protocol("it is too long"));
    }
    // The parser's own words could repeat the token.
    let Grant { token, expires_at } = serde_json::from_slice(&bytes).map_err(|_| protocol("it is something else"))?;
    if token.is_empty() || token.chars().any(|c| !c.is_ascii_graphic()) {
        return Err(protocol("the token in it is no token"));
    }
    let said = server_time(&head.headers).unwrap_or_else(SystemTime::now);
    let lives = SystemTime::from(expires_at).duration_since(said).map_err(|_| protocol("the token in it has ended"))?;
    Ok(Granted { token: Secret::new(token), lives })
}

fn none_left(headers: &HeaderMap) -> bool {
    headers.get("x-ratelimit-remaining").is_some_and(|left| left == "0") || headers.contains_key("retry-after")
}

fn server_time(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

fn apart(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

//! The part of GitHub's API that an app signs in with, strict: it makes a token for one repository and one permission, for
//! whoever shows an assertion that the app's key signed, and the Git side takes that token while it lives.
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, SecondsFormat, Utc};
use http::{HeaderMap, Method, Request, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

/// Where the API is, as on a GitHub Enterprise Server.
pub(crate) const API: &str = "/api/v3";

/// The user of every token.
const USERNAME: &str = "x-access-token";

/// GitHub's longest life of an assertion.
const LONGEST: u64 = 600;

/// Bytes in front of the RSA key in a PKCS #8 key of 2,048 bits: version and algorithm.
const PKCS8_HEAD: usize = 26;

/// An app's key pair, as GitHub gives and keeps it.
#[derive(Clone)]
pub struct Keys {
    /// PKCS #1 in PEM: the file that GitHub gives.
    pub private_pem: String,
    /// The same in PKCS #8, as `openssl pkcs8` writes it.
    pub private_pkcs8_pem: String,
    /// What GitHub keeps.
    pub public_der: Vec<u8>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// A new pair of 2,048 bits.
    ///
    /// # Panics
    /// Where the machine has no randomness.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test without keys is none")]
    pub fn generate() -> Self {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).expect("a key");
        let pkcs8 = pair.as_der().expect("a key in PKCS #8");
        let pkcs1 = pkcs8.as_ref().get(PKCS8_HEAD..).unwrap_or_default();
        Self {
            private_pem: pem("RSA PRIVATE KEY", pkcs1),
            private_pkcs8_pem: pem("PRIVATE KEY", pkcs8.as_ref()),
            public_der: pair.public_key().as_ref().to_vec(),
        }
    }
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> = (0..text.len()).step_by(64).filter_map(|at| text.get(at..text.len().min(at + 64))).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// An app, its one installation, and what they may do; all of it may change while the server runs.
#[derive(Clone, Debug)]
pub struct GithubApp {
    /// The app's number.
    pub id: u64,
    /// The number of its installation.
    pub installation: u64,
    /// The one repository that it was given, without its owner and `.git`.
    pub repository: String,
    /// Whether it was given `contents: write`.
    pub may_write: bool,
    /// Its keys.
    pub public_keys: Vec<Vec<u8>>,
    /// How long a token lives.
    pub token_lives: Duration,
    /// How many requests of Git a token serves, where it is to end early.
    pub token_serves: Option<u32>,
    /// Whether the installation is suspended.
    pub suspended: bool,
    /// By how much the server's clock is ahead of this machine's.
    pub clock_ahead: Duration,
    /// What the API answers with in place of all this.
    pub status: Option<u16>,
}

impl GithubApp {
    /// An app that may write to one repository; its tokens live an hour, as GitHub's do.
    #[must_use]
    pub fn new(repository: &str, keys: &Keys) -> Self {
        Self {
            id: 1234,
            installation: 5678,
            repository: repository.to_owned(),
            may_write: true,
            public_keys: vec![keys.public_der.clone()],
            token_lives: Duration::from_secs(3_600),
            token_serves: None,
            suspended: false,
            clock_ahead: Duration::ZERO,
            status: None,
        }
    }
}

/// A token that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubToken {
    /// The token itself.
    pub text: String,
    /// `read` or `write`.
    pub contents: String,
    expires: u64,
    serves: Option<u32>,
}

/// The app and its tokens.
#[derive(Debug)]
pub(crate) struct Github {
    app: Mutex<GithubApp>,
    tokens: Mutex<Vec<GithubToken>>,
}

/// What an app asks for: these fields, and no others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    repositories: Vec<String>,
    permissions: Permissions,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Permissions {
    contents: String,
}

/// The head of an assertion.
#[derive(Deserialize)]
struct Head {
    alg: String,
}

/// What an assertion claims, all of it required.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: u64,
    exp: u64,
}

/// What the API says.
pub(crate) struct Said {
    pub(crate) status: StatusCode,
    pub(crate) body: String,
    /// The server's time, for the `Date` header.
    pub(crate) now: SystemTime,
}

impl Github {
    pub(crate) fn new(app: GithubApp) -> Self {
        Self { app: Mutex::new(app), tokens: Mutex::default() }
    }

    pub(crate) fn app(&self) -> MutexGuard<'_, GithubApp> {
        self.app.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn tokens(&self) -> MutexGuard<'_, Vec<GithubToken>> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> SystemTime {
        SystemTime::now() + self.app().clock_ahead
    }

    /// Answers a request to the API: `(status, message)` where it refuses.
    pub(crate) fn answer(&self, request: &Request<()>, body: &[u8]) -> Said {
        let now = self.now();
        let (status, body) = match self.make_token(request, body, seconds(now)) {
            Ok(token) => {
                let expires = UNIX_EPOCH + Duration::from_secs(token.expires);
                let expires = DateTime::<Utc>::from(expires).to_rfc3339_opts(SecondsFormat::Secs, true);
                let permissions = json!({"contents": token.contents, "metadata": "read"});
                let body = json!({"token": token.text, "expires_at": expires, "permissions": permissions});
                self.tokens().push(token);
                (StatusCode::CREATED, body)
            }
            Err((status, message)) => (status, json!({ "message": message })),
        };
        Said { status, body: body.to_string(), now }
    }

    fn make_token(&self, request: &Request<()>, body: &[u8], now: u64) -> Result<GithubToken, (StatusCode, String)> {
        let app = self.app().clone();
        if let Some(status) = app.status {
            return Err((StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT), "as it was told".to_owned()));
        }
        let assertion = bearer(request.headers()).ok_or((StatusCode::UNAUTHORIZED, "no assertion".to_owned()))?;
        check_assertion(assertion, &app, now).map_err(|error| (StatusCode::UNAUTHORIZED, format!("{error:#}")))?;
        if request.method() != Method::POST
            || request.uri().path() != format!("{API}/app/installations/{}/access_tokens", app.installation)
        {
            return Err((StatusCode::NOT_FOUND, "Not Found".to_owned()));
        }
        if app.suspended {
            return Err((StatusCode::FORBIDDEN, "This installation has been suspended".to_owned()));
        }
        let refused = |message: &str| (StatusCode::UNPROCESSABLE_ENTITY, message.to_owned());
        // Stricter than GitHub, which gives all that the installation has to whoever names nothing.
        let wanted = serde_json::from_slice::<Wanted>(body).map_err(|error| refused(&error.to_string()))?;
        let Wanted { repositories, permissions: Permissions { contents } } = wanted;
        if repositories != [app.repository] {
            return Err(refused("There is at least one repository that does not exist or is not accessible"));
        }
        if contents != "read" && !(contents == "write" && app.may_write) {
            return Err(refused("The permissions requested are not granted to this installation."));
        }
        let number = self.tokens().len();
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Ok(GithubToken {
            // As long as GitHub's may be since it makes them without a store of its own.
            text: format!("ghs_{}_{number:04}{nanos:0500x}", app.id),
            contents,
            expires: now + app.token_lives.as_secs(),
            serves: app.token_serves,
        })
    }

    /// Whether a request of Git's may pass: 401 where its token is none or has ended, 403 where it may not push.
    pub(crate) fn admits(&self, headers: &HeaderMap, push: bool) -> Result<(), StatusCode> {
        let now = seconds(self.now());
        let mut tokens = self.tokens();
        let text = password(headers).ok_or(StatusCode::UNAUTHORIZED)?;
        let token = tokens.iter_mut().find(|token| token.text == text && now < token.expires);
        let token = token.ok_or(StatusCode::UNAUTHORIZED)?;
        if let Some(serves) = &mut token.serves {
            *serves = serves.checked_sub(1).ok_or(StatusCode::UNAUTHORIZED)?;
        }
        if push && token.contents != "write" { Err(StatusCode::FORBIDDEN) } else { Ok(()) }
    }
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

fn password(headers: &HeaderMap) -> Option<String> {
    let text = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok()?;
    Some(text.strip_prefix(USERNAME)?.strip_prefix(':')?.to_owned())
}

/// What GitHub checks of an assertion, in its words where they are known.
fn check_assertion(assertion: &str, app: &GithubApp, now: u64) -> Result<()> {
    let undecodable = "A JSON web token could not be decoded";
    let (signed, signature) = assertion.rsplit_once('.').context(undecodable)?;
    let (header, claims) = signed.split_once('.').context(undecodable)?;
    let decode = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).context(undecodable);
    let header: Head = serde_json::from_slice(&decode(header)?)?;
    let Claims { iss, iat, exp } = serde_json::from_slice(&decode(claims)?)?;
    anyhow::ensure!(header.alg == "RS256", undecodable);
    let signature = decode(signature)?;
    let signs = |key: &Vec<u8>| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(signed.as_bytes(), &signature).is_ok()
    };
    anyhow::ensure!(app.public_keys.iter().any(signs), undecodable);
    anyhow::ensure!(iss == app.id.to_string(), "'Issuer' claim ('iss') must be an Integer");
    anyhow::ensure!(iat <= now, "'Issued at' claim ('iat') must be in the past");
    anyhow::ensure!(exp > now, "'Expiration time' claim ('exp') must be in the future");
    anyhow::ensure!(exp <= now + LONGEST, "'Expiration time' claim ('exp') is too far in the future");
    Ok(())
}

//! Which repository, which branch, and with what credential; a [`Remote`] is proof that its URL is safe to call.
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use ureq::tls::{Certificate, PemItem};
use url::{Host, Url};

use super::error::Error;
use super::exchange::Exchange;
use super::github::{self, App, Tokens};
use crate::secret::Secret;

/// What is sent to the remote's host, and to no other, as HTTP basic authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The user; for a token, what the host wants beside it (`x-access-token`, `oauth2`, …).
    pub username: String,
    /// The password or token.
    pub password: Secret,
}

/// What a request has to be allowed to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// List and fetch.
    Read,
    /// Create a branch.
    Write,
}

/// How a remote knows who calls.
#[derive(Clone, Debug)]
enum Login {
    /// It is public.
    Anonymous,
    /// A password or token that somebody made.
    Fixed(Credential),
    /// Tokens that a GitHub App makes as they are needed.
    App { app: App, tokens: Arc<Tokens> },
}

/// What one request carries.
#[derive(Debug)]
pub(super) struct Pass {
    /// The `Authorization` header.
    pub(super) header: Option<HeaderValue>,
    /// The token in it, where a new one can be made in its place.
    pub(super) renewable: Option<Secret>,
}

/// A branch of a repository behind smart HTTP.
#[derive(Clone, Debug)]
pub struct Remote {
    url: Url,
    host: String,
    branch: String,
    login: Login,
    roots: Option<Arc<Vec<Certificate<'static>>>>,
    exchange: Option<Exchange>,
}

impl Remote {
    /// A branch at a URL: `https`, or `http` on a loopback address.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] for another scheme, a user or password in the URL, a query or a fragment;
    /// [`Error::InvalidBranch`] where Git would refuse the name.
    pub fn new(url: &str, branch: &str) -> Result<Self, Error> {
        let (url, host) = callable(url).map_err(|reason| Error::InvalidUrl { reason })?;
        branch_reference(branch)?;
        Ok(Self { url, host, branch: branch.to_owned(), login: Login::Anonymous, roots: None, exchange: None })
    }

    /// The same, with a credential.
    #[must_use]
    pub fn with_credential(self, credential: Credential) -> Self {
        Self { login: Login::Fixed(credential), ..self }
    }

    /// The same, with tokens of a GitHub App; those that were made are kept in `tokens`.
    #[must_use]
    pub fn with_app(self, app: App, tokens: Arc<Tokens>) -> Self {
        Self { login: Login::App { app, tokens }, ..self }
    }

    /// The same, reached in this process in place of the network.
    #[must_use]
    pub fn reached_by(self, exchange: Exchange) -> Self {
        Self { exchange: Some(exchange), ..self }
    }

    /// The same, trusting these roots (PEM) in place of the public ones: for a Git server inside a company.
    ///
    /// # Errors
    /// [`Error::InvalidRoots`] where the PEM holds no certificate or cannot be read.
    pub fn with_root_certificates(self, pem: &[u8]) -> Result<Self, Error> {
        let mut roots = Vec::new();
        for item in ureq::tls::parse_pem(pem) {
            if let PemItem::Certificate(certificate) = item.map_err(|_| Error::InvalidRoots)? {
                roots.push(certificate);
            }
        }
        if roots.is_empty() {
            return Err(Error::InvalidRoots);
        }
        Ok(Self { roots: Some(Arc::new(roots)), ..self })
    }

    /// The URL: it holds no credential.
    #[must_use]
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// Host, with the port where it is not the scheme's own: how messages name the server.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The branch, without `refs/heads/`.
    #[must_use]
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// The branch as a full reference name.
    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// What carries its requests in place of the network.
    pub(super) const fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_ref()
    }

    pub(super) fn parsed_url(&self) -> &Url {
        &self.url
    }

    /// Whether anything is sent by which the remote knows who calls.
    pub(super) const fn has_credential(&self) -> bool {
        !matches!(self.login, Login::Anonymous)
    }

    /// What a request carries. `refused` is the token that the remote did not take: it is not given again.
    pub(super) fn pass(&self, right: Right, refused: Option<&Secret>, left: Duration) -> Result<Pass, Error> {
        match &self.login {
            Login::Anonymous => Ok(Pass { header: None, renewable: None }),
            Login::Fixed(Credential { username, password }) => {
                Ok(Pass { header: Some(basic(username, password)?), renewable: None })
            }
            Login::App { app, tokens } => {
                let token = tokens.token(app, right, refused, left).map_err(|source| Error::Token { source })?;
                Ok(Pass { header: Some(basic(github::USERNAME, &token)?), renewable: Some(token) })
            }
        }
    }

    pub(super) fn roots(&self) -> Option<&Arc<Vec<Certificate<'static>>>> {
        self.roots.as_ref()
    }
}

/// A URL that may be called with a credential, and its host as messages name it: `https`, or `http` on a loopback address.
///
/// # Errors
/// What is wrong with it, without repeating it: a token may be in it.
pub(crate) fn callable(url: &str) -> Result<(Url, String), &'static str> {
    let mut url = Url::parse(url).map_err(|_| "it is not an absolute URL")?;
    match (url.scheme(), url.host()) {
        (_, None) => return Err("it names no host"),
        ("https", Some(_)) => {}
        ("http", Some(host)) if is_loopback(&host) => {}
        ("http", Some(_)) => return Err("`http` is allowed on loopback only; use `https`"),
        _ => return Err("its scheme is not `https`"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it contains a user or password; give the credential separately");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or a fragment");
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    let host = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => return Err("it names no host"),
    };
    Ok((url, host))
}

fn basic(username: &str, password: &Secret) -> Result<HeaderValue, Error> {
    let token = BASE64_STANDARD.encode(format!("{username}:{}", password.expose()));
    let mut value = HeaderValue::try_from(format!("Basic {token}"))
        .map_err(|_| Error::InvalidUrl { reason: "its credential cannot be sent" })?;
    value.set_sensitive(true);
    Ok(value)
}

/// A branch's full reference name, where Git allows it.
pub(super) fn branch_reference(branch: &str) -> Result<String, Error> {
    let reference = format!("refs/heads/{branch}");
    if branch.starts_with('-') || !git2::Reference::is_valid_name(&reference) {
        return Err(Error::InvalidBranch { branch: branch.to_owned() });
    }
    Ok(reference)
}

fn is_loopback(host: &Host<&str>) -> bool {
    match host {
        Host::Domain(name) => *name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Remote};

    fn refusal(url: &str) -> String {
        Remote::new(url, "main").expect_err("this URL must be refused").to_string()
    }

    #[test]
    fn https_anywhere_and_http_on_loopback_are_allowed() {
        for url in ["https://git.example.com/team/releases.git", "http://127.0.0.1:8080/r.git", "http://[::1]/r.git"] {
            assert!(Remote::new(url, "main").is_ok(), "{url}");
        }
    }

    #[test]
    fn plain_http_other_schemes_and_relative_urls_are_refused() {
        for url in ["http://git.example.com/r.git", "ssh://git@example.com/r", "file:///etc", "releases.git", ""] {
            assert!(refusal(url).starts_with("the repository URL cannot be used"), "{url}");
        }
    }

    #[test]
    fn a_token_in_the_url_is_refused_and_not_repeated() {
        let message = refusal("https://x:s3cr3t@git.example.com/r.git");
        assert!(message.contains("user or password"), "{message}");
        assert!(!message.contains("s3cr3t"), "{message}");
    }

    #[test]
    fn branch_names_that_git_refuses_are_refused() {
        for branch in ["", "a..b", "-x", "a b", "*", "a.lock", "x:y"] {
            assert!(
                matches!(Remote::new("https://example.com/r", branch), Err(Error::InvalidBranch { .. })),
                "{branch}"
            );
        }
        assert!(Remote::new("https://example.com/r", "release/2026").is_ok());
    }

    #[test]
    fn roots_that_hold_no_certificate_are_refused() {
        let remote = Remote::new("https://example.com/r", "main").expect("a valid remote");
        assert!(matches!(remote.with_root_certificates(b"nothing"), Err(Error::InvalidRoots)));
    }
}

//! Which repository, which branch, and with what credential; a [`Remote`] is proof that its URL is safe to call.
use std::sync::Arc;

use ureq::tls::{Certificate, PemItem};
use url::{Host, Url};

use super::error::Error;
use crate::secret::Secret;

/// What is sent to the remote's host, and to no other, as HTTP basic authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The user; for a token, what the host wants beside it (`x-access-token`, `oauth2`, …).
    pub username: String,
    /// The password or token.
    pub password: Secret,
}

/// A branch of a repository behind smart HTTP.
#[derive(Clone, Debug)]
pub struct Remote {
    url: Url,
    host: String,
    branch: String,
    credential: Option<Credential>,
    roots: Option<Arc<Vec<Certificate<'static>>>>,
}

impl Remote {
    /// A branch at a URL: `https`, or `http` on a loopback address.
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] for another scheme, a user or password in the URL, a query or a fragment;
    /// [`Error::InvalidBranch`] where Git would refuse the name.
    pub fn new(url: &str, branch: &str) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidUrl { reason };
        let mut url = Url::parse(url).map_err(|_| invalid("it is not an absolute URL"))?;
        match (url.scheme(), url.host()) {
            (_, None) => return Err(invalid("it names no host")),
            ("https", Some(_)) => {}
            ("http", Some(host)) if is_loopback(&host) => {}
            ("http", Some(_)) => return Err(invalid("`http` is allowed on loopback only; use `https`")),
            _ => return Err(invalid("its scheme is not `https`")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("it contains a user or password; give the credential separately"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has a query or a fragment"));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        let host = match (url.host_str(), url.port()) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host.to_owned(),
            (None, _) => return Err(invalid("it names no host")),
        };
        branch_reference(branch)?;
        Ok(Self { url, host, branch: branch.to_owned(), credential: None, roots: None })
    }

    /// The same, with a credential.
    #[must_use]
    pub fn with_credential(self, credential: Credential) -> Self {
        Self { credential: Some(credential), ..self }
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

    pub(super) fn parsed_url(&self) -> &Url {
        &self.url
    }

    pub(super) fn credential(&self) -> Option<&Credential> {
        self.credential.as_ref()
    }

    pub(super) fn roots(&self) -> Option<&Arc<Vec<Certificate<'static>>>> {
        self.roots.as_ref()
    }
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

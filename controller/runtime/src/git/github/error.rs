//! Why a GitHub App has no token: one variant for each cause that an operator can act on.

/// There is no token.
///
/// No variant holds a key, a token, or what the server said: a server that is not GitHub could say our own words.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The API's URL cannot be used, or the repository's.
    #[error("a URL cannot be used: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The key is none.
    #[error(
        "the private key of GitHub App {app} is no RSA key in PEM: it should be the file that GitHub gave, unchanged"
    )]
    InvalidKey {
        /// The app's number.
        app: u64,
    },
    /// No connection, or it broke, or it took too long.
    #[error("the GitHub API at `{host}` cannot be reached")]
    Unreachable {
        /// Whom we called.
        host: String,
        /// What the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// 401: not signed by a key of this app. The clock is ruled out: it was asked again by the server's own.
    #[error(
        "the GitHub API at `{host}` refused the key of GitHub App {app}: was the key deleted, or is `appId` another app's?"
    )]
    KeyRefused {
        /// Who refused.
        host: String,
        /// The app's number.
        app: u64,
    },
    /// 403.
    #[error("the GitHub API at `{host}` makes no token for installation {installation}: is it suspended?")]
    Forbidden {
        /// Who refused.
        host: String,
        /// The installation's number.
        installation: u64,
    },
    /// 404.
    #[error(
        "GitHub App {app} has no installation {installation} at `{host}`: was it uninstalled, or is `installationId` another one's?"
    )]
    InstallationMissing {
        /// Who was asked.
        host: String,
        /// The app's number.
        app: u64,
        /// The installation's number.
        installation: u64,
    },
    /// 422.
    #[error("installation {installation} may not do this with repository `{}`: give it access to the repository, and the app the permission `contents: {permission}`", repository.escape_debug())]
    NotGranted {
        /// The installation's number.
        installation: u64,
        /// The repository, without its owner.
        repository: String,
        /// What was asked for.
        permission: &'static str,
    },
    /// 429, or 403 with no request left.
    #[error("the GitHub API at `{host}` takes no more requests for now")]
    Throttled {
        /// Who was asked.
        host: String,
    },
    /// A redirect. It is never followed: what signs in is for one host alone.
    #[error("the GitHub API at `{host}` redirects; redirects are not followed: is `apiUrl` right?")]
    Redirected {
        /// Who answered.
        host: String,
    },
    /// Another HTTP status.
    #[error("the GitHub API at `{host}` answered with HTTP status {status}")]
    Status {
        /// Who answered.
        host: String,
        /// The status.
        status: u16,
    },
    /// The answer is none of GitHub's.
    #[error("the GitHub API at `{host}` did not answer with a token: {what}")]
    Protocol {
        /// Who answered.
        host: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Error {
    /// Whether it may pass by itself.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Throttled { .. } | Self::Protocol { .. } => true,
            Self::Status { status, .. } => *status >= 500,
            Self::InvalidUrl { .. }
            | Self::InvalidKey { .. }
            | Self::KeyRefused { .. }
            | Self::Forbidden { .. }
            | Self::InstallationMissing { .. }
            | Self::NotGranted { .. }
            | Self::Redirected { .. } => false,
        }
    }
}

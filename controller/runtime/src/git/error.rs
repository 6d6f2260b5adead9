//! Why the release repository could not be observed: one variant for each cause that an operator can act on.
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::commit::CommitId;

/// What a libgit2 call or a server said, escaped: it may come from outside.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.escape_debug())]
pub struct Reported(pub(super) String);

impl From<git2::Error> for Reported {
    fn from(error: git2::Error) -> Self {
        Self(error.message().to_owned())
    }
}

/// The release repository could not be observed.
///
/// No variant holds a credential, nor a URL: hosts only, so that a message can be shown anywhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The URL cannot be used. The URL is left out: a token may be what is wrong with it.
    #[error("the repository URL cannot be used: {reason}")]
    InvalidUrl {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The branch is not a name that Git allows.
    #[error("`{}` is not a valid branch name", branch.escape_debug())]
    InvalidBranch {
        /// As it was given.
        branch: String,
    },
    /// The own root certificates cannot be read.
    #[error("the root certificates for the Git server are not valid PEM")]
    InvalidRoots,
    /// No connection, or it broke.
    #[error("Git server `{host}` cannot be reached")]
    Unreachable {
        /// Whom we called.
        host: String,
        /// What the network said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The server's certificate is not one we trust for this host.
    #[error("the certificate of Git server `{host}` is not trusted")]
    Certificate {
        /// Whom we called.
        host: String,
        /// What is wrong with the certificate.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// 401 or 403.
    #[error("Git server `{host}` refused access: credential {}", if *.sent { "refused" } else { "missing" })]
    Refused {
        /// Who refused.
        host: String,
        /// Whether a credential was sent.
        sent: bool,
    },
    /// There is no token to call with.
    #[error("the GitHub App has no token for the release repository")]
    Token {
        /// Why, and what to do.
        #[source]
        source: super::github::Error,
    },
    /// 404. Some hosts also answer so where a credential is missing or lacks rights.
    #[error("Git server `{host}` knows no such repository, or hides it from this credential")]
    RepositoryMissing {
        /// Who was asked.
        host: String,
    },
    /// A redirect. It is never followed: the credential is for one host alone.
    #[error("Git server `{host}` redirects to `{}`; redirects are not followed", to.escape_debug())]
    Redirected {
        /// Who answered.
        host: String,
        /// The host of the target.
        to: String,
    },
    /// Another HTTP status than 200; 429 and 5xx may pass by themselves.
    #[error("Git server `{host}` answered with HTTP status {status}")]
    Status {
        /// Who answered.
        host: String,
        /// The status.
        status: u16,
    },
    /// The answer is not what a Git server says.
    #[error("Git server `{host}` did not answer in the smart HTTP protocol")]
    Protocol {
        /// Who answered.
        host: String,
        /// Where it went wrong.
        #[source]
        source: Reported,
    },
    /// There is no such branch.
    #[error("the repository has no branch `{branch}`{}", default.as_ref().map(|name| format!(" (its default branch is `{}`)", name.escape_debug())).unwrap_or_default())]
    BranchMissing {
        /// Which one was looked for.
        branch: String,
        /// The repository's default branch, where the server says it.
        default: Option<String>,
    },
    /// The branch moved between listing and fetching, and the listed commit did not come with it. The next tick sees
    /// the new head.
    #[error("branch `{branch}` moved while it was fetched")]
    Moved {
        /// Which branch.
        branch: String,
    },
    /// The branch has not been at this commit, as far back as [`super::Limits::max_ancestry`] lets us look.
    #[error("branch `{branch}` does not lead back to commit `{commit}`")]
    CommitMissing {
        /// Which commit.
        commit: CommitId,
        /// Which branch.
        branch: String,
    },
    /// Larger than [`super::Limits`] allow.
    #[error("{what} larger than the limit of {limit} {}", what.unit())]
    TooBig {
        /// What is too large.
        what: Measure,
        /// The limit, in the unit of `what`.
        limit: u64,
    },
    /// The whole operation took longer than [`super::Limits::timeout`].
    #[error("Git server `{host}` did not finish within {} s", after.as_secs_f32())]
    TimedOut {
        /// Whom we called.
        host: String,
        /// The limit.
        after: Duration,
    },
    /// The path leads to something that is not a regular file.
    #[error("`{}` is a {what}, not a regular file", path.escape_debug())]
    NotAFile {
        /// The path within the repository.
        path: String,
        /// What is there.
        what: EntryKind,
    },
    /// Part of the path is not a directory.
    #[error("`{}` is a {what}, not a directory", path.escape_debug())]
    NotADirectory {
        /// The path within the repository.
        path: String,
        /// What is there.
        what: EntryKind,
    },
    /// An object in the cached repository is missing or damaged. The cache is made anew at the next fetch.
    #[error("the cached repository is damaged")]
    Corrupt {
        /// What libgit2 found.
        #[source]
        source: Reported,
    },
    /// The cache directory cannot be used.
    #[error("the repository cache `{}` cannot be used", path.display())]
    Cache {
        /// Where it is.
        path: PathBuf,
        /// What the file system said.
        #[source]
        source: std::io::Error,
    },
    /// libgit2 could not be set up.
    #[error("libgit2 could not be set up")]
    Setup {
        /// What it said.
        #[source]
        source: Reported,
    },
}

impl Error {
    /// Whether a fetch into a new, empty cache may succeed where this one failed.
    pub(super) fn may_be_the_cache(&self) -> bool {
        matches!(self, Self::Corrupt { .. } | Self::Cache { .. } | Self::TooBig { .. })
    }
}

/// What was measured against [`super::Limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Measure {
    /// What the server sent as packs.
    Transfer,
    /// The objects that a pack announced.
    Objects,
    /// One file, directory or commit.
    Object,
    /// The list of references.
    References,
    /// The memory that libgit2 takes to unpack a transfer. What it loses of that on the way stays lost to this process.
    Unpacked,
    /// What we would send.
    Upload,
}

impl Measure {
    fn unit(self) -> &'static str {
        match self {
            Self::Objects => "objects",
            Self::Transfer | Self::Object | Self::References | Self::Unpacked | Self::Upload => "bytes",
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transfer => "the transfer from the Git server is",
            Self::Objects => "the pack from the Git server is",
            Self::Object => "an object of the repository is",
            Self::References => "the Git server's list of references is",
            Self::Unpacked => "the transfer from the Git server, unpacked, is",
            Self::Upload => "the upload to the Git server is",
        })
    }
}

/// What a tree entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Mode 100644 or 100755.
    File,
    /// Mode 40000.
    Directory,
    /// Mode 120000: never followed, it could lead out of what was reviewed.
    SymbolicLink,
    /// Mode 160000: never fetched.
    Submodule,
    /// Any other mode.
    Unknown,
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "regular file",
            Self::Directory => "directory",
            Self::SymbolicLink => "symbolic link",
            Self::Submodule => "submodule",
            Self::Unknown => "thing of unknown mode",
        })
    }
}

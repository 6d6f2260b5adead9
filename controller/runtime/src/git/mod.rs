//! Observes the release repository: lists its branch, fetches what changed, reads files at one commit. Adds a branch to it
//! where one is asked for.
//!
//! Every call blocks its thread (libgit2 does); async callers use `spawn_blocking`. What a server may send is bounded by
//! [`Limits`] while it arrives, so a hostile or broken one costs a bounded time, disk and memory, and ends in an
//! [`Error`] that names the cause. Nothing is ever checked out: no hooks, no submodules, no symbolic links.
mod advertisement;
mod ancestry;
mod cache;
mod commit;
mod draft;
mod error;
mod exchange;
pub mod github;
mod http;
mod limits;
mod memory;
mod packet;
pub mod push;
mod remote;
mod snapshot;
mod transport;

pub use ancestry::{Ancestry, UnknownBecause};
pub use cache::Cache;
pub use commit::{Commit, CommitId, NotACommitId};
pub use draft::{Draft, NewCommit, Person};
pub use error::{EntryKind, Error, Measure, Reported};
pub use exchange::Exchange;
pub use limits::Limits;
pub(crate) use remote::callable;
pub use remote::{Credential, Remote};
pub use snapshot::Snapshot;

/// The commit at the head of the remote's branch. Costs one request and fetches no object.
///
/// # Errors
/// When the remote does not answer, refuses, or has no such branch.
pub fn list(remote: &Remote, limits: &Limits) -> Result<CommitId, Error> {
    let session = http::Session::open(remote, remote::Right::Read, limits);
    let body = session.advertisement(http::Service::UploadPack)?;
    advertisement::find_branch(body, remote)
}

//! Writes a rollback back to the release repository: a branch with the revert, and a file that says what happened.
//!
//! Traffic is back before: nothing here touches AWS, and no failure of it is one of the rollback. Whoever asks twice, after
//! a lost answer or a crash, gets the same commit; what failed is a value to be stored, and tried again later.
mod compare;
mod message;
pub mod rollback_config;
mod set_back;

use std::time::Instant;

use chrono::SubsecRound as _;
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::plan::Rollback;
use tidegate_core::state::Pushed;

pub use compare::compare_url;
pub use rollback_config::RollbackConfig;

use crate::git::push::{self, Created};
use crate::git::{self, CommitId, Draft, NotACommitId, Person};
use crate::wanted::Repository;

/// An address that belongs to nobody (RFC 2606): the caller's is not known, and none is to be made up.
const NO_ADDRESS: &str = "tidegate@tidegate.invalid";

/// What is to be written back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// What happened to it.
    pub rollback: Rollback,
}

impl Request {
    /// The branch's name, without `refs/heads/`.
    #[must_use]
    pub fn branch(&self) -> String {
        format!("tidegate/rollback/{}/{}/{}", self.environment, self.service, self.rollback.number)
    }

    fn config(&self) -> Result<RollbackConfig, NotACommitId> {
        let Self { environment, service, rollback } = self.clone();
        let Rollback { number, held, live, commit, reason, actor, at } = rollback;
        Ok(RollbackConfig {
            environment,
            service,
            record: number,
            at: at.trunc_subsecs(0),
            actor,
            reason,
            commit: commit.id.parse()?,
            held_out: held,
            live,
        })
    }
}

/// What the release repository has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The commit on it.
    pub commit: CommitId,
    /// The path of the file that says what happened.
    pub file: String,
    /// What became of `services.yaml`.
    pub edit: Edit,
    /// Where a person opens the pull request, on GitHub and GitLab.
    pub compare_url: Option<String>,
}

/// What the branch does to `services.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// It names the code that is live.
    Made,
    /// It did so before.
    NotNeeded,
    /// It is as it was, and a person has to set it back.
    Missing {
        /// Why no edit could be made, on one line.
        why: String,
    },
}

impl From<Written> for Pushed {
    fn from(Written { branch, commit: _, file: _, edit, compare_url }: Written) -> Self {
        let without_edit = match edit {
            Edit::Made | Edit::NotNeeded => None,
            Edit::Missing { why } => Some(why),
        };
        Self { branch, url: compare_url, without_edit }
    }
}

/// The rollback is not in the release repository. It is a rollback all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The commit that was in force has no name that Git would know.
    #[error("the branch has nowhere to begin")]
    CommitId {
        /// What it is called.
        #[source]
        source: NotACommitId,
    },
    /// The commit that was in force could not be had.
    #[error("commit `{commit}` could not be fetched")]
    Fetch {
        /// Which commit.
        commit: CommitId,
        /// Why.
        #[source]
        source: git::Error,
    },
    /// The file could not be written as YAML.
    #[error("the rollback could not be written down")]
    File {
        /// What the serializer said.
        #[source]
        source: serde_yaml::Error,
    },
    /// The commit could not be made.
    #[error("no commit could be made on top of `{parent}`")]
    Commit {
        /// The commit in force.
        parent: CommitId,
        /// Why.
        #[source]
        source: git::Error,
    },
    /// The branch could not be created.
    #[error("branch `{branch}` could not be pushed")]
    Push {
        /// Which branch.
        branch: String,
        /// Why.
        #[source]
        source: push::Error,
    },
}

impl Error {
    /// Whether it is of no use to try again: the branch is somebody else's, or the commit is gone from the repository. All
    /// else may pass, by itself or once a person gives the credential its right.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::CommitId { .. }
                | Self::Push { source: push::Error::Exists { .. }, .. }
                | Self::Fetch { source: git::Error::CommitMissing { .. }, .. }
        )
    }
}

/// Makes the branch and pushes it. Blocks its thread, as all of [`crate::git`] does, for at most
/// [`git::Limits::timeout`].
///
/// With a warm cache it costs two requests, and one where the branch is there already.
///
/// # Errors
/// [`Error`]; nothing is left half done, and the same request may be run again at any time.
pub fn run(repository: &Repository, request: &Request) -> Result<Written, Error> {
    let began = Instant::now();
    let Repository { remote, cache, limits } = repository;
    let rollback = request.config().map_err(|source| Error::CommitId { source })?;
    let parent = rollback.commit;
    let fetch = |source| Error::Fetch { commit: parent, source };
    let snapshot = cache.past_snapshot(remote, parent, limits).map_err(fetch)?;
    let (services, edit) = set_back::edit(&snapshot, &rollback).map_err(fetch)?;

    let text = rollback.to_yaml().map_err(|source| Error::File { source })?;
    let draft = Draft {
        files: services.into_iter().chain([(rollback.path(), text.into_bytes())]).collect(),
        message: message::message(&rollback, &edit),
        author: Person::new(&rollback.actor, NO_ADDRESS),
        committer: Person::new("Tidegate", NO_ADDRESS),
        time: rollback.at,
    };
    let new = snapshot.commit_on_top(&draft).map_err(|source| Error::Commit { parent, source })?;
    let branch = request.branch();
    let created = push::create_branch(remote, &branch, &new, &limits.left_since(began))
        .map_err(|source| Error::Push { branch: branch.clone(), source })?;
    tracing::info!(branch, commit = %new.id, before = created == Created::Before, "a rollback is written back to Git");
    let compare_url = compare_url(remote, &branch);
    Ok(Written { branch, commit: new.id, file: rollback.path(), edit, compare_url })
}

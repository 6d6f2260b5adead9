//! Writes a rollback back to the release repository: a branch with the revert, and a file that says what happened.
//!
//! Traffic is back long before: nothing here touches AWS, and a rollback never waits for it. Whoever asks twice, after a
//! lost answer or a crash, gets the same commit; what failed is a value to be stored, and tried again later.
mod compare;
mod message;
pub mod rollback_config;
mod set_back;

use std::collections::BTreeMap;
use std::fmt;

use chrono::SubsecRound as _;
use serde::{Deserialize, Serialize};
use tidegate_core::history::{Kind, Record};

pub use compare::compare_url;
pub use rollback_config::RollbackConfig;

use crate::git::push::{self, Created};
use crate::git::{self, CommitId, Draft, Person};
use crate::wanted::Repository;

/// Addresses that belong to nobody (RFC 2606): the caller's is not known, and none is to be made up.
const NO_ADDRESS: &str = "tidegate@tidegate.invalid";

/// What is to be written back: it can be made anew from history at any time, so nothing of it has to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The rollback.
    pub rollback: RollbackConfig,
    /// The commit that what is live now was promoted from, where history knows it: its `services.yaml` says where a zip
    /// archive lies.
    pub promoted_from: Option<CommitId>,
}

impl Request {
    /// The write-back of this record; `recent` are the records around it, newest first. `None` for a record that is no
    /// rollback, or that knows no commit to begin the branch from.
    #[must_use]
    pub fn of(record: &Record, recent: &[Record]) -> Option<Self> {
        let commit = |record: &Record| record.commit.as_ref()?.id.parse::<CommitId>().ok();
        let promotion = |earlier: &&Record| {
            earlier.kind == Kind::Promoted && earlier.number < record.number && earlier.to.release == record.to.release
        };
        let rollback = RollbackConfig {
            environment: record.environment.clone(),
            service: record.service.clone(),
            record: record.number,
            at: record.finished.trunc_subsecs(0),
            actor: record.actor.clone(),
            reason: record.reason.clone().filter(|reason| !reason.is_empty()),
            commit: commit(record)?,
            from: record.from.clone(),
            to: record.to.clone(),
            held_out: record.held.clone(),
        };
        let promoted_from = recent.iter().find(promotion).and_then(commit);
        (record.kind == Kind::RolledBack).then_some(Self { rollback, promoted_from })
    }

    /// The branch's name, without `refs/heads/`.
    #[must_use]
    pub fn branch(&self) -> String {
        let RollbackConfig { environment, service, record, .. } = &self.rollback;
        format!("tidegate/rollback/{environment}/{service}/{record}")
    }
}

/// What the release repository has now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Written {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The commit on it.
    pub commit: CommitId,
    /// The path of the file that says what happened.
    pub file: String,
    /// What became of `services.yaml`.
    pub revert: Revert,
    /// Where a person opens the pull request, on GitHub and GitLab.
    pub compare_url: Option<String>,
}

/// What the branch does to `services.yaml`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "name", deny_unknown_fields)]
pub enum Revert {
    /// It names the code that is live.
    Made,
    /// It did so before.
    NotNeeded,
    /// It is as it was, and a person has to set it back.
    Missing {
        /// Why no edit could be made.
        why: String,
    },
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { branch, commit: _, file: _, revert, compare_url } = self;
        match revert {
            Revert::Made => write!(f, "branch `{branch}` has the revert")?,
            Revert::NotNeeded => write!(f, "branch `{branch}` has the record of it")?,
            Revert::Missing { why } => {
                write!(f, "branch `{branch}` has the record of it and not the revert, because {why}")?;
            }
        }
        compare_url.iter().try_for_each(|url| write!(f, ": {url}"))
    }
}

/// The rollback is not in the release repository. It is a rollback all the same.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A commit that the branch begins from, or that says where an archive lies, could not be had.
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
            Self::Push { source: push::Error::Exists { .. }, .. }
                | Self::Fetch { source: git::Error::CommitMissing { .. }, .. }
        )
    }
}

/// Makes the branch and pushes it. Blocks its thread, as all of [`crate::git`] does.
///
/// With a warm cache it costs two requests, and one where the branch is there already. Each fetch and the push have
/// [`git::Limits::timeout`] for themselves.
///
/// # Errors
/// [`Error`]; nothing is left half done, and the same request may be run again at any time.
pub fn run(repository: &Repository, request: &Request) -> Result<Written, Error> {
    let Repository { remote, cache, limits } = repository;
    let Request { rollback, promoted_from: _ } = request;
    let parent = rollback.commit;
    let artifact = set_back::artifact(repository, request)?;
    let fetch = |source| Error::Fetch { commit: parent, source };
    let snapshot = cache.past_snapshot(remote, parent, limits).map_err(fetch)?;
    let (services, revert) = set_back::revert(&snapshot, rollback, artifact).map_err(fetch)?;

    let mut files: BTreeMap<_, _> = services.into_iter().collect();
    let text = rollback.to_yaml().map_err(|source| Error::File { source })?;
    files.insert(rollback.path(), text.into_bytes());
    let draft = Draft {
        files,
        message: message::message(rollback, &revert),
        author: Person::new(&rollback.actor, NO_ADDRESS),
        committer: Person::new("Tidegate", NO_ADDRESS),
        time: rollback.at,
    };
    let new = snapshot.commit_on_top(&draft).map_err(|source| Error::Commit { parent, source })?;
    let branch = request.branch();
    let created = push::create_branch(remote, &branch, &new, limits)
        .map_err(|source| Error::Push { branch: branch.clone(), source })?;
    tracing::info!(branch, commit = %new.id, before = created == Created::Before, "a rollback is written back to Git");
    let compare_url = compare_url(remote, &branch);
    Ok(Written { branch, commit: new.id, file: rollback.path(), revert, compare_url })
}

//! Decides what `services.yaml` has to say for what is live, or why no edit can say it.
//!
//! Only what stays so is a reason to leave the edit out: a server that does not answer ends the attempt, because the next
//! one has to make the same commit.
use release_schema::edit::{self, ArtifactText};
use release_schema::{Artifact, SourceFile, Zip};
use tidegate_core::release::Code;

use super::message::on_one_line;
use super::{Error, Request, Revert, RollbackConfig};
use crate::aws::error::chain;
use crate::git::{self, Snapshot};
use crate::wanted::{Content, RELEASE_CONFIG, Repository, services_file, validate};

/// Characters of a reason: it may repeat a piece of the file.
const LONGEST_REASON: usize = 500;

/// Why there is no edit.
pub(super) type Why = String;

/// A file's path and its new content.
pub(super) type File = (String, Vec<u8>);

/// How `services.yaml` names what is live. A tag is in history; where a zip archive lies is in the commit that it was
/// promoted from.
pub(super) fn artifact(repository: &Repository, request: &Request) -> Result<Result<ArtifactText, Why>, Error> {
    let to = &request.rollback.to;
    let hash = match (&to.code, &to.tag) {
        (Code::Image(digest), Some(tag)) => {
            return Ok(Ok(ArtifactText::Image { tag: tag.clone(), digest: Some(digest.clone()) }));
        }
        (Code::Image(digest), None) => return Ok(Err(format!("the tag of `{}` is not known", digest.as_str()))),
        (Code::Zip(hash), _) => hash,
    };
    let unknown = || Err(format!("where the archive `{}` lies is not known", hash.as_str()));
    let Some(commit) = request.promoted_from else { return Ok(unknown()) };
    let Repository { remote, cache, limits } = repository;
    let snapshot = match cache.past_snapshot(remote, commit, limits) {
        Ok(snapshot) => snapshot,
        Err(git::Error::CommitMissing { .. }) => return Ok(unknown()),
        Err(source) => return Err(Error::Fetch { commit, source }),
    };
    let zip = archive(&snapshot, &request.rollback).map_err(|source| Error::Fetch { commit, source })?;
    let zip = zip.filter(|zip| zip.code_sha256.as_ref().is_none_or(|given| given == hash));
    Ok(zip.map_or_else(unknown, |zip| Ok(ArtifactText::Zip(Zip { code_sha256: Some(hash.clone()), ..zip }))))
}

/// Where the service's archive lies, as the environment's files say in this commit.
fn archive(snapshot: &Snapshot, rollback: &RollbackConfig) -> Result<Option<Zip>, git::Error> {
    let Ok(content) = content(snapshot, rollback)? else { return Ok(None) };
    let environment = validate(&rollback.environment, &content).ok();
    let artifact = environment.and_then(|mut environment| environment.services.remove(&rollback.service));
    Ok(artifact.and_then(|service| match service.artifact {
        Artifact::Zip(zip) => Some(zip),
        Artifact::Image(_) => None,
    }))
}

/// The changed `services.yaml`, where it changes, and what became of it.
pub(super) fn revert(
    snapshot: &Snapshot,
    rollback: &RollbackConfig,
    artifact: Result<ArtifactText, Why>,
) -> Result<(Option<File>, Revert), git::Error> {
    let missing = |why: String| (None, Revert::Missing { why: on_one_line(&why, LONGEST_REASON) });
    let content = match content(snapshot, rollback)? {
        Ok(content) => content,
        Err(why) => return Ok(missing(why)),
    };
    let path = services_file(&rollback.environment);
    let edited = artifact.and_then(|artifact| edited(&path, &content, rollback, &artifact));
    Ok(match edited {
        Ok(text) if text.as_bytes() == content.services => (None, Revert::NotNeeded),
        Ok(text) => (Some((path, text.into_bytes())), Revert::Made),
        Err(why) => missing(why),
    })
}

fn edited(path: &str, content: &Content, rollback: &RollbackConfig, to: &ArtifactText) -> Result<String, Why> {
    let file = |name: &str, bytes: &[u8]| SourceFile::new(name, bytes).map_err(|problems| problems.to_string());
    let config = release_schema::read_release_config(&file(RELEASE_CONFIG, &content.release_config)?);
    let config = config.map_err(|problems| problems.to_string())?;
    let services = file(path, &content.services)?;
    edit::set_back(&services, &rollback.environment, &config, &rollback.service, to).map_err(|error| chain(&error))
}

/// The environment's two files; or why one of them is none.
fn content(snapshot: &Snapshot, rollback: &RollbackConfig) -> Result<Result<Content, Why>, git::Error> {
    let read = |path: &str| match snapshot.read(path) {
        Ok(Some(bytes)) => Ok(Ok(bytes)),
        Ok(None) => Ok(Err(format!("`{path}` does not exist"))),
        Err(error @ git::Error::Corrupt { .. }) => Err(error),
        // It is what the commit holds, and stays so.
        Err(error) => Ok(Err(chain(&error))),
    };
    let (release_config, services) = (read(RELEASE_CONFIG)?, read(&services_file(&rollback.environment))?);
    Ok(release_config.and_then(|release_config| Ok(Content { release_config, services: services? })))
}

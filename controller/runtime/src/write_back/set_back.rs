//! Decides what `services.yaml` has to say for what is live, or why no edit can say it.
//!
//! Only what stays so is a reason to leave the edit out: a damaged cache ends the attempt, because the next one has to
//! make the same commit.
use release_schema::edit::{self, ArtifactText};
use release_schema::{SourceFile, Zip};
use tidegate_core::history::Deployed;
use tidegate_core::release::{Code, Source};

use super::message::on_one_line;
use super::{Edit, RollbackConfig};
use crate::aws::error::chain;
use crate::git::{self, Snapshot};
use crate::wanted::{Content, RELEASE_CONFIG, services_file};

/// Characters of a reason: it may repeat a piece of the file.
const LONGEST_REASON: usize = 500;

/// Why there is no edit.
type Why = String;

/// A file's path and its new content.
type File = (String, Vec<u8>);

/// The changed `services.yaml`, where it changes, and what became of it.
pub(super) fn edit(snapshot: &Snapshot, rollback: &RollbackConfig) -> Result<(Option<File>, Edit), git::Error> {
    let missing = |why: String| (None, Edit::Missing { why: on_one_line(&why, LONGEST_REASON) });
    let content = match content(snapshot, rollback)? {
        Ok(content) => content,
        Err(why) => return Ok(missing(why)),
    };
    let path = services_file(&rollback.environment);
    let edited = artifact(&rollback.live).and_then(|artifact| edited(&path, &content, rollback, &artifact));
    Ok(match edited {
        Ok(text) if text.as_bytes() == content.services => (None, Edit::NotNeeded),
        Ok(text) => (Some((path, text.into_bytes())), Edit::Made),
        Err(why) => missing(why),
    })
}

/// How `services.yaml` names what is live.
fn artifact(live: &Deployed) -> Result<ArtifactText, Why> {
    match (&live.code, &live.tag, &live.archive) {
        (Code::Image(digest), Some(tag), _) => {
            Ok(ArtifactText::Image { tag: tag.clone(), digest: Some(digest.clone()) })
        }
        (Code::Image(digest), None, _) => Err(format!("the tag of `{}` is not known", digest.as_str())),
        (Code::Zip(hash), _, Some(Source::Zip { bucket, key, object_version })) => {
            let (bucket, key, object_version) = (bucket.clone(), key.clone(), object_version.clone());
            Ok(ArtifactText::Zip(Zip { bucket, key, object_version, code_sha256: Some(hash.clone()) }))
        }
        (Code::Zip(hash), _, Some(Source::Image { .. }) | None) => {
            Err(format!("where the archive `{}` lies is not known", hash.as_str()))
        }
    }
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

//! Decides how one rollback is written down in the release repository, and reads it again.
use chrono::{DateTime, Utc};
use release_schema::{CodeSha256, Digest, EnvironmentName, ServiceName, Tag};
use serde::{Deserialize, Serialize};
use tidegate_core::history::Deployed;
use tidegate_core::ids::{ReleaseId, TransitionNumber, Version};
use tidegate_core::release::Code;

use crate::git::CommitId;

/// Version of the file's form.
const SCHEMA_VERSION: u32 = 1;

/// Bytes that a file may have. One of ours has about a kilobyte, its reason included.
const LARGEST_FILE: usize = 64 << 10;

/// What stands above the fields, for whoever opens the file.
const HEADER: &str = "# Written by Tidegate. `tidegate rollback --config` with this file does it again.\n";

/// One rollback: what was, what is, why, by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RollbackConfig {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The rollback's number in the service's history: going back to what this record led to does it again.
    pub record: TransitionNumber,
    /// When, by the server's time; whole seconds.
    pub at: DateTime<Utc>,
    /// Who: text from outside.
    pub actor: String,
    /// Why: text from outside.
    pub reason: Option<String>,
    /// The commit that was in force, from which the branch begins.
    pub commit: CommitId,
    /// What had the traffic.
    pub from: Option<Deployed>,
    /// What has it now.
    pub to: Deployed,
    /// The release that is held out.
    pub held_out: Option<ReleaseId>,
}

/// The text is not a rollback that was written down.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody looks at so much.
    #[error("`{file}` has more than {LARGEST_FILE} bytes: it is no rollback configuration")]
    TooBig {
        /// Its name, for messages.
        file: String,
    },
    /// It is no YAML, lacks a field or has others.
    #[error("`{file}` is not a rollback configuration")]
    Malformed {
        /// Its name, for messages.
        file: String,
        /// What is wrong, with line and column.
        #[source]
        source: serde_yaml::Error,
    },
    /// A later version of Tidegate wrote it.
    #[error("`{file}` has `schemaVersion: {version}`, and this version of Tidegate reads {SCHEMA_VERSION}")]
    OtherVersion {
        /// Its name, for messages.
        file: String,
        /// Its version.
        version: u32,
    },
    /// It says of a release not what its code is, or says so twice.
    #[error("`{file}`: `{side}` needs either `digest` or `codeSha256`")]
    Code {
        /// Its name, for messages.
        file: String,
        /// Of which release.
        side: &'static str,
    },
}

impl RollbackConfig {
    /// Reads what [`Self::to_yaml`] wrote. `file` is its name, for messages.
    ///
    /// # Errors
    /// [`Error`], with the first thing that is wrong.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > LARGEST_FILE {
            return Err(Error::TooBig { file: file.to_owned() });
        }
        let malformed = |source| Error::Malformed { file: file.to_owned(), source };
        let Versioned { schema_version } = serde_yaml::from_slice(bytes).map_err(malformed)?;
        if schema_version != SCHEMA_VERSION {
            return Err(Error::OtherVersion { file: file.to_owned(), version: schema_version });
        }
        let document: Document = serde_yaml::from_slice(bytes).map_err(malformed)?;
        document.into_config().map_err(|side| Error::Code { file: file.to_owned(), side })
    }

    /// The file's text. Whatever people wrote is quoted as YAML asks for.
    ///
    /// # Errors
    /// Where the serializer refuses, which it does for no value of this type.
    pub fn to_yaml(&self) -> Result<String, serde_yaml::Error> {
        Ok(format!("{HEADER}{}", serde_yaml::to_string(&Document::of(self))?))
    }

    /// Where the file lies in the release repository. The time has no colons: Windows has no such names.
    #[must_use]
    pub fn path(&self) -> String {
        let Self { environment, service, record, at, .. } = self;
        format!("history/rollback-configs/{environment}/{service}/{record}-{}.yaml", at.format("%Y%m%dT%H%M%SZ"))
    }
}

/// What is read first: fields of another version are none of our business.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Versioned {
    schema_version: u32,
}

/// The file's fields, in their order.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Document {
    schema_version: u32,
    environment: EnvironmentName,
    service: ServiceName,
    record: TransitionNumber,
    at: DateTime<Utc>,
    actor: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    commit: CommitId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Side>,
    to: Side,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_out: Option<ReleaseId>,
}

impl Document {
    fn of(config: &RollbackConfig) -> Self {
        let RollbackConfig { environment, service, record, at, actor, reason, commit, from, to, held_out } =
            config.clone();
        let (from, to) = (from.map(Side::from), Side::from(to));
        Self {
            schema_version: SCHEMA_VERSION,
            environment,
            service,
            record,
            at,
            actor,
            reason,
            commit,
            from,
            to,
            held_out,
        }
    }

    /// The value, or the name of the release whose code is not told.
    fn into_config(self) -> Result<RollbackConfig, &'static str> {
        let Self { schema_version: _, environment, service, record, at, actor, reason, commit, from, to, held_out } =
            self;
        let from = from.map(|side| side.into_deployed().ok_or("from")).transpose()?;
        let to = to.into_deployed().ok_or("to")?;
        Ok(RollbackConfig { environment, service, record, at, actor, reason, commit, from, to, held_out })
    }
}

/// One release: a flat form of [`Deployed`], as people would write it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Side {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_sha256: Option<CodeSha256>,
    release: ReleaseId,
}

impl From<Deployed> for Side {
    fn from(Deployed { version, release, code, tag, archive: _ }: Deployed) -> Self {
        let (digest, code_sha256) = match code {
            Code::Image(digest) => (Some(digest), None),
            Code::Zip(hash) => (None, Some(hash)),
        };
        Self { version, tag, digest, code_sha256, release }
    }
}

impl Side {
    fn into_deployed(self) -> Option<Deployed> {
        let Self { version, tag, digest, code_sha256, release } = self;
        let code = match (digest, code_sha256) {
            (Some(digest), None) => Code::Image(digest),
            (None, Some(hash)) => Code::Zip(hash),
            (None, None) | (Some(_), Some(_)) => return None,
        };
        Some(Deployed { version, release, code, tag, archive: None })
    }
}

#[cfg(test)]
mod tests;

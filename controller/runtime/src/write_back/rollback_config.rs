//! Decides how one rollback is written down in the release repository, and reads it again.
use chrono::{DateTime, Utc};
use release_schema::{CodeSha256, Digest, EnvironmentName, ServiceName, Tag};
use serde::{Deserialize, Serialize};
use tidegate_core::history::Deployed;
use tidegate_core::ids::{ReleaseId, TransitionNumber, Version};
use tidegate_core::release::{Code, Source};

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
    pub reason: String,
    /// The commit that was in force, from which the branch begins.
    pub commit: CommitId,
    /// What Git wanted, and is kept from coming back.
    pub held_out: Deployed,
    /// What has the traffic since.
    pub live: Deployed,
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
    /// What it says of a release does not fit together.
    #[error("`{file}`: {problem} in `{release}`")]
    Release {
        /// Its name, for messages.
        file: String,
        /// Which release, by its field.
        release: &'static str,
        /// What is wrong.
        problem: &'static str,
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
        document.into_config().map_err(|(release, problem)| Error::Release { file: file.to_owned(), release, problem })
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
    reason: String,
    commit: CommitId,
    held_out: Release,
    live: Release,
}

impl Document {
    fn of(config: &RollbackConfig) -> Self {
        let RollbackConfig { environment, service, record, at, actor, reason, commit, held_out, live } = config.clone();
        let (held_out, live) = (held_out.into(), live.into());
        let schema_version = SCHEMA_VERSION;
        Self { schema_version, environment, service, record, at, actor, reason, commit, held_out, live }
    }

    /// The value; or which release does not fit together, and why.
    fn into_config(self) -> Result<RollbackConfig, (&'static str, &'static str)> {
        let Self { schema_version: _, environment, service, record, at, actor, reason, commit, held_out, live } = self;
        let held_out = held_out.into_deployed().map_err(|problem| ("heldOut", problem))?;
        let live = live.into_deployed().map_err(|problem| ("live", problem))?;
        Ok(RollbackConfig { environment, service, record, at, actor, reason, commit, held_out, live })
    }
}

/// One release: [`Deployed`] in the words of `services.yaml`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Release {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_tag: Option<Tag>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3_bucket: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3_key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s3_object_version: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code_sha256: Option<CodeSha256>,
    release: ReleaseId,
}

impl From<Deployed> for Release {
    fn from(Deployed { version, release, code, tag, archive }: Deployed) -> Self {
        let (digest, code_sha256) = match code {
            Code::Image(digest) => (Some(digest), None),
            Code::Zip(hash) => (None, Some(hash)),
        };
        let (s3_bucket, s3_key, s3_object_version) = match archive {
            Some(Source::Zip { bucket, key, object_version }) => (Some(bucket), Some(key), Some(object_version)),
            Some(Source::Image { .. }) | None => (None, None, None),
        };
        Self { version, image_tag: tag, digest, s3_bucket, s3_key, s3_object_version, code_sha256, release }
    }
}

impl Release {
    fn into_deployed(self) -> Result<Deployed, &'static str> {
        let Self { version, image_tag: tag, digest, s3_bucket, s3_key, s3_object_version, code_sha256, release } = self;
        let code = match (digest, code_sha256) {
            (Some(digest), None) => Code::Image(digest),
            (None, Some(hash)) => Code::Zip(hash),
            (None, None) | (Some(_), Some(_)) => return Err("there has to be either `digest` or `codeSha256`"),
        };
        let archive = match (s3_bucket, s3_key, s3_object_version) {
            (Some(bucket), Some(key), Some(object_version)) => Some(Source::Zip { bucket, key, object_version }),
            (None, None, None) => None,
            _ => return Err("`s3Bucket`, `s3Key` and `s3ObjectVersion` belong together"),
        };
        Ok(Deployed { version, release, code, tag, archive })
    }
}

#[cfg(test)]
mod tests;

//! Stored state in S3: JSON documents, each written with the token that was read with what it replaces.
pub mod desired;
pub mod history;
pub mod keys;
pub mod lease;
pub mod statuses;

use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::history::Unproven;
use tokio::time::Instant;

use self::lease::Lease;
use crate::aws::error::{CallError, Kind, failed};
use crate::config::StateLocation;

/// Far more than any document of ours: the largest, a status, has some 500 bytes a service.
const MAX_DOCUMENT_BYTES: usize = 32 << 20;

/// The bucket and prefix that hold an installation's documents.
#[derive(Clone, Debug)]
pub struct Store {
    client: aws_sdk_s3::Client,
    location: StateLocation,
    /// After this nothing is written.
    until: Option<Instant>,
}

/// S3's token for what an object held when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ETag(String);

/// A document, and the token for replacing it.
#[derive(Clone, Debug)]
pub struct Stored<T> {
    /// What was read.
    pub value: T,
    /// The token.
    pub etag: ETag,
}

/// What has to be so for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum If {
    /// There is no such object.
    Absent,
    /// It is still what was read.
    Unchanged(ETag),
}

/// Why a document could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// S3 refused or did not answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Somebody else wrote since it was read: read again, plan again.
    #[error("`{key}` was changed by somebody else meanwhile")]
    Raced {
        /// The object.
        key: String,
    },
    /// Somebody else may be at work by now: what was read may be out of date.
    #[error("the lease ran out before `{key}` was written; the next tick goes on")]
    LeaseOver {
        /// The object.
        key: String,
    },
    /// A newer build wrote it: this one must not touch it.
    #[error(
        "`{key}` has schema version {found}, and this build knows {SCHEMA_VERSION}; it was written by a newer Tidegate"
    )]
    Newer {
        /// The object.
        key: String,
        /// Its version.
        found: u64,
    },
    /// It cannot be read as what it should be: it counts as lost.
    #[error("`{key}` cannot be read: {message}")]
    Broken {
        /// The object.
        key: String,
        /// Where it goes wrong. The content itself is not repeated.
        message: String,
        /// The token for replacing it.
        etag: ETag,
    },
    /// A history's head is lost, and its records do not make it again.
    #[error("`{key}` is lost, and cannot be made again from the records: {why}; `tidegate history verify` says more")]
    Unproven {
        /// The object.
        key: String,
        /// What is wrong with the records.
        why: Unproven,
    },
    /// It could not be written as JSON.
    #[error("`{key}` cannot be written as JSON")]
    Encode {
        /// The object.
        key: String,
        /// What went wrong.
        source: serde_json::Error,
    },
}

impl Store {
    /// The documents at this place.
    #[must_use]
    pub const fn new(client: aws_sdk_s3::Client, location: StateLocation) -> Self {
        Self { client, location, until: None }
    }

    /// The same for a tick: what it would write when its lease is over is refused here, even what has no precondition.
    #[must_use]
    pub fn under(&self, lease: &Lease) -> Self {
        Self { until: Some(lease.ends()), ..self.clone() }
    }

    /// The key of what is to be written.
    fn writable(&self, name: &str) -> Result<String, Error> {
        let key = self.key(name);
        match self.until {
            Some(until) if Instant::now() >= until => Err(Error::LeaseOver { key }),
            _ => Ok(key),
        }
    }

    fn key(&self, name: &str) -> String {
        if self.location.prefix.is_empty() { name.to_owned() } else { format!("{}/{name}", self.location.prefix) }
    }

    /// Reads a document; `None` where there is none.
    ///
    /// # Errors
    /// Where S3 does not answer with it, or it is not such a document of this build's version or older.
    pub async fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<Stored<T>>, Error> {
        let Some(stored) = self.get_bytes(name).await? else { return Ok(None) };
        let value = self.document(name, &stored)?;
        Ok(Some(Stored { value, etag: stored.etag }))
    }

    /// The document that was read as these bytes.
    ///
    /// # Errors
    /// Where it is not such a document of this build's version or older.
    fn document<T: DeserializeOwned>(&self, name: &str, stored: &Stored<Vec<u8>>) -> Result<T, Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Versioned {
            schema_version: u64,
        }
        let broken = |cause: serde_json::Error| {
            // Only where it goes wrong: serde's own text may repeat a value.
            let message = format!("not such a document at line {}, column {}", cause.line(), cause.column());
            Error::Broken { key: self.key(name), message, etag: stored.etag.clone() }
        };
        let Versioned { schema_version } = serde_json::from_slice(&stored.value).map_err(broken)?;
        if schema_version > u64::from(SCHEMA_VERSION) {
            return Err(Error::Newer { key: self.key(name), found: schema_version });
        }
        serde_json::from_slice(&stored.value).map_err(broken)
    }

    /// Reads an object's bytes; `None` where there is none.
    ///
    /// # Errors
    /// Where S3 does not answer with it, or it is larger than 32 MiB.
    pub async fn get_bytes(&self, name: &str) -> Result<Option<Stored<Vec<u8>>>, Error> {
        const OPERATION: &str = "s3:GetObject";
        let key = self.key(name);
        let answer = self.client.get_object().bucket(&self.location.bucket).key(&key).send().await;
        let answer = match answer.map_err(failed(OPERATION, &self.describe(&key))) {
            Ok(answer) => answer,
            Err(error) if error.code.as_deref() == Some("NoSuchKey") => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let unreadable = |message: String| CallError {
            operation: OPERATION,
            resource: self.describe(&key),
            kind: Kind::Unreachable,
            code: None,
            message,
        };
        let etag = answer.e_tag.map(ETag).ok_or_else(|| unreadable("an answer without an ETag".to_owned()))?;
        let (mut body, mut value) = (answer.body, Vec::new());
        while let Some(chunk) = body.try_next().await.map_err(|cause| unreadable(cause.to_string()))? {
            if value.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                let message = format!("it is larger than {} MiB", MAX_DOCUMENT_BYTES >> 20);
                return Err(Error::Broken { key, message, etag });
            }
            value.extend_from_slice(&chunk);
        }
        Ok(Some(Stored { value, etag }))
    }

    /// Writes a document, if things are as `condition` says.
    ///
    /// # Errors
    /// [`Error::Raced`] where they are not, [`Error::LeaseOver`] where it comes too late; or S3 refuses or does not answer.
    pub async fn put<T: Serialize + Sync>(&self, name: &str, value: &T, condition: If) -> Result<ETag, Error> {
        let mut bytes =
            serde_json::to_vec_pretty(value).map_err(|source| Error::Encode { key: self.key(name), source })?;
        bytes.push(b'\n');
        self.put_bytes(name, bytes, condition).await
    }

    /// Writes bytes, if things are as `condition` says. A write of ours whose answer was lost, and that the SDK tried again,
    /// is recognised by its bytes.
    ///
    /// # Errors
    /// [`Error::Raced`] where they are not, [`Error::LeaseOver`] where it comes too late; or S3 refuses or does not answer.
    pub async fn put_bytes(&self, name: &str, bytes: Vec<u8>, condition: If) -> Result<ETag, Error> {
        const OPERATION: &str = "s3:PutObject";
        let key = self.writable(name)?;
        let body = ByteStream::from(bytes.clone());
        let call = self
            .client
            .put_object()
            .bucket(&self.location.bucket)
            .key(&key)
            .content_type("application/json")
            .body(body);
        let call = match condition {
            If::Absent => call.if_none_match("*"),
            If::Unchanged(ETag(etag)) => call.if_match(etag),
        };
        match call.send().await.map_err(failed(OPERATION, &self.describe(&key))) {
            Ok(answer) => answer.e_tag.map(ETag).ok_or(Error::Raced { key }),
            Err(error) if matches!(error.kind, Kind::Raced | Kind::Conflict | Kind::NotFound) => {
                match self.written(name, &bytes).await? {
                    Some(etag) => Ok(etag),
                    None if error.code.as_deref() == Some("NoSuchBucket") => Err(error.into()),
                    None => Err(Error::Raced { key }),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The token of an object that holds just these bytes. A write of ours whose answer was lost, and that the SDK tried again,
    /// is told by it.
    async fn written(&self, name: &str, bytes: &[u8]) -> Result<Option<ETag>, Error> {
        match self.get_bytes(name).await {
            Ok(found) => Ok(found.filter(|found| found.value == bytes).map(|found| found.etag)),
            Err(Error::Broken { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes a document over whatever it was: only for what is derived, such as the status.
    ///
    /// # Errors
    /// [`Error::LeaseOver`] where it comes too late; or S3 refuses or does not answer.
    pub async fn overwrite<T: Serialize + Sync>(&self, name: &str, value: &T) -> Result<(), Error> {
        let key = self.writable(name)?;
        // Without spaces: it is the one document that is written each minute, and grows with the environment.
        let bytes = serde_json::to_vec(value).map_err(|source| Error::Encode { key: key.clone(), source })?;
        self.client
            .put_object()
            .bucket(&self.location.bucket)
            .key(&key)
            .content_type("application/json")
            .body(ByteStream::from(bytes))
            .send()
            .await
            .map_err(failed("s3:PutObject", &self.describe(&key)))?;
        Ok(())
    }

    /// Deletes what was read. That it is gone already is fine: the answer to our own delete may have been lost.
    ///
    /// # Errors
    /// [`Error::Raced`] where it is something else by now, [`Error::LeaseOver`] where it comes too late; or S3 refuses or does
    /// not answer.
    pub async fn delete(&self, name: &str, etag: &ETag) -> Result<(), Error> {
        let key = self.writable(name)?;
        let call = self.client.delete_object().bucket(&self.location.bucket).key(&key).if_match(&etag.0);
        match call.send().await.map_err(failed("s3:DeleteObject", &self.describe(&key))) {
            Ok(_) => Ok(()),
            Err(error) if error.code.as_deref() == Some("NoSuchKey") => Ok(()),
            Err(error) if matches!(error.kind, Kind::Raced | Kind::Conflict) => Err(Error::Raced { key }),
            Err(error) => Err(error.into()),
        }
    }

    /// The names of all objects whose names begin so.
    ///
    /// # Errors
    /// Where S3 refuses or does not answer.
    pub async fn list(&self, beginning: &str) -> Result<Vec<String>, Error> {
        Ok(self.list_dated(beginning).await?.into_iter().map(|(name, _)| name).collect())
    }

    /// The same, each with the time at which S3 says that it was written.
    ///
    /// # Errors
    /// Where S3 refuses or does not answer.
    pub async fn list_dated(&self, beginning: &str) -> Result<Vec<(String, DateTime<Utc>)>, Error> {
        let prefix = self.key(beginning);
        let strip = self.key("");
        let mut names = Vec::new();
        let mut pages =
            self.client.list_objects_v2().bucket(&self.location.bucket).prefix(&prefix).into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("s3:ListObjectsV2", &self.describe(&prefix)))?;
            names.extend(page.contents().iter().filter_map(|object| {
                let written = object.last_modified()?;
                let written = DateTime::from_timestamp(written.secs(), written.subsec_nanos())?;
                Some((object.key()?.strip_prefix(&strip)?.to_owned(), written))
            }));
        }
        Ok(names)
    }

    /// The names of the folders right below this one: each call tells a thousand of them, whatever is in them.
    ///
    /// # Errors
    /// Where S3 refuses or does not answer.
    pub async fn folders(&self, folder: &str) -> Result<Vec<String>, Error> {
        let prefix = self.key(folder);
        let call = self.client.list_objects_v2().bucket(&self.location.bucket).prefix(&prefix).delimiter("/");
        let mut names = Vec::new();
        let mut pages = call.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(failed("s3:ListObjectsV2", &self.describe(&prefix)))?;
            let folders = page.common_prefixes().iter().filter_map(|folder| folder.prefix());
            names.extend(folders.filter_map(|name| name.strip_prefix(&prefix)?.strip_suffix('/')).map(str::to_owned));
        }
        Ok(names)
    }

    fn describe(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.location.bucket)
    }
}

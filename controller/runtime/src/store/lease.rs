//! The lease: who may tick an environment, and the time that the tick decides by.
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, Utc};
use release_schema::EnvironmentName;
use serde::{Deserialize, Serialize};
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::shard::Shard;

use super::{ETag, Error, If, Store, Stored, keys};
use crate::aws::calls::ServerDate;
use crate::aws::error::{CallError, Kind, failed};

/// Longer than the Lambda's timeout of 60 s, so that a tick that was killed is over before the next one begins.
pub const DURATION: Duration = Duration::from_secs(75);

/// Who holds a lease that was taken in the same moment.
pub const UNKNOWN: &str = "unknown";

/// Who holds an environment, or a shard of it, and until when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LeaseDocument {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The tick that holds it.
    pub holder: String,
    /// Grows by one with every holder.
    pub epoch: u64,
    /// Server time at which it ends by itself.
    pub until: DateTime<Utc>,
}

/// The proof that an environment is held: writing needs it.
#[derive(Debug)]
pub struct Lease {
    name: String,
    document: LeaseDocument,
    etag: ETag,
    now: DateTime<Utc>,
    granted: tokio::time::Instant,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum NoLease {
    /// Another tick holds it.
    #[error("another tick (`{holder}`) is at work until {}", until.format("%H:%M:%S UTC"))]
    Held {
        /// The tick that holds it.
        holder: String,
        /// Server time at which it ends by itself.
        until: DateTime<Utc>,
    },
    /// The store does not answer.
    #[error("the lease could not be read or written")]
    Store(#[from] Error),
}

impl Lease {
    /// Takes the lease of a shard, where nobody holds it. Those of shards that have services in common are different ones: what
    /// keeps ticks from each other's writes is what each write carries, and a lease only saves them the trouble.
    ///
    /// # Errors
    /// Where somebody does, or the store does not answer.
    pub async fn acquire(
        store: &Store,
        environment: &EnvironmentName,
        shard: Shard,
        holder: &str,
    ) -> Result<Self, NoLease> {
        let name = keys::lease(environment, shard);
        let (before, read_at) = store.read_dated(&name).await?;
        let (epoch, condition) = match before {
            None => (1, If::Absent),
            Some(Stored { value, .. }) if value.until > read_at && !planted!(LeaseTakenFromOthers) => {
                return Err(NoLease::Held { holder: value.holder, until: value.until });
            }
            Some(Stored { value, etag }) => (value.epoch.saturating_add(1), If::Unchanged(etag)),
        };
        let until = read_at + DURATION;
        let document = LeaseDocument { schema_version: SCHEMA_VERSION, holder: holder.to_owned(), epoch, until };
        let granted = tokio::time::Instant::now();
        let (etag, now) = store.put_dated(&name, &document, condition).await.map_err(|error| match error {
            Error::Raced { .. } => NoLease::Held { holder: UNKNOWN.to_owned(), until },
            error => NoLease::Store(error),
        })?;
        Ok(Self { name, document, etag, now, granted })
    }

    /// The server's time when the lease was granted: the time of the whole tick.
    #[must_use]
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Which tick of the shard this is, counted over all that ever were.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.document.epoch
    }

    /// Whether it can still be held.
    #[must_use]
    pub fn holds(&self) -> bool {
        tokio::time::Instant::now() < self.ends()
    }

    /// Until when it can be held: counted from before it was asked for, by this machine's own clock.
    #[must_use]
    pub fn ends(&self) -> tokio::time::Instant {
        self.granted + DURATION
    }

    /// Gives it back, so that the next tick need not wait until it ends. Lost is fine: it ends by itself.
    ///
    /// # Errors
    /// Where the store does not answer, or somebody else holds it by now.
    pub async fn release(self, store: &Store) -> Result<(), Error> {
        let document = LeaseDocument { until: self.now, ..self.document };
        store.put(&self.name, &document, If::Unchanged(self.etag)).await.map(|_| ())
    }
}

/// The server's time: the `Date` of the answer that tells of an environment's lease.
///
/// # Errors
/// Where the store does not answer.
pub async fn server_time(store: &Store, environment: &EnvironmentName) -> Result<DateTime<Utc>, Error> {
    Ok(store.read_dated(&keys::lease(environment, Shard::WHOLE)).await?.1)
}

impl Store {
    /// Reads the lease and the server's time. A broken one counts as expired: it can be replaced, with its token.
    async fn read_dated(&self, name: &str) -> Result<(Option<Stored<LeaseDocument>>, DateTime<Utc>), Error> {
        let key = self.key(name);
        let date = ServerDate::default();
        let answer =
            self.client.get_object().bucket(&self.location.bucket).key(&key).customize().interceptor(date.clone());
        let answer = answer.send().await.map_err(failed("s3:GetObject", &self.describe(&key)));
        let undated = || self.undated("s3:GetObject", &key);
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.code.as_deref() == Some("NoSuchKey") => {
                return Ok((None, date.get().ok_or_else(undated)?));
            }
            Err(error) => return Err(error.into()),
        };
        let now = date.get().ok_or_else(undated)?;
        let etag = answer.e_tag.map(ETag).ok_or_else(undated)?;
        let bytes = answer.body.collect().await.map_err(|_| undated())?.to_vec();
        let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| LeaseDocument {
            schema_version: SCHEMA_VERSION,
            holder: "unreadable".to_owned(),
            epoch: 0,
            until: now,
        });
        Ok((Some(Stored { value, etag }), now))
    }

    async fn put_dated(
        &self,
        name: &str,
        document: &LeaseDocument,
        condition: If,
    ) -> Result<(ETag, DateTime<Utc>), Error> {
        let key = self.key(name);
        let bytes = serde_json::to_vec_pretty(document).map_err(|source| Error::Encode { key: key.clone(), source })?;
        let date = ServerDate::default();
        let call =
            self.client.put_object().bucket(&self.location.bucket).key(&key).body(ByteStream::from(bytes.clone()));
        let call = match condition {
            If::Absent => call.if_none_match("*"),
            If::Unchanged(ETag(etag)) => call.if_match(etag),
        };
        let answer = call
            .customize()
            .interceptor(date.clone())
            .send()
            .await
            .map_err(failed("s3:PutObject", &self.describe(&key)));
        let undated = || self.undated("s3:PutObject", &key);
        let etag = match answer {
            Ok(answer) => answer.e_tag.map(ETag).ok_or_else(undated)?,
            Err(error) if matches!(error.kind, Kind::Raced | Kind::Conflict) => match self.written(name, &bytes).await?
            {
                Some(etag) => etag,
                None => return Err(Error::Raced { key }),
            },
            Err(error) => return Err(error.into()),
        };
        Ok((etag, date.get().ok_or_else(undated)?))
    }

    fn undated(&self, operation: &'static str, key: &str) -> CallError {
        CallError {
            operation,
            resource: self.describe(key),
            kind: Kind::Unreachable,
            code: None,
            message: "an answer without a `Date`".to_owned(),
        }
    }
}

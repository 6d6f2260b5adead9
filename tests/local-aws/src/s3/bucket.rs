//! What a bucket keeps: for every key its versions, and what a write or a delete makes of them.
use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{Target, access_denied};
use crate::wire::{AwsError, Call};

/// The id of the version that exists while versioning is off or suspended.
pub(super) const NULL_VERSION: &str = "null";

/// All buckets of the world: their names are shared by all accounts and regions.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(super) buckets: BTreeMap<String, Bucket>,
}

/// One version of an object, as Lambda fetches it.
pub(crate) struct StoredObject {
    /// The account that owns the bucket.
    pub(crate) account: String,
    /// The bucket's region.
    pub(crate) region: String,
    /// The content.
    pub(crate) bytes: Bytes,
}

/// Whether deleted and overwritten objects stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versioning {
    /// As buckets are made.
    Never,
    /// Every write makes a version.
    Enabled,
    /// Writes replace the version `null`; the others stay.
    Suspended,
}

/// One bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    pub(super) owner: String,
    pub(super) region: String,
    pub(super) created: DateTime<Utc>,
    pub(super) versioning: Versioning,
    /// The versions of each key, oldest first; a key without versions is not kept.
    objects: BTreeMap<String, Vec<Version>>,
    versions_made: u64,
}

/// One version of a key.
#[derive(Clone)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) modified: DateTime<Utc>,
    /// `None` is a delete marker.
    pub(super) object: Option<Object>,
}

/// What was put.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) bytes: Bytes,
    /// The quoted MD5 of the bytes.
    pub(super) etag: String,
    /// What `GetObject` gives back as it came: content type, metadata and the like.
    pub(super) headers: Vec<(String, String)>,
    /// `x-amz-checksum-…` as the client gave it.
    pub(super) checksum: Option<(String, String)>,
}

impl State {
    /// The current version of an object, or the one that is named.
    pub(crate) fn object(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<StoredObject> {
        let bucket = self.buckets.get(bucket)?;
        let found = match version {
            Some(id) => bucket.version(key, id)?,
            None => bucket.current(key)?,
        };
        let object = found.object.as_ref()?;
        Some(StoredObject { account: bucket.owner.clone(), region: bucket.region.clone(), bytes: object.bytes.clone() })
    }

    /// The keys of a bucket that begin so and are not deleted.
    pub(crate) fn current_keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let keys = self.buckets.get(bucket).into_iter().flat_map(|bucket| bucket.objects.iter());
        let live = keys.filter(|(key, versions)| {
            key.starts_with(prefix) && versions.last().is_some_and(|version| version.object.is_some())
        });
        live.map(|(key, _)| key.clone()).collect()
    }

    /// The bucket of a request, if its caller owns it and signed for its region.
    pub(super) fn bucket(&mut self, call: &Call, target: &Target) -> Result<&mut Bucket, AwsError> {
        let name = &target.bucket;
        let Some(bucket) = self.buckets.get_mut(name) else {
            return Err(
                AwsError::new(404, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", name)
            );
        };
        if bucket.owner != call.caller.account {
            return Err(access_denied());
        }
        let expected = call.header("x-amz-expected-bucket-owner");
        if expected.is_some_and(|expected| expected != bucket.owner) {
            return Err(access_denied());
        }
        if bucket.region != call.caller.region {
            let message = "The bucket you are attempting to access must be addressed using the specified endpoint. Please \
                           send all future requests to this endpoint.";
            return Err(AwsError::new(301, "PermanentRedirect", message)
                .with("Endpoint", format!("{name}.s3.{}.amazonaws.com", bucket.region))
                .with("Bucket", name)
                .with("x-amz-bucket-region", &bucket.region));
        }
        Ok(bucket)
    }
}

impl Bucket {
    pub(super) fn new(owner: &str, region: &str, created: DateTime<Utc>) -> Self {
        Self {
            owner: owner.to_owned(),
            region: region.to_owned(),
            created,
            versioning: Versioning::Never,
            objects: BTreeMap::new(),
            versions_made: 0,
        }
    }

    /// Whether no version of anything is left.
    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Every key with its versions, oldest first, in the order of the keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = (&str, &[Version])> {
        self.objects.iter().map(|(key, versions)| (key.as_str(), versions.as_slice()))
    }

    /// The newest version of a key, which may be a delete marker.
    pub(super) fn current(&self, key: &str) -> Option<&Version> {
        self.objects.get(key)?.last()
    }

    /// The object that a plain read of the key gives.
    pub(super) fn current_object(&self, key: &str) -> Option<&Object> {
        self.current(key)?.object.as_ref()
    }

    /// The version of that id.
    pub(super) fn version(&self, key: &str, id: &str) -> Option<&Version> {
        self.objects.get(key)?.iter().find(|version| version.id == id)
    }

    /// The id that answers tell: none while versioning was never on.
    pub(super) fn shown_id<'v>(&self, version: &'v Version) -> Option<&'v str> {
        (self.versioning != Versioning::Never).then_some(version.id.as_str())
    }

    /// Makes `object`, or a delete marker, the current version of `key`.
    pub(super) fn push(&mut self, key: &str, now: DateTime<Utc>, object: Option<Object>) -> &Version {
        self.versions_made += 1;
        let id = match self.versioning {
            Versioning::Enabled => version_id(self.versions_made, key),
            Versioning::Never | Versioning::Suspended => NULL_VERSION.to_owned(),
        };
        let versions = self.objects.entry(key.to_owned()).or_default();
        if id == NULL_VERSION {
            versions.retain(|version| version.id != NULL_VERSION);
        }
        versions.push(Version { id, modified: now, object });
        versions.last().expect("a version was just pushed")
    }

    /// Deletes the key as a plain delete does: for good, or under a marker, which is then told.
    pub(super) fn delete(&mut self, key: &str, now: DateTime<Utc>) -> Option<&Version> {
        if self.versioning == Versioning::Never {
            self.objects.remove(key);
            return None;
        }
        Some(self.push(key, now, None))
    }

    /// Deletes one version for good, and gives it back.
    pub(super) fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.objects.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.objects.remove(key);
        }
        Some(removed)
    }
}

/// 32 characters that say nothing, and the same in every run.
fn version_id(number: u64, key: &str) -> String {
    use sha2::{Digest, Sha256};
    let digest = hex::encode(Sha256::digest(format!("{number}/{key}")));
    format!("{digest:.32}")
}

//! What a world holds, for tests that assert it: read without a call, so that nothing is counted and nothing can fail.
use std::collections::BTreeMap;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use crate::LocalAws;
use crate::lambda::VersionState;
use crate::lambda::model::{Alias, Function, Snapshot, Version};

/// One function.
#[derive(Clone, Debug, PartialEq)]
pub struct FunctionView {
    /// `$LATEST`.
    pub latest: VersionView,
    /// Its published versions.
    pub versions: BTreeMap<u64, VersionView>,
    /// Its aliases, by name.
    pub aliases: BTreeMap<String, AliasView>,
    /// The concurrency that is reserved for it, where there is some.
    pub reserved_concurrency: Option<u32>,
}

/// `$LATEST` or a published version.
#[derive(Clone, Debug, PartialEq)]
pub struct VersionView {
    /// The state, as `GetFunction` says it.
    pub state: VersionState,
    /// `CodeSha256`: hex of the digest for images, base64 for archives.
    pub code: String,
    /// The execution role.
    pub role: String,
    /// The dead-letter target.
    pub dead_letter: Option<String>,
    /// Everything that makes this version different from another one, as text that is only good for comparing.
    pub content: String,
}

/// One alias.
#[derive(Clone, Debug, PartialEq)]
pub struct AliasView {
    /// `$LATEST` or a number.
    pub version: String,
    /// At most one more version, and its share from 0 to 1.
    pub additional: Option<(u64, f64)>,
    /// Its description.
    pub description: String,
    /// Its `RevisionId`.
    pub revision: String,
}

impl Version {
    fn view(&self) -> VersionView {
        let Snapshot { configuration, code } = &*self.snapshot;
        VersionView {
            state: self.state,
            code: code.sha256().to_owned(),
            role: configuration.role.clone(),
            dead_letter: configuration.dead_letter.clone(),
            content: format!("{} {configuration:?}", code.sha256()),
        }
    }
}

impl Function {
    /// What tests see of it.
    pub(crate) fn view(&self, now: DateTime<Utc>) -> FunctionView {
        let alias = |alias: &Alias| AliasView {
            version: alias.version.clone(),
            additional: alias.routing(now),
            description: alias.description.clone(),
            revision: alias.revision.clone(),
        };
        FunctionView {
            latest: self.latest.view(),
            versions: self.versions.iter().map(|(number, version)| (*number, version.view())).collect(),
            aliases: self.aliases.iter().map(|(name, it)| (name.clone(), alias(it))).collect(),
            reserved_concurrency: self.reserved,
        }
    }
}

impl LocalAws {
    /// A function as it is now.
    #[must_use]
    pub fn function(&self, account: &str, region: &str, name: &str) -> Option<FunctionView> {
        let now = self.clock().now();
        self.lambda().view(account, region, name, now)
    }

    /// The names of all functions of an account and region.
    #[must_use]
    pub fn function_names(&self, account: &str, region: &str) -> Vec<String> {
        self.lambda().functions_of(account, region)
    }

    /// The current bytes of an object.
    #[must_use]
    pub fn object(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.s3().object(bucket, key, None).map(|object| object.bytes)
    }

    /// The keys of a bucket that begin so and are not deleted.
    #[must_use]
    pub fn object_keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        self.s3().current_keys(bucket, prefix)
    }

    /// The value of a parameter.
    #[must_use]
    pub fn parameter(&self, account: &str, region: &str, name: &str) -> Option<String> {
        self.ssm().value(account, region, name)
    }
}

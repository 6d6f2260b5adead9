//! An environment's last valid content, as it was read from Git, with what its tags were resolved to.
use std::collections::BTreeMap;

use release_schema::ServiceName;
use serde::{Deserialize, Serialize};
use tidegate_core::drift::Recorded;
use tidegate_core::ids::Commit;
use tidegate_core::release::Code;

/// What Git wanted when it was last valid. While Git is down, or says something that is not valid, this stays in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredDocument {
    /// Version of this document's form.
    pub schema_version: u32,
    /// Where it comes from.
    pub commit: Commit,
    /// `release-config.yaml`, as it is.
    pub release_config: String,
    /// The environment's `services.yaml`, as it is.
    pub services: String,
    /// What each service's artifact was resolved to, when it was first seen.
    pub pins: BTreeMap<ServiceName, Pin>,
    /// Services that were removed from Git, with the alias that each had: nobody manages them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unmanaged: BTreeMap<ServiceName, String>,
}

/// What an artifact was resolved to. It stays so when the tag is pushed again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pin {
    /// The artifact as written: repository and tag, or bucket, key and object version.
    pub artifact: String,
    /// What it is.
    pub code: Code,
    /// What the service's history is known to end with: a cache, so that a converged service costs no look at it.
    pub recorded: Option<Recorded>,
    /// The reserved concurrency that the function had when it was last seen with what Git wanted: where Git wants the same
    /// still, another one is somebody's edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reserved_concurrency: Option<u32>,
}

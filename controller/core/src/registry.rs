//! The service registry: what stands in Parameter Store for the services to find each other.
use release_schema::{EnvironmentName, ServiceName, Tag};
use serde::{Deserialize, Serialize};

use crate::ids::Version;

/// The value of `/services/<environment>/<service>`; written after every transition that moved the alias for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Version of this document's form.
    pub schema_version: u32,
    /// What to invoke.
    pub alias_arn: String,
    /// The version behind it.
    pub version: Version,
    /// What it is called, where that is known.
    pub tag: Option<Tag>,
}

/// What the registry tells of a service now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// An entry.
    Entry {
        /// The version.
        version: Version,
        /// Whether it names the service's alias.
        names_alias: bool,
    },
    /// Parameter Store did not answer: nothing follows from that.
    NotSeen,
}

/// The parameter's name.
#[must_use]
pub fn parameter_name(environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("/services/{environment}/{service}")
}

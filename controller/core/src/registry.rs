//! The service registry: what stands in Parameter Store for the services to find each other.
use std::collections::BTreeMap;

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
    /// There is no room for an entry of the service.
    Full {
        /// How many bytes the document would have with it.
        bytes: usize,
    },
    /// Parameter Store did not answer, or there is no registry: nothing follows from that.
    NotSeen,
}

/// The parameter of one service, where each has its own.
#[must_use]
pub fn parameter_name(path: &str, environment: &EnvironmentName, service: &ServiceName) -> String {
    format!("{path}/{environment}/{service}")
}

/// The registry of an environment as one document, in the value of one parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// Version of this document's form.
    pub schema_version: u32,
    /// Whose registry it is: another environment's is not written over.
    pub environment: EnvironmentName,
    /// The services by name.
    pub services: BTreeMap<ServiceName, Listed>,
}

/// A service in the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// What to invoke.
    pub alias_arn: String,
    /// The version behind it.
    pub version: Version,
    /// What it is called, where that is known.
    pub tag: Option<Tag>,
}

impl From<Entry> for Listed {
    fn from(Entry { schema_version: _, alias_arn, version, tag }: Entry) -> Self {
        Self { alias_arn, version, tag }
    }
}

/// Why the value of a parameter is not the registry of an environment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It is something else.
    #[error("it holds something else than a service registry")]
    SomethingElse,
    /// A newer build wrote it.
    #[error("it has schema version {found}, and this build knows {}", crate::SCHEMA_VERSION)]
    Newer {
        /// Its version.
        found: u32,
    },
    /// It is another environment's.
    #[error("it is the service registry of `{environment}`: each environment needs a name of its own")]
    Another {
        /// That environment.
        environment: EnvironmentName,
    },
}

impl Document {
    /// The most bytes that the value of a standard parameter has (Parameter Store's quotas).
    pub const MOST_BYTES: usize = 4_096;

    /// A registry without services.
    #[must_use]
    pub const fn empty(environment: EnvironmentName) -> Self {
        Self { schema_version: crate::SCHEMA_VERSION, environment, services: BTreeMap::new() }
    }

    /// The registry of `environment` in the value of a parameter.
    ///
    /// # Errors
    /// Where the value is something else: it is not to be written over then.
    pub fn parse(text: &str, environment: &EnvironmentName) -> Result<Self, NotOurs> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Versioned {
            schema_version: u32,
        }
        let Versioned { schema_version: found } = serde_json::from_str(text).map_err(|_| NotOurs::SomethingElse)?;
        if found > crate::SCHEMA_VERSION {
            return Err(NotOurs::Newer { found });
        }
        let document: Self = serde_json::from_str(text).map_err(|_| NotOurs::SomethingElse)?;
        if document.environment != *environment {
            return Err(NotOurs::Another { environment: document.environment });
        }
        Ok(document)
    }

    /// The document with these services, and all others as they are: nobody's entry is dropped, not even that of a service
    /// which is not in Git any more.
    #[must_use]
    pub fn with(&self, services: BTreeMap<ServiceName, Listed>) -> Self {
        let services = self.services.clone().into_iter().chain(services).collect();
        Self { services, ..self.clone() }
    }

    /// As it is stored.
    ///
    /// # Errors
    /// Where it cannot be written as JSON, which no document of this crate is.
    pub fn encode(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

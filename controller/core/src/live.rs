//! What is live, as AWS answered: the alias, the versions, and what could not be seen.
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::{RevisionId, Version};
use crate::marker::Marker;
use crate::release::{AppliedConfiguration, Code, Package};

/// One look at one thing. Not having looked is different from having seen that it is not there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Seen<T> {
    /// Nobody asked yet.
    #[default]
    NotYet,
    /// AWS answered that there is no such thing.
    Missing,
    /// It is there.
    Found(T),
}

impl<T> Seen<T> {
    /// What was found, if anything was.
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(found) => Some(found),
            Self::NotYet | Self::Missing => None,
        }
    }
}

/// A function's configuration as `GetFunction` shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct LiveConfiguration {
    /// MB.
    pub memory_size: u32,
    /// Seconds.
    pub timeout: u32,
    /// `None` where the values could not be decrypted: such a configuration is never compared nor written.
    pub environment: Option<BTreeMap<String, String>>,
}

impl LiveConfiguration {
    /// Whether all that is declared can be compared: values that could not be decrypted are neither equal nor different.
    #[must_use]
    pub fn is_comparable(&self, declared: &release_schema::Configuration) -> bool {
        self.environment.is_some() || declared.environment.is_empty()
    }
}

/// Values of the environment are never printed, not even in a debug line.
impl fmt::Debug for LiveConfiguration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_size, timeout, environment } = self;
        f.debug_struct("LiveConfiguration")
            .field("memory_size", memory_size)
            .field("timeout", timeout)
            .field("environment", &environment.as_ref().map(|values| values.keys().collect::<Vec<_>>()))
            .finish()
    }
}

/// One version of a function, or `$LATEST`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveVersion {
    /// `None` for `$LATEST`.
    pub version: Option<Version>,
    /// The code it runs; `None` where AWS did not say (a function whose first image is still being fetched).
    pub code: Option<Code>,
    /// How the function is packaged.
    pub package: Package,
    /// Whether it can serve.
    pub state: VersionState,
    /// How the last update of `$LATEST` went.
    pub last_update: UpdateStatus,
    /// The configuration that was published with it.
    pub configuration: LiveConfiguration,
    /// The execution role's ARN: two versions that share an alias must have the same.
    pub role: Option<String>,
    /// Where failed asynchronous invocations go: two versions that share an alias must have the same.
    pub dead_letter: Option<String>,
    /// Reserved concurrency of the whole function, where `GetFunction` gave it.
    pub reserved_concurrency: Option<u32>,
    /// The token for a write that replaces this.
    pub revision: RevisionId,
}

/// Whether a version can serve. AWS may add states: an unknown one is kept by its name and never given traffic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum VersionState {
    /// Being prepared.
    Pending,
    /// Can serve.
    Active,
    /// Not invoked for weeks: the first call wakes it and is refused.
    Inactive,
    /// Cannot serve, with AWS's reason.
    Failed {
        /// `StateReason`, or its code.
        reason: String,
    },
    /// A state that this build does not know.
    Other {
        /// As AWS named it.
        name: String,
    },
}

impl fmt::Display for VersionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending => f.write_str("Pending"),
            Self::Active => f.write_str("Active"),
            Self::Inactive => f.write_str("Inactive"),
            Self::Failed { reason } => write!(f, "Failed ({reason})"),
            Self::Other { name } => f.write_str(name),
        }
    }
}

/// `LastUpdateStatus`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpdateStatus {
    /// Nothing is being updated.
    Successful,
    /// `$LATEST` is being updated: code, configuration and publishing calls answer 409.
    InProgress,
    /// The last update failed, with AWS's reason; the old code keeps serving.
    Failed {
        /// `LastUpdateStatusReason`, or its code.
        reason: String,
    },
}

/// An alias, whole, as `GetAlias` answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveAlias {
    /// The primary: stable. `None` where it names `$LATEST`, which is a violation of policy.
    pub version: Option<Version>,
    /// The additional version and its share, where there is one.
    pub additional: Option<Weighted>,
    /// What the alias's description says of us.
    pub marker: Option<Marker>,
    /// The token for the write that replaces this.
    pub revision: RevisionId,
}

/// The additional version of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Weighted {
    /// The version.
    pub version: Version,
    /// Its share of the traffic in ten-thousandths (1 % is 100).
    pub basis_points: u16,
}

impl Weighted {
    /// Its share in percent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        f64::from(self.basis_points) / 100.0
    }
}

/// What a release would change in a configuration, by name. Values are wanted ones.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConfigurationChange {
    /// MB.
    pub memory_size: Option<u32>,
    /// Seconds.
    pub timeout: Option<u32>,
    /// The whole environment to send, where a given value differs: what is live, with the given values laid over it,
    /// because AWS replaces the environment as a whole.
    pub environment: Option<BTreeMap<String, String>>,
    /// The names whose values differ.
    pub environment_names: Vec<String>,
}

impl fmt::Debug for ConfigurationChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_size, timeout, environment: _, environment_names } = self;
        f.debug_struct("ConfigurationChange")
            .field("memory_size", memory_size)
            .field("timeout", timeout)
            .field("environment", environment_names)
            .finish()
    }
}

impl ConfigurationChange {
    /// What must change so that `live` has everything that is declared. `None`: nothing.
    #[must_use]
    pub fn between(live: &LiveConfiguration, declared: &release_schema::Configuration) -> Option<Self> {
        let live_environment = live.environment.clone().unwrap_or_default();
        let environment_names: Vec<String> = declared
            .environment
            .iter()
            .filter(|(name, value)| live_environment.get(*name) != Some(value))
            .map(|(name, _)| name.clone())
            .collect();
        let environment = (!environment_names.is_empty()).then(|| {
            let mut merged = live_environment;
            merged.extend(declared.environment.clone());
            merged
        });
        let change = Self {
            memory_size: declared.memory_size.filter(|wanted| *wanted != live.memory_size),
            timeout: declared.timeout.filter(|wanted| *wanted != live.timeout),
            environment,
            environment_names,
        };
        (change != Self::default()).then_some(change)
    }
}

/// The hash of the part of a live configuration that a declaration speaks of: what a baseline is recorded with.
#[must_use]
pub fn applied_part(live: &LiveConfiguration, declared: &release_schema::Configuration) -> AppliedConfiguration {
    let environment = live.environment.as_ref();
    AppliedConfiguration::of(&release_schema::Configuration {
        memory_size: declared.memory_size.map(|_| live.memory_size),
        timeout: declared.timeout.map(|_| live.timeout),
        environment: declared
            .environment
            .keys()
            .filter_map(|name| environment.and_then(|values| values.get_key_value(name)))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    })
}

//! What the controller is told, and by whom: never by the release repository. Parameters, or a file for the command line.
mod registry;
mod repository;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use release_schema::{EnvironmentName, FunctionName};
use serde::{Deserialize, Serialize};
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::environment::Guard;
use tidegate_core::housekeeping::Policy;

use crate::aws::budget::{MOST_CONTROL_PLANE, MOST_GET_FUNCTION, MOST_REGISTRY_WRITES};
use crate::aws::error::CallError;
use crate::aws::{Home, parameters};
use crate::store::{self, If, Store, keys};

pub use registry::{ParameterName, Registry};
pub use repository::{GithubApp, Repository};

/// Everything that the controller is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Configuration {
    /// What all environments share.
    pub installation: Installation,
    /// Each environment's account, region and limits.
    pub environments: BTreeMap<EnvironmentName, EnvironmentConfig>,
}

/// What all environments of an installation share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Installation {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The release repository.
    pub repository: Repository,
    /// Where state is stored.
    pub state: StateLocation,
    /// CloudWatch's namespace for the metrics.
    #[serde(default = "default_namespace")]
    pub metric_namespace: String,
}

fn default_namespace() -> String {
    "Tidegate".to_owned()
}

/// A bucket and a prefix in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StateLocation {
    /// The bucket.
    pub bucket: String,
    /// Without a slash at its end; empty for the whole bucket.
    #[serde(default)]
    pub prefix: String,
}

impl StateLocation {
    /// From `s3://bucket/prefix`.
    ///
    /// # Errors
    /// Where the text is not of that form.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let rest = text.strip_prefix("s3://").filter(|rest| !rest.is_empty());
        let rest = rest.ok_or_else(|| Error::Location { text: text.to_owned() })?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.trim_end_matches('/').to_owned() })
    }
}

/// One environment: where it is, and what a release repository may reach in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvironmentConfig {
    /// Version of this document's form.
    pub schema_version: u32,
    /// The AWS region of its functions.
    pub region: String,
    /// The role to assume there; the controller's own where it is left out.
    pub role_arn: Option<String>,
    /// The external id that the role asks for.
    pub external_id: Option<String>,
    /// Names of functions that may be managed, `*` for any characters.
    pub allowed_functions: Vec<String>,
    /// Hosts of ECR registries that images may come from; the first is the one of repositories without a host.
    #[serde(default)]
    pub registries: Vec<String>,
    /// Buckets that zip archives may come from.
    #[serde(default)]
    pub buckets: Vec<String>,
    /// Whether a branch that was rewritten is followed without a person's word.
    #[serde(default)]
    pub allow_history_rewrite: bool,
    /// How long published versions are kept; left out, none is ever deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_housekeeping: Option<Policy>,
    /// How much one commit may change without a person's word.
    #[serde(default)]
    pub mass_change: MassChangeGuard,
    /// What its ticks may call.
    #[serde(default)]
    pub call_budget: CallBudget,
    /// Where the services find each other: `{ form: perService }`, or one of two other forms, as the page on the configuration has
    /// them.
    #[serde(default)]
    pub registry: Registry,
}

/// How much of an environment one commit may change without a person's word. An emptied one always waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct MassChangeGuard {
    /// This share of its services, in percent: 100 for all of them.
    pub percent: Percent,
    /// Fewer services than this never wait.
    pub at_least: usize,
}

impl Default for MassChangeGuard {
    fn default() -> Self {
        Self { percent: Percent(50), at_least: 5 }
    }
}

impl From<MassChangeGuard> for Guard {
    fn from(MassChangeGuard { percent, at_least }: MassChangeGuard) -> Self {
        Self { percent: percent.0, at_least }
    }
}

/// A share, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Percent(u8);

impl TryFrom<u8> for Percent {
    type Error = String;

    fn try_from(percent: u8) -> Result<Self, String> {
        (percent <= 100).then_some(Self(percent)).ok_or_else(|| "it should be from 0 to 100 percent".to_owned())
    }
}

impl From<Percent> for u8 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

/// The share of AWS's request rates that an environment's ticks may use. AWS counts by account and region: environments
/// that share one have to share these as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallBudget {
    /// `GetFunction` in a second.
    pub get_function: CallsASecond<MOST_GET_FUNCTION>,
    /// All other calls of the control plane in a second.
    pub control_plane: CallsASecond<MOST_CONTROL_PLANE>,
    /// Writes to the service registry in a second.
    pub registry_writes: CallsASecond<MOST_REGISTRY_WRITES>,
}

impl Default for CallBudget {
    /// Half of AWS's own rate, and about a quarter: people, pipelines and other tools deploy in the same account. Of
    /// Parameter Store, what it takes where nobody pays for more.
    fn default() -> Self {
        Self { get_function: CallsASecond(50), control_plane: CallsASecond(4), registry_writes: CallsASecond(3) }
    }
}

/// Calls in a second: at least one, and at most as many as AWS takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct CallsASecond<const MOST: u16>(u16);

impl<const MOST: u16> CallsASecond<MOST> {
    /// The number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl<const MOST: u16> TryFrom<u16> for CallsASecond<MOST> {
    type Error = String;

    fn try_from(calls: u16) -> Result<Self, String> {
        let problem = || format!("it should be from 1 to {MOST} calls a second, the most that AWS takes");
        (1..=MOST).contains(&calls).then_some(Self(calls)).ok_or_else(problem)
    }
}

impl<const MOST: u16> From<CallsASecond<MOST>> for u16 {
    fn from(calls: CallsASecond<MOST>) -> Self {
        calls.0
    }
}

impl EnvironmentConfig {
    /// Whether a release repository may name this function here.
    #[must_use]
    pub fn allows(&self, function: &FunctionName) -> bool {
        self.allowed_functions.iter().any(|pattern| wildmatch::WildMatch::new(pattern).matches(function.as_str()))
    }

    /// The number of its account, where it has a role of its own.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        // `arn:aws:iam::222222222222:role/…`
        self.role_arn.as_deref()?.split(':').nth(4)
    }
}

/// Where the configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file: `installation:` and `environments:` in one YAML document.
    File(PathBuf),
    /// Parameters below `/tidegate/<installation>/`.
    Parameters {
        /// The installation's name.
        installation: String,
        /// Where its last good copy is kept, for when Parameter Store is down.
        copy: Option<StateLocation>,
    },
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("the configuration file `{}` cannot be read", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// A document is not what it should be.
    #[error("the configuration in {place} is not valid")]
    Invalid {
        /// Which file or parameter.
        place: String,
        /// Where and what, as the parser says it.
        source: serde_yaml::Error,
    },
    /// A newer build's document.
    #[error("the configuration in {place} has schemaVersion {found}, and this build knows {SCHEMA_VERSION}")]
    Newer {
        /// Which file or parameter.
        place: String,
        /// Its version.
        found: u32,
    },
    /// A parameter is not there.
    #[error("the parameter `{name}` does not exist: is the installation's name right?")]
    Missing {
        /// Which one.
        name: String,
    },
    /// How the release repository is reached contradicts itself.
    #[error("the configuration in {place} cannot be used: {reason}")]
    Repository {
        /// Which file or parameter.
        place: String,
        /// What is wrong, and what to change.
        reason: String,
    },
    /// Parameter Store does not answer, and there is no copy.
    #[error("the configuration could not be read, and there is no copy of it")]
    Unavailable(#[from] CallError),
    /// Not a place in S3.
    #[error("`{text}` is no place for state: it should look like `s3://bucket/prefix`")]
    Location {
        /// What was given.
        text: String,
    },
}

/// The prefix of an installation's parameters.
#[must_use]
pub fn parameter_path(installation: &str) -> String {
    format!("/tidegate/{installation}")
}

/// Reads the configuration, and keeps a copy of it where that is wanted. Where Parameter Store does not answer, the last good copy serves.
///
/// # Errors
/// Where there is none, or it is not valid.
pub async fn load(source: &Source, home: &Home, kept: &Kept) -> Result<Configuration, Error> {
    match source {
        Source::File(path) => {
            let text =
                tokio::fs::read_to_string(path).await.map_err(|source| Error::File { path: path.clone(), source })?;
            let place = format!("`{}`", path.display());
            let configuration =
                serde_yaml::from_str(&text).map_err(|source| Error::Invalid { place: place.clone(), source })?;
            checked(configuration, &place)
        }
        Source::Parameters { installation, copy } => {
            let copy = copy.clone().map(|location| Store::new(home.s3.clone(), location));
            match from_parameters(installation, home).await {
                Ok(configuration) => {
                    if let Some(store) = copy {
                        keep_copy(&store, &configuration, kept).await;
                    }
                    Ok(configuration)
                }
                Err(Error::Unavailable(error)) => match copy {
                    Some(store) => from_copy(&store, error).await,
                    None => Err(Error::Unavailable(error)),
                },
                Err(error) => Err(error),
            }
        }
    }
}

async fn from_parameters(installation: &str, home: &Home) -> Result<Configuration, Error> {
    let path = parameter_path(installation);
    let found = parameters::below(&home.ssm, &path).await?;
    let name = format!("{path}/installation");
    let text = found.get("installation").ok_or_else(|| Error::Missing { name: name.clone() })?;
    let installation = parse(text, &name)?;
    let mut environments = BTreeMap::new();
    for (key, text) in &found {
        let Some(environment) = key.strip_prefix("environments/") else { continue };
        let name = format!("{path}/{key}");
        let invalid = |source| Error::Invalid { place: format!("`{name}`"), source };
        let environment: EnvironmentName =
            environment.parse().map_err(|error| invalid(serde::de::Error::custom(error)))?;
        environments.insert(environment, parse(text, &name)?);
    }
    checked(Configuration { installation, environments }, &format!("`{path}`"))
}

fn parse<T: serde::de::DeserializeOwned>(text: &str, name: &str) -> Result<T, Error> {
    serde_yaml::from_str(text).map_err(|source| Error::Invalid { place: format!("`{name}`"), source })
}

fn checked(configuration: Configuration, place: &str) -> Result<Configuration, Error> {
    let versions = configuration.environments.values().map(|environment| environment.schema_version);
    let newest = versions.chain([configuration.installation.schema_version]).max().unwrap_or(SCHEMA_VERSION);
    if newest > SCHEMA_VERSION {
        return Err(Error::Newer { place: place.to_owned(), found: newest });
    }
    let repository = configuration.installation.repository.check();
    repository.map_err(|reason| Error::Repository { place: place.to_owned(), reason })?;
    Ok(configuration)
}

/// The copy, with its version.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Copy {
    schema_version: u32,
    configuration: Configuration,
}

/// The copy as this process knows that it is stored: while it is the same, S3 is not asked.
#[derive(Debug, Default)]
pub struct Kept(Mutex<Option<Configuration>>);

impl Kept {
    fn is(&self, configuration: &Configuration) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref() == Some(configuration)
    }

    fn set(&self, configuration: &Configuration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(configuration.clone());
    }
}

/// Written only where it differs; that it could not be written never stops a tick.
async fn keep_copy(store: &Store, configuration: &Configuration, known: &Kept) {
    if known.is(configuration) {
        return;
    }
    let kept = match store.get::<Copy>(keys::CONFIGURATION).await {
        Ok(Some(kept)) if kept.value.configuration == *configuration => return known.set(configuration),
        Ok(kept) => kept.map_or(If::Absent, |kept| If::Unchanged(kept.etag)),
        Err(store::Error::Broken { etag, .. }) => If::Unchanged(etag),
        Err(error) => return tracing::warn!(%error, "the configuration's copy could not be read"),
    };
    let copy = Copy { schema_version: SCHEMA_VERSION, configuration: configuration.clone() };
    match store.put(keys::CONFIGURATION, &copy, kept).await {
        Ok(_) => known.set(configuration),
        Err(error) => tracing::warn!(%error, "the configuration's copy could not be written"),
    }
}

async fn from_copy(store: &Store, error: CallError) -> Result<Configuration, Error> {
    match store.get::<Copy>(keys::CONFIGURATION).await {
        Ok(Some(copy)) => {
            tracing::warn!(%error, "the configuration could not be read: the last good copy serves");
            Ok(copy.value.configuration)
        }
        Ok(None) | Err(_) => Err(Error::Unavailable(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mass_change_is_a_share_of_an_environment() {
        let parse = serde_yaml::from_str::<MassChangeGuard>;
        assert_eq!(Guard::from(parse("{}").unwrap()), Guard { percent: 50, at_least: 5 });
        assert_eq!(Guard::from(parse("{percent: 100, atLeast: 0}").unwrap()), Guard { percent: 100, at_least: 0 });
        for bad in ["{percent: 101}", "{percent: -1}", "{atLeast: -1}", "{share: 50}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_call_budget_is_a_share_of_what_aws_takes() {
        let parse = serde_yaml::from_str::<CallBudget>;
        assert_eq!(parse("{}").unwrap(), CallBudget::default());
        let given = parse("{getFunction: 100, controlPlane: 15}").unwrap();
        assert_eq!((given.get_function.get(), given.control_plane.get()), (100, 15));
        for bad in [
            "{getFunction: 0}",
            "{getFunction: 101}",
            "{controlPlane: 16}",
            "{controlPlane: -1}",
            "{getFunction: .inf}",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let error = parse("{controlPlane: 16}").unwrap_err().to_string();
        assert!(error.contains("from 1 to 15 calls a second"), "{error}");
    }
}

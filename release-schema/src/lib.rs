//! The contract with the release team: what they may write, what it means, and its JSON Schema. Decides; does no I/O.

#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

/// Whether the simulation planted this bug, to see that it finds it. What is shipped has no such place.
macro_rules! planted {
    ($bug:ident) => {{
        #[cfg(feature = "planted")]
        let planted = planted::is(planted::Bug::$bug);
        #[cfg(not(feature = "planted"))]
        let planted = false;
        planted
    }};
}

pub mod edit;
mod parsed;
mod problem;
mod read;
mod release;
mod schema;
mod source;
mod validate;
mod value;

pub use problem::{FileDiagnostic, Problem, Problems};
pub use release::{
    Analysis, AnalysisFields, Artifact, BlueGreen, Canary, Configuration, Defaults, Environment, Image, Linear,
    OnMissingData, ReleaseConfig, Service, SmokeTest, Step, Strategy, SyncPolicy, SyncPolicyFields, Zip,
};
pub use schema::{release_config_schema, services_schema};
pub use source::{LARGEST_FILE, SourceFile};
pub use value::{
    AlarmName, AliasName, CodeSha256, Digest, EcrRepository, EnvironmentName, Error, FunctionName, IgnoredField,
    JsonPointer, Percentage, ServiceName, Tag, Weight, format_duration, parse_duration,
};

use problem::Findings;
use std::sync::LazyLock;

/// The schemas are the same for every file, and cost more to make than a small file to read.
static SERVICES: LazyLock<serde_json::Value> = LazyLock::new(services_schema);
static RELEASE_CONFIG: LazyLock<serde_json::Value> = LazyLock::new(release_config_schema);

/// Reads `release-config.yaml`.
///
/// # Errors
/// All problems of the file at once.
pub fn read_release_config(file: &SourceFile) -> Result<ReleaseConfig, Problems> {
    let mut findings = Findings::new(file);
    let document = read::document(file, &RELEASE_CONFIG, &mut findings);
    let config = document.map(|document| validate::release_config(document, &mut findings));
    finish(file, config, findings)
}

/// Reads `environments/<environment>/services.yaml`, with the defaults of `config`.
///
/// # Errors
/// All problems of the file at once; also that `config` does not list the environment.
pub fn read_environment(
    file: &SourceFile,
    environment: &EnvironmentName,
    config: &ReleaseConfig,
) -> Result<Environment, Problems> {
    let mut findings = Findings::new(file);
    let defaults = config.environments.get(environment).cloned().unwrap_or_else(|| {
        let message = format!("the environment `{environment}` is not listed in `release-config.yaml`");
        findings.add(0..0, message, format!("add it there: `environments: {{ {environment}: {{}} }}`"));
        Defaults::default()
    });
    let document = read::document(file, &SERVICES, &mut findings);
    let read = document.map(|document| validate::environment(document, environment, &defaults, &mut findings));
    finish(file, read, findings)
}

/// Hands out what was read only if nothing at all was found.
fn finish<T>(file: &SourceFile, read: Option<T>, findings: Findings<'_>) -> Result<T, Problems> {
    match read {
        Some(read) if findings.is_empty() => Ok(read),
        Some(_) | None => Err(findings.into_problems(&read::secrets::of(file))),
    }
}

//! The contract with the release team: what they may write, what it means, and its JSON Schema. Decides; does no I/O.

#![warn(clippy::wildcard_enum_match_arm, clippy::match_wildcard_for_single_variants)]

mod problem;
mod release;
mod source;
mod value;

pub use problem::{FileDiagnostic, Problem, Problems};
pub use release::{
    Analysis, AnalysisFields, Artifact, BlueGreen, Canary, Configuration, Defaults, Environment, Image, Linear,
    OnMissingData, ReleaseConfig, Service, SmokeTest, Step, Strategy, Zip,
};
pub use source::{LARGEST_FILE, SourceFile};
pub use value::{
    AlarmName, AliasName, CodeSha256, Digest, EcrRepository, EnvironmentName, Error, FunctionName, Percentage,
    ServiceName, Tag, Weight, format_duration,
};

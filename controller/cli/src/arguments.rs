//! What can be typed.
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use release_schema::{EnvironmentName, ServiceName};

const EXIT_CODES: &str = "Exit codes: 0 done or no difference; 1 a difference, degraded or out of sync; \
2 usage; 3 the release repository is not valid; 4 refused; 5 could not be done";

/// GitOps for AWS Lambda: what Git says becomes live
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every command understands.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Name of the installation: its configuration lies below `/tidegate/<INSTALLATION>/` in Parameter Store
    #[arg(long, global = true, env = "TIDEGATE_INSTALLATION", default_value = "main")]
    pub(crate) installation: String,
    /// Read the configuration from this file instead of Parameter Store
    #[arg(long, global = true, env = "TIDEGATE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The controller's function [default: tidegate-<INSTALLATION>]
    #[arg(long, global = true, env = "TIDEGATE_FUNCTION", value_name = "NAME")]
    pub(crate) function: Option<String>,
    /// Do it here, with your own credentials, instead of asking the controller's function
    #[arg(long, global = true)]
    pub(crate) direct: bool,
}

impl Global {
    pub(crate) fn function(&self) -> String {
        self.function.clone().unwrap_or_else(|| format!("tidegate-{}", self.installation))
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Validate(Validate),
    Diff(Diff),
    Sync(Sync),
    Status(Status),
    History(History),
    Schema(Schema),
    Completions(Completions),
}

/// How data is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For programs and people
    Yaml,
}

/// Check the files of a release repository, without AWS: every problem, each at its place
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// The release repository
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

/// Show what the files of a working tree would change, and how. Reads with your own credentials, changes nothing
#[derive(Debug, Args)]
#[command(after_help = "Exits with 1 where something differs, so that a pipeline can tell")]
pub(crate) struct Diff {
    /// The release repository
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Only this environment; may be given several times [default: all of the repository]
    #[arg(short, long, value_name = "ENV")]
    pub(crate) environment: Vec<EnvironmentName>,
    /// How it is written
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Format,
}

/// Tick now, instead of waiting for the schedule
#[derive(Debug, Args)]
#[command(after_help = "Naming a service is your word that hand edits and a failure of it are gone over")]
pub(crate) struct Sync {
    /// ENV or ENV/SERVICE [default: all environments]
    pub(crate) target: Option<Target>,
    /// Accept a branch that was rewritten, at this commit
    #[arg(long, value_name = "COMMIT")]
    pub(crate) confirm: Option<String>,
    /// How it is written
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Format,
}

/// Show how services stand, trouble first. Reads the last tick's report with your own credentials; asks no function
#[derive(Debug, Args)]
pub(crate) struct Status {
    /// ENV or ENV/SERVICE [default: all environments]
    pub(crate) target: Option<Target>,
    /// How it is written
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Format,
}

/// Show what happened, newest first. Reads with your own credentials; asks no function
#[derive(Debug, Args)]
pub(crate) struct History {
    /// ENV or ENV/SERVICE
    pub(crate) target: Target,
    /// At most this many records
    #[arg(short, long, default_value_t = 20)]
    pub(crate) limit: usize,
    /// How it is written
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) output: Format,
}

/// Print the JSON Schema of a file, for editors
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Of which file
    #[arg(value_enum, default_value = "services")]
    pub(crate) file: File,
}

/// A file of a release repository.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum File {
    /// environments/<env>/services.yaml
    Services,
    /// release-config.yaml
    ReleaseConfig,
}

/// Print a completion script for a shell
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// An environment, or one service of it: `ENV` or `ENV/SERVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) environment: EnvironmentName,
    pub(crate) service: Option<ServiceName>,
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (environment, service) = text.split_once('/').map_or((text, None), |(env, service)| (env, Some(service)));
        let describe = |error: release_schema::Error| error.to_string();
        Ok(Self {
            environment: environment.parse().map_err(describe)?,
            service: service.map(|service| service.parse().map_err(describe)).transpose()?,
        })
    }
}

//! Decides what may be said to `tidegate init`.
use std::path::PathBuf;

use clap::Args;
use release_schema::{AliasName, EnvironmentName, FunctionName};

/// Each paragraph is one line: the terminal's width wraps it.
pub(super) const HELP: &str = "\
Looks at the functions of your own account and region, with your own credentials, and writes \
`environments/ENV/services.yaml` for those that have the alias; `release-config.yaml` as well, where there is none. Each \
service names the image that is live, so that the first tick takes it over as it is, and changes nothing. What cannot be \
taken over stands in the file as a comment, with the reason. Needs the rights `lambda:ListFunctions`, \
`lambda:GetFunction`, `lambda:GetAlias` and `ecr:DescribeImages`.

A file that exists is never changed. `--stdout` writes nothing, and shows the file; or, where it exists, the services \
that it does not have yet.

Examples:
  tidegate init --environment staging --function-prefix Staging
  tidegate init releases --environment staging --function-prefix Staging --stdout
  tidegate init --environment production --exclude ProductionCron --alias current

Exit codes: 0 done; 3 a file of the release repository is not valid; 4 refused, such as for a file that exists; 5 \
something could not be read or written";

#[derive(Args, Debug)]
pub(crate) struct Init {
    /// The release repository
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// The environment that the functions become
    #[arg(short, long, value_name = "ENV")]
    pub(crate) environment: EnvironmentName,
    /// Only functions that begin so; the names of services go without it
    #[arg(long, value_name = "PREFIX", default_value = "", hide_default_value = true)]
    pub(crate) function_prefix: String,
    /// Not this function; may be given several times
    #[arg(long, value_name = "FUNCTION")]
    pub(crate) exclude: Vec<FunctionName>,
    /// The alias that clients call (default: what `release-config.yaml` says, else `live`)
    #[arg(long, value_name = "ALIAS")]
    pub(crate) alias: Option<AliasName>,
    /// Write no file: show what would be written
    #[arg(long)]
    pub(crate) stdout: bool,
}

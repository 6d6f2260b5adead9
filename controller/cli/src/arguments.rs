//! Decides what may be written on the command line, and says it in `--help`.
mod init;
mod status;
mod versions;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::shard::Shard;

pub(crate) use self::init::Init;
pub(crate) use self::status::Status;
pub(crate) use self::versions::PruneVersions;
use crate::exit;

/// GitOps for AWS Lambda
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, about, after_help = exit::HELP, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) reach: Reach,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How the installation is reached.
#[derive(Args, Debug)]
pub(crate) struct Reach {
    /// Read the configuration from this file, and not from Parameter Store
    #[arg(long, global = true, env = "TIDEGATE_CONFIG", value_name = "FILE", help_heading = "Installation")]
    pub(crate) configuration: Option<PathBuf>,
    /// The installation: its parameters lie below `/tidegate/<NAME>/`
    #[arg(
        long,
        global = true,
        env = "TIDEGATE_INSTALLATION",
        value_name = "NAME",
        default_value = "main",
        help_heading = "Installation"
    )]
    pub(crate) installation: String,
    /// The controller's Lambda function (default: `tidegate-<installation>`)
    #[arg(long, global = true, env = "TIDEGATE_FUNCTION", value_name = "NAME", help_heading = "Installation")]
    pub(crate) function: Option<String>,
    /// Never ask the controller: run the command here, with your own credentials
    #[arg(long, global = true, help_heading = "Installation")]
    pub(crate) direct: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the files of an environment for functions that live already
    #[command(after_help = init::HELP)]
    Init(Init),
    /// Check the files of a release repository
    #[command(after_help = VALIDATE)]
    Validate(Validate),
    /// Show what a working tree would change, without changing anything
    #[command(after_help = DIFF)]
    Diff(Diff),
    /// Bring environments to what Git wants now, without waiting for the schedule
    #[command(after_help = SYNC)]
    Sync(Sync),
    /// Show how environments stand, as the last tick saw them
    #[command(after_help = status::HELP)]
    Status(Status),
    /// Send all traffic back to the last good release, and hold out what Git wants
    #[command(after_help = ROLLBACK)]
    Rollback(Rollback),
    /// Lift the hold of a rollback: what Git wants is released again
    #[command(after_help = UNHOLD)]
    Unhold(Word),
    /// Go on with a release: to its next step, or over all of them
    #[command(after_help = PROMOTE)]
    Promote(Promote),
    /// End a release under way, and send all traffic back to stable
    #[command(after_help = ABORT)]
    Abort(Word),
    /// Hold a release where it is
    #[command(after_help = PAUSE)]
    Pause(Word),
    /// Go on with a release that was paused, or whose alias somebody changed by hand
    #[command(after_help = RESUME)]
    Resume(Word),
    /// Try a release again that failed or was turned back, from its first step
    #[command(after_help = RETRY)]
    Retry(Word),
    /// Show what was released, newest first; one record in full; or prove that nothing of it was changed
    #[command(after_help = HISTORY)]
    History(History),
    /// Delete published versions that nobody can need any more
    #[command(after_help = versions::HELP)]
    PruneVersions(PruneVersions),
    /// Print the JSON Schema of a file of the release repository
    #[command(after_help = SCHEMA)]
    Schema(Schema),
    /// Print a shell's completions
    #[command(after_help = COMPLETIONS)]
    Completions(Completions),
}

const VALIDATE: &str = "\
Reads only files; needs neither AWS nor Git. Problems go to standard output, all of them at once: with the lines meant on a
terminal, else one a line as `file:line:column: message (hint)`.

Examples:
  tidegate validate
  tidegate validate path/to/release-repository -o json

Exit codes: 0 valid, 3 not valid, 5 a file could not be read";

const DIFF: &str = "\
Compares what is live with the files of a working tree. Reads with your own credentials, which need no right to write; the
values of environment variables are masked. Environments that the installation does not have are left out with a note.

Examples:
  tidegate diff
  tidegate diff path/to/release-repository --environment staging

Exit codes: 0 no difference, 1 a difference, 3 the files are not valid, 4 an unknown environment, 5 something could not be read";

const SYNC: &str = "\
Runs one tick in the controller Lambda, which holds the rights; `--direct` runs it here, with yours, for when the controller is
broken. One tick makes one step: where a service waits, the next tick goes on. Naming a service says that hand edits and
failures of it are to be gone over.

Examples:
  tidegate sync
  tidegate sync staging
  tidegate sync production/flight-service
  tidegate sync production --shard 2/4
  tidegate sync production --confirm 3f2a9c1d4e5b   # the branch was rewritten, and that is right
  tidegate sync production/flight-service --repin   # its tag was pushed again, and that is meant

Exit codes: 0 done or under way, 1 something is degraded or on hold, 4 refused, 5 could not be done";

const ROLLBACK: &str = "\
One call moves the traffic. The target is the last release in the history that was fully promoted and not rolled back since. What Git
wants is held out until Git has other content, or `tidegate unhold` says so. Needs neither Git, ECR, CloudWatch nor the schedule, and
beats a tick that is running. Said twice, it has one effect.

Several services of an environment go at once: those that depend on another (`dependsOn`) before it, whatever comes of them, else
in the order in which they are named.

Examples:
  tidegate rollback production/flight-service --reason \"5xx after 14:02\"
  tidegate rollback production/flight-bff production/flight-service --reason \"5xx after 14:02\"
  tidegate rollback production/flight-service --to 41 --reason \"42 was no better\"
  tidegate rollback --config history/rollback-configs/production/flight-service/42-20261121T140512Z.yaml
  tidegate rollback production/flight-service --direct --reason \"5xx\"      # when the controller itself is broken

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const UNHOLD: &str = "\
What Git wants is released again, through its steps.

Examples:
  tidegate unhold production/flight-service --reason \"it was the database\"

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const PROMOTE: &str = "\
Goes over the time of a step, over `pause: {}`, over metrics that do not say enough yet, over the gate of `blueGreen`, and over its
bake. It does not go over a failed analysis, unless `--force` says so. A paused release is resumed first.

Examples:
  tidegate promote production/flight-service --reason \"looked at the traces\"
  tidegate promote production/flight-service --full
  tidegate promote production/flight-service --force --reason \"the errors are the load test's\"

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const ABORT: &str = "\
One call sends all traffic back to the version that was live before. The release stays out until Git has other content, or
`tidegate retry` says so. Needs neither Git nor the schedule, and beats a tick that is running.

Examples:
  tidegate abort production/flight-service --reason \"5xx after 14:02\"
  tidegate abort production/flight-service --direct      # when the controller itself is broken

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const PAUSE: &str = "\
No step is made until `tidegate resume`. Its metrics are watched all the same, and a failed analysis turns it back.

Examples:
  tidegate pause production/flight-service --reason \"waiting for the database team\"

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const RESUME: &str = "\
Where somebody changed the alias by hand, its current step is written again.

Examples:
  tidegate resume production/flight-service

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const RETRY: &str = "\
The version that was published is used again.

Examples:
  tidegate retry production/flight-service --reason \"the dependency is back\"

Exit codes: 0 done, or nothing was to be done; 4 refused; 5 could not be done";

const HISTORY: &str = "\
Reads the stored records with your own credentials; where they cannot read them, the controller is asked.

Examples:
  tidegate history staging
  tidegate history production/flight-service --limit 5 -o yaml
  tidegate history show production/flight-service 42
  tidegate history verify production

Exit codes: 0 shown, 4 an unknown environment or service, 5 could not be read";

const HISTORY_SHOW: &str = "\
Reads the stored record with your own credentials; where they cannot read it, the controller is asked. With `-o json` it is
written exactly as it is stored, so that its SHA-256 is the hash that the next record names.

Examples:
  tidegate history show production/flight-service 42
  tidegate history show production/flight-service 42 -o json | sha256sum

Exit codes: 0 shown, 4 an unknown environment, service or number, 5 could not be read";

const HISTORY_VERIFY: &str = "\
Reads every record with your own credentials, never through the controller: `s3:ListBucket` and `s3:GetObject` on the state
bucket, and `lambda:GetAlias`. Each record is held against the hash that the next one names, the last one against the head,
and how many there are against the number in the alias.

Examples:
  tidegate history verify production
  tidegate history verify production/flight-service -o json

Exit codes: 0 proven; 1 something is not as it was written; 4 an unknown environment or service; 5 a record or an alias could not
be read";

const SCHEMA: &str = "\
Examples:
  tidegate schema services > .schemas/services.schema.json
  tidegate schema release-config > .schemas/release-config.schema.json";

const COMPLETIONS: &str = "\
Examples:
  tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate
  tidegate completions fish > ~/.config/fish/completions/tidegate.fish";

/// How data is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
    /// For programs
    Yaml,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Output {
    /// How data is shown
    #[arg(short = 'o', long = "output", value_name = "FORMAT", value_enum, default_value_t)]
    pub(crate) format: Format,
}

#[derive(Args, Debug)]
pub(crate) struct Validate {
    /// The release repository
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Diff {
    /// The release repository
    #[arg(value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Only this environment; may be given several times
    #[arg(short, long = "environment", value_name = "ENV")]
    pub(crate) environments: Vec<EnvironmentName>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Sync {
    /// An environment, or one service of it; all environments where it is left out
    #[arg(value_name = "ENV[/SERVICE]")]
    pub(crate) target: Option<Target>,
    /// Accept that the branch was rewritten to this commit: its id, or at least the first 7 digits of it
    #[arg(long, value_name = "COMMIT", value_parser = commit, requires = "target")]
    pub(crate) confirm: Option<String>,
    /// Only the services of this shard of the environment, such as `2/4`, as its schedule does
    #[arg(long, value_name = "I/N", requires = "target")]
    pub(crate) shard: Option<Shard>,
    /// Ask what the tag of the service names now, and release that
    #[arg(long, requires = "target")]
    pub(crate) repin: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// A word to one release.
#[derive(Args, Debug)]
pub(crate) struct Word {
    /// One service of an environment
    #[arg(value_name = "ENV/SERVICE")]
    pub(crate) target: ServiceTarget,
    /// Why: it goes into the history
    #[arg(short, long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// Services of one environment
    #[arg(value_name = "ENV/SERVICE", required_unless_present = "config")]
    pub(crate) targets: Vec<ServiceTarget>,
    /// To what this record of the history led, and not to the last good release
    #[arg(long, value_name = "RECORD")]
    pub(crate) to: Option<u64>,
    /// Once more, as a file below `history/rollback-configs/` of the release repository says it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["targets", "to"])]
    pub(crate) config: Option<PathBuf>,
    /// Why: it goes into the history; asked for on a terminal
    #[arg(short, long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Remind of the hold after this time, such as `24h`: it is never lifted by itself
    #[arg(long, value_name = "TIME", value_parser = release_schema::parse_duration)]
    pub(crate) remind_after: Option<std::time::Duration>,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Promote {
    #[command(flatten)]
    pub(crate) word: Word,
    /// Over all steps that are left
    #[arg(long)]
    pub(crate) full: bool,
    /// Over a failed analysis
    #[arg(long, requires = "reason")]
    pub(crate) force: bool,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct History {
    #[command(subcommand)]
    pub(crate) command: Option<HistoryCommand>,
    /// An environment, or one service of it
    #[arg(value_name = "ENV[/SERVICE]", required = true)]
    pub(crate) target: Option<Target>,
    /// At most this many records
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = limit)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// What else can be asked of a history.
#[derive(Debug, Subcommand)]
pub(crate) enum HistoryCommand {
    /// Show one record in full
    #[command(after_help = HISTORY_SHOW)]
    Show(HistoryShow),
    /// Find out whether records were changed, removed, reordered or cut off
    #[command(after_help = HISTORY_VERIFY)]
    Verify(HistoryVerify),
}

#[derive(Args, Debug)]
pub(crate) struct HistoryShow {
    /// One service of an environment
    #[arg(value_name = "ENV/SERVICE")]
    pub(crate) target: ServiceTarget,
    /// The record's number, as `tidegate history` shows it
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) number: u64,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct HistoryVerify {
    /// An environment, or one service of it
    #[arg(value_name = "ENV[/SERVICE]")]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Args, Debug)]
pub(crate) struct Schema {
    /// Which file
    #[arg(value_name = "FILE", value_enum, default_value_t)]
    pub(crate) file: SchemaOf,
}

/// The files that have a schema.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub(crate) enum SchemaOf {
    /// `environments/<env>/services.yaml`
    #[default]
    Services,
    /// `release-config.yaml`
    ReleaseConfig,
}

#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Which shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `ENV` or `ENV/SERVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) environment: EnvironmentName,
    pub(crate) service: Option<ServiceName>,
}

impl FromStr for Target {
    type Err = release_schema::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (environment, service) = text.split_once('/').map_or((text, None), |(env, service)| (env, Some(service)));
        Ok(Self { environment: environment.parse()?, service: service.map(str::parse).transpose()? })
    }
}

/// `ENV/SERVICE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServiceTarget {
    pub(crate) environment: EnvironmentName,
    pub(crate) service: ServiceName,
}

impl FromStr for ServiceTarget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<Target>() {
            Ok(Target { environment, service: Some(service) }) => Ok(Self { environment, service }),
            Ok(Target { environment, service: None }) => {
                Err(format!("this is said to one service: `{environment}/SERVICE`"))
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// A reason is one line of a few words: it is stored for ever.
fn reason(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("say why, in a few words".to_owned()),
        long if long.chars().count() > 500 => Err("at most 500 characters".to_owned()),
        reason => Ok(reason.to_owned()),
    }
}

fn commit(text: &str) -> Result<String, String> {
    let hexadecimal = text.bytes().all(|c| c.is_ascii_hexdigit());
    if hexadecimal && (7..=40).contains(&text.len()) {
        Ok(text.to_ascii_lowercase())
    } else {
        Err("a commit's id has 40 hexadecimal digits, of which at least 7 have to be given".to_owned())
    }
}

fn limit(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(limit @ 1..=1_000) => Ok(limit),
        _ => Err("give a number from 1 to 1000".to_owned()),
    }
}

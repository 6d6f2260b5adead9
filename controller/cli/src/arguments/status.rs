//! Decides what may be written after `tidegate status`.
use clap::Args;

use super::{Output, Target};

/// Each paragraph is one line: the terminal's width wraps it.
pub(super) const HELP: &str = "\
Reads what the last tick stored with your own credentials, so that it works while the controller does not; where they cannot \
read it, the controller is asked. Trouble comes first; where many services are healthy at what Git wants, or are in the same trouble, they are counted.

Examples:
  tidegate status
  tidegate status staging --watch
  tidegate status production --all
  tidegate status production/flight-service -o json

Exit codes: 0 healthy, suspended or progressing; 1 degraded, missing, unknown, on hold, out of sync with nothing under way, \
or no tick for more than 5 minutes; 4 an unknown environment or service; 5 could not be read";

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// An environment, or one service of it; all environments where it is left out
    #[arg(value_name = "ENV[/SERVICE]")]
    pub(crate) target: Option<Target>,
    /// Show each service, however many stand alike
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Show it again every 2 seconds, until Ctrl-C
    #[arg(short, long, conflicts_with = "format")]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

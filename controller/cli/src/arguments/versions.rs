//! Decides what may be written after `tidegate prune-versions`.
use clap::Args;

use super::{Output, Target};

/// Each paragraph is one line: the terminal's width wraps it.
pub(super) const HELP: &str = "\
Ticks do this by themselves, a few versions at a time, in an environment with `versionHousekeeping` in its configuration; \
this is the same, now, with the same limits. A version goes only where its service is at rest, no alias names it, no hold \
and no rollback needs it, it is old, and the history proves that Tidegate published it. What is deleted does not come back.

Examples:
  tidegate prune-versions staging --dry-run
  tidegate prune-versions production/flight-service

Exit codes: 0 done, or nothing was to be done; 1 not all that can go was deleted; 4 refused; 5 could not be done";

#[derive(Args, Debug)]
pub(crate) struct PruneVersions {
    /// An environment, or one service of it
    #[arg(value_name = "ENV[/SERVICE]")]
    pub(crate) target: Target,
    /// Show what would be deleted, and why each other version is kept
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

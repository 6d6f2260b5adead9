//! What people and schedules ask for: the same commands through the Lambda and from the command line.
use release_schema::{EnvironmentName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::ids::TransitionNumber;
use crate::shard::Shard;
use crate::state::Advance;

/// One command, as the Lambda's event and as the command line sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "command", deny_unknown_fields)]
pub enum Command {
    /// One tick: of every environment, of one, of one shard of it, or of one service. Naming a service is a person's word that
    /// hand edits and failures of it are to be gone over.
    Sync {
        /// All of them, where none is named.
        environment: Option<EnvironmentName>,
        /// All of them, where none is named.
        service: Option<ServiceName>,
        /// Accepts a rewritten branch at this commit.
        confirm: Option<String>,
        /// Only the services of this shard, under its own lease: all of them, where none is named.
        shard: Option<Shard>,
        /// Asks what the tag of the service names now, and releases that. Only where a service is named.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repin: bool,
    },
    /// The last tick's report of an environment.
    Status {
        /// Of every environment, where none is named.
        environment: Option<EnvironmentName>,
    },
    /// Go on with a release under way: to its next step, or over all of them.
    Promote(To),
    /// End a release under way and send all traffic back to stable.
    Abort(To),
    /// Hold a release under way where it is.
    Pause(To),
    /// Go on with a release that was paused, or whose alias somebody changed by hand.
    Resume(To),
    /// Try a release again that failed or was turned back, from its first step.
    Retry(To),
    /// Send all traffic of services back to the last release that was good, and hold out what Git wants of them.
    Rollback {
        /// Which environment.
        environment: EnvironmentName,
        /// Which services.
        services: Vec<ServiceName>,
        /// To what this record of history led, and not to the last good release.
        to: Option<TransitionNumber>,
        /// Why.
        reason: String,
        /// After how many seconds people are to be reminded of the hold.
        remind_after: Option<u32>,
    },
    /// Lift the hold of a rollback: what Git wants is released again.
    Unhold(To),
    /// The last records of an environment or service.
    History {
        /// Which environment.
        environment: EnvironmentName,
        /// All of them, where none is named.
        service: Option<ServiceName>,
        /// At most this many records, newest first; the default is 20.
        limit: Option<usize>,
    },
    /// One record of a service, in full.
    Record {
        /// Which environment.
        environment: EnvironmentName,
        /// Which service.
        service: ServiceName,
        /// Which record, 1 for the first.
        number: TransitionNumber,
    },
    /// Delete published versions that nobody can need any more, a few of each service, as ticks do by themselves.
    PruneVersions {
        /// Which environment.
        environment: EnvironmentName,
        /// All of them, where none is named.
        service: Option<ServiceName>,
        /// Only say what would be deleted.
        #[serde(default)]
        dry_run: bool,
    },
}

impl Command {
    /// The names of all commands, as events spell them.
    pub const NAMES: [&'static str; 12] = [
        "abort",
        "history",
        "pause",
        "promote",
        "pruneVersions",
        "record",
        "resume",
        "retry",
        "rollback",
        "status",
        "sync",
        "unhold",
    ];

    /// The name, as events spell it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "sync",
            Self::Status { .. } => "status",
            Self::Promote(_) => "promote",
            Self::Abort(_) => "abort",
            Self::Pause(_) => "pause",
            Self::Resume(_) => "resume",
            Self::Retry(_) => "retry",
            Self::Rollback { .. } => "rollback",
            Self::Unhold(_) => "unhold",
            Self::History { .. } => "history",
            Self::Record { .. } => "record",
            Self::PruneVersions { .. } => "pruneVersions",
        }
    }
}

/// The release that a person speaks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct To {
    /// Which environment.
    pub environment: EnvironmentName,
    /// Which service.
    pub service: ServiceName,
    /// Why.
    pub reason: Option<String>,
    /// Of `promote`: over all steps that are left.
    #[serde(default)]
    pub full: bool,
    /// Of `promote`: over a failed analysis; needs a reason.
    #[serde(default)]
    pub force: bool,
}

/// A person's word to one release under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// Go on.
    Promote(Advance),
    /// End it, back to stable.
    Abort,
    /// Hold it.
    Pause,
    /// Go on after a pause or an edit.
    Resume,
    /// Try it again.
    Retry,
    /// Back to what was good, whatever is under way.
    Rollback {
        /// To what this record led.
        to: Option<TransitionNumber>,
        /// After how many seconds people are to be reminded of the hold.
        remind_after: Option<u32>,
    },
    /// Lift the hold of a rollback.
    Unhold,
}

impl Word {
    /// As it is typed.
    #[must_use]
    pub const fn as_typed(self) -> &'static str {
        match self {
            Self::Promote(Advance { full: false, force: false }) => "promote",
            Self::Promote(Advance { full: true, force: false }) => "promote --full",
            Self::Promote(Advance { full: false, force: true }) => "promote --force",
            Self::Promote(Advance { full: true, force: true }) => "promote --full --force",
            Self::Abort => "abort",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Rollback { .. } => "rollback",
            Self::Unhold => "unhold",
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_command_has_the_name_that_its_event_has() {
        let of = |name: &str| match name {
            "history" | "status" | "sync" | "pruneVersions" => json!({ "environment": "staging" }),
            "record" => json!({ "environment": "staging", "service": "flights", "number": 1 }),
            "rollback" => json!({ "environment": "staging", "services": ["flights"], "reason": "5xx" }),
            _ => json!({ "environment": "staging", "service": "flights" }),
        };
        for name in Command::NAMES {
            let mut event = of(name);
            event["command"] = Value::from(name);
            let command: Command = serde_json::from_value(event).expect(name);
            assert_eq!(command.name(), name);
            assert_eq!(serde_json::to_value(&command).expect(name)["command"], name);
        }
    }
}

//! What people and schedules ask for: the same commands through the Lambda and from the command line.
use release_schema::{EnvironmentName, ServiceName};
use serde::{Deserialize, Serialize};

/// One command, as the Lambda's event and as the command line sends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "command", deny_unknown_fields)]
pub enum Command {
    /// One tick: of every environment, of one, or of one service of it. Naming a service is a person's word that hand
    /// edits and failures of it are to be gone over.
    Sync {
        /// All of them, where none is named.
        environment: Option<EnvironmentName>,
        /// All of them, where none is named.
        service: Option<ServiceName>,
        /// Accepts a rewritten branch at this commit.
        confirm: Option<String>,
    },
    /// The last tick's report of an environment.
    Status {
        /// Of every environment, where none is named.
        environment: Option<EnvironmentName>,
    },
    /// The last records of an environment or service.
    History {
        /// Which environment.
        environment: EnvironmentName,
        /// All of them, where none is named.
        service: Option<ServiceName>,
        /// At most this many records, newest first; the default is 20.
        limit: Option<usize>,
    },
}

impl Command {
    /// The names of all commands, as events spell them.
    pub const NAMES: [&'static str; 3] = ["history", "status", "sync"];

    /// The name, as events spell it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sync { .. } => "sync",
            Self::Status { .. } => "status",
            Self::History { .. } => "history",
        }
    }
}

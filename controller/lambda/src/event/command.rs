//! Turns an event into a command. An event that is not known is refused with its name, never guessed.
use serde_json::Value;
use tidegate_core::command::Command;

use super::shown;

/// Why an event is not a command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// A command that does not exist.
    #[error("unknown command `{name}`; the commands are {}", Command::NAMES.map(|name| format!("`{name}`")).join(", "))]
    UnknownCommand {
        /// As the event says.
        name: String,
    },
    /// A command with something wrong in it.
    #[error("the command `{name}` is not valid: {message}")]
    InvalidCommand {
        /// The command.
        name: String,
        /// What is wrong.
        message: String,
    },
    /// Something that AWS sends, and nobody asked it to.
    #[error("the event `{name}` is none that Tidegate answers; send a command such as {{\"command\":\"sync\"}}")]
    UnknownEvent {
        /// What the event says of itself.
        name: String,
    },
}

/// The command in an event: an object with `command`, or EventBridge's own scheduled event, which is a `sync` of all
/// environments.
pub(crate) fn command(event: Value) -> Result<Command, Error> {
    if let Some(name) = event.get("command").and_then(Value::as_str).map(str::to_owned) {
        if !Command::NAMES.contains(&name.as_str()) {
            return Err(Error::UnknownCommand { name: shown(&name) });
        }
        return serde_json::from_value(event)
            .map_err(|error| Error::InvalidCommand { name, message: error.to_string() });
    }
    let detail_type = event.get("detail-type").and_then(Value::as_str);
    if detail_type == Some("Scheduled Event") {
        return Ok(Command::Sync { environment: None, service: None, confirm: None, shard: None, repin: false });
    }
    let source = event.get("source").and_then(Value::as_str);
    let keys = || event.as_object().map(|object| object.keys().take(5).cloned().collect::<Vec<_>>().join(", "));
    let name = match (detail_type, source) {
        (Some(detail), Some(source)) => format!("{detail} from {source}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => {
            keys().filter(|keys| !keys.is_empty()).map_or("without a name".to_owned(), |keys| format!("with {keys}"))
        }
    };
    Err(Error::UnknownEvent { name: shown(&name) })
}

/// Takes out of an event who sent it, where the command line says so: an ARN, escaped and cut.
pub(crate) fn take_caller(event: &mut Value) -> Option<String> {
    let caller = event.as_object_mut()?.remove("caller")?;
    let caller: String = caller.as_str()?.chars().take(256).flat_map(char::escape_default).collect();
    (!caller.is_empty()).then_some(caller)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schedule_with_an_environment_ticks_that_environment() {
        let command = command(json!({"command": "sync", "environment": "staging"})).unwrap();
        let environment = Some("staging".parse().unwrap());
        assert_eq!(command, Command::Sync { environment, service: None, confirm: None, shard: None, repin: false });
    }

    #[test]
    fn a_schedule_with_a_shard_ticks_that_shard() {
        let command = command(json!({"command": "sync", "environment": "staging", "shard": "2/4"})).unwrap();
        let (environment, shard) = (Some("staging".parse().unwrap()), Some("2/4".parse().unwrap()));
        assert_eq!(command, Command::Sync { environment, service: None, confirm: None, shard, repin: false });
    }

    #[test]
    fn the_plain_scheduled_event_ticks_every_environment() {
        let event = json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}});
        assert_eq!(
            command(event).unwrap(),
            Command::Sync { environment: None, service: None, confirm: None, shard: None, repin: false }
        );
    }

    #[test]
    fn what_is_not_known_is_refused_with_its_name() {
        let refused = |event| command(event).unwrap_err().to_string();
        same(
            &refused(json!({"command": "deploy"})),
            "unknown command `deploy`; the commands are `abort`, `history`, `pause`, `promote`, `pruneVersions`, `record`, `resume`, `retry`, `rollback`, `status`, `sync`, `unhold`",
        );
        same(
            &refused(json!({"source": "aws.s3", "detail-type": "Object Created"})),
            "the event `Object Created from aws.s3` is none that Tidegate answers; send a command such as {\"command\":\"sync\"}",
        );
        same(
            &refused(json!({"Records": []})),
            "the event `with Records` is none that Tidegate answers; send a command such as {\"command\":\"sync\"}",
        );
    }

    #[test]
    fn who_sent_a_command_is_no_part_of_it() {
        let mut event = json!({"command": "sync", "caller": "arn:aws:iam::111111111111:user/ann\n"});
        assert_eq!(take_caller(&mut event).as_deref(), Some("arn:aws:iam::111111111111:user/ann\\n"));
        assert!(command(event).is_ok());
        assert_eq!(take_caller(&mut json!({"command": "sync", "caller": 7})), None);
    }

    #[test]
    fn a_field_that_is_not_known_or_a_name_that_cannot_be_is_refused() {
        let refused = |event| command(event).unwrap_err().to_string();
        assert!(refused(json!({"command": "sync", "force": true})).contains("unknown field `force`"));
        assert!(
            refused(json!({"command": "sync", "environment": "../x"})).starts_with("the command `sync` is not valid")
        );
        same(
            &refused(json!({"command": "sync", "environment": "staging", "shard": "5/4"})),
            "the command `sync` is not valid: `5/4` is no shard; write `2/4` for the second of four, at most 64",
        );
    }

    fn same(found: &str, expected: &str) {
        assert_eq!(found, expected);
    }
}

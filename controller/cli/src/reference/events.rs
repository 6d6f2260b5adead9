//! Decides what the reference says of the events that the Lambda takes.
use std::collections::BTreeSet;

use tidegate_core::command::Command;

use super::markdown::{code, table};
use super::rust::{Told, fields_of, variants_of};

const SOURCE: &str = "controller/core/src/command.rs";

pub(super) fn page() -> String {
    let source = super::source(SOURCE);
    let commands = variants_of(&source, "Command");
    let told: BTreeSet<&str> = commands.iter().map(|command| command.name.as_str()).collect();
    assert_eq!(told, BTreeSet::from(Command::NAMES), "an event that is not told, or is called otherwise");
    let parts = commands.iter().map(|command| {
        let fields = if command.of.is_empty() { command.below.clone() } else { fields_of(&source, &command.of) };
        // `full` and `force` are `promote`'s alone: the others do not look at them.
        let fields = fields.into_iter().filter(|field| command.name == "promote" || !field.about.contains("`promote`"));
        let rows: Vec<_> = fields.map(|field| row(&field)).collect();
        let table = table(["field", "what", "", "meaning"], &rows);
        format!("## {}\n\n{}\n\n{table}", code(&command.name), command.about)
    });
    format!(
        "# Events\n\nThe controller's function takes a JSON object with `command`; EventBridge's own scheduled event, which is a `sync` of \
         every environment; and [hints](../configuration.md#hints), alone or as records of SQS. A field that is not named here is \
         refused, and so is any other event, with its name. The command line sends the same, with `caller`, the ARN that STS gives \
         it: the history names it.\n\n```console\n$ echo '{{\"command\": \"sync\", \"environment\": \"staging\"}}' |\n    aws lambda \
         invoke --function-name tidegate-main --payload fileb:///dev/stdin answer.json\n```\n\n{}",
        parts.collect::<String>()
    )
}

fn row(field: &Told) -> [String; 4] {
    let (what, required) = match field.of.strip_prefix("Option<").and_then(|of| of.strip_suffix('>')) {
        Some(of) => (of, ""),
        None if field.of == "bool" => ("bool", ""),
        None => (field.of.as_str(), "required"),
    };
    let what = match what {
        "EnvironmentName" => "an environment",
        "ServiceName" => "a service",
        "Shard" => "a shard, such as `2/4`",
        "Vec<ServiceName>" => "services",
        "TransitionNumber" | "usize" | "u32" => "a whole number",
        "bool" => "`true` or `false`",
        "String" => "a text",
        other => return [code(&field.name), code(other), required.to_owned(), field.about.clone()],
    };
    [code(&field.name), what.to_owned(), required.to_owned(), field.about.clone()]
}

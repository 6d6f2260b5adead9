//! Decides what the reference says of the command line: all that `--help` says, of each command.
use clap::{Arg, ArgAction, Command, CommandFactory as _};

use super::markdown::{code, codes, table};
use crate::arguments::Arguments;
use crate::exit;

/// What each command takes, told once.
const EVERYWHERE: &str = "Installation";

fn built() -> Command {
    let mut command = Arguments::command();
    command.build();
    command
}

/// Every command with what it is called, in the order of `--help`.
fn every<'a>(command: &'a Command, name: &str, found: &mut Vec<(String, &'a Command)>) {
    for below in command.get_subcommands().filter(|below| below.get_name() != "help") {
        let name = format!("{name} {}", below.get_name());
        found.push((name.clone(), below));
        every(below, &name, found);
    }
}

pub(super) fn page() -> String {
    let command = built();
    let mut all = Vec::new();
    every(&command, "tidegate", &mut all);
    let mut page = String::from(
        "# Command line\n\n`tidegate COMMAND --help` says the same. Data goes to standard output, everything else to standard \
         error; `NO_COLOR` and pipes switch colours off. What the numbers mean that a command ends with: \
         [exit codes](exit-codes.md).\n\n",
    );
    let rows: Vec<_> = all.iter().map(|(name, command)| [link(name), about(command)]).collect();
    page += &table(["command", "what it does"], &rows);
    page += "## How the installation is reached\n\nEach command takes these:\n\n";
    page += &options(&command, |argument| argument.get_help_heading() == Some(EVERYWHERE));
    for (name, command) in &all {
        page += &one(name, command);
    }
    page
}

fn one(name: &str, command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).trim();
    let mut text = format!("## `{name}`\n\n{}.\n\n```text\n{usage}\n```\n\n", about(command));
    let places: Vec<_> =
        command.get_positionals().map(|place| [shown(place), meaning(place), default(place)]).collect();
    text += &table(["argument", "meaning", "default"], &places);
    text += &options(command, |argument| argument.get_help_heading().is_none());
    text + &after(command)
}

fn options(command: &Command, take: impl Fn(&Arg) -> bool) -> String {
    let own = |argument: &&Arg| !argument.is_positional() && !matches!(argument.get_action(), ArgAction::Help);
    let own = command
        .get_arguments()
        .filter(own)
        .filter(|argument| !matches!(argument.get_id().as_str(), "help" | "version"));
    let rows: Vec<_> = own
        .filter(|argument| take(argument))
        .map(|option| {
            let variable = option.get_env().map(|name| code(&name.to_string_lossy())).unwrap_or_default();
            [shown(option), meaning(option), default(option), variable]
        })
        .collect();
    if rows.iter().all(|[.., variable]| variable.is_empty()) {
        let rows: Vec<_> = rows.into_iter().map(|[option, meaning, default, _]| [option, meaning, default]).collect();
        return table(["option", "meaning", "default"], &rows);
    }
    table(["option", "meaning", "default", "variable"], &rows)
}

fn about(command: &Command) -> String {
    command.get_about().map(ToString::to_string).unwrap_or_default()
}

/// `-o, --output <FORMAT>`.
fn shown(argument: &Arg) -> String {
    let value = argument.get_value_names().and_then(|names| names.first()).map(|name| format!("<{name}>"));
    let value = value.filter(|_| argument.get_action().takes_values());
    let short = argument.get_short().map(|short| format!("-{short}"));
    let names = [short, argument.get_long().map(|long| format!("--{long}"))];
    let names = names.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let words = [(!names.is_empty()).then_some(names), value];
    code(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
}

fn meaning(argument: &Arg) -> String {
    let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let values: Vec<_> = argument.get_possible_values();
    if values.is_empty() || !argument.get_action().takes_values() {
        return help;
    }
    let said = values.iter().map(|value| match value.get_help() {
        Some(help) => format!("`{}` ({})", value.get_name(), help.to_string().to_lowercase_first()),
        None => code(value.get_name()),
    });
    format!("{help}: {}", said.collect::<Vec<_>>().join(", "))
}

fn default(argument: &Arg) -> String {
    let defaults: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let takes = argument.get_action().takes_values();
    if argument.is_required_set() {
        "required".to_owned()
    } else if argument.is_hide_default_value_set() || !takes {
        String::new()
    } else {
        codes(defaults.iter().map(AsRef::as_ref))
    }
}

/// What `--help` says behind the options: texts, examples, exit codes.
fn after(command: &Command) -> String {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| match paragraph.strip_prefix("Examples:\n") {
        Some(examples) => {
            let lines: String = examples.lines().map(|line| format!("$ {}\n", line.trim_start())).collect();
            format!("```console\n{lines}```")
        }
        None => paragraph.trim().to_owned(),
    });
    let paragraphs: Vec<_> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.join("\n\n") + "\n\n"
}

fn link(name: &str) -> String {
    format!("[`{name}`](#{})", name.replace(' ', "-"))
}

pub(super) fn exit_codes() -> String {
    let command = built();
    let general = exit::HELP.lines().filter_map(|line| line.trim().split_once("  "));
    let general: Vec<_> = general.map(|(code, meaning)| [super::markdown::code(code), meaning.to_owned()]).collect();
    let mut all = Vec::new();
    every(&command, "tidegate", &mut all);
    let rows: Vec<_> = all.iter().filter_map(|(name, command)| Some([code(name), codes_of(command)?])).collect();
    assert!(general.len() == 6 && rows.len() > 15, "{general:?} {rows:?}");
    format!(
        "# Exit codes\n\nScripts can rely on them; they change only with a major version.\n\n{}## Of each command\n\n\
         What is not named here is as above: 2 comes from any of them.\n\n{}",
        table(["code", "meaning"], &general),
        table(["command", "what it ends with"], &rows)
    )
}

fn codes_of(command: &Command) -> Option<String> {
    let help = command.get_after_help()?.to_string();
    let (_, codes) = help.split_once("Exit codes: ")?;
    Some(codes.to_owned())
}

/// The first letter small, for what goes on within a sentence.
trait LowercaseFirst {
    fn to_lowercase_first(&self) -> String;
}

impl LowercaseFirst for String {
    fn to_lowercase_first(&self) -> String {
        let mut letters = self.chars();
        letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
    }
}

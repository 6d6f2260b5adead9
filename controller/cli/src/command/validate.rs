//! `tidegate validate`: says everything that is wrong with the files of a release repository.
use miette::{GraphicalReportHandler, GraphicalTheme};
use serde::Serialize;

use super::files::{self, Missing, Tree};
use crate::arguments::{Format, Validate};
use crate::exit::{Error, Exit};
use crate::out::Out;
use crate::text;

/// One problem, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    file: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
}

/// What was found, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Findings<'a> {
    valid: bool,
    environments: Vec<&'a str>,
    problems: Vec<Shown<'a>>,
}

pub(crate) fn run(options: &Validate, out: &Out) -> Result<Exit, Error> {
    let tree = files::read(&options.dir)?;
    out.value(options.output.format, &findings(&tree), || if out.terminal { drawn(&tree, out) } else { plain(&tree) })?;
    if options.output.format == Format::Table || !tree.has_defaults {
        out.note(&summary(&tree));
    }
    Ok(if tree.count() == 0 { Exit::Done } else { Exit::Invalid })
}

/// The problems with the lines meant, for a terminal.
fn drawn(tree: &Tree, out: &Out) -> String {
    let theme = if out.paint.is_on() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(out.width);
    let mut text = String::new();
    for problems in &tree.problems {
        let mut drawn = String::new();
        match handler.render_report(&mut drawn, &problems.diagnostic()) {
            Ok(()) => text.push_str(&text::escaped_but_colours(&drawn)),
            Err(std::fmt::Error) => text.push_str(&text::escaped_lines(&problems.to_string())),
        }
        text.push('\n');
    }
    push_missing(&mut text, tree);
    text
}

/// The problems one a line, for logs and editors.
pub(super) fn plain(tree: &Tree) -> String {
    let mut text = String::new();
    for problems in &tree.problems {
        text.push_str(&text::escaped_lines(&problems.to_string()));
        text.push('\n');
    }
    push_missing(&mut text, tree);
    text
}

fn push_missing(text: &mut String, tree: &Tree) {
    for Missing { file, message, hint } in &tree.missing {
        let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
        text.push_str(&text::escaped(&format!("{file}: {message}{hint}")));
        text.push('\n');
    }
}

/// One line on how it came out.
pub(super) fn summary(tree: &Tree) -> String {
    let count = tree.count();
    if count == 0 {
        let services: usize = tree.environments.values().map(|(environment, _)| environment.services.len()).sum();
        let names: Vec<String> = tree.environments.keys().map(|name| format!("`{name}`")).collect();
        let services = text::counted(services, "service");
        return match names.as_slice() {
            [one] => format!("valid: {services} in {one}"),
            several => format!("valid: {services} in {} environments: {}", several.len(), several.join(", ")),
        };
    }
    let files = tree.problems.len() + tree.missing.len();
    let mut text = format!("not valid: {} in {}", text::counted(count, "problem"), text::counted(files, "file"));
    if !tree.has_defaults {
        text.push_str("; the environments were checked without the defaults of `release-config.yaml`");
    }
    text
}

fn findings(tree: &Tree) -> Findings<'_> {
    let found = tree.problems.iter().flatten().map(|problem| Shown {
        file: &problem.file,
        line: Some(problem.line),
        column: Some(problem.column),
        message: &problem.message,
        hint: problem.hint.as_deref(),
    });
    let missing = tree.missing.iter().map(|Missing { file, message, hint }| Shown {
        file,
        line: None,
        column: None,
        message,
        hint: Some(hint.as_str()).filter(|hint| !hint.is_empty()),
    });
    Findings {
        valid: tree.count() == 0,
        environments: tree.environments.keys().map(AsRef::as_ref).collect(),
        problems: found.chain(missing).collect(),
    }
}

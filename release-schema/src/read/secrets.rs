//! Decides what of a file must not be shown: the values of environment variables.

use super::events;
use super::tree::{Content, Entry, Node};
use crate::problem::Findings;
use crate::source::SourceFile;
use std::ops::Range;

/// Where the values of environment variables stand in a file, in the file's order.
///
/// The tree says it exactly, but only of what is in the tree: not of a second `environment`, nor of a file that is no
/// YAML. For those a guess by indentation comes on top, which rather masks too much.
pub(crate) fn of(file: &SourceFile) -> Vec<Range<usize>> {
    let mut found = guess(file.text());
    if let Some(tree) = events::read(file, &mut Findings::new(file)) {
        collect(&tree, false, &mut found);
    }
    found.sort_by_key(|span| span.start);
    found
}

fn collect(node: &Node, secret: bool, found: &mut Vec<Range<usize>>) {
    match &node.content {
        Content::Scalar { .. } if secret => found.push(node.span.clone()),
        Content::Scalar { .. } => {}
        Content::List(items) => items.iter().for_each(|item| collect(item, secret, found)),
        Content::Map { entries, .. } => {
            for Entry { key, key_span: _, value } in entries {
                collect(value, secret || means_environment(key), found);
            }
        }
    }
}

/// Also what is only nearly called `environment`: the mistyped field is the one that a diagnostic shows.
fn means_environment(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let near = || key.len() < 20 && key != "environments" && strsim::damerau_levenshtein(&key, "environment") <= 2;
    matches!(key.as_str(), "env" | "envs" | "environmentvariables" | "variables") || near()
}

/// Where the values of environment variables most likely stand in a text that is no YAML: behind the colons of the lines
/// that are indented deeper than a line `environment:`, and on that line itself.
fn guess(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut inside: Option<usize> = None;
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let indent = content.len() - content.trim_start().len();
        if inside.is_some_and(|outer| indent <= outer && !content.is_empty()) {
            inside = None;
        }
        if let Some((key, _)) = content.split_once(':') {
            let opens = means_environment(
                key.trim_start_matches([' ', '\t', '-', '{', '"', '\'', '?']).trim_end_matches(['"', '\'']),
            );
            if inside.is_some() || opens {
                found.push(offset + key.len() + 1..offset + content.len());
            }
            if opens && inside.is_none() {
                inside = Some(indent);
            }
        } else if inside.is_some() {
            found.push(offset + indent..offset + content.len());
        }
        offset += line.len();
    }
    found
}

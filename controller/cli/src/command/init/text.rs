//! Writes the files of a new environment: the same text for the same functions, with what to do next above it.
use std::fmt::Write as _;
use std::time::Duration;

use release_schema::{AliasName, EnvironmentName, ServiceName, format_duration};

use super::draft::{Draft, Entry, LeftOut};
use super::name::ImageTag;

/// Comments are wrapped at this column.
const WIDTH: usize = 100;

/// The tag of an image without a tag. The digest behind it says which image is meant.
const UNTAGGED: &str = "untagged";

/// `release-config.yaml` of a repository with this one environment.
pub(super) fn release_config(environment: &EnvironmentName, alias: &AliasName) -> String {
    let defaults = if *alias == AliasName::default() {
        " {}\n".to_owned()
    } else {
        format!("\n    defaults:\n      alias: \"{alias}\"\n")
    };
    format!(
        "# The environments, each a directory below `environments/`, and what their services have in common. Which account,\n\
         # region and role an environment has is the configuration of the controller.\n\
         environments:\n  {}:{defaults}",
        key(environment.as_str())
    )
}

/// `environments/<env>/services.yaml` as a whole.
pub(super) fn services(environment: &EnvironmentName, draft: &Draft, alias: &AliasName) -> String {
    let mut text = format!(
        "# What runs in `{environment}`. `tidegate init` wrote it for functions that were live: the first tick takes them over\n\
         # as they are, and changes nothing. Next:\n\
         #\n\
         #   1. Check it: `tidegate validate`\n\
         #   2. Let the controller reach these functions and registries, and look what it would do: `tidegate diff`\n\
         #   3. Commit it, and push it to the branch that is deployed\n\
         #\n\
         # From then on a change of `imageTag` is a release.\n"
    );
    // A mapping of comments alone would be nothing, and nothing is no environment.
    text.push_str(if draft.entries.is_empty() { "services: {}\n" } else { "services:\n" });
    text.push_str(&list(draft, alias));
    text
}

/// The services alone, as they stand below `services:`.
pub(super) fn list(draft: &Draft, alias: &AliasName) -> String {
    let mut blocks: Vec<String> = draft.entries.iter().map(|(name, entry)| block(name, entry)).collect();
    blocks.extend(draft.left_out.iter().map(|(function, left_out)| {
        let (reason, hint) = left_out.reason(alias);
        let hint = if hint.is_empty() { String::new() } else { format!(" ({hint})") };
        let mut text = comment(&format!("{function} is left out: {reason}{hint}"), 2);
        if let LeftOut::Zip { .. } = left_out {
            text.push_str(&zip_block(function.as_str(), left_out));
        }
        text
    }));
    blocks.join("\n")
}

fn block(name: &ServiceName, entry: &Entry) -> String {
    let Entry { function, alias, repository, image_tag, memory_size, timeout } = entry;
    let (why, tag) = match image_tag {
        ImageTag::Tag(tag) => ("", tag.to_string()),
        ImageTag::Moving(tag, digest) => {
            ("A tag without a number moves on: the digest keeps what is live", format!("{tag}@{digest}"))
        }
        ImageTag::Untagged(tag, digest) => {
            let shown = tag.as_ref().map_or(UNTAGGED, |tag| tag.as_str());
            (
                "No tag is known to name this image: its digest decides, and the tag is only shown",
                format!("{shown}@{digest}"),
            )
        }
    };
    let mut text = format!("  {}:\n", key(name.as_str()));
    if !why.is_empty() {
        text.push_str(&comment(why, 4));
    }
    let mut field = |name: &str, value: &str| {
        let _infallible = writeln!(text, "    {name}: \"{value}\"");
    };
    field("imageTag", &tag);
    field("functionName", function.as_str());
    field("ecrRepository", &repository.to_string());
    if let Some(alias) = alias {
        field("alias", alias.as_str());
    }
    if memory_size.is_some() || timeout.is_some() {
        text.push_str(&comment("What is live, and not the default of `release-config.yaml`", 4));
    }
    if let Some(memory_size) = memory_size {
        let _infallible = writeln!(text, "    memorySize: {memory_size}");
    }
    if let Some(timeout) = timeout {
        let timeout = format_duration(Duration::from_secs((*timeout).into()));
        let _infallible = writeln!(text, "    timeout: {timeout}");
    }
    text
}

/// An entry that somebody has to complete.
fn zip_block(function: &str, left_out: &LeftOut) -> String {
    let LeftOut::Zip { service, alias, code } = left_out else { return String::new() };
    let object = ["s3Bucket", "s3Key", "s3ObjectVersion"].map(|field| (field, ""));
    let fields = [("functionName", function)].into_iter().chain(object).chain([("codeSha256", code.as_str())]);
    let mut text = format!("  # {}:\n", key(service.as_str()));
    for (field, value) in fields.chain(alias.iter().map(|alias| ("alias", alias.as_str()))) {
        let _infallible = writeln!(text, "  #   {field}: \"{value}\"");
    }
    text
}

/// A comment, wrapped.
fn comment(text: &str, indent: usize) -> String {
    let first = format!("{}# ", " ".repeat(indent));
    let options = textwrap::Options::new(WIDTH)
        .initial_indent(&first)
        .subsequent_indent(&first)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .break_words(false);
    let mut wrapped = textwrap::wrap(text, options).join("\n");
    wrapped.push('\n');
    wrapped
}

/// A name as a key: in quotes where some reader of YAML would take it for a number, a date or a truth value.
fn key(name: &str) -> String {
    let is_word = matches!(name, "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null");
    let is_plain = name.starts_with(|first: char| first.is_ascii_alphabetic()) && !is_word;
    if is_plain { name.to_owned() } else { format!("\"{name}\"") }
}

//! Edits staging's `services.yaml` as a person would, and merges it.
use anyhow::{Context as _, Result, ensure};

use crate::stage::Stage;
use crate::tell;

pub(crate) const FILE: &str = "environments/staging/services.yaml";

pub(crate) fn read(stage: &Stage) -> Result<String> {
    std::fs::read_to_string(stage.tree.dir().join(FILE)).context(FILE)
}

/// Changes a service's tag, in the middle of everything else in the file.
pub(crate) fn retag(stage: &Stage, service: &str, to: &str) -> Result<()> {
    change(stage, service, |entry| {
        let lines = entry.lines().map(|line| match line.trim_start().strip_prefix("imageTag:") {
            Some(_) => format!("    imageTag: \"{to}\"\n"),
            None => format!("{line}\n"),
        });
        lines.collect()
    })
}

/// Adds lines to a service's entry, as they stand.
pub(crate) fn extend(stage: &Stage, service: &str, lines: &str) -> Result<()> {
    change(stage, service, |entry| format!("{}\n{lines}", entry.trim_end()))
}

/// An entry ends where the next one, or the file does.
fn change(stage: &Stage, service: &str, edit: impl FnOnce(&str) -> String) -> Result<()> {
    let text = read(stage)?;
    let start = format!("  {service}:\n");
    let (before, rest) = text.split_once(&start).context("the service is not in the file")?;
    let end = rest.find("\n\n").map_or(rest.len(), |end| end + 1);
    let (entry, after) = rest.split_at(end);
    let edited = edit(entry);
    ensure!(edited != entry, "the edit changes nothing");
    stage.tree.write(FILE, format!("{before}{start}{edited}{after}"))
}

/// What the edit is, as a reviewer sees it.
pub(crate) fn show_edit(stage: &Stage) -> Result<()> {
    tell::command("git diff");
    let diff = stage.tree.git(["diff", "--unified=1"])?;
    // The lines before are about blobs and file names.
    let from_hunk: Vec<&str> = diff.lines().skip_while(|line| !line.starts_with("+++")).collect();
    tell::output(&from_hunk.join("\n"));
    Ok(())
}

/// Merges what is written; gives the commit.
pub(crate) fn merge(stage: &Stage, message: &str) -> Result<String> {
    stage.tree.commit(message)?;
    stage.tree.push()?;
    let commit = stage.tree.head()?;
    tell::step(&format!("merged and pushed: {} {message}", commit.get(..12).unwrap_or_default()));
    Ok(commit)
}

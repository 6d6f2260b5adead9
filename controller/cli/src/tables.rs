//! Tables for people: trouble first, within the width of the terminal, meaning never in colour.
use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use comfy_table::{ContentArrangement, Table, presets};
use tidegate_core::history::Record;
use tidegate_core::report::{ServiceReport, TickReport};

use crate::out::clean;

/// A report older than this says that nobody ticks.
const STALE_MINUTES: i64 = 5;

/// How an environment stands.
pub(crate) fn status(report: &TickReport, now: DateTime<Utc>, width: usize) -> String {
    let mut lines = vec![format!("{}: {}, {}", report.environment, report.sync(), report.health())];
    if let Some(commit) = &report.commit {
        let author = commit.author.split(" <").next().unwrap_or_default();
        lines.push(format!("commit {} by {}: {}", commit.short(), clean(author), clean(&commit.summary)));
    }
    lines.push(age(report, now));
    lines.extend(report.hold.iter().map(|hold| format!("holds: {}", clean(&hold.to_string()))));
    lines.extend(report.problems.iter().map(|problem| format!("  {}", clean(problem))));
    let mut text = lines.iter().map(|line| wrap(line, width)).collect::<Vec<_>>().join("\n");
    if !report.services.is_empty() {
        text.push_str("\n\n");
        text.push_str(&services(report, width));
    }
    text
}

fn age(report: &TickReport, now: DateTime<Utc>) -> String {
    let minutes = (now - report.started).num_minutes();
    let at = report.started.format("%Y-%m-%d %H:%M:%S UTC");
    if minutes >= STALE_MINUTES {
        format!("last tick {at}: {minutes} minutes ago; does the schedule run?")
    } else {
        format!("last tick {at}")
    }
}

fn services(report: &TickReport, width: usize) -> String {
    let mut rows: Vec<_> = report.services.iter().collect();
    rows.sort_by_key(|(name, service)| {
        (
            Reverse(service.error.is_some()),
            Reverse(service.standing.health),
            Reverse(service.standing.sync),
            (*name).clone(),
        )
    });
    let mut table = table(width);
    table.set_header(["SERVICE", "SYNC", "HEALTH", "PHASE", "LIVE", "WANTED"]);
    for (name, service) in &rows {
        let standing = &service.standing;
        table.add_row([
            name.to_string(),
            standing.sync.to_string(),
            standing.health.to_string(),
            standing.phase.to_string(),
            live(service),
            clean(&service.wanted.label),
        ]);
    }
    let mut text = trimmed(&table);
    for (name, service) in rows {
        let why = service.error.clone().or_else(|| Some(service.standing.waiting_on.as_ref()?.to_string()));
        if let Some(why) = why {
            text.push('\n');
            text.push_str(&wrap(&format!("{name}: {}", clean(&why)), width));
        }
    }
    text
}

/// What serves, and its version: `v1.2.3 (7)`.
fn live(service: &ServiceReport) -> String {
    let Some(live) = &service.live else { return "-".to_owned() };
    let version = live.version.map_or_else(|| "$LATEST".to_owned(), |version| version.to_string());
    let code = || live.code.as_ref().map_or_else(|| "unknown".to_owned(), |code| code.short());
    let label = live.tag.as_ref().map_or_else(code, ToString::to_string);
    format!("{label} ({version})")
}

/// What happened.
pub(crate) fn history(records: &[Record], width: usize) -> String {
    let mut table = table(width);
    table.set_header(["SERVICE", "NO", "FINISHED (UTC)", "KIND", "FROM", "TO", "COMMIT", "BY"]);
    for record in records {
        let deployed = |deployed: &tidegate_core::history::Deployed| {
            let version = deployed.version.map(|version| format!(" ({version})")).unwrap_or_default();
            format!("{}{version}", deployed.label())
        };
        table.add_row([
            record.service.to_string(),
            record.number.to_string(),
            record.finished.format("%m-%d %H:%M:%S").to_string(),
            record.kind.as_str().to_owned(),
            record.from.as_ref().map_or_else(|| "-".to_owned(), deployed),
            deployed(&record.to),
            record.commit.as_ref().map_or("-", |commit| commit.short()).chars().take(8).collect(),
            clean(&record.actor),
        ]);
    }
    let mut text = trimmed(&table);
    for record in records {
        if let Some(reason) = &record.reason {
            text.push('\n');
            text.push_str(&wrap(&format!("{} {}: {}", record.service, record.number, clean(reason)), width));
        }
    }
    text
}

fn table(width: usize) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_width(u16::try_from(width).unwrap_or(u16::MAX));
    table
}

/// Without the blanks at the ends of lines that a table without borders leaves.
fn trimmed(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// Breaks a line between words, with what follows set in by two.
fn wrap(line: &str, width: usize) -> String {
    let indent = line.len() - line.trim_start().len();
    let options = textwrap::Options::new(width).subsequent_indent("  ");
    let wrapped = textwrap::fill(line.trim_start(), options.clone());
    let pad = " ".repeat(indent);
    wrapped.lines().map(|line| format!("{pad}{line}")).collect::<Vec<_>>().join("\n")
}

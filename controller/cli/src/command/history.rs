//! `tidegate history`: shows what was released, newest first; and what else can be asked of it.
mod show;
mod verify;

use tidegate_core::command::Command;
use tidegate_core::history::{Deployed, Kind, Record, Said};
use tidegate_core::report::Answer;

use super::progress;
use crate::arguments::{Format, History, HistoryCommand, Reach};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Paint, Tone};
use crate::table::{self, Cell, Row};
use crate::text;

pub(crate) async fn run(options: &History, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let History { command, target, limit, output } = options;
    let target = match (command, target) {
        (Some(HistoryCommand::Show(options)), _) => return show::run(options, reach, out).await,
        (Some(HistoryCommand::Verify(options)), _) => return verify::run(options, reach, out).await,
        (None, Some(target)) => target,
        // `clap` asks for one of them.
        (None, None) => return Err(Error::refused("name an environment, or one service of it")),
    };
    let command = Command::History {
        environment: target.environment.clone(),
        service: target.service.clone(),
        limit: Some(*limit),
    };
    let connection = Connection::open(reach).await?;
    let records = match connection.read(&command, out).await? {
        Answer::History { records } => records,
        Answer::Failed(failure) => return Err(Error::from(failure)),
        Answer::Reports { .. } | Answer::Record { .. } | Answer::Services { .. } | Answer::Versions { .. } => {
            return Err(Error::unexpected_answer());
        }
    };
    if records.is_empty() && output.format == Format::Table {
        out.note(&format!("`{}` has no history yet", target.environment));
        return Ok(Exit::Done);
    }
    out.value(output.format, &records, || render(&records, out.width, out.paint))?;
    Ok(Exit::Done)
}

fn render(records: &[Record], width: usize, paint: Paint) -> String {
    let headers = ["NO.", "SERVICE", "FINISHED (UTC)", "KIND", "FROM → TO", "VERSION", "COMMIT"];
    table::render(&headers, &records.iter().map(row).collect::<Vec<_>>(), width, paint)
}

fn row(record: &Record) -> Row {
    let commit = record.commit.as_ref().map(|commit| commit.id.chars().take(7).collect::<String>());
    let to = label(&record.to);
    let change = record.from.as_ref().map(label).filter(|from| *from != to);
    let change = change.map_or_else(|| to.clone(), |from| format!("{from} → {to}"));
    let cells = vec![
        Cell::plain(record.number.to_string()),
        Cell::new(text::escaped(record.service.as_str()), Tone::Strong),
        Cell::plain(text::time(record.finished)),
        Cell::new(record.kind.as_str(), tone(record.kind)),
        Cell::plain(text::escaped(&change)),
        Cell::plain(record.to.version.map(|version| version.to_string()).unwrap_or_default()),
        Cell::plain(text::escaped(&commit.unwrap_or_default())),
    ];
    let notes = record.said.iter().map(progress::spoken).chain(because(record));
    Row { cells, notes: notes.map(|note| Cell::plain(text::escaped(&note))).collect() }
}

const fn tone(kind: Kind) -> Tone {
    match kind {
        Kind::Adopted | Kind::Promoted => Tone::Good,
        Kind::Superseded | Kind::RolledBack | Kind::Healed | Kind::Unmanaged => Tone::Busy,
        Kind::Failed | Kind::Aborted => Tone::Bad,
    }
}

/// The tag, else the beginning of the digest, without its algorithm: a column is narrow.
fn label(deployed: &Deployed) -> String {
    let label = deployed.label();
    label.strip_prefix("sha256:").map_or_else(|| label.clone(), str::to_owned)
}

/// Who did it and why, where that is more than the schedule doing what Git says, or what was said to the release on its way.
fn because(record: &Record) -> Option<String> {
    let says = |said: &Said| said.actor == record.actor && (record.reason.is_none() || said.reason == record.reason);
    if record.said.iter().any(says) {
        return None;
    }
    let by = Some(record.actor.as_str()).filter(|actor| *actor != "controller").map(|actor| format!("by {actor}"));
    let reason = record.reason.clone().filter(|reason| !reason.is_empty());
    match (by, reason) {
        (Some(by), Some(reason)) => Some(format!("{by}: {reason}")),
        (by, reason) => by.or(reason),
    }
}

#[cfg(test)]
mod tests;

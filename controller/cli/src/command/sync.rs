//! `tidegate sync`: runs one tick, and tells what it did to each service.
use tidegate_core::command::Command;
use tidegate_core::report::{ServiceReport, TickReport, Unmanaged};
use tidegate_core::status::Health;

use super::progress;
use super::status::{heading, health_tone, sync_tone};
use crate::arguments::{Format, Reach, Sync};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Paint, Tone};
use crate::table::{self, Cell, Row};
use crate::text;

pub(crate) async fn run(options: &Sync, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let Sync { target, confirm, shard, repin, output } = options;
    let service = target.as_ref().and_then(|target| target.service.clone());
    if *repin && service.is_none() {
        return Err(Error::refused("only the tag of one service is asked for again").hint("name it: `ENV/SERVICE`"));
    }
    let environment = target.as_ref().map(|target| target.environment.clone());
    let command = Command::Sync { environment, service, confirm: confirm.clone(), shard: *shard, repin: *repin };
    let connection = Connection::open(reach).await?;
    let (reports, failures) = super::reports(connection.send(&command).await?)?;
    if !reports.is_empty() || output.format != Format::Table {
        out.value(output.format, &reports, || {
            let all: Vec<String> = reports.iter().map(|report| render(report, out.width, out.paint)).collect();
            all.join("\n")
        })?;
    }
    let exits = reports.iter().map(exit);
    Ok(super::show_failures(failures, out).max(exits.max().unwrap_or(Exit::Done)))
}

/// What the next tick goes on with is no trouble.
fn exit(report: &TickReport) -> Exit {
    let trouble = |service: &ServiceReport| service.error.is_some() || service.standing.health > Health::Progressing;
    let left = report.unmanaged.values().any(Unmanaged::is_trouble);
    if report.hold.is_some() || left || report.services.values().any(trouble) { Exit::Difference } else { Exit::Done }
}

fn render(report: &TickReport, width: usize, paint: Paint) -> String {
    let mut text = heading(report, width, paint);
    if report.services.is_empty() {
        return text;
    }
    let rows = report.services.iter().map(|(name, service)| {
        let ServiceReport { standing, done, .. } = service;
        let done = done.iter().map(|done| Cell::plain(text::escaped(&format!("done: {done}"))));
        let below = progress::notes(&format!("{}/{name}", report.environment), service, text::now());
        let notes = done.chain(below).collect();
        let cells = vec![
            Cell::new(text::escaped(name.as_str()), Tone::Strong),
            Cell::new(standing.sync.to_string(), sync_tone(standing.sync)),
            Cell::new(standing.health.to_string(), health_tone(standing.health)),
            Cell::plain(standing.phase.to_string()),
        ];
        Row { cells, notes }
    });
    text.push('\n');
    text.push_str(&table::render(&["SERVICE", "SYNC", "HEALTH", "PHASE"], &rows.collect::<Vec<_>>(), width, paint));
    text
}

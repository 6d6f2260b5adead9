//! `tidegate promote`, `abort`, `pause`, `resume`, `retry`: a person's word to one release, and how it stands then.
use tidegate_core::command::{Command, To};
use tidegate_core::report::{Answer, ServiceReport};

use super::progress;
use super::status::{health_tone, sync_tone};
use crate::arguments::{Format, Output, Promote, Reach, Word};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Tone};
use crate::table::{self, Cell, Row};
use crate::text;

/// `tidegate promote`.
pub(crate) async fn promote(options: Promote, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let Promote { word: Word { target, reason, output }, full, force } = options;
    let (environment, service) = (target.environment, target.service);
    let to = To { environment, service, reason, full, force };
    tell(Command::Promote(to), output, reach, out).await
}

/// A word that has nothing more to it.
pub(crate) async fn plain(command: fn(To) -> Command, options: Word, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let Word { target, reason, output } = options;
    let (environment, service) = (target.environment, target.service);
    tell(command(To { environment, service, reason, full: false, force: false }), output, reach, out).await
}

async fn tell(command: Command, output: Output, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let connection = Connection::open(reach).await?;
    let (name, report) = match connection.send(&command).await? {
        Answer::Service { environment, service, report } => (format!("{environment}/{service}"), report),
        Answer::Failed(failure) => return Err(Error::from(failure)),
        Answer::Reports { .. } | Answer::History { .. } => return Err(Error::unexpected_answer()),
    };
    if output.format == Format::Table {
        let table = render(&name, &report, out);
        out.data(&table)?;
    } else {
        out.value(output.format, &report, String::new)?;
    }
    Ok(Exit::Done)
}

fn render(name: &str, report: &ServiceReport, out: &Out) -> String {
    let standing = &report.standing;
    let cells = vec![
        Cell::new(text::escaped(name), Tone::Strong),
        Cell::new(standing.sync.to_string(), sync_tone(standing.sync)),
        Cell::new(standing.health.to_string(), health_tone(standing.health)),
        Cell::plain(standing.phase.to_string()),
    ];
    let done = if report.done.is_empty() {
        vec![Cell::new("nothing was to be done", Tone::Faint)]
    } else {
        report.done.iter().map(|done| Cell::plain(text::escaped(&format!("done: {done}")))).collect()
    };
    let notes = [done, progress::notes(name, report, text::now())].concat();
    table::render(&["SERVICE", "SYNC", "HEALTH", "PHASE"], &[Row { cells, notes }], out.width, out.paint)
}

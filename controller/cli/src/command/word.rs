//! `tidegate rollback`, `unhold`, `promote`, `abort`, `pause`, `resume`, `retry`: a person's word to releases, and how they
//! stand then.
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use release_schema::EnvironmentName;
use tidegate_core::command::{Command, To};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::report::{Answer, Failure, ServiceReport};
use tidegate_runtime::write_back::RollbackConfig;

use super::progress;
use super::status::{health_tone, sync_tone};
use crate::arguments::{Format, Output, Promote, Reach, Rollback, ServiceTarget, Word};
use crate::connection::{Connection, chain};
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

/// `tidegate rollback`.
pub(crate) async fn rollback(options: Rollback, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let Rollback { targets, to, config, reason, remind_after, output } = options;
    let again = config.as_deref().map(written_down).transpose()?;
    let reason = match reason.or_else(|| again.as_ref().map(|again| again.reason.clone())) {
        Some(reason) => reason,
        None => ask_for_reason(out)?,
    };
    let remind_after = remind_after.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    let (environment, services, to) = match again {
        Some(RollbackConfig { environment, service, record, .. }) => (environment, vec![service], Some(record)),
        None => {
            let environment = one_environment(&targets)?;
            (environment, targets.into_iter().map(|target| target.service).collect(), to.map(TransitionNumber))
        }
    };
    tell(Command::Rollback { environment, services, to, reason, remind_after }, output, reach, out).await
}

/// A rollback as it was written to the release repository: going back to what its record led to does it again.
fn written_down(file: &Path) -> Result<RollbackConfig, Error> {
    let name = file.display().to_string();
    let cannot = |message: String| Error::refused(message).hint("name a file below `history/rollback-configs/`");
    let bytes = std::fs::read(file).map_err(|error| cannot(format!("`{name}` cannot be read: {error}")))?;
    RollbackConfig::parse(&name, &bytes).map_err(|error| cannot(chain(&error)))
}

/// One call reaches one environment: another one may be another account.
fn one_environment(targets: &[ServiceTarget]) -> Result<EnvironmentName, Error> {
    let mut environments = targets.iter().map(|target| &target.environment);
    let first = environments.next().ok_or_else(|| Error::refused("name a service"))?;
    match environments.find(|other| *other != first) {
        None => Ok(first.clone()),
        Some(other) => Err(Error::refused(format!("`{first}` and `{other}` are rolled back one after the other"))),
    }
}

/// A reason is stored for ever, so there must be one. Without a terminal nobody can be asked.
fn ask_for_reason(out: &Out) -> Result<String, Error> {
    let missing = || Error::refused("a rollback needs a reason").hint("say why with `--reason TEXT`");
    if !std::io::stdin().is_terminal() {
        return Err(missing());
    }
    out.note("Why is it rolled back? It goes into the history:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    let reason = line.trim();
    if reason.is_empty() { Err(missing()) } else { Ok(reason.to_owned()) }
}

async fn tell(command: Command, output: Output, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let connection = Connection::open(reach).await?;
    let (environment, reports, failures) = match connection.send(&command).await? {
        Answer::Services { environment, reports, failures } => (environment, reports, failures),
        Answer::Failed(failure) => return Err(Error::from(failure)),
        Answer::Reports { .. } | Answer::History { .. } | Answer::Record { .. } | Answer::Versions { .. } => {
            return Err(Error::unexpected_answer());
        }
    };
    if !reports.is_empty() || output.format != Format::Table {
        out.value(output.format, &reports, || {
            let rows: Vec<Row> =
                reports.iter().map(|(service, report)| row(&format!("{environment}/{service}"), report)).collect();
            table::render(&["SERVICE", "SYNC", "HEALTH", "PHASE"], &rows, out.width, out.paint)
        })?;
    }
    let failures = failures.into_iter().map(|(service, failure)| Failure {
        message: format!("{environment}/{service}: {}", failure.message),
        ..failure
    });
    Ok(super::show_failures(failures.collect(), out))
}

fn row(name: &str, report: &ServiceReport) -> Row {
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
    Row { cells, notes: [done, progress::notes(name, report, text::now())].concat() }
}

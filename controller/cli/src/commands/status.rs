//! `tidegate status [ENV[/SERVICE]]`: how services stand, trouble first.
use chrono::Utc;
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, TickReport};
use tidegate_core::status::{Health, SyncStatus};

use crate::arguments::{Format, Global, Status, Target};
use crate::exit::{Error, Exit};
use crate::{out, route, tables};

pub(crate) async fn run(global: &Global, wish: &Status) -> Result<Exit, Error> {
    let environment = wish.target.as_ref().map(|target| target.environment.clone());
    // What the last tick left is read with the caller's own rights: that works also while the function does not.
    let answer = route::here(global).await.run(&Command::Status { environment }, &route::caller()).await;
    let (mut reports, failures) = match answer {
        Answer::Reports { reports, failures } => (reports, failures),
        Answer::Failed(failure) => return Err(failure.into()),
        Answer::History { .. } => {
            return Err(Error::new(Exit::Unavailable, "the controller answered another question"));
        }
    };
    if let Some(target) = &wish.target {
        reports = reports.into_iter().map(|report| only(report, target)).collect::<Result<_, _>>()?;
    }
    match wish.output {
        Format::Table => {
            let shown: Vec<String> =
                reports.iter().map(|report| tables::status(report, Utc::now(), out::width())).collect();
            out::data(&shown.join("\n\n"))?;
        }
        Format::Json | Format::Yaml => out::document(&reports, wish.output)?,
    }
    let mut exit = exit_of(&reports);
    for failure in failures {
        out::error(&failure.message);
        exit = exit.max(failure.kind.into());
    }
    Ok(exit)
}

/// One service of a report.
fn only(mut report: TickReport, target: &Target) -> Result<TickReport, Error> {
    let Some(service) = &target.service else { return Ok(report) };
    if !report.services.contains_key(service) {
        let names: Vec<String> = report.services.keys().map(|name| format!("`{name}`")).collect();
        let message =
            format!("there is no service `{service}` in `{}`; there are {}", report.environment, names.join(", "));
        return Err(Error::new(Exit::Refused, message));
    }
    report.services.retain(|name, _| name == service);
    Ok(report)
}

/// 0 where everything is healthy or on its way; 1 where a person should look.
pub(crate) fn exit_of(reports: &[TickReport]) -> Exit {
    let trouble = |report: &TickReport| {
        let stuck = report.services.values().any(|service| {
            service.error.is_some()
                || (service.standing.sync != SyncStatus::Synced && service.standing.health != Health::Progressing)
        });
        stuck || report.hold.is_some() || report.health() >= Health::Missing
    };
    if reports.iter().any(trouble) { Exit::Different } else { Exit::Done }
}

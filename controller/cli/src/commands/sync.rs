//! `tidegate sync [ENV[/SERVICE]]`: a tick now, and what it did.
use tidegate_core::command::Command;
use tidegate_core::report::{Answer, TickReport};

use crate::arguments::{Format, Global, Sync};
use crate::exit::{Error, Exit};
use crate::{out, route};

pub(crate) async fn run(global: &Global, wish: &Sync) -> Result<Exit, Error> {
    let target = wish.target.as_ref();
    let command = Command::Sync {
        environment: target.map(|target| target.environment.clone()),
        service: target.and_then(|target| target.service.clone()),
        confirm: wish.confirm.clone(),
    };
    let (reports, failures) = match route::send(global, &command).await? {
        Answer::Reports { reports, failures } => (reports, failures),
        Answer::Failed(failure) => return Err(failure.into()),
        Answer::History { .. } => {
            return Err(Error::new(Exit::Unavailable, "the controller answered another question"));
        }
    };
    match wish.output {
        Format::Table => out::data(&out::clean(&reports.iter().map(told).collect::<Vec<_>>().join("\n\n")))?,
        Format::Json | Format::Yaml => out::document(&reports, wish.output)?,
    }
    let mut exit = super::status::exit_of(&reports);
    for failure in failures {
        let environment = failure.environment.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        out::error(&format!("{environment}{}", failure.message));
        exit = exit.max(failure.kind.into());
    }
    Ok(exit)
}

fn told(report: &TickReport) -> String {
    let commit = report.commit.as_ref().map_or("none", |commit| commit.short());
    let mut lines = vec![format!("{}: {} at commit {commit}", report.environment, report.sync())];
    lines.extend(report.hold.iter().map(|hold| format!("  holds: {hold}")));
    lines.extend(report.problems.iter().map(|problem| format!("  {problem}")));
    for (name, service) in &report.services {
        lines.push(format!("  {name}: {}, {}", service.standing.sync, service.standing.health));
        lines.extend(service.done.iter().map(|done| format!("    done: {done}")));
        lines.extend(service.standing.waiting_on.iter().map(|waiting| format!("    waits: {waiting}")));
        lines.extend(service.error.iter().map(|error| format!("    error: {error}")));
    }
    lines.join("\n")
}

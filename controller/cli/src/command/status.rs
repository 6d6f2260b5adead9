//! `tidegate status`: shows how environments stand, as the last tick saw them, trouble first.
mod alike;

use std::cmp::Reverse;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use release_schema::ServiceName;
use tidegate_core::command::Command;
use tidegate_core::plan::Standing;
use tidegate_core::report::{FailedCall, Housekeeping, Left, ServiceReport, TickReport, Unmanaged, there_are};
use tidegate_core::status::{Health, PhaseName, SyncStatus};

use super::progress;
use crate::arguments::{Format, Reach, Status, Target};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Paint, Tone};
use crate::table::{self, Cell, Row, push_wrapped};
use crate::text;
use alike::{More, thin_out};

/// A report that is older than this says that nothing ticks: five schedules were missed.
const STALE: TimeDelta = TimeDelta::minutes(5);
/// As many services at rest, or that stand alike, are shown one by one; more are counted.
const FEW: usize = 20;
/// A look that is older than the report by this is not of its tick.
const NOT_VISITED: TimeDelta = TimeDelta::seconds(30);
/// How often `--watch` looks.
const EVERY: Duration = Duration::from_secs(2);
/// Clears the terminal, and goes to its upper left corner.
const CLEAR: &str = "\u{1b}[2J\u{1b}[H";

pub(crate) async fn run(options: &Status, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let connection = Connection::open(reach).await?;
    loop {
        let clear = if options.watch && out.terminal { CLEAR } else { "" };
        let outcome = once(options, &connection, clear, out).await;
        if !options.watch {
            return outcome;
        }
        // Somebody who watches wants to see it come back.
        if let Err(error) = outcome {
            out.error(&error.message, error.hint.as_deref());
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn once(options: &Status, connection: &Connection, clear: &str, out: &Out) -> Result<Exit, Error> {
    let command = Command::Status { environment: options.target.as_ref().map(|target| target.environment.clone()) };
    let (reports, failures) = super::reports(connection.read(&command, out).await?)?;
    let reports: Vec<TickReport> =
        reports.into_iter().map(|report| narrowed(report, options.target.as_ref())).collect::<Result<_, _>>()?;
    let now = text::now();
    if !reports.is_empty() || options.output.format != Format::Table {
        out.value(options.output.format, &reports, || {
            let one = |report| render(report, now, options.all, out.width, out.paint);
            let all: Vec<String> = reports.iter().map(one).collect();
            format!("{clear}{}", all.join("\n"))
        })?;
    }
    let exits = reports.iter().map(|report| exit(report, now));
    Ok(super::show_failures(failures, out).max(exits.max().unwrap_or(Exit::Done)))
}

/// Only the service that is asked for.
fn narrowed(mut report: TickReport, target: Option<&Target>) -> Result<TickReport, Error> {
    let Some(service) = target.and_then(|target| target.service.as_ref()) else { return Ok(report) };
    if !report.services.contains_key(service) {
        let names = there_are(report.services.keys());
        return Err(Error::refused(format!("there is no service `{service}` in `{}`; {names}", report.environment)));
    }
    report.services.retain(|name, _| name == service);
    Ok(report)
}

/// A release under way is no trouble; what stands still with a difference is.
pub(super) fn exit(report: &TickReport, now: DateTime<Utc>) -> Exit {
    let trouble = |service: &ServiceReport| match service.standing.health {
        Health::Degraded | Health::Missing | Health::Unknown => true,
        Health::Healthy | Health::Suspended => service.standing.sync != SyncStatus::Synced,
        Health::Progressing => false,
    };
    let is_old = |last: DateTime<Utc>| now - last > STALE;
    let stale = is_old(report.started) || report.shards.values().any(|last| last.is_none_or(is_old));
    let left = report.unmanaged.values().any(Unmanaged::is_trouble);
    if report.hold.is_some() || stale || left || report.services.values().any(trouble) {
        Exit::Difference
    } else {
        Exit::Done
    }
}

/// One environment. Where many services are at rest, or stand alike, they are counted, unless `all` are to be shown.
pub(super) fn render(report: &TickReport, now: DateTime<Utc>, all: bool, width: usize, paint: Paint) -> String {
    let mut text = heading(report, width, paint);
    // No report is from the future: where it seems so, this machine's clock is behind.
    let now = now.max(report.started);
    let age = now - report.started;
    let ticked = format!("{} UTC, {}", text::time(report.started), text::ago(age));
    push_wrapped(&mut text, "  ticked  ", &ticked, Tone::Plain, width, paint);
    if age > STALE {
        let note = "nothing ticked since: this is old, and may no longer be so; does the schedule run?";
        push_wrapped(&mut text, "  stale   ", note, Tone::Bad, width, paint);
    }
    for (shard, last) in &report.shards {
        let note = match last {
            Some(last) if now - *last <= STALE => continue,
            Some(last) => format!(
                "shard {shard} ticked last at {} UTC, {}: its services are as they were seen then; does its schedule run?",
                text::time(*last),
                text::ago(now - *last)
            ),
            None => format!(
                "shard {shard} has not ticked yet: its services may be missing here; is there a schedule for it?"
            ),
        };
        push_wrapped(&mut text, "  behind  ", &note, Tone::Bad, width, paint);
    }
    if report.services.is_empty() {
        push_wrapped(&mut text, "  ", "nothing runs here", Tone::Plain, width, paint);
        return text;
    }
    let mut services: Vec<(&ServiceName, &ServiceReport)> = report.services.iter().collect();
    services.sort_by_key(|(name, service)| {
        (Reverse(service.error.is_some()), Reverse(service.standing.health), Reverse(service.standing.sync), *name)
    });
    let resting = services.iter().filter(|(_, service)| rests(service)).count();
    let counted = if all || resting <= FEW { 0 } else { resting };
    services.retain(|(_, service)| counted == 0 || !rests(service));
    let left_out = if all { Vec::new() } else { thin_out(&mut services) };
    text.push('\n');
    if !services.is_empty() {
        let rows: Vec<Row> = services.into_iter().map(|(name, service)| row(report, name, service, now)).collect();
        text.push_str(&table::render(&["SERVICE", "SYNC", "HEALTH", "PHASE", "VERSION", "TAG"], &rows, width, paint));
    }
    for More { count, like } in left_out {
        let note = format!("{count} more stand like {like}; `--all` shows them");
        let tone = report.services.get(like).map_or(Tone::Plain, |service| health_tone(service.standing.health));
        push_wrapped(&mut text, "", &note, tone, width, paint);
    }
    if counted > 0 {
        let more = if counted == report.services.len() { "all" } else { "the other" };
        let note = format!("{more} {counted} services are Synced and Healthy; `--all` shows them");
        push_wrapped(&mut text, "", &note, Tone::Good, width, paint);
    }
    text
}

/// Whether there is nothing to say of a service.
fn rests(service: &ServiceReport) -> bool {
    let Standing { sync, health, phase, waiting_on } = &service.standing;
    let is_well = (*sync, *health, *phase) == (SyncStatus::Synced, Health::Healthy, PhaseName::Idle);
    is_well && waiting_on.is_none() && service.error.is_none() && service.drift.is_empty()
}

/// The environment as a whole: how it is, what it was decided from, and what stops it.
pub(super) fn heading(report: &TickReport, width: usize, paint: Paint) -> String {
    let (sync, health) = (report.sync(), report.health());
    let TickReport { environment, shard, .. } = report;
    let name = if shard.is_whole() { environment.to_string() } else { format!("{environment}, shard {shard}") };
    let mut text = format!(
        "{}  {}  {}\n",
        paint.paint(Tone::Strong, &name),
        paint.paint(sync_tone(sync), &sync.to_string()),
        paint.paint(health_tone(health), &health.to_string())
    );
    if let Some(commit) = &report.commit {
        let said = text::escaped(&format!("{} {} ({})", commit.short(), commit.summary, commit.author));
        push_wrapped(&mut text, "  commit  ", &said, Tone::Plain, width, paint);
    }
    if let Some(hold) = &report.hold {
        push_wrapped(&mut text, "  hold    ", &text::escaped(&hold.to_string()), Tone::Bad, width, paint);
    }
    for (service, unmanaged) in &report.unmanaged {
        let tone = if unmanaged.is_trouble() { Tone::Bad } else { Tone::Busy };
        push_wrapped(&mut text, "  removed ", &text::escaped(&removed(service, unmanaged)), tone, width, paint);
    }
    for problem in &report.problems {
        push_wrapped(&mut text, "  problem ", &text::escaped(problem), Tone::Bad, width, paint);
    }
    for FailedCall { services, message, consequence, .. } in &report.failed_calls {
        let concerned = match services {
            0 => String::new(),
            1 => ", for 1 service".to_owned(),
            _ => format!(", for {services} services"),
        };
        let problem = text::escaped(&format!("{consequence}{concerned}: {message}"));
        push_wrapped(&mut text, "  problem ", &problem, Tone::Busy, width, paint);
    }
    if let Some(Housekeeping { service, deleted: _, problem: Some(problem) }) = &report.housekeeping {
        let problem = text::escaped(&format!("old versions of {service}: {problem}"));
        push_wrapped(&mut text, "  problem ", &problem, Tone::Busy, width, paint);
    }
    text
}

/// What there is to say of a service that is not in Git any more.
fn removed(service: &ServiceName, unmanaged: &Unmanaged) -> String {
    let Unmanaged { alias, left, done, error } = unmanaged;
    let gone = format!("{service} is not in Git any more");
    if let Some(error) = error {
        return format!("{gone}, and could not be closed: {error}");
    }
    if !done.is_empty() {
        return format!("{gone}, and is closed: {}; {alias} is left as it is", done.join(", "));
    }
    match left {
        None => format!("{gone}; {alias} is left as it is"),
        Some(Left { phase, release, has_traffic: false, .. }) => {
            format!("{gone}; {alias} is left as it is, with {release} in the phase {phase}")
        }
        Some(Left { phase, release, weight, has_traffic: true }) => {
            let share = weight.map_or("a part".to_owned(), |weight| format!("{} %", f64::from(weight) / 100.0));
            format!(
                "{gone}, and {release} was left in the phase {phase} with {share} of the traffic of {alias}; put it back in \
                 Git to go on, or set `syncPolicy.prune` to turn it back"
            )
        }
    }
}

fn row(report: &TickReport, name: &ServiceName, service: &ServiceReport, now: DateTime<Utc>) -> Row {
    let ServiceReport {
        seen: _,
        standing,
        function: _,
        alias: _,
        wanted,
        live,
        drift: _,
        rollout: _,
        revert: _,
        done: _,
        error: _,
    } = service;
    let version = live.as_ref().and_then(|live| live.version).map(|version| version.to_string());
    let tag = live.as_ref().and_then(|live| live.tag.as_ref()).map(|tag| tag.as_str().to_owned());
    let tag = match tag {
        Some(tag) if tag == wanted.label || standing.sync == SyncStatus::Synced => tag,
        Some(tag) => format!("{tag} → {}", wanted.label),
        None if standing.sync == SyncStatus::Synced => wanted.label.clone(),
        None => format!("→ {}", wanted.label),
    };
    let cells = vec![
        Cell::new(text::escaped(name.as_str()), Tone::Strong),
        Cell::new(standing.sync.to_string(), sync_tone(standing.sync)),
        Cell::new(standing.health.to_string(), health_tone(standing.health)),
        Cell::plain(standing.phase.to_string()),
        Cell::plain(version.unwrap_or_default()),
        Cell::plain(text::escaped(&tag)),
    ];
    let notes = progress::notes(&format!("{}/{name}", report.environment), service, now);
    let age = report.started - service.seen;
    let is_older = age > NOT_VISITED && !rests(service);
    let older = is_older.then(|| Cell::new(format!("as it was seen at {}", text::clock(service.seen)), Tone::Faint));
    Row { cells, notes: notes.into_iter().chain(older).collect() }
}

/// How a sync status looks.
pub(super) const fn sync_tone(sync: SyncStatus) -> Tone {
    match sync {
        SyncStatus::Synced => Tone::Good,
        SyncStatus::OutOfSync => Tone::Busy,
        SyncStatus::Unknown => Tone::Bad,
    }
}

/// How a health looks.
pub(super) const fn health_tone(health: Health) -> Tone {
    match health {
        Health::Healthy => Tone::Good,
        Health::Suspended | Health::Progressing => Tone::Busy,
        Health::Missing | Health::Degraded | Health::Unknown => Tone::Bad,
    }
}

#[cfg(test)]
pub(super) mod tests;

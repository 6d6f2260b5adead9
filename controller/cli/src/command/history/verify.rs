//! `tidegate history verify`: says of each history whether it is as it was written, what of it is not, and what could not be
//! looked at.
use release_schema::{EnvironmentName, ServiceName};
use serde::Serialize;
use tidegate_core::verify::{Finding, Last, Place, Testimony, Verification};
use tidegate_runtime::controller::Verified;
use tidegate_runtime::store::keys;

use crate::arguments::{HistoryVerify, Reach};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Paint, Tone};
use crate::table::push_wrapped;
use crate::text;

/// How many findings of one service people are shown; programs get all of them.
const SHOWN: usize = 20;
/// Digits of a hash that people compare at a glance.
const DIGITS: usize = 12;

/// One service, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    environment: &'a EnvironmentName,
    service: &'a ServiceName,
    /// Whether everything was looked at, and nothing was found.
    proven: bool,
    records: Option<usize>,
    last: Option<&'a Last>,
    alias: Option<&'a Testimony>,
    findings: Vec<Named<'a>>,
    /// Why the history could not be read.
    error: Option<&'a str>,
}

/// A finding with its object below the installation's prefix.
#[derive(Serialize)]
struct Named<'a> {
    object: String,
    message: String,
    #[serde(flatten)]
    finding: &'a Finding,
}

pub(super) async fn run(options: &HistoryVerify, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let HistoryVerify { target, output } = options;
    let environment = &target.environment;
    let connection = Connection::open(reach).await?;
    let all = connection.controller.verify(environment, target.service.as_ref()).await?;
    let shown: Vec<Shown<'_>> = all.iter().map(|(service, verified)| shown(environment, service, verified)).collect();
    out.value(output.format, &shown, || render(&all, out.width, out.paint))?;
    say(environment, &all, out);
    Ok(exit(&all))
}

/// What was found outweighs what could not be read.
pub(super) fn exit(all: &[(ServiceName, Verified)]) -> Exit {
    let found = |(_, verified): &(_, Verified)| verified.as_ref().is_ok_and(|looked| !looked.findings.is_empty());
    if all.iter().any(found) {
        Exit::Difference
    } else if all.iter().all(|(_, verified)| is_proven(verified)) {
        Exit::Done
    } else {
        Exit::Unavailable
    }
}

fn is_proven(verified: &Verified) -> bool {
    let unread = |alias: &Testimony| matches!(alias, Testimony::Unreadable { .. });
    verified.as_ref().is_ok_and(|looked| looked.findings.is_empty() && !unread(&looked.alias))
}

fn shown<'a>(environment: &'a EnvironmentName, service: &'a ServiceName, verified: &'a Verified) -> Shown<'a> {
    let looked = verified.as_ref().ok();
    let named = |finding: &'a Finding| Named {
        object: object(environment, service, finding),
        message: finding.to_string(),
        finding,
    };
    Shown {
        environment,
        service,
        proven: is_proven(verified),
        records: looked.map(|looked| looked.records),
        last: looked.and_then(|looked| looked.last.as_ref()),
        alias: looked.map(|looked| &looked.alias),
        findings: looked.map(|looked| looked.findings.iter().map(named).collect()).unwrap_or_default(),
        error: verified.as_ref().err().map(|failure| failure.message.as_str()),
    }
}

fn object(environment: &EnvironmentName, service: &ServiceName, finding: &Finding) -> String {
    match finding.place() {
        Place::Record(number) => keys::record(environment, service, number),
        Place::Head => keys::head(environment, service),
        Place::Stray(name) => name.to_owned(),
    }
}

/// What was looked at, for people.
pub(super) fn render(all: &[(ServiceName, Verified)], width: usize, paint: Paint) -> String {
    let mut text = String::new();
    for looked in all.iter().filter_map(|(_, verified)| verified.as_ref().ok()) {
        let (line, tone) = summary(looked);
        push_wrapped(&mut text, "", &text::escaped(&line), tone, width, paint);
        for finding in looked.findings.iter().take(SHOWN) {
            push_finding(&mut text, looked, finding, width, paint);
        }
        let more = looked.findings.len().saturating_sub(SHOWN);
        if more > 0 {
            push_wrapped(&mut text, "  ", &format!("and {more} more"), Tone::Bad, width, paint);
        }
    }
    text
}

fn summary(looked: &Verification) -> (String, Tone) {
    let Verification { environment, service, records, last, alias, findings } = looked;
    let records = match records {
        1 => "1 record".to_owned(),
        many => format!("{many} records"),
    };
    let of = format!("{records} of {environment}/{service}");
    match (findings.len(), last) {
        (0, None) => (format!("{environment}/{service} has no history yet"), Tone::Plain),
        (0, Some(last)) => {
            let tone = if matches!(alias, Testimony::Unreadable { .. }) { Tone::Busy } else { Tone::Good };
            (format!("{of}: chained to {}, {}", digits(&last.hash.0), agreed(alias)), tone)
        }
        (1, _) => (format!("{of}: 1 finding"), Tone::Bad),
        (many, _) => (format!("{of}: {many} findings"), Tone::Bad),
    }
}

/// What agrees, and what could not be asked.
fn agreed(alias: &Testimony) -> String {
    match alias {
        Testimony::Agrees { .. } => "head and alias agree".to_owned(),
        Testimony::UnderWay { transition } => {
            format!("head and alias agree, and transition {transition} is under way")
        }
        Testimony::Unmarked => "the head agrees; the alias carries no marker that says how many there were".to_owned(),
        Testimony::Missing => "the head agrees; there is no alias that says how many there were".to_owned(),
        Testimony::NotInGit => "the head agrees; it is not in Git, so its alias was not looked at".to_owned(),
        Testimony::Unreadable { .. } => "the head agrees; the alias could not be read".to_owned(),
        Testimony::Disagrees => "the alias does not agree".to_owned(),
    }
}

fn push_finding(text: &mut String, looked: &Verification, finding: &Finding, width: usize, paint: Paint) {
    let object = object(&looked.environment, &looked.service, finding);
    push_wrapped(text, "  ", &text::escaped(&object), Tone::Plain, width, paint);
    push_wrapped(text, "    ", &text::escaped(&finding.to_string()), Tone::Bad, width, paint);
    let (expected, found) = finding.hashes();
    for (label, hash) in [("    expected  ", expected), ("    found     ", found)] {
        if let Some(hash) = hash {
            push_wrapped(text, label, &text::escaped(&hash.0), Tone::Plain, width, paint);
        }
    }
}

fn digits(hash: &str) -> String {
    hash.chars().take(DIGITS).collect()
}

/// What goes wrong is said beside the data: what could not be read, and how many histories are not as they were written.
fn say(environment: &EnvironmentName, all: &[(ServiceName, Verified)], out: &Out) {
    let mut changed = 0_usize;
    for (service, verified) in all {
        match verified {
            Err(failure) => {
                out.error(&format!("`{environment}/{service}` could not be read: {}", failure.message), None)
            }
            Ok(Verification { alias: Testimony::Unreadable { message }, findings, .. }) => {
                out.error(&format!("the alias of `{environment}/{service}` could not be read: {message}"), None);
                changed += usize::from(!findings.is_empty());
            }
            Ok(looked) => changed += usize::from(!looked.findings.is_empty()),
        }
    }
    let looked = || all.iter().filter_map(|(_, verified)| verified.as_ref().ok());
    let recent = |finding: &Finding| matches!(finding, Finding::CutOff { first, last } if first == last);
    let hint = looked().any(|looked| looked.findings.iter().any(recent)).then_some(
        "a command that ended right after it wrote an alias is completed by the next tick: look again in two minutes",
    );
    if all.is_empty() {
        out.note(&format!("`{environment}` has no history yet"));
    }
    if changed > 0 {
        let of = all.len();
        let histories = if of == 1 { "history is" } else { "histories are" };
        out.error(&format!("{changed} of {of} {histories} not as written"), hint);
    }
}

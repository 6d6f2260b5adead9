//! `tidegate history show`: one record in full, for people; for programs exactly as it is stored.
use tidegate_core::command::Command;
use tidegate_core::history::{Deployed, Record, Said, StepResult, hash_bytes};
use tidegate_core::ids::{Commit, TransitionNumber};
use tidegate_core::report::Answer;

use super::tone;
use crate::arguments::{Format, HistoryShow, Reach};
use crate::connection::Connection;
use crate::exit::{Error, Exit};
use crate::out::{Out, Paint, Tone};
use crate::table::push_wrapped;
use crate::text;

/// Width of the labels, and the space after them: a whole digest beside one fits into 80 columns.
const LABELS: usize = 9;

pub(super) async fn run(options: &HistoryShow, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let HistoryShow { target, number, output } = options;
    let command = Command::Record {
        environment: target.environment.clone(),
        service: target.service.clone(),
        number: TransitionNumber(*number),
    };
    let connection = Connection::open(reach).await?;
    let stored = match connection.read(&command, out).await? {
        Answer::Record { stored } => stored,
        Answer::Failed(failure) => return Err(Error::from(failure)),
        Answer::Reports { .. } | Answer::History { .. } | Answer::Services { .. } | Answer::Versions { .. } => {
            return Err(Error::unexpected_answer());
        }
    };
    let unreadable = |error: serde_json::Error| {
        let name = format!("record {number} of `{}/{}`", target.environment, target.service);
        Error::unavailable(format!(
            "{name} cannot be read: not such a document at line {}, column {}",
            error.line(),
            error.column()
        ))
        .hint("it was changed, or written by a newer Tidegate; `-o json` shows it as it is stored")
    };
    match output.format {
        // To the byte, so that it has its hash; but nothing of it may drive a terminal.
        Format::Json if out.terminal => out.data(&text::escaped_lines(&stored))?,
        Format::Json => out.data(&stored)?,
        Format::Yaml => {
            let value: serde_yaml::Value = serde_json::from_str(&stored).map_err(unreadable)?;
            out.value(Format::Yaml, &value, String::new)?;
        }
        Format::Table => {
            let record = serde_json::from_str(&stored).map_err(unreadable)?;
            out.data(&render(&record, &stored, out.width, out.paint))?;
        }
    }
    Ok(Exit::Done)
}

/// A text that is written line by line: each label once, and what belongs to it below each other.
struct Sheet {
    text: String,
    width: usize,
    paint: Paint,
}

impl Sheet {
    /// The lines of a label; none where there is nothing to say.
    fn push<S: AsRef<str>>(&mut self, label: &str, lines: impl IntoIterator<Item = (S, Tone)>) {
        let mut label = format!("{label:<LABELS$}");
        for (line, tone) in lines {
            push_wrapped(&mut self.text, &label, &text::escaped(line.as_ref()), tone, self.width, self.paint);
            label = " ".repeat(LABELS);
        }
    }

    fn plain<S: AsRef<str>>(&mut self, label: &str, lines: impl IntoIterator<Item = S>) {
        self.push(label, lines.into_iter().map(|line| (line, Tone::Plain)));
    }
}

pub(super) fn render(record: &Record, stored: &str, width: usize, paint: Paint) -> String {
    let Record { number, environment, service, kind, .. } = record;
    let mut sheet = Sheet { text: String::new(), width, paint };
    let title = text::escaped(&format!("{environment}/{service} {number}: {}", kind.as_str()));
    push_wrapped(&mut sheet.text, "", &title, tone(*kind), width, paint);
    sheet.plain("from", record.from.iter().flat_map(deployed));
    sheet.plain("to", deployed(&record.to));
    sheet.plain("ended", record.ended.iter().flat_map(deployed));
    sheet.plain("held out", record.held.iter().map(|held| format!("release {held}")));
    sheet.plain("commit", record.commit.iter().flat_map(commit));
    sheet.plain("by", [&record.actor]);
    sheet.plain("reason", record.reason.iter().filter(|reason| !reason.is_empty()));
    sheet.plain("started", [at(record.started)]);
    let took = text::duration(record.finished - record.started);
    sheet.plain("finished", [format!("{}, after {took}", at(record.finished))]);
    sheet.push("steps", record.steps.iter().flat_map(step));
    sheet.plain("said", record.said.iter().map(said));
    sheet.plain("tick", [&record.tick]);
    sheet.plain("previous", record.previous.iter().map(|hash| &hash.0));
    sheet.plain("hash", [hash_bytes(stored.as_bytes()).0]);
    sheet.text
}

fn deployed(deployed: &Deployed) -> Vec<String> {
    let Deployed { version, release, code, tag, archive } = deployed;
    let version = version.map_or_else(|| "no version".to_owned(), |version| format!("version {version}"));
    let tag = tag.as_ref().map(|tag| format!(", {tag}")).unwrap_or_default();
    let archive = archive.iter().map(ToString::to_string);
    [format!("{version}{tag}"), code.to_string(), format!("release {release}")].into_iter().chain(archive).collect()
}

fn commit(commit: &Commit) -> Vec<String> {
    let Commit { id, author, time, summary } = commit;
    vec![id.clone(), format!("{author}, {}", at(*time)), summary.clone()]
}

fn at(time: chrono::DateTime<chrono::Utc>) -> String {
    format!("{} UTC", text::time(time))
}

/// How a step was decided, and below it each gate that was looked at.
fn step(result: &StepResult) -> Vec<(String, Tone)> {
    let StepResult { step, since, until, verdict, over } = result;
    let outcome = verdict.as_ref().map(|verdict| format!(", {}", verdict.outcome)).unwrap_or_default();
    let over = over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    let took = text::duration(*until - *since);
    let mut lines = vec![(format!("{step} for {took} until {}{outcome}{over}", at(*until)), Tone::Plain)];
    let findings = verdict.iter().flat_map(|verdict| &verdict.findings);
    lines.extend(findings.map(|finding| (format!("- {}: {}", finding.outcome, finding.message), Tone::Faint)));
    lines
}

fn said(said: &Said) -> String {
    let Said { what, actor, reason, at: when } = said;
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{what} by {actor} at {}{reason}", at(*when))
}

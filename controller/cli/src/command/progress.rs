//! Shows how far a release is: below its service in `status`, and as the answer to a person's word.
use chrono::{DateTime, TimeDelta, Utc};
use tidegate_core::analysis::{Outcome, Verdict};
use tidegate_core::drift::Drifted;
use tidegate_core::history::{Said, StepResult};
use tidegate_core::plan::Standing;
use tidegate_core::report::ServiceReport;
use tidegate_core::rollout::Progress;
use tidegate_core::state::{Pushed, Revert};
use tidegate_core::status::WaitingOn;

use crate::out::Tone;
use crate::table::Cell;
use crate::text;

/// How many characters the bar of the traffic has.
const BAR: u32 = 20;
/// All traffic, in ten-thousandths.
const ALL: u32 = 10_000;

/// Everything that is to be said of a service below its row: what failed, how far its release is, and what it waits for.
///
/// `name` is what commands call it: a hint can be copied as it stands.
pub(super) fn notes(name: &str, service: &ServiceReport, now: DateTime<Utc>) -> Vec<Cell> {
    let error = service.error.iter().map(|error| (format!("error: {error}"), Tone::Bad));
    let progress = service.rollout.iter().filter(|_| service.standing.phase.is_under_way());
    let progress = progress.flat_map(|progress| lines(progress, now));
    let told = service.revert.iter().filter_map(told);
    let drift = service.drift.iter().map(|drifted| (changed(drifted, &service.standing), Tone::Busy));
    let waiting = service.standing.waiting_on.iter().map(|on| (format!("waiting on: {on}"), Tone::Busy));
    let all = error.chain(progress).chain(waiting).chain(drift).chain(told);
    all.map(|(note, tone)| Cell::new(text::escaped(&note.replace("ENV/SERVICE", name)), tone)).collect()
}

/// Since when something is as somebody else left it, and whose doing it likely is. What it is stands in what the service
/// waits for already, where it waits for that.
fn changed(drifted: &Drifted, standing: &Standing) -> String {
    let Drifted { drift, since, whose } = drifted;
    let is_said = standing.waiting_on.as_ref().is_some_and(WaitingOn::is_drift);
    let what = if is_said { drift.kind().to_owned() } else { drift.to_string() };
    let whose = whose.as_ref().map(|whose| format!(", {whose}")).unwrap_or_default();
    format!("drift: {what}, since {}{whose}", text::clock(*since))
}

/// What the release repository has of a rollback.
fn told(revert: &Revert) -> Option<(String, Tone)> {
    match revert {
        Revert::Wanted { problem: None } => None,
        Revert::Wanted { problem: Some(problem) } => {
            Some((format!("the revert is not pushed yet: {problem}; later ticks try again"), Tone::Busy))
        }
        Revert::GivenUp { problem } => {
            Some((format!("the revert cannot be pushed: {problem}; set it back in Git by hand"), Tone::Bad))
        }
        Revert::Pushed(Pushed { branch, url, without_edit }) => {
            let what = match without_edit {
                None => format!("the revert is on the branch `{branch}`"),
                Some(why) => format!("the branch `{branch}` tells of it, without the edit: {why}"),
            };
            let url = url.as_ref().map(|url| format!("; open a pull request: {url}")).unwrap_or_default();
            Some((format!("{what}{url}"), Tone::Plain))
        }
    }
}

fn lines(progress: &Progress, now: DateTime<Utc>) -> Vec<(String, Tone)> {
    let Progress { strategy, step, steps, verdict, results, said, .. } = progress;
    let mut lines = Vec::new();
    if *steps > 0 || progress.weight_wanted > 0 {
        lines.push((strategy.clone(), Tone::Faint));
        lines.extend(results.iter().map(|result| (decided(result), Tone::Faint)));
        let step = step.map(|step| format!("step {step} of {steps}: ")).unwrap_or_default();
        lines.push((format!("{step}{}{}", traffic(progress), left(progress, now)), Tone::Plain));
    }
    lines.extend(verdict.iter().map(looked));
    lines.extend(said.iter().map(|said| (spoken(said), Tone::Faint)));
    lines
}

/// The new version's share: as a bar, as it was read, and as it shall be where that is something else.
fn traffic(progress: &Progress) -> String {
    let Progress { weight_wanted, weight_read, canary, .. } = progress;
    let read = weight_read.unwrap_or(0);
    let full = usize::try_from(u32::from(read) * BAR / ALL).unwrap_or(0);
    let bar = format!("{}{}", "█".repeat(full), "░".repeat((BAR as usize).saturating_sub(full)));
    let version = canary.map(|version| format!(" to version {version}")).unwrap_or_default();
    let wanted = if *weight_read == Some(*weight_wanted) {
        String::new()
    } else {
        format!(", wanted {}", percent(*weight_wanted))
    };
    format!("{bar} {}{version}{wanted}", percent(read))
}

fn percent(share: u16) -> String {
    format!("{} %", f64::from(share) / 100.0)
}

fn left(progress: &Progress, now: DateTime<Utc>) -> String {
    match progress.until.map(|until| until - now) {
        Some(left) if left > TimeDelta::zero() => format!(", {} left", text::duration(left)),
        Some(_) | None => String::new(),
    }
}

fn looked(verdict: &Verdict) -> (String, Tone) {
    let tone = match verdict.outcome {
        Outcome::Successful => Tone::Good,
        Outcome::Inconclusive => Tone::Busy,
        Outcome::Failed => Tone::Bad,
    };
    (format!("{} at {}: {}", verdict.outcome, text::clock(verdict.at), verdict.because()), tone)
}

fn decided(result: &StepResult) -> String {
    let StepResult { step, since, until, verdict, over } = result;
    let outcome = verdict.as_ref().map(|verdict| format!(", {}", verdict.outcome)).unwrap_or_default();
    let over = over.as_ref().map(|over| format!(", {over}")).unwrap_or_default();
    format!("✓ {step} for {}{outcome}{over}", text::duration(*until - *since))
}

/// What a person said to a release, in one line.
pub(super) fn spoken(said: &Said) -> String {
    let Said { what, actor, reason, at } = said;
    let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{what} by {actor} at {}{reason}", text::clock(*at))
}

#[cfg(test)]
mod tests;

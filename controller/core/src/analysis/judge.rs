//! The verdict over one look: each gate by itself, and the worst of them.
//!
//! | gate | `Failed` | `Inconclusive` |
//! |---|---|---|
//! | error rate, its increase, slow calls | that it is exceeded is sure at this look's level | likelier than 9 to 1, but not sure |
//! | any of these, without data or with too few | where `onMissingData` says so and the step's time is over | otherwise |
//! | alarm | in `ALARM`, and was not before the release | not found |
use release_schema::{AlarmName, Analysis, OnMissingData};

use super::proportion::{Proportion, count};
use super::text::{limit, percent};
use super::{AlarmState, Finding, LookAt, Measured, Outcome, Sample, Verdict};

/// The share of calls that may take longer than what a 99th percentile may be.
const SLOW: f64 = 0.01;

/// Up to this p-value exceeding is likelier than 9 to 1: not sure, and nothing to go on with either.
const DOUBT: f64 = 0.10;

/// Judges what was measured.
///
/// The more looks a rollout has had, the surer the next one must be: all levels add up to `1 - confidence`. So a
/// release that is exactly as bad as a gate allows fails that gate no more often than this, however often one looks.
#[must_use]
pub fn judge(look: LookAt<'_>, measured: &Measured) -> Verdict {
    let alarms = look.analysis.alarms.iter().map(|name| alarm(&look, measured, name));
    let trouble = measured.trouble.iter().map(|trouble| finding(Outcome::Inconclusive, trouble.clone()));
    let mut findings: Vec<Finding> = alarms.chain(rates(&look, measured)).chain(trouble).collect();
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.outcome));
    let outcome = findings.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::Inconclusive);
    Verdict { outcome, at: look.now, window: look.window, findings }
}

fn alarm(look: &LookAt<'_>, measured: &Measured, name: &AlarmName) -> Finding {
    match measured.alarms.get(name) {
        Some(AlarmState::Ok) => finding(Outcome::Successful, format!("alarm {name} is OK")),
        Some(AlarmState::InsufficientData) => {
            finding(Outcome::Successful, format!("alarm {name} is in INSUFFICIENT_DATA"))
        }
        Some(AlarmState::Alarm) if look.red_before.contains(name) && !planted!(RedAlarmStopsTheFix) => {
            finding(Outcome::Successful, format!("alarm {name} was in ALARM before the release began"))
        }
        Some(AlarmState::Alarm) => finding(Outcome::Failed, format!("alarm {name} is in ALARM")),
        None => finding(Outcome::Inconclusive, format!("alarm {name} was not found")),
    }
}

/// The gates that need invocations; nothing where the analysis has none of them.
fn rates(look: &LookAt<'_>, measured: &Measured) -> Vec<Finding> {
    let Analysis { max_error_rate, max_error_rate_increase, max_duration_p99, .. } = look.analysis;
    if max_error_rate.is_none() && max_error_rate_increase.is_none() && max_duration_p99.is_none() {
        return Vec::new();
    }
    // Without enough of them nothing is said of any gate.
    let invocations = match enough(look, measured.canary, "") {
        Ok(invocations) => invocations,
        Err(missing) => return vec![missing],
    };
    let gates = [error_rate, error_rate_increase, slow_calls];
    gates.into_iter().filter_map(|gate| gate(look, measured, invocations)).collect()
}

/// The invocations of a version, where there are as many as the analysis needs.
fn enough(look: &LookAt<'_>, sample: Sample, whose: &str) -> Result<u64, Finding> {
    let least = look.analysis.min_invocations;
    match count(sample.invocations) {
        None if look.window.length().is_zero() => Err(missing(look, "no full minute is measured yet")),
        None => Err(missing(look, format!("the number of invocations{whose} is not known"))),
        Some(seen) if seen < u64::from(least) => {
            Err(missing(look, format!("{seen} of {least} invocations{whose} so far")))
        }
        Some(seen) => Ok(seen),
    }
}

fn error_rate(look: &LookAt<'_>, measured: &Measured, invocations: u64) -> Option<Finding> {
    let maximum = look.analysis.max_error_rate?.fraction();
    let Some(seen) = proportion(measured.canary.errors, invocations) else {
        return Some(missing(look, "the number of errors is not known"));
    };
    let message = format!("error rate {} of {} (at most {})", percent(seen.rate()), seen.of(), percent(maximum));
    Some(judged(look, seen.p_exceeds(maximum), message))
}

fn error_rate_increase(look: &LookAt<'_>, measured: &Measured, invocations: u64) -> Option<Finding> {
    let margin = look.analysis.max_error_rate_increase?.fraction();
    let Some(seen) = proportion(measured.canary.errors, invocations) else {
        return Some(missing(look, "the number of errors is not known"));
    };
    let stable = match enough(look, measured.stable, " of stable") {
        Ok(invocations) => proportion(measured.stable.errors, invocations),
        Err(missing) => return Some(missing),
    };
    let Some(stable) = stable else {
        return Some(missing(look, "the number of errors of stable is not known"));
    };
    let points = percent(margin).replace(" %", "");
    let (rate, stable_rate) = (percent(seen.rate()), percent(stable.rate()));
    let message = format!("error rate {rate} against {stable_rate} of stable (at most {points} points more)");
    Some(judged(look, seen.p_exceeds_other(stable, margin), message))
}

fn slow_calls(look: &LookAt<'_>, measured: &Measured, invocations: u64) -> Option<Finding> {
    let limit = limit(look.analysis.max_duration_p99?);
    let Some(seen) = proportion(measured.canary.slow, invocations) else {
        return Some(missing(look, format!("how many calls took longer than {limit} is not known")));
    };
    let message = format!("{} of calls took longer than {limit} (at most {})", percent(seen.rate()), percent(SLOW));
    Some(judged(look, seen.p_exceeds(SLOW), message))
}

fn proportion(events: Option<f64>, of: u64) -> Option<Proportion> {
    Proportion::new(count(events)?, of)
}

/// What a p-value says at this look.
fn judged(look: &LookAt<'_>, p: f64, message: String) -> Finding {
    if p < level(look) {
        finding(Outcome::Failed, message)
    } else if p > DOUBT {
        finding(Outcome::Successful, message)
    } else {
        finding(Outcome::Inconclusive, format!("{message}, not sure yet"))
    }
}

/// How small a p-value must be to be sure: `1 - confidence`, of which look k gets the part 1/(k (k + 1)). All those
/// parts add up to 1.
fn level(look: &LookAt<'_>) -> f64 {
    let k = f64::from(look.number.max(1));
    (1.0 - look.analysis.confidence.fraction()) / (k * (k + 1.0))
}

/// Data that are late are waited for. Once they should be there it is for the release repository to say.
fn missing(look: &LookAt<'_>, message: impl Into<String>) -> Finding {
    let outcome = match look.analysis.on_missing_data {
        OnMissingData::Fail | OnMissingData::Hold if planted!(NoMetricsPass) => Outcome::Successful,
        OnMissingData::Fail if look.over => Outcome::Failed,
        OnMissingData::Fail | OnMissingData::Hold => Outcome::Inconclusive,
    };
    finding(outcome, message)
}

fn finding(outcome: Outcome, message: impl Into<String>) -> Finding {
    Finding { outcome, message: message.into() }
}

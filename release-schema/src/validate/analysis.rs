//! Decides what must hold during a rollout: gates of the service, completed by those of its environment.

use super::{duration, set, value};
use crate::parsed;
use crate::problem::Findings;
use crate::read::Place;
use crate::release::{Analysis, AnalysisFields, Defaults, OnMissingData};
use crate::value::{Percentage, printable};
use std::time::Duration;

/// Checks the service's gates, and completes them. `None` if there are none.
pub(super) fn analysis(
    parsed: Option<parsed::Analysis>,
    service: &Place<'_>,
    defaults: &Defaults,
    findings: &mut Findings<'_>,
) -> Option<Analysis> {
    let place = service.field("analysis");
    let written = parsed.is_some();
    let names_alarms =
        parsed.as_ref().and_then(|parsed| parsed.alarms.as_ref()).is_some_and(|alarms| !alarms.is_empty());
    let complete = fields(parsed.unwrap_or_default(), &place, findings).or(&defaults.analysis).into_analysis();
    // Defaults may hold no more than a confidence; a service that writes an analysis means to be checked.
    // A gate that is written and yet missing is wrong, and reported.
    let has_wrong_gate =
        names_alarms || ["maxErrorRate", "maxErrorRateIncrease", "maxDurationP99"].iter().any(|gate| place.has(gate));
    if written && complete.is_none() && !has_wrong_gate {
        let hint = "`maxErrorRate`, `maxErrorRateIncrease`, `maxDurationP99` or `alarms`";
        findings.add(place.span(), "the analysis has no gate", hint);
    }
    complete
}

/// Checks the fields that one place gives.
pub(super) fn fields(parsed: parsed::Analysis, place: &Place<'_>, findings: &mut Findings<'_>) -> AnalysisFields {
    let parsed::Analysis {
        max_error_rate,
        max_error_rate_increase,
        max_duration_p99,
        min_invocations,
        confidence,
        max_inconclusive,
        alarms,
        on_missing_data,
    } = parsed;
    let p99 = place.field("maxDurationP99");
    AnalysisFields {
        max_error_rate: value(findings, &place.field("maxErrorRate"), max_error_rate),
        max_error_rate_increase: value(findings, &place.field("maxErrorRateIncrease"), max_error_rate_increase),
        max_duration_p99: self::max_duration(max_duration_p99.as_deref(), &p99, findings),
        min_invocations,
        confidence: self::confidence(confidence, &place.field("confidence"), findings),
        max_inconclusive,
        alarms: set(findings, &place.field("alarms"), alarms),
        on_missing_data: on_missing_data.map(|meaning| match meaning {
            parsed::OnMissingData::Hold => OnMissingData::Hold,
            parsed::OnMissingData::Fail => OnMissingData::Fail,
        }),
    }
}

/// No invocation lasts longer than Lambda's longest timeout (Lambda quotas): beyond it nothing could ever fail.
fn max_duration(text: Option<&str>, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Duration> {
    const MOST: Duration = Duration::from_secs(900);
    let longest = duration(findings, place, text, Duration::from_millis(1))?;
    if longest > MOST {
        let message = format!("no invocation can be slower than `{}`", printable(text.unwrap_or_default()));
        findings.add(place.span(), message, "at most `15m`, the longest timeout of a function");
        return None;
    }
    Some(longest)
}

/// Below one half a verdict is a guess, and certainty is never reached.
fn confidence(text: Option<String>, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Percentage> {
    let confidence: Percentage = value(findings, place, text)?;
    if (Percentage::of(50)..Percentage::of(100)).contains(&confidence) {
        return Some(confidence);
    }
    findings.add(
        place.span(),
        format!("a confidence of `{confidence}` cannot be used"),
        "at least `50%`, less than `100%`",
    );
    None
}

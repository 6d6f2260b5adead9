//! The verdict over one look: each gate by itself, and the worst of them.
use super::{AlarmState, Finding, LookAt, Measured, Outcome, Verdict};

/// Judges what was measured.
#[must_use]
pub fn judge(look: LookAt<'_>, measured: &Measured) -> Verdict {
    let mut findings: Vec<Finding> = look
        .analysis
        .alarms
        .iter()
        .map(|alarm| {
            let (outcome, message) = match measured.alarms.get(alarm) {
                None => (Outcome::Inconclusive, format!("alarm {alarm} could not be read")),
                Some(AlarmState::Ok | AlarmState::InsufficientData) => {
                    (Outcome::Successful, format!("alarm {alarm} is not in ALARM"))
                }
                Some(AlarmState::Alarm) if look.red_before.contains(alarm) => {
                    (Outcome::Successful, format!("alarm {alarm} was in ALARM before the release began"))
                }
                Some(AlarmState::Alarm) => (Outcome::Failed, format!("alarm {alarm} is in ALARM")),
            };
            Finding { outcome, message }
        })
        .collect();
    if measured.canary.invocations.is_none_or(|count| count < f64::from(look.analysis.min_invocations)) {
        findings.push(Finding { outcome: Outcome::Inconclusive, message: "too few invocations so far".to_owned() });
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.outcome));
    let outcome = findings.iter().map(|finding| finding.outcome).max().unwrap_or(Outcome::Inconclusive);
    Verdict { outcome, at: look.now, window: look.window, findings }
}

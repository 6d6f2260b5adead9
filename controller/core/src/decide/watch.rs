//! Watches a step, or the bake: is its time over, and do its metrics allow to go on?
use chrono::{DateTime, Duration, DurationRound as _, Utc};
use release_schema::Analysis;

use super::{Look, Subject, World, seen};
use crate::analysis::{AlarmState, LookAt, Measure, Measured, Outcome, Verdict, Window, judge};
use crate::ids::Version;
use crate::state::{Rollout, ServiceState};
use crate::status::WaitingOn;

/// CloudWatch shows an invocation at most this long after it ended.
const METRIC_DELAY: Duration = Duration::minutes(2);

/// A look is worth repeating after this time.
const FRESH: Duration = Duration::seconds(30);

/// No window is longer: CloudWatch gives a point a minute, and 24 hours of them say enough.
const LONGEST: Duration = Duration::hours(24);

/// What is watched.
pub(super) struct Watched {
    /// The new version, which serves since the state's `since`.
    pub(super) canary: Version,
    /// The version that it is compared with.
    pub(super) stable: Option<Version>,
    /// Until when that one served; `None` where it still does.
    pub(super) stable_until: Option<DateTime<Utc>>,
    /// How long it shall last.
    pub(super) hold: Duration,
}

/// What comes of watching, with the state as the look leaves it.
pub(super) enum Watch {
    /// The time is over, and nothing speaks against going on.
    Passed(Box<ServiceState>),
    /// Not yet.
    Waiting(Box<ServiceState>, WaitingOn),
    /// The new version is not good enough.
    Failed(Box<ServiceState>, String),
}

/// Watches a step.
pub(super) fn watch(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    watched: &Watched,
) -> Result<Watch, Look> {
    let advance = state.rollout.advance;
    let over = state.since + watched.hold;
    let analysis = subject.service.analysis.as_ref().filter(|_| advance.is_none_or(|advance| !advance.force));
    let Some(analysis) = analysis else {
        let state = Box::new(state.clone());
        return Ok(match advance.is_some() || subject.now >= over {
            true => Watch::Passed(state),
            false => Watch::Waiting(state, WaitingOn::StepTime { until: over }),
        });
    };
    let times = Times::of(subject, state, watched, analysis);
    let (state, verdict) = look(subject, world, state, watched, analysis, &times)?;
    let state = Box::new(state);
    let outcome = match verdict.outcome {
        Outcome::Failed if planted!(FailedAnalysisPasses) => Outcome::Successful,
        Outcome::Inconclusive if planted!(InconclusivePasses) => Outcome::Successful,
        outcome @ (Outcome::Successful | Outcome::Inconclusive | Outcome::Failed) => outcome,
    };
    Ok(match outcome {
        Outcome::Failed => {
            let reason = format!("the analysis failed: {}", verdict.because());
            Watch::Failed(state, reason)
        }
        Outcome::Successful | Outcome::Inconclusive if advance.is_some() => Watch::Passed(state),
        Outcome::Successful | Outcome::Inconclusive if subject.now < over => {
            Watch::Waiting(state, WaitingOn::StepTime { until: over })
        }
        Outcome::Successful | Outcome::Inconclusive if subject.now < times.due => {
            Watch::Waiting(state, WaitingOn::Metrics { until: times.due })
        }
        Outcome::Successful => Watch::Passed(state),
        Outcome::Inconclusive => inconclusive(state, analysis, &verdict),
    })
}

fn inconclusive(state: Box<ServiceState>, analysis: &Analysis, verdict: &Verdict) -> Watch {
    let (looks, tolerated) = (state.rollout.inconclusive, analysis.max_inconclusive);
    let message = verdict.because();
    if looks > tolerated {
        return Watch::Failed(state, format!("the analysis stayed inconclusive {looks} times: {message}"));
    }
    Watch::Waiting(state, WaitingOn::Inconclusive { message, looks, tolerated })
}

/// When what of a step can be seen.
struct Times {
    window: Window,
    stable: Window,
    /// From then on the whole step can be judged.
    due: DateTime<Utc>,
}

impl Times {
    fn of(subject: &Subject<'_>, state: &ServiceState, watched: &Watched, analysis: &Analysis) -> Self {
        let timeout = Duration::seconds(state.rollout.timeout.unwrap_or(0).into());
        let from = minute(state.since + Duration::seconds(59));
        let to = minute(subject.now - timeout - METRIC_DELAY).max(from);
        let window = Window { from: from.max(to - LONGEST), to };
        let least = watched.hold.max(Duration::minutes(1));
        let stable = match watched.stable_until.map(minute) {
            None => window,
            // Stable's traffic ended with the switch: as much of it as the bake lasts.
            Some(until) => Window { from: until - window.length().max(watched.hold).min(LONGEST), to: until },
        };
        let due = if measures(analysis) { from + least + timeout + METRIC_DELAY } else { state.since + watched.hold };
        Self { window, stable, due }
    }
}

/// The full minute that a time is in: CloudWatch keeps a point a minute.
fn minute(at: DateTime<Utc>) -> DateTime<Utc> {
    at.duration_trunc(Duration::minutes(1)).unwrap_or(at)
}

/// Whether there is a gate beside the alarms.
const fn measures(analysis: &Analysis) -> bool {
    analysis.max_error_rate.is_some()
        || analysis.max_error_rate_increase.is_some()
        || analysis.max_duration_p99.is_some()
}

/// The verdict of now; that of the last look where that was a moment ago.
fn look(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    watched: &Watched,
    analysis: &Analysis,
    times: &Times,
) -> Result<(ServiceState, Verdict), Look> {
    let last = state.rollout.verdict.clone();
    if let Some(fresh) = last.filter(|last| subject.now - last.at < FRESH && last.at <= subject.now) {
        return Ok((state.clone(), fresh));
    }
    let has_data = measures(analysis) && times.window.to > times.window.from;
    let wanted = Measure {
        canary: has_data.then_some((watched.canary, times.window)),
        stable: watched
            .stable
            .filter(|_| has_data && analysis.max_error_rate_increase.is_some())
            .map(|stable| (stable, times.stable)),
        slower_than: analysis.max_duration_p99,
        alarms: analysis.alarms.clone(),
    };
    let measured = seen(&world.measured, Look::Measure(wanted))?.cloned().unwrap_or_default();
    let before = &state.rollout;
    let number = before.looks.saturating_add(1);
    let red_before = &before.red_before;
    let verdict = judge(
        LookAt { analysis, number, red_before, window: times.window, over: subject.now >= times.due, now: subject.now },
        &measured,
    );
    let rollout = Rollout {
        looks: if has_data { number } else { before.looks },
        red_before: still_red(before, &measured),
        verdict: Some(verdict.clone()),
        ..count(before, &verdict, watched, times, subject.now)
    };
    Ok((ServiceState { rollout, ..state.clone() }, verdict))
}

/// An alarm that turned green since counts from then on.
fn still_red(before: &Rollout, measured: &Measured) -> std::collections::BTreeSet<release_schema::AlarmName> {
    let green = |alarm: &release_schema::AlarmName| measured.alarms.get(alarm) == Some(&AlarmState::Ok);
    before.red_before.iter().filter(|alarm| !green(alarm)).cloned().collect()
}

/// Counts inconclusive looks in a row once the step is due, at most one in each further length of the step: only new data
/// make a new look.
fn count(before: &Rollout, verdict: &Verdict, watched: &Watched, times: &Times, now: DateTime<Utc>) -> Rollout {
    let apart = watched.hold.clamp(Duration::minutes(1), Duration::minutes(10));
    match verdict.outcome {
        Outcome::Inconclusive if now < times.due => before.clone(),
        Outcome::Inconclusive if before.counted.is_some_and(|counted| now - counted < apart) => before.clone(),
        Outcome::Inconclusive => {
            Rollout { inconclusive: before.inconclusive.saturating_add(1), counted: Some(now), ..before.clone() }
        }
        Outcome::Successful | Outcome::Failed => Rollout { inconclusive: 0, counted: None, ..before.clone() },
    }
}

//! Simulates how releases are judged: seeded traffic through a step of 10 %, looked at each minute as a tick does.
use std::collections::BTreeSet;

use anyhow::Result;
use chrono::{DateTime, Duration, Utc};
use release_schema::{Analysis, OnMissingData};
use tidegate_core::analysis::{LookAt, Measured, Outcome, Sample, Window, judge};

/// Invocations of the new version in the step.
const INVOCATIONS: u32 = 400;
/// Its share of the traffic.
const SHARE: f64 = 0.1;
/// How long the step holds, in minutes.
const HOLD: i64 = 10;
/// The function's timeout and the time that CloudWatch takes, in seconds: a minute can be judged when they are over.
const LATE: i64 = 30 + 120;
/// The share of calls that fail in a version that is as it should be.
pub(crate) const GOOD: f64 = 0.005;
/// The share of calls that fail in one that is not.
pub(crate) const BAD: f64 = 0.05;

/// How many percent of `patterns` of traffic end with a release being turned back whose calls fail at this rate.
pub(crate) fn turned_back(patterns: u32, rate: f64) -> Result<f64> {
    let analysis = analysis()?;
    let back =
        (0..patterns).filter(|seed| is_turned_back(&analysis, &mut Traffic::new(u64::from(*seed), rate))).count();
    Ok(back as f64 * 100.0 / f64::from(patterns))
}

fn analysis() -> Result<Analysis> {
    Ok(Analysis {
        max_error_rate: Some("1%".parse()?),
        max_error_rate_increase: Some("0.5%".parse()?),
        max_duration_p99: None,
        min_invocations: 50,
        confidence: "99%".parse()?,
        max_inconclusive: 3,
        alarms: BTreeSet::new(),
        on_missing_data: OnMissingData::Hold,
    })
}

/// Follows a step as a rollout does: a tick each minute; before the step's end only a failure counts; after it a look
/// that is inconclusive is counted once in the length of the step, until there are too many of them in a row.
fn is_turned_back(analysis: &Analysis, traffic: &mut Traffic) -> bool {
    let since = at(0) + Duration::seconds(traffic.random.i64(0..60));
    let (mut looks, mut inconclusive, mut counted) = (0, 0, None);
    for tick in 1.. {
        let now = since + Duration::minutes(tick);
        // The step's first whole minute is minute 1.
        let minutes = (now - Duration::seconds(LATE) - at(1)).num_minutes();
        if minutes < 1 {
            continue;
        }
        looks += 1;
        let window = Window { from: at(1), to: at(1 + minutes) };
        let red_before = &BTreeSet::new();
        let over = minutes >= HOLD;
        let verdict =
            judge(LookAt { analysis, number: looks, red_before, window, over, now }, &traffic.of_first(minutes));
        match verdict.outcome {
            Outcome::Failed => return true,
            Outcome::Successful if over => return false,
            Outcome::Inconclusive if over && counted.is_none_or(|at| now - at >= Duration::minutes(HOLD)) => {
                (inconclusive, counted) = (inconclusive + 1, Some(now));
            }
            Outcome::Successful | Outcome::Inconclusive => {}
        }
        if inconclusive > analysis.max_inconclusive {
            return true;
        }
    }
    false
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::minutes(minute)
}

/// Invocations and errors of both versions in one minute.
#[derive(Clone, Copy, Default)]
struct Minute {
    canary: (u32, u32),
    stable: (u32, u32),
}

/// What is invoked, minute by minute, for as long as somebody looks.
struct Traffic {
    random: fastrand::Rng,
    /// How busy each minute of ten is, against the others.
    spread: [f64; 10],
    /// The new version's error rate.
    rate: f64,
    minutes: Vec<Minute>,
}

impl Traffic {
    fn new(seed: u64, rate: f64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let spread = spread(seed, &mut random);
        Self { random, spread, rate, minutes: Vec::new() }
    }

    /// What CloudWatch has of the first minutes.
    fn of_first(&mut self, minutes: i64) -> Measured {
        let minutes = usize::try_from(minutes).unwrap_or_default();
        while self.minutes.len() < minutes {
            self.ten_more();
        }
        let seen = self.minutes.iter().take(minutes);
        let sum = |of: fn(&Minute) -> (u32, u32)| {
            let sums = seen.clone().map(of).fold((0, 0), |sums, (all, bad)| (sums.0 + all, sums.1 + bad));
            Sample { invocations: Some(sums.0.into()), errors: Some(sums.1.into()), slow: None }
        };
        Measured { canary: sum(|minute| minute.canary), stable: sum(|minute| minute.stable), ..Measured::default() }
    }

    /// Ten minutes more, in which the new version is invoked as often as in the step. Each request is routed by chance.
    fn ten_more(&mut self) {
        let mut minutes = [Minute::default(); 10];
        let mut invoked = 0;
        while invoked < INVOCATIONS {
            let Some(minute) = minutes.get_mut(pick(&self.spread, &mut self.random)) else { continue };
            let canary = self.random.f64() < SHARE;
            let (version, rate) = if canary { (&mut minute.canary, self.rate) } else { (&mut minute.stable, GOOD) };
            version.0 += 1;
            version.1 += u32::from(self.random.f64() < rate);
            invoked += u32::from(canary);
        }
        self.minutes.extend(minutes);
    }
}

/// Even, rising, falling, one burst, a wave, or half of the minutes silent; each a little rough.
fn spread(seed: u64, random: &mut fastrand::Rng) -> [f64; 10] {
    let (burst, rough) = (random.i32(0..10), random.f64());
    std::array::from_fn(|minute| {
        let minute = i32::try_from(minute).unwrap_or_default();
        let shape = match seed % 6 {
            0 => 1.0,
            1 => f64::from(1 + minute),
            2 => f64::from(10 - minute),
            3 => f64::from(1 + 20 * i32::from(minute == burst)),
            4 => 1.2 + f64::from(minute + burst).sin(),
            _ => f64::from((minute + burst) % 2),
        };
        shape * (1.0 + rough * random.f64())
    })
}

/// An index, as often as its weight says.
fn pick(weights: &[f64; 10], random: &mut fastrand::Rng) -> usize {
    let mut left = random.f64() * weights.iter().sum::<f64>();
    let reached = |weight: &f64| {
        left -= weight;
        left < 0.0
    };
    weights.iter().position(reached).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_that_fails_ten_times_as_often_is_turned_back() {
        let caught = turned_back(200, BAD).unwrap();
        assert!(caught >= 99.0, "{caught} %");
    }

    #[test]
    fn a_release_that_is_as_good_as_stable_goes_on() {
        let aborted = turned_back(200, GOOD).unwrap();
        assert!(aborted <= 1.0, "{aborted} %");
    }

    #[test]
    fn the_new_version_is_invoked_as_often_as_said_and_stable_nine_times_as_often() {
        for seed in 0..12 {
            let step = Traffic::new(seed, GOOD).of_first(HOLD);
            assert_eq!(step.canary.invocations, Some(INVOCATIONS.into()), "{seed}");
            let stable = step.stable.invocations.unwrap();
            assert!((3000.0..4300.0).contains(&stable), "{seed}: {stable}");
        }
    }
}

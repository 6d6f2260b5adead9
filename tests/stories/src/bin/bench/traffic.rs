//! Seeded traffic through a weighted alias, minute by minute, as CloudWatch has it of both versions.
use tidegate_core::analysis::{Measured, Sample};

/// Invocations of the new version in ten minutes.
pub(crate) const INVOCATIONS: u32 = 400;
/// Its share of the traffic.
const SHARE: f64 = 0.1;
/// The share of calls that fail in a version that is as it should be.
pub(crate) const GOOD: f64 = 0.005;
/// The share of calls that fail in one that is not.
pub(crate) const BAD: f64 = 0.05;

/// Invocations and errors of both versions in one minute.
#[derive(Clone, Copy, Default)]
struct Minute {
    canary: (u32, u32),
    stable: (u32, u32),
}

/// What is invoked, minute by minute, for as long as somebody looks.
pub(crate) struct Traffic {
    random: fastrand::Rng,
    /// How busy each minute of ten is, against the others.
    spread: [f64; 10],
    /// The new version's error rate.
    rate: f64,
    minutes: Vec<Minute>,
}

impl Traffic {
    /// Another pattern for each seed.
    pub(crate) fn new(seed: u64, rate: f64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let spread = spread(seed, &mut random);
        Self { random, spread, rate, minutes: Vec::new() }
    }

    /// What CloudWatch has of the first minutes.
    pub(crate) fn of_first(&mut self, minutes: i64) -> Measured {
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
    fn the_new_version_is_invoked_as_often_as_said_and_stable_nine_times_as_often() {
        for seed in 0..12 {
            let step = Traffic::new(seed, GOOD).of_first(10);
            assert_eq!(step.canary.invocations, Some(INVOCATIONS.into()), "{seed}");
            let stable = step.stable.invocations.unwrap();
            assert!((3000.0..4300.0).contains(&stable), "{seed}: {stable}");
        }
    }
}

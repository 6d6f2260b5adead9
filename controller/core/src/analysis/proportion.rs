//! How likely counts are if the rate behind them is within its limit: exact tests of one proportion, and of two.
//!
//! Exact, because the question comes up at 50 invocations and two errors, where tests by the normal distribution reject
//! good releases many times more often than they say.
use statrs::function::factorial::ln_binomial;

/// So many out of so many: whole numbers, at least one trial, and no more events than trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proportion {
    events: u64,
    of: u64,
}

/// Above it not every whole number is an `f64`.
const MAX_COUNT: f64 = 9_007_199_254_740_992.0;

/// A count, from a sum of CloudWatch's; `None` where it is no count: missing, not whole, negative, or not a number.
pub(super) fn count(sum: Option<f64>) -> Option<u64> {
    // The comparison is false for NaN.
    let whole = sum.filter(|sum| (0.0..=MAX_COUNT).contains(sum) && sum.fract() == 0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, and between 0 and 2^53")]
    whole.map(|sum| sum as u64)
}

impl Proportion {
    /// `events` of `of`; `None` where that cannot be, or where there is nothing to be a part of.
    pub(super) const fn new(events: u64, of: u64) -> Option<Self> {
        if of == 0 || events > of { None } else { Some(Self { events, of }) }
    }

    /// The rate that was seen: 0 to 1.
    pub(super) fn rate(self) -> f64 {
        self.events as f64 / self.of as f64
    }

    /// How many trials.
    pub(super) const fn of(self) -> u64 {
        self.of
    }

    /// The p-value of "the true rate is at most `maximum`" against "it is more": the chance of as many events or more
    /// at a true rate of `maximum`.
    ///
    /// It is below a level exactly where the lower end of the one-sided interval of Clopper and Pearson (Biometrika 26,
    /// 1934) at that level is above `maximum`.
    pub(super) fn p_exceeds(self, maximum: f64) -> f64 {
        Tail::of(self.events, self.of).at(maximum)
    }

    /// The p-value of "the true rate is at most `margin` above the true rate of `other`" against "it is more".
    ///
    /// The melded test of Fay, Proschan and Brittain (Biometrics 71, 2015): what is known of each rate is taken from
    /// its Clopper–Pearson bounds, as one beta distribution each, and the p-value is the chance that the first is at
    /// most `margin` above the second. Without a margin it is Fisher's exact test; against very many trials it becomes
    /// [`Self::p_exceeds`]. In all their numerical studies it rejects no more often than it may, at any size.
    ///
    /// Where the rates that were seen are not further apart than the margin, the p-value is at least 1/4 (each bound's
    /// median lies beyond what was seen), which no level is above; 1 is given without computing it.
    pub(super) fn p_exceeds_other(self, other: Self, margin: f64) -> f64 {
        if self.rate() <= other.rate() + margin {
            return 1.0;
        }
        // Now this one has an event, and the other a trial without one: both distributions are proper.
        let (lower, upper) = (Bound::lower(self), Bound::upper(other));
        let (from, to) = (margin.clamp(0.0, 1.0), (1.0 - margin).clamp(0.0, 1.0));
        // The narrower one is integrated over, so that the steps are small for both.
        let p = if upper.deviation() <= lower.deviation() {
            upper.at_least(to) + upper.integrate(0.0, to, |rate| lower.at_most(rate + margin))
        } else {
            lower.at_most(from) + lower.integrate(from, 1.0, |rate| upper.at_least(rate - margin))
        };
        p.clamp(0.0, 1.0)
    }
}

/// The chance of at least `events` out of `of`, by the rate of one.
#[derive(Clone, Copy)]
struct Tail {
    events: f64,
    of: f64,
    ln_choose: f64,
}

impl Tail {
    fn of(events: u64, of: u64) -> Self {
        Self { events: events as f64, of: of as f64, ln_choose: ln_binomial(of, events) }
    }

    /// Sums the binomial probabilities of the side that has fewer of them. Continued fractions for the incomplete beta
    /// function need more steps the more trials there are, and stop short of a day of a busy function.
    fn at(self, rate: f64) -> f64 {
        let Self { events, of, .. } = self;
        if events == 0.0 || rate >= 1.0 {
            return 1.0;
        }
        if rate <= 0.0 {
            return 0.0;
        }
        let odds = rate / (1.0 - rate);
        let exactly = self.exactly(rate);
        if events > of * rate {
            let ratio = |step: f64| (of - events - step) / (events + step + 1.0) * odds;
            sum(exactly, ratio).min(1.0)
        } else {
            let one_less = exactly * events / (of - events + 1.0) / odds;
            let ratio = |step: f64| (events - 1.0 - step) / (of - events + 2.0 + step) / odds;
            (1.0 - sum(one_less, ratio)).max(0.0)
        }
    }

    /// The chance of exactly `events`, at a rate that is neither 0 nor 1.
    fn exactly(self, rate: f64) -> f64 {
        (self.ln_choose + self.events * rate.ln() + (self.of - self.events) * (-rate).ln_1p()).exp()
    }
}

/// `first`, and each further term by its ratio to the one before, which falls; until the rest no longer counts.
fn sum(first: f64, ratio: impl Fn(f64) -> f64) -> f64 {
    let (mut total, mut term, mut step) = (first, first, 0.0);
    while term > total * f64::EPSILON {
        term *= ratio(step);
        total += term;
        step += 1.0;
    }
    total
}

/// What a Clopper–Pearson bound at every level says of a rate, as one distribution: beta, with whole parameters. Those
/// are the chances that a binomial variable reaches a number, so no other function is needed.
#[derive(Clone, Copy)]
struct Bound {
    /// Beta(`a`, `b`).
    a: f64,
    b: f64,
    /// At most `x`: at least `a` events out of `a + b - 1` at a rate of `x`.
    tail: Tail,
    /// The density at `x`: `a + b - 1` times the chance of exactly `a - 1` out of `a + b - 2`.
    density: Tail,
}

impl Bound {
    /// Of the lower bounds: needs at least one event.
    fn lower(seen: Proportion) -> Self {
        Self::beta(seen.events, seen.of - seen.events + 1)
    }

    /// Of the upper bounds: needs at least one trial without an event.
    fn upper(seen: Proportion) -> Self {
        Self::beta(seen.events + 1, seen.of - seen.events)
    }

    fn beta(a: u64, b: u64) -> Self {
        let trials = (a + b).saturating_sub(1);
        let density = Tail::of(a.saturating_sub(1), trials.saturating_sub(1));
        Self { a: a as f64, b: b as f64, tail: Tail::of(a, trials), density }
    }

    fn mean(self) -> f64 {
        self.a / (self.a + self.b)
    }

    fn deviation(self) -> f64 {
        (self.mean() * (1.0 - self.mean()) / (self.a + self.b + 1.0)).sqrt()
    }

    fn at_most(self, rate: f64) -> f64 {
        self.tail.at(rate)
    }

    fn at_least(self, rate: f64) -> f64 {
        1.0 - self.at_most(rate)
    }

    fn density(self, rate: f64) -> f64 {
        let trials = self.density.of + 1.0;
        if rate <= 0.0 || rate >= 1.0 {
            // Only a distribution that is highest at its end has anything there.
            let at_end = if rate <= 0.0 { self.density.events } else { self.density.of - self.density.events };
            return if at_end == 0.0 { trials } else { 0.0 };
        }
        trials * self.density.exactly(rate)
    }

    /// The integral of `f` times the density from `from` to `to`, by Simpson's rule, for an `f` between 0 and 1 that
    /// changes no faster than the density.
    ///
    /// A density whose logarithm is concave, as this one's, has less than exp(1 - 30) of it further than 30 standard
    /// deviations from its mean.
    fn integrate(self, from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
        const REACH: f64 = 30.0;
        const INTERVALS: u32 = 512;
        let from = from.max(self.mean() - REACH * self.deviation());
        let to = to.min(self.mean() + REACH * self.deviation());
        if from >= to {
            return 0.0;
        }
        let step = (to - from) / f64::from(INTERVALS);
        let value = |index: u32| {
            let rate = from + step * f64::from(index);
            let density = self.density(rate);
            if density == 0.0 { 0.0 } else { density * f(rate) }
        };
        let inner: f64 = (1..INTERVALS).map(|index| value(index) * f64::from(2 + 2 * (index % 2))).sum();
        (value(0) + inner + value(INTERVALS)) * step / 3.0
    }
}

#[cfg(test)]
mod tests {
    use statrs::distribution::{ContinuousCDF as _, DiscreteCDF as _};

    use super::*;

    fn seen(events: u64, of: u64) -> Proportion {
        Proportion::new(events, of).unwrap()
    }

    fn close(ours: f64, known: f64) {
        assert!((ours - known).abs() <= 1e-9 + known * 1e-5, "{ours} is not {known}");
    }

    #[test]
    fn a_sum_that_is_no_count_is_none() {
        for sum in [None, Some(f64::NAN), Some(f64::INFINITY), Some(-1.0), Some(0.5), Some(1e16)] {
            assert_eq!(count(sum), None, "{sum:?}");
        }
        assert_eq!(count(Some(400.0)), Some(400));
        assert_eq!(count(Some(-0.0)), Some(0));
        assert_eq!(Proportion::new(2, 1), None);
        assert_eq!(Proportion::new(0, 0), None);
    }

    /// Lower limits of 95 % two-sided intervals, as tables of Clopper–Pearson limits print them: each has its 2.5 %
    /// there.
    #[test]
    fn one_proportion_has_its_level_at_the_limit_of_the_published_interval() {
        for (events, of, limit) in
            [(1, 10, 0.0025), (5, 10, 0.1871), (10, 10, 0.6915), (3, 20, 0.0321), (10, 100, 0.0490)]
        {
            let (below, above) =
                (seen(events, of).p_exceeds(limit - 0.0001), seen(events, of).p_exceeds(limit + 0.0001));
            assert!(below < 0.025 && 0.025 < above, "{events} of {of}: {below} and {above} around {limit}");
        }
    }

    #[test]
    fn one_proportion_agrees_with_the_binomial_distribution_on_both_sides_of_its_mean() {
        for (events, of, rate) in [(1, 50, 0.01), (4, 50, 0.01), (20, 400, 0.05), (3, 400, 0.05), (400, 400, 0.99)] {
            let binomial = statrs::distribution::Binomial::new(rate, of).unwrap();
            close(seen(events, of).p_exceeds(rate), binomial.sf(events - 1));
        }
    }

    /// Computed with fractions of whole numbers.
    #[test]
    fn what_is_all_but_impossible_is_not_rounded_to_nothing() {
        let p = seen(30, 50).p_exceeds(0.01);
        assert!((p / 3.880_002_895_656_905e-47 - 1.0).abs() < 1e-5, "{p}");
    }

    #[test]
    fn one_proportion_is_right_for_a_day_of_a_busy_function() {
        // A million errors are expected of a hundred million; the normal distribution is exact enough there.
        for (events, deviations) in [(1_000_000_u64, 0.0), (1_002_985, 3.0), (997_015, -3.0)] {
            let normal = statrs::distribution::Normal::new(0.0, 1.0).unwrap();
            let p = seen(events, 100_000_000).p_exceeds(0.01);
            assert!((p - normal.sf(deviations)).abs() < 0.001, "{events}: {p}");
        }
    }

    #[test]
    fn a_rate_without_events_never_exceeds_and_one_above_a_maximum_of_nothing_surely_does() {
        close(seen(0, 400).p_exceeds(0.0), 1.0);
        close(seen(1, 400).p_exceeds(0.0), 0.0);
        close(seen(400, 400).p_exceeds(1.0), 1.0);
    }

    /// Fisher's own examples: the lady tasting tea (The Design of Experiments, 1935), and convictions among the twins
    /// of criminals (Journal of the Royal Statistical Society 98, 1935).
    #[test]
    fn two_proportions_without_a_margin_are_fishers_exact_test() {
        close(seen(3, 4).p_exceeds_other(seen(1, 4), 0.0), 17.0 / 70.0);
        close(seen(10, 13).p_exceeds_other(seen(2, 17), 0.0), 0.000_465_181_3);
        for (events, of, other_events, other_of) in [
            (3, 50, 1, 900),
            (5, 60, 0, 40),
            (300, 4000, 1, 50),
            (9, 9, 100, 200),
            (990_000, 1_000_000, 989_600, 1_000_000),
        ] {
            let table = statrs::distribution::Hypergeometric::new(of + other_of, events + other_events, of).unwrap();
            let p = seen(events, of).p_exceeds_other(seen(other_events, other_of), 0.0);
            close(p, table.sf(events - 1));
        }
    }

    /// Computed as integrals of polynomials, with fractions of whole numbers.
    #[test]
    fn two_proportions_with_a_margin_agree_with_exact_arithmetic() {
        for (events, of, other_events, other_of, margin, known) in [
            (3, 20, 0, 30, 0.01, 0.079_818_356_643_750_95),
            (5, 40, 1, 60, 0.005, 0.045_957_580_456_794_75),
            (8, 30, 2, 10, 0.05, 0.647_564_229_275_246_2),
            (2, 5, 1, 50, 0.1, 0.147_371_775_185_913_02),
            (6, 6, 1, 4, 0.5, 0.543_298_921_130_952_4),
            (4, 60, 0, 8, 0.02, 0.707_244_620_021_268_3),
            (1, 10, 0, 40, 0.01, 0.277_982_976_844_045_3),
        ] {
            close(seen(events, of).p_exceeds_other(seen(other_events, other_of), margin), known);
        }
    }

    #[test]
    fn rates_that_are_not_further_apart_than_the_margin_are_not_told_apart() {
        for (events, margin) in [(3, 0.02), (4, 0.02), (0, 0.0), (2, 0.0)] {
            let p = seen(events, 100).p_exceeds_other(seen(2, 100), margin);
            assert_eq!(p.to_bits(), 1.0_f64.to_bits(), "{events} of 100 against 2, {margin}");
        }
        assert!(seen(5, 100).p_exceeds_other(seen(2, 100), 0.02) < 1.0);
    }

    #[test]
    fn against_very_many_trials_two_proportions_become_one() {
        let p = seen(12, 400).p_exceeds_other(seen(5_000_000, 1_000_000_000), 0.005);
        assert!((p / seen(12, 400).p_exceeds(0.01) - 1.0).abs() < 0.01, "{p}");
    }
}

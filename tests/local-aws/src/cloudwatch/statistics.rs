//! Which statistics there are, and what each makes of the samples of one period.
use super::series::Sample;
use crate::wire::AwsError;

/// A statistic of one period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Statistic {
    SampleCount,
    Average,
    Sum,
    Minimum,
    Maximum,
    /// `p99.9`: the share in percent.
    Percentile(f64),
    /// `PR(100:800)`: the share, in percent, of the values above the one bound and up to the other.
    Rank(f64, f64),
}

impl Statistic {
    /// Reads `Sum`, `p99` and the like; `at` names the parameter in messages.
    pub(super) fn parse(name: &str, at: &str) -> Result<Self, AwsError> {
        Ok(match name {
            "SampleCount" | "n" => Self::SampleCount,
            "Average" | "avg" => Self::Average,
            "Sum" | "sum" => Self::Sum,
            "Minimum" | "min" => Self::Minimum,
            "Maximum" | "max" => Self::Maximum,
            other if let Some((above, upto)) = rank(other) => Self::Rank(above, upto),
            other => match other.strip_prefix('p').and_then(|share| share.parse().ok()) {
                Some(share) if (0.0..=100.0).contains(&share) => Self::Percentile(share),
                Some(_) | None
                    if ["tm", "wm", "tc", "ts", "TM", "WM", "TC", "TS", "IQM"]
                        .iter()
                        .any(|trimmed| other.starts_with(trimmed)) =>
                {
                    return Err(AwsError::not_implemented(format_args!("monitoring statistic {other}")));
                }
                Some(_) | None => {
                    let message = format!("The value {other} for parameter {at} is not supported.");
                    return Err(AwsError::new(400, "InvalidParameterValue", message));
                }
            },
        })
    }

    /// The value over `samples`; none for no samples, and for percentiles of which only statistic sets are known.
    pub(super) fn of(self, samples: &[&Sample]) -> Option<f64> {
        let sum = || samples.iter().map(|sample| sample.sum).sum::<f64>();
        let count = samples.iter().map(|sample| sample.count).sum::<f64>();
        if samples.is_empty() {
            return None;
        }
        match self {
            Self::SampleCount => Some(count),
            Self::Sum => Some(sum()),
            Self::Average => (count > 0.0).then(|| sum() / count),
            Self::Minimum => samples.iter().map(|sample| sample.minimum).reduce(f64::min),
            Self::Maximum => samples.iter().map(|sample| sample.maximum).reduce(f64::max),
            Self::Percentile(share) => percentile(share, samples),
            Self::Rank(above, upto) => percentile_rank(above, upto, samples),
        }
    }
}

/// The bounds of `PR(a:b)`, `PR(:b)` and `PR(a:)`, of which at least one is there.
fn rank(name: &str) -> Option<(f64, f64)> {
    let (above, upto) = name.strip_prefix("PR(")?.strip_suffix(')')?.split_once(':')?;
    let bound = |text: &str, open: f64| if text.is_empty() { Some(open) } else { text.parse().ok() };
    let bounds = (bound(above, f64::NEG_INFINITY)?, bound(upto, f64::INFINITY)?);
    (bounds.0.is_finite() || bounds.1.is_finite()).then_some(bounds)
}

/// How many percent of all values lie above `above` and at most at `upto`.
fn percentile_rank(above: f64, upto: f64, samples: &[&Sample]) -> Option<f64> {
    if samples.iter().any(|sample| sample.values.is_empty()) {
        return None;
    }
    let values = || samples.iter().flat_map(|sample| sample.values.iter());
    let all: f64 = values().map(|(_, count)| count).sum();
    let within: f64 = values().filter(|(value, _)| *value > above && *value <= upto).map(|(_, count)| count).sum();
    (all > 0.0).then(|| within / all * 100.0)
}

/// The smallest value that at least `share` percent of all values do not exceed (nearest rank). CloudWatch itself estimates
/// from a sketch: callers must not depend on the last digits.
fn percentile(share: f64, samples: &[&Sample]) -> Option<f64> {
    if samples.iter().any(|sample| sample.values.is_empty()) {
        return None;
    }
    let mut values: Vec<(f64, f64)> = samples.iter().flat_map(|sample| sample.values.iter().copied()).collect();
    values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    let rank = values.iter().map(|(_, count)| count).sum::<f64>() * share / 100.0;
    let mut passed = 0.0;
    let reached = values.iter().find(|(_, count)| {
        passed += count;
        passed >= rank
    });
    reached.or(values.last()).map(|(value, _)| *value)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    fn of(values: &[f64]) -> Sample {
        Sample::of_values(DateTime::UNIX_EPOCH, "None", values.iter().map(|value| (*value, 1.0)).collect())
    }

    #[test]
    fn statistics_are_over_all_samples_of_a_period() {
        let (first, second) = (of(&[1.0, 3.0]), of(&[8.0]));
        let samples = [&first, &second];
        let value = |name: &str| Statistic::parse(name, "Stat").unwrap().of(&samples);
        assert_eq!(value("Sum"), Some(12.0));
        assert_eq!(value("Average"), Some(4.0));
        assert_eq!(value("Minimum"), Some(1.0));
        assert_eq!(value("Maximum"), Some(8.0));
        assert_eq!(value("SampleCount"), Some(3.0));
        assert_eq!(value("p50"), Some(3.0));
        assert_eq!(value("p100"), Some(8.0));
        assert_eq!(value("p0"), Some(1.0));
        assert_eq!(value("PR(:8)"), Some(100.0));
        assert_eq!(value("PR(8:)"), Some(0.0));
        assert_eq!(value("PR(:3)").map(f64::round), Some(67.0));
        assert_eq!(value("PR(1:3)").map(f64::round), Some(33.0));
        assert!(Statistic::parse("PR(:)", "Stat").is_err());
    }

    #[test]
    fn percentiles_of_a_statistic_set_are_unknown_unless_all_values_are_equal() {
        let set = Sample::of_statistics(DateTime::UNIX_EPOCH, "None", [10.0, 1.0, 9.0, 2.0]);
        assert_eq!(Statistic::Percentile(99.0).of(&[&set]), None);
        let equal = Sample::of_statistics(DateTime::UNIX_EPOCH, "None", [10.0, 5.0, 5.0, 2.0]);
        assert_eq!(Statistic::Percentile(99.0).of(&[&equal]), Some(5.0));
    }

    #[test]
    fn an_unknown_statistic_is_refused_and_a_trimmed_one_is_not_implemented() {
        assert_eq!(Statistic::parse("Median", "Stat").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(Statistic::parse("p101", "Stat").unwrap_err().code, "InvalidParameterValue");
        assert_eq!(Statistic::parse("tm99", "Stat").unwrap_err().code, "NotImplemented");
    }
}

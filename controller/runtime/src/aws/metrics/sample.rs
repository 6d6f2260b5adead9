//! Counts from series of points: what is late or lost in one of them is missing in all, and never taken for zero.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tidegate_core::analysis::Sample;

use super::series::{Answer, Query, Series};

type Points = BTreeMap<DateTime<Utc>, f64>;

/// The sample of one version, from the answers to its queries.
pub(super) fn of<'a>(answers: impl Iterator<Item = (&'a Query, &'a Answer)>) -> Sample {
    let (mut invocations, mut errors, mut within) = (None, None, None);
    for (query, answer) in answers {
        let points = answer.as_ref().ok();
        match query.series {
            Series::Invocations => invocations = points,
            Series::Errors => errors = points,
            Series::Within(_) => within = points,
        }
    }
    let Some(invocations) = invocations else { return Sample::default() };
    Sample {
        invocations: Some(invocations.values().sum()),
        errors: errors.and_then(|errors| count_errors(invocations, errors)),
        slow: within.and_then(|within| count_slow(invocations, within)),
    }
}

/// Lambda publishes `Errors` for every invocation, 0 for one that succeeded. So a minute of invocations without them is
/// one whose errors are not there yet, and a minute with more errors than invocations one whose invocations are not.
fn count_errors(invocations: &Points, errors: &Points) -> Option<f64> {
    let known = busy(invocations).all(|(minute, _)| errors.contains_key(minute));
    let possible = errors.iter().all(|(minute, errors)| *errors <= invocations.get(minute).copied().unwrap_or(0.0));
    (known && possible).then(|| errors.values().sum())
}

/// The share of calls within the limit is given for each minute, in percent: whole calls are what it stands for.
fn count_slow(invocations: &Points, within: &Points) -> Option<f64> {
    let slow = busy(invocations).map(|(minute, invocations)| {
        let percent = within.get(minute).filter(|percent| (0.0..=100.0).contains(*percent))?;
        Some((invocations * (1.0 - percent / 100.0)).round())
    });
    slow.sum()
}

/// The minutes in which something was invoked.
fn busy(invocations: &Points) -> impl Iterator<Item = (&DateTime<Utc>, &f64)> {
    invocations.iter().filter(|(_, invocations)| **invocations > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of the first minutes; `None` where a minute has none.
    fn points(values: &[Option<f64>]) -> Points {
        let minute = |index| DateTime::UNIX_EPOCH + chrono::Duration::minutes(index);
        (0..).zip(values).filter_map(|(index, value)| Some((minute(index), (*value)?))).collect()
    }

    #[test]
    fn errors_are_added_up_over_the_minutes_that_have_invocations() {
        let invocations = points(&[Some(20.0), None, Some(30.0)]);
        assert_eq!(count_errors(&invocations, &points(&[Some(1.0), None, Some(0.0)])), Some(1.0));
        assert_eq!(count_errors(&points(&[None]), &points(&[None])), Some(0.0));
    }

    #[test]
    fn a_minute_of_invocations_without_its_errors_is_not_a_minute_without_errors() {
        assert_eq!(count_errors(&points(&[Some(20.0), Some(30.0)]), &points(&[Some(0.0), None])), None);
    }

    #[test]
    fn a_minute_with_more_errors_than_invocations_lacks_invocations() {
        assert_eq!(count_errors(&points(&[None]), &points(&[Some(1.0)])), None);
        assert_eq!(count_errors(&points(&[Some(1.0)]), &points(&[Some(2.0)])), None);
        assert_eq!(count_errors(&points(&[Some(1.0)]), &points(&[Some(f64::NAN)])), None);
    }

    #[test]
    fn slow_calls_are_whole_calls_of_each_minute() {
        let invocations = points(&[Some(3.0), None, Some(200.0)]);
        // Two of three within the limit, as a percentage that no decimal spells out; then all but one.
        assert_eq!(count_slow(&invocations, &points(&[Some(66.666_667), None, Some(99.5)])), Some(2.0));
    }

    #[test]
    fn a_minute_without_durations_or_with_senseless_ones_leaves_the_slow_calls_unknown() {
        let invocations = points(&[Some(3.0), Some(4.0)]);
        for second in [None, Some(f64::NAN), Some(-1.0), Some(101.0)] {
            assert_eq!(count_slow(&invocations, &points(&[Some(100.0), second])), None, "{second:?}");
        }
    }
}

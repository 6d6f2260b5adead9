//! What may go wrong with metrics on purpose: minutes that are lost or late, and queries that are answered in part.
use std::ops::Range;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::LocalAws;

/// What becomes of a period's metric data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricFate {
    /// It can never be read.
    Lost,
    /// It can be read this much later than the rest, in server time: on top of the world's own delay.
    Late(Duration),
}

/// How `GetMetricData` answers every query, while something is wrong with CloudWatch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum MetricTrouble {
    /// `StatusCode` `PartialData`: the older half of the points, rounded down, without a token for the rest.
    PartialData,
    /// `StatusCode` `InternalError`: no points.
    InternalError,
}

/// Everything that is wrong with the metrics of a world.
#[derive(Clone, Default)]
pub(super) struct Troubles {
    fates: Vec<(Range<DateTime<Utc>>, MetricFate)>,
    pub(super) now: Option<MetricTrouble>,
}

impl Troubles {
    /// How much later than the rest the data of the minute that begins at `at` can be read; none where it never can.
    pub(super) fn lateness(&self, at: DateTime<Utc>) -> Option<Duration> {
        let met = self.fates.iter().filter(|(period, _)| period.contains(&at)).map(|(_, fate)| *fate);
        met.into_iter().try_fold(Duration::ZERO, |latest, fate| match fate {
            MetricFate::Lost => None,
            MetricFate::Late(by) => Some(latest.max(by)),
        })
    }
}

impl LocalAws {
    /// Decides what becomes of all metric data of the minutes that begin in `period`, whether published before or after this
    /// call, in every account and region.
    pub fn disturb_metrics(&self, period: Range<DateTime<Utc>>, fate: MetricFate) {
        self.cloudwatch().troubles.fates.push((period, fate));
    }

    /// From now on `GetMetricData` answers every query so; with none, as it should.
    pub fn trouble_metrics(&self, trouble: Option<MetricTrouble>) {
        self.cloudwatch().troubles.now = trouble;
    }

    /// Nothing is wrong with metrics any more: what was lost or late can be read.
    pub fn mend_metrics(&self) {
        self.cloudwatch().troubles = Troubles::default();
    }
}

//! What CloudWatch keeps: for every metric its samples, by the minute or second that they fall into.
use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, Utc};

use super::alarms::Alarm;
use super::trouble::{MetricTrouble, Troubles};
use crate::codec::{Value, structure};

/// All metrics and alarms of the world: a shelf for each account and region.
#[derive(Clone, Default)]
pub(crate) struct State {
    shelves: BTreeMap<(String, String), Shelf>,
    pub(super) troubles: Troubles,
}

impl State {
    /// The metrics and alarms of one account and region.
    pub(super) fn shelf(&mut self, account: &str, region: &str) -> &mut Shelf {
        self.shelves.entry((account.to_owned(), region.to_owned())).or_default()
    }

    /// What can be read of one account and region now: what was received at `visible` at the latest.
    pub(super) fn readable(&mut self, account: &str, region: &str, visible: DateTime<Utc>) -> Readable<'_> {
        self.shelf(account, region);
        let shelf = &self.shelves[&(account.to_owned(), region.to_owned())];
        Readable { shelf, visible, troubles: &self.troubles }
    }
}

/// The metrics of one account and region, as far as they can be read.
pub(super) struct Readable<'s> {
    shelf: &'s Shelf,
    visible: DateTime<Utc>,
    troubles: &'s Troubles,
}

/// The metrics and alarms of one account and region.
#[derive(Clone, Default)]
pub(super) struct Shelf {
    pub(super) alarms: BTreeMap<String, Alarm>,
    metrics: BTreeMap<Metric, Series>,
}

/// Samples by the start of their minute (or second), in epoch seconds.
type Series = BTreeMap<i64, Vec<Sample>>;

/// What makes one metric another than the next: all of these together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Metric {
    pub(super) namespace: String,
    pub(super) name: String,
    /// In the order of their names, whatever order they were given in.
    pub(super) dimensions: Vec<(String, String)>,
}

impl Metric {
    pub(super) fn new(namespace: String, name: String, mut dimensions: Vec<(String, String)>) -> Self {
        dimensions.sort();
        Self { namespace, name, dimensions }
    }

    /// The `Metric` structure of an answer.
    pub(super) fn describe(&self) -> Value {
        let dimension = |(name, value): &(String, String)| structure().with("Name", name).with("Value", value);
        structure()
            .with("Namespace", &self.namespace)
            .with("MetricName", &self.name)
            .with("Dimensions", self.dimensions.iter().map(dimension).collect::<Value>())
    }
}

/// What one `PutMetricData` said of one metric.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// Server time when it came: it can be read some time later.
    received: DateTime<Utc>,
    unit: String,
    pub(super) sum: f64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    pub(super) count: f64,
    /// Value and how often; empty where only a statistic set is known.
    pub(super) values: Vec<(f64, f64)>,
}

impl Sample {
    /// A sample of single values, each with how often it occurred.
    pub(super) fn of_values(received: DateTime<Utc>, unit: &str, values: Vec<(f64, f64)>) -> Self {
        let each = || values.iter().map(|(value, _)| *value);
        Self {
            received,
            unit: unit.to_owned(),
            sum: values.iter().map(|(value, count)| value * count).sum(),
            minimum: each().fold(f64::INFINITY, f64::min),
            maximum: each().fold(f64::NEG_INFINITY, f64::max),
            count: values.iter().map(|(_, count)| count).sum(),
            values,
        }
    }

    /// A sample of which only the statistics are known.
    pub(super) fn of_statistics(received: DateTime<Utc>, unit: &str, [sum, minimum, maximum, count]: [f64; 4]) -> Self {
        // One value, or many of the same: then the percentiles are known after all.
        let exact = count == 1.0 || minimum == maximum;
        let values = if exact { vec![(minimum, count)] } else { Vec::new() };
        Self { received, unit: unit.to_owned(), sum, minimum, maximum, count, values }
    }
}

impl Shelf {
    /// Adds a sample at the start of the `resolution` seconds that `at` falls into.
    pub(super) fn add(&mut self, metric: Metric, at: DateTime<Utc>, resolution: i64, sample: Sample) {
        let start = at.timestamp() - at.timestamp().rem_euclid(resolution);
        self.metrics.entry(metric).or_default().entry(start).or_default().push(sample);
    }
}

impl<'s> Readable<'s> {
    /// The samples of a metric in `[start, end)`, with the second that each minute begins at.
    pub(super) fn samples(
        &self,
        metric: &Metric,
        window: Range<i64>,
        unit: Option<&'s str>,
    ) -> impl Iterator<Item = (i64, &'s Sample)> {
        let series = self.shelf.metrics.get(metric).filter(|_| window.start < window.end);
        let minutes = series.map(|series| series.range(window)).into_iter().flatten();
        minutes
            .flat_map(|(start, samples)| samples.iter().map(|sample| (*start, sample)))
            .filter(move |(start, sample)| unit.is_none_or(|unit| sample.unit == unit) && self.shows(*start, sample))
    }

    /// The metrics that something can be read of, in order.
    pub(super) fn metrics(&self) -> impl Iterator<Item = &'s Metric> {
        let readable = |series: &Series| {
            series.iter().any(|(start, samples)| samples.iter().any(|sample| self.shows(*start, sample)))
        };
        self.shelf.metrics.iter().filter(move |(_, series)| readable(series)).map(|(metric, _)| metric)
    }

    /// How `GetMetricData` answers at the moment, where it does not do so as it should.
    pub(super) fn trouble(&self) -> Option<MetricTrouble> {
        self.troubles.now
    }

    fn shows(&self, start: i64, sample: &Sample) -> bool {
        let Some(lateness) = DateTime::from_timestamp(start, 0).and_then(|at| self.troubles.lateness(at)) else {
            return false;
        };
        sample.received + lateness <= self.visible
    }
}

impl Sample {
    /// The unit that it was published in.
    pub(super) fn unit(&self) -> &str {
        &self.unit
    }
}

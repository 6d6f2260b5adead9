//! Decides what the reference says of the metrics that a tick publishes.
use tidegate_runtime::aws::metrics::{CATALOGUE, Metric};

use super::markdown::{code, table};

pub(super) fn page() -> String {
    let rows = |which: fn(&Metric) -> bool| {
        let told = CATALOGUE.into_iter().filter(which);
        told.map(|metric| [code(metric.name), metric.unit.as_str().to_owned(), metric.about.to_owned()])
            .collect::<Vec<_>>()
    };
    let head = ["metric", "unit", "meaning"];
    format!(
        "# Metrics\n\nPublished by each tick, in one call, in the namespace `Tidegate` or what `metricNamespace` says. CloudWatch keeps \
         them by the minute. A metric that costs money for as long as it is published is published only while there is something to \
         tell.\n\n## By `Environment`\n\n{}## By `Environment` and `Service`\n\n{}",
        table(head, &rows(|metric| !metric.by_service)),
        table(head, &rows(|metric| metric.by_service))
    )
}

//! Decides what the reference says of the metrics that a tick publishes.
use tidegate_runtime::aws::metrics::{BY_ENVIRONMENT_TOO, CATALOGUE, Metric};

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
         tell.\n\n## By `Environment`\n\n{}## By `Environment` and `Shard`\n\n{}\n\n## By `Environment` and `Service`\n\n{}",
        table(head, &rows(|metric| !metric.by_service)),
        shards(),
        table(head, &rows(|metric| metric.by_service))
    )
}

/// Which series there are of an environment with shards.
fn shards() -> String {
    let too = BY_ENVIRONMENT_TOO.map(code).join(" and ");
    format!(
        "An environment with [shards](../configuration.md#shards) has the metrics above once for each of them, with `Shard`, such as \
         `2/4`: shards would overwrite each other's in one series. By `Environment` alone it has {too} only, which each shard publishes \
         as well: their `Maximum` is of the shard that is worst off. Of the others a dashboard adds up, for example \
         `SUM(SEARCH('{{Tidegate,Environment,Shard}} Environment=\"production\" MetricName=\"ManagedServices\"', 'Average', 60))`.\n\nA \
         schedule that does not run publishes nothing, and the series by `Environment` has points while any of them runs: so each \
         shard needs an alarm of its own, which takes missing data as breaching. The CDK construct makes them."
    )
}

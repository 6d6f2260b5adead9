//! Logs: one JSON object a line, to the standard error or output, filtered by `TIDEGATE_LOG`.
use tracing_subscriber::EnvFilter;

/// The filter of the logs: `debug`, or `info,tidegate_runtime::git=debug`; `info` where it is not set.
pub const FILTER: &str = "TIDEGATE_LOG";

/// Starts logging as JSON lines to standard output, as Lambda wants it. A second call does nothing.
pub fn json() {
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter("info"));
    let _already_started = subscriber.try_init();
}

/// Starts logging for a person, to standard error: warnings, and more where `TIDEGATE_LOG` asks for it.
pub fn for_people() {
    let subscriber = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .without_time()
        .with_target(false)
        .with_env_filter(filter("warn"));
    let _already_started = subscriber.try_init();
}

fn filter(default: &str) -> EnvFilter {
    EnvFilter::try_from_env(FILTER).unwrap_or_else(|_| EnvFilter::new(default))
}

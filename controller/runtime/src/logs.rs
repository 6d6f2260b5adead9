//! Logs: one JSON object a line, to the standard error or output, filtered by `TIDEGATE_LOG`.
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The filter of the logs: `debug`, or `info,tidegate_runtime::git=debug`; `info` where it is not set.
pub const FILTER: &str = "TIDEGATE_LOG";

/// Starts logging as JSON lines to standard output, as Lambda wants it. A second call does nothing.
pub fn json() {
    let lines =
        tracing_subscriber::fmt::layer().json().flatten_event(true).with_current_span(true).with_span_list(false);
    let _already_started =
        tracing_subscriber::registry().with(lines).with(filter(variable().as_deref(), LevelFilter::INFO)).try_init();
}

/// Starts logging for a person, to standard error: warnings, and more where `TIDEGATE_LOG` asks for it.
pub fn for_people() {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).without_time().with_target(false);
    let _already_started =
        tracing_subscriber::registry().with(lines).with(filter(variable().as_deref(), LevelFilter::WARN)).try_init();
}

fn variable() -> Option<String> {
    std::env::var(FILTER).ok()
}

/// By target and level alone: a filter of spans and fields too needs a regular expression engine, which a Lambda would load.
fn filter(text: Option<&str>, default: LevelFilter) -> Targets {
    let asked_for = text.filter(|text| !text.trim().is_empty()).and_then(|text| text.parse().ok());
    asked_for.unwrap_or_else(|| Targets::new().with_default(default))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn a_filter_takes_a_level_for_all_and_one_for_a_part() {
        let parts = filter(Some("info,tidegate_runtime::git=debug"), LevelFilter::WARN);
        assert!(parts.would_enable("tidegate_runtime::git", &Level::DEBUG));
        assert!(parts.would_enable("tidegate_runtime::tick", &Level::INFO));
        assert!(!parts.would_enable("tidegate_runtime::tick", &Level::DEBUG));
        assert!(filter(Some("debug"), LevelFilter::WARN).would_enable("anything", &Level::DEBUG));
    }

    #[test]
    fn what_is_no_filter_leaves_the_default() {
        for text in [None, Some(""), Some("tidegate=loud")] {
            let usual = filter(text, LevelFilter::INFO);
            assert!(usual.would_enable("anything", &Level::INFO), "{text:?}");
            assert!(!usual.would_enable("anything", &Level::DEBUG), "{text:?}");
        }
    }
}

//! Effect: sends what the service logs to its standard output, one JSON object a line, as CloudWatch Logs reads it.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging; called once, first in `main`. `LOG_LEVEL` says how much: a level, or directives such as
/// `info,flight_bff=debug`. What cannot be read counts as `info`: a typing error must not take a service down.
pub fn init() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(std::env::var("LOG_LEVEL").unwrap_or_default());
    // Lambda puts the time on each line by itself.
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_target(false).without_time();
    // A second call, as from two tests in one process, keeps the first subscriber.
    let _already_set = subscriber.with_env_filter(filter).try_init();
}

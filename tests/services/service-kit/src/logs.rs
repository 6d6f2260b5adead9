//! Effect: sends what the service logs to its standard output, one JSON object a line, as CloudWatch Logs reads it.

use std::process::ExitCode;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging; called once, first in `main`. `LOG_LEVEL` says how much: a level, or directives such as
/// `info,flight_bff=debug`. What cannot be read counts as `info`: a typing error must not take a service down.
pub fn init() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::INFO.into())
        .parse_lossy(std::env::var("LOG_LEVEL").unwrap_or_default());
    // Lambda puts the time on each line by itself.
    let subscriber =
        tracing_subscriber::fmt().json().flatten_event(true).with_target(false).without_time().with_span_list(false);
    // A second call, as from two tests in one process, keeps the first subscriber.
    let _already_set = subscriber.with_env_filter(filter).try_init();
}

/// Ends `main`: what stopped the service is logged with its causes, as everything else is, and not as Rust prints it.
pub fn end(result: Result<(), lambda_runtime::Error>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = chain(error.as_ref()), "the service stops");
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the timetable cannot be read")]
    struct Outer(#[source] std::fmt::Error);

    #[test]
    fn the_log_has_the_whole_chain() {
        let cause = std::fmt::Error;
        assert_eq!(chain(&Outer(cause)), format!("the timetable cannot be read: {cause}"));
    }
}

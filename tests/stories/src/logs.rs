//! Keeps what this process logs, for a story to look through.
use std::sync::{Mutex, PoisonError};

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct ToLog;

impl std::io::Write for ToLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps every log line of this process from now on, the SDK's at `debug` and ours at `trace`.
pub fn keep_logs() {
    keep("debug,tidegate_runtime=trace");
}

/// Keeps the warnings of this process from now on.
pub fn keep_warnings() {
    keep("warn");
}

fn keep(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let subscriber = tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(|| ToLog);
    let _already_kept = subscriber.try_init();
}

/// What was kept of the log, by every story of this process.
#[must_use]
pub fn logged() -> String {
    String::from_utf8_lossy(&LOG.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

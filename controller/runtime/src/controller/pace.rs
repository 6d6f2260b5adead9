//! Decides when each of many services begins, so that AWS throttles none of them.
use std::time::Duration;

use tokio::time::Instant;

/// How many begin at once.
pub(super) const BURST: usize = 5;

/// How far apart the others begin: for a rollback `GetAlias` and `UpdateAlias`, for a history `GetAlias` at most twice, out of
/// the fifteen calls a second that they share (AWS Lambda quotas).
const PACE: Duration = Duration::from_millis(140);

/// When the one at this place begins.
pub(super) fn turn(began: Instant, index: usize) -> Instant {
    began + PACE.saturating_mul(u32::try_from(index.saturating_sub(BURST)).unwrap_or(u32::MAX))
}

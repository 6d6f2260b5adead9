//! What things may cost: invariants 8 and 15.
use tokio::time::Instant;

use super::{AliasWrite, Moment, Violation};
use crate::world;

/// Calls of all services together that one command may make of a world with a few services, retries included.
const CALLS: u32 = 400;

/// Bytes that one command may hold at once in such a world, beside what its process held before, and what C allocates. What the
/// local AWS keeps and answers meanwhile is among them.
const MEMORY: usize = 16 << 20;

/// Invariant 8: Rollback is always possible: at most one mutating Lambda call, to a version that was live before.
pub(super) fn a_rollback_is_one_call(moment: &Moment<'_>) -> Result<(), Violation> {
    let (Some(running), Some(known)) = (moment.running(), moment.known()) else { return Ok(()) };
    if !matches!(running.word, Some((_, "rollback"))) || moment.after.is_none() || !moment.succeeded() {
        return Ok(());
    }
    if known.effects_of_word > 0 {
        return Err(Violation::of(8, format!("`{}`: {} is its second", moment.resource, moment.call.operation)));
    }
    let Some(AliasWrite { after, name, .. }) = moment.alias_write() else { return Ok(()) };
    let live = after.version.parse().is_ok_and(|version| moment.was_live(version));
    if name == world::ALIAS && !live {
        return Err(Violation::of(8, format!("`{}`: version {} was never live", moment.resource, after.version)));
    }
    Ok(())
}

/// Invariant 15: Calls, memory and time stay within their budgets; a command ends before its deadline.
///
/// # Errors
/// Where one did not.
pub fn finished(id: &str, calls: u32, memory: usize, ended: Instant, deadline: Instant) -> Result<(), Violation> {
    if calls > CALLS {
        return Err(Violation::of(15, format!("`{id}` made {calls} calls")));
    }
    if memory > MEMORY {
        return Err(Violation::of(15, format!("`{id}` held {memory} bytes at once")));
    }
    if ended > deadline {
        return Err(Violation::of(15, format!("`{id}` ended {:?} after its deadline", ended - deadline)));
    }
    Ok(())
}

//! Takes the lease, and decides which ticks at work are waited for.
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::Tick;
use crate::store::lease::{Lease, NoLease, UNKNOWN};

/// How long after another tick was seen at work the lease is asked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// The holder of a hinted tick's lease is called this before its id.
const HINTED: &str = "hint ";

/// The lease of a whole tick. Hinted ticks are waited for, up to a quarter of the time: they are short, and many of them must
/// not keep the whole ones out. Another whole tick is not: two of them find the same.
pub(super) async fn whole(tick: &Tick<'_>) -> Result<Lease, NoLease> {
    let is_short = |holder: &str| holder.starts_with(HINTED) || holder == UNKNOWN;
    take(tick, tick.id, 4, is_short).await
}

/// The lease of a hinted tick. Whoever is at work is waited for, up to half of the time: a hint that is given back comes again
/// much later.
pub(super) async fn hinted(tick: &Tick<'_>) -> Result<Lease, NoLease> {
    take(tick, &format!("{HINTED}{}", tick.id), 2, |_| true).await
}

async fn take(
    tick: &Tick<'_>,
    holder: &str,
    share: u32,
    is_waited_for: impl Fn(&str) -> bool,
) -> Result<Lease, NoLease> {
    let began = Instant::now();
    let until = began + tick.deadline.saturating_duration_since(began) / share;
    loop {
        match Lease::acquire(tick.store, tick.name, tick.shard, holder).await {
            Err(NoLease::Held { holder, .. }) if is_waited_for(&holder) && Instant::now() + AGAIN < until => {
                tracing::debug!(holder, "another tick is at work: its end is waited for");
                sleep(AGAIN).await;
            }
            outcome => return outcome,
        }
    }
}

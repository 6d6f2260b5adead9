//! Keeps what a process knows from its last tick of an environment, for as long as nobody else ticks it.
use std::sync::{Mutex, PoisonError};

use tidegate_core::report::TickReport;

use crate::store::Stored;
use crate::store::desired::DesiredDocument;
use crate::store::lease::Lease;
use crate::store::statuses::FRESH;

/// What a tick left in the store.
#[derive(Debug)]
pub(super) struct Known {
    /// The last valid content.
    pub(super) desired: Stored<DesiredDocument>,
    /// The last report.
    pub(super) report: TickReport,
}

/// The memory of one environment or shard, between the ticks of a warm process.
#[derive(Debug, Default)]
pub struct Memory(Mutex<Option<(u64, Known)>>);

impl Memory {
    /// What the last tick left, if that was this process's own: the lease's epoch grows with every tick, whoever's it is.
    /// Whatever comes of this tick, nothing is known any more until it is kept again.
    pub(super) fn recall(&self, lease: &Lease) -> Option<Known> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (epoch, known) = kept?;
        let is_next = epoch.checked_add(1) == Some(lease.epoch());
        // Under other shards' leases somebody may have, after a while.
        (is_next && lease.now() - known.report.started <= FRESH).then_some(known)
    }

    /// Keeps what a tick left.
    pub(super) fn keep(&self, lease: &Lease, known: Known) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((lease.epoch(), known));
    }
}

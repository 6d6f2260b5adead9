//! The log of a world's calls: which came, from whom, about what, and how each was answered.
use std::collections::{BTreeSet, VecDeque};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::wire::{Call, Purpose};

/// How many calls the log keeps before it forgets the oldest.
const CALL_LOG: usize = 200_000;

/// One call as it is remembered.
#[derive(Clone, Debug, Serialize)]
pub struct CallRecord {
    /// The position in the world's whole history of calls, from 0.
    pub sequence: u64,
    /// Server time when it arrived.
    pub at: DateTime<Utc>,
    /// The caller's account.
    pub account: String,
    /// The region that it was signed for.
    pub region: String,
    /// The caller's ARN.
    pub caller: String,
    /// The signing name, for example `lambda`.
    pub service: &'static str,
    /// For example `UpdateAlias`.
    pub operation: &'static str,
    /// What it is about, for example `ProductionFlightService:live` or `bucket/key`.
    pub resource: String,
    /// The answer's status; none while it runs, and where the request was lost on the way.
    pub status: Option<u16>,
    /// The error's code, where it was one.
    pub error: Option<String>,
}

impl CallRecord {
    /// Whether a call of this kind may change AWS's configuration or data. Invocations do not count: what they change is the
    /// function's business.
    #[must_use]
    pub fn is_mutating(&self) -> bool {
        is_mutating(self.operation)
    }
}

/// Whether an operation may change AWS's configuration or data.
#[must_use]
pub fn is_mutating(operation: &str) -> bool {
    let reads = ["Get", "List", "Describe", "Head", "BatchGet", "BatchCheck", "AssumeRole", "Invoke"];
    !reads.iter().any(|prefix| operation.starts_with(prefix))
}

/// An operation that was called for a purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Used {
    /// What for.
    pub purpose: Purpose,
    /// The signing name, for example `lambda`.
    pub service: &'static str,
    /// For example `UpdateAlias`.
    pub operation: &'static str,
    /// What it was about, as [`CallRecord::resource`].
    pub resource: String,
}

/// The calls of a world, the newest at the back.
#[derive(Default)]
pub(crate) struct CallLog {
    next: u64,
    records: VecDeque<CallRecord>,
    /// Of the calls that said what for: never forgotten.
    used: BTreeSet<Used>,
}

impl CallLog {
    /// Oldest first.
    pub(crate) fn all(&self) -> Vec<CallRecord> {
        self.records.iter().cloned().collect()
    }

    pub(crate) fn used(&self) -> BTreeSet<Used> {
        self.used.clone()
    }

    /// What calls were for is kept.
    pub(crate) fn forget(&mut self) {
        self.records.clear();
    }

    pub(crate) fn open(&mut self, call: &Call) -> u64 {
        let sequence = self.next;
        self.next += 1;
        let (service, resource) = (call.service.signing_name(), call.resource.to_string());
        if let Some(purpose) = call.head.extensions.get::<Purpose>().cloned() {
            self.used.insert(Used { purpose, service, operation: call.operation, resource: resource.clone() });
        }
        if self.records.len() == CALL_LOG {
            self.records.pop_front();
        }
        self.records.push_back(CallRecord {
            sequence,
            at: call.now,
            account: call.caller.account.clone(),
            region: call.caller.region.clone(),
            caller: call.caller.arn.clone(),
            service,
            operation: call.operation,
            resource,
            status: None,
            error: None,
        });
        sequence
    }

    pub(crate) fn close(&mut self, sequence: u64, status: u16, error: Option<String>) {
        // A record that was forgotten in the meantime is no longer anybody's business.
        let Some(first) = self.records.front().map(|record| record.sequence) else { return };
        let Some(offset) = sequence.checked_sub(first).and_then(|offset| usize::try_from(offset).ok()) else { return };
        if let Some(record) = self.records.get_mut(offset) {
            record.status = Some(status);
            record.error = error;
        }
    }
}

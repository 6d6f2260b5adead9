//! Collects the calls beside Lambda that failed in a tick: one that fails for many services is said once, with how many.
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};

use tidegate_core::report::FailedCall;

use crate::aws::CallError;

/// The calls that failed so far, by operation and by what AWS answered.
#[derive(Debug, Default)]
pub struct FailedCalls(Mutex<BTreeMap<(&'static str, String), FailedCall>>);

impl FailedCalls {
    /// Notes a failed call that concerns so many services, and what is not known or done because of it.
    pub(super) fn note(&self, error: &CallError, services: usize, consequence: &'static str) {
        let answer = error.code.clone().unwrap_or_else(|| error.kind.to_string());
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).entry((error.operation, answer.clone())) {
            Entry::Occupied(mut known) => {
                let known = known.get_mut();
                known.services = known.services.saturating_add(services);
            }
            Entry::Vacant(new) => {
                let (operation, message) = (error.operation.to_owned(), error.to_string());
                let consequence = consequence.to_owned();
                new.insert(FailedCall { operation, answer, services, message, consequence });
            }
        }
    }

    /// What was noted, each said once in the log.
    pub(super) fn tell(&self) -> Vec<FailedCall> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let told = |failed: FailedCall| {
            let FailedCall { operation, services, message, consequence, .. } = &failed;
            tracing::warn!(operation, services, message, "{consequence}");
            failed
        };
        noted.into_values().map(told).collect()
    }
}

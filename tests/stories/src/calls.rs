//! What a story reads of the calls that it caused.
use std::collections::BTreeMap;

use local_aws::CallRecord;

/// Calls, as the AWS saw them.
#[derive(Clone, Debug)]
pub struct Calls(pub Vec<CallRecord>);

impl Calls {
    /// How often each operation of Lambda was called.
    #[must_use]
    pub fn lambda(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for call in self.0.iter().filter(|call| call.service == "lambda") {
            *counts.entry(call.operation).or_default() += 1;
        }
        counts
    }

    /// The calls that change something in Lambda, in order: `UpdateAlias StagingFlightService:live`.
    #[must_use]
    pub fn lambda_mutations(&self) -> Vec<String> {
        self.mutations("lambda")
    }

    /// The calls of a service that change something there, in order.
    #[must_use]
    pub fn mutations(&self, service: &str) -> Vec<String> {
        let calls = self.0.iter().filter(|call| call.service == service && call.is_mutating());
        calls.map(|call| format!("{} {}", call.operation, call.resource)).collect()
    }
}

//! Lambda as one tick, or one word, calls it: each call of the control plane waits for its token first.
use tokio::time::Instant;

use crate::aws::budget::{Budget, Rate};
use crate::aws::error::{CallError, Kind};

/// The client, and what its calls wait for. A call waits before the SDK is asked: its timeouts count AWS's time, not ours.
#[derive(Clone, Copy, Debug)]
pub struct Paced<'a> {
    client: &'a aws_sdk_lambda::Client,
    budget: &'a Budget,
    until: Instant,
}

impl<'a> Paced<'a> {
    /// Calls that are not made where there is no token for them before `until`.
    #[must_use]
    pub const fn new(client: &'a aws_sdk_lambda::Client, budget: &'a Budget, until: Instant) -> Self {
        Self { client, budget, until }
    }

    /// The client, for one call of `operation`: its name tells which rate it counts against.
    ///
    /// # Errors
    /// [`Kind::Spent`] where there is no token in time.
    pub(super) async fn for_one(
        &self,
        operation: &'static str,
        resource: &str,
    ) -> Result<&'a aws_sdk_lambda::Client, CallError> {
        let rate = if operation == super::GET_FUNCTION { Rate::GetFunction } else { Rate::ControlPlane };
        let spent = |spent: crate::aws::budget::Spent| CallError {
            operation,
            resource: resource.to_owned(),
            kind: Kind::Spent,
            code: None,
            message: spent.to_string(),
        };
        self.budget.take(rate, self.until).await.map_err(spent)?;
        Ok(self.client)
    }

    /// The client, for what is none of the control plane's calls.
    pub(super) const fn unpaced(&self) -> &'a aws_sdk_lambda::Client {
        self.client
    }
}

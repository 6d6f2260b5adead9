//! Tells the release repository of a rollback, for as long as whoever waits for the answer may be kept waiting.
use std::time::Duration;

use tidegate_core::plan::Rollback;
use tidegate_core::state::{NotPushed, Pushed};

use super::service::One;
use crate::aws::error::chain;
use crate::git::Limits;
use crate::wanted::Repository;
use crate::write_back::{self, Request};

/// Pushes the branch that sets a service back.
///
/// # Errors
/// Why it is not there, in one line for people. Trying again does no harm.
pub(super) async fn push(one: &One<'_>, rollback: &Rollback, patience: Duration) -> Result<Pushed, NotPushed> {
    let request =
        Request { environment: one.tick.name.clone(), service: one.service.name.clone(), rollback: rollback.clone() };
    let pushing = async {
        let Repository { remote, cache, limits } = one.tick.origin.repository().await.map_err(for_now)?;
        let limits = Limits { timeout: limits.timeout.min(patience), ..limits };
        let repository = Repository { remote, cache, limits };
        let written = tokio::task::spawn_blocking(move || write_back::run(&repository, &request)).await;
        match written {
            Ok(Ok(written)) => Ok(Pushed::from(written)),
            Ok(Err(error)) => Err(NotPushed { problem: chain(&error), is_final: error.is_final() }),
            Err(panic) => Err(for_now(panic.to_string())),
        }
    };
    let late = || Err(for_now(format!("the release repository did not answer within {} s", patience.as_secs())));
    tokio::time::timeout(patience, pushing).await.unwrap_or_else(|_elapsed| late())
}

const fn for_now(problem: String) -> NotPushed {
    NotPushed { problem, is_final: false }
}

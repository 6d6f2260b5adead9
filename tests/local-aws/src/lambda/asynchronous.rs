//! Asynchronous invocations: accepted at once, run later, retried, and dropped when they are too old.
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::invoke::{ASYNCHRONOUS_LIMIT, Outcome, Request, checked_payload, new_trace_id, run};
use super::{Target, event_invoke};
use crate::LocalAws;
use crate::wire::AwsError;
use crate::world::WeakAws;

/// Invokes a function asynchronously, as a schedule does.
///
/// # Errors
/// Where there is no such function, version or alias. Whatever happens later is retried and then dropped.
pub(crate) fn enqueue(aws: &LocalAws, target: Target, payload: Bytes) -> Result<(), AwsError> {
    let trace_id = new_trace_id(aws, aws.clock().now());
    let payload = checked_payload(&payload, ASYNCHRONOUS_LIMIT)?;
    let request_id = aws.uuid();
    enqueue_request(aws, Request { target, payload, request_id, trace_id, client_context: None })
}

pub(super) fn enqueue_request(aws: &LocalAws, request: Request) -> Result<(), AwsError> {
    let now = aws.clock().now();
    let (retries, age) = {
        let mut state = aws.lambda();
        let function = state.function(&request.target, now)?;
        function.qualified(&request.target)?;
        let config = function.event_invoke.get(&event_invoke::qualifier(&request.target));
        config.map_or(event_invoke::DEFAULT, |config| (config.retries, config.age))
    };
    tokio::spawn(deliver(aws.downgrade(), request, retries, now + age));
    Ok(())
}

/// Runs an event until it succeeds, has failed too often, or is too old. Function errors wait one minute and then two;
/// throttles and Lambda's own errors wait from a second up to five minutes and do not count.
async fn deliver(world: WeakAws, request: Request, retries: u32, expires: DateTime<Utc>) {
    let (mut failures, mut refusals) = (0, 0);
    loop {
        let Some(aws) = world.upgrade() else { return };
        if aws.clock().now() > expires {
            return;
        }
        let wait = match run(aws.clone(), request.clone()).await {
            Ok(Outcome { result: Ok(_), .. }) => return,
            Ok(Outcome { result: Err(_), .. }) if failures >= retries => return,
            Ok(Outcome { result: Err(_), .. }) => {
                failures += 1;
                Duration::from_secs(60 * u64::from(failures))
            }
            Err(error) if error.status == 404 => return,
            Err(_) => {
                refusals += 1;
                Duration::from_secs(1 << refusals.min(8)).min(Duration::from_secs(300))
            }
        };
        let clock = aws.clock().clone();
        drop(aws);
        clock.sleep(wait).await;
    }
}

//! Reserved concurrency: how many invocations of a function may run at once, and what that leaves for the others.
use serde::Deserialize;
use serde_json::json;

use super::validation::Problems;
use super::{State, Target, invalid_parameter};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

/// An account's concurrent executions in one region, by default.
pub(crate) const ACCOUNT_LIMIT: u32 = 1000;
/// What must stay unreserved.
const UNRESERVED: u32 = 100;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    reserved_concurrent_executions: Option<i64>,
}

pub(crate) fn put(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let request: PutRequest = call.json()?;
    let mut problems = Problems::default();
    problems.required(request.reserved_concurrent_executions.as_ref(), "reservedConcurrentExecutions");
    if let Some(wanted) = request.reserved_concurrent_executions {
        problems.range(wanted, "reservedConcurrentExecutions", 0, i64::from(u32::MAX));
    }
    problems.finish()?;
    let wanted = request.reserved_concurrent_executions.and_then(|it| u32::try_from(it).ok()).unwrap_or_default();
    let mut state = aws.lambda();
    let others = reserved_by_others(&state, &target);
    let function = state.function(&target, call.now)?;
    if others.saturating_add(wanted) > ACCOUNT_LIMIT - UNRESERVED {
        return Err(invalid_parameter(format!(
            "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below \
             its minimum value of [{UNRESERVED}]."
        )));
    }
    function.reserved = Some(wanted);
    Ok(wire::json(200, &json!({ "ReservedConcurrentExecutions": wanted })))
}

fn reserved_by_others(state: &State, target: &Target) -> u32 {
    let key = &target.key;
    let neighbours = state.functions.values().filter(|function| {
        let other = &function.key;
        other != key && other.account == key.account && other.region == key.region
    });
    neighbours.filter_map(|function| function.reserved).fold(0, u32::saturating_add)
}

pub(crate) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let body = match function.reserved {
        Some(reserved) => json!({ "ReservedConcurrentExecutions": reserved }),
        None => json!({}),
    };
    Ok(wire::json(200, &body))
}

pub(crate) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    aws.lambda().function(&target, call.now)?.reserved = None;
    Ok(wire::empty(204))
}

//! Provisioned concurrency of an alias: while Lambda prepares instances of a new version, it shifts the alias's traffic by itself.
//!
//! That Lambda injects weights after an alias was switched is documented; their course is not. Here the old version's share
//! falls in a straight line until all is prepared, and the alias keeps its `RevisionId` meanwhile.
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::Alias;
use super::validation::Problems;
use super::{Target, function_not_found, invalid_parameter};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

/// Provisioned concurrency of one alias.
#[derive(Clone, Debug)]
pub(crate) struct Provisioned {
    requested: u32,
    modified: DateTime<Utc>,
    ready: DateTime<Utc>,
    /// The version that was live before, while traffic is shifted away from it.
    leaving: Option<u64>,
}

impl Provisioned {
    fn status(&self, now: DateTime<Utc>) -> &'static str {
        if now < self.ready { "IN_PROGRESS" } else { "READY" }
    }

    /// The same, for an alias that names another version from now on.
    pub(super) fn switched(&self, aws: &LocalAws, from: &str, now: DateTime<Utc>) -> Self {
        let ready = now + aws.options().provisioning;
        Self { modified: now, ready, leaving: from.parse().ok(), ..self.clone() }
    }

    /// What Lambda makes of the alias's weights at this time.
    pub(super) fn settle(&mut self, additional: &mut Option<(u64, f64)>, now: DateTime<Utc>) {
        let Some(leaving) = self.leaving else { return };
        if now >= self.ready {
            self.leaving = None;
            *additional = None;
            return;
        }
        let all = (self.ready - self.modified).num_milliseconds().max(1) as f64;
        let left = (self.ready - now).num_milliseconds() as f64;
        *additional = Some((leaving, (left / all * 10_000.0).round() / 10_000.0));
    }

    fn view(&self, now: DateTime<Utc>) -> Value {
        let ready = now >= self.ready;
        let available = if ready { self.requested } else { 0 };
        json!({
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": available,
            "AllocatedProvisionedConcurrentExecutions": available,
            "Status": self.status(now),
            "LastModified": self.modified.format("%Y-%m-%dT%H:%M:%S%z").to_string(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    provisioned_concurrent_executions: Option<i64>,
}

/// The alias that the request's `Qualifier` names: versions of their own are not served here.
fn alias<'f>(
    function: &'f mut super::model::Function,
    target: &Target,
    call: &Call,
) -> Result<&'f mut Alias, AwsError> {
    let qualifier = call.query("Qualifier").unwrap_or_default();
    if qualifier.is_empty() || qualifier == "$LATEST" {
        return Err(invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    if qualifier.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AwsError::not_implemented("lambda provisioned concurrency of a version"));
    }
    let missing = Target { key: target.key.clone(), qualifier: Some(qualifier.clone()) };
    function.aliases.get_mut(&qualifier).ok_or_else(|| function_not_found(&missing))
}

pub(crate) fn put(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let request: PutRequest = call.json()?;
    let mut problems = Problems::default();
    let wanted = request.provisioned_concurrent_executions;
    problems.required(wanted.as_ref(), "provisionedConcurrentExecutions");
    if let Some(wanted) = wanted {
        problems.range(wanted, "provisionedConcurrentExecutions", 1, i64::from(u32::MAX));
    }
    problems.finish()?;
    let mut state = aws.lambda();
    let alias = alias(state.function(&target, call.now)?, &target, call)?;
    if alias.version == "$LATEST" {
        return Err(invalid_parameter(
            "Provisioned Concurrency Configs cannot be applied to unpublished function versions.",
        ));
    }
    if alias.additional.is_some() {
        return Err(invalid_parameter(
            "Provisioned Concurrency cannot be configured on an alias with routing configuration.",
        ));
    }
    let requested = wanted.and_then(|wanted| u32::try_from(wanted).ok()).unwrap_or_default();
    let ready = call.now + aws.options().provisioning;
    let provisioned = Provisioned { requested, modified: call.now, ready, leaving: None };
    let answer = wire::json(202, &provisioned.view(call.now));
    alias.provisioned = Some(provisioned);
    Ok(answer)
}

pub(crate) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let mut state = aws.lambda();
    let alias = alias(state.function(&target, call.now)?, &target, call)?;
    match &alias.provisioned {
        Some(provisioned) => Ok(wire::json(200, &provisioned.view(call.now))),
        None => {
            let message = "No Provisioned Concurrency Config found for this function";
            Err(AwsError::new(404, "ProvisionedConcurrencyConfigNotFoundException", message))
        }
    }
}

pub(crate) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let mut state = aws.lambda();
    let alias = alias(state.function(&target, call.now)?, &target, call)?;
    if alias.provisioned.take().is_some_and(|provisioned| provisioned.leaving.is_some()) {
        alias.additional = None;
    }
    Ok(wire::empty(204))
}

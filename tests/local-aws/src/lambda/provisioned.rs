//! Provisioned concurrency of an alias: while Lambda prepares instances of a new version, it shifts the alias's traffic by
//! itself.
//!
//! After an alias was switched, `GetAlias` shows the version before as the additional one, at first with weight 1
//! (hashicorp/terraform-provider-aws#48116), until `GetProvisionedConcurrencyConfig` says `READY`. How the weight falls
//! and whether the alias gets a new `RevisionId` meanwhile is not documented, and unverified: here it falls in a straight
//! line from the share that the version had, and the `RevisionId` stays. Weights that somebody sets end the injected ones.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::concurrency::ACCOUNT_LIMIT;
use super::model::{Alias, Function};
use super::paging::page;
use super::validation::Problems;
use super::{Target, function_not_found, invalid_parameter};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

/// Provisioned concurrency of one alias.
#[derive(Clone, Debug)]
pub(crate) struct Provisioned {
    requested: u32,
    modified: DateTime<Utc>,
    shift: Shift,
}

/// Instances that are prepared in this time, and the version that is left meanwhile.
#[derive(Clone, Debug)]
struct Shift {
    from: DateTime<Utc>,
    ready: DateTime<Utc>,
    /// The version that was live before, and the share that it had. None for the first version, and under weights that
    /// somebody has set.
    leaving: Option<(u64, f64)>,
}

/// An update of an alias.
pub(super) struct Move<'a> {
    /// The primary version from now on.
    pub(super) to: &'a str,
    /// Whether it carries weights of somebody's own.
    pub(super) routed: bool,
    pub(super) now: DateTime<Utc>,
}

impl Provisioned {
    fn new(requested: u32, now: DateTime<Utc>, takes: Duration) -> Self {
        Self { requested, modified: now, shift: Shift { from: now, ready: now + takes, leaving: None } }
    }

    /// What becomes of it when its alias is updated: another primary version has to be prepared.
    pub(super) fn after(&self, alias: &Alias, update: &Move<'_>, takes: Duration) -> Self {
        let mut next = self.clone();
        if alias.version != update.to {
            let share = match alias.share(&alias.version, update.now) {
                // Of two versions that change places, the one that leaves goes on from where it is.
                share if alias.share(update.to, update.now) > 0.0 => share,
                _ => 1.0,
            };
            let leaving = alias.version.parse().ok().map(|version| (version, share));
            next.shift = Shift { from: update.now, ready: update.now + takes, leaving };
        }
        if update.routed {
            next.shift.leaving = None;
        }
        next
    }

    /// The additional version and weight that Lambda itself has put into the alias, at this time.
    pub(super) fn injected(&self, now: DateTime<Utc>) -> Option<(u64, f64)> {
        let Shift { from, ready, leaving } = self.shift;
        let (version, share) = leaving.filter(|_| now < ready)?;
        let left = (ready - now).as_seconds_f64() / (ready - from).as_seconds_f64();
        Some((version, (share * left.clamp(0.0, 1.0) * 10_000.0).round() / 10_000.0))
    }

    fn view(&self, now: DateTime<Utc>) -> Value {
        let ready = now >= self.shift.ready;
        let available = if ready { self.requested } else { 0 };
        json!({
            "RequestedProvisionedConcurrentExecutions": self.requested,
            "AvailableProvisionedConcurrentExecutions": available,
            "AllocatedProvisionedConcurrentExecutions": available,
            "Status": if ready { "READY" } else { "IN_PROGRESS" },
            "LastModified": self.modified.format("%Y-%m-%dT%H:%M:%S%z").to_string(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutRequest {
    provisioned_concurrent_executions: Option<i64>,
}

fn unpublished() -> AwsError {
    invalid_parameter("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
}

/// What a request is about that has to have a `Qualifier`.
fn qualified(call: &Call) -> Result<Target, AwsError> {
    let target = Target::of(call)?;
    let mut problems = Problems::default();
    problems.required(target.qualifier.as_ref(), "qualifier");
    problems.finish()?;
    Ok(target)
}

/// The alias that the request's `Qualifier` names: versions of their own are not served here.
fn alias<'f>(function: &'f mut Function, target: &Target) -> Result<&'f mut Alias, AwsError> {
    match target.qualifier.as_deref() {
        None | Some("$LATEST") => Err(unpublished()),
        Some(version) if version.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(AwsError::not_implemented("lambda provisioned concurrency of a version"))
        }
        Some(name) => function.aliases.get_mut(name).ok_or_else(|| function_not_found(target)),
    }
}

pub(crate) fn put(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let request: PutRequest = call.json()?;
    let mut problems = Problems::default();
    let wanted = request.provisioned_concurrent_executions;
    problems.required(target.qualifier.as_ref(), "qualifier");
    problems.required(wanted.as_ref(), "provisionedConcurrentExecutions");
    if let Some(wanted) = wanted {
        problems.range(wanted, "provisionedConcurrentExecutions", 1, i64::from(u32::MAX));
    }
    problems.finish()?;
    let requested = wanted.and_then(|wanted| u32::try_from(wanted).ok()).unwrap_or_default();
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let most = function.reserved.unwrap_or(ACCOUNT_LIMIT);
    let alias = alias(function, &target)?;
    if alias.version == "$LATEST" {
        return Err(unpublished());
    }
    if alias.routing(call.now).is_some() {
        return Err(invalid_parameter("Alias with weights can not be used with Provisioned Concurrency"));
    }
    if requested > most {
        return Err(invalid_parameter(
            "Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution for function",
        ));
    }
    let provisioned = Provisioned::new(requested, call.now, aws.options().provisioning);
    let answer = wire::json(202, &provisioned.view(call.now));
    alias.provisioned = Some(provisioned);
    Ok(answer)
}

pub(crate) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = qualified(call)?;
    let mut state = aws.lambda();
    let alias = alias(state.function(&target, call.now)?, &target)?;
    let provisioned = alias.provisioned.as_ref().ok_or_else(|| {
        let message = "No Provisioned Concurrency Config found for this function";
        AwsError::new(404, "ProvisionedConcurrencyConfigNotFoundException", message)
    })?;
    Ok(wire::json(200, &provisioned.view(call.now)))
}

/// With it go the weights that were injected for it. The model knows no error for an alias that has none.
pub(crate) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = qualified(call)?;
    let mut state = aws.lambda();
    alias(state.function(&target, call.now)?, &target)?.provisioned = None;
    Ok(wire::empty(204))
}

pub(crate) fn list(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let items = function.aliases.values().filter_map(|alias| {
        let mut item = alias.provisioned.as_ref()?.view(call.now);
        item["FunctionArn"] = format!("{}:{}", target.key.arn(), alias.name).into();
        Some((alias.name.clone(), item))
    });
    let page = page(call, items)?;
    Ok(wire::json(200, &json!({ "ProvisionedConcurrencyConfigs": page.items, "NextMarker": page.next })))
}

//! How and when things may be written at all: invariants 9, 11 and 16.
use local_aws::{Call, LocalAws, Service};
use serde_json::Value;
use tidegate_runtime::store::lease::LeaseDocument;

use super::{AliasWrite, Moment, Violation, document, named, share, traffic};
use crate::facts::Who;
use crate::world;

/// Invariant 9: Every write that AWS can make conditional is.
pub(super) fn conditional(call: &Call) -> Result<(), Violation> {
    let violation = || Err(Violation::of(9, format!("{} of `{}` has no precondition", call.operation, call.resource)));
    match (call.service, call.operation) {
        (Service::Lambda, "UpdateAlias" | "UpdateFunctionCode" | "UpdateFunctionConfiguration" | "PublishVersion") => {
            let body: Value = serde_json::from_slice(&call.body).unwrap_or_default();
            if body.get("RevisionId").and_then(Value::as_str).is_some() { Ok(()) } else { violation() }
        }
        (Service::S3, "PutObject" | "DeleteObject") => {
            // Derived from everything else: whoever comes last is right.
            if call.resource.contains("/status/") || call.header("if-match").is_some() {
                return Ok(());
            }
            if call.operation == "PutObject" && call.header("if-none-match").is_some() { Ok(()) } else { violation() }
        }
        _ => Ok(()),
    }
}

/// Invariant 9: Of two overlapping ticks at most one mutates a service; a tick that lost its lease writes nothing.
pub(super) fn under_its_lease(aws: &LocalAws, who: &Who, call: &Call) -> Result<(), Violation> {
    let Who::Process(running) = who else { return Ok(()) };
    let resource = &call.resource;
    let concerns = match call.service {
        Service::Lambda => local_aws::world::is_mutating(call.operation),
        Service::S3 => {
            local_aws::world::is_mutating(call.operation)
                && (resource.contains("/state/") || resource.contains("/history/") || resource.contains("/desired/"))
        }
        _ => false,
    };
    if !concerns || running.word.is_some() {
        return Ok(());
    }
    let lease: Option<LeaseDocument> = document(aws, &format!("lease/{}.json", running.environment));
    if lease.as_ref().is_some_and(|lease| lease.holder == running.id && lease.until >= call.now) {
        return Ok(());
    }
    let holder = lease.map_or("nobody".to_owned(), |lease| format!("`{}` until {}", lease.holder, lease.until));
    let what = format!("`{}` sends {} of `{resource}` while {holder} holds the lease", running.id, call.operation);
    Err(Violation::of(9, what))
}

/// What a tick was refused, by its id: somebody else had written a function's alias or a service's state since it read that.
pub(crate) fn refused(moment: &Moment<'_>) -> Option<(String, String)> {
    let running = moment.running().filter(|running| running.word.is_none())?;
    if moment.status != Some(412) || !guards_a_service(moment) {
        return None;
    }
    // What it wrote itself, where only the answer was lost, is there already.
    let theirs = match moment.call.service {
        Service::S3 => {
            moment.aws.object(stories::account::BUCKET, moment.resource.split_once('/')?.1)? != moment.call.body
        }
        _ => {
            let name = moment.resource.split(':').nth(1)?;
            let found = moment.after?.aliases.get(name)?;
            moment.body().get("Description").and_then(Value::as_str) != Some(found.description.as_str())
        }
    };
    theirs.then(|| (running.id.clone(), moment.resource.to_owned()))
}

fn guards_a_service(moment: &Moment<'_>) -> bool {
    match moment.call.operation {
        "UpdateAlias" => true,
        "PutObject" | "DeleteObject" => moment.resource.contains("/state/"),
        _ => false,
    }
}

/// Invariant 9: What somebody else wrote meanwhile is read and planned anew by the next tick, never written over by this one.
pub(super) fn no_second_try_after_a_refusal(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some(running) = moment.running().filter(|_| moment.succeeded() && guards_a_service(moment)) else {
        return Ok(());
    };
    if moment.facts.refused.contains(&(running.id.clone(), moment.resource.to_owned())) {
        let what = format!("`{}` was refused `{}`, and writes it all the same", running.id, moment.resource);
        return Err(Violation::of(9, what));
    }
    Ok(())
}

/// Invariant 11: Missing, invalid or partial input never leads to a forward or destructive write.
pub(super) fn nothing_forward_without_valid_input(moment: &Moment<'_>) -> Result<(), Violation> {
    let (Some(running), Some(known)) = (moment.running(), moment.known()) else { return Ok(()) };
    let violation = |what: &str| Err(Violation::of(11, format!("`{}`: {what}", moment.resource)));
    if running.frozen && running.word.is_none() && moment.succeeded() {
        let new = moment.after.is_some_and(|after| {
            let before = known.view.as_ref();
            after.versions.keys().any(|number| before.is_none_or(|before| !before.versions.contains_key(number)))
        });
        if new {
            return violation("a version is published while nothing valid can be read from Git");
        }
    }
    let Some(AliasWrite { place, name, before, after, .. }) = moment.alias_write() else { return Ok(()) };
    let rises = |number: &u64| share(Some(after), *number) > share(before, *number);
    let new = named(after).into_iter().filter(rises).find(|number| !moment.earned(*number));
    let Some(new) = new.filter(|_| name == world::ALIAS && running.word.is_none()) else {
        return Ok(());
    };
    if running.frozen {
        return violation("a new version gets traffic while nothing valid can be read from Git");
    }
    let judged = moment.facts.judged(place) && before.is_some_and(|before| before.additional.is_some());
    // The first step of a rollout follows none that could be judged.
    let is_first = |wanted| traffic::begins_again(known, wanted, share(Some(after), new));
    let by_person = known.promoted || known.promoted_fully;
    let is_due = judged && !by_person && !moment.wanted().is_some_and(is_first);
    if moment.facts.no_metrics && is_due {
        return violation("a new version gets more traffic while there are no metrics");
    }
    Ok(())
}

/// Invariant 16: Nothing live is deleted: a version goes only if no alias names it, it is outside the rollback window, and nothing pins
/// it.
pub(super) fn nothing_live_is_deleted(moment: &Moment<'_>) -> Result<(), Violation> {
    let violation = |what: String| Err(Violation::of(16, format!("`{}`: {what}", moment.resource)));
    match moment.call.operation {
        "DeleteAlias" => violation("an alias is deleted".to_owned()),
        "DeleteFunction" => {
            let Some(number) = moment.resource.split(':').nth(1).and_then(|label| label.parse::<u64>().ok()) else {
                return violation("a whole function is deleted".to_owned());
            };
            let aliases = moment.after.into_iter().flat_map(|after| &after.aliases);
            if let Some((alias, _)) = aliases.into_iter().find(|(_, alias)| named(alias).contains(&number)) {
                return violation(format!("version {number} is deleted, and `{alias}` names it"));
            }
            let recent = moment.recent();
            let mut window = recent.iter().filter(|record| record.kind.is_live()).take(2);
            if window.any(|record| record.to.version.is_some_and(|it| it.to_string() == number.to_string())) {
                return violation(format!("version {number} is deleted, and a rollback may need it"));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

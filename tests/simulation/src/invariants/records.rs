//! What is written down, and when: invariants 6 and 12.
use chrono::SubsecRound as _;
use local_aws::inspect::FunctionView;
use tidegate_core::history::{Kind, Record, hash_bytes};
use tidegate_core::marker::Marker;
use tidegate_core::state::Phase;

use super::{AliasWrite, Moment, Violation, basis_points};
use crate::world;

/// Invariant 6: The intent is stored before the effect, or with it in the alias's marker.
pub(super) fn intent_before_effect(moment: &Moment<'_>) -> Result<(), Violation> {
    if !moment.succeeded() || moment.place.is_none() {
        return Ok(());
    }
    let violation = |what: &str| Err(Violation::of(6, format!("`{}`: {what}", moment.resource)));
    match moment.call.operation {
        "UpdateFunctionCode" | "PublishVersion" | "UpdateFunctionConfiguration" => match moment.state() {
            Some(_) => Ok(()),
            // A person lets `$LATEST` be put right: nothing is published, and no transition begins.
            None if !publishes(moment) && matches!(moment.running().and_then(|it| it.word), Some((_, "sync"))) => {
                Ok(())
            }
            None => violation("nothing was stored before it was published"),
        },
        "UpdateAlias" | "CreateAlias" => {
            let Some(AliasWrite { after, .. }) = moment.alias_write() else { return Ok(()) };
            let Some(marker) = Marker::parse(&after.description) else { return violation("it has no marker") };
            if marker.weight.map(u32::from) != after.additional.map(|(_, weight)| basis_points(weight)) {
                return violation(&format!("its marker does not say how traffic is shared: {}", after.description));
            }
            let state = moment.state();
            let stored = state.as_ref().is_some_and(|state| state.transition == marker.transition);
            let next = moment.recent().first().map_or(1, |record| record.number.0 + 1);
            // What a tick recorded while somebody rolled back takes the number in the rollback's marker, and its record the next
            // one: the marker is the intent, and its number the first that the record may have.
            let is_taken = |recorded: u64| recorded < marker.transition.0 && marker.transition.0 < next;
            let recorded = moment.running().filter(|_| marker.held.is_some()).and_then(|running| running.recorded);
            if stored || marker.transition.0 == next || recorded.is_some_and(is_taken) {
                return Ok(());
            }
            violation(&format!(
                "its marker says transition {}, the stored intent {:?}, and history comes to {next}",
                marker.transition,
                state.map(|state| state.transition)
            ))
        }
        _ => Ok(()),
    }
}

fn publishes(moment: &Moment<'_>) -> bool {
    let versions = |view: &FunctionView| view.versions.len();
    moment.after.map(versions) != moment.known().and_then(|known| known.view.as_ref()).map(versions)
}

/// Invariant 6: Exactly one history record for each finished transition, numbers without gaps, each chained to the one before by hash.
pub(super) fn chained_without_gaps(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some((environment, service)) = moment.place else { return Ok(()) };
    if moment.call.operation != "PutObject" || !moment.succeeded() || !moment.resource.contains("/history/") {
        return Ok(());
    }
    let violation = |what: String| Err(Violation::of(6, format!("`{}`: {what}", moment.resource)));
    if moment.resource.ends_with("head.json") {
        let number = moment.head().map_or(0, |head| head.number.0);
        return match world::object(moment.aws, &format!("history/{environment}/{service}/{number:010}.json")) {
            Some(_) => Ok(()),
            None => violation(format!("it names record {number}, which is not stored")),
        };
    }
    let Ok(record) = serde_json::from_slice::<Record>(&moment.call.body) else {
        return violation("it is no record".to_owned());
    };
    let name = |number: u64| format!("history/{environment}/{service}/{number:010}.json");
    if !moment.resource.ends_with(&name(record.number.0)) {
        return violation(format!("it holds record {}", record.number));
    }
    let before = record.number.0.checked_sub(1).filter(|number| *number > 0);
    let previous = before.and_then(|number| world::object(moment.aws, &name(number)));
    match (before, previous) {
        (None, _) if record.previous.is_none() => Ok(()),
        (None, _) => violation("the first record names one before it".to_owned()),
        (Some(number), None) => violation(format!("record {number} is not there")),
        (Some(number), Some(bytes)) if record.previous != Some(hash_bytes(&bytes)) => {
            violation(format!("it is not chained to record {number}"))
        }
        (Some(number), Some(bytes)) => match serde_json::from_slice::<Record>(&bytes) {
            // The same transition twice: it began at the same moment and led to the same place.
            Ok(other) if (other.started, &other.to, other.kind) == (record.started, &record.to, record.kind) => {
                violation(format!("it tells of the same transition as record {number}"))
            }
            Ok(_) | Err(_) => Ok(()),
        },
    }
}

/// Invariant 12: Edits by people are recorded before anything answers them.
pub(super) fn edits_are_recorded_first(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some(AliasWrite { known, name, .. }) = moment.alias_write() else { return Ok(()) };
    let Some(edited) = known.edited.filter(|_| name == world::ALIAS) else { return Ok(()) };
    // A person's own word is no answer of the controller's.
    if moment.running().is_some_and(|running| running.word.is_some()) {
        return Ok(());
    }
    // Servers tell the time in whole seconds.
    let edited = edited.trunc_subsecs(0);
    let state = moment.state();
    let in_state = state.as_ref().is_some_and(|state| {
        let noticed = state.said.iter().any(|said| said.what == "edit" && said.at >= edited);
        let heals = state.rollout.heals.is_some() && state.started >= edited;
        noticed || heals || state.edited.is_some() || matches!(state.phase, Phase::Held { .. })
    });
    let in_history = moment.recent().iter().any(|record| {
        // What an edit led to is taken over as it is where Git wants just that.
        let is_about_it = matches!(record.kind, Kind::Healed | Kind::Adopted);
        record.finished >= edited && (is_about_it || record.said.iter().any(|said| said.what == "edit"))
    });
    if in_state || in_history {
        return Ok(());
    }
    let what = format!("`{}` was edited at {edited}, and nothing that is stored tells", moment.resource);
    Err(Violation::of(12, what))
}

/// Invariant 12: No record tells of an edit that nobody made. What a read out of date was taken for is taken back by then.
pub(super) fn no_edit_is_made_up(moment: &Moment<'_>) -> Result<(), Violation> {
    let is_record = moment.call.operation == "PutObject" && moment.succeeded() && moment.resource.contains("/history/");
    if !is_record || moment.known().is_none_or(|known| known.touched) {
        return Ok(());
    }
    let Ok(Record { said, .. }) = serde_json::from_slice(&moment.call.body) else { return Ok(()) };
    match said.iter().rev().find(|said| ["edit", "no edit"].contains(&said.what.as_str())) {
        Some(last) if last.what == "edit" => {
            let reason = last.reason.as_deref().unwrap_or_default();
            Err(Violation::of(12, format!("`{}` tells of an edit that nobody made: {reason}", moment.resource)))
        }
        _ => Ok(()),
    }
}

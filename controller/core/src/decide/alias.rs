//! How an alias stands to a rollout: where that has it, and whose write gave it its traffic, as its marker tells.
use super::{Look, World, promote, seen, shift, turn_back};
use crate::history::{Deployed, Record};
use crate::ids::{TransitionNumber, Version};
use crate::live::{LiveAlias, Weighted};
use crate::marker::Marker;
use crate::state::{Before, Phase, ServiceState, Shape};

/// All traffic to stable.
pub(super) fn stable(state: &ServiceState) -> Option<Shape> {
    state.from.as_ref()?.version.map(Shape::all)
}

/// Where an alias sends traffic, in words.
pub(super) fn described(shape: Shape) -> String {
    let named = shape.version.map_or_else(|| "`$LATEST`".to_owned(), |version| format!("version {version}"));
    let weights = shape
        .additional
        .map_or_else(String::new, |other| format!(" with {} % on version {}", other.percent(), other.version));
    format!("{named}{weights}")
}

/// The alias is as the last write found it. Where that write was made by an answer that was out of date, and refused, it is as
/// an earlier one of ours left it.
pub(super) fn has_not_arrived(state: &ServiceState, before: Option<&Before>, alias: &LiveAlias) -> bool {
    before.is_some_and(|before| *before == Before::from(alias) || is_as_written(state, alias))
}

/// An earlier write of ours left the alias just so, and nobody changed it since: whoever changes its weights leaves the marker,
/// which names others then.
pub(super) fn is_as_written(state: &ServiceState, alias: &LiveAlias) -> bool {
    let Some(marker) = &alias.marker else { return false };
    let (Some(stable), Some(candidate)) = (stable(state), state.phase.version()) else { return false };
    let by_step = marker.weight.map(|basis_points| Weighted { version: candidate, basis_points });
    let is_of_this = by_step.is_some() && promote::is_marked(state, alias);
    let is_of_earlier = marker.weight.is_none() && marker.transition < state.transition;
    (is_of_this || is_of_earlier) && Shape::from(alias) == Shape { additional: by_step, ..stable }
}

/// Both versions are known, and AWS prepares provisioned concurrency: it shifts the traffic by itself meanwhile.
pub(super) fn injected(world: &World, state: &ServiceState, shape: Shape) -> Result<bool, Look> {
    let known = |version: Version| {
        state.phase.version() == Some(version) || state.from.as_ref().and_then(|from| from.version) == Some(version)
    };
    let both_known = shape.version.is_some_and(known) && shape.additional.is_some_and(|other| known(other.version));
    if !both_known {
        return Ok(false);
    }
    Ok(seen(&world.provisioning, Look::Provisioning)?.copied().unwrap_or(false))
}

/// Where a rollout has the alias, or is about to have it; and the alias as its last write found it.
pub(super) fn aimed(state: &ServiceState) -> Option<(Shape, Option<&Before>)> {
    Some(match &state.phase {
        &Phase::Holding { version, step, weight } => (shift::target(state, shift::At { version, step, weight }), None),
        &Phase::Shifting { version, step, weight, ref before } => {
            (shift::target(state, shift::At { version, step, weight }), Some(before))
        }
        &Phase::Baking { version, .. } => (Shape::all(version), None),
        &Phase::Promoting { version, ref before } => (Shape::all(version), Some(before)),
        Phase::Publishing { .. }
        | Phase::Preparing { .. }
        | Phase::Returning { .. }
        | Phase::Aborted { .. }
        | Phase::Held { .. }
        | Phase::Failed { .. } => return None,
    })
}

/// Whether the alias is as a rollout with traffic left it, whatever is stored of that.
pub(super) fn is_ours(state: &ServiceState, alias: &LiveAlias) -> bool {
    let Some((target, before)) = aimed(state) else { return false };
    let has_arrived = Shape::from(alias) == target && promote::is_marked(state, alias);
    has_arrived || has_not_arrived(state, before, alias) || is_ahead(state, target, alias)
}

/// The alias is where the transition comes to after what is stored: a tick wrote it since that was read. Its marker says so, and
/// whoever changes weights leaves the marker.
fn is_ahead(state: &ServiceState, target: Shape, alias: &LiveAlias) -> bool {
    let weight = |shape: Shape| shape.additional.map(|other| other.basis_points);
    let rises = target.additional.is_some() && weight(Shape::from(alias)) > weight(target);
    has_all(state, alias) || turn_back::is_back(state, alias) || (rises && is_as_written(state, alias))
}

/// A write of this transition gave its version all traffic.
fn has_all(state: &ServiceState, alias: &LiveAlias) -> bool {
    state.phase.version().map(Shape::all) == Some(Shape::from(alias)) && alias.marker == Some(state.marker())
}

/// Whether a release that returns has the alias as its writes, or one before it, left it.
pub(super) fn is_left_so(state: &ServiceState, alias: &LiveAlias) -> bool {
    turn_back::is_back(state, alias) || is_as_written(state, alias) || has_all(state, alias)
}

/// Whether the alias shares traffic as a rollout of which nothing is stored any more gave it, under the number that this one has now.
pub(super) fn is_of_lost(state: &ServiceState, alias: &LiveAlias) -> bool {
    alias.marker.as_ref().is_some_and(|marker| {
        let has = alias.additional.map(|other| other.basis_points);
        marker.transition == state.transition && marker.weight.is_some() && marker.weight == has
    })
}

/// Whether what the transition with this number gave the alias is there no more, by the marker that it left; `left` is where it began.
pub(super) fn is_taken_back(alias: &LiveAlias, number: TransitionNumber, left: &Deployed) -> bool {
    alias.marker.as_ref().is_some_and(|marker| {
        let has = alias.additional.map(|other| other.basis_points);
        let is_given = match marker.weight {
            Some(weight) => has == Some(weight),
            None => has.is_some() || left.version != alias.version || marker.release == left.release,
        };
        marker.transition == number && marker.held.is_none() && !is_given
    })
}

/// Whether the alias's marker is that of a write by which the transition of this record gave it to its release. Who sends traffic back
/// leaves another one; to `$LATEST` nobody does.
pub(super) fn is_of(alias: &LiveAlias, ended: &Record) -> bool {
    let began = ended.from.as_ref().filter(|from| from.version.is_some()).map(|from| &from.release);
    let is_its = |marker: &Marker| marker.transition == ended.number && marker.release == ended.to.release;
    began != Some(&ended.to.release) && alias.marker.as_ref().is_some_and(is_its)
}

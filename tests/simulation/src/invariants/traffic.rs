//! Where traffic may go: invariants 1, 2, 3 and 7.
use chrono::{SubsecRound as _, TimeDelta};
use local_aws::VersionState;
use serde_json::Value;
use tidegate_core::analysis::Outcome;
use tidegate_core::state::Phase;

use super::{AliasWrite, Moment, Violation, named, share};
use crate::facts::Known;
use crate::release::{Strategy, Wanted};
use crate::{watch, world};

/// Invariant 1: No write of ours makes an alias name anything but published, `Active` versions, with the same role and dead-letter
/// target, that history knows or that were adopted as the baseline. Never `$LATEST`.
pub(super) fn only_published_and_active(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some(AliasWrite { known, function, name, after, .. }) = moment.alias_write() else { return Ok(()) };
    let violation = |what: String| Err(Violation::of(1, format!("`{}`: {what}", moment.resource)));
    if after.version.parse::<u64>().is_err() {
        return violation(format!("it names `{}`", after.version));
    }
    let versions = named(after);
    let found: Vec<_> = versions.iter().filter_map(|number| Some((number, function.versions.get(number)?))).collect();
    if found.len() < versions.len() {
        return violation(format!("it names {versions:?}, and not all of them exist"));
    }
    if let Some((number, version)) = found.iter().find(|(_, version)| version.state != VersionState::Active) {
        // One that all traffic had anyway is no worse off.
        let stays = known
            .view
            .as_ref()
            .and_then(|view| view.aliases.get(name))
            .is_some_and(|was| share(Some(was), **number) > 0);
        // A way back is always possible, also over an edit: its first requests wake what was live before.
        let is_way_back = (moment.goes_back() && moment.was_live(**number)) || moment.is_stable(**number);
        let wakes = matches!(version.state, VersionState::Inactive | VersionState::Pending);
        // The smoke test behind the preview alias is what wakes a version.
        let is_preview = name != world::ALIAS;
        // AWS said of it what was true once: nobody can know better.
        let read = format!("{}:{number}", watch::function_of(moment.resource));
        let is_misled = version.state == VersionState::Inactive
            && moment.running().is_some_and(|running| moment.facts.misled.contains(&(running.id.clone(), read)));
        if !stays && !is_misled && !((is_way_back || is_preview) && wakes) {
            return violation(format!("version {number} is {}", version.state.name()));
        }
    }
    if let [(first, one), (second, other)] = found.as_slice()
        && (&one.role, &one.dead_letter) != (&other.role, &other.dead_letter)
    {
        return violation(format!("versions {first} and {second} differ in role or dead-letter target"));
    }
    let recent = moment.recent();
    let in_history = |number: u64| {
        let versions =
            recent.iter().flat_map(|record| [record.to.version, record.from.as_ref().and_then(|from| from.version)]);
        versions.flatten().any(|version| version.to_string() == number.to_string())
    };
    let state = moment.state();
    let in_state = |number: u64| {
        let from = state.as_ref().and_then(|state| state.from.as_ref()).and_then(|from| from.version);
        let to = state.as_ref().and_then(|state| state.phase.version());
        [from, to].into_iter().flatten().any(|version| version.to_string() == number.to_string())
    };
    match versions.iter().find(|number| !in_history(**number) && !in_state(**number)) {
        Some(number) => violation(format!("nothing that is stored knows version {number}")),
        None => Ok(()),
    }
}

/// Invariant 2: The weight of a new version rises only by one declared step, and only with a stored pass for the step before: hold time
/// over and samples reached.
pub(super) fn one_declared_step(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some(AliasWrite { place, known, function, name, before, after }) = moment.alias_write() else { return Ok(()) };
    if name != world::ALIAS || before.is_none() {
        return Ok(());
    }
    let rising = named(after).into_iter().find(|number| share(Some(after), *number) > share(before, *number));
    let Some(number) = rising.filter(|number| !moment.earned(*number)) else { return Ok(()) };
    let violation = |what: String| Err(Violation::of(2, format!("`{}`, version {number}: {what}", moment.resource)));
    let Some(wanted) = moment.wanted() else { return violation("nothing that is stored wants it".to_owned()) };
    let tag = function.versions.get(&number).and_then(|version| moment.facts.tag(place.1, &version.code));
    // It is asked before the first traffic that the controller gives: one that Git adds later is of the next release.
    let is_first = known.given.get(&number).is_none_or(|given| *given == 0);
    if wanted.smoke && is_first && tag.is_some_and(world::is_bad) {
        return violation("its smoke test fails".to_owned());
    }
    // What a person's edit took or gave is gone over once a person says so: what counts is what the controller gave last.
    let given = known.edited.map(|_| known.given.get(&number).copied().unwrap_or_default());
    let (was, is) = (given.unwrap_or_else(|| share(before, number)), share(Some(after), number));
    let steps: Vec<u32> =
        std::iter::once(0).chain(wanted.steps().iter().map(|weight| u32::from(*weight) * 100)).collect();
    let Some(at) = steps.iter().position(|weight| *weight == is) else {
        return violation(format!("{is} of 10000 is no declared step of {steps:?}"));
    };
    if known.promoted_fully || given.is_some_and(|given| is <= given) {
        return Ok(());
    }
    // Without steps there is but one way to go over a share that other steps gave, and a person said to, or what gave it is lost.
    let goes_over = matches!(moment.running().and_then(|running| running.word), Some((_, "resume" | "sync")));
    let is_lost = moment.state().is_some_and(|state| state.said.iter().any(|said| said.what == "lost"));
    let at_once = (goes_over || is_lost) && steps == [0, is] && known.followed.as_ref() != Some(&wanted.strategy);
    if steps.get(at.wrapping_sub(1)) != Some(&was) && !at_once && !begins_again(known, wanted, is) {
        return violation(format!("from {was} to {is} of 10000 is not one step of {steps:?}"));
    }
    match at.checked_sub(2) {
        None => Ok(()),
        Some(step) => passed(moment, known.promoted, wanted, step).or_else(violation),
    }
}

/// Where Git has other steps by now, the rollout begins again at the first of them, whatever share there is.
pub(super) fn begins_again(known: &Known, wanted: &Wanted, share: u32) -> bool {
    let steps = wanted.steps();
    let first = steps.first().filter(|_| steps.len() > 1).map(|weight| u32::from(*weight) * 100);
    first == Some(share) && known.followed.as_ref() != Some(&wanted.strategy)
}

/// Whether a step's time is over and its pass is stored.
fn passed(moment: &Moment<'_>, promoted: bool, wanted: &Wanted, step: usize) -> Result<(), String> {
    if promoted {
        return Ok(());
    }
    let Strategy::Canary(steps) = &wanted.strategy else { return Ok(()) };
    let Some((_, minutes)) = steps.get(step) else { return Ok(()) };
    let Some(minutes) = minutes else { return Err("the step waits for a person, and nobody said to go on".to_owned()) };
    let since = moment.known().and_then(|known| known.since);
    // Servers tell the time in whole seconds: what passed between two such moments is what anybody can know.
    let held = since.map_or(TimeDelta::zero(), |since| moment.now().trunc_subsecs(0) - since.trunc_subsecs(0));
    if held < TimeDelta::minutes(i64::from(*minutes)) {
        return Err(format!("the step before was held for {} s of {minutes} min", held.num_seconds()));
    }
    let Some(state) = moment.state() else { return Err("no intent is stored".to_owned()) };
    // Those before the last may be of steps that Git had before.
    let name = steps.get(step).map(|(weight, _)| format!("{weight} %"));
    let last = state.rollout.results.last().filter(|result| Some(&result.step) == name.as_ref());
    let Some(result) = last else { return Err(format!("no pass of step {step} is stored")) };
    if wanted.judged && result.verdict.as_ref().is_none_or(|verdict| verdict.outcome != Outcome::Successful) {
        return Err(format!("what is stored of step {step} is no pass: {:?}", result.verdict));
    }
    match state.phase {
        Phase::Shifting { .. } | Phase::Promoting { .. } => Ok(()),
        other => Err(format!("the stored intent is another one: {other:?}")),
    }
}

/// Invariant 3: At most two versions, 0 ≤ weight ≤ 1; promotion and rollback send explicit empty weights.
pub(super) fn explicit_weights(moment: &Moment<'_>) -> Result<(), Violation> {
    if moment.call.operation != "UpdateAlias" {
        return Ok(());
    }
    let body = moment.body();
    let weights = body.pointer("/RoutingConfig/AdditionalVersionWeights").and_then(Value::as_object);
    let Some(weights) = weights else {
        return Err(Violation::of(3, format!("`{}` is written without weights: {body}", moment.resource)));
    };
    let fine = weights.values().all(|weight| weight.as_f64().is_some_and(|weight| (0.0..=1.0).contains(&weight)));
    if weights.len() > 1 || !fine {
        return Err(Violation::of(3, format!("`{}` is written with weights {weights:?}", moment.resource)));
    }
    Ok(())
}

/// Invariant 7: A rolled-back release gets no traffic again until Git changes that service or a person lifts the hold, also when
/// stored state is lost.
pub(super) fn held_out_stays_out(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some(AliasWrite { known, name, before, after, .. }) = moment.alias_write() else { return Ok(()) };
    if name != world::ALIAS || moment.running().is_some_and(|running| running.word.is_some()) {
        return Ok(());
    }
    let back = known.held.iter().find(|number| share(Some(after), **number) > share(before, **number));
    back.map_or(Ok(()), |number| {
        Err(Violation::of(7, format!("`{}`: version {number} was rolled back, and has traffic again", moment.resource)))
    })
}

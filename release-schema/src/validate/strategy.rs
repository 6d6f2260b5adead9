//! Decides how a release gets its traffic: one strategy, with weights that rise.

use super::{duration, refuse, require, value};
use crate::parsed;
use crate::problem::Findings;
use crate::read::Place;
use crate::release::{BlueGreen, Canary, Linear, Step, Strategy};
use crate::value::{AliasName, LONGEST_DURATION, Weight, format_duration};
use std::time::Duration;

/// The shortest pause: a tick comes once a minute, and data of CloudWatch once a minute, but a demonstration is impatient.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Checks a strategy. `None` if something was found.
pub(super) fn strategy(parsed: parsed::Strategy, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Strategy> {
    const NAMES: [&str; 4] = ["allAtOnce", "canary", "blueGreen", "linear"];
    let parsed::Strategy { all_at_once, canary, blue_green, linear } = parsed;
    let canary = canary.and_then(|parsed| self::canary(parsed, &place.field("canary"), findings));
    let blue_green = blue_green.and_then(|parsed| self::blue_green(parsed, &place.field("blueGreen"), findings));
    let linear = linear.and_then(|parsed| self::linear(parsed, &place.field("linear"), findings));
    let given: Vec<&str> = NAMES.into_iter().filter(|name| place.has(name)).collect();
    match given.as_slice() {
        [_] => {}
        [] if place.has_fields() => {}
        [] => findings.add(
            place.span(),
            "the strategy is not named",
            "one of `allAtOnce`, `canary`, `blueGreen`, `linear`",
        ),
        [_, others @ ..] => {
            for other in others {
                findings.add(place.key(other).span(), format!("`{other}` is a second strategy"), "keep one of them");
            }
        }
    }
    let all_at_once = all_at_once.map(|parsed::AllAtOnce {}| Strategy::AllAtOnce);
    all_at_once
        .or(canary.map(Strategy::Canary))
        .or(blue_green.map(Strategy::BlueGreen))
        .or(linear.map(Strategy::Linear))
}

fn canary(parsed: parsed::Canary, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Canary> {
    const HINT: &str = "at least one weight: `steps: [{ setWeight: 10 }, { pause: { duration: 10m } }]`";
    require(findings, place, "steps", HINT);
    let place = place.field("steps");
    let mut steps = Vec::new();
    let mut highest: Option<Weight> = None;
    let written = parsed.steps?;
    if written.is_empty() {
        findings.add(place.span(), "the canary has no steps", HINT);
    }
    for (index, step) in written.into_iter().enumerate() {
        let place = place.item(index);
        let Some(step) = step.and_then(|parsed| self::step(parsed, &place, findings)) else { continue };
        match (&step, highest) {
            (Step::SetWeight(weight), Some(before)) if *weight <= before => {
                let message =
                    format!("the weight {} does not rise: a step before has {}", weight.percent(), before.percent());
                findings.add(place.field("setWeight").span(), message, "each weight is greater than the one before");
            }
            (Step::SetWeight(weight), _) => highest = Some(*weight),
            (Step::Pause(_), None) if index == 0 => {
                let hint = "begin with a `setWeight`; `blueGreen` with `autoPromote: false` waits before any traffic";
                findings.add(place.key("pause").span(), "a pause before the first weight", hint);
            }
            (Step::Pause(_), _) => {}
        }
        steps.push(step);
    }
    check_length(&steps, &place, findings);
    Some(Canary { steps })
}

fn step(parsed: parsed::Step, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Step> {
    match (place.has("setWeight"), place.has("pause")) {
        (true, true) => {
            let hint = "write two steps, each with its own `-`";
            findings.add(place.key("pause").span(), "a step is a weight or a pause, not both", hint);
            None
        }
        (false, false) if place.has_fields() => None,
        (false, false) => {
            findings.add(place.span(), "a step without content", "`setWeight: 10`, or `pause: { duration: 10m }`");
            None
        }
        (true, false) => {
            let weight = Weight::try_from(parsed.set_weight?);
            weight.map(Step::SetWeight).map_err(|error| refuse(findings, &place.field("setWeight"), &error)).ok()
        }
        (false, true) => {
            let parsed::Pause { duration: text } = parsed.pause?;
            let at = place.field("pause").field("duration");
            match text {
                None => Some(Step::Pause(None)),
                Some(text) => duration(findings, &at, Some(&text), SHORTEST_PAUSE).map(|time| Step::Pause(Some(time))),
            }
        }
    }
}

fn blue_green(parsed: parsed::BlueGreen, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<BlueGreen> {
    let parsed::BlueGreen { preview_alias, auto_promote, bake } = parsed;
    Some(BlueGreen {
        preview_alias: value(findings, &place.field("previewAlias"), preview_alias),
        auto_promote: auto_promote.unwrap_or(true),
        bake: duration(findings, &place.field("bake"), bake.as_deref(), Duration::ZERO).unwrap_or_default(),
    })
}

fn linear(parsed: parsed::Linear, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<Linear> {
    let parsed::Linear { step, every } = parsed;
    require(findings, place, "step", "what each step adds, in percent: `step: 10`");
    require(findings, place, "every", "how long each step holds: `every: 2m`");
    let every = duration(findings, &place.field("every"), every.as_deref(), SHORTEST_PAUSE);
    let step = Weight::try_from(step?).map_err(|error| refuse(findings, &place.field("step"), &error)).ok();
    let linear = Linear { step: step?, every: every? };
    check_length(&linear.steps(), &place.field("every"), findings);
    Some(linear)
}

/// An analysis beside a strategy that gives it nothing to judge would be taken for a safety net. Refused only where a
/// service writes both: defaults serve services of many kinds.
pub(super) fn check_is_judged(strategy: Option<&Strategy>, place: &Place<'_>, findings: &mut Findings<'_>) {
    let (name, problem, hint) = match strategy.filter(|strategy| !strategy.is_judged()) {
        Some(Strategy::AllAtOnce) => (
            "allAtOnce",
            "the analysis would never look: `allAtOnce` has no step to judge",
            "use `canary`, `linear`, or `blueGreen` with a `bake`; or leave out `analysis`",
        ),
        Some(Strategy::BlueGreen(_)) => (
            "blueGreen",
            "the analysis would never look: without a `bake` there is no time to judge",
            "give it one: `bake: 30m`; or leave out `analysis`",
        ),
        Some(Strategy::Canary(_) | Strategy::Linear(_)) | None => return,
    };
    findings.add(place.key(name).span(), problem, hint);
}

/// Steps may take weeks each, and all of them together no longer than one: what waits for years is forgotten.
fn check_length(steps: &[Step], place: &Place<'_>, findings: &mut Findings<'_>) {
    let pauses = steps.iter().filter_map(|step| match step {
        Step::Pause(duration) => *duration,
        Step::SetWeight(_) => None,
    });
    let length: Duration = pauses.sum();
    if length > LONGEST_DURATION {
        let message = format!("the steps take {} altogether", format_duration(length));
        findings.add(place.span(), message, format!("at most `{}`", format_duration(LONGEST_DURATION)));
    }
}

/// A preview alias that carries the traffic would be no preview.
pub(super) fn check_aliases(
    alias: Option<&AliasName>,
    strategy: Option<&Strategy>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) {
    if let (Some(alias), Some(Strategy::BlueGreen(BlueGreen { preview_alias: Some(preview), .. }))) = (alias, strategy)
        && alias == preview
    {
        let place = place.field("blueGreen").field("previewAlias");
        findings.add(
            place.span(),
            format!("the preview alias `{preview}` is the one with the traffic"),
            "give it another name",
        );
    }
}

//! Makes a published version ready for traffic: it can serve, is what was pinned, and answers as it should.
use release_schema::{AliasName, BlueGreen, SmokeTest, Strategy};

use super::publish::fail;
use super::{
    Look, PUBLISH_DEADLINE, Subject, World, alias, overdue, promote, seen, shift, suspended, undecryptable, waiting,
};
use crate::analysis::{AlarmState, Measure};
use crate::ids::Version;
use crate::live::{ConfigurationChange, LiveAlias, LiveVersion, VersionState};
use crate::plan::{Action, Plan};
use crate::release::Release;
use crate::rollout;
use crate::smoke::{self, Outcome};
use crate::state::{Direct, Phase, Rollout, ServiceState, Shape};
use crate::status::{PhaseName, WaitingOn};

pub(super) fn plan(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    reused: bool,
) -> Result<Plan, Look> {
    let candidate = match can_serve(subject, world, state, version, reused)? {
        Ok(candidate) => candidate,
        Err(plan) => return Ok(plan),
    };
    // What is stable already, beside a version that somebody gave a share by hand, has nothing to earn.
    let is_stable = state.from.as_ref().is_some_and(|from| from.version == Some(version));
    let directly = state.rollout.direct.is_some() || is_stable;
    let strategy = if directly { &Strategy::AllAtOnce } else { &subject.service.strategy };
    let mut first = Vec::new();
    if let Some(alias) = preview_alias(strategy) {
        first.extend(point_preview(world, state, version, alias)?);
    }
    if let Some(plan) = smoke_test(subject, world, state, strategy, version, &first)? {
        return Ok(plan);
    }
    if !first.is_empty() {
        return Ok(Plan { actions: first, ..waiting(PhaseName::Preparing, WaitingOn::NextTick) });
    }
    let full = state.rollout.advance.is_some_and(|advance| advance.full);
    let begin: Begin = match strategy {
        Strategy::AllAtOnce => return promote::at_once(subject, world, state, version),
        Strategy::Canary(_) | Strategy::Linear(_) if full => promote::switch,
        Strategy::Canary(_) | Strategy::Linear(_) => {
            if let Some(what) = not_weightable(world, state, candidate)? {
                return Ok(suspended(PhaseName::Preparing, WaitingOn::NotWeightable { what }));
            }
            shift::begin
        }
        Strategy::BlueGreen(BlueGreen { auto_promote, .. }) => {
            if !auto_promote && state.rollout.advance.is_none() {
                return Ok(suspended(PhaseName::Preparing, WaitingOn::Promotion));
            }
            promote::switch
        }
    };
    match with_gates(subject, world, state, candidate)? {
        Ok(ready) => begin(subject, world, &ready, version),
        Err(waiting) => Ok(waiting),
    }
}

/// How a release that is ready gets its first traffic.
type Begin = fn(&Subject<'_>, &World, &ServiceState, Version) -> Result<Plan, Look>;

/// The version, where it can serve and is what the release says; else what follows from it.
fn can_serve<'a>(
    subject: &Subject<'_>,
    world: &'a World,
    state: &ServiceState,
    version: Version,
    reused: bool,
) -> Result<Result<&'a LiveVersion, Plan>, Look> {
    let late = subject.now - state.since > PUBLISH_DEADLINE;
    let minutes = PUBLISH_DEADLINE.num_minutes();
    let Some(candidate) = world.version(version)? else {
        return Ok(Err(match (reused, late) {
            (true, _) => publish_anew(subject, state),
            (false, true) => fail(subject, world, state, format!("version {version} does not exist"))?,
            (false, false) => waiting(PhaseName::Preparing, WaitingOn::VersionVisible { version }),
        }));
    };
    let asleep = candidate.state == VersionState::Inactive && subject.service.smoke_test.is_some();
    let was_awake = passed_smoke_test(state);
    if asleep && was_awake && late {
        return Ok(Err(tested_again(subject, state, version, reused)));
    }
    // Only the smoke test wakes it: what kept that from being run is no sign that it cannot.
    let untried = asleep && matches!(state.phase, Phase::Preparing { smoke: None, .. });
    let late = late && !untried;
    let overdue = late && candidate.state != VersionState::Active;
    if reused && (overdue || !can_be_reused(subject, candidate, &state.release)) {
        return Ok(Err(publish_anew(subject, state)));
    }
    match &candidate.state {
        VersionState::Active => {}
        VersionState::Failed { reason } => {
            return fail(subject, world, state, format!("version {version} cannot serve: {reason}")).map(Err);
        }
        state_now @ (VersionState::Pending | VersionState::Inactive | VersionState::Other { .. }) if late => {
            let reason = format!("version {version} is still {state_now} after {minutes} minutes");
            return fail(subject, world, state, reason).map(Err);
        }
        VersionState::Inactive if asleep && !was_awake => {}
        state_now @ (VersionState::Pending | VersionState::Inactive | VersionState::Other { .. }) => {
            let on = WaitingOn::VersionActive { version, state: state_now.clone() };
            return Ok(Err(waiting(PhaseName::Preparing, on)));
        }
    }
    if candidate.code.as_ref() != Some(&state.release.code) {
        let found = candidate.code.as_ref().map_or_else(|| "unknown code".to_owned(), ToString::to_string);
        let reason = format!("version {version} has {found}, not the pinned {}", state.release.code);
        return fail(subject, world, state, reason).map(Err);
    }
    let declared = &subject.service.configuration;
    if !candidate.configuration.is_comparable(declared) {
        return Ok(Err(undecryptable(PhaseName::Preparing)));
    }
    // Were it given traffic, it would differ from Git for ever: a version cannot be changed.
    if ConfigurationChange::between(&candidate.configuration, declared).is_some() {
        let reason = format!("version {version} was published with other configuration than Git declares");
        return fail(subject, world, state, reason).map(Err);
    }
    Ok(Ok(candidate))
}

/// Whether a version that was published for the same content before can serve it again, at once or soon.
///
/// History alone does not tell: where a function was deleted and created again, its numbers began anew.
pub(super) fn can_be_reused(subject: &Subject<'_>, candidate: &LiveVersion, release: &Release) -> bool {
    let wakes_or_serves = match candidate.state {
        VersionState::Active | VersionState::Pending => true,
        // The smoke test wakes it; without one nothing is ever invoked.
        VersionState::Inactive => subject.service.smoke_test.is_some(),
        VersionState::Failed { .. } | VersionState::Other { .. } => false,
    };
    let declared = &subject.service.configuration;
    wakes_or_serves
        && candidate.code.as_ref() == Some(&release.code)
        && candidate.configuration.is_comparable(declared)
        && ConfigurationChange::between(&candidate.configuration, declared).is_none()
}

/// Git asks for a smoke test since the process died that stored the intent of the first traffic: nothing was given, so it is asked first.
pub(super) fn untested(
    subject: &Subject<'_>,
    state: &ServiceState,
    version: Version,
    alias: &LiveAlias,
) -> Option<Plan> {
    let nothing_given = alias::stable(state) == Some(Shape::from(alias));
    let asked = subject.service.smoke_test.is_some();
    (asked && !state.rollout.smoke_tested && nothing_given).then(|| tested_again(subject, state, version, true))
}

/// It fell asleep since it passed its smoke test, as it waited for weeks: the smoke test wakes it, and says anew what it is worth.
pub(super) fn tested_again(subject: &Subject<'_>, state: &ServiceState, version: Version, reused: bool) -> Plan {
    let anew = state.moved_to(Phase::Preparing { version, reused, smoke: None }, subject.now);
    let actions = vec![Action::SaveState(Box::new(anew))];
    Plan { actions, ..waiting(PhaseName::Preparing, WaitingOn::NextTick) }
}

/// The version that was published once cannot serve any more.
fn publish_anew(subject: &Subject<'_>, state: &ServiceState) -> Plan {
    let again = state.moved_to(Phase::Publishing { revision_before: None }, subject.now);
    // What is published again was never live: it takes its steps, unless there is nobody to be careful of.
    let direct = again.rollout.direct.filter(|direct| *direct == Direct::FirstDeploy);
    let again = ServiceState { rollout: Rollout { direct, ..again.rollout.clone() }, ..again };
    let actions = vec![Action::SaveState(Box::new(again))];
    Plan { actions, ..waiting(PhaseName::Publishing, WaitingOn::NextTick) }
}

const fn passed_smoke_test(state: &ServiceState) -> bool {
    matches!(&state.phase, Phase::Preparing { smoke: Some(smoke::Result { outcome: Outcome::Passed, .. }), .. })
}

/// The alias that shows the new version before the switch.
const fn preview_alias(strategy: &Strategy) -> Option<&AliasName> {
    match strategy {
        Strategy::BlueGreen(blue_green) => blue_green.preview_alias.as_ref(),
        Strategy::AllAtOnce | Strategy::Canary(_) | Strategy::Linear(_) => None,
    }
}

fn point_preview(
    world: &World,
    state: &ServiceState,
    version: Version,
    alias: &AliasName,
) -> Result<Option<Action>, Look> {
    let preview = seen(&world.preview, Look::Preview)?;
    let points = preview.is_some_and(|preview| preview.version == Some(version) && preview.additional.is_none());
    Ok((!points).then(|| Action::PointPreview {
        alias: alias.clone(),
        version,
        marker: state.marker(),
        if_revision: preview.map(|preview| preview.revision.clone()),
    }))
}

/// The plan that the smoke test asks for, until it passed. `first` is done before.
fn smoke_test(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    strategy: &Strategy,
    version: Version,
    first: &[Action],
) -> Result<Option<Plan>, Look> {
    let Some(test) = &subject.service.smoke_test else { return Ok(None) };
    let Phase::Preparing { smoke: result, .. } = &state.phase else { return Ok(None) };
    let on = match result {
        Some(smoke::Result { outcome: Outcome::Passed, .. }) => return Ok(None),
        Some(smoke::Result { outcome: Outcome::Failed, message, .. }) => {
            let why = message.as_deref().unwrap_or("no reason");
            return fail(subject, world, state, format!("the smoke test failed: {why}")).map(Some);
        }
        Some(smoke::Result { outcome: Outcome::NotReady, message, at, .. }) => {
            let message = message.clone().unwrap_or_default();
            // Counted to the last try: while a hold or a pause lasted, there was none.
            if *at - state.since > PUBLISH_DEADLINE {
                let minutes = PUBLISH_DEADLINE.num_minutes();
                let reason = format!("the smoke test could not be run for {minutes} minutes: {message}");
                return fail(subject, world, state, reason).map(Some);
            }
            WaitingOn::SmokeTest { message }
        }
        Some(smoke::Result { outcome: Outcome::Unanswered, message, .. }) => {
            WaitingOn::SmokeTest { message: message.clone().unwrap_or_default() }
        }
        None => WaitingOn::NextTick,
    };
    // What kept the first try from being made is no part of the time that it may take.
    let is_late = result.is_none() && subject.now - state.since > PUBLISH_DEADLINE;
    let state = if is_late { &ServiceState { since: subject.now, ..state.clone() } } else { state };
    let actions = [first.to_vec(), vec![invoke(test, strategy, state, version)]].concat();
    Ok(Some(Plan { actions, ..waiting(PhaseName::Preparing, on) }))
}

fn invoke(test: &SmokeTest, strategy: &Strategy, state: &ServiceState, version: Version) -> Action {
    let qualifier = preview_alias(strategy).map_or_else(|| version.to_string(), ToString::to_string);
    Action::SmokeTest { qualifier, test: test.clone(), state: Box::new(state.clone()) }
}

/// What of the two versions has to be the same while an alias is weighted, and is not (AWS Lambda, "weighted alias").
fn not_weightable(world: &World, state: &ServiceState, candidate: &LiveVersion) -> Result<Option<String>, Look> {
    let serving = seen(&world.serving, Look::Serving)?;
    let stable = state.from.as_ref().and_then(|from| from.version);
    let stable = match stable.filter(|stable| serving.is_some_and(|serving| serving.version != Some(*stable))) {
        Some(another) => world.version(another)?,
        None => serving,
    };
    let Some(stable) = stable else { return Ok(None) };
    let role = (stable.role != candidate.role).then_some("execution roles");
    let dead_letter = (stable.dead_letter != candidate.dead_letter).then_some("dead-letter configurations");
    let what: Vec<&str> = role.into_iter().chain(dead_letter).collect();
    Ok((!what.is_empty()).then(|| what.join(" and ")))
}

/// The state as it gets its first traffic: with what the gates have to know of the time before. Where that cannot be read, there
/// is no traffic yet: an alarm that was red already would count as the release's doing.
fn with_gates(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    candidate: &LiveVersion,
) -> Result<Result<ServiceState, Plan>, Look> {
    let alarms = subject.service.analysis.as_ref().map(|analysis| analysis.alarms.clone()).unwrap_or_default();
    let red_before = if alarms.is_empty() {
        alarms
    } else {
        let asked = Measure { canary: None, stable: None, slower_than: None, alarms };
        let measured = seen(&world.measured, Look::Measure(asked))?.cloned().unwrap_or_default();
        if let Some(message) = measured.trouble.filter(|_| is_watched(subject, state)) {
            let plan = waiting(PhaseName::Preparing, WaitingOn::Alarms { message });
            return overdue(subject, world, state, state.since, plan).map(Err);
        }
        let red = measured.alarms.into_iter().filter(|(_, state)| *state == AlarmState::Alarm);
        red.map(|(alarm, _)| alarm).collect()
    };
    let rollout = Rollout {
        strategy: Some(subject.service.strategy.to_string()),
        smoke_tested: passed_smoke_test(state),
        timeout: Some(candidate.configuration.timeout),
        red_before,
        ..state.rollout.clone()
    };
    Ok(Ok(ServiceState { rollout, ..state.clone() }))
}

/// Whether anything is judged once the version has traffic.
fn is_watched(subject: &Subject<'_>, state: &ServiceState) -> bool {
    match &subject.service.strategy {
        Strategy::AllAtOnce => false,
        Strategy::Canary(_) | Strategy::Linear(_) => state.rollout.advance.is_none_or(|advance| !advance.full),
        Strategy::BlueGreen(_) => bake(subject, state).is_some(),
    }
}

/// How long the strategy watches the new version after the switch, unless a person said to go over all of it.
pub(super) fn bake(subject: &Subject<'_>, state: &ServiceState) -> Option<chrono::Duration> {
    let full = state.rollout.advance.is_some_and(|advance| advance.full);
    let skipped = state.rollout.direct.is_some() || full;
    match &subject.service.strategy {
        Strategy::BlueGreen(blue_green) if !skipped && !blue_green.bake.is_zero() => {
            Some(rollout::duration(blue_green.bake))
        }
        Strategy::AllAtOnce | Strategy::Canary(_) | Strategy::BlueGreen(_) | Strategy::Linear(_) => None,
    }
}

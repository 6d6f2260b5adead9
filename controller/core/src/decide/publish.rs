//! Brings `$LATEST` to the release and publishes it: configuration first where it differs, then code and version in one call.
use super::{Look, PUBLISH_DEADLINE, Subject, World, record, rest, seen, undecryptable, waiting};
use crate::history::Kind;
use crate::live::{ConfigurationChange, LiveVersion, UpdateStatus, VersionState};
use crate::plan::{Action, Plan, Standing};
use crate::state::{Phase, ServiceState};
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

pub(super) fn plan(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Plan, Look> {
    let Some(latest) = seen(&world.latest, Look::Latest)? else {
        return Ok(rest::missing(PhaseName::Publishing));
    };
    match &latest.last_update {
        UpdateStatus::InProgress if ours(state, latest) && subject.now - state.since > PUBLISH_DEADLINE => {
            let minutes = PUBLISH_DEADLINE.num_minutes();
            return fail(subject, world, state, format!("AWS is still updating the function after {minutes} minutes"));
        }
        UpdateStatus::InProgress => return Ok(waiting(PhaseName::Publishing, WaitingOn::UpdateInProgress)),
        UpdateStatus::Failed { reason } if ours(state, latest) => {
            return fail(subject, world, state, format!("AWS could not update the function: {reason}"));
        }
        UpdateStatus::Failed { .. } | UpdateStatus::Successful => {}
    }
    if latest.state == VersionState::Pending {
        return Ok(waiting(PhaseName::Publishing, WaitingOn::UpdateInProgress));
    }
    if planted!(OneFailureIsFinal)
        && matches!(&state.phase, Phase::Publishing { revision_before: Some(before) } if *before == latest.revision)
    {
        return fail(subject, world, state, "the write failed".to_owned());
    }
    let declared = &subject.service.configuration;
    if !latest.configuration.is_comparable(declared) {
        return Ok(undecryptable(PhaseName::Publishing));
    }
    let has_code = latest.code.as_ref() == Some(&state.release.code);
    // What a write of ours left stays known as that until the number of its version is stored.
    let revision_before = if has_code
        && ours(state, latest)
        && let Phase::Publishing { revision_before } = &state.phase
    {
        revision_before.clone()
    } else {
        Some(latest.revision.clone())
    };
    let intent = state.moved_to(Phase::Publishing { revision_before }, subject.now);
    let if_revision = latest.revision.clone();
    let save = Action::SaveState(Box::new(intent.clone()));
    let note = Action::SavePublished(Box::new(intent));
    let actions = if let Some(change) = ConfigurationChange::between(&latest.configuration, declared) {
        vec![save, Action::UpdateConfiguration { change, if_revision }]
    } else if has_code && gives_a_usable_version(world, state, latest)? {
        vec![save, Action::PublishVersion { code: state.release.code.clone(), if_revision }, note]
    } else {
        vec![save, Action::UpdateCode { source: state.release.source.clone(), if_revision }, note]
    };
    Ok(Plan { actions, ..waiting(PhaseName::Publishing, WaitingOn::NextTick) })
}

/// What a write that arrived leads to still, where Git wants something else by now: its version is asked for, so that the release is
/// not published a second time should it ever come back. `None` where there is nothing to wait for.
pub(super) fn landed(subject: &Subject<'_>, world: &World, state: &ServiceState) -> Result<Option<Plan>, Look> {
    let Phase::Publishing { revision_before: Some(_) } = state.phase else { return Ok(None) };
    let Some(latest) = seen(&world.latest, Look::Latest)? else { return Ok(None) };
    if !ours(state, latest) || latest.code.as_ref() != Some(&state.release.code) {
        return Ok(None);
    }
    let late = subject.now - state.since > PUBLISH_DEADLINE;
    let actions = match (&latest.last_update, &latest.state) {
        (UpdateStatus::Failed { .. }, _) => return Ok(None),
        (UpdateStatus::InProgress, _) | (_, VersionState::Pending) if late => return Ok(None),
        (UpdateStatus::InProgress, _) | (_, VersionState::Pending) => Vec::new(),
        // Nothing changed since: AWS gives the version of last time.
        (UpdateStatus::Successful, _) => {
            let (code, if_revision) = (state.release.code.clone(), latest.revision.clone());
            vec![Action::PublishVersion { code, if_revision }, Action::SavePublished(Box::new(state.clone()))]
        }
    };
    Ok(Some(Plan { actions, ..waiting(PhaseName::Publishing, WaitingOn::UpdateInProgress) }))
}

/// Whether publishing `$LATEST`, which has the code, gives a version that is worth having.
///
/// Where nothing changed, AWS gives the version of last time again. Only one that cannot be used leads back here while
/// history knows of it, unless `$LATEST` changed by a write of this very transition.
fn gives_a_usable_version(world: &World, state: &ServiceState, latest: &LiveVersion) -> Result<bool, Look> {
    let published_before = seen(&world.head, Look::Head)?.is_some_and(|head| head.has_published(&state.release.id));
    Ok(!published_before || ours(state, latest))
}

/// Whether `$LATEST` changed since our last write was sent, so that what became of it is that write's doing.
///
/// A write that never arrived, followed by somebody else's failed update, is taken for ours: a person's `sync` starts anew.
fn ours(state: &ServiceState, latest: &LiveVersion) -> bool {
    matches!(&state.phase, Phase::Publishing { revision_before: Some(before) } if *before != latest.revision)
}

/// The release cannot be: recorded once, and kept from being tried again.
pub(super) fn fail(subject: &Subject<'_>, world: &World, state: &ServiceState, reason: String) -> Result<Plan, Look> {
    let version = state.phase.version();
    let mut actions = record::finished(subject, world, state, Kind::Failed, version, Some(reason.clone()))?;
    let failed = state.moved_to(Phase::Failed { reason: reason.clone() }, subject.now);
    actions.push(Action::SaveState(Box::new(failed)));
    let standing = Standing {
        sync: SyncStatus::OutOfSync,
        health: Health::Degraded,
        phase: PhaseName::Failed,
        waiting_on: Some(WaitingOn::NewRelease { reason }),
    };
    Ok(Plan { actions, standing })
}

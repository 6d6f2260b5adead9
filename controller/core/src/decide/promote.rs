//! Moves the alias to the published version, once that can serve, and finishes the transition.
use super::publish::fail;
use super::{Look, PUBLISH_DEADLINE, Subject, World, record, rest, seen, suspended, waiting};
use crate::history::Kind;
use crate::ids::Version;
use crate::live::{LiveAlias, VersionState};
use crate::marker::Marker;
use crate::plan::{Action, Plan, Standing};
use crate::state::ServiceState;
use crate::status::{Health, PhaseName, SyncStatus, WaitingOn};

/// What is left to do where the alias has moved already: its marker says so, whatever died or was lost afterwards.
pub(super) fn completion(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
) -> Result<Option<Plan>, Look> {
    let landed = seen(&world.alias, Look::Alias)?.is_some_and(|alias| {
        alias.version == Some(version) && alias.additional.is_none() && alias.marker == Some(marker(state))
    });
    if !landed {
        return Ok(None);
    }
    Ok(Some(Plan { actions: finish(subject, world, state, version, None)?, standing: synced() }))
}

pub(super) fn plan(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    reused: bool,
) -> Result<Plan, Look> {
    let late = subject.now - state.since > PUBLISH_DEADLINE;
    let Some(candidate) = seen(&world.candidate, Look::Candidate(version))? else {
        return match (reused, late) {
            (true, _) => Ok(rest::publish_anew(subject, state)),
            (false, true) => fail(subject, world, state, format!("version {version} does not exist")),
            (false, false) => Ok(waiting(PhaseName::Promoting, WaitingOn::VersionVisible { version })),
        };
    };
    match &candidate.state {
        VersionState::Active => {}
        VersionState::Pending | VersionState::Inactive | VersionState::Failed { .. } | VersionState::Other { .. }
            if reused =>
        {
            return Ok(rest::publish_anew(subject, state));
        }
        VersionState::Failed { reason } => {
            return fail(subject, world, state, format!("version {version} cannot serve: {reason}"));
        }
        state_now @ (VersionState::Pending | VersionState::Inactive | VersionState::Other { .. }) if late => {
            let minutes = PUBLISH_DEADLINE.num_minutes();
            return fail(
                subject,
                world,
                state,
                format!("version {version} is still {state_now} after {minutes} minutes"),
            );
        }
        state_now @ (VersionState::Pending | VersionState::Inactive | VersionState::Other { .. }) => {
            let on = WaitingOn::VersionActive { version, state: state_now.clone() };
            return Ok(waiting(PhaseName::Promoting, on));
        }
    }
    if candidate.code.as_ref() != Some(&state.release.code) {
        let found = candidate.code.as_ref().map_or_else(|| "unknown code".to_owned(), ToString::to_string);
        return fail(
            subject,
            world,
            state,
            format!("version {version} has {found}, not the pinned {}", state.release.code),
        );
    }
    move_alias(subject, world, state, version)
}

fn move_alias(subject: &Subject<'_>, world: &World, state: &ServiceState, version: Version) -> Result<Plan, Look> {
    let alias = seen(&world.alias, Look::Alias)?;
    let edit = alias.and_then(|alias| foreign_edit(state, alias));
    if let Some(edit) = edit.clone().filter(|_| !subject.forced) {
        return Ok(suspended(PhaseName::Promoting, edit));
    }
    let marker = marker(state);
    let mut actions = vec![match alias {
        None => Action::CreateAlias { version, marker },
        Some(alias) => Action::UpdateAlias { version, marker, if_revision: alias.revision.clone() },
    }];
    let over = edit.map(|edit| format!("went on over a hand edit: {edit}"));
    actions.extend(finish(subject, world, state, version, over)?);
    Ok(Plan { actions, standing: synced() })
}

/// The alias is not as it was when the release began.
fn foreign_edit(state: &ServiceState, alias: &LiveAlias) -> Option<WaitingOn> {
    let expected = state.from.as_ref().and_then(|from| from.version);
    (alias.version != expected || alias.additional.is_some()).then(|| WaitingOn::ForeignEdit {
        found: alias.version,
        weight: alias.additional.map(|additional| additional.basis_points),
    })
}

fn finish(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    reason: Option<String>,
) -> Result<Vec<Action>, Look> {
    let mut actions = record::finished(subject, world, state, Kind::Promoted, Some(version), reason)?;
    actions.push(Action::WriteRegistry { version, tag: state.release.tag.clone() });
    actions.push(Action::ClearState);
    Ok(actions)
}

fn marker(state: &ServiceState) -> Marker {
    Marker { release: state.release.id.clone(), transition: state.transition, held: None }
}

const fn synced() -> Standing {
    Standing { sync: SyncStatus::Synced, health: Health::Healthy, phase: PhaseName::Idle, waiting_on: None }
}

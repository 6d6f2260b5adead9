//! Moves the alias to the published version, once that can serve, and finishes the transition.
use super::publish::fail;
use super::{Look, PUBLISH_DEADLINE, Subject, World, blocked, record, seen, suspended, undecryptable, waiting};
use crate::history::Kind;
use crate::ids::Version;
use crate::live::{ConfigurationChange, LiveAlias, LiveVersion, VersionState};
use crate::marker::Marker;
use crate::plan::{Action, Plan, Standing};
use crate::release::Release;
use crate::state::{Phase, ServiceState};
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
    let standing = match subject.wanted {
        Ok(wanted) if wanted.id == state.release.id => synced(),
        Ok(_) => waiting(PhaseName::Idle, WaitingOn::NextTick).standing,
        Err(_) => blocked(subject, PhaseName::Idle).standing,
    };
    Ok(Some(Plan { actions: finish(subject, world, state, version, None)?, standing }))
}

pub(super) fn plan(
    subject: &Subject<'_>,
    world: &World,
    state: &ServiceState,
    version: Version,
    reused: bool,
) -> Result<Plan, Look> {
    let late = subject.now - state.since > PUBLISH_DEADLINE;
    let minutes = PUBLISH_DEADLINE.num_minutes();
    let Some(candidate) = seen(&world.candidate, Look::Candidate(version))? else {
        return match (reused, late) {
            (true, _) => Ok(publish_anew(subject, state)),
            (false, true) => fail(subject, world, state, format!("version {version} does not exist")),
            (false, false) => Ok(waiting(PhaseName::Promoting, WaitingOn::VersionVisible { version })),
        };
    };
    let overdue = late && candidate.state != VersionState::Active;
    if reused && (overdue || !can_be_reused(subject, candidate, &state.release)) {
        return Ok(publish_anew(subject, state));
    }
    match &candidate.state {
        VersionState::Active => {}
        VersionState::Failed { reason } => {
            return fail(subject, world, state, format!("version {version} cannot serve: {reason}"));
        }
        state_now @ (VersionState::Pending | VersionState::Inactive | VersionState::Other { .. }) if late => {
            let reason = format!("version {version} is still {state_now} after {minutes} minutes");
            return fail(subject, world, state, reason);
        }
        state_now @ (VersionState::Pending | VersionState::Inactive | VersionState::Other { .. }) => {
            let on = WaitingOn::VersionActive { version, state: state_now.clone() };
            return Ok(waiting(PhaseName::Promoting, on));
        }
    }
    if candidate.code.as_ref() != Some(&state.release.code) {
        let found = candidate.code.as_ref().map_or_else(|| "unknown code".to_owned(), ToString::to_string);
        let reason = format!("version {version} has {found}, not the pinned {}", state.release.code);
        return fail(subject, world, state, reason);
    }
    let declared = &subject.service.configuration;
    if !candidate.configuration.is_comparable(declared) {
        return Ok(undecryptable(PhaseName::Promoting));
    }
    // Were it given traffic, it would differ from Git for ever: a version cannot be changed.
    if ConfigurationChange::between(&candidate.configuration, declared).is_some() {
        let reason = format!("version {version} was published with other configuration than Git declares");
        return fail(subject, world, state, reason);
    }
    move_alias(subject, world, state, version)
}

/// Whether a version that was published for the same content before can serve it again, at once or soon.
///
/// History alone does not tell: where a function was deleted and created again, its numbers began anew.
pub(super) fn can_be_reused(subject: &Subject<'_>, candidate: &LiveVersion, release: &Release) -> bool {
    let wakes_or_serves = match candidate.state {
        VersionState::Active | VersionState::Pending => true,
        VersionState::Inactive | VersionState::Failed { .. } | VersionState::Other { .. } => false,
    };
    let declared = &subject.service.configuration;
    wakes_or_serves
        && candidate.code.as_ref() == Some(&release.code)
        && candidate.configuration.is_comparable(declared)
        && ConfigurationChange::between(&candidate.configuration, declared).is_none()
}

/// The version that was published once cannot serve any more.
fn publish_anew(subject: &Subject<'_>, state: &ServiceState) -> Plan {
    let again = state.moved_to(Phase::Publishing { revision_before: None }, subject.now);
    let actions = vec![Action::SaveState(Box::new(again))];
    Plan { actions, ..waiting(PhaseName::Publishing, WaitingOn::NextTick) }
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
    let over = alias.filter(|_| edit.is_some()).map(went_over);
    actions.extend(finish(subject, world, state, version, over)?);
    Ok(Plan { actions, standing: synced() })
}

/// The alias is not as it was when the release began, or our move of it was undone: its marker stays when its version is
/// moved back.
fn foreign_edit(state: &ServiceState, alias: &LiveAlias) -> Option<WaitingOn> {
    let expected = state.from.as_ref().and_then(|from| from.version);
    let undone = alias.marker == Some(marker(state));
    (alias.version != expected || alias.additional.is_some() || undone).then(|| WaitingOn::ForeignEdit {
        found: alias.version,
        weight: alias.additional.map(|additional| additional.basis_points),
    })
}

/// What a record says of an edit that a person's `sync` went over.
fn went_over(alias: &LiveAlias) -> String {
    let named = alias.version.map_or_else(|| "`$LATEST`".to_owned(), |version| format!("version {version}"));
    let weights = alias.additional.map_or_else(String::new, |other| {
        format!(" with {} % on version {}", f64::from(other.basis_points) / 100.0, other.version)
    });
    format!("went over a hand edit: the alias named {named}{weights}")
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

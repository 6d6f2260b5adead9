//! Deletes published versions that nobody can need any more: a few of one service in a tick, and of those that a person names.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_schema::{Service, ServiceName};
use tidegate_core::housekeeping::{Decision, Evidence, Inventory, Policy, Unrest, decide, whose_turn};
use tidegate_core::report::{Failure, FailureKind, Housekeeping, Pruned, ServiceReport};
use tidegate_core::shard::Shard;
use tidegate_core::state::ServiceState;
use tidegate_core::status::{Health, HoldReason, PhaseName, SyncStatus};
use tokio::time::Instant;

use super::service::quarantined;
use super::{Error, RESERVE, Tick, check_asked_for, desired, look};
use crate::aws::{CallError, lambda};
use crate::store::lease::{Lease, server_time};
use crate::store::{self, history, keys};
use crate::wanted::{self, Wanted};

/// Why the versions of a service were not looked at.
#[derive(Debug, thiserror::Error)]
enum Left {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("none is deleted: {0}")]
    Unrest(Unrest),
    #[error("the function `{0}` is none that may be managed here")]
    NotAllowed(String),
    #[error("the time was used up before it was looked at")]
    Time,
}

impl Left {
    const fn kind(&self) -> FailureKind {
        match self {
            Self::Unrest(_) | Self::NotAllowed(_) => FailureKind::Refused,
            Self::Call(_) | Self::Store(_) | Self::Time => FailureKind::Unavailable,
        }
    }
}

/// What became of each service's versions, and why those of the others were not touched.
pub type Outcomes = BTreeMap<ServiceName, Result<Pruned, Failure>>;

/// The turn of this minute: one service at most, and only where it is at rest. What fails here fails no tick.
pub(super) async fn turn(
    tick: &Tick<'_>,
    lease: &Lease,
    wanted: &Wanted,
    reports: &BTreeMap<ServiceName, ServiceReport>,
) -> Option<Housekeeping> {
    let policy = tick.config.version_housekeeping.filter(|_| wanted.hold.is_none() && tick.only.is_none())?;
    let services = tick.own(wanted);
    let service = *services.get(whose_turn(lease.now(), services.len())?)?;
    if !reports.get(&service.name).is_some_and(is_at_rest) || is_out_of_time(tick) {
        return None;
    }
    let outcome = quarantined(async {
        match survey(tick, service, policy, lease.now()).await {
            Ok(inventory) => Ok(delete(tick, lease, service, inventory).await),
            // Somebody is at work: that is no failure.
            Err(Left::Unrest(unrest)) => {
                tracing::debug!(service = %service.name, %unrest, "no version is deleted");
                Ok(Pruned::default())
            }
            // Nothing was left to ask with: its turn comes again.
            Err(Left::Call(error)) if error.is_spent() => Ok(Pruned::default()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await;
    let (deleted, problem) = match outcome {
        Ok(Pruned { deleted, problem, .. }) => (deleted, problem),
        Err(error) => (Vec::new(), Some(error)),
    };
    if let Some(problem) = &problem {
        tracing::warn!(service = %service.name, problem, "the housekeeping of versions was not finished");
    }
    let said = !deleted.is_empty() || problem.is_some();
    said.then(|| Housekeeping { service: service.name.clone(), deleted, problem })
}

/// Whether a tick found nothing to do for a service, or holds something out of it.
fn is_at_rest(report: &ServiceReport) -> bool {
    let standing = &report.standing;
    let as_wanted =
        standing.phase == PhaseName::Idle && (standing.sync, standing.health) == (SyncStatus::Synced, Health::Healthy);
    report.error.is_none() && report.done.is_empty() && (as_wanted || standing.phase == PhaseName::RolledBack)
}

/// What a person asks for: the same with the same limits, of one service or of each of these shards, now. Without a lease
/// nothing is deleted, so it is only asked for where something shall be.
///
/// # Errors
/// Where nothing of it could be done; what concerns one service stands with it.
pub async fn prune(tick: &Tick<'_>, shards: &[Shard], policy: Policy, dry_run: bool) -> Result<Outcomes, Error> {
    let wanted = known(tick).await?;
    check_asked_for(tick, &wanted)?;
    let services = wanted.environment.services.values();
    let services: Vec<&Service> = services.filter(|it| tick.only.is_none_or(|only| *only == it.name)).collect();
    if dry_run {
        let now = server_time(tick.store, tick.name).await?;
        return Ok(each(tick, &services, policy, now, None).await);
    }
    let mut outcomes = Outcomes::new();
    for shard in shards {
        let own: Vec<&Service> = services.iter().copied().filter(|service| shard.takes(&service.name)).collect();
        match Lease::acquire(tick.store, tick.name, *shard, tick.id).await {
            Ok(lease) => {
                outcomes.extend(each(tick, &own, policy, lease.now(), Some(&lease)).await);
                if let Err(error) = lease.release(tick.store).await {
                    tracing::warn!(%error, "the lease could not be given back: it ends by itself");
                }
            }
            Err(error) if outcomes.is_empty() => return Err(error.into()),
            Err(error) => outcomes.extend(own.into_iter().map(|service| {
                let (environment, message) = (Some(tick.name.clone()), error.to_string());
                (service.name.clone(), Err(Failure { environment, kind: FailureKind::Refused, message }))
            })),
        }
    }
    Ok(outcomes)
}

/// What Git wanted last, without asking it.
async fn known(tick: &Tick<'_>) -> Result<Wanted, Error> {
    match desired::load(tick).await?.map(|stored| wanted::stored(tick.name, stored.value)) {
        Some(wanted) => wanted.map_err(|known| Error::NothingWanted(known.reason)),
        None => {
            let message = super::word::nothing_known(tick.name);
            Err(Error::NothingWanted(HoldReason::NothingKnown { message }))
        }
    }
}

async fn each(
    tick: &Tick<'_>,
    services: &[&Service],
    policy: Policy,
    now: DateTime<Utc>,
    lease: Option<&Lease>,
) -> Outcomes {
    let mut outcomes = Outcomes::new();
    for service in services.iter().copied() {
        let pruned = match survey(tick, service, policy, now).await {
            Ok(inventory) => Ok(match lease {
                Some(lease) => delete(tick, lease, service, inventory).await,
                None => pruned(inventory),
            }),
            Err(left) => {
                let (kind, message) = (left.kind(), left.to_string());
                Err(Failure { environment: Some(tick.name.clone()), kind, message })
            }
        };
        outcomes.insert(service.name.clone(), pruned);
    }
    outcomes
}

/// Looks at all that decides of a service's versions. The aliases come last: they are what moves.
async fn survey(tick: &Tick<'_>, service: &Service, policy: Policy, now: DateTime<Utc>) -> Result<Inventory, Left> {
    if !tick.config.allows(&service.function) {
        return Err(Left::NotAllowed(service.function.to_string()));
    }
    let (client, function) = (tick.lambda(), service.function.as_str());
    let state = stored_state(tick, service).await?;
    let newest = history::head(tick.store, tick.name, &service.name).await?.filter(|newest| !newest.lost);
    let versions = lambda::list_versions(client, function).await?;
    let aliases = lambda::list_aliases(client, function).await?;
    let mut records = BTreeMap::new();
    loop {
        let evidence = Evidence {
            alias: &service.alias,
            preview: look::preview_alias(&service.strategy),
            versions: &versions,
            aliases: &aliases,
            state: state.as_ref(),
            head: newest.as_ref().map(|newest| &newest.head),
            records: &records,
            policy,
            now,
        };
        match decide(&evidence) {
            _ if is_out_of_time(tick) => return Err(Left::Time),
            Decision::Read(number) => {
                let record = history::record(tick.store, tick.name, &service.name, number).await?;
                records.insert(number, record);
            }
            Decision::Wait(unrest) => return Err(Left::Unrest(unrest)),
            Decision::Inventory(inventory) => return Ok(inventory),
        }
    }
}

/// What is under way or held. A document that cannot be read may be of anything.
async fn stored_state(tick: &Tick<'_>, service: &Service) -> Result<Option<ServiceState>, Left> {
    match tick.store.get(&keys::state(tick.name, &service.name)).await {
        Ok(stored) => Ok(stored.map(|stored| stored.value)),
        Err(store::Error::Broken { .. }) => Err(Left::Unrest(Unrest::UnderWay)),
        Err(error) => Err(error.into()),
    }
}

/// Deletes what can go, by number, one after the other; the first that fails ends it.
async fn delete(tick: &Tick<'_>, lease: &Lease, service: &Service, inventory: Inventory) -> Pruned {
    let mut pruned = pruned(inventory);
    for version in &pruned.delete {
        if !lease.holds() || is_out_of_time(tick) {
            pruned.problem = Some("the time was used up; the next turn goes on".to_owned());
            break;
        }
        match lambda::delete_version(tick.lambda(), service.function.as_str(), *version).await {
            Ok(()) => {
                tracing::info!(service = %service.name, function = %service.function, %version, "version deleted");
                pruned.deleted.push(*version);
            }
            Err(error) => {
                pruned.problem = Some(error.to_string());
                break;
            }
        }
    }
    pruned
}

/// Nothing deleted yet.
fn pruned(inventory: Inventory) -> Pruned {
    let Inventory { delete, kept } = inventory;
    Pruned { delete, deleted: Vec::new(), kept, problem: None }
}

/// Whether only the reserve for storing is left.
fn is_out_of_time(tick: &Tick<'_>) -> bool {
    Instant::now() + RESERVE >= tick.deadline
}

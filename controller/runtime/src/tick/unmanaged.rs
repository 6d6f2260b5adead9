//! Services that were removed from Git: tells what is left of them, and closes them where their environment prunes. Nothing
//! of it deletes a function, an alias, a version or a record.
use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use release_schema::{Environment, ServiceName};
use tidegate_core::history::Record;
use tidegate_core::report::Unmanaged;
use tidegate_core::state::{Phase, ServiceState};
use tidegate_core::unmanaged::{self, Back, Closing, Removed};

use super::service::quarantined;
use super::{AT_ONCE, Error, RESERVE, Tick, load_states};
use crate::aws::lambda::{self, Traffic};
use crate::store::history::{self, Newest};
use crate::store::lease::Lease;
use crate::store::{self, ETag, If, keys};
use crate::wanted::Wanted;

/// Tells of each service of the shard that is not in Git any more. What is closed leaves the document; where another shard wrote
/// that meanwhile, the next tick finds nothing left to close.
pub(super) async fn turn(
    tick: &Tick<'_>,
    lease: &Lease,
    wanted: &mut Wanted,
    states: &BTreeSet<String>,
) -> BTreeMap<ServiceName, Unmanaged> {
    let mut aliases = wanted.document.unmanaged.clone();
    aliases.retain(|name, _| tick.shard.takes(name));
    // A commit that is on hold is no reason to close anything, and a person's word for one service concerns no other.
    let prunes = wanted.environment.prune && wanted.hold.is_none() && tick.only.is_none();
    let in_force: &Wanted = wanted;
    let told: Vec<(ServiceName, Unmanaged)> = futures::stream::iter(aliases)
        .map(|(name, alias)| async move {
            let has_state = states.contains(&keys::state(tick.name, &name));
            let in_time = lease.holds() && tokio::time::Instant::now() + RESERVE < tick.deadline;
            let unmanaged = Unmanaged { alias, left: None, done: Vec::new(), error: None };
            let outcome = quarantined(async {
                if prunes && in_time {
                    let done = Box::pin(close(tick, lease, in_force, &name, &unmanaged.alias, has_state)).await?;
                    return Ok::<_, String>(Unmanaged { done, ..unmanaged.clone() });
                }
                let state = if has_state { read(tick, &name).await?.0 } else { None };
                Ok(Unmanaged { left: state.as_ref().map(unmanaged::left), ..unmanaged.clone() })
            });
            let told = outcome.await.unwrap_or_else(|error| {
                tracing::warn!(service = %name, error, "a service that is not in Git any more could not be closed");
                Unmanaged { error: Some(error), ..unmanaged.clone() }
            });
            (name, told)
        })
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    wanted
        .document
        .unmanaged
        .retain(|name, _| !told.iter().any(|(closed, told)| closed == name && !told.done.is_empty()));
    told.into_iter().collect()
}

/// What is stored of its transition, with the token for replacing it. What cannot be read counts as lost.
async fn read(tick: &Tick<'_>, service: &ServiceName) -> Result<(Option<ServiceState>, Option<ETag>), String> {
    match tick.store.get(&keys::state(tick.name, service)).await {
        Ok(Some(stored)) => Ok((Some(stored.value), Some(stored.etag))),
        Ok(None) => Ok((None, None)),
        Err(store::Error::Broken { etag, .. }) => Ok((None, Some(etag))),
        Err(error) => Err(error.to_string()),
    }
}

/// Closes a service; gives what was done, in words, which is never nothing.
async fn close(
    tick: &Tick<'_>,
    lease: &Lease,
    wanted: &Wanted,
    service: &ServiceName,
    alias: &str,
    has_state: bool,
) -> Result<Vec<String>, String> {
    let (state, etag) = if has_state { read(tick, service).await? } else { (None, None) };
    let head = history::head(tick.store, tick.name, service).await.map_err(|error| error.to_string())?;
    let place = alias.split_once(':');
    let live = match (
        place,
        state.as_ref().filter(|state| state.phase.has_traffic() || matches!(state.phase, Phase::Preparing { .. })),
    ) {
        (Some((function, alias)), Some(_)) => match lambda::get_alias(tick.lambda(), function, alias).await {
            Ok(read) => Some(read.live),
            // There is nothing to turn back.
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.to_string()),
        },
        _ => None,
    };
    let closing = unmanaged::close(&Removed {
        environment: tick.name,
        service,
        commit: &wanted.document.commit,
        actor: tick.actor,
        now: lease.now(),
        tick: tick.id,
        state: state.as_ref(),
        head: head.as_ref().map(|newest| &newest.head),
        alias: live.as_ref(),
    });
    let mut done = words(&closing);
    execute(tick, service, place, closing, head, etag).await.map_err(|error| error.to_string())?;
    if done.is_empty() {
        done.push("nothing of it is kept".to_owned());
    }
    for done in &done {
        tracing::info!(%service, "{done}");
    }
    Ok(done)
}

/// Does it, in order. What a tick leaves undone when it dies the next one decides again.
async fn execute(
    tick: &Tick<'_>,
    service: &ServiceName,
    place: Option<(&str, &str)>,
    closing: Closing,
    mut head: Option<Newest>,
    mut etag: Option<ETag>,
) -> Result<(), Failed> {
    let name = keys::state(tick.name, service);
    let Closing { returning, back, records } = closing;
    if let Some(returning) = returning {
        let condition = etag.take().map_or(If::Absent, If::Unchanged);
        etag = Some(tick.store.put(&name, &*returning, condition).await?);
    }
    if let (Some(Back { version, marker, if_revision }), Some((function, alias))) = (back, place) {
        let traffic = Traffic { version, additional: None, marker: &marker };
        lambda::update_alias(tick.lambda(), function, alias, traffic, &if_revision).await?;
    }
    for record in records {
        head = Some(history::append(tick.store, head.as_ref(), record).await?);
    }
    if let Some(etag) = etag {
        tick.store.delete(&name, &etag).await?;
    }
    Ok(())
}

/// Why a service could not be closed.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Call(#[from] crate::aws::CallError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// What closes a service, as people read it.
fn words(closing: &Closing) -> Vec<String> {
    let Closing { returning: _, back, records } = closing;
    let back = back.iter().map(|back| format!("return all traffic to version {}", back.version));
    let recorded = |record: &Record| format!("record transition {} as {}", record.number, record.kind.as_str());
    back.chain(records.iter().map(recorded)).collect()
}

/// What becomes of a service that is not in a working tree any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaves {
    /// Its alias, which is left as it is.
    pub alias: String,
    /// What would be done, in words.
    pub actions: Vec<String>,
}

/// What becomes of the services that an environment does not have any more; nothing is changed.
///
/// # Errors
/// Where stored state cannot be read.
pub async fn leaves(
    tick: &Tick<'_>,
    environment: &Environment,
    removed: BTreeMap<ServiceName, String>,
) -> Result<BTreeMap<ServiceName, Leaves>, Error> {
    let states = if removed.is_empty() { BTreeSet::new() } else { load_states(tick).await? };
    let mut leaves = BTreeMap::new();
    for (name, alias) in removed {
        let has_state = states.contains(&keys::state(tick.name, &name));
        let state = if has_state { read(tick, &name).await.ok().and_then(|(state, _)| state) } else { None };
        let mut actions = Vec::new();
        if environment.prune {
            let turned = state.filter(|state| state.phase.has_traffic()).and_then(|state| state.from?.version);
            actions.extend(turned.map(|stable| format!("return all traffic to version {stable}")));
            actions.push("record that nobody manages it any more".to_owned());
        }
        leaves.insert(name, Leaves { alias, actions });
    }
    Ok(leaves)
}

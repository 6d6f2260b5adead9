//! Keeps what Git wants, with what its tags were resolved to: one document, that all shards of an environment write.
//!
//! That another one wrote first is ordinary. It is read again and observed again: a pin that is there stays.
use chrono::{DateTime, Timelike as _, Utc};

use super::{Error, Releases, Tick, check_asked_for, pins, repin};
use crate::store::desired::DesiredDocument;
use crate::store::{self, If, Stored, keys};
use crate::wanted::{self, NothingKnown, Wanted};

/// How often it is tried beyond once for each of the others, of whom one wins each time.
const ATTEMPTS: usize = 4;

/// In which minutes it is looked at whether the document is there still.
const LOOK_AGAIN: u32 = 10;

/// What is wanted, as it is stored.
pub(super) struct Agreed {
    /// The document.
    pub(super) stored: Stored<DesiredDocument>,
    /// The same, validated.
    pub(super) wanted: Wanted,
    /// The release of each service.
    pub(super) releases: Releases,
    /// What came of asking again what a tag names, where a person wanted that.
    pub(super) repinned: Option<String>,
}

/// Observes Git, resolves what is new of this shard, and stores it. `recalled` is what this process knows to be stored, if nobody
/// wrote since; `applied` is the commit that the last tick decided from, or why nobody knows which it was.
///
/// # Errors
/// Where stored state cannot be read or written, or a person asked for what is not there.
pub(super) async fn agree(
    tick: &Tick<'_>,
    recalled: Option<Stored<DesiredDocument>>,
    applied: Result<Option<&str>, store::Error>,
) -> Result<Result<Agreed, NothingKnown>, Error> {
    let mut is_recalled = recalled.is_some();
    let mut stored = match recalled {
        Some(recalled) => Some(recalled),
        None => load(tick).await?,
    };
    // Without either nobody knows whether the branch was rewritten since.
    let applied = match (applied, &stored) {
        (Ok(applied), _) => applied,
        (Err(_), Some(_)) => None,
        (Err(error), None) => return Err(error.into()),
    };
    for _ in 0..attempts(tick) {
        let document = stored.as_ref().map(|stored| stored.value.clone());
        let repository = tick.origin.repository().await;
        let observed = wanted::observe(tick.name, repository, document, applied, &tick.accept).await;
        if is_recalled
            && let Some(recalled) = &stored
            && !still_holds(tick, recalled, observed.as_ref().ok())
        {
            let newer = found_again(tick, recalled).await?;
            is_recalled = false;
            if newer.etag != recalled.etag {
                stored = Some(newer);
                continue;
            }
        }
        let mut wanted = match observed {
            Ok(wanted) => wanted,
            Err(known) => return Ok(Err(known)),
        };
        check_asked_for(tick, &wanted)?;
        let repinned = match tick.only.filter(|_| tick.repin) {
            Some(service) => Some(repin::repin(tick, &mut wanted, service).await?),
            None => None,
        };
        let releases = pins::resolve(tick, &mut wanted, |_| true).await;
        match save(tick, stored, &wanted.document).await {
            Ok(stored) => return Ok(Ok(Agreed { stored, wanted, releases, repinned })),
            Err(store::Error::Raced { .. }) => stored = load(tick).await?,
            Err(error) => return Err(error.into()),
        }
        is_recalled = false;
    }
    Err(store::Error::Raced { key: keys::desired(tick.name) }.into())
}

/// What is remembered of the stored document. One tick in ten looks whether it is there still, and stores it again where it was lost:
/// words go by it, also while Git is down, and nobody else would notice.
pub(super) async fn kept(
    tick: &Tick<'_>,
    now: DateTime<Utc>,
    recalled: Stored<DesiredDocument>,
) -> Stored<DesiredDocument> {
    if !now.minute().is_multiple_of(LOOK_AGAIN) {
        return recalled;
    }
    found_again(tick, &recalled).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "it is not known whether the last good content is stored still");
        recalled
    })
}

/// What is stored now; where it was lost, what is remembered, stored again.
async fn found_again(
    tick: &Tick<'_>,
    recalled: &Stored<DesiredDocument>,
) -> Result<Stored<DesiredDocument>, store::Error> {
    if let Some(stored) = load(tick).await? {
        return Ok(stored);
    }
    match save(tick, None, &recalled.value).await {
        Err(raced @ store::Error::Raced { .. }) => load(tick).await?.ok_or(raced),
        saved => saved,
    }
}

/// Whether what is remembered can be gone by without a look: while it is what Git says, and nobody else can have added to it what
/// this tick needs.
fn still_holds(tick: &Tick<'_>, stored: &Stored<DesiredDocument>, observed: Option<&Wanted>) -> bool {
    let Some(wanted) = observed else { return false };
    let others = wanted.environment.services.values().filter(|service| !tick.shard.takes(&service.name));
    wanted.hold.is_none()
        && wanted.document.commit == stored.value.commit
        && others.into_iter().all(|service| pins::is_pinned(&stored.value, service))
}

/// Stores what history is known to end with. It saves looks, so that others write each time fails nothing.
///
/// # Errors
/// Where stored state cannot be read or written.
pub(super) async fn note(
    tick: &Tick<'_>,
    mut stored: Stored<DesiredDocument>,
    mut document: DesiredDocument,
) -> Result<Option<Stored<DesiredDocument>>, Error> {
    for _ in 0..attempts(tick) {
        match save(tick, Some(stored), &document).await {
            Ok(stored) => return Ok(Some(stored)),
            Err(store::Error::Raced { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        match load(tick).await? {
            Some(newer) => stored = newer,
            None => break,
        }
        document = noted(tick, stored.value.clone(), &document);
    }
    tracing::warn!("the desired document was changed by somebody else each time: history is looked at again");
    Ok(None)
}

/// What somebody else stored, with what is known here of the history of this shard's services.
fn noted(tick: &Tick<'_>, mut theirs: DesiredDocument, ours: &DesiredDocument) -> DesiredDocument {
    for (name, pin) in ours.pins.iter().filter(|(name, _)| tick.shard.takes(name)) {
        if let Some(found) = theirs.pins.get_mut(name)
            && (&found.artifact, &found.code) == (&pin.artifact, &pin.code)
        {
            found.recorded.clone_from(&pin.recorded);
            found.reserved_concurrency = pin.reserved_concurrency;
        }
    }
    theirs
}

fn attempts(tick: &Tick<'_>) -> usize {
    ATTEMPTS.saturating_add(tick.shard.of().count().into())
}

/// The last valid content. A broken copy counts as lost: Git has it. It stays until what Git has is written over it, so that
/// no role needs a right to delete it.
pub(super) async fn load(tick: &Tick<'_>) -> Result<Option<Stored<DesiredDocument>>, store::Error> {
    match tick.store.get(&keys::desired(tick.name)).await {
        Err(store::Error::Broken { key, message, .. }) => {
            tracing::warn!(key, message, "the last good content cannot be read: it is read from Git again");
            Ok(None)
        }
        other => other,
    }
}

/// Stores the document, where it is not what is stored.
///
/// # Errors
/// Where somebody else wrote meanwhile, or the store does not answer.
pub(super) async fn save(
    tick: &Tick<'_>,
    stored: Option<Stored<DesiredDocument>>,
    document: &DesiredDocument,
) -> Result<Stored<DesiredDocument>, store::Error> {
    let condition = match stored {
        Some(stored) if stored.value == *document => return Ok(stored),
        Some(stored) => If::Unchanged(stored.etag),
        None => If::Absent,
    };
    let name = keys::desired(tick.name);
    let etag = match tick.store.put(&name, document, condition.clone()).await {
        Err(store::Error::Raced { key }) if condition == If::Absent => {
            match tick.store.get::<DesiredDocument>(&name).await {
                Err(store::Error::Broken { etag, .. }) => tick.store.put(&name, document, If::Unchanged(etag)).await?,
                Ok(_) => return Err(store::Error::Raced { key }),
                Err(error) => return Err(error),
            }
        }
        written => written?,
    };
    Ok(Stored { value: document.clone(), etag })
}

//! History in S3: records that are only ever created, and a head that names the last.
use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, TryStreamExt as _};
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::history::{Head, Record, RecordHash, hash_bytes};
use tidegate_core::ids::TransitionNumber;

use super::{Error, If, Store, Stored, keys};

/// How many records are read at a time: ten thousand of them take seconds, and S3 takes thousands of reads a second.
const READS_AT_ONCE: usize = 32;

/// How many records a head that was lost is made again from at most.
const MOST_REBUILT: usize = 10 * Head::RECENT;

/// All of a service's history, as it lies in the bucket.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The bytes of each record, by the number in its name.
    pub records: BTreeMap<TransitionNumber, Vec<u8>>,
    /// Names of objects that are neither records nor the head.
    pub strays: Vec<String>,
    /// The bytes of the head.
    pub head: Option<Stored<Vec<u8>>>,
}

/// The newest end of a service's history.
#[derive(Clone, Debug)]
pub struct Newest {
    /// As it is stored, or made again from the records.
    pub head: Head,
    /// Whether what is stored is gone, broken, or behind the records.
    pub lost: bool,
    /// What the next write of it replaces.
    replaces: If,
}

/// The newest end of a service's history; `None` where there is none yet. One that is gone or broken is made again from the
/// last records, one that a process left behind that died after its record is moved on, and neither is written.
///
/// # Errors
/// Where the store does not answer, the head or the record after it is from a newer build, or the head is lost and the records do
/// not prove one another.
pub async fn head(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
) -> Result<Option<Newest>, Error> {
    let name = keys::head(environment, service);
    let (replaces, broken) = match store.get(&name).await {
        Ok(Some(Stored { value, etag })) => {
            let ahead = following(store, environment, service, &value).await?;
            let (lost, head) = (ahead.is_some(), ahead.unwrap_or(value));
            return Ok(Some(Newest { head, lost, replaces: If::Unchanged(etag) }));
        }
        Ok(None) => (If::Absent, None),
        Err(Error::Broken { key, message, etag }) => {
            let replaces = If::Unchanged(etag.clone());
            (replaces, Some(Error::Broken { key, message, etag }))
        }
        Err(error) => return Err(error),
    };
    match (rebuilt(store, environment, service).await?, broken) {
        (Some(head), _) => {
            tracing::warn!(%environment, %service, last = %head.number, "the history's head was lost: made again");
            Ok(Some(Newest { head, lost: true, replaces }))
        }
        (None, Some(broken)) => Err(broken),
        (None, None) => Ok(None),
    }
}

/// The head with the record that is stored after it, if there is one: what ended is known whatever follows, also where that would
/// not record it once more. A record that is not chained to the head is none of its history, which verification tells of.
async fn following(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
    head: &Head,
) -> Result<Option<Head>, Error> {
    let number = head.number.next();
    let name = keys::record(environment, service, number);
    let Some(found) = store.get_bytes(&name).await? else { return Ok(None) };
    let written: Record = match store.document(&name, &found) {
        Err(Error::Broken { .. }) => return Ok(None),
        read => read?,
    };
    let is_next = written.number == number && written.previous.as_ref() == Some(&head.hash);
    Ok(is_next.then(|| Head::after(Some(head), written, hash_bytes(&found.value))))
}

/// The head as the last records have it; `None` where there is no record. Older ones are read as long as they may tell of something to
/// go back to, and prove one another.
async fn rebuilt(store: &Store, environment: &EnvironmentName, service: &ServiceName) -> Result<Option<Head>, Error> {
    let names = store.list(&keys::history(environment, service)).await?;
    let numbers: BTreeSet<TransitionNumber> =
        names.iter().filter_map(|name| keys::record_number(environment, service, name)).collect();
    let Some(last) = numbers.last().copied() else { return Ok(None) };
    let newest: Vec<TransitionNumber> = numbers.into_iter().rev().take(MOST_REBUILT).collect();
    let mut pages = newest.chunks(Head::RECENT);
    let mut read = records(store, environment, service, pages.next().unwrap_or_default()).await?;
    let unproven = |why| Error::Unproven { key: store.key(&keys::head(environment, service)), why };
    let mut head = Head::rebuilt(last, &read).map_err(unproven)?;
    for page in pages {
        if head.is_whole() {
            break;
        }
        match records(store, environment, service, page).await {
            Ok(older) => read.extend(older),
            Err(Error::Broken { .. }) => break,
            Err(error) => return Err(error),
        }
        let Ok(longer) = Head::rebuilt(last, &read) else { break };
        head = longer;
    }
    Ok(Some(head))
}

/// Records with the hashes of their bytes; those that are gone are left out.
async fn records(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
    numbers: &[TransitionNumber],
) -> Result<BTreeMap<TransitionNumber, (RecordHash, Record)>, Error> {
    let reads = numbers.iter().map(|number| async move {
        let name = keys::record(environment, service, *number);
        let Some(stored) = store.get_bytes(&name).await? else { return Ok::<_, Error>(None) };
        let record: Record = store.document(&name, &stored)?;
        Ok(Some((*number, (hash_bytes(&stored.value), record))))
    });
    let read = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    read.try_filter_map(|found| async move { Ok(found) }).try_collect().await
}

/// Stores a head that was lost.
///
/// # Errors
/// [`Error::Raced`] where somebody else stored one meanwhile.
pub async fn restore(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
    newest: Newest,
) -> Result<Newest, Error> {
    let Newest { head, replaces, .. } = newest;
    let etag = store.put(&keys::head(environment, service), &head, replaces).await?;
    Ok(Newest { head, lost: false, replaces: If::Unchanged(etag) })
}

/// Appends a record after `before`, and moves the head to it.
///
/// # Errors
/// [`Error::Raced`] where somebody else appended meanwhile.
pub async fn append(store: &Store, before: Option<&Newest>, record: Record) -> Result<Newest, Error> {
    let (environment, service) = (record.environment.clone(), record.service.clone());
    let record_key = keys::record(&environment, &service, record.number);
    let appended = Head::append(before.map(|newest| &newest.head), record.clone())
        .map_err(|source| Error::Encode { key: record_key.clone(), source })?;
    #[cfg(feature = "planted")]
    if planted!(HeadBeforeRecord) {
        let condition = before.map_or(If::Absent, |newest| newest.replaces.clone());
        let etag = store.put(&keys::head(&environment, &service), &appended.head, condition).await?;
        store.put_bytes(&record_key, appended.bytes, If::Absent).await?;
        return Ok(Newest { head: appended.head, lost: false, replaces: If::Unchanged(etag) });
    }
    match store.put_bytes(&record_key, appended.bytes, If::Absent).await {
        Ok(_) => moved(store, &keys::head(&environment, &service), before, appended.head).await,
        Err(Error::Raced { key }) => taken_in(store, before, record, key).await,
        Err(error) => Err(error),
    }
}

/// Another record has the number already: somebody died between record and head. What is stored and chained to what stood before is
/// history, whoever wrote it.
async fn taken_in(store: &Store, before: Option<&Newest>, ours: Record, key: String) -> Result<Newest, Error> {
    let name = keys::record(&ours.environment, &ours.service, ours.number);
    let Some(found) = store.get_bytes(&name).await? else { return Err(Error::Raced { key }) };
    let written: Record = store.document(&name, &found)?;
    let previous = before.map(|newest| newest.head.hash.clone());
    if (written.number, &written.previous) != (ours.number, &previous) {
        return Err(Error::Raced { key });
    }
    let head_name = keys::head(&ours.environment, &ours.service);
    let is_ours = written.same_transition(&Record { previous, ..ours });
    let head = Head::after(before.map(|newest| &newest.head), written, hash_bytes(&found.value));
    let newest = moved(store, &head_name, before, head).await?;
    // Whoever meant to record something else has to look again: it may be told already.
    if is_ours { Ok(newest) } else { Err(Error::Raced { key }) }
}

/// Moves the head.
async fn moved(store: &Store, name: &str, before: Option<&Newest>, head: Head) -> Result<Newest, Error> {
    let condition = before.map_or(If::Absent, |newest| newest.replaces.clone());
    let etag = store.put(name, &head, condition).await?;
    Ok(Newest { head, lost: false, replaces: If::Unchanged(etag) })
}

/// The last `limit` records of a service, newest first: two calls for as many as the head carries, one for each beyond.
///
/// # Errors
/// Where the store does not answer, or a document is broken or from a newer build.
pub async fn last(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
    limit: usize,
) -> Result<Vec<Record>, Error> {
    let Some(newest) = head(store, environment, service).await? else { return Ok(Vec::new()) };
    let mut records: Vec<Record> = newest.head.recent.into_iter().take(limit).collect();
    let mut next = records.last().map_or(0, |oldest| oldest.number.0.saturating_sub(1));
    while records.len() < limit && next > 0 {
        let key = keys::record(environment, service, TransitionNumber(next));
        let Some(found) = store.get::<Record>(&key).await? else { break };
        records.push(found.value);
        next -= 1;
    }
    Ok(records)
}

/// One record; `None` where it is gone, or cannot be read as one.
///
/// # Errors
/// Where the store does not answer, or the record is from a newer build.
pub async fn record(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
    number: TransitionNumber,
) -> Result<Option<Record>, Error> {
    match store.get::<Record>(&keys::record(environment, service, number)).await {
        Ok(found) => Ok(found.map(|stored| stored.value)),
        Err(Error::Broken { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The text of one record, exactly as it is stored; `None` where there is none with this number.
///
/// # Errors
/// Where the store does not answer, or what is there is no text.
pub async fn stored(
    store: &Store,
    environment: &EnvironmentName,
    service: &ServiceName,
    number: TransitionNumber,
) -> Result<Option<String>, Error> {
    let name = keys::record(environment, service, number);
    let Some(Stored { value, etag }) = store.get_bytes(&name).await? else { return Ok(None) };
    let no_text = |_| Error::Broken { key: store.key(&name), message: "it is no text".to_owned(), etag };
    String::from_utf8(value).map(Some).map_err(no_text)
}

/// Reads all of a service's history.
///
/// The head is read first: a record that is appended meanwhile is one more than it knows, and never one too few.
///
/// # Errors
/// Where the store does not answer.
pub async fn archive(store: &Store, environment: &EnvironmentName, service: &ServiceName) -> Result<Archive, Error> {
    let head_name = keys::head(environment, service);
    let head = store.get_bytes(&head_name).await?;
    let (mut numbers, mut strays) = (Vec::new(), Vec::new());
    for name in store.list(&keys::history(environment, service)).await? {
        match keys::record_number(environment, service, &name) {
            Some(number) => numbers.push((number, name)),
            None if name == head_name => {}
            None => strays.push(name),
        }
    }
    let reads = numbers.into_iter().map(|(number, name)| async move {
        let found = store.get_bytes(&name).await?;
        Ok::<_, Error>(found.map(|found| (number, found.value)))
    });
    let read = futures::stream::iter(reads).buffer_unordered(READS_AT_ONCE);
    let records = read.try_filter_map(|found| async move { Ok(found) }).try_collect().await?;
    Ok(Archive { records, strays, head })
}

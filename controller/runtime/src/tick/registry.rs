//! The service registry in one tick: a parameter for each service, or one document that is written at most once.
//!
//! Parameter Store has no write that depends on what was read. So what is stored of a transition is cleared only by a tick that
//! read its entry in the document: what another writer dropped is written again by the next tick, because its transition still waits.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use release_schema::{Service, ServiceName};
use tidegate_core::live::Seen as Found;
use tidegate_core::registry::{Document, Entry, Listed, Registered, parameter_name};
use tokio::sync::OnceCell;

use super::{Seen, Tick, report};
use crate::aws::{CallError, Kind, parameters};
use crate::config::Registry;
use crate::store::lease::Lease;

/// What one tick knows of the document.
#[derive(Debug, Default)]
pub struct InOne {
    /// As it was read first; `None` where that failed, which is said already.
    read: OnceCell<Option<Document>>,
    /// What is to be written at the tick's end.
    wanted: Mutex<BTreeMap<ServiceName, Listed>>,
}

/// Whether the registry tells of a service.
pub(super) enum Told {
    /// It does.
    Yes,
    /// It will at the end of this tick. A later one has to see that: what follows in the plan waits for it.
    Noted,
    /// There was no turn for it: what follows in the plan waits for the next tick.
    Later,
    /// It does not, and nothing waits for it.
    No,
}

/// What the registry tells of a service. An entry that cannot be read is none.
pub(super) async fn registered(tick: &Tick<'_>, service: &Service, seen: &Seen) -> Found<Registered> {
    let alias_arn = seen.function_arn.as_ref().map(|arn| format!("{arn}:{}", service.alias));
    let compare = |version, found: &str| {
        let names_alias = alias_arn.as_ref().is_none_or(|arn| arn == found);
        Found::Found(Registered::Entry { version, names_alias })
    };
    match &tick.config.registry {
        Registry::None {} => Found::Found(Registered::NotSeen),
        Registry::PerService { path } => {
            let name = parameter_name(path.as_str(), tick.name, &service.name);
            match parameters::get(&tick.clients.ssm, &name).await {
                Ok(text) => {
                    let entry = text.and_then(|text| serde_json::from_str::<Entry>(&text).ok());
                    entry.map_or(Found::Missing, |entry| compare(entry.version, &entry.alias_arn))
                }
                Err(error) => {
                    tick.failed.note(&error, 1, NOT_COMPARED);
                    Found::Found(Registered::NotSeen)
                }
            }
        }
        Registry::Document { name } => {
            let Some(document) = first_read(tick, name.as_str()).await else {
                return Found::Found(Registered::NotSeen);
            };
            if let Some(listed) = document.services.get(&service.name) {
                return compare(listed.version, &listed.alias_arn);
            }
            let version = seen.world.serving.found().and_then(|serving| serving.version);
            let (Some(alias_arn), Some(version)) = (alias_arn, version) else { return Found::Missing };
            let listed = Listed { alias_arn, version, tag: report::label(service).parse().ok() };
            let with = document.with(BTreeMap::from([(service.name.clone(), listed)]));
            too_long(&with).map_or(Found::Missing, |bytes| Found::Found(Registered::Full { bytes }))
        }
    }
}

const NOT_COMPARED: &str = "the service registry cannot be compared";
const NOT_TOLD: &str = "the service registry cannot be told";

/// Tells the registry of a service. A tick waits for its turn, and writes a document at its end; a person's word has no tick
/// that it could wait for.
///
/// # Errors
/// Where Parameter Store refuses a parameter of its own, or does not answer.
pub(super) async fn tell(
    tick: &Tick<'_>,
    lease: Option<&Lease>,
    service: &ServiceName,
    entry: Entry,
) -> Result<Told, super::execute::Error> {
    match &tick.config.registry {
        Registry::None {} => Ok(Told::No),
        Registry::PerService { path } => {
            if !is_our_turn(tick, lease.is_some()).await {
                return Ok(Told::Later);
            }
            let name = parameter_name(path.as_str(), tick.name, service);
            let encode = |source| crate::store::Error::Encode { key: name.clone(), source };
            let value = serde_json::to_string(&entry).map_err(encode)?;
            parameters::put(&tick.clients.ssm, &name, &value).await?;
            Ok(Told::Yes)
        }
        Registry::Document { name } => {
            let Some(document) = first_read(tick, name.as_str()).await else { return Ok(Told::Later) };
            let listed = Listed::from(entry);
            if document.services.get(service) == Some(&listed) {
                return Ok(Told::Yes);
            }
            if !tick.registry.want(document, service, listed) {
                tick.failed.note(&full(name.as_str(), document), 1, NOT_TOLD);
                return Ok(Told::No);
            }
            if lease.is_none() {
                write(tick).await;
            }
            Ok(Told::Noted)
        }
    }
}

impl InOne {
    /// Notes an entry for the tick's end; `false` where there is no room for it.
    fn want(&self, document: &Document, service: &ServiceName, listed: Listed) -> bool {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let with = wanted.clone().into_iter().chain([(service.clone(), listed.clone())]).collect();
        let fits = too_long(&document.with(with)).is_none();
        if fits {
            wanted.insert(service.clone(), listed);
        }
        fits
    }

    fn take(&self) -> BTreeMap<ServiceName, Listed> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes what the tick has to tell, in one call, over what the document says by now. What fails is told by a later tick.
pub(super) async fn write(tick: &Tick<'_>) {
    let Registry::Document { name } = &tick.config.registry else { return };
    let wanted = tick.registry.take();
    if wanted.is_empty() || !is_our_turn(tick, tick.only.is_none()).await {
        return;
    }
    let services = wanted.len();
    if let Err(error) = merge(tick, name.as_str(), wanted).await {
        tick.failed.note(&error, services, NOT_TOLD);
        return;
    }
    tracing::info!(services, parameter = name.as_str(), "tell the service registry");
}

async fn merge(tick: &Tick<'_>, name: &str, wanted: BTreeMap<ServiceName, Listed>) -> Result<(), CallError> {
    let now = read(tick, name).await?;
    let merged = now.with(wanted);
    if merged == now {
        return Ok(());
    }
    if too_long(&merged).is_some() {
        return Err(full(name, &now));
    }
    let value = merged.encode().map_err(|error| refused(name, error.to_string()))?;
    parameters::put(&tick.clients.ssm, name, &value).await
}

/// The document as this tick read it first.
async fn first_read<'a>(tick: &'a Tick<'_>, name: &str) -> Option<&'a Document> {
    let read = tick.registry.read.get_or_init(|| async {
        let outcome = read(tick, name).await;
        outcome
            .map_err(|error| tick.failed.note(&error, 0, "the service registry can be neither compared nor told"))
            .ok()
    });
    read.await.as_ref()
}

async fn read(tick: &Tick<'_>, name: &str) -> Result<Document, CallError> {
    match parameters::get(&tick.clients.ssm, name).await? {
        Some(text) => Document::parse(&text, tick.name).map_err(|error| refused(name, error.to_string())),
        None => Ok(Document::empty(tick.name.clone())),
    }
}

/// How long a document is, where that is more than a parameter takes.
fn too_long(document: &Document) -> Option<usize> {
    let bytes = document.encode().map_or(usize::MAX, |text| text.len());
    (bytes > Document::MOST_BYTES).then_some(bytes)
}

fn full(name: &str, document: &Document) -> CallError {
    let (services, most) = (document.services.len(), Document::MOST_BYTES);
    refused(
        name,
        format!(
            "a parameter takes {most} bytes, and there is no room beside {services} services; `registry: {{ form: perService }}` in the environment's configuration has room for all"
        ),
    )
}

/// A write that is not tried.
fn refused(name: &str, message: String) -> CallError {
    CallError { operation: parameters::PUT, resource: name.to_owned(), kind: Kind::Invalid, code: None, message }
}

/// Parameter Store takes few writes: a tick waits for its turn, and whoever says a word does not. What is left behind it in
/// the plan keeps it known that the registry was not told.
async fn is_our_turn(tick: &Tick<'_>, waits: bool) -> bool {
    let registry = &tick.clients.budgets.registry;
    let turn = if waits { registry.take(tick.ends()).await } else { registry.take_now() };
    turn.is_ok()
}

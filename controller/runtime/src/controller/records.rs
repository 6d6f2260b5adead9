//! Reads histories: their newest records, one record in full, and all of them to find what is not as it was written.
use std::collections::BTreeSet;

use futures::StreamExt as _;
use release_schema::{Environment, EnvironmentName, Service, ServiceName};
use tidegate_core::history::{Head, Record};
use tidegate_core::ids::TransitionNumber;
use tidegate_core::report::{Failure, FailureKind};
use tidegate_core::shard::Shard;
use tidegate_core::state::ServiceState;
use tidegate_core::verify::{Alias, Evidence, Verification, verify};

use super::{Controller, Reached, known, refused, unavailable};
use crate::aws::error::chain;
use crate::aws::lambda;
use crate::config::{self, Configuration};
use crate::nearest::nearest;
use crate::store::desired::DesiredDocument;
use crate::store::{self, Store, history, keys};
use crate::wanted;

/// How many histories are verified at a time.
const HISTORIES_AT_ONCE: usize = 4;

/// How often a history that is being written is read anew before its findings count.
const ATTEMPTS: usize = 3;

/// How many names somebody is told who asks for a service that is not there.
const NAMED: usize = 5;

/// What came of looking at a service's history, or why it could not be looked at.
pub type Verified = Result<Verification, Failure>;

/// What an environment's histories are read with.
struct Reader<'a> {
    environment: &'a EnvironmentName,
    store: &'a Store,
    reached: &'a Reached,
    /// What Git wants, as it was last valid: it says which alias is whose.
    wanted: &'a Result<Environment, String>,
}

impl Controller {
    pub(super) async fn history(
        &self,
        configuration: &Configuration,
        environment: &EnvironmentName,
        service: Option<&ServiceName>,
        limit: usize,
    ) -> Result<Vec<Record>, Failure> {
        known(configuration, environment)?;
        let store = self.state(configuration);
        let failed = |error: store::Error| unavailable(Some(environment), &error);
        let services = match service {
            Some(service) => vec![service.clone()],
            None => with_history(&store, environment).await.map_err(failed)?,
        };
        let mut records = Vec::new();
        for name in &services {
            records.extend(history::last(&store, environment, name, limit).await.map_err(failed)?);
        }
        if let Some(service) = service.filter(|_| records.is_empty()) {
            return Err(without_history(&store, environment, service).await);
        }
        records.sort_by_key(|record| std::cmp::Reverse((record.finished, record.number)));
        records.truncate(limit);
        Ok(records)
    }

    /// The text of one record, exactly as it is stored.
    pub(super) async fn record(
        &self,
        configuration: &Configuration,
        environment: &EnvironmentName,
        service: &ServiceName,
        number: TransitionNumber,
    ) -> Result<String, Failure> {
        known(configuration, environment)?;
        let store = self.state(configuration);
        let failed = |error: store::Error| unavailable(Some(environment), &error);
        if let Some(stored) = history::stored(&store, environment, service, number).await.map_err(failed)? {
            return Ok(stored);
        }
        let newest = history::head(&store, environment, service).await.map_err(failed)?;
        let head: Option<Head> = newest.map(|newest| newest.head);
        Err(match head {
            None => without_history(&store, environment, service).await,
            Some(head) if (TransitionNumber::FIRST..=head.number).contains(&number) => {
                let last = head.number;
                let message =
                    format!("record {number} of `{environment}/{service}` is missing: there should be {last}");
                Failure { environment: Some(environment.clone()), kind: FailureKind::Unavailable, message }
            }
            Some(head) => {
                let there = if head.number == TransitionNumber::FIRST {
                    "only record 1".to_owned()
                } else {
                    format!("records 1 to {}", head.number)
                };
                refused(environment, format!("`{environment}/{service}` has no record {number}; it has {there}"))
            }
        })
    }

    /// Looks at all records of a service, or of every service that has a history or is in Git, with the caller's own rights.
    /// Nothing is changed.
    ///
    /// # Errors
    /// Where the environment or the service is not known, or nothing can be read at all; what concerns one service stands
    /// with it.
    pub async fn verify(
        &self,
        environment: &EnvironmentName,
        service: Option<&ServiceName>,
    ) -> Result<Vec<(ServiceName, Verified)>, Failure> {
        let configuration = config::load(&self.source, &self.home, &self.kept)
            .await
            .map_err(|error| unavailable(Some(environment), &error))?;
        let (name, config) = known(&configuration, environment)?;
        let reached = self.reach(name, Shard::WHOLE, config).await;
        let store = self.state(&configuration);
        let failed = |error: store::Error| unavailable(Some(environment), &error);
        let wanted = last_wanted(&store, name).await;
        let of_git = || wanted.iter().flat_map(|wanted| wanted.services.keys().cloned());
        let mut services: BTreeSet<ServiceName> =
            with_history(&store, name).await.map_err(failed)?.into_iter().collect();
        services.extend(of_git());
        if let Some(service) = service {
            if !services.contains(service) {
                return Err(without_history(&store, name, service).await);
            }
            services.retain(|other| other == service);
        }
        let reader = Reader { environment: name, store: &store, reached: &reached, wanted: &wanted };
        let verified = services.into_iter().map(|service| {
            let reader = &reader;
            async move {
                let verified = reader.verified(&service).await;
                (service, verified.map_err(|error| unavailable(Some(name), &error)))
            }
        });
        Ok(futures::stream::iter(verified).buffered(HISTORIES_AT_ONCE).collect().await)
    }
}

impl Reader<'_> {
    /// Reads and verifies one history. Where somebody wrote while it was read, what was found may be that: it is read anew.
    async fn verified(&self, service: &ServiceName) -> Result<Verification, store::Error> {
        let mut attempt = 1;
        loop {
            let alias = self.alias(service).await;
            let under_way = self.under_way(service).await?;
            let archive = history::archive(self.store, self.environment, service).await?;
            let verification = verify(&Evidence {
                environment: self.environment,
                service,
                records: &archive.records,
                strays: &archive.strays,
                head: archive.head.as_ref().map(|head| head.value.as_slice()),
                alias: &alias,
                under_way,
            });
            if verification.findings.is_empty() || attempt == ATTEMPTS {
                return Ok(verification);
            }
            let head = self.store.get_bytes(&keys::head(self.environment, service)).await?;
            let same_head = head.map(|head| head.etag) == archive.head.map(|head| head.etag);
            if same_head && self.alias(service).await == alias {
                return Ok(verification);
            }
            attempt += 1;
        }
    }

    /// The service's alias, as far as it can be asked.
    async fn alias(&self, service: &ServiceName) -> Alias {
        let unreadable = |message: String| Alias::Unreadable { message };
        let service: &Service = match self.wanted.as_ref().map(|wanted| wanted.services.get(service)) {
            Err(message) => return unreadable(message.clone()),
            Ok(None) => return Alias::NotInGit,
            Ok(Some(service)) => service,
        };
        let Service { function, alias, .. } = service;
        if !self.reached.config.allows(function) {
            return unreadable(format!("function `{function}` is none that `{}` may manage", self.environment));
        }
        let clients = &self.reached.clients;
        match lambda::get_alias(clients.patiently(&clients.budgets.words), function.as_str(), alias.as_str()).await {
            Ok(read) => read.live.marker.map_or(Alias::Unmarked, Alias::Marked),
            Err(error) if error.is_not_found() => Alias::Missing,
            Err(error) => unreadable(chain(&error)),
        }
    }

    /// The transition that is under way, as stored. A document that cannot be read says of none.
    async fn under_way(&self, service: &ServiceName) -> Result<Option<TransitionNumber>, store::Error> {
        match self.store.get::<ServiceState>(&keys::state(self.environment, service)).await {
            Ok(state) => Ok(state.filter(|state| !state.value.phase.is_over()).map(|state| state.value.transition)),
            Err(store::Error::Broken { .. } | store::Error::Newer { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What Git wants, as it was last valid.
pub(super) async fn last_wanted(store: &Store, environment: &EnvironmentName) -> Result<Environment, String> {
    match store.get::<DesiredDocument>(&keys::desired(environment)).await {
        Ok(Some(stored)) => match wanted::stored(environment, stored.value) {
            Ok(wanted) => Ok(wanted.environment),
            Err(nothing) => Err(nothing.reason.to_string()),
        },
        Ok(None) => Err(format!("it is not known what Git wants of `{environment}`: no tick of it has ended")),
        Err(error) => Err(chain(&error)),
    }
}

/// The services that have a history.
async fn with_history(store: &Store, environment: &EnvironmentName) -> Result<Vec<ServiceName>, store::Error> {
    let folders = store.folders(&keys::histories(environment)).await?;
    Ok(folders.iter().filter_map(|name| name.parse().ok()).collect())
}

/// The answer where somebody asks for the history of a service that has none.
async fn without_history(store: &Store, environment: &EnvironmentName, service: &ServiceName) -> Failure {
    match with_history(store, environment).await {
        Err(error) => unavailable(Some(environment), &error),
        Ok(all) if all.is_empty() => refused(environment, format!("`{environment}` has no history yet")),
        Ok(all) => {
            let these = named(&nearest(service, &all));
            refused(environment, format!("`{environment}/{service}` has no history; these have: {these}"))
        }
    }
}

/// The first names, and how many more there are.
fn named(all: &[&ServiceName]) -> String {
    let mut names: Vec<String> = all.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    let more = all.len().saturating_sub(NAMED);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn services(names: &[&str]) -> Vec<ServiceName> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn an_unknown_service_is_told_the_nearest_names_and_how_many_more_there_are() {
        let all =
            services(&["billing", "flight-bff", "flight-service", "payment", "reservation-service", "search", "seats"]);
        let asked: ServiceName = "flight-servce".parse().unwrap();
        let text = named(&nearest(&asked, &all));
        assert!(text.starts_with("`flight-service`, `flight-bff`, "), "{text}");
        assert!(text.ends_with(", and 2 more"), "{text}");
        assert_eq!(text.matches('`').count(), 2 * NAMED, "{text}");
    }

    #[test]
    fn few_names_are_told_all() {
        let all = services(&["a", "b", "c", "d", "e"]);
        assert_eq!(named(&nearest(&all[0], &all)), "`a`, `b`, `c`, `d`, `e`");
    }
}

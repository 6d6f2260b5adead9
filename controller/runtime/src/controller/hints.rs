//! Looks where hints say: one targeted tick for each environment that they are about.
use std::collections::BTreeSet;

use release_schema::EnvironmentName;
use tidegate_core::report::{Answer, Failure, TickReport};
use tracing::Instrument as _;

use super::{Caller, Controller, failure_of, tick, unavailable};
use crate::aws::error::chain;
use crate::config::{self, Configuration, EnvironmentConfig, Installation};
use crate::hint::{Hint, Sighting};
use crate::store::Store;

/// What came of hints.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The report of each tick, and what could not be done.
    pub answer: Answer,
    /// The hints that could not be followed now: they are to come again.
    pub missed: BTreeSet<Hint>,
}

impl Controller {
    /// Looks at what somebody else's hand may have changed. Many hints are one tick, and one that is about nothing that is
    /// managed here is none.
    pub async fn look(&self, sightings: &BTreeSet<Sighting>, caller: &Caller) -> Looked {
        let configuration = match config::load(&self.source, &self.home, &self.kept).await {
            Ok(configuration) => configuration,
            Err(error) => {
                tracing::error!(error = chain(&error), "there is no configuration");
                let missed = sightings.iter().map(|sighting| sighting.hint.clone()).collect();
                return Looked { answer: Answer::Failed(unavailable(None, &error)), missed };
            }
        };
        let hints = others(sightings, &configuration);
        let looks = configuration.environments.iter().map(|(name, config)| {
            let about: Vec<&Hint> = hints.iter().copied().filter(|hint| hint.is_about(config)).collect();
            let installation = &configuration.installation;
            async move { (self.look_into(installation, name, config, &about, caller).await, about) }
        });
        let (mut reports, mut failures, mut missed) = (Vec::new(), Vec::new(), BTreeSet::new());
        for (outcome, about) in futures::future::join_all(looks).await {
            match outcome {
                Ok(report) => reports.extend(report),
                Err(failure) => {
                    failures.push(failure);
                    missed.extend(about.into_iter().cloned());
                }
            }
        }
        Looked { answer: Answer::Reports { reports, failures }, missed }
    }

    /// One environment; no tick of it where the hints are about nothing in it.
    async fn look_into(
        &self,
        installation: &Installation,
        name: &EnvironmentName,
        config: &EnvironmentConfig,
        hints: &[&Hint],
        caller: &Caller,
    ) -> Result<Option<TickReport>, Failure> {
        if hints.is_empty() {
            return Ok(None);
        }
        let span = tracing::info_span!("tick", tick = caller.id, environment = %name);
        async {
            let reached = self.reach(name, config).await;
            drop(reached.calls.take());
            let store = Store::new(reached.home.s3.clone(), installation.state.clone());
            let hinted = tick::hinted(&store, name, hints).await.map_err(|error| {
                tracing::warn!(error = chain(&error), "what hints are about is not known");
                unavailable(Some(name), &error)
            })?;
            let Some(hinted) = hinted else {
                tracing::debug!(hints = hints.len(), "the hints are about nothing that is managed, or under way");
                return Ok(None);
            };
            let origin = self.origin(installation, &reached);
            let tick = tick(name, installation, &reached, &store, &origin, caller);
            Box::pin(tick::targeted(&tick, &hinted)).await.map(Some).map_err(|error| {
                tracing::warn!(error = chain(&error), hinted = hinted.by, "there was no tick");
                failure_of(name, &error)
            })
        }
        .instrument(span)
        .await
    }
}

/// The hints of what others did. What the role of an environment did, Tidegate did.
fn others<'a>(sightings: &'a BTreeSet<Sighting>, configuration: &Configuration) -> BTreeSet<&'a Hint> {
    let roles: BTreeSet<&str> =
        configuration.environments.values().filter_map(|config| config.role_arn.as_deref()).collect();
    let is_own = |sighting: &Sighting| sighting.by_role.as_deref().is_some_and(|role| roles.contains(role));
    let (own, others): (Vec<&Sighting>, Vec<&Sighting>) = sightings.iter().partition(|sighting| is_own(sighting));
    if !own.is_empty() {
        tracing::debug!(hints = own.len(), "hints of what an environment's own role did are passed over");
    }
    others.into_iter().map(|sighting| &sighting.hint).collect()
}

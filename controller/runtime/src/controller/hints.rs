//! Looks where hints say: one targeted tick for each environment that they are about.
use std::collections::BTreeSet;

use release_schema::EnvironmentName;
use tidegate_core::report::{Answer, Failure, TickReport};
use tidegate_core::shard::Shard;
use tracing::Instrument as _;

use super::{Caller, Controller, failure_of, tick, tick_span, unavailable};
use crate::aws::error::chain;
use crate::config::{self, Configuration, EnvironmentConfig, Installation};
use crate::hint::{Hint, Sighting};
use crate::store::{self, Store, statuses};
use crate::tick::{self as ticking, Hinted};

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
        for (outcomes, about) in futures::future::join_all(looks).await {
            for outcome in outcomes {
                match outcome {
                    Ok(report) => reports.push(report),
                    Err(failure) => {
                        failures.push(failure);
                        missed.extend(about.iter().copied().cloned());
                    }
                }
            }
        }
        Looked { answer: Answer::Reports { reports, failures }, missed }
    }

    /// One environment: a tick of each shard that has a service which the hints are about, so none where there is none.
    async fn look_into(
        &self,
        installation: &Installation,
        name: &EnvironmentName,
        config: &EnvironmentConfig,
        hints: &[&Hint],
        caller: &Caller,
    ) -> Vec<Result<TickReport, Failure>> {
        if hints.is_empty() {
            return Vec::new();
        }
        let store = Store::new(self.home.s3.clone(), installation.state.clone());
        let of_shards = async {
            let Some(hinted) = ticking::hinted(&store, name, hints).await? else { return Ok(Vec::new()) };
            let by_shard = statuses::by_shard(&store, name, &hinted.services).await?;
            let part = |(shard, services)| (shard, Hinted { services, by: hinted.by.clone() });
            Ok::<_, store::Error>(by_shard.into_iter().map(part).collect())
        };
        let of_shards: Vec<(Shard, Hinted)> = match of_shards.await {
            Ok(of_shards) => of_shards,
            Err(error) => {
                tracing::warn!(error = chain(&error), environment = %name, "what hints are about is not known");
                return vec![Err(unavailable(Some(name), &error))];
            }
        };
        if of_shards.is_empty() {
            let hints = hints.len();
            tracing::debug!(hints, environment = %name, "the hints are about nothing that is managed, or under way");
        }
        let looks = of_shards.into_iter().map(|(shard, hinted)| async move {
            let span = tick_span(name, shard, caller);
            self.look_at(installation, name, config, (shard, &hinted), caller).instrument(span).await
        });
        futures::future::join_all(looks).await
    }

    async fn look_at(
        &self,
        installation: &Installation,
        name: &EnvironmentName,
        config: &EnvironmentConfig,
        (shard, hinted): (Shard, &Hinted),
        caller: &Caller,
    ) -> Result<TickReport, Failure> {
        let reached = self.reach(name, shard, config).await;
        drop(reached.calls.take());
        let store = Store::new(reached.home.s3.clone(), installation.state.clone());
        let origin = self.origin(installation, &reached);
        let tick = tick(name, installation, &reached, &store, &origin, caller);
        Box::pin(ticking::targeted(tick, hinted)).await.map_err(|error| {
            tracing::warn!(error = chain(&error), hinted = hinted.by, "there was no tick");
            failure_of(name, &error)
        })
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

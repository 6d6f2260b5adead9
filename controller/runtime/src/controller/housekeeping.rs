//! Deletes old versions because a person says so: where the environment's configuration says how long they are kept.
use std::collections::BTreeMap;

use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::report::Answer;
use tidegate_core::shard::Shard;
use tracing::Instrument as _;

use super::{Caller, Controller, failure_of, known, refused, tick, unavailable};
use crate::config::Configuration;
use crate::store::{Store, statuses};
use crate::tick::{self as ticking, Tick};

impl Controller {
    pub(super) async fn prune(
        &self,
        configuration: &Configuration,
        environment: &EnvironmentName,
        service: Option<&ServiceName>,
        dry_run: bool,
        caller: &Caller,
    ) -> Answer {
        let span = tracing::info_span!("prune", id = caller.id, %environment, dry_run);
        async {
            let (name, config) = match known(configuration, environment) {
                Ok(known) => known,
                Err(failure) => return Answer::Failed(failure),
            };
            let Some(policy) = config.version_housekeeping else {
                let message = format!(
                    "`versionHousekeeping` is not configured for `{name}`, so no version of it is ever deleted"
                );
                return Answer::Failed(refused(name, message));
            };
            let reached = self.reach(name, Shard::WHOLE, config).await;
            let store = Store::new(reached.home.s3.clone(), configuration.installation.state.clone());
            let origin = self.origin(&configuration.installation, &reached);
            let ordinary = tick(name, &configuration.installation, &reached, &store, &origin, caller);
            let tick = Tick { only: service, ..ordinary };
            let shards = match service {
                Some(service) => statuses::shard_of(&store, name, service).await.map(|shard| vec![shard]),
                None => statuses::shards(&store, name).await.map(|shards| shards.each().collect()),
            };
            let shards = match shards {
                Ok(shards) => shards,
                Err(error) => return Answer::Failed(unavailable(Some(name), &error)),
            };
            let outcomes = match Box::pin(ticking::prune(&tick, &shards, policy, dry_run)).await {
                Ok(outcomes) => outcomes,
                Err(error) => return Answer::Failed(failure_of(name, &error)),
            };
            let (mut services, mut failures) = (BTreeMap::new(), BTreeMap::new());
            for (service, outcome) in outcomes {
                match outcome {
                    Ok(pruned) => drop(services.insert(service, pruned)),
                    Err(failure) => drop(failures.insert(service, failure)),
                }
            }
            Answer::Versions { environment: name.clone(), services, failures }
        }
        .instrument(span)
        .await
    }
}

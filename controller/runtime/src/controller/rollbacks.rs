//! Rolls several services back with one command: those that depend on another before it.
use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt as _;
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::command::Word;
use tidegate_core::environment::{Turn, rollback_order};
use tidegate_core::report::Answer;
use tokio::time::timeout;

use super::{Caller, Controller, records, refused};
use crate::config::Configuration;
use crate::tick::{Back, Spoken};

/// How many services are rolled back at a time.
const AT_ONCE: usize = 16;

/// How long a service waits for those that depend on it: as long as an attempt of a call that hangs. Longer, and one of them
/// that cannot be reached would keep the others broken.
const PATIENCE: Duration = Duration::from_secs(10);

impl Controller {
    /// Rolls services back. One that others of them depend on waits until the traffic of these is back, or cannot
    /// be had back. Each call takes its turn in what people may call.
    pub(super) async fn roll_back(
        &self,
        configuration: &Configuration,
        environment: &EnvironmentName,
        services: &[ServiceName],
        word: Word,
        reason: &str,
        caller: &Caller,
    ) -> Answer {
        if reason.trim().is_empty() {
            return Answer::Failed(refused(environment, "a rollback needs a reason".to_owned()));
        }
        let turns = self.turns(configuration, environment, services).await;
        let back = Back::default();
        // In order, so whoever waits has those that it waits for in front of it: they run already, or are done.
        let rolling = turns.iter().map(|Turn { service, after }| {
            let back = &back;
            async move {
                let _late = timeout(PATIENCE, back.all(after)).await;
                let spoken = Spoken { service, word, reason: Some(reason), back: Some(back) };
                let outcome = self.say(configuration, environment, spoken, caller).await;
                back.tell(service);
                (service.clone(), outcome)
            }
        });
        let outcomes: Vec<_> = futures::stream::iter(rolling).buffered(AT_ONCE).collect().await;
        let (mut reports, mut failures) = (BTreeMap::new(), BTreeMap::new());
        for (service, outcome) in outcomes {
            match outcome {
                Ok(report) => drop(reports.insert(service, report)),
                // One service, and it failed: that is the answer.
                Err(failure) if services.len() == 1 => return Answer::Failed(failure),
                Err(failure) => drop(failures.insert(service, failure)),
            }
        }
        Answer::Services { environment: environment.clone(), reports, failures }
    }

    /// The order. Who depends on whom is what Git says, as it was last valid; where that cannot be read, it is the order as
    /// named.
    async fn turns(
        &self,
        configuration: &Configuration,
        environment: &EnvironmentName,
        services: &[ServiceName],
    ) -> Vec<Turn> {
        // One alone has no order: nothing is read for it.
        let wanted = match services {
            [] | [_] => None,
            [_, _, ..] => records::last_wanted(&self.state(configuration), environment).await.ok(),
        };
        rollback_order(services, &wanted.map(|wanted| wanted.services).unwrap_or_default())
    }
}

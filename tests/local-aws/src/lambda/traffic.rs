//! Traffic without programs: what many invocations through an alias would have left in CloudWatch.
//!
//! Nothing is run and nothing is refused: the states of versions and the limits of concurrency are not looked at.
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::metrics::{self, Batch, Seen};
use super::model::Alias;
use super::{Key, Target};
use crate::LocalAws;

/// An alias of the world, as traffic names it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct AliasRef {
    /// Twelve digits.
    pub account: String,
    /// For example `eu-central-1`.
    pub region: String,
    /// The function's name.
    pub function: String,
    /// The alias's name.
    pub alias: String,
}

impl AliasRef {
    fn target(&self) -> Target {
        let Self { account, region, function, alias } = self.clone();
        Target { key: Key { account, region, name: function }, qualifier: Some(alias) }
    }
}

/// How one invocation goes.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Whether it fails.
    pub failed: bool,
    /// How long it takes.
    pub duration: Duration,
}

/// How many invocations go.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// How many run.
    pub invocations: u32,
    /// How many of those fail.
    pub errors: u32,
    /// How many more are refused.
    pub throttles: u32,
    /// How long each one runs.
    pub duration: Duration,
}

impl LocalAws {
    /// So many requests through an alias, now: [`Self::drive_at`] of this moment.
    pub fn drive(
        &self,
        account: &str,
        region: &str,
        function: &str,
        alias: &str,
        requests: u32,
        serve: impl FnMut(&str, &mut fastrand::Rng) -> Served,
    ) -> BTreeMap<String, u32> {
        let [account, region, function, alias] = [account, region, function, alias].map(str::to_owned);
        self.drive_at(&AliasRef { account, region, function, alias }, self.clock().now(), requests, serve)
    }

    /// So many requests through an alias in the minute of `at`: routed by its weights and by the world's own chance, served
    /// as `serve` says of the version that each one meets, and measured. Gives how many each version had; nothing where there
    /// is no such alias.
    pub fn drive_at(
        &self,
        alias: &AliasRef,
        at: DateTime<Utc>,
        requests: u32,
        mut serve: impl FnMut(&str, &mut fastrand::Rng) -> Served,
    ) -> BTreeMap<String, u32> {
        let target = alias.target();
        let Some(alias) = self.alias(alias) else { return BTreeMap::new() };
        let mut met: BTreeMap<String, (u32, BTreeMap<Duration, u32>)> = BTreeMap::new();
        for _ in 0..requests {
            let (version, served) = self.random(|random| {
                let version = alias.route(at, || random.f64());
                let served = serve(&version, random);
                (version, served)
            });
            let (failed, durations) = met.entry(version).or_default();
            *failed += u32::from(served.failed);
            *durations.entry(served.duration).or_default() += 1;
        }
        let mut counts = BTreeMap::new();
        for (version, (failed, durations)) in met {
            let batch = Batch { durations: durations.into_iter().collect(), failed, throttled: 0, concurrent: 1 };
            metrics::publish(self, &target, Some(&version), Seen { at, received: at }, &batch);
            counts.insert(version, batch.durations.iter().map(|(_, count)| count).sum());
        }
        counts
    }

    /// Measures traffic of one version behind an alias, whatever the alias's weights are: what exactly as many invocations
    /// that began at `at` would have left. Whether there is such an alias and such a version.
    pub fn record_traffic(&self, alias: &AliasRef, version: &str, at: DateTime<Utc>, traffic: Traffic) -> bool {
        let target = alias.target();
        let known = {
            let mut state = self.lambda();
            let function = state.function(&target, self.clock().now()).ok();
            function.is_some_and(|it| it.aliases.contains_key(&alias.alias) && it.version(version).is_some())
        };
        if known {
            let Traffic { invocations, errors, throttles, duration } = traffic;
            let batch =
                Batch { durations: vec![(duration, invocations)], failed: errors, throttled: throttles, concurrent: 1 };
            metrics::publish(self, &target, Some(version), Seen { at, received: at }, &batch);
        }
        known
    }

    fn alias(&self, alias: &AliasRef) -> Option<Alias> {
        let mut state = self.lambda();
        let function = state.function(&alias.target(), self.clock().now()).ok()?;
        function.aliases.get(&alias.alias).cloned()
    }
}

//! Traffic without programs: what many invocations through an alias would have left in CloudWatch.
use std::collections::BTreeMap;
use std::time::Duration;

use super::metrics::{self, Observation};
use super::{Key, Target};
use crate::LocalAws;

/// How one invocation goes.
#[derive(Clone, Copy, Debug)]
pub struct Served {
    /// Whether it fails.
    pub failed: bool,
    /// How long it takes.
    pub duration: Duration,
}

impl LocalAws {
    /// So many requests through an alias, now: routed by its weights and by the world's own chance, served as `serve` says of
    /// the version that each one meets, and measured. Gives how many each version had; nothing where there is no such alias.
    pub fn drive(
        &self,
        account: &str,
        region: &str,
        function: &str,
        alias: &str,
        requests: u32,
        mut serve: impl FnMut(&str, &mut fastrand::Rng) -> Served,
    ) -> BTreeMap<String, u32> {
        let key = Key { account: account.to_owned(), region: region.to_owned(), name: function.to_owned() };
        let target = Target { key, qualifier: Some(alias.to_owned()) };
        let now = self.clock().now();
        let routes = self.lambda().function(&target, now).ok().and_then(|function| {
            let alias = function.aliases.get(alias)?;
            Some((alias.version.clone(), alias.additional))
        });
        let Some((primary, additional)) = routes else { return BTreeMap::new() };
        let mut met: BTreeMap<String, u32> = BTreeMap::new();
        for _ in 0..requests {
            let (version, served) = self.random(|random| {
                let version = match additional {
                    Some((other, weight)) if random.f64() < weight => other.to_string(),
                    _ => primary.clone(),
                };
                let served = serve(&version, random);
                (version, served)
            });
            let Served { failed, duration } = served;
            let ran = Observation::Ran { failed, duration, concurrent: 1 };
            metrics::publish(self, &target, Some(&version), now, &ran);
            *met.entry(version).or_default() += 1;
        }
        met
    }
}

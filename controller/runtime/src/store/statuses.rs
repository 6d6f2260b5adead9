//! Reads the reports of an environment's schedules: its own one, one for each shard, and those that former shards left.
//!
//! Nobody is told into how many shards an environment is divided, but by its schedules. Who else has to know finds it here.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::report::TickReport;
use tidegate_core::shard::{Shard, Shards, merged};

use super::{Error, Store, keys};

/// For how long after a shard's tick nobody looks for what others left of its services.
pub const FRESH: TimeDelta = TimeDelta::minutes(3);

/// A report that is there, without its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Left {
    shard: Shard,
    written: DateTime<Utc>,
}

/// An environment's reports, the newest last: one list call.
async fn left(store: &Store, environment: &EnvironmentName) -> Result<Vec<Left>, Error> {
    let found = store.list_dated(&keys::statuses(environment)).await?.into_iter();
    let left =
        found.filter_map(|(name, written)| Some(Left { shard: keys::status_shard(environment, &name)?, written }));
    let mut left: Vec<Left> = left.collect();
    left.sort_by_key(|left| (left.written, left.shard));
    Ok(left)
}

/// How an environment stands as a whole, out of the last reports of its schedules; `None` before its first one.
///
/// # Errors
/// Where S3 does not answer with them, or one is of a newer build.
pub async fn whole(store: &Store, environment: &EnvironmentName) -> Result<Option<TickReport>, Error> {
    let telling = telling(&left(store, environment).await?);
    Ok(merged(read(store, environment, telling).await?))
}

/// What the last ticks left of the services of a shard, whoever ticked them: right after shards were split or merged, others.
///
/// # Errors
/// As [`whole`].
pub async fn before(
    store: &Store,
    environment: &EnvironmentName,
    shard: Shard,
    now: DateTime<Utc>,
) -> Result<Option<TickReport>, Error> {
    match store.get::<TickReport>(&keys::status(environment, shard)).await {
        Ok(Some(own)) if now - own.value.started <= FRESH => return Ok(Some(own.value)),
        Ok(_) | Err(Error::Broken { .. }) => {}
        Err(error) => return Err(error),
    }
    let left = left(store, environment).await?;
    // Those of former shards are not read where its own is newer.
    let own = left.iter().find(|left| left.shard == shard).map(|left| left.written);
    let telling = left.into_iter().filter(|left| left.shard.meets(shard) && own.is_none_or(|own| left.written >= own));
    let reports = read(store, environment, telling.map(|left| left.shard).collect()).await?;
    Ok(merged(reports).map(|report| of(report, shard)))
}

/// The part of a whole report that is a shard's.
fn of(report: TickReport, shard: Shard) -> TickReport {
    let services = report.services.into_iter().filter(|(name, _)| shard.takes(name)).collect();
    TickReport { shard, shards: BTreeMap::new(), services, ..report }
}

/// The shard that ticked a service last; the whole environment before its first tick.
///
/// # Errors
/// Where S3 does not answer.
pub async fn shard_of(store: &Store, environment: &EnvironmentName, service: &ServiceName) -> Result<Shard, Error> {
    Ok(last(&left(store, environment).await?, service))
}

/// These services by the shard that ticked each of them last: one list call.
///
/// # Errors
/// Where S3 does not answer.
pub async fn by_shard(
    store: &Store,
    environment: &EnvironmentName,
    services: &BTreeSet<ServiceName>,
) -> Result<BTreeMap<Shard, BTreeSet<ServiceName>>, Error> {
    let left = left(store, environment).await?;
    let mut by_shard: BTreeMap<Shard, BTreeSet<ServiceName>> = BTreeMap::new();
    for service in services {
        by_shard.entry(last(&left, service)).or_default().insert(service.clone());
    }
    Ok(by_shard)
}

/// The shard that ticked a service last.
fn last(left: &[Left], service: &ServiceName) -> Shard {
    left.iter().rev().map(|left| left.shard).find(|shard| shard.takes(service)).unwrap_or_default()
}

/// Into how many shards an environment is divided: as its newest report is.
///
/// # Errors
/// Where S3 does not answer.
pub async fn shards(store: &Store, environment: &EnvironmentName) -> Result<Shards, Error> {
    Ok(left(store, environment).await?.last().map_or(Shard::WHOLE, |left| left.shard).of())
}

/// The shards whose reports say something still. Those of a former layout do not, once each shard that has a service in common
/// with them has ticked since.
fn telling(left: &[Left]) -> Vec<Shard> {
    let Some(in_force) = left.last().map(|newest| newest.shard.of()) else { return Vec::new() };
    let written = |shard: Shard| left.iter().find(|left| left.shard == shard).map(|left| left.written);
    let is_over = |former: &Left| {
        let mut heirs = in_force.each().filter(|heir| heir.meets(former.shard));
        heirs.all(|heir| written(heir).is_some_and(|written| written > former.written))
    };
    let says = left.iter().filter(|left| left.shard.of() == in_force || !is_over(left));
    says.map(|left| left.shard).collect()
}

/// These reports, all at once. One that cannot be read is no reason not to have the others.
async fn read(store: &Store, environment: &EnvironmentName, shards: Vec<Shard>) -> Result<Vec<TickReport>, Error> {
    let reads = shards.into_iter().map(|shard| async move {
        let name = keys::status(environment, shard);
        store.get::<TickReport>(&name).await
    });
    let (mut reports, mut broken) = (Vec::new(), None);
    for read in futures::future::join_all(reads).await {
        match read {
            Ok(stored) => reports.extend(stored.map(|stored| stored.value)),
            Err(error @ Error::Broken { .. }) => {
                tracing::warn!(%error, "a report cannot be read");
                broken = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match broken {
        Some(error) if reports.is_empty() => Err(error),
        Some(_) | None => Ok(reports),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reports in the order in which they were written, a minute between each.
    fn left(shards: &[&str]) -> Vec<Left> {
        let each = (0..).zip(shards).map(|(minute, shard)| Left {
            shard: shard.parse().unwrap(),
            written: DateTime::UNIX_EPOCH + chrono::TimeDelta::minutes(minute),
        });
        each.collect()
    }

    fn say(shards: &[&str]) -> Vec<String> {
        telling(&left(shards)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_former_report_says_something_until_all_its_heirs_have_ticked() {
        assert_eq!(say(&["1/1"]), ["1/1"]);
        assert_eq!(say(&["1/1", "1/2"]), ["1/1", "1/2"]);
        assert_eq!(say(&["1/1", "1/2", "2/2"]), ["1/2", "2/2"]);
        assert_eq!(say(&["1/2", "2/2", "1/4", "2/4", "3/4"]), ["2/2", "1/4", "2/4", "3/4"]);
        assert_eq!(say(&["1/3", "2/3", "3/3", "1/1"]), ["1/1"]);
        assert_eq!(say(&["2/3", "1/1", "1/3", "3/3"]), ["2/3", "1/1", "1/3", "3/3"]);
        assert_eq!(say(&[]), Vec::<String>::new());
    }
}

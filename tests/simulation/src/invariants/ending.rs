//! How it ends: invariant 4.
use local_aws::LocalAws;
use tidegate_core::history::Head;
use tidegate_core::report::TickReport;
use tidegate_core::status::{PhaseName, SyncStatus};

use super::{Violation, document};
use crate::facts::Facts;
use crate::release::{Place, function};
use crate::story::Ending;
use crate::world::{self, ACCOUNT, REGION};

/// Whether everything has ended in one of the ways that it may; why not, where it has not.
///
/// # Errors
/// The first service that has not.
pub fn ended(aws: &LocalAws, facts: &Facts, endings: &[Ending]) -> Result<(), String> {
    let mut places: Vec<Place> = endings.iter().map(Ending::place).collect();
    places.dedup();
    for place in places {
        let mut why = None;
        let mut of_place = endings.iter().filter(|ending| ending.place() == place);
        if !of_place.any(|ending| one(aws, facts, ending).map_err(|reason| why = Some(reason)).is_ok()) {
            return Err(format!("{}/{}: {}", place.0, place.1, why.unwrap_or_default()));
        }
    }
    Ok(())
}

fn one(aws: &LocalAws, facts: &Facts, ending: &Ending) -> Result<(), String> {
    let place = ending.place();
    let (environment, service) = place;
    let view = aws.function(ACCOUNT, REGION, &function(place)).ok_or("the function is gone")?;
    let alias = view.aliases.get(world::ALIAS).ok_or("there is no alias")?;
    if let Some((version, weight)) = alias.additional {
        return Err(format!("version {version} still has {weight} of the traffic"));
    }
    let version = alias.version.parse::<u64>().ok().and_then(|number| view.versions.get(&number));
    let live = version.and_then(|version| facts.tag(service, &version.code)).unwrap_or("something unknown");
    let report: Option<TickReport> = document(aws, &format!("status/{environment}.json"));
    let report = report.ok_or("there is no status")?;
    let standing = report.services.iter().find(|(name, _)| name.as_str() == service).ok_or("the status lacks it")?.1;
    if let Some(error) = &standing.error {
        return Err(format!("the last tick says: {error}"));
    }
    let (sync, phase) = (standing.standing.sync, standing.standing.phase);
    let is_synced = sync == SyncStatus::Synced && phase == PhaseName::Idle;
    let mut published = view.versions.values().filter_map(|version| facts.tag(service, &version.code));
    let (label, as_it_should) = match ending {
        Ending::Synced(_, label) => ((*label).to_owned(), is_synced),
        Ending::SyncedLate(_, label) => (format!("{label} again"), is_synced && published.all(|it| it != *label)),
        Ending::Drifted(_, label) => ((*label).to_owned(), sync == SyncStatus::OutOfSync && phase == PhaseName::Idle),
        Ending::Kept(_, label) => {
            ((*label).to_owned(), matches!(phase, PhaseName::Aborted | PhaseName::RolledBack | PhaseName::Failed))
        }
    };
    if live != label {
        return Err(format!("{live} is live, and not {label}; {sync:?}, {phase:?}"));
    }
    if !as_it_should {
        return Err(format!(
            "{live} is live, and it stands at {sync:?}, {phase:?}: {:?}",
            standing.standing.waiting_on
        ));
    }
    let head: Option<Head> = document(aws, &format!("history/{environment}/{service}/head.json"));
    let recorded = head.as_ref().and_then(Head::last_live).and_then(|record| record.to.version);
    if recorded.map(|version| version.to_string()) != Some(alias.version.clone()) {
        return Err(format!("version {} is live, and history ends with {recorded:?}", alias.version));
    }
    let wanted = facts.wanted(&facts.newest, place).and_then(|wanted| wanted.concurrency);
    if wanted.is_some() && view.reserved_concurrency != wanted && is_synced {
        return Err(format!("{wanted:?} is reserved for it in Git, and {:?} in AWS", view.reserved_concurrency));
    }
    let registry = aws.parameter(ACCOUNT, REGION, &format!("/services/{environment}/{service}")).unwrap_or_default();
    if !registry.contains(&format!("\"version\":\"{}\"", alias.version)) {
        return Err(format!("version {} is live, and the registry says {registry}", alias.version));
    }
    Ok(())
}

/// Whether a minute made no mutating call but those of every tick: its lease, its status and its metrics.
///
/// # Errors
/// The first call that it made.
pub fn quiet(aws: &LocalAws) -> Result<(), Violation> {
    let calls = aws.calls();
    let loud = calls.iter().filter(|call| call.is_mutating()).find(|call| {
        let usual = ["/lease/", "/status/"].iter().any(|part| call.resource.contains(part));
        !(usual || call.operation == "PutMetricData")
    });
    loud.map_or(Ok(()), |call| {
        let what = format!("a tick with nothing to do made {} of `{}`", call.operation, call.resource);
        Err(Violation::of(4, what))
    })
}

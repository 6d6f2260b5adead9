//! One tick of one environment, or of one shard of it: lease, observe Git, load state, observe live and plan, check, execute, record, report.
mod back;
mod closely;
mod desired;
mod execute;
mod failed;
mod housekeeping;
mod look;
mod measure;
mod memory;
mod moved;
mod pins;
mod registry;
mod repin;
mod report;
mod revert;
mod service;
mod slice;
mod targeted;
mod turn;
mod unmanaged;
mod word;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt as _;
use release_schema::{EnvironmentName, Service, ServiceName};
use tidegate_core::decide::World;
use tidegate_core::environment::in_order;
use tidegate_core::plan::Plan;
use tidegate_core::release::Release;
use tidegate_core::report::{ServiceReport, TickReport};
use tidegate_core::shard::Shard;
use tidegate_core::status::HoldReason;
use tokio::time::Instant;

use crate::aws::lambda::Paced;
use crate::aws::{Budget, Calls, Clients, Home, metrics};
use crate::config::EnvironmentConfig;
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::store::desired::DesiredDocument;
use crate::store::lease::{Lease, NoLease};
use crate::store::{self, Store, Stored, keys, statuses};
use crate::wanted::{Accept, Wanted};

pub use back::Back;
use closely::Closely;
use desired::Agreed;
pub use failed::FailedCalls;
pub use housekeeping::{Outcomes, prune};
pub use memory::Memory;
pub use registry::InOne;
pub use repin::Error as NotRepinned;
use service::One;
pub use service::{Seen, Undecided};
use slice::Known;
pub use targeted::{Hinted, hinted, targeted};
pub use unmanaged::{Leaves, leaves};
pub use word::{Spoken, Unheard, word};

/// How many services are looked at, or changed, at a time.
const AT_ONCE: usize = 24;

/// A tick ends this long before its deadline, so that everything it did is stored: a timeout kills without a signal.
pub const RESERVE: Duration = Duration::from_secs(2);

/// Who asks for the ticks that nobody asked for.
pub const SCHEDULE: &str = "controller";

/// What a tick works with.
#[derive(Debug)]
pub struct Tick<'a> {
    /// The environment.
    pub name: &'a EnvironmentName,
    /// Which of its services: of the others only what these depend on is looked at, and nothing is done to them.
    pub shard: Shard,
    /// Its account, region and limits.
    pub config: &'a EnvironmentConfig,
    /// The home account, for metrics.
    pub home: &'a Home,
    /// CloudWatch's namespace.
    pub metric_namespace: &'a str,
    /// The environment's own clients.
    pub clients: &'a Clients,
    /// What may be called of Lambda.
    pub budget: &'a Budget,
    /// Stored state.
    pub store: &'a Store,
    /// Where releases come from, and rollbacks are told.
    pub origin: &'a Origin<'a>,
    /// What is called.
    pub calls: &'a Calls,
    /// What it has to tell the service registry, where that is one document.
    pub registry: InOne,
    /// What of it failed, and is said once.
    pub failed: FailedCalls,
    /// The tick's id.
    pub id: &'a str,
    /// Who asked: [`SCHEDULE`], or a person.
    pub actor: &'a str,
    /// The one service that a person asked for; all of them, where it is none.
    pub only: Option<&'a ServiceName>,
    /// Whether the tag of that service is to be asked for again.
    pub repin: bool,
    /// What this process knows from its last tick.
    pub memory: &'a Memory,
    /// What to accept beside the ordinary.
    pub accept: Accept,
    /// When looking ends: what was decided until then has to be done as well.
    pub looks_until: Instant,
    /// When everything has to be over.
    pub deadline: Instant,
}

impl Tick<'_> {
    /// The services that the tick is for, in order.
    fn own<'a>(&self, wanted: &'a Wanted) -> Vec<&'a Service> {
        wanted.environment.services.values().filter(|service| self.shard.takes(&service.name)).collect()
    }

    /// Lambda for looking, within the budget and the time for that.
    fn looking(&self) -> Paced<'_> {
        Paced::new(&self.clients.lambda, self.budget, self.looks_until)
    }

    /// Lambda, within the budget and until only the reserve for storing is left.
    fn lambda(&self) -> Paced<'_> {
        Paced::new(&self.clients.lambda, self.budget, self.ends())
    }

    /// When only the reserve for storing is left.
    fn ends(&self) -> Instant {
        self.deadline.checked_sub(RESERVE).unwrap_or(self.deadline)
    }
}

/// Why there was no tick.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else is at work, or the store does not answer.
    #[error(transparent)]
    NoLease(#[from] NoLease),
    /// Stored state cannot be read or written.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Nothing valid is known of what Git wants.
    #[error("{0}")]
    NothingWanted(HoldReason),
    /// A tag could not be pinned anew.
    #[error(transparent)]
    Repin(#[from] repin::Error),
    /// A person asked for a service that Git does not have.
    #[error("there is no service `{service}` in `{environment}`{}", nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    UnknownService {
        /// As asked for.
        service: ServiceName,
        /// Where.
        environment: EnvironmentName,
        /// The nearest name that there is.
        nearest: Option<ServiceName>,
    },
}

/// Runs one tick.
///
/// # Errors
/// Where it could not be run as a whole; what concerns one service is in the report.
pub async fn run(tick: Tick<'_>) -> Result<TickReport, Error> {
    let began = Instant::now();
    let lease = match turn::whole(&tick).await {
        Ok(lease) => lease,
        // Who holds it is at work, and tells.
        Err(held @ NoLease::Held { .. }) => return Err(held.into()),
        Err(error) => {
            tell_failure(&tick, None).await;
            return Err(error.into());
        }
    };
    let store = tick.store.under(&lease);
    let tick = Tick { store: &store, ..tick };
    let mut before = Before::default();
    let outcome = under_lease(&tick, &lease, &mut before, began).await;
    if let Err(Error::NothingWanted(_) | Error::Store(_)) = &outcome {
        tell_failure(&tick, before.last_success.map(|last| lease.now() - last)).await;
    }
    if let Err(error) = lease.release(tick.store).await {
        tracing::warn!(%error, "the lease could not be given back: it ends by itself");
    }
    drop(tick.failed.tell());
    outcome
}

/// What a tick that fails as a whole knows from the one before.
#[derive(Debug, Default)]
struct Before {
    last_success: Option<chrono::DateTime<chrono::Utc>>,
}

async fn under_lease(tick: &Tick<'_>, lease: &Lease, before: &mut Before, began: Instant) -> Result<TickReport, Error> {
    let (recalled, previous) = match tick.memory.recall(lease) {
        Some(known) => (Some(desired::kept(tick, lease.now(), known.desired).await), Ok(Some(known.report))),
        None => (None, load_report(tick, lease.now()).await),
    };
    let (previous, unread) = match previous {
        Ok(previous) => (previous, None),
        Err(error) => (None, Some(error)),
    };
    before.last_success = previous.as_ref().and_then(|report| report.last_success);
    let applied = previous.as_ref().and_then(|report| Some(report.commit.as_ref()?.id.as_str()));
    let applied = unread.map_or(Ok(applied), Err);
    let Agreed { stored, mut wanted, releases, repinned } = match desired::agree(tick, recalled, applied).await? {
        Ok(agreed) => agreed,
        Err(known) => {
            let report = report::nothing_known(tick, lease.now(), &known, previous.as_ref(), began);
            tick.store.overwrite(&keys::status(tick.name, tick.shard), &report).await?;
            return Err(Error::NothingWanted(known.reason));
        }
    };
    let states = load_states(tick).await?;
    let closely = Closely::choose(tick, lease.now(), &wanted, previous.as_ref()).await;
    let known =
        Known { wanted: &wanted, releases: &releases, states: &states, previous: previous.as_ref(), closely: &closely };
    let visits = slice::visits(tick, lease.now(), &known);
    let planned = plan(tick, lease.now(), &known, visits).await;
    let mut services = execute(tick, lease, &known, planned).await;
    // It has no precondition; what is not told now is told by the next tick.
    if lease.holds() {
        registry::write(tick).await;
    }
    if let (Some(service), Some(said)) = (tick.only, repinned)
        && let Some(report) = services.get_mut(service)
    {
        report.done.insert(0, said);
    }
    let services = report::remembering(services, previous.as_ref(), &closely);
    let housekeeping = housekeeping::turn(tick, lease, &wanted, &services).await;
    let unmanaged = unmanaged::turn(tick, lease, &mut wanted, &states).await;
    let report = report::assemble(tick, lease.now(), &wanted, services, previous, began);
    let report = TickReport { housekeeping, unmanaged, ..report };
    finish(tick, lease, stored, wanted, report).await
}

/// Says that a tick failed as a whole, and for how long none succeeded, so that silence is visible.
async fn tell_failure(tick: &Tick<'_>, silence: Option<chrono::TimeDelta>) {
    let Tick { home, metric_namespace, name, shard, .. } = *tick;
    let told = metrics::publish_failure(&home.cloudwatch, metric_namespace, name, shard, silence).await;
    if let Err(error) = told {
        tracing::warn!(%error, "the metrics could not be published");
    }
}

/// A person's word for one service: it has to be one that Git knows.
fn check_asked_for(tick: &Tick<'_>, wanted: &Wanted) -> Result<(), Error> {
    let Some(service) = tick.only else { return Ok(()) };
    let known = &wanted.environment.services;
    if known.contains_key(service) {
        return Ok(());
    }
    let nearest = nearest(service, known.keys()).first().copied().cloned();
    Err(Error::UnknownService { service: service.clone(), environment: tick.name.clone(), nearest })
}

/// The names of the services of which something is under way: one list call.
async fn load_states(tick: &Tick<'_>) -> Result<BTreeSet<String>, Error> {
    Ok(tick.store.list(&keys::states(tick.name)).await?.into_iter().collect())
}

/// What Git wants of one service: its release, or why there is none.
pub(crate) type Releases = BTreeMap<ServiceName, Result<Release, String>>;

/// Each service with what was seen of it and what is to be done; its failure, a panic too, is its own.
type Planned = BTreeMap<ServiceName, Result<(Seen, Plan), Undecided>>;

async fn plan(
    tick: &Tick<'_>,
    now: chrono::DateTime<chrono::Utc>,
    known: &Known<'_>,
    visits: Vec<&Service>,
) -> Planned {
    let Known { wanted, releases, states, closely, previous: _ } = *known;
    let one = |service| One {
        tick,
        service,
        wanted,
        release: releases.get(&service.name),
        now,
        word: None,
        back: None,
        closely: closely.tag(&service.name),
    };
    let decided = futures::stream::iter(visits)
        .map(|service| async move {
            let has_state = states.contains(&keys::state(tick.name, &service.name));
            (service, service::quarantined(Box::pin(one(service).plan(has_state))).await)
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let measured = measure::together(tick, &decided).await;
    futures::stream::iter(decided)
        .map(|(service, decided)| {
            let measured = measured.get(&service.name).cloned();
            async move {
                let planned = service::quarantined(Box::pin(measure::go_on(one(service), decided, measured))).await;
                (service.name.clone(), planned)
            }
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// Puts the plans in the order that `dependsOn` asks for, and executes them.
async fn execute(
    tick: &Tick<'_>,
    lease: &Lease,
    known: &Known<'_>,
    planned: Planned,
) -> BTreeMap<ServiceName, ServiceReport> {
    let Known { wanted, releases, previous, closely, states: _ } = *known;
    let services = &wanted.environment.services;
    let plans = planned.iter().filter_map(|(name, planned)| Some((name.clone(), planned.as_ref().ok()?.1.clone())));
    // A person who names one service has decided about its dependencies.
    let plans: BTreeMap<ServiceName, Plan> =
        if tick.only.is_some() { plans.collect() } else { in_order(plans.collect(), services) };
    // The others were looked at because these depend on them.
    let own = planned.into_iter().filter(|(name, _)| tick.shard.takes(name));
    let work = own.filter_map(|(name, planned)| {
        let service: &Service = services.get(&name)?;
        Some((service, planned.map(|(seen, plan)| (seen, plans.get(&name).cloned().unwrap_or(plan)))))
    });
    futures::stream::iter(work)
        .map(|(service, planned)| async move {
            let (release, now) = (releases.get(&service.name), lease.now());
            let closely = closely.tag(&service.name);
            let one = One { tick, service, wanted, release, now, word: None, back: None, closely };
            let report = match planned {
                Ok((seen, plan)) => Box::pin(one.execute(Some(lease), seen, plan)).await.report,
                // What the last tick saw of it stands, where there was one.
                Err(Undecided::NotVisited) if previous.is_some_and(|it| it.services.contains_key(&service.name)) => {
                    return None;
                }
                Err(Undecided::NotVisited) => report::not_visited(&one),
                Err(Undecided::Failed(error)) => report::failed(&one, error),
            };
            Some((service.name.clone(), report))
        })
        .buffer_unordered(AT_ONCE)
        .filter_map(std::future::ready)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .collect()
}

/// The last report: since when a drift is there, the time of the last success, and the services whose turn it is not. It is
/// derived, so one that is broken is as good as none.
///
/// # Errors
/// Where the store does not answer: that matters only where what the report is derived from is lost as well.
async fn load_report(tick: &Tick<'_>, now: chrono::DateTime<chrono::Utc>) -> Result<Option<TickReport>, store::Error> {
    match statuses::before(tick.store, tick.name, tick.shard, now).await {
        Err(error) => {
            tracing::warn!(%error, "the last report cannot be read");
            if matches!(error, store::Error::Broken { .. }) { Ok(None) } else { Err(error) }
        }
        report => report,
    }
}

/// Stores what the next tick should know, tells people and dashboards, and logs the one summary line.
async fn finish(
    tick: &Tick<'_>,
    lease: &Lease,
    stored: Stored<DesiredDocument>,
    wanted: Wanted,
    report: TickReport,
) -> Result<TickReport, Error> {
    let report = publish(tick, report).await;
    keep(tick, lease, stored, wanted, report.clone()).await?;
    Ok(tell(tick, report, None))
}

/// Stores what the next tick should know, and people read.
async fn keep(
    tick: &Tick<'_>,
    lease: &Lease,
    stored: Stored<DesiredDocument>,
    mut wanted: Wanted,
    report: TickReport,
) -> Result<(), Error> {
    pins::note_recorded(&mut wanted, &report);
    let desired = desired::note(tick, stored, wanted.document).await?;
    tick.store.overwrite(&keys::status(tick.name, tick.shard), &report).await?;
    if let Some(desired) = desired {
        tick.memory.keep(lease, memory::Known { desired, report });
    }
    Ok(())
}

/// Tells dashboards. The report says which calls failed, that one too.
async fn publish(tick: &Tick<'_>, report: TickReport) -> TickReport {
    let mut report = TickReport { failed_calls: tick.failed.tell(), ..report };
    if let Err(error) = metrics::publish(&tick.home.cloudwatch, tick.metric_namespace, &report).await {
        tick.failed.note(&error, 0, "the metrics cannot be published");
        report.failed_calls.extend(tick.failed.tell());
        report.failed_calls.sort_by(|one, other| one.operation.cmp(&other.operation));
    }
    report
}

/// Logs the one summary line, with what the tick was hinted by, where it was.
fn tell(tick: &Tick<'_>, report: TickReport, hinted: Option<&str>) -> TickReport {
    let report = TickReport { calls: report.calls.into_iter().chain(tick.calls.take()).collect(), ..report };
    tracing::info!(
        commit = report.commit.as_ref().map(|commit| commit.short()),
        sync = %report.sync(),
        health = %report.health(),
        services = report.services.len(),
        hold = report.hold.as_ref().map(tracing::field::display),
        duration_ms = report.duration_ms,
        hinted,
        "tick"
    );
    report
}

/// What a preview of one service shows.
#[derive(Debug)]
pub struct Preview {
    /// What was seen.
    pub seen: Seen,
    /// What would be done.
    pub plan: Plan,
}

/// Plans every service of `wanted` without a lease and without changing anything: what `diff` prints.
pub async fn preview(
    tick: &Tick<'_>,
    mut wanted: Wanted,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<(Wanted, Releases, BTreeMap<ServiceName, Result<Preview, Undecided>>), Error> {
    let releases = pins::resolve(tick, &mut wanted, |_| true).await;
    let states = load_states(tick).await?;
    let visits = wanted.environment.services.values().collect();
    let closely = Closely::default();
    let known = Known { wanted: &wanted, releases: &releases, states: &states, previous: None, closely: &closely };
    let planned = plan(tick, now, &known, visits).await;
    let planned = moved::told(tick, now, &known, planned).await;
    let plans = planned.iter().filter_map(|(name, planned)| Some((name.clone(), planned.as_ref().ok()?.1.clone())));
    let plans = in_order(plans.collect(), &wanted.environment.services);
    let previews = planned.into_iter().map(|(name, planned)| {
        let preview = planned.map(|(seen, plan)| Preview { seen, plan: plans.get(&name).cloned().unwrap_or(plan) });
        (name, preview)
    });
    let previews = previews.collect();
    drop(tick.failed.tell());
    Ok((wanted, releases, previews))
}

/// What is known of a service before anything was looked at.
fn unseen(document: &DesiredDocument, service: &ServiceName) -> World {
    let pin = document.pins.get(service);
    let reserved_concurrency = pin.and_then(|pin| pin.reserved_concurrency);
    World { recorded: pin.and_then(|pin| pin.recorded.clone()), reserved_concurrency, ..World::default() }
}

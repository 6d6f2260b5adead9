//! The controller: runs a command, whoever sent it, and answers with what happened.
mod hints;
mod housekeeping;
mod preview;
mod records;
mod rollbacks;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::command::{Command, To, Word};
use tidegate_core::report::{Answer, Failure, FailureKind, ServiceReport, TickReport, there_are};
use tidegate_core::shard::Shard;
use tidegate_core::state::Advance;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::Instrument as _;

use crate::aws::error::chain;
use crate::aws::{Calls, Clients, Home};
use crate::config::{self, Configuration, EnvironmentConfig, Installation, Kept, Source};
use crate::git::github::Tokens;
use crate::git::{Cache, Exchange};
use crate::origin::Origin;
use crate::store::{Store, statuses};
use crate::tick::{self, Memory, Tick, Unheard};
use crate::wanted::Accept;

pub use hints::Looked;
pub use preview::{Preview, ServicePreview};
pub use records::Verified;

/// How many records `history` shows where nobody says how many.
const HISTORY: usize = 20;

/// How long a command may take where nobody sets a deadline: the Lambda's timeout.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// How long before its deadline a command is answered at the latest. What runs for longer is killed, and nobody is told why.
const ANSWERS: Duration = Duration::from_millis(250);

/// Built once, serves many commands.
#[derive(Clone, Debug)]
pub struct Controller {
    home: Home,
    source: Source,
    cache: Arc<Cache>,
    tokens: Arc<Tokens>,
    exchange: Option<Exchange>,
    kept: Arc<Kept>,
    reached: Arc<Mutex<Connections>>,
}

/// What an environment, or a shard of it, is reached with, kept between ticks: connections, and the session of its role.
#[derive(Debug)]
struct Reached {
    shard: Shard,
    config: EnvironmentConfig,
    home: Home,
    clients: Clients,
    calls: Calls,
    memory: Memory,
}

/// What each environment, and each shard of one, is reached with.
type Connections = BTreeMap<(EnvironmentName, Shard), Arc<Reached>>;

/// Who sent a command, and until when it has to be answered.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `controller` for the schedule, else the person as far as known: it goes into history.
    pub actor: String,
    /// Names the command in logs and records.
    pub id: String,
    /// When the answer has to be there.
    pub deadline: Instant,
}

impl Caller {
    fn answered_by(&self) -> Instant {
        self.deadline.checked_sub(ANSWERS).unwrap_or(self.deadline)
    }
}

impl Controller {
    /// On these clients, with the configuration from `source`; what is fetched from Git is kept in `cache` between ticks.
    #[must_use]
    pub fn new(home: Home, source: Source, cache: PathBuf) -> Self {
        let cache = Arc::new(Cache::open(cache));
        Self {
            home,
            source,
            cache,
            tokens: Arc::default(),
            exchange: None,
            kept: Arc::default(),
            reached: Arc::default(),
        }
    }

    /// The same, with the release repository in this process in place of the network.
    #[must_use]
    pub fn with_git(self, exchange: Exchange) -> Self {
        Self { exchange: Some(exchange), ..self }
    }

    /// Runs a command. What is not over in time is answered with that: a process that dies in the middle is no worse.
    pub async fn run(&self, command: &Command, caller: &Caller) -> Answer {
        let answer = Box::pin(self.answer(command, caller));
        let in_time = tokio::time::timeout_at(caller.answered_by(), answer).await;
        in_time.unwrap_or_else(|_elapsed| Answer::Failed(late(None)))
    }

    async fn answer(&self, command: &Command, caller: &Caller) -> Answer {
        let configuration = match config::load(&self.source, &self.home, &self.kept).await {
            Ok(configuration) => configuration,
            Err(error) => {
                tracing::error!(error = chain(&error), "there is no configuration");
                return Answer::Failed(unavailable(None, &error));
            }
        };
        match command {
            Command::Sync { environment, service: None, repin: true, .. } => {
                let message = "only the tag of one service is asked for again: name the service".to_owned();
                Answer::Failed(Failure { environment: environment.clone(), kind: FailureKind::Refused, message })
            }
            Command::Sync { environment, service, confirm, shard, repin } => {
                let (service, confirm) = (service.as_ref(), confirm.as_deref());
                let wish = Wish { shard: *shard, service, confirm, repin: *repin };
                self.for_each(&configuration, environment.as_ref(), caller, |name, config| {
                    self.sync(&configuration.installation, name, config, wish, caller)
                })
                .await
            }
            Command::Status { environment } => {
                self.for_each(&configuration, environment.as_ref(), caller, |name, _| {
                    self.status(&configuration.installation, name)
                })
                .await
            }
            Command::History { environment, service, limit } => {
                let limit = limit.unwrap_or(HISTORY);
                match self.history(&configuration, environment, service.as_ref(), limit).await {
                    Ok(records) => Answer::History { records },
                    Err(failure) => Answer::Failed(failure),
                }
            }
            Command::Record { environment, service, number } => {
                match self.record(&configuration, environment, service, *number).await {
                    Ok(stored) => Answer::Record { stored },
                    Err(failure) => Answer::Failed(failure),
                }
            }
            Command::PruneVersions { environment, service, dry_run } => {
                self.prune(&configuration, environment, service.as_ref(), *dry_run, caller).await
            }
            Command::Promote(to) => {
                let word = Word::Promote(Advance { full: to.full, force: to.force });
                self.told(&configuration, word, to, caller).await
            }
            Command::Abort(to) => self.told(&configuration, Word::Abort, to, caller).await,
            Command::Pause(to) => self.told(&configuration, Word::Pause, to, caller).await,
            Command::Resume(to) => self.told(&configuration, Word::Resume, to, caller).await,
            Command::Retry(to) => self.told(&configuration, Word::Retry, to, caller).await,
            Command::Unhold(to) => self.told(&configuration, Word::Unhold, to, caller).await,
            Command::Rollback { environment, services, to, reason, remind_after } => {
                let word = Word::Rollback { to: *to, remind_after: *remind_after };
                self.roll_back(&configuration, environment, services, word, reason, caller).await
            }
        }
    }

    /// Runs `work` for the environment that is named, or for all at once; one that takes too long costs the others nothing.
    async fn for_each<'a, F>(
        &self,
        configuration: &'a Configuration,
        environment: Option<&EnvironmentName>,
        caller: &Caller,
        work: impl Fn(&'a EnvironmentName, &'a EnvironmentConfig) -> F,
    ) -> Answer
    where
        F: Future<Output = Result<TickReport, Failure>>,
    {
        let named = match environment.map(|name| known(configuration, name)).transpose() {
            Ok(named) => named,
            Err(failure) => return Answer::Failed(failure),
        };
        let chosen: Vec<_> = named.map_or_else(|| configuration.environments.iter().collect(), |named| vec![named]);
        let in_time = chosen.into_iter().map(|(name, config)| {
            let work = tokio::time::timeout_at(caller.answered_by(), work(name, config));
            async move { work.await.unwrap_or_else(|_elapsed| Err(late(Some(name)))) }
        });
        let outcomes = futures::future::join_all(in_time).await;
        let (mut reports, mut failures) = (Vec::new(), Vec::new());
        for outcome in outcomes {
            match outcome {
                Ok(report) => reports.push(report),
                Err(failure) => failures.push(failure),
            }
        }
        Answer::Reports { reports, failures }
    }

    /// The clients of an environment: those of the last tick, where its configuration is what it was.
    async fn reach(&self, name: &EnvironmentName, shard: Shard, config: &EnvironmentConfig) -> Arc<Reached> {
        let mut reached = self.reached.lock().await;
        let key = (name.clone(), shard);
        if let Some(known) = reached.get(&key).filter(|known| known.config == *config) {
            return Arc::clone(known);
        }
        let calls = Calls::default();
        let home = self.home.counted(&calls);
        let clients = home.environment(config, shard.of(), "tidegate", &calls).await;
        let new = Arc::new(Reached { shard, config: config.clone(), home, clients, calls, memory: Memory::default() });
        reached.insert(key, Arc::clone(&new));
        new
    }

    /// Where state is stored, reached with the rights of the home account.
    fn state(&self, configuration: &Configuration) -> Store {
        Store::new(self.home.s3.clone(), configuration.installation.state.clone())
    }

    async fn sync(
        &self,
        installation: &Installation,
        name: &EnvironmentName,
        config: &EnvironmentConfig,
        wish: Wish<'_>,
        caller: &Caller,
    ) -> Result<TickReport, Failure> {
        let shard = self.shard(installation, name, wish).await?;
        let span = tick_span(name, shard, caller);
        async {
            let reached = self.reach(name, shard, config).await;
            drop(reached.calls.take());
            let store = Store::new(reached.home.s3.clone(), installation.state.clone());
            let accept = Accept {
                confirmed: wish.confirm.map(str::to_owned),
                rewrites: config.allow_history_rewrite,
                guard: Some(config.mass_change.into()),
            };
            let origin = self.origin(installation, &reached);
            let ordinary = tick(name, installation, &reached, &store, &origin, caller);
            let budgets = &reached.clients.budgets;
            // A person waits for the answer.
            let budget = if wish.service.is_some() { &budgets.words } else { &budgets.sweep };
            let tick = Tick { accept, only: wish.service, repin: wish.repin, budget, ..ordinary };
            Box::pin(tick::run(tick)).await.map_err(|error| {
                tracing::warn!(error = chain(&error), "there was no tick");
                failure_of(name, &error)
            })
        }
        .instrument(span)
        .await
    }

    /// Whose lease a tick takes: that of the shard which it is for, or that of the one which ticked its one service last.
    async fn shard(
        &self,
        installation: &Installation,
        name: &EnvironmentName,
        wish: Wish<'_>,
    ) -> Result<Shard, Failure> {
        match (wish.shard, wish.service) {
            (Some(_), Some(service)) => {
                Err(refused(name, format!("`{service}` has a shard by its name: give one of the two")))
            }
            (shard, None) => Ok(shard.unwrap_or_default()),
            (None, Some(service)) => {
                let store = Store::new(self.home.s3.clone(), installation.state.clone());
                statuses::shard_of(&store, name, service).await.map_err(|error| unavailable(Some(name), &error))
            }
        }
    }

    /// Says a word to a release, and answers with how its service stands then.
    async fn told(&self, configuration: &Configuration, word: Word, to: &To, caller: &Caller) -> Answer {
        let To { environment, service, reason, .. } = to;
        let forced = matches!(word, Word::Promote(Advance { force: true, .. }));
        if forced && reason.is_none() {
            let message = "`--force` goes over a failed analysis, so it needs a `--reason`".to_owned();
            return Answer::Failed(refused(environment, message));
        }
        let spoken = tick::Spoken { service, word, reason: reason.as_deref(), back: None };
        match self.say(configuration, environment, spoken, caller).await {
            Ok(report) => Answer::Services {
                environment: environment.clone(),
                reports: BTreeMap::from([(service.clone(), report)]),
                failures: BTreeMap::new(),
            },
            Err(failure) => Answer::Failed(failure),
        }
    }

    async fn say(
        &self,
        configuration: &Configuration,
        environment: &EnvironmentName,
        spoken: tick::Spoken<'_>,
        caller: &Caller,
    ) -> Result<ServiceReport, Failure> {
        let (id, service, word) = (&caller.id, spoken.service, spoken.word.as_typed());
        let span = tracing::info_span!("word", id, %environment, %service, word);
        async {
            let (name, config) = known(configuration, environment)?;
            let reached = self.reach(name, Shard::WHOLE, config).await;
            let store = Store::new(reached.home.s3.clone(), configuration.installation.state.clone());
            let origin = self.origin(&configuration.installation, &reached);
            let ordinary = tick(name, &configuration.installation, &reached, &store, &origin, caller);
            let budget = &reached.clients.budgets.words;
            let only = Tick { only: Some(service), budget, ..ordinary };
            // Boxed: it is the whole of a tick once more, beside the tick.
            Box::pin(tick::word(&only, spoken)).await.map_err(|error| match error {
                Unheard::Refused(message) => refused(name, message),
                Unheard::Failed(message) => {
                    Failure { environment: Some(name.clone()), kind: FailureKind::Unavailable, message }
                }
                Unheard::Tick(error) => failure_of(name, &error),
            })
        }
        .instrument(span)
        .await
    }

    fn origin<'a>(&'a self, installation: &'a Installation, reached: &'a Reached) -> Origin<'a> {
        Origin::new(&installation.repository, &reached.home, &self.cache, &self.tokens)
            .reached_by(self.exchange.as_ref())
    }

    async fn status(&self, installation: &Installation, name: &EnvironmentName) -> Result<TickReport, Failure> {
        let store = Store::new(self.home.s3.clone(), installation.state.clone());
        match statuses::whole(&store, name).await {
            Ok(Some(report)) => Ok(report),
            Ok(None) => Err(Failure {
                environment: Some(name.clone()),
                kind: FailureKind::Unavailable,
                message: format!("`{name}` has no status yet: no tick of it has ended; does its schedule run?"),
            }),
            Err(error) => Err(unavailable(Some(name), &error)),
        }
    }

    /// Whether an environment is one of this installation's.
    ///
    /// # Errors
    /// Where the configuration cannot be read.
    pub async fn manages(&self, name: &EnvironmentName) -> Result<bool, Failure> {
        let configuration = config::load(&self.source, &self.home, &self.kept)
            .await
            .map_err(|error| unavailable(Some(name), &error))?;
        Ok(configuration.environments.contains_key(name))
    }
}

/// What a person asks of a tick beyond the ordinary.
#[derive(Clone, Copy, Debug)]
struct Wish<'a> {
    shard: Option<Shard>,
    service: Option<&'a ServiceName>,
    confirm: Option<&'a str>,
    repin: bool,
}

/// What every line of a tick's log says.
fn tick_span(name: &EnvironmentName, shard: Shard, caller: &Caller) -> tracing::Span {
    let part = (!shard.is_whole()).then(|| tracing::field::display(shard));
    tracing::info_span!("tick", tick = caller.id, environment = %name, shard = part)
}

/// A tick of everything in an environment, or a shard of it, with nothing out of the ordinary accepted.
fn tick<'a>(
    name: &'a EnvironmentName,
    installation: &'a Installation,
    reached: &'a Reached,
    store: &'a Store,
    origin: &'a Origin<'a>,
    caller: &'a Caller,
) -> Tick<'a> {
    let now = Instant::now();
    Tick {
        name,
        shard: reached.shard,
        config: &reached.config,
        home: &reached.home,
        metric_namespace: &installation.metric_namespace,
        clients: &reached.clients,
        budget: &reached.clients.budgets.sweep,
        store,
        origin,
        calls: &reached.calls,
        registry: tick::InOne::default(),
        failed: tick::FailedCalls::default(),
        id: &caller.id,
        actor: &caller.actor,
        only: None,
        repin: false,
        memory: &reached.memory,
        accept: Accept::default(),
        // 45 of a minute.
        looks_until: now + caller.deadline.saturating_duration_since(now) * 3 / 4,
        deadline: caller.deadline,
    }
}

/// A command that was not over when its time was.
fn late(environment: Option<&EnvironmentName>) -> Failure {
    let message = "there was no time left: the next tick completes what was begun, and the same command once more changes nothing twice";
    tracing::error!(environment = environment.map(tracing::field::display), "{message}");
    Failure { environment: environment.cloned(), kind: FailureKind::Unavailable, message: message.to_owned() }
}

fn refused(name: &EnvironmentName, message: String) -> Failure {
    Failure { environment: Some(name.clone()), kind: FailureKind::Refused, message }
}

fn known<'a>(
    configuration: &'a Configuration,
    name: &EnvironmentName,
) -> Result<(&'a EnvironmentName, &'a EnvironmentConfig), Failure> {
    configuration.environments.get_key_value(name).ok_or_else(|| {
        let names = there_are(configuration.environments.keys());
        refused(name, format!("there is no environment `{name}` in the configuration; {names}"))
    })
}

fn unavailable(environment: Option<&EnvironmentName>, error: &(dyn std::error::Error + 'static)) -> Failure {
    Failure { environment: environment.cloned(), kind: FailureKind::Unavailable, message: chain(error) }
}

fn failure_of(name: &EnvironmentName, error: &tick::Error) -> Failure {
    use tidegate_core::status::HoldReason;

    use crate::store::lease::NoLease;
    let kind = match error {
        tick::Error::NoLease(NoLease::Held { .. })
        | tick::Error::UnknownService { .. }
        | tick::Error::Repin(tick::NotRepinned::Refused(_)) => FailureKind::Refused,
        tick::Error::NothingWanted(HoldReason::InvalidRelease { .. }) => FailureKind::InvalidRelease,
        tick::Error::NothingWanted(_)
        | tick::Error::NoLease(NoLease::Store(_))
        | tick::Error::Store(_)
        | tick::Error::Repin(tick::NotRepinned::NotAsked(_)) => FailureKind::Unavailable,
    };
    Failure { environment: Some(name.clone()), kind, message: chain(error) }
}

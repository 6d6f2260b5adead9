//! One world: an AWS, a Git, people, and the controller process that is up at the moment; minute by minute.
mod people;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt as _;
use local_aws::{LocalAws, Options, Snapshot};
use serde_json::{Value, json};
use stories::account::{Account, BUCKET, Build, INSTALLATION, environment_configuration};
use tidegate_core::command::Command;
use tidegate_core::history::Head;
use tidegate_core::report::Answer;
use tokio::time::Instant;

use crate::facts::{Known, Running};
use crate::forge::{self, Forge, Origin};
use crate::gate::Gate;
use crate::interleave::{Choice, Schedule};
use crate::invariants::{self, SECRET};
use crate::process::{Order, Process, config};
use crate::release::{Content, ENVIRONMENTS, Place, SERVICES, alarm, function};
use crate::story::{Event, Story};
use crate::watch::{End, Memory, Watch};

use people::rollback;
pub use stories::account::{ACCOUNT, REGION};

/// The alias of every service.
pub const ALIAS: &str = "live";

/// Where stored state begins in its bucket.
const PREFIX: &str = "tidegate/";

/// The tags that every service has an image of.
const TAGS: [&str; 5] = ["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0-bad", "v2.0.0"];

/// Whether what runs under this tag fails.
#[must_use]
pub fn is_bad(tag: &str) -> bool {
    tag.contains("bad")
}

/// The bytes of a stored document.
#[must_use]
pub fn object(aws: &LocalAws, name: &str) -> Option<Bytes> {
    aws.object(BUCKET, &format!("{PREFIX}{name}"))
}

/// The service that an object of the bucket is about.
#[must_use]
pub fn place_of(resource: &str) -> Option<Place> {
    let name = resource.strip_prefix(BUCKET)?.strip_prefix('/')?.strip_prefix(PREFIX)?;
    let mut parts = name.split('/');
    let (kind, environment, service) = (parts.next()?, parts.next()?, parts.next()?);
    if !matches!(kind, "state" | "history") {
        return None;
    }
    let environment = ENVIRONMENTS.iter().find(|(name, _)| *name == environment)?.0;
    let service = SERVICES.iter().find(|(name, _)| *name == service.trim_end_matches(".json"))?.0;
    Some((environment, service))
}

/// A world at one moment, to go on from as often as wanted.
#[derive(Clone, Debug)]
pub struct Base {
    snapshot: Snapshot,
    memory: Memory,
    origin: Origin,
    content: Content,
    again: Vec<Event>,
    ticks: u64,
    processes: u32,
}

/// A world that goes on.
pub struct World {
    /// Its AWS.
    pub aws: LocalAws,
    /// What sees every call.
    pub watch: Arc<Watch>,
    forge: Arc<Forge>,
    origin: Arc<Mutex<Origin>>,
    gate: Gate,
    /// What `main` says.
    content: Content,
    process: Option<Process>,
    /// One that ran a command beside that.
    spare: Option<Process>,
    /// What people said and were not answered: they say it again in the next minute.
    again: Vec<Event>,
    ticks: u64,
    processes: u32,
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World").field("aws", &self.aws).finish_non_exhaustive()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // They hold each other.
        self.aws.leave_alone();
    }
}

impl World {
    /// The world that a story begins with.
    pub async fn of(story: &Story, forge: &Arc<Forge>, seed: u64) -> Self {
        let aws = LocalAws::new(Options { seed, ..Options::default() });
        aws.remember_changes(3);
        aws.register_program(
            "service",
            Arc::new(|event| async move { Ok(answer(&event.context.environment)) }.boxed()),
        );
        let watch = Watch::over(&aws, Memory::default());
        let content = Content { services: story.before.iter().cloned().collect(), broken: BTreeMap::new() };
        let origin = Arc::new(Mutex::new(Origin { main: Vec::new(), down: false }));
        let forge = Arc::clone(forge);
        let gate = Gate::default();
        let mut world = Self {
            aws,
            watch,
            forge,
            origin,
            gate,
            content,
            process: None,
            spare: None,
            again: Vec::new(),
            ticks: 0,
            processes: 0,
        };
        world.install().await;
        let content = world.content.clone();
        world.push(content, None, "Begin");
        if !story.first {
            world.settle().await;
        }
        world.aws.forget_calls();
        world.process = None;
        world
    }

    /// Goes on from a moment, with a process that knows nothing yet.
    #[must_use]
    pub fn resume(base: &Base, forge: &Arc<Forge>) -> Self {
        let aws = base.snapshot.restore();
        let watch = Watch::over(&aws, base.memory.clone());
        Self {
            watch,
            aws,
            forge: Arc::clone(forge),
            origin: Arc::new(Mutex::new(base.origin.clone())),
            gate: Gate::default(),
            content: base.content.clone(),
            process: None,
            spare: None,
            again: base.again.clone(),
            ticks: base.ticks,
            processes: base.processes,
        }
    }

    /// This moment.
    #[must_use]
    pub fn base(&self) -> Base {
        Base {
            snapshot: self.aws.snapshot(),
            memory: self.watch.memory(),
            origin: self.origin().clone(),
            content: self.content.clone(),
            again: self.again.clone(),
            ticks: self.ticks,
            processes: self.processes,
        }
    }

    fn origin(&self) -> std::sync::MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn people(&self) -> Account {
        Account::new(&config(&self.aws, ACCOUNT, self.aws.http_client()))
    }

    /// What the platform team does before the first tick.
    async fn install(&self) {
        let people = self.people();
        people.create_bucket(BUCKET).await.expect("a bucket");
        let token = format!("/tidegate/{INSTALLATION}/git-token");
        people.put_parameter(&token, SECRET, true).await.expect("a secret");
        let installation = format!(
            "schemaVersion: 1\nrepository:\n  url: {}\n  branch: main\n  credential: {token}\n  writeBack: false\n\
             state:\n  bucket: {BUCKET}\n  prefix: tidegate\n",
            forge::URL
        );
        let name = format!("/tidegate/{INSTALLATION}/installation");
        people.put_parameter(&name, &installation, false).await.expect("a parameter");
        for (environment, prefix) in
            ENVIRONMENTS.into_iter().filter(|(name, _)| self.content.environments().contains(name))
        {
            let name = format!("/tidegate/{INSTALLATION}/environments/{environment}");
            people.put_parameter(&name, &environment_configuration(prefix), false).await.expect("a parameter");
        }
        let services: BTreeSet<&str> = self.content.services.keys().map(|(_, service)| *service).collect();
        let mut images = BTreeMap::new();
        for service in services {
            people.create_repository(&format!("company/{service}")).await.expect("a repository");
            for tag in TAGS {
                let image = self.push_image(&people, service, tag, tag).await;
                images.entry(service).or_insert(image);
            }
        }
        for place in self.content.services.keys() {
            let image = &images[place.1];
            people.create_function(&function(*place), image, 10, &[("DB_PASSWORD", SECRET)]).await.expect("a function");
            people.put_alarm(&alarm(*place)).await.expect("an alarm");
            let view = self.aws.function(ACCOUNT, REGION, &function(*place));
            self.watch.learn(|facts| facts.functions.insert(*place, Known { view, ..Known::default() }));
        }
    }

    /// Pushes an image, and gives its URI by digest.
    async fn push_image(&self, people: &Account, service: &str, tag: &str, label: &str) -> String {
        let environment = [("BUILD_VERSION", label), ("SERVICE", service)];
        let build = Build { program: "closure:service", environment: &environment };
        let image = people.push_image(&format!("company/{service}"), tag, build).await.expect("an image");
        let digest = image.rsplit(':').next().unwrap_or_default().to_owned();
        self.watch.learn(|facts| facts.images.insert((service.to_owned(), digest), label.to_owned()));
        image
    }

    /// Ticks until all is live.
    async fn settle(&mut self) {
        for _ in 0..40 {
            self.minute(0, &[]).await;
            let states = self.aws.object_keys(BUCKET, &format!("{PREFIX}state/"));
            let live = self.watch.learn(|facts| {
                facts.functions.values().all(|known| {
                    known
                        .view
                        .as_ref()
                        .and_then(|view| view.aliases.get(ALIAS))
                        .is_some_and(|it| it.additional.is_none())
                })
            });
            if states.is_empty() && live {
                // The registry and the pins are told in the tick after.
                self.minute(0, &[]).await;
                return;
            }
        }
        panic!("the story does not begin: {:?}", self.watch.violation());
    }

    /// One minute: what people do, traffic, and a tick of each environment.
    pub async fn minute(&mut self, minute: u32, events: &[Event]) {
        let began = Instant::now();
        self.watch.minute(minute);
        self.watch.note(|| format!("minute {minute}"));
        self.people_do(events).await;
        self.traffic();
        for environment in self.content.environments() {
            self.tick(environment).await;
        }
        tokio::time::sleep_until(began + Duration::from_secs(60)).await;
    }

    /// A tick of an environment, as its schedule sends it.
    pub async fn tick(&mut self, environment: &'static str) {
        let order = self.order(sync(environment), environment, None);
        let _answered_or_dead = self.run(order, "controller").await;
    }

    /// A command, as it is sent now.
    fn order(&mut self, command: Command, environment: &'static str, word: Option<(Place, &'static str)>) -> Order {
        self.ticks += 1;
        let frozen = self.origin().down || self.content.broken.contains_key(environment);
        let id = format!("{}-{}", word.map_or("tick", |(_, word)| word), self.ticks);
        let head = |((environment, service), _)| {
            invariants::document::<Head>(&self.aws, &format!("history/{environment}/{service}/head.json"))
        };
        let recorded = word.and_then(head).map(|head| head.number.0);
        Order { command, running: Running { process: 0, id, environment, word, frozen, recorded, stalled: false } }
    }

    /// A process that knows nothing yet.
    fn start(&mut self) -> Process {
        self.processes += 1;
        Process::start(self.processes, &self.aws, &self.watch, &self.forge, &self.origin, &self.gate)
    }

    /// Runs a command in the process that is up.
    async fn run(&mut self, order: Order, actor: &str) -> Option<Answer> {
        let process = match self.process.take() {
            Some(process) => process,
            None => self.start(),
        };
        match process.run(&order.command, order.running, actor).await {
            End::Answer(answer) => {
                self.watch.note(|| format!("  = {}", shown(&answer)));
                self.process = Some(process);
                Some(answer)
            }
            End::Died => {
                self.watch.note(|| "  = it died".to_owned());
                None
            }
        }
    }

    /// One minute, in which a second tick and a rollback run beside the tick, each in its own process.
    pub async fn overlap(&mut self, minute: u32, events: &[Event], place: Place, schedule: &Schedule) -> Vec<Choice> {
        let began = Instant::now();
        self.watch.minute(minute);
        self.watch.note(|| format!("minute {minute}: {schedule}"));
        self.people_do(events).await;
        self.traffic();
        let orders = vec![
            self.order(sync(place.0), place.0, None),
            self.order(sync(place.0), place.0, None),
            self.order(rollback(place, None), place.0, Some((place, "rollback"))),
        ];
        let mut made = Vec::new();
        match schedule.stall {
            Some((who, calls)) => self.stalled(orders, who, calls).await,
            None => self.together(orders, schedule.choose(&mut made)).await,
        }
        tokio::time::sleep_until(began + Duration::from_secs(60)).await;
        made
    }

    /// One minute as ever, but that its ticks come twice, and calls of the two go on in the order that `random` says.
    pub async fn doubled(&mut self, minute: u32, events: &[Event], random: &mut fastrand::Rng) {
        let began = Instant::now();
        self.watch.minute(minute);
        self.watch.note(|| format!("minute {minute}, every tick twice"));
        self.people_do(events).await;
        self.traffic();
        for environment in self.content.environments() {
            let orders = vec![
                self.order(sync(environment), environment, None),
                self.order(sync(environment), environment, None),
            ];
            self.together(orders, |waiting| *random.choice(waiting).expect("somebody waits")).await;
        }
        tokio::time::sleep_until(began + Duration::from_secs(60)).await;
    }

    /// Runs commands at the same time, the first in the process that is up and each other in one of its own. `next` says
    /// which of them goes on, by their positions.
    async fn together(&mut self, orders: Vec<Order>, mut next: impl FnMut(&[usize]) -> usize) {
        let mut processes: Vec<Process> = self.process.take().into_iter().chain(self.spare.take()).collect();
        while processes.len() < orders.len() {
            processes.push(self.start());
        }
        let numbers: Vec<u32> = processes.iter().map(Process::number).collect();
        let commands = orders.into_iter().zip(&processes).map(|(order, process)| process.boxed(order)).collect();
        let choose = |waiting: &[u32]| {
            let positions: Vec<usize> =
                waiting.iter().filter_map(|number| numbers.iter().position(|known| known == number)).collect();
            numbers[next(&positions)]
        };
        let ended = self.gate.conduct(commands, choose).await;
        for (number, end) in ended {
            self.watch.note(|| match &end {
                End::Answer(answer) => format!("  = process {number}: {}", shown(answer)),
                End::Died => format!("  = process {number} died"),
            });
            if matches!(end, End::Died) {
                processes.retain(|process| process.number() != number);
            }
        }
        let mut left = processes.into_iter();
        (self.process, self.spare) = (left.next(), left.next());
    }

    /// Lets one of the commands stand still in its tracks after so many calls, until its lease is over and the others have
    /// ended.
    async fn stalled(&mut self, mut orders: Vec<Order>, who: usize, calls: u32) {
        let slept = orders[who].running.id.clone();
        orders[who].running.stalled = true;
        let processes: Vec<Process> = orders.iter().map(|_| self.start()).collect();
        let mut commands: Vec<_> =
            orders.into_iter().zip(&processes).map(|(order, process)| process.boxed(order)).collect();
        let (number, slow) = commands.remove(who);
        let rest = async {
            // Longer than any lease.
            tokio::time::sleep(Duration::from_secs(80)).await;
            for (_, command) in commands {
                let _answered_or_dead = command.await;
            }
            self.watch.learn(|facts| facts.woken.insert(slept));
        };
        let _answered_or_dead = self.gate.stall(number, slow, calls, rest).await;
    }
}

fn sync(environment: &str) -> Command {
    Command::Sync { environment: environment.parse().ok(), service: None, confirm: None, shard: None, repin: false }
}

/// What a function answers: 500 where its image is a bad one.
fn answer(environment: &BTreeMap<String, String>) -> Bytes {
    let bad = environment.get("BUILD_VERSION").is_some_and(|tag| is_bad(tag));
    let status = if bad { 500 } else { 200 };
    json!({ "statusCode": status, "body": "{}" }).to_string().into()
}

/// An answer in a line.
fn shown(answer: &Answer) -> String {
    match answer {
        Answer::Reports { reports, failures } => {
            let services = reports.iter().flat_map(|report| &report.services).map(|(name, service)| {
                let error = service.error.as_ref().map(|error| format!(" error: {error}")).unwrap_or_default();
                format!("{name}: {:?} {:?} {:?}{error}", service.standing.sync, service.standing.phase, service.done)
            });
            let failures = failures.iter().map(|failure| failure.message.clone());
            let holds = reports.iter().filter_map(|report| report.hold.as_ref().map(|hold| format!("on hold: {hold}")));
            services.chain(holds).chain(failures).collect::<Vec<_>>().join("; ")
        }
        Answer::Services { reports, failures, .. } => {
            let done = reports
                .iter()
                .map(|(name, service)| format!("{name}: {:?} {:?}", service.standing.phase, service.done));
            let failed = failures.iter().map(|(name, failure)| format!("{name}: {failure:?}"));
            done.chain(failed).collect::<Vec<_>>().join("; ")
        }
        Answer::Failed(failure) => failure.message.clone(),
        Answer::History { .. } | Answer::Record { .. } | Answer::Versions { .. } => Value::Null.to_string(),
    }
}

//! Sees every call of every controller: makes it go wrong as the plan says, writes it down, and asserts what must hold after it.
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use local_aws::wire::Credential;
use local_aws::{AwsError, Call, Fault, LocalAws, Service};
use tokio::sync::Notify;

use crate::facts::{Facts, Running, Who};
use crate::forge::GitFault;
use crate::invariants::{self, Moment, Trace, Violation};
use crate::plan::{Blow, Strike};
use crate::release::Place;
use crate::world::{self, ACCOUNT, REGION};

/// How the access keys of processes begin: what follows is the process's number.
pub const KEY: &str = "PROCESS";

/// What a world remembers beside its AWS: part of every snapshot.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// What is true.
    pub facts: Facts,
    /// How many calls controllers made.
    pub calls: u64,
}

/// Faults at random: each call goes wrong with this chance.
#[derive(Clone, Debug)]
pub struct Chaos {
    /// Where chance comes from.
    pub random: fastrand::Rng,
    /// From 0 to 1.
    pub rate: f64,
}

/// A process that runs a command.
struct Live {
    running: Running,
    died: Arc<Notify>,
    dead: bool,
    /// Its command has ended as well.
    buried: bool,
}

/// A call of a controller, as far as it matters for what can go wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// None for Git.
    pub service: Option<Service>,
    /// For example `UpdateAlias`.
    pub operation: &'static str,
    /// The service whose function or stored document it is about.
    pub place: Option<Place>,
}

impl Called {
    /// Whether a blow can make a difference to it.
    #[must_use]
    pub fn can_get(self, blow: Blow) -> bool {
        let reads = !local_aws::world::is_mutating(self.operation) && self.operation != "Invoke";
        match blow {
            Blow::Stale(_) => match self.service {
                // Strongly consistent.
                Some(Service::S3) => false,
                Some(_) => reads,
                None => self.operation == "ListReferences",
            },
            // All the same for Git.
            Blow::DieAfter
            | Blow::LoseAnswer
            | Blow::Throttle
            | Blow::Flood
            | Blow::Break
            | Blow::Deny
            | Blow::Hang
            | Blow::Delay(_) => self.service.is_some(),
            Blow::DieBefore | Blow::LoseRequest | Blow::CutOff => true,
        }
    }
}

struct Inner {
    memory: Memory,
    minute: u32,
    /// Calls of this minute.
    call: u32,
    called: Vec<Called>,
    strikes: Vec<Strike>,
    /// Strikes that hit a call.
    struck: Vec<Strike>,
    chaos: Option<Chaos>,
    /// What every call of this minute gets from now on.
    cut: Option<Blow>,
    live: BTreeMap<u32, Live>,
    violation: Option<Violation>,
    trace: Trace,
    /// One line a call, where somebody wants to read them.
    journal: Option<Vec<String>>,
}

/// The watch over one world.
pub struct Watch {
    aws: LocalAws,
    inner: Mutex<Inner>,
    /// Tells the thread that is at Git for a dead process that the command has ended.
    buried: Condvar,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// How a command ended for whoever sent it.
#[derive(Debug)]
pub enum End<T> {
    /// With an answer.
    Answer(T),
    /// The process died.
    Died,
}

impl Watch {
    /// Watches a world that remembers this, from now on.
    #[must_use]
    pub fn over(aws: &LocalAws, memory: Memory) -> Arc<Self> {
        let inner = Inner {
            memory,
            minute: 0,
            call: 0,
            called: Vec::new(),
            strikes: Vec::new(),
            struck: Vec::new(),
            chaos: None,
            cut: None,
            live: BTreeMap::new(),
            violation: None,
            trace: Trace::new(),
            journal: None,
        };
        let watch = Arc::new(Self { aws: aws.clone(), inner: Mutex::new(inner), buried: Condvar::new() });
        let (before, after) = (Arc::clone(&watch), Arc::clone(&watch));
        aws.set_hook(Arc::new(move |call| before.before(call)));
        aws.set_observer(Arc::new(move |call, status| after.after(call, status)));
        watch
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is remembered now.
    #[must_use]
    pub fn memory(&self) -> Memory {
        self.inner().memory.clone()
    }

    /// Writes down what is true.
    pub fn learn<T>(&self, learn: impl FnOnce(&mut Facts) -> T) -> T {
        learn(&mut self.inner().memory.facts)
    }

    /// From now on the calls of these go wrong.
    pub fn strike(&self, strikes: Vec<Strike>) {
        self.inner().strikes = strikes;
    }

    /// From now on calls go wrong at random, or no more.
    pub fn chaos(&self, chaos: Option<Chaos>) {
        self.inner().chaos = chaos;
    }

    /// Takes the chance back, to go on with later.
    #[must_use]
    pub fn take_chaos(&self) -> Option<Chaos> {
        self.inner().chaos.take()
    }

    /// Writes down every call from now on.
    pub fn keep_journal(&self) {
        self.inner().journal = Some(Vec::new());
    }

    /// What was written down.
    #[must_use]
    pub fn journal(&self) -> Vec<String> {
        self.inner().journal.clone().unwrap_or_default()
    }

    /// A line of the journal that is no call.
    pub fn note(&self, line: impl FnOnce() -> String) {
        let inner = &mut *self.inner();
        if let Some(journal) = &mut inner.journal {
            journal.push(line());
        }
    }

    /// A minute begins.
    pub fn minute(&self, minute: u32) {
        let inner = &mut *self.inner();
        (inner.minute, inner.call, inner.cut) = (minute, 0, None);
        inner.called.clear();
    }

    /// How many calls there were in this minute, and in all.
    #[must_use]
    pub fn calls(&self) -> (u32, u64) {
        let inner = self.inner();
        (inner.call, inner.memory.calls)
    }

    /// The calls of this minute.
    #[must_use]
    pub fn called(&self) -> Vec<Called> {
        self.inner().called.clone()
    }

    /// The strikes that hit a call so far.
    #[must_use]
    pub fn struck(&self) -> Vec<Strike> {
        self.inner().struck.clone()
    }

    /// What was done to each function.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.inner().trace.clone()
    }

    /// The first thing that did not hold.
    #[must_use]
    pub fn violation(&self) -> Option<Violation> {
        self.inner().violation.clone()
    }

    /// Something did not hold.
    pub fn violate(&self, violation: Violation) {
        self.inner().violation.get_or_insert(violation);
    }

    /// A process begins a command; gives what tells of its death.
    #[must_use]
    pub fn begin(&self, running: Running) -> Arc<Notify> {
        let died = Arc::new(Notify::new());
        let inner = &mut *self.inner();
        if let Some((place, _)) = running.word
            && let Some(known) = inner.memory.facts.functions.get_mut(&place)
        {
            known.effects_of_word = 0;
        }
        inner.live.insert(running.process, Live { running, died: Arc::clone(&died), dead: false, buried: false });
        died
    }

    /// Whether a process died in its command; it makes no call any more.
    #[must_use]
    pub fn end(&self, process: u32) -> bool {
        let inner = &mut *self.inner();
        match inner.live.get_mut(&process) {
            Some(live) if live.dead => {
                live.buried = true;
                self.buried.notify_all();
                true
            }
            Some(_) => {
                inner.live.remove(&process);
                false
            }
            None => false,
        }
    }

    /// The blow that this call gets.
    fn blow(inner: &mut Inner, called: Called) -> Option<Blow> {
        let (at, service) = (inner.call, called.service);
        inner.called.push(called);
        inner.call += 1;
        inner.memory.calls += 1;
        let minute = inner.minute;
        let planned = inner.strikes.iter().find(|strike| (strike.minute, strike.call) == (minute, at)).copied();
        let blow = match (planned, &mut inner.chaos) {
            (Some(strike), _) => Some(strike.blow),
            (None, Some(chaos)) => (chaos.random.f64() < chaos.rate).then(|| draw(&mut chaos.random, service)),
            (None, None) => None,
        };
        if let Some(blow) = blow {
            inner.struck.push(Strike { minute, call: at, blow });
            if matches!(blow, Blow::CutOff | Blow::Flood) {
                inner.cut.get_or_insert(blow);
            }
        }
        inner.cut.or(blow)
    }

    fn before(&self, call: &Call) -> Fault {
        let Some(process) = process(call) else { return Fault::None };
        let inner = &mut *self.inner();
        match inner.live.get(&process) {
            None => return Fault::None,
            Some(live) if live.dead => return Fault::Hang,
            Some(live) => {
                let who = Who::Process(live.running.clone());
                let woken = inner.memory.facts.woken.remove(&live.running.id);
                if let Err(violation) = invariants::before(&self.aws, &who, call, woken) {
                    inner.violation.get_or_insert(violation);
                }
            }
        }
        let place = about(&inner.memory.facts, call.service, &call.resource);
        let called = Called { service: Some(call.service), operation: call.operation, place };
        let blow = Self::blow(inner, called);
        if let ("GetFunction", Some(live)) = (call.operation, inner.live.get(&process)) {
            let read = (live.running.id.clone(), call.resource.to_string());
            inner.memory.facts.misled.remove(&read);
            inner.memory.facts.misled.extend(matches!(blow, Some(Blow::Stale(_))).then_some(read));
        }
        let Some(blow) = blow else { return Fault::None };
        if let Some(journal) = &mut inner.journal {
            journal.push(format!("  ! {blow}"));
        }
        if matches!(blow, Blow::DieBefore | Blow::DieAfter)
            && let Some(live) = inner.live.get_mut(&process)
        {
            live.dead = true;
            live.died.notify_one();
        }
        match blow {
            Blow::DieBefore | Blow::Hang => Fault::Hang,
            Blow::DieAfter | Blow::LoseAnswer => Fault::LoseAnswer,
            Blow::LoseRequest | Blow::CutOff => Fault::LoseRequest,
            Blow::Throttle | Blow::Flood => Fault::Throttle,
            Blow::Break => Fault::FailBefore(AwsError::new(500, "InternalError", "It broke")),
            Blow::Deny => Fault::FailBefore(AwsError::new(403, "AccessDenied", "No")),
            Blow::Delay(seconds) => Fault::Delay(Duration::from_secs(seconds.into())),
            Blow::Stale(changes) => Fault::Stale(changes),
        }
    }

    fn after(&self, call: &Call, status: Option<u16>) {
        let who = process(call);
        let inner = &mut *self.inner();
        let who = match who.and_then(|process| inner.live.get(&process)) {
            Some(live) => Who::Process(live.running.clone()),
            None => Who::Person,
        };
        if let Some(journal) = &mut inner.journal
            && let Who::Process(running) = &who
        {
            let status = status.map_or("lost".to_owned(), |status| status.to_string());
            let (at, operation) = (call.now.format("%H:%M:%S%.3f"), call.operation);
            let line = format!("{at} {} {}:{operation} {} {status}", running.id, call.service, call.resource);
            journal.push(line);
        }
        if !local_aws::world::is_mutating(call.operation) || status.is_none() {
            return;
        }
        let resource = &*call.resource;
        let place = about(&inner.memory.facts, call.service, resource);
        let view = (call.service == Service::Lambda)
            .then(|| self.aws.function(ACCOUNT, REGION, function_of(resource)))
            .flatten();
        let moment = Moment {
            aws: &self.aws,
            facts: &inner.memory.facts,
            who: &who,
            call,
            resource,
            status,
            place,
            after: view.as_ref(),
        };
        if let Err(violation) = invariants::after(&moment) {
            inner.violation.get_or_insert(violation);
        }
        let (learned, applied) = (invariants::learn(&moment), invariants::applied(&moment));
        let refused = invariants::refused(&moment);
        let effect = call.service == Service::Lambda && call.operation != "Invoke";
        if let (Some(place), Who::Process(_), true, true) = (place, &who, effect, status.is_some_and(|it| it < 300)) {
            inner.trace.entry(place).or_default().push(format!("{} {resource}", call.operation));
        }
        inner.memory.facts.applied.extend(applied);
        inner.memory.facts.refused.extend(refused);
        if let (Some(place), Some(learned)) = (place, learned) {
            inner.memory.facts.functions.insert(place, learned);
        }
    }

    /// A request to the Git server.
    pub fn git(&self, process: u32, operation: &'static str) -> GitFault {
        let mut guard = self.inner();
        let inner = &mut *guard;
        if inner.live.get(&process).is_none_or(|live| live.dead) {
            return GitFault::Lost;
        }
        let blow = Self::blow(inner, Called { service: None, operation, place: None });
        if let Some(journal) = &mut inner.journal {
            let fault = blow.map(|blow| format!(" ! {blow}")).unwrap_or_default();
            journal.push(format!("git:{operation}{fault}"));
        }
        match blow {
            None | Some(Blow::Delay(_) | Blow::Flood) => GitFault::None,
            Some(Blow::Stale(changes)) => {
                // The branch is read as it was, and what it named then may be valid.
                if operation == "ListReferences"
                    && let Some(live) = inner.live.get_mut(&process)
                {
                    live.running.frozen = false;
                }
                GitFault::Stale(changes)
            }
            Some(Blow::DieBefore | Blow::DieAfter) => {
                if let Some(live) = inner.live.get_mut(&process) {
                    live.dead = true;
                    live.died.notify_one();
                }
                // This thread runs beside the command's: what it gives back must come too late, and not only sometimes.
                let is_up = |inner: &mut Inner| inner.live.get(&process).is_some_and(|live| !live.buried);
                let _ended = self.buried.wait_while(guard, is_up).unwrap_or_else(PoisonError::into_inner);
                GitFault::Lost
            }
            Some(_) => GitFault::Lost,
        }
    }
}

/// The function that a call of Lambda is about, without its qualifier.
pub(crate) fn function_of(resource: &str) -> &str {
    resource.split(':').next().unwrap_or_default()
}

/// The service whose function or stored document a call is about.
fn about(facts: &Facts, service: Service, resource: &str) -> Option<Place> {
    match service {
        Service::Lambda => facts.place(function_of(resource)),
        Service::S3 => world::place_of(resource),
        Service::Ssm | Service::Ecr | Service::CloudWatch | Service::Sts | Service::Scheduler => None,
    }
}

/// The process whose call it is.
fn process(call: &Call) -> Option<u32> {
    Credential::of(&call.head)?.access_key.strip_prefix(KEY)?.parse().ok()
}

/// A fault that makes sense for a call of this service; Git's where it is none.
fn draw(random: &mut fastrand::Rng, service: Option<Service>) -> Blow {
    match random.u32(..100) {
        0..4 => Blow::DieBefore,
        4..8 => Blow::DieAfter,
        8..22 => Blow::LoseRequest,
        22..40 => Blow::LoseAnswer,
        40..43 => Blow::CutOff,
        43..45 => Blow::Flood,
        45..58 => Blow::Throttle,
        58..70 => Blow::Break,
        70..73 => Blow::Deny,
        73..76 => Blow::Hang,
        76..88 => Blow::Delay(random.u32(1..9)),
        _ if service == Some(Service::S3) => Blow::LoseAnswer,
        _ => Blow::Stale(random.usize(1..4)),
    }
}

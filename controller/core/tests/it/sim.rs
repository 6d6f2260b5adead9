//! A world in memory that decisions are made about and carried out in: one function, one alias, and what is stored.
mod execute;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_schema::{Digest, EnvironmentName, Service, Tag};
use tidegate_core::analysis::Measured;
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, Subject, World, decide};
use tidegate_core::drift::Recorded;
use tidegate_core::history::{Head, Kind, Record, Said};
use tidegate_core::ids::{Commit, RevisionId, Version};
use tidegate_core::live::{LiveAlias, LiveVersion, Seen, UpdateStatus, VersionState, Weighted};
use tidegate_core::plan::Plan;
use tidegate_core::registry::Registered;
use tidegate_core::release::{Code, Release};
use tidegate_core::smoke::Invoked;
use tidegate_core::state::ServiceState;
use tidegate_core::status::{HoldReason, SyncStatus};

use crate::build::{at, commit, deployed, environment, live, record, recorded, release, service, v};

#[derive(Clone, Debug)]
pub(crate) struct Function {
    pub(crate) latest: LiveVersion,
    pub(crate) versions: BTreeMap<Version, LiveVersion>,
    /// What becomes of the update that is in progress, where it fails.
    pub(crate) doom: Option<String>,
    /// `$LATEST` before that update: it stays, where the update fails.
    before: Option<LiveVersion>,
}

/// Where an execution dies: before the action with this index, or after its effect and before its answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Crash {
    Before(usize),
    After(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Sim {
    environment: EnvironmentName,
    /// A tick is named after its minute.
    tick: String,
    pub(crate) service: Service,
    pub(crate) wanted: Result<Release, String>,
    pub(crate) commit: Commit,
    pub(crate) forced: bool,
    /// Whether a person asked for the tick, of everything.
    pub(crate) asked: bool,
    pub(crate) audit: bool,
    /// What the tag in Git names now, where it is asked for.
    pub(crate) tag: Seen<Digest>,
    pub(crate) hold: Option<HoldReason>,
    now: DateTime<Utc>,
    pub(crate) function: Option<Function>,
    pub(crate) alias: Option<LiveAlias>,
    pub(crate) registry: Option<(Version, Option<Tag>)>,
    pub(crate) state: Option<ServiceState>,
    pub(crate) head: Option<Head>,
    /// Whether the head's own document is gone: it is made again from the records in each look.
    pub(crate) head_lost: bool,
    /// Every record, oldest first, as it is stored.
    pub(crate) records: Vec<Record>,
    pub(crate) recorded: Option<Recorded>,
    pub(crate) reserved_concurrency: Option<u32>,
    pub(crate) preview: Option<LiveAlias>,
    /// Whether AWS prepares provisioned concurrency.
    pub(crate) provisioning: bool,
    /// What CloudWatch answers.
    pub(crate) measured: Measured,
    /// How the function answers a smoke test.
    pub(crate) invoked: Invoked,
    /// What a person says in the next decision.
    pub(crate) word: Option<(Word, Said)>,
    /// The branches that were pushed, where the release repository is told of rollbacks; or why none can be.
    pub(crate) pushed: Option<Result<Vec<String>, String>>,
    /// How often we wrote the alias.
    pub(crate) alias_writes: usize,
    revisions: u64,
}

impl Sim {
    /// A function that nobody has published a version of, with this code; Git wants `wanted`.
    pub(crate) fn unpublished(code: Code, wanted: Release) -> Self {
        let latest = live(None, code, "r0");
        Self {
            environment: environment(),
            tick: "tick-0".to_owned(),
            service: service(),
            wanted: Ok(wanted),
            commit: commit('a'),
            forced: false,
            asked: false,
            audit: false,
            tag: Seen::NotYet,
            hold: None,
            now: at(0),
            function: Some(Function { latest, versions: BTreeMap::new(), doom: None, before: None }),
            alias: None,
            registry: None,
            state: None,
            head: None,
            head_lost: false,
            records: Vec::new(),
            recorded: None,
            reserved_concurrency: None,
            preview: None,
            provisioning: false,
            measured: Measured::default(),
            invoked: Invoked::Answered { error: None, payload: b"{}".to_vec() },
            word: None,
            pushed: None,
            alias_writes: 0,
            revisions: 0,
        }
    }

    /// Version 1 with image `a` is live, and nobody has told Tidegate yet; Git wants it.
    pub(crate) fn unseen() -> Self {
        let mut sim = Self::unpublished(release('a').code, release('a'));
        sim.add_version(1, release('a').code);
        sim.alias = Some(LiveAlias {
            version: Some(v(1)),
            additional: None,
            marker: None,
            revision: RevisionId("alias".to_owned()),
        });
        sim
    }

    /// Release `a` is live as version 1, Git wants it, and history knows.
    pub(crate) fn at_rest() -> Self {
        let mut sim = Self::unseen();
        sim.append(record(1, Kind::Adopted, None, deployed(1, &release('a')), commit('a'), [-9, -9]));
        sim.recorded = Some(recorded(1, 'a'));
        sim.registry = Some((v(1), release('a').tag));
        sim
    }

    /// [`Sim::at_rest`], and Git wants the release `letter` since its commit.
    pub(crate) fn wanting(letter: char) -> Self {
        let mut sim = Self::at_rest();
        sim.git_wants(letter);
        sim
    }

    /// It is so many minutes after the tests' beginning.
    pub(crate) fn at(&mut self, minute: i64) {
        (self.now, self.tick) = (at(minute), format!("tick-{minute}"));
    }

    pub(crate) fn pass(&mut self, minutes: i64) {
        self.at(self.minute() + minutes);
    }

    /// How many minutes have passed since the tests' beginning.
    pub(crate) fn minute(&self) -> i64 {
        (self.now - at(0)).num_minutes()
    }

    pub(crate) fn git_wants(&mut self, letter: char) {
        self.wanted = Ok(release(letter));
        self.commit = commit(letter);
        self.recorded = None;
    }

    pub(crate) fn function(&mut self) -> &mut Function {
        self.function.as_mut().unwrap()
    }

    pub(crate) fn latest(&mut self) -> &mut LiveVersion {
        &mut self.function().latest
    }

    pub(crate) fn version(&mut self, number: u64) -> &mut LiveVersion {
        self.function().versions.get_mut(&v(number)).unwrap()
    }

    /// The function is deleted and created again with this code: its versions' numbers begin anew, and no alias is left.
    pub(crate) fn recreate(&mut self, code: Code) {
        let revision = self.next_revision();
        self.function = Self::unpublished(code, release('a')).function;
        self.latest().revision = revision;
        self.alias = None;
    }

    /// Somebody gives `$LATEST` other memory in the console.
    pub(crate) fn resize_by_hand(&mut self, memory_size: u32) {
        let revision = self.next_revision();
        let latest = self.latest();
        (latest.configuration.memory_size, latest.revision) = (memory_size, revision);
    }

    pub(crate) fn add_version(&mut self, number: u64, code: Code) {
        let version = live(Some(v(number)), code, &format!("r-v{number}"));
        self.function().versions.insert(v(number), version);
    }

    /// Somebody moves the alias in the console: its description stays.
    pub(crate) fn move_by_hand(&mut self, version: u64, additional: Option<Weighted>) {
        let revision = self.next_revision();
        let alias = self.alias.as_mut().unwrap();
        (alias.version, alias.additional, alias.revision) = (Some(v(version)), additional, revision);
    }

    pub(crate) fn append(&mut self, record: Record) {
        let appended = Head::append(self.head.as_ref(), record).unwrap();
        self.records.push(appended.head.recent[0].clone());
        (self.head, self.head_lost) = (Some(appended.head), false);
    }

    pub(crate) fn subject(&self) -> Subject<'_> {
        Subject {
            environment: &self.environment,
            service: &self.service,
            wanted: self.wanted.as_ref().map_err(String::as_str),
            commit: &self.commit,
            forced: self.forced,
            asked: self.asked,
            audit: self.audit,
            word: self.word.as_ref().map(|(word, said)| (*word, said)),
            actor: self.word.as_ref().map_or("controller", |(_, said)| &said.actor),
            writes_back: self.pushed.is_some(),
            hold: self.hold.as_ref(),
            now: self.now,
            tick: &self.tick,
        }
    }

    fn before_any_look(&self) -> World {
        let (state, recorded, tag) = (self.state.clone(), self.recorded.clone(), self.tag.clone());
        World { state, recorded, tag, reserved_concurrency: self.reserved_concurrency, ..World::default() }
    }

    /// What is asked for, in order, and the plan.
    pub(crate) fn decide(&self) -> (Vec<Look>, Plan) {
        let (looks, _, plan) = self.decided();
        (looks, plan)
    }

    /// What is seen by the time it is decided.
    pub(crate) fn world(&self) -> World {
        self.decided().1
    }

    fn decided(&self) -> (Vec<Look>, World, Plan) {
        let mut world = self.before_any_look();
        let mut looks = Vec::new();
        loop {
            match decide(&self.subject(), &world) {
                Decision::Act(plan) => return (looks, world, plan),
                Decision::Refuse(message) => panic!("refused: {message}"),
                Decision::Look(look) => {
                    assert!(!looks.contains(&look), "{look:?} is asked for twice: {looks:?}");
                    looks.push(look.clone());
                    self.look(look, &mut world);
                }
            }
        }
    }

    /// Why a word is refused.
    pub(crate) fn refusal(&self) -> String {
        let mut world = self.before_any_look();
        loop {
            match decide(&self.subject(), &world) {
                Decision::Act(plan) => panic!("not refused: {plan:#?}"),
                Decision::Refuse(message) => return message,
                Decision::Look(look) => self.look(look, &mut world),
            }
        }
    }

    fn look(&self, look: Look, world: &mut World) {
        let version = |version: Version| self.function.as_ref().and_then(|f| f.versions.get(&version).cloned());
        let latest = self.function.as_ref().map(|function| function.latest.clone());
        match look {
            Look::Serving => {
                let serving = self.alias.as_ref().and_then(|alias| alias.version.map_or(latest, version));
                world.serving = seen(serving);
            }
            Look::Alias => world.alias = seen(self.alias.clone()),
            Look::Latest => world.latest = seen(latest),
            Look::Version(number) => drop(world.versions.insert(number, seen(version(number)))),
            Look::Preview => world.preview = seen(self.preview.clone()),
            Look::Registry => {
                let entry = self.registry.clone().map(|(version, _)| Registered::Entry { version, names_alias: true });
                world.registry = seen(entry);
            }
            Look::Provisioning => world.provisioning = Seen::Found(self.provisioning),
            Look::Measure(_) => world.measured = Seen::Found(self.measured.clone()),
            Look::Head => (world.head, world.head_lost) = (seen(self.head.clone()), self.head_lost),
        }
    }

    /// Decides, and executes all of it; then a minute passes.
    pub(crate) fn tick(&mut self) -> Plan {
        self.tick_until(None).0
    }

    /// Decides, and executes until it dies, or something is refused.
    pub(crate) fn tick_until(&mut self, crash: Option<Crash>) -> (Plan, Result<(), &'static str>) {
        let (_, plan) = self.decide();
        let result = self.execute(&plan, crash);
        if result.is_ok() {
            if plan.standing.sync == SyncStatus::Synced {
                self.recorded = self.recorded_now();
            }
            if plan.actions.is_empty() && plan.standing.sync == SyncStatus::Synced {
                self.reserved_concurrency = self.service.reserved_concurrency;
            }
        }
        self.pass(1);
        (plan, result)
    }

    /// What the cache says after a tick that found the service synced, or left it so.
    fn recorded_now(&self) -> Option<Recorded> {
        let release = self.wanted.as_ref().ok()?.id.clone();
        Some(Recorded { release, version: self.alias.as_ref()?.version? })
    }

    /// Ticks until nothing is left to do, while AWS finishes what it was told in between.
    pub(crate) fn settle(&mut self, ticks: usize) -> Vec<Plan> {
        let mut plans = Vec::new();
        for _ in 0..ticks {
            let plan = self.tick();
            let rests = plan.actions.is_empty();
            plans.push(plan);
            if rests && !self.aws_works() {
                return plans;
            }
            self.aws_finishes();
        }
        panic!("not at rest after {ticks} ticks: {plans:#?}");
    }

    /// Planning again changes nothing, and costs one look.
    pub(crate) fn assert_converged(&self) {
        let (looks, plan) = self.decide();
        assert_eq!((looks, plan.actions), (vec![Look::Serving], vec![]));
        assert_eq!(plan.standing, crate::build::synced());
    }

    fn aws_works(&self) -> bool {
        let Some(function) = &self.function else { return false };
        function.latest.last_update == UpdateStatus::InProgress
            || function.versions.values().any(|version| version.state == VersionState::Pending)
    }

    /// What AWS was doing is done: updates are successful or doomed, versions can serve or never will.
    pub(crate) fn aws_finishes(&mut self) {
        let revision = self.next_revision();
        let Some(function) = &mut self.function else { return };
        let mut doom = None;
        if function.latest.last_update == UpdateStatus::InProgress {
            doom = function.doom.clone();
            if let (Some(reason), Some(before)) = (doom.clone(), function.before.take()) {
                function.latest = LiveVersion { last_update: UpdateStatus::Failed { reason }, ..before };
            } else {
                function.latest.last_update = UpdateStatus::Successful;
            }
            function.latest.revision = revision;
        }
        for version in function.versions.values_mut().filter(|version| version.state == VersionState::Pending) {
            version.state = doom.clone().map_or(VersionState::Active, |reason| VersionState::Failed { reason });
        }
    }

    fn next_revision(&mut self) -> RevisionId {
        self.revisions += 1;
        RevisionId(format!("r{}", self.revisions))
    }
}

fn seen<T>(thing: Option<T>) -> Seen<T> {
    thing.map_or(Seen::Missing, Seen::Found)
}

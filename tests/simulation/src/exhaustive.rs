//! Every fault at every call of a story, one at a time and in pairs.
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::forge::Forge;
use crate::invariants::{Trace, Violation, others_are_left_alone};
use crate::plan::{Blow, Plan, Strike};
use crate::play::{Outcome, Patience, begin, events, in_its_time, play};
use crate::story::Story;
use crate::watch::Called;
use crate::world::{Base, World};

/// A story without faults: the moment at which each minute begins, and the calls of a process that begins there.
#[derive(Debug)]
pub struct Course {
    /// The story.
    pub story: Story,
    bases: Vec<Base>,
    /// The calls of each minute.
    pub calls: Vec<Vec<Called>>,
    /// What is done to each function from each minute on, where there is more than one.
    traces: Vec<Trace>,
}

/// What came of many plans.
#[derive(Debug, Default)]
pub struct Tally {
    /// Plans played.
    pub plans: usize,
    /// Plans that there are and were not played.
    pub left_out: usize,
    /// Calls that controllers made.
    pub calls: u64,
    /// Minutes of the worlds' time.
    pub minutes: u64,
    /// The plans in which something did not hold.
    pub violations: Vec<(Plan, Violation)>,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.plans += other.plans;
        self.left_out += other.left_out;
        self.calls += other.calls;
        self.minutes += other.minutes;
        self.violations.extend(other.violations);
        self
    }
}

impl Course {
    /// Plays a story without faults, each minute in a process of its own.
    ///
    /// # Errors
    /// Where something does not hold without any fault.
    pub fn run(story: Story, forge: &Arc<Forge>) -> Result<Self, Violation> {
        let mut base = begin(&story, forge);
        let (mut bases, mut calls) = (Vec::new(), Vec::new());
        for minute in 0..story.minutes {
            let (next, called, violation) = in_its_time(async {
                let mut world = World::resume(&base, forge);
                world.minute(minute, &events(&story, minute)).await;
                (world.base(), world.watch.called(), world.watch.violation())
            });
            if let Some(violation) = violation {
                return Err(violation);
            }
            bases.push(std::mem::replace(&mut base, next));
            calls.push(called);
        }
        let last = bases.last().expect("a minute");
        let end = play(&story, last, story.minutes - 1, &[], Patience { grace: 0, quiet: 5 }, forge, false);
        if let Some(violation) = end.violation {
            return Err(violation);
        }
        let mut course = Self { story, bases, calls, traces: Vec::new() };
        if course.story.before.len() > 1 {
            let whole = |minute| play(&course.story, course.base(minute), minute, &[], Patience::SHORT, forge, false);
            course.traces = (0..course.story.minutes).map(|minute| whole(minute).trace).collect();
        }
        Ok(course)
    }

    /// Whether a fault of one service was felt by another. One that ends the process, or is about none, is felt by all.
    fn isolated(&self, strikes: &[Strike], trace: &Trace) -> Result<(), Violation> {
        let [Strike { minute, call, blow }] = strikes else { return Ok(()) };
        let called = self.calls.get(*minute as usize).and_then(|calls| calls.get(*call as usize));
        let struck = called.and_then(|called| called.place);
        match (struck, self.traces.get(*minute as usize), blow) {
            (_, _, Blow::DieBefore | Blow::DieAfter | Blow::CutOff) | (None, _, _) | (_, None, _) => Ok(()),
            (Some(struck), Some(without), _) => others_are_left_alone(struck, without, trace),
        }
    }

    /// The moment at which a minute begins.
    #[must_use]
    pub fn base(&self, minute: u32) -> &Base {
        &self.bases[minute as usize]
    }

    /// Every single fault that can make a difference.
    #[must_use]
    pub fn single(&self) -> Vec<Vec<Strike>> {
        let mut plans = Vec::new();
        for (minute, calls) in (0..).zip(&self.calls) {
            for (call, called) in (0..).zip(calls) {
                let blows = Blow::ALL.into_iter().filter(|blow| called.can_get(*blow));
                plans.extend(blows.map(|blow| vec![Strike { minute, call, blow }]));
            }
        }
        plans
    }

    /// All pairs of a death or a lost answer in two consecutive minutes.
    #[must_use]
    pub fn pairs(&self) -> Vec<Vec<Strike>> {
        let blows = [Blow::DieBefore, Blow::DieAfter, Blow::LoseAnswer];
        let strikes = |minute: usize| {
            let calls = self.calls.get(minute).map_or(0, Vec::len);
            let at = u32::try_from(minute).unwrap_or(u32::MAX);
            (0u32..).take(calls).flat_map(move |call| blows.map(|blow| Strike { minute: at, call, blow }))
        };
        let minutes = 0..self.calls.len().saturating_sub(1);
        minutes
            .flat_map(|minute| {
                strikes(minute).flat_map(move |first| strikes(minute + 1).map(move |second| vec![first, second]))
            })
            .collect()
    }

    /// Plays the story with these faults, from the minute of the first of them.
    #[must_use]
    pub fn play(&self, strikes: &[Strike], forge: &Arc<Forge>, journal: bool) -> Outcome {
        let from = strikes.iter().map(|strike| strike.minute).min().unwrap_or(0);
        let outcome = play(&self.story, self.base(from), from, strikes, Patience::SHORT, forge, journal);
        let felt = self.isolated(strikes, &outcome.trace).err();
        Outcome { violation: outcome.violation.or(felt), ..outcome }
    }

    /// Plays these on as many threads.
    #[must_use]
    pub fn play_all(&self, plans: &[Vec<Strike>], forge: &Arc<Forge>, threads: usize) -> Tally {
        let (next, tally) = (AtomicUsize::new(0), Mutex::new(Tally::default()));
        let bug = planted::planted();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    planted::plant(bug);
                    while let Some(strikes) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = self.play(strikes, forge, false);
                        let tally = &mut *tally.lock().unwrap_or_else(PoisonError::into_inner);
                        tally.plans += 1;
                        tally.calls += outcome.calls;
                        tally.minutes += u64::from(outcome.minutes);
                        if let Some(violation) = outcome.violation {
                            let plan = Plan { story: self.story.name, strikes: strikes.clone() };
                            tally.violations.push((plan, violation));
                        }
                    }
                });
            }
        });
        let mut tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
        tally.violations.sort_by(|one, other| one.0.strikes.cmp(&other.0.strikes));
        tally
    }
}

/// At most so many of these, spread evenly.
#[must_use]
pub fn sampled<T: Clone>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    (0..most).filter_map(|number| all.get(number * all.len() / most)).cloned().collect()
}

/// How often each invariant was broken.
#[must_use]
pub fn by_invariant(violations: &[(Plan, Violation)]) -> BTreeMap<u8, usize> {
    let mut counts = BTreeMap::new();
    for (_, violation) in violations {
        *counts.entry(violation.invariant).or_default() += 1;
    }
    counts
}

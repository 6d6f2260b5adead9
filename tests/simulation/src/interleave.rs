//! Two ticks and a rollback at the same time: every order of their calls with few changes from one to another.
mod schedule;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::exhaustive::{Course, Tally, sampled};
use crate::forge::Forge;
use crate::invariants::Violation;
use crate::plan::Plan;
use crate::play::{Outcome, Patience, events, finish, in_its_time};
use crate::story::Ending;
use crate::world::World;

pub use schedule::{Choice, Schedule};

/// How often one that could have gone on gives way to another, at most.
const CHANGES: usize = 3;

/// Who is told what came of all schedules so far, and how many known ones are to come.
pub type Heard<'a> = dyn Fn(&Tally, usize) + Sync + 'a;

/// What came of the schedules of a story.
#[derive(Debug, Default)]
pub struct Explored {
    /// How many there were, and those known that were not played.
    pub tally: Tally,
    /// Those that were played.
    pub played: Vec<Schedule>,
    /// Those of them in which something did not hold.
    pub broken: Vec<(Schedule, Violation)>,
}

/// Plays a minute of a story with a second tick and a rollback beside its own, on as many threads: every schedule with at most
/// three changes from one that could have gone on to another, and each of the three standing still after each of its calls.
/// Where those are more than `most`, a sample.
///
/// What a schedule comes to says which others there are: from each call on which it did not decide, each other command
/// could go on. After each that was played, `heard` gets what came of all so far, and how many are known that are still to come.
#[must_use]
pub fn explore(
    course: &Course,
    minute: u32,
    most: usize,
    forge: &Arc<Forge>,
    threads: usize,
    heard: &Heard<'_>,
) -> Explored {
    let mut explored = Explored::default();
    let mut wave: Vec<Schedule> = (0..3).map(|who| Schedule::of([who])).collect();
    while !wave.is_empty() {
        // A quarter for each of those that differ in the first, second, and third change, and for the rest.
        let share = sampled(&wave, most.div_ceil(4).min(most - explored.played.len()));
        explored.tally.left_out += wave.len() - share.len();
        wave = played(course, minute, &share, forge, threads, heard, &mut explored);
        wave.sort();
        explored.played.extend(share);
    }
    explored.broken.sort_by(|one, other| one.0.cmp(&other.0));
    explored
}

/// Plays these, and gives those that are to be played after them.
fn played(
    course: &Course,
    minute: u32,
    schedules: &[Schedule],
    forge: &Arc<Forge>,
    threads: usize,
    heard: &Heard<'_>,
    explored: &mut Explored,
) -> Vec<Schedule> {
    let (before, bug) = (explored.tally.plans, planted::planted());
    let (next, results) = (AtomicUsize::new(0), Mutex::new((explored, Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                planted::plant(bug);
                while let Some(schedule) = schedules.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let (outcome, made) = overlapped(course, minute, schedule, forge, false);
                    let further = further(schedule, &made);
                    let (explored, found) = &mut *results.lock().unwrap_or_else(PoisonError::into_inner);
                    found.extend(further);
                    explored.tally.plans += 1;
                    explored.tally.calls += outcome.calls;
                    explored.tally.minutes += u64::from(outcome.minutes);
                    if let Some(violation) = outcome.violation {
                        let plan = Plan { story: course.story.name, strikes: Vec::new() };
                        explored.tally.violations.push((plan, violation.clone()));
                        explored.broken.push((schedule.clone(), violation));
                    }
                    heard(&explored.tally, before + schedules.len() - explored.tally.plans + found.len());
                }
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner).1
}

/// What is to be played after a schedule that came to this; after the first of a command also that command standing still.
fn further(schedule: &Schedule, made: &[Choice]) -> Vec<Schedule> {
    let mut further = schedule.branches(made, CHANGES);
    if let [(who, 1)] = schedule.turns[..] {
        let calls = made.iter().take_while(|choice| choice.who == who).count();
        further.extend((0..u32::try_from(calls).unwrap_or(u32::MAX)).map(|calls| Schedule::stall(who, calls)));
    }
    further
}

/// Plays a minute of a story with a second tick and a rollback beside its own, then goes on as the story does.
#[must_use]
pub fn play(course: &Course, minute: u32, schedule: &Schedule, forge: &Arc<Forge>, journal: bool) -> Outcome {
    overlapped(course, minute, schedule, forge, journal).0
}

fn overlapped(
    course: &Course,
    minute: u32,
    schedule: &Schedule,
    forge: &Arc<Forge>,
    journal: bool,
) -> (Outcome, Vec<Choice>) {
    let place = course.story.endings.first().map(Ending::place).expect("a service");
    in_its_time(async {
        let mut world = World::resume(course.base(minute), forge);
        if journal {
            world.watch.keep_journal();
        }
        let (_, before) = world.watch.calls();
        let made = world.overlap(minute, &events(&course.story, minute), place, schedule).await;
        let played = finish(&mut world, &course.story, minute + 1, Patience::SHORT).await;
        let (_, after) = world.watch.calls();
        let outcome = Outcome {
            violation: world.watch.violation(),
            struck: Vec::new(),
            calls: after - before,
            minutes: played + 1,
            trace: world.watch.trace(),
            journal: world.watch.journal(),
        };
        (outcome, made)
    })
}

//! Two ticks and a rollback at the same time: every order of their calls with few changes from one to another.
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::exhaustive::{Course, Tally};
use crate::forge::Forge;
use crate::invariants::Violation;
use crate::plan::Plan;
use crate::play::{Outcome, Patience, events, finish, in_its_time};
use crate::release::Place;
use crate::story::Ending;
use crate::world::World;

/// Who goes on for how many calls, one after the other; whoever is left then ends in the order of the first calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule {
    /// Which of the commands goes first, second and third.
    pub order: [usize; 3],
    /// How many calls each turn has; after the last, everybody ends in `order`.
    pub turns: Vec<(usize, u32)>,
    /// Who stands still after so many calls, until its lease is over and the others have ended; turns are none then.
    pub stall: Option<(usize, u32)>,
}

impl Schedule {
    /// Says, again and again, which of those that wait goes on.
    pub fn order(&self) -> impl FnMut(&[usize]) -> usize + use<> {
        let (mut turns, last) = (self.turns.clone().into_iter().peekable(), self.order);
        let mut had = 0;
        move |waiting| {
            while let Some((who, calls)) = turns.peek().copied() {
                if had < calls && waiting.contains(&who) {
                    had += 1;
                    return who;
                }
                had = 0;
                turns.next();
            }
            last.into_iter().find(|who| waiting.contains(who)).unwrap_or(waiting[0])
        }
    }
}

/// As `--race` takes it: turns, and who ends in which order, as in `0:6,2:7/012`; `0:6!` stands still.
impl std::str::FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no schedule, as in `0:6,2:7/012` or `0:6!`");
        let number = |text: &str| text.parse::<u32>().map_err(|_| wrong());
        let turn = |text: &str| {
            let (who, calls) = text.split_once(':').ok_or_else(wrong)?;
            let who = number(who).ok().filter(|who| *who < 3).ok_or_else(wrong)?;
            Ok((who as usize, number(calls)?))
        };
        if let Some(stall) = text.strip_suffix('!') {
            return Ok(Self { order: [0, 1, 2], turns: Vec::new(), stall: Some(turn(stall)?) });
        }
        let (turns, order) = text.split_once('/').ok_or_else(wrong)?;
        let turns = turns.split(',').filter(|turn| !turn.is_empty()).map(turn).collect::<Result<_, String>>()?;
        let order: Vec<usize> = order.chars().filter_map(|who| Some(who.to_digit(3)? as usize)).collect();
        Ok(Self { order: order.try_into().map_err(|_| wrong())?, turns, stall: None })
    }
}

impl Schedule {
    /// What [`str::parse`] makes this of.
    #[must_use]
    pub fn code(&self) -> String {
        if let Some((who, calls)) = self.stall {
            return format!("{who}:{calls}!");
        }
        let turns: Vec<String> = self.turns.iter().map(|(who, calls)| format!("{who}:{calls}")).collect();
        let order: String = self.order.iter().map(ToString::to_string).collect();
        format!("{}/{order}", turns.join(","))
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = |who: &usize| ["the tick", "the second tick", "the rollback"].get(*who).copied().unwrap_or("nobody");
        if let Some((who, calls)) = &self.stall {
            return write!(f, "{} stands still after {calls} calls until the others have ended", name(who));
        }
        for (who, calls) in &self.turns {
            write!(f, "{} makes {calls} calls, ", name(who))?;
        }
        let order: Vec<&str> = self.order.iter().map(name).collect();
        write!(f, "then to their ends: {}", order.join(", "))
    }
}

/// Calls that a command makes at most in these stories: enough for every place in it at which it can be interrupted.
const CALLS: [u32; 3] = [18, 6, 16];

/// Every schedule of a minute: each two of the three with at most three changes, all three with at most two, and each of
/// them standing still after each of its calls.
#[must_use]
pub fn schedules(course: &Course, minute: u32) -> Vec<Schedule> {
    let tick = u32::try_from(course.calls.get(minute as usize).map_or(0, Vec::len)).unwrap_or(u32::MAX);
    let calls = [tick.min(CALLS[0]), CALLS[1], CALLS[2]];
    let mut all: Vec<Schedule> = Vec::new();
    for (who, calls) in calls.into_iter().enumerate() {
        let stalls =
            (0..calls).map(|calls| Schedule { order: [0, 1, 2], turns: Vec::new(), stall: Some((who, calls)) });
        all.extend(stalls);
    }
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let plain = |order, turns| Schedule { order, turns, stall: None };
    all.extend(orders.map(|order| plain(order, Vec::new())));
    for pair in [[0, 2], [0, 1], [1, 2]] {
        let of_pair: [u32; 3] = std::array::from_fn(|who| if pair.contains(&who) { calls[who] } else { 0 });
        for turns in turns(of_pair, 3) {
            let last = turns.last().map_or(0, |(who, _)| *who);
            // Whoever was interrupted last ends last.
            let order = orders.into_iter().find(|order| order[2] == last).unwrap_or(orders[0]);
            all.push(plain(order, turns));
        }
    }
    for turns in turns(calls, 2) {
        all.extend(orders.map(|order| plain(order, turns.clone())));
    }
    all.sort();
    all.dedup();
    all
}

/// All turns with at most so many changes.
fn turns(calls: [u32; 3], changes: usize) -> Vec<Vec<(usize, u32)>> {
    let (mut all, mut newest) = (Vec::new(), vec![Vec::new()]);
    for _ in 0..changes {
        newest = newest.iter().flat_map(|begun: &Vec<(usize, u32)>| extended(begun, calls)).collect();
        all.extend(newest.iter().cloned());
    }
    all
}

/// Every way to go on with one more turn of somebody who did not have the last one.
fn extended(turns: &[(usize, u32)], calls: [u32; 3]) -> Vec<Vec<(usize, u32)>> {
    let last = turns.last().map(|(who, _)| *who);
    let mut all = Vec::new();
    for (who, most) in calls.into_iter().enumerate().filter(|(who, _)| Some(*who) != last) {
        let had: u32 = turns.iter().filter(|(other, _)| *other == who).map(|(_, calls)| *calls).sum();
        all.extend((1..most.saturating_sub(had)).map(|calls| {
            let mut longer = turns.to_vec();
            longer.push((who, calls));
            longer
        }));
    }
    all
}

/// Plays a minute of a story with a second tick and a rollback beside its own, then goes on as the story does.
#[must_use]
pub fn play(
    course: &Course,
    minute: u32,
    place: Place,
    schedule: &Schedule,
    forge: &Arc<Forge>,
    journal: bool,
) -> Outcome {
    in_its_time(async {
        let mut world = World::resume(course.base(minute), forge);
        if journal {
            world.watch.keep_journal();
        }
        let (_, before) = world.watch.calls();
        world.overlap(minute, &events(&course.story, minute), place, schedule).await;
        let played = finish(&mut world, &course.story, minute + 1, Patience::SHORT).await;
        let (_, after) = world.watch.calls();
        Outcome {
            violation: world.watch.violation(),
            struck: Vec::new(),
            calls: after - before,
            minutes: played + 1,
            trace: world.watch.trace(),
            journal: world.watch.journal(),
        }
    })
}

/// Plays these on as many threads.
#[must_use]
pub fn play_all(
    course: &Course,
    minute: u32,
    schedules: &[Schedule],
    forge: &Arc<Forge>,
    threads: usize,
) -> (Tally, Vec<(Schedule, Violation)>) {
    let place = course.story.endings.first().map(Ending::place).expect("a service");
    let (next, results) = (AtomicUsize::new(0), Mutex::new((Tally::default(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(schedule) = schedules.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let outcome = play(course, minute, place, schedule, forge, false);
                    let (tally, broken) = &mut *results.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.plans += 1;
                    tally.calls += outcome.calls;
                    tally.minutes += u64::from(outcome.minutes);
                    if let Some(violation) = outcome.violation {
                        let plan = Plan { story: course.story.name, strikes: Vec::new() };
                        tally.violations.push((plan, violation.clone()));
                        broken.push((schedule.clone(), violation));
                    }
                }
            });
        }
    });
    let (tally, mut broken) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by(|one, other| one.0.cmp(&other.0));
    (tally, broken)
}

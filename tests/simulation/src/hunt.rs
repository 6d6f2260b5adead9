//! Looks for a bug that is planted in the controller: in the stories that it should show in, then with their faults, then in
//! worlds drawn from seeds.
use std::sync::Arc;

use local_aws::Service;
use planted::Bug;

use crate::exhaustive::{Course, sampled};
use crate::forge::Forge;
use crate::interleave::{self, Schedule};
use crate::invariants::Violation;
use crate::plan::{Blow, Plan, Strike};
use crate::random::Scenario;
use crate::release::{Place, Wanted};
use crate::stories;
use crate::story::{Ending, Event, Story};

/// Single faults that are tried in each story.
const SINGLES: usize = 400;

/// Races that are tried in each story that has them.
const RACES: usize = 400;

/// How often the SDK tries a call that is throttled.
const TRIES: u32 = 3;

/// Worlds that are drawn after that.
pub const SEEDS: u64 = 1_000;

/// Where a bug was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The plan, the schedule or the seed, in words.
    pub by: String,
    /// What did not hold.
    pub violation: Violation,
    /// How many plans, schedules and seeds were played until then.
    pub played: usize,
}

/// The stories in which a bug should show.
#[must_use]
pub const fn suspects(bug: Bug) -> &'static [&'static str] {
    match bug {
        Bug::RollbackMissesAlias | Bug::RolledBackIsReleasedAgain => &["rollback-live", "rollback-first-step"],
        Bug::RollbackLeavesWeights => &["rollback-first-step"],
        Bug::PreviousIsLowerNumber => &["rollback-over-aborted"],
        Bug::AliasWithoutRevision | Bug::OneFailureIsFinal | Bug::ThrottledCountsAsDone | Bug::PreviousAtWeightZero => {
            &["all-at-once"]
        }
        Bug::AbortedKeepsWeight | Bug::FailedAnalysisPasses => &["failing-analysis"],
        Bug::InconclusivePasses | Bug::NoMetricsPass => &["metrics-lost"],
        Bug::SecondReleaseStuck => &["superseded"],
        Bug::WeightsOutOfRange => &["canary"],
        Bug::FailureGoesToBroken => &["failing-bake"],
        Bug::RedAlarmStopsTheFix => &["fix-under-alarm"],
        Bug::PanicEndsTheTick => &["poisoned"],
        Bug::OneInvalidStopsAll => &["broken-neighbour"],
        Bug::DuplicateKeyTakesLast => &["written-twice"],
        Bug::LeaseTakenFromOthers | Bug::BlindRetryOfAlias | Bug::BlindRetryOfState => &["race", "race-for-all"],
        Bug::HeadBeforeRecord => &["all-at-once"],
        Bug::IntentAfterEffect => &["canary"],
    }
}

/// A story that is played with a planner that panics about one of its services.
#[must_use]
pub fn poisoned() -> Story {
    const FLIGHT: Place = ("staging", "flight-service");
    const RESERVATION: Place = ("staging", "reservation-service");
    Story {
        name: "poisoned",
        about: "the planner panics about one service, and the other one is released all the same",
        before: vec![(FLIGHT, Wanted::plain("v1.0.0")), (RESERVATION, Wanted::plain("v1.0.0"))],
        first: false,
        events: vec![
            (0, Event::Merge(FLIGHT, Wanted::plain(planted::POISON))),
            (1, Event::Merge(RESERVATION, Wanted::plain("v1.1.0"))),
        ],
        endings: vec![Ending::Synced(RESERVATION, "v1.1.0")],
        overlap: None,
        minutes: 5,
    }
}

/// Plants a bug on this thread, and looks for it; none where nothing ever shows it.
#[must_use]
pub fn hunt(bug: Bug, forge: &Arc<Forge>) -> Option<Found> {
    planted::plant(Some(bug));
    planted::poison(bug == Bug::PanicEndsTheTick);
    let found = match in_stories(bug, forge) {
        Ok(found) => Some(found),
        Err(played) => in_seeds(forge, played),
    };
    planted::plant(None);
    planted::poison(false);
    found
}

/// The same without the bug of this thread.
fn soundly<T>(work: impl FnOnce() -> T) -> T {
    let bug = planted::planted();
    planted::plant(None);
    let done = work();
    planted::plant(bug);
    done
}

/// How many were played, where none of them shows it.
fn in_stories(bug: Bug, forge: &Arc<Forge>) -> Result<Found, usize> {
    let mut played = 0;
    for name in suspects(bug) {
        let Some(story) = stories::named(name).or_else(|| (*name == "poisoned").then(poisoned)) else { continue };
        let sound = soundly(|| Course::run(story.clone(), forge)).expect("the story goes without the bug");
        played += 1;
        let course = match Course::run(story, forge) {
            Ok(course) => course,
            Err(violation) => return Ok(Found { by: format!("{name}, without a fault"), violation, played }),
        };
        for (minute, schedule) in races(&sound, forge) {
            played += 1;
            let play = |course| interleave::play(course, minute, &schedule, forge, false).violation;
            if let Some(violation) = play(&course).filter(|_| soundly(|| play(&sound)).is_none()) {
                return Ok(Found { by: format!("{name}: {schedule}"), violation, played });
            }
        }
        for strikes in writes_first(&course) {
            played += 1;
            let play = |course: &Course| course.play(&strikes, forge, false).violation;
            if let Some(violation) = play(&course).filter(|_| soundly(|| play(&sound)).is_none()) {
                let plan = Plan { story: course.story.name, strikes };
                return Ok(Found { by: plan.to_string(), violation, played });
            }
        }
    }
    Err(played)
}

/// The races of a story: a whole rollback after each call of the tick first, then a sample of all that there are without a bug.
fn races(sound: &Course, forge: &Arc<Forge>) -> Vec<(u32, Schedule)> {
    let Some(minute) = sound.story.overlap else { return Vec::new() };
    let calls = sound.calls.get(minute as usize).map_or(0, Vec::len);
    let amid = (1..).take(calls).map(|calls| Schedule { turns: vec![(0, calls), (2, 1)], stall: None });
    let all = soundly(|| interleave::explore(sound, minute, RACES, forge, 1, &|_, _| {})).played;
    amid.chain(all).map(|schedule| (minute, schedule)).collect()
}

/// The faults of a story, those of writes of a function first: each kind, and a call that is throttled for as often as the SDK
/// tries it.
fn writes_first(course: &Course) -> Vec<Vec<Strike>> {
    let is_write = |strikes: &Vec<Strike>| {
        let [Strike { minute, call, .. }] = strikes.as_slice() else { return false };
        let called = course.calls.get(*minute as usize).and_then(|calls| calls.get(*call as usize));
        called.is_some_and(|called| {
            called.service == Some(Service::Lambda) && local_aws::world::is_mutating(called.operation)
        })
    };
    let (writes, rest): (Vec<_>, Vec<_>) = course.single().into_iter().partition(is_write);
    let throttled = writes.iter().flatten().filter(|strike| strike.blow == Blow::Throttle);
    let throttled =
        throttled.map(|first| (0..TRIES).map(|more| Strike { call: first.call + more, ..*first }).collect());
    let throttled: Vec<Vec<Strike>> = throttled.collect();
    [throttled, writes, sampled(&rest, SINGLES)].concat()
}

fn in_seeds(forge: &Arc<Forge>, before: usize) -> Option<Found> {
    (1..=SEEDS).zip(before..).find_map(|(seed, before)| {
        let play = || Scenario::of(seed).play(forge, false).violation;
        let violation = play().filter(|_| soundly(play).is_none())?;
        Some(Found { by: format!("seed {seed}"), violation, played: before + 1 })
    })
}

//! Plays a plan from the beginning of its story, or from a minute of it, to an end at which nothing moves any more.
use std::sync::Arc;

use crate::forge::Forge;
use crate::invariants::{self, Trace, Violation};
use crate::plan::Strike;
use crate::story::{Event, Story};
use crate::world::{Base, World};

/// How long a plan is played.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// Minutes after the story's own, until all has to have ended.
    pub grace: u32,
    /// Minutes after that, in which nothing may move.
    pub quiet: u32,
}

impl Patience {
    /// For plans of a fault or two.
    pub const SHORT: Self = Self { grace: 16, quiet: 5 };
}

/// What came of a plan.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The first thing that did not hold.
    pub violation: Option<Violation>,
    /// The strikes that hit a call.
    pub struck: Vec<Strike>,
    /// Calls that controllers made.
    pub calls: u64,
    /// Minutes that were played.
    pub minutes: u32,
    /// What was done to each function.
    pub trace: Trace,
    /// Calls and what happened, a line each, where that was asked for.
    pub journal: Vec<String>,
}

/// Runs something in a world's own time: it stands still while anything is done.
pub fn in_its_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    // One thread for Git: two processes that are at it at the same time are so in the order in which they came.
    let runtime = runtime.enable_time().start_paused(true).max_blocking_threads(1).build().expect("a runtime");
    // The SDK draws from this when it waits before it tries again.
    fastrand::seed(1);
    runtime.block_on(work)
}

/// The events of a minute.
pub(crate) fn events(story: &Story, minute: u32) -> Vec<Event> {
    story.events.iter().filter(|(at, _)| *at == minute).map(|(_, event)| event.clone()).collect()
}

/// The moment at which a story begins.
#[must_use]
pub fn begin(story: &Story, forge: &Arc<Forge>) -> Base {
    // What a planted bug does is seen from then on.
    let bug = planted::planted();
    planted::plant(None);
    let base = in_its_time(async {
        let world = World::of(story, forge, 7).await;
        assert_eq!(world.watch.violation(), None, "{}", story.name);
        world.base()
    });
    planted::plant(bug);
    base
}

/// Plays a story from a minute on, with these faults.
#[must_use]
pub fn play(
    story: &Story,
    base: &Base,
    from: u32,
    strikes: &[Strike],
    patience: Patience,
    forge: &Arc<Forge>,
    journal: bool,
) -> Outcome {
    in_its_time(async {
        let mut world = World::resume(base, forge);
        if journal {
            world.watch.keep_journal();
        }
        let (_, before) = world.watch.calls();
        world.watch.strike(strikes.to_vec());
        let minutes = finish(&mut world, story, from, patience).await;
        let (_, after) = world.watch.calls();
        Outcome {
            violation: world.watch.violation(),
            struck: world.watch.struck(),
            calls: after - before,
            minutes,
            trace: world.watch.trace(),
            journal: world.watch.journal(),
        }
    })
}

/// The minutes that are left of a story, and those after it in which it has to end and then be quiet; gives how many.
pub(crate) async fn finish(world: &mut World, story: &Story, from: u32, patience: Patience) -> u32 {
    let mut played = 0;
    for minute in from..story.minutes {
        world.minute(minute, &events(story, minute)).await;
        played += 1;
        if world.watch.violation().is_some() {
            return played;
        }
    }
    // Faults stop here.
    world.watch.strike(Vec::new());
    let has_ended = |world: &World| world.watch.learn(|facts| invariants::ended(&world.aws, facts, &story.endings));
    let mut ended = has_ended(world);
    for minute in 0..patience.grace {
        if ended.is_ok() || world.watch.violation().is_some() {
            break;
        }
        world.minute(story.minutes + minute, &[]).await;
        played += 1;
        ended = has_ended(world);
    }
    if let Err(why) = ended {
        let what = format!("after {} minutes without a fault: {why}", patience.grace);
        world.watch.violate(Violation { invariant: 4, what });
        return played;
    }
    for minute in 0..patience.quiet {
        world.aws.forget_calls();
        world.minute(story.minutes + patience.grace + minute, &[]).await;
        played += 1;
        // The first tick at rest may still tell its registry, or note what history ends with.
        let quiet = if minute == 0 { Ok(()) } else { invariants::quiet(&world.aws) };
        if let Err(violation) = quiet {
            world.watch.violate(violation);
        }
    }
    if let Err(why) = has_ended(world) {
        world.watch.violate(Violation { invariant: 4, what: format!("it did not stay so: {why}") });
    }
    played
}

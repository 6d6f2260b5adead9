//! Worlds that live for hours with everything that can happen to them, drawn from one seed.
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::forge::Forge;
use crate::invariants::{self, Violation};
use crate::plan::Strike;
use crate::play::{Outcome, events, in_its_time};
use crate::release::{Flaw, Place, Strategy, Wanted};
use crate::story::{Document, Ending, Event, Story, Word};
use crate::watch::Chaos;
use crate::world::World;

/// Ticks in which things go wrong, at least: in a minute each environment has one, or two.
const TICKS: usize = 200;

/// Minutes until all has to have ended, once nothing goes wrong any more.
const GRACE: u32 = 40;

/// Ticks after that, in which nothing may move.
const QUIET: u32 = 100;

/// What is lost of the bucket.
const LOST: [Document; 4] = [Document::State, Document::Head, Document::Desired, Document::All];

/// The tag that people want everywhere in the end. It is pushed once.
const LAST: &str = "v2.0.0";

/// What goes wrong with calls.
#[derive(Clone, Debug)]
pub enum Faults {
    /// Each call with this chance.
    Rate(f64),
    /// Just these.
    These(Vec<Strike>),
}

/// A world's life, as data.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it was drawn from.
    pub seed: u64,
    /// What people do.
    pub story: Story,
    /// What goes wrong with calls.
    pub faults: Faults,
    /// Minutes in which every tick comes twice.
    pub doubled: BTreeSet<u32>,
}

impl Scenario {
    /// The one of this seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let places = places(&mut random);
        let before = places.iter().map(|place| (*place, wanted(&mut random, "v1.0.0"))).collect();
        let (doubled, minutes) = doubled(&mut random, environments(&places).len());
        let mut happens = Vec::new();
        for minute in 0..minutes {
            if random.u32(..100) < 20 {
                happens.extend(event(&mut random, &places).into_iter().map(|event| (minute, event)));
            }
        }
        let endings = places.iter().map(|place| Ending::Synced(*place, LAST)).collect();
        let (name, about) = ("random", "a life drawn from a seed");
        let (first, overlap) = (false, None);
        let story = Story { name, about, before, first, events: happens, endings, overlap, minutes };
        let rate = [0.0, 0.02, 0.05, 0.10, 0.20, 0.30][random.usize(..6)];
        Self { seed, story, faults: Faults::Rate(rate), doubled }
    }

    /// Plays it.
    #[must_use]
    pub fn play(&self, forge: &Arc<Forge>, journal: bool) -> Outcome {
        in_its_time(async {
            let mut world = World::of(&self.story, forge, self.seed).await;
            if journal {
                world.watch.keep_journal();
            }
            let minutes = self.live(&mut world).await;
            let (_, calls) = world.watch.calls();
            Outcome {
                violation: world.watch.violation(),
                struck: world.watch.struck(),
                calls,
                minutes,
                trace: world.watch.trace(),
                journal: world.watch.journal(),
            }
        })
    }

    /// Gives how many minutes it lived.
    async fn live(&self, world: &mut World) -> u32 {
        match &self.faults {
            Faults::Rate(rate) => {
                world.watch.chaos(Some(Chaos { random: fastrand::Rng::with_seed(self.seed ^ 0xfa17), rate: *rate }));
            }
            Faults::These(strikes) => world.watch.strike(strikes.clone()),
        }
        for minute in 0..self.story.minutes {
            let happens = events(&self.story, minute);
            if self.doubled.contains(&minute) {
                let mut random = fastrand::Rng::with_seed(self.seed.wrapping_add(u64::from(minute)));
                world.doubled(minute, &happens, &mut random).await;
            } else {
                world.minute(minute, &happens).await;
            }
            world.aws.forget_calls();
            if world.watch.violation().is_some() {
                return minute + 1;
            }
        }
        world.watch.chaos(None);
        world.watch.strike(Vec::new());
        self.end(world).await
    }

    /// People put things right, and then everything has to end and be quiet.
    async fn end(&self, world: &mut World) -> u32 {
        let mut minute = self.story.minutes;
        let places: Vec<Place> = self.story.endings.iter().map(Ending::place).collect();
        let mut rights = vec![Event::Git(true), Event::Metrics(true)];
        rights.extend(places.iter().map(|place| Event::Alarm(*place, false)));
        let concurrency = self.seed.is_multiple_of(2).then_some(7);
        let last = Wanted { concurrency, ..Wanted::plain(LAST) };
        rights.extend(places.iter().map(|place| Event::Merge(*place, last.clone())));
        let environments = environments(&places);
        rights.extend(environments.iter().copied().map(Event::Confirm));
        let has_ended =
            |world: &World| world.watch.learn(|facts| invariants::ended(&world.aws, facts, &self.story.endings));
        for round in 0..GRACE {
            world.minute(minute, &rights).await;
            minute += 1;
            if world.watch.violation().is_some() {
                return minute;
            }
            // What waits for a person gets one.
            rights.clear();
            if has_ended(world).is_ok() {
                break;
            }
            if round % 8 == 7 {
                for place in &places {
                    rights.extend(
                        [Word::Resume, Word::Retry, Word::Unhold, Word::Sync].map(|word| Event::Say(*place, word)),
                    );
                }
            }
        }
        if let Err(why) = has_ended(world) {
            let what = format!("{GRACE} minutes after everything was put right: {why}");
            world.watch.violate(Violation { invariant: 4, what });
            return minute;
        }
        let ticks = u32::try_from(environments.len()).unwrap_or(u32::MAX);
        for quiet in 0..QUIET.div_ceil(ticks) {
            world.aws.forget_calls();
            world.minute(minute, &[]).await;
            minute += 1;
            if quiet > 0
                && let Err(violation) = invariants::quiet(&world.aws)
            {
                world.watch.violate(violation);
                return minute;
            }
        }
        if let Err(why) = has_ended(world) {
            world.watch.violate(Violation { invariant: 4, what: format!("it did not stay so: {why}") });
        }
        minute
    }
}

fn places(random: &mut fastrand::Rng) -> Vec<Place> {
    let all = [("staging", "flight-service"), ("staging", "reservation-service"), ("production", "flight-service")];
    match random.u32(..4) {
        0 | 1 => vec![all[0]],
        2 => vec![all[0], all[1]],
        _ => vec![all[2], all[0]],
    }
}

fn environments(places: &[Place]) -> BTreeSet<&'static str> {
    places.iter().map(|place| place.0).collect()
}

/// The minutes in which every tick comes twice, half of all, until there were as many ticks as a life has; and how many minutes
/// that takes.
fn doubled(random: &mut fastrand::Rng, environments: usize) -> (BTreeSet<u32>, u32) {
    let (mut doubled, mut minute, mut ticks) = (BTreeSet::new(), 0, 0);
    while ticks < TICKS {
        let twice = random.bool();
        ticks += environments * if twice { 2 } else { 1 };
        if twice {
            doubled.insert(minute);
        }
        minute += 1;
    }
    (doubled, minute)
}

fn wanted(random: &mut fastrand::Rng, tag: &str) -> Wanted {
    let strategy = match random.u32(..4) {
        0 => Strategy::AllAtOnce,
        1 => Strategy::BlueGreen { bake: random.u32(1..4) },
        2 => Strategy::Canary(vec![(10, Some(random.u32(1..4))), (50, Some(1))]),
        _ => Strategy::Canary(vec![(20, Some(1)), (60, random.bool().then_some(2))]),
    };
    let watched = strategy != Strategy::AllAtOnce;
    Wanted {
        judged: watched && random.bool(),
        alarmed: watched && random.u32(..4) == 0,
        smoke: random.u32(..3) == 0,
        memory: (random.u32(..4) == 0).then(|| 128 * random.u32(2..6)),
        concurrency: (random.u32(..4) == 0).then(|| random.u32(1..20)),
        strategy,
        ..Wanted::plain(tag)
    }
}

/// Something that happens, and where that is due what ends it again.
fn event(random: &mut fastrand::Rng, places: &[Place]) -> Option<Event> {
    let place = *random.choice(places)?;
    Some(match random.u32(..110) {
        0..34 => {
            let tag = random.choice(["v1.0.0", "v1.1.0", "v1.2.0", "v1.3.0-bad"])?;
            Event::Merge(place, wanted(random, tag))
        }
        34..38 => Event::Revert(random.usize(1..3)),
        38..40 => Event::Rewrite(random.usize(1..3)),
        40..42 => Event::Confirm(place.0),
        42..44 => Event::MergeBroken(place.0, *random.choice(&[Flaw::NoYaml, Flaw::Twice])?),
        44..46 => Event::Git(false),
        46..51 => Event::Git(true),
        51..53 => Event::PushAgain(place, random.choice(["v1.1.0", "v1.2.0"])?.to_owned()),
        53..58 => {
            let other = random.bool().then(|| (random.u64(1..4), random.u8(1..100)));
            Event::EditAlias(place, random.u64(1..4), other)
        }
        58..60 => Event::EditLatest(place),
        60..62 => Event::Alarm(place, true),
        62..66 => Event::Alarm(place, false),
        66..69 => Event::Lose(place, random.choice(LOST)?),
        69..79 => Event::RollBack(place),
        79..95 => {
            let words = [
                Word::Promote,
                Word::PromoteFull,
                Word::Abort,
                Word::Pause,
                Word::Resume,
                Word::Resume,
                Word::Retry,
                Word::Unhold,
                Word::Sync,
                Word::Sync,
            ];
            Event::Say(place, random.choice(words)?)
        }
        95..97 => Event::Idle(place, random.u64(1..4)),
        97 => Event::Metrics(false),
        98 => Event::Metrics(true),
        99 => Event::Sleep(random.u32(3..300)),
        100..102 => Event::DeleteAlias(place),
        102..104 => Event::DeleteVersion(place, random.u64(1..6)),
        104..106 => Event::AliasOfLatest(place),
        106..108 => Event::RollBackTo(place, random.u64(1..8)),
        _ => Event::EditConcurrency(place, random.u32(1..20)),
    })
}

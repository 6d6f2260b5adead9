//! Makes a failing world small: takes away what happens in it, as long as the same invariant is still broken.
use std::sync::Arc;

use crate::forge::Forge;
use crate::invariants::Violation;
use crate::plan::Strike;
use crate::random::{Faults, Scenario};
use crate::story::Event;

/// How many worlds are tried at most.
const TRIES: usize = 400;

/// One thing that can be taken away.
#[derive(Clone, Debug)]
enum Item {
    Event(u32, Event),
    Strike(Strike),
    Double(u32),
}

/// The fewest things found with which the same invariant is broken.
#[must_use]
pub fn shrink(scenario: &Scenario, forge: &Arc<Forge>) -> Option<(Scenario, Violation)> {
    let outcome = scenario.play(forge, false);
    let violation = outcome.violation?;
    let mut items: Vec<Item> =
        scenario.story.events.iter().map(|(at, event)| Item::Event(*at, event.clone())).collect();
    items.extend(outcome.struck.iter().map(|strike| Item::Strike(*strike)));
    items.extend(scenario.doubled.iter().map(|minute| Item::Double(*minute)));
    // What comes after it did not cause it.
    let until = outcome.minutes.min(scenario.story.minutes);
    items.retain(|item| minute(item) < until);
    let tries = std::cell::Cell::new(0);
    let broken = |items: &[Item]| {
        tries.set(tries.get() + 1);
        let found = made_of(scenario, items, until).play(forge, false).violation;
        found.filter(|found| found.invariant == violation.invariant)
    };
    let mut best = broken(&items)?;
    let mut size = items.len().div_ceil(2);
    while size > 0 && tries.get() < TRIES {
        let mut at = 0;
        while at < items.len() && tries.get() < TRIES {
            let mut fewer = items.clone();
            fewer.drain(at..(at + size).min(items.len()));
            match broken(&fewer) {
                Some(found) => (items, best) = (fewer, found),
                None => at += size,
            }
        }
        size /= 2;
    }
    Some((made_of(scenario, &items, until), best))
}

const fn minute(item: &Item) -> u32 {
    match item {
        Item::Event(minute, _) | Item::Double(minute) => *minute,
        Item::Strike(strike) => strike.minute,
    }
}

fn made_of(scenario: &Scenario, items: &[Item], minutes: u32) -> Scenario {
    let mut made = scenario.clone();
    (made.story.events, made.story.minutes) = (Vec::new(), minutes);
    made.doubled.clear();
    let mut strikes = Vec::new();
    for item in items {
        match item {
            Item::Event(at, event) => made.story.events.push((*at, event.clone())),
            Item::Strike(strike) => strikes.push(*strike),
            Item::Double(minute) => {
                made.doubled.insert(*minute);
            }
        }
    }
    made.faults = Faults::These(strikes);
    made
}

//! Tells a world's life in words, as a story that somebody can follow.
use std::fmt::Write as _;

use crate::invariants::Violation;
use crate::random::{Faults, Scenario};
use crate::release::{Flaw, Place, Strategy, Wanted};
use crate::story::{Event, Word};

/// What happened, and what did not hold.
#[must_use]
pub fn story(scenario: &Scenario, violation: &Violation) -> String {
    let mut text = format!("seed {}\n", scenario.seed);
    for (place, wanted) in &scenario.story.before {
        let _infallible = writeln!(text, "At first {} is at {}.", named(*place), described(wanted));
    }
    let strikes = match &scenario.faults {
        Faults::These(strikes) => strikes.clone(),
        Faults::Rate(rate) => {
            let _infallible = writeln!(text, "{:.0} % of all calls go wrong.", rate * 100.0);
            Vec::new()
        }
    };
    for minute in 0..scenario.story.minutes {
        let events = scenario.story.events.iter().filter(|(at, _)| *at == minute).map(|(_, event)| told(event));
        let doubled = scenario.doubled.contains(&minute).then(|| "every tick comes twice".to_owned());
        let struck = strikes.iter().filter(|strike| strike.minute == minute);
        let struck = struck.map(|strike| format!("at call {}: {}", strike.call, strike.blow));
        for what in events.chain(doubled).chain(struck) {
            let _infallible = writeln!(text, "In minute {minute}, {what}.");
        }
    }
    let _infallible = writeln!(text, "Then {violation}.");
    text
}

fn named((environment, service): Place) -> String {
    format!("`{environment}/{service}`")
}

fn described(wanted: &Wanted) -> String {
    let how = match &wanted.strategy {
        Strategy::AllAtOnce => "all at once".to_owned(),
        Strategy::Canary(steps) => {
            let step = |(weight, minutes): &(u8, Option<u32>)| match minutes {
                Some(minutes) => format!("{weight} % for {minutes} min"),
                None => format!("{weight} % until a person promotes"),
            };
            format!("by a canary of {}", steps.iter().map(step).collect::<Vec<_>>().join(", "))
        }
        Strategy::BlueGreen { bake } => format!("blue-green, watched for {bake} min"),
    };
    let also = [
        (wanted.judged, "judged by metrics"),
        (wanted.alarmed, "gated by an alarm"),
        (wanted.smoke, "with a smoke test"),
    ];
    let also: Vec<&str> = also.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect();
    let memory = wanted.memory.map(|memory| format!(", {memory} MB")).unwrap_or_default();
    let reserved = wanted.concurrency.map(|count| format!(", {count} reserved")).unwrap_or_default();
    format!("{} {how}{memory}{reserved}{}{}", wanted.tag, if also.is_empty() { "" } else { ", " }, also.join(", "))
}

fn told(event: &Event) -> String {
    match event {
        Event::Merge(place, wanted) => format!("somebody merges {} for {}", described(wanted), named(*place)),
        Event::Revert(pushes) => format!("somebody reverts `main` to what it said {pushes} pushes ago"),
        Event::Rewrite(pushes) => format!("somebody force-pushes `main` to {pushes} pushes ago and commits there"),
        Event::MergeBroken(environment, Flaw::NoYaml) => {
            format!("somebody merges what is no YAML for {environment}")
        }
        Event::MergeBroken(environment, Flaw::Twice) => {
            format!("somebody merges a file of {environment} that has a service twice")
        }
        Event::Git(true) => "the Git server is up".to_owned(),
        Event::Git(false) => "the Git server goes down".to_owned(),
        Event::PushAgain(place, tag) => format!("somebody pushes {tag} of {} again, as another image", named(*place)),
        Event::EditAlias(place, version, None) => {
            format!("somebody moves the alias of {} to version {version} by hand", named(*place))
        }
        Event::EditAlias(place, version, Some((other, percent))) => {
            format!("somebody gives version {other} {percent} % beside version {version} of {} by hand", named(*place))
        }
        Event::AliasOfLatest(place) => format!("somebody lets the alias of {} name `$LATEST`", named(*place)),
        Event::DeleteAlias(place) => format!("somebody deletes the alias of {}", named(*place)),
        Event::DeleteVersion(place, version) => format!("somebody deletes version {version} of {}", named(*place)),
        Event::EditConcurrency(place, concurrency) => {
            format!("somebody reserves {concurrency} concurrent executions for {} by hand", named(*place))
        }
        Event::EditLatest(place) => format!("somebody changes the memory of {} by hand", named(*place)),
        Event::Alarm(place, true) => format!("the alarm of {} goes red", named(*place)),
        Event::Alarm(place, false) => format!("the alarm of {} is green", named(*place)),
        Event::Lose(place, document) => format!("the stored {document:?} of {} is lost", named(*place)),
        Event::RollBack(place) => format!("somebody rolls {} back", named(*place)),
        Event::RollBackTo(place, record) => format!("somebody rolls {} back to record {record}", named(*place)),
        Event::Say(place, word) => {
            let word = match word {
                Word::Promote => "promote",
                Word::PromoteFull => "promote --full",
                Word::Abort => "abort",
                Word::Pause => "pause",
                Word::Resume => "resume",
                Word::Retry => "retry",
                Word::Unhold => "unhold",
                Word::Sync => "sync",
            };
            format!("somebody says `{word}` to {}", named(*place))
        }
        Event::Idle(place, version) => format!("version {version} of {} goes to sleep", named(*place)),
        Event::Metrics(true) => "there are metrics".to_owned(),
        Event::Metrics(false) => "metrics are lost from now on".to_owned(),
        Event::Confirm(environment) => format!("somebody confirms where `main` is for {environment}"),
        Event::Sleep(minutes) => format!("there is no tick for {minutes} min"),
    }
}

//! `simulate`: plays plans, schedules and seeds, tells how many, and tells as a story what did not hold.
#![allow(clippy::print_stdout, clippy::allow_attributes, reason = "a program for the terminal")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use planted::Bug;
use simulation::exhaustive::{Course, Tally, by_invariant, sampled};
use simulation::forge::Forge;
use simulation::hunt::{self, Found};
use simulation::interleave::{self, Explored, Schedule};
use simulation::plan::{Blow, Strike};
use simulation::random::Scenario;
use simulation::story::Story;
use simulation::{shrink, stories, tell};

/// After so long something is told, also where there is nothing new.
const A_MINUTE: Duration = Duration::from_secs(60);

/// Play the simulation
#[derive(Parser)]
#[command(name = "simulate", bin_name = "cargo xtask simulate", max_term_width = 100)]
struct Arguments {
    /// Only this reference story
    #[arg(long, value_name = "NAME")]
    story: Option<String>,
    /// How many worlds drawn from seeds; none with `--story`, where nothing else is said
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// At most so many single faults of each story
    #[arg(long, value_name = "N", default_value_t = usize::MAX)]
    singles: usize,
    /// At most so many pairs of faults of each story
    #[arg(long, value_name = "N", default_value_t = 300)]
    pairs: usize,
    /// At most so many schedules of two ticks and a rollback in each story
    #[arg(long, value_name = "N", default_value_t = 300)]
    schedules: usize,
    /// On how many threads
    #[arg(long, value_name = "N", default_value_t = 2)]
    threads: usize,
    /// Play the story with just this fault, and show each call: `MINUTE:CALL:KIND`, the kind by its number
    #[arg(long, value_name = "FAULT")]
    strike: Vec<String>,
    /// Play the story's race in this order, as in `0:6,2:7`: who (tick 0, second tick 1, rollback 2) makes how many calls; the
    /// last of them then ends before the others. `0:6!` stands still. Show each call
    #[arg(long, value_name = "SCHEDULE")]
    race: Option<Schedule>,
    /// Show each call of the first seed, and of what it was made into where that is smaller
    #[arg(long)]
    journal: bool,
    /// Tell of each seed, also where it holds
    #[arg(long)]
    each: bool,
    /// Plant this bug in the controller, and look for it; with `--story`, play that with it
    #[arg(long, value_name = "BUG")]
    plant: Option<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let forge = Forge::start();
    if let Some(name) = &arguments.plant {
        let Some(bug) = Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == *name) else {
            let names: Vec<String> = Bug::ALL.iter().map(|bug| format!("{bug:?}")).collect();
            println!("there is no bug `{name}`; there are {}", names.join(", "));
            return ExitCode::FAILURE;
        };
        if arguments.story.is_none() {
            return find(bug, &forge);
        }
        planted::plant(Some(bug));
    }
    let mut chosen = stories::all();
    if let Some(name) = &arguments.story {
        chosen.retain(|story| story.name == name);
        if chosen.is_empty() {
            let names: Vec<&str> = stories::all().iter().map(|story| story.name).collect();
            println!("there is no story `{name}`; there are {}", names.join(", "));
            return ExitCode::FAILURE;
        }
    }
    let only_seeds = arguments.seeds.is_some() && arguments.story.is_none() && arguments.singles == 0;
    let mut all = Tally::default();
    for story in chosen.into_iter().filter(|_| !only_seeds) {
        match exhaust(story, &arguments, &forge) {
            Some(tally) => all = all.and(tally),
            None => return ExitCode::FAILURE,
        }
    }
    let default = if arguments.story.is_some() { 0 } else { 100 };
    let (seeds, broken) = live(arguments.seeds.unwrap_or(default), &arguments, &forge);
    all.calls += seeds.calls;
    all.minutes += seeds.minutes;
    let hours = all.minutes as f64 / 60.0;
    println!(
        "{} plans ({} left out), {} seeds, {} calls, {hours:.0} simulated hours, {:.1} of them a second: {} violations",
        all.plans,
        all.left_out,
        seeds.plans,
        all.calls,
        hours / began.elapsed().as_secs_f64(),
        all.violations.len() + broken,
    );
    if all.violations.is_empty() && broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Looks for a bug that is planted.
fn find(bug: Bug, forge: &Arc<Forge>) -> ExitCode {
    match hunt::hunt(bug, forge) {
        Some(Found { by, violation, played }) => {
            println!("{bug:?} ({}) was found, as number {played}: {by}\n{violation}", bug.origin());
            ExitCode::SUCCESS
        }
        None => {
            println!("{bug:?} ({}) was not found", bug.origin());
            ExitCode::FAILURE
        }
    }
}

/// Every fault of a story; none where it does not even go without one.
fn exhaust(story: Story, arguments: &Arguments, forge: &Arc<Forge>) -> Option<Tally> {
    let (name, about, began) = (story.name, story.about, Instant::now());
    let course = match Course::run(story, forge) {
        Ok(course) => course,
        Err(violation) => {
            println!("{name}: without any fault: {violation}");
            return None;
        }
    };
    println!("{name}: {about}");
    if !arguments.strike.is_empty() {
        let strikes: Vec<Strike> = arguments.strike.iter().filter_map(|text| strike(text)).collect();
        let outcome = course.play(&strikes, forge, true);
        outcome.journal.iter().for_each(|line| println!("{line}"));
        println!("{}", outcome.violation.map_or("all of it holds".to_owned(), |violation| violation.to_string()));
        return Some(Tally::default());
    }
    if let (Some(schedule), Some(minute)) = (&arguments.race, course.story.overlap) {
        let outcome = interleave::play(&course, minute, schedule, forge, true);
        outcome.journal.iter().for_each(|line| println!("{line}"));
        println!("{}", outcome.violation.map_or("all of it holds".to_owned(), |violation| violation.to_string()));
        return Some(Tally::default());
    }
    let (single, pairs) = (course.single(), course.pairs());
    let mut plans = sampled(&single, arguments.singles);
    plans.extend(sampled(&pairs, arguments.pairs));
    let mut tally = course.play_all(&plans, forge, arguments.threads);
    tally.left_out = single.len() + pairs.len() - plans.len();
    println!(
        "  {} single faults of {}, {} pairs of {}, {} calls, {:.0} hours in {:.0} s: {} violations {:?}",
        single.len().min(arguments.singles),
        single.len(),
        pairs.len().min(arguments.pairs),
        pairs.len(),
        tally.calls,
        tally.minutes as f64 / 60.0,
        began.elapsed().as_secs_f64(),
        tally.violations.len(),
        by_invariant(&tally.violations),
    );
    for (plan, violation) in tally.violations.iter().take(8) {
        println!("    {plan}\n      {violation}");
    }
    Some(tally.and(overlap(&course, arguments, forge)))
}

/// Two ticks and a rollback in one minute, in many orders.
fn overlap(course: &Course, arguments: &Arguments, forge: &Arc<Forge>) -> Tally {
    let Some(minute) = course.story.overlap else { return Tally::default() };
    let told = Mutex::new(Instant::now());
    let tell = |tally: &Tally, to_come: usize| {
        let told = &mut *told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() >= A_MINUTE {
            *told = Instant::now();
            let broken = tally.violations.len();
            println!("  {} schedules so far, {to_come} known that are to come: {broken} violations", tally.plans);
        }
    };
    let explored = interleave::explore(course, minute, arguments.schedules, forge, arguments.threads, &tell);
    let Explored { tally, played, broken } = explored;
    println!("  {} schedules, {} known of left out: {} violations", played.len(), tally.left_out, broken.len());
    for (schedule, violation) in broken.iter().take(8) {
        println!("    `--race {}`: in minute {minute}, {schedule}\n      {violation}", schedule.code());
    }
    tally
}

/// Worlds drawn from seeds; gives how many of them broke something.
fn live(seeds: u64, arguments: &Arguments, forge: &Arc<Forge>) -> (Tally, usize) {
    let next = AtomicU64::new(0);
    let results = Mutex::new((Tally::default(), Vec::new()));
    let bug = planted::planted();
    std::thread::scope(|scope| {
        for _ in 0..arguments.threads {
            scope.spawn(|| {
                planted::plant(bug);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    let seed = arguments.seed + number;
                    let outcome = Scenario::of(seed).play(forge, arguments.journal && number == 0);
                    outcome.journal.iter().for_each(|line| println!("{line}"));
                    let (tally, broken) = &mut *results.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.plans += 1;
                    tally.calls += outcome.calls;
                    tally.minutes += u64::from(outcome.minutes);
                    if arguments.each {
                        println!("seed {seed}: {} calls in {} minutes", outcome.calls, outcome.minutes);
                    }
                    if let Some(violation) = outcome.violation {
                        println!("seed {seed}: {violation}");
                        broken.push(seed);
                    }
                }
            });
        }
    });
    let (tally, broken) = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    for seed in broken.iter().take(3) {
        match shrink::shrink(&Scenario::of(*seed), forge) {
            Some((small, violation)) => {
                println!("\n{}", tell::story(&small, &violation));
                if arguments.journal {
                    small.play(forge, true).journal.iter().for_each(|line| println!("{line}"));
                }
            }
            None => println!("seed {seed} cannot be made smaller: without its chance it holds"),
        }
    }
    (tally, broken.len())
}

fn strike(text: &str) -> Option<Strike> {
    let mut parts = text.split(':');
    let (minute, call) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let blow = *Blow::ALL.get(parts.next()?.parse::<usize>().ok()?)?;
    Some(Strike { minute, call, blow })
}

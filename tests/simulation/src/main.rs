//! `simulate`: plays plans and seeds, and tells what does not hold.
#![allow(clippy::print_stdout, clippy::allow_attributes, reason = "a program for the terminal")]

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use simulation::exhaustive::{Course, Tally, by_invariant, sampled};
use simulation::forge::Forge;
use simulation::stories;

/// Play the simulation
#[derive(Parser)]
#[command(name = "simulate", bin_name = "cargo xtask simulate", max_term_width = 100)]
struct Arguments {
    /// Only this story
    #[arg(long)]
    story: Option<String>,
    /// At most so many pairs of faults of each story
    #[arg(long, default_value_t = 0)]
    pairs: usize,
    /// At most so many single faults of each story
    #[arg(long, default_value_t = usize::MAX)]
    singles: usize,
    /// How many threads
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// Play only this fault and tell every call: minute:call:number of its kind
    #[arg(long)]
    strike: Vec<String>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let forge = Forge::start();
    let mut stories = stories::all();
    if let Some(name) = &arguments.story {
        stories.retain(|story| story.name == name);
    }
    let mut all = Tally::default();
    for story in stories {
        let (name, about) = (story.name, story.about);
        let began = Instant::now();
        let course = match Course::run(story, &forge) {
            Ok(course) => course,
            Err(violation) => {
                println!("{name}: without any fault: {violation}");
                return ExitCode::FAILURE;
            }
        };
        println!("{name}: {about}");
        if !arguments.strike.is_empty() {
            let strikes: Vec<_> = arguments.strike.iter().filter_map(|text| strike(text)).collect();
            let outcome = course.play(&strikes, &forge, true);
            outcome.journal.iter().for_each(|line| println!("{line}"));
            println!("{:?}", outcome.violation.map(|violation| violation.to_string()));
            continue;
        }
        let (single, pairs) = (course.single(), course.pairs());
        let mut plans = sampled(&single, arguments.singles);
        plans.extend(sampled(&pairs, arguments.pairs));
        let mut tally = course.play_all(&plans, &forge, arguments.threads);
        tally.left_out = single.len() + pairs.len() - plans.len();
        let took = began.elapsed().as_secs_f64();
        println!(
            "  {} plans ({} left out), {} calls, {:.1} hours in {took:.1} s: {} violations {:?}",
            tally.plans,
            tally.left_out,
            tally.calls,
            tally.minutes as f64 / 60.0,
            tally.violations.len(),
            by_invariant(&tally.violations),
        );
        for (plan, violation) in tally.violations.iter().take(12) {
            println!("    {plan}\n      {violation}");
        }
        all = all.and(tally);
    }
    println!("{} plans, {} calls, {} violations", all.plans, all.calls, all.violations.len());
    if all.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn strike(text: &str) -> Option<simulation::plan::Strike> {
    let mut parts = text.split(':');
    let (minute, call) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let blow = *simulation::plan::Blow::ALL.get(parts.next()?.parse::<usize>().ok()?)?;
    Some(simulation::plan::Strike { minute, call, blow })
}

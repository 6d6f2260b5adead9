//! Decides in which order the checks run, and tells at the end how each went.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::steps::{STEPS, Step};
use crate::workspace::Workspace;
use crate::{doctor, prepare};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Run only this step; may be given several times
    #[arg(long, value_name = "STEP", value_parser = step_named)]
    only: Vec<&'static Step>,
    /// Name the steps and run none
    #[arg(long)]
    list: bool,
}

/// How a step went, and how long it took.
struct Outcome {
    step: &'static Step,
    counts: Counts,
    error: Option<String>,
    took: Duration,
}

impl Outcome {
    fn passed(&self) -> bool {
        self.counts.failed == 0 && self.error.is_none()
    }
}

/// Runs the steps, all of them even if one fails: whoever waits for this wants to know everything at once.
pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    if arguments.list {
        for step in STEPS {
            println!("{:<10} {}", step.name, step.about);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let chosen = |step: &&Step| arguments.only.is_empty() || arguments.only.iter().any(|only| only.name == step.name);
    let steps: Vec<&'static Step> = STEPS.iter().filter(chosen).collect();
    let workspace = prepare(&needs(&steps))?;
    std::env::set_current_dir(&workspace.root)?;

    let mut outcomes = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        println!("\n==> {} ({} of {}): {}", step.name, index + 1, steps.len(), step.about);
        let outcome = perform(step, &workspace);
        if let Some(error) = &outcome.error {
            println!("error: {error}");
        }
        println!("==> {}: {} in {}", step.name, verdict(&outcome), seconds(outcome.took));
        outcomes.push(outcome);
    }
    println!("\n{}", summary(&outcomes));
    Ok(if outcomes.iter().all(Outcome::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn step_named(name: &str) -> Result<&'static Step, String> {
    let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
    let found = STEPS.iter().find(|step| step.name == name);
    found.ok_or_else(|| format!("the steps are `{}`", names.join("`, `")))
}

fn needs(steps: &[&Step]) -> Vec<doctor::Tool> {
    let needed = |tool: &doctor::Tool| steps.iter().any(|step| step.needs.contains(tool));
    doctor::ALL.into_iter().filter(needed).collect()
}

fn perform(step: &'static Step, workspace: &Workspace) -> Outcome {
    let started = Instant::now();
    let (counts, error) = match (step.run)(workspace) {
        Ok(counts) => (counts, None),
        // A step that could not do its work counts as one that failed.
        Err(error) => (Counts { failed: 1, ..Counts::default() }, Some(format!("{error:#}"))),
    };
    Outcome { step, counts, error, took: started.elapsed() }
}

fn verdict(outcome: &Outcome) -> &'static str {
    if outcome.passed() { "passed" } else { "FAILED" }
}

/// A table of at most 80 columns, and the totals on a line of their own.
fn summary(outcomes: &[Outcome]) -> String {
    let mut total = Counts::default();
    let mut took = Duration::ZERO;
    let mut table = String::new();
    for outcome in outcomes {
        total += outcome.counts;
        took += outcome.took;
        let time = seconds(outcome.took);
        table += &format!("{:<10} {} {time:>9}   {}\n", outcome.step.name, verdict(outcome), outcome.counts);
    }
    let whole = if total.failed == 0 { "passed" } else { "FAILED" };
    table += &format!("{:<10} {whole} {:>9}\n", "all", seconds(took));
    format!("{table}\n{total}")
}

fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole < 60 { format!("{:.1} s", time.as_secs_f64()) } else { format!("{} m {:02} s", whole / 60, whole % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, passed: usize, failed: usize, took: Duration) -> Outcome {
        let step = step_named(name).unwrap();
        Outcome { step, counts: Counts { passed, failed, skipped: 0 }, error: None, took }
    }

    #[test]
    fn the_summary_names_each_step_and_ends_with_the_totals() {
        let outcomes =
            [outcome("format", 1, 0, Duration::from_millis(1_240)), outcome("test", 211, 2, Duration::from_secs(492))];
        let expected = "\
format     passed     1.2 s   1 passed, 0 failed
test       FAILED  8 m 12 s   211 passed, 2 failed
all        FAILED  8 m 13 s

212 passed, 2 failed";
        assert_eq!(summary(&outcomes), expected);
    }

    #[test]
    fn a_step_that_cannot_do_its_work_counts_as_failed() {
        static BROKEN: Step =
            Step { name: "broken", about: "", needs: &[], run: |_| anyhow::bail!("nothing to look at") };
        let nowhere = Workspace { root: "/nowhere".into(), target: "/nowhere/target".into() };
        let outcome = perform(&BROKEN, &nowhere);
        assert_eq!((outcome.passed(), outcome.counts.failed), (false, 1));
        assert_eq!(outcome.error.as_deref(), Some("nothing to look at"));
    }

    #[test]
    fn an_unknown_step_is_told_which_there_are() {
        let message = step_named("tests").err().unwrap();
        assert!(message.starts_with("the steps are `format`, `clippy`"), "{message}");
    }

    #[test]
    fn only_what_the_chosen_steps_need_is_looked_for() {
        assert_eq!(needs(&[step_named("format").unwrap()]), [doctor::Tool::Rust]);
        assert_eq!(needs(&STEPS.iter().collect::<Vec<_>>()), doctor::ALL);
    }

    #[test]
    fn steps_have_names_of_their_own_and_fit_the_terminal() {
        for (index, step) in STEPS.iter().enumerate() {
            assert!(STEPS.iter().skip(index + 1).all(|other| other.name != step.name), "{} twice", step.name);
            assert!(step.name.len() <= 10 && step.about.len() <= 66, "{} is too long", step.name);
        }
    }
}

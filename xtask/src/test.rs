//! Decides in which order the checks run, and tells at the end how each went.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::command::Aside;
use crate::counts::Counts;
use crate::steps::{CHECKED, STEPS, Step, Work};
use crate::workspace::Workspace;
use crate::{command, doctor, prepare};

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

    let began = Instant::now();
    let (mut outcomes, mut beside) = (Vec::new(), Vec::new());
    for (index, step) in steps.iter().enumerate() {
        println!("\n==> {} ({} of {}): {}", step.name, index + 1, steps.len(), step.about);
        let started = Instant::now();
        match begin(step, &workspace, index + 1 == steps.len()) {
            Ok(Begun::Ended(counts)) => outcomes.push(ended(step, started, Ok(counts))),
            Ok(Begun::Beside(program)) => {
                println!("==> {}: goes on beside the steps that follow", step.name);
                beside.push((*step, started, program));
            }
            Err(error) => outcomes.push(ended(step, started, Err(error))),
        }
    }
    for (step, started, program) in beside {
        println!("\n==> {}: what it printed beside the others", step.name);
        outcomes.push(ended(step, started, program.finish().map(|()| CHECKED)));
    }
    println!("\n{}", summary(&outcomes, began.elapsed()));
    Ok(if outcomes.iter().all(Outcome::passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A step that was begun: it is over by then, or goes on beside others.
enum Begun {
    Ended(Counts),
    Beside(Aside),
}

/// Begins a step. The last one has nothing to go on beside, so it is watched.
fn begin(step: &Step, workspace: &Workspace, is_last: bool) -> anyhow::Result<Begun> {
    match step.work {
        Work::Here(work) => work(workspace).map(Begun::Ended),
        Work::Beside(program) if is_last => {
            command::run(&mut program(workspace)?)?;
            Ok(Begun::Ended(CHECKED))
        }
        Work::Beside(program) => {
            let printed = workspace.target.join(format!("{}.log", step.name));
            Ok(Begun::Beside(Aside::start(&program(workspace)?, printed)?))
        }
    }
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

/// Says how a step went.
fn ended(step: &'static Step, started: Instant, result: anyhow::Result<Counts>) -> Outcome {
    let (counts, error) = match result {
        Ok(counts) => (counts, None),
        // A step that could not do its work counts as one that failed.
        Err(error) => (Counts { failed: 1, ..Counts::default() }, Some(format!("{error:#}"))),
    };
    let outcome = Outcome { step, counts, error, took: started.elapsed() };
    if let Some(error) = &outcome.error {
        println!("error: {error}");
    }
    println!("==> {}: {} in {}", step.name, verdict(&outcome), seconds(outcome.took));
    outcome
}

fn verdict(outcome: &Outcome) -> &'static str {
    if outcome.passed() { "passed" } else { "FAILED" }
}

/// A table of at most 80 columns, and the totals on a line of their own.
fn summary(outcomes: &[Outcome], took: Duration) -> String {
    let mut total = Counts::default();
    let mut table = String::new();
    for outcome in outcomes {
        total += outcome.counts;
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
    use std::process::Command;

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
        assert_eq!(summary(&outcomes, Duration::from_secs(493)), expected);
    }

    fn broken(_: &Workspace) -> anyhow::Result<Counts> {
        anyhow::bail!("nothing to look at")
    }

    fn failing(_: &Workspace) -> anyhow::Result<Command> {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 7"]);
        Ok(command)
    }

    fn nowhere() -> Workspace {
        Workspace { root: "/nowhere".into(), target: std::env::temp_dir() }
    }

    #[test]
    fn a_step_that_cannot_do_its_work_counts_as_failed() {
        static BROKEN: Step = Step { name: "broken", about: "", needs: &[], work: Work::Here(broken) };
        let error = begin(&BROKEN, &nowhere(), true).err().unwrap();
        let outcome = ended(&BROKEN, Instant::now(), Err(error));
        assert_eq!((outcome.passed(), outcome.counts.failed), (false, 1));
        assert_eq!(outcome.error.as_deref(), Some("nothing to look at"));
    }

    #[test]
    fn a_program_that_fails_beside_others_or_alone_fails_its_step() {
        let name = format!("tidegate-beside-{}", std::process::id()).leak();
        let step = Step { name, about: "", needs: &[], work: Work::Beside(failing) };
        assert!(begin(&step, &nowhere(), true).is_err());
        let Ok(Begun::Beside(program)) = begin(&step, &nowhere(), false) else { panic!("it goes on beside") };
        assert!(program.finish().is_err());
        std::fs::remove_file(std::env::temp_dir().join(format!("{name}.log"))).unwrap();
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

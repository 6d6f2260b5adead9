//! The benchmark: measures the controller as it is shipped, prints a table, and writes `target/bench.json`.
#![expect(clippy::print_stdout, reason = "a table is what the benchmark is for")]

mod judging;
mod measure;
mod scene;
mod traffic;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Parser;
use stories::world::options;
use stories::{cost, fleet};

/// Measures the controller as it is shipped: size, start, memory, CPU, and calls
#[derive(Debug, Parser)]
#[command(name = "cargo xtask bench")]
struct Arguments {
    /// How often the start is measured
    #[arg(long, default_value_t = 20)]
    starts: usize,
    /// Only these groups of figures; all of them takes half an hour
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Group>,
}

/// Figures that are measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Group {
    /// Size and start.
    Start,
    /// How often releases are turned back.
    Verdicts,
    /// Converged ticks of many services, on paused time.
    Sweeps,
    /// What an installation costs a month, from the calls of such ticks.
    Cost,
    /// The calls of rollouts in flight.
    Rollouts,
    /// The calls and the time of rollbacks.
    Rollbacks,
    /// Memory, CPU and calls of the shipped process.
    Ticks,
}

impl Arguments {
    fn measures(&self, group: Group) -> bool {
        self.only.is_empty() || self.only.contains(&group)
    }
}

/// One figure: its name in `bench.json`, its value, and what it should be.
struct Figure {
    name: &'static str,
    what: &'static str,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

/// What a figure should be.
#[derive(Clone, Copy)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

/// How many services are rolled back at once.
const ROLLBACKS: usize = 300;

/// How many releases are in flight at once.
const ROLLOUTS: usize = 50;

/// Patterns of traffic that releases are judged on.
const PATTERNS: u32 = 1000;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let programs = std::env::current_exe()?.parent().context("a program without a folder")?.to_path_buf();
    let target = programs.parent().context("a build without a target folder")?.to_path_buf();
    let bootstrap = target.join("release/bootstrap");
    let mut figures = Vec::new();
    if arguments.measures(Group::Start) {
        figures.extend(start(&bootstrap, arguments.starts)?);
    }
    if arguments.measures(Group::Verdicts) {
        figures.extend(verdicts()?);
    }
    if arguments.measures(Group::Sweeps) {
        figures.extend(sweeps()?);
    }
    if arguments.measures(Group::Cost) {
        cost()?;
    }
    if arguments.measures(Group::Rollouts) {
        figures.extend(rollouts()?);
    }
    if arguments.measures(Group::Rollbacks) {
        figures.extend(rollbacks()?);
        figures.push(one_rollback(&bootstrap).await?);
    }
    if arguments.measures(Group::Ticks) {
        figures.extend(ticks(&bootstrap).await?);
    }
    show(&figures);
    write(&target.join("bench.json"), &figures)
}

/// How big it is, and how soon it asks for its first event.
fn start(bootstrap: &std::path::Path, starts: usize) -> Result<[Figure; 2]> {
    Ok([
        figure("zip_bytes", "release zip", measure::zip_bytes(bootstrap)?, "bytes", Some(Goal::AtMost(6_000_000.0))),
        figure(
            "first_next_ms",
            "exec to first `next`, median",
            measure::first_next_ms(bootstrap, starts)?,
            "ms",
            Some(Goal::AtMost(8.0)),
        ),
    ])
}

/// How often releases are turned back: those that should be, and those that should not.
fn verdicts() -> Result<[Figure; 2]> {
    println!("judging releases on {PATTERNS} patterns of traffic");
    let caught = judging::turned_back(PATTERNS, traffic::BAD)?;
    let aborted = judging::turned_back(PATTERNS, traffic::GOOD)?;
    Ok([
        figure("analysis_caught", "turned back: 5 % errors for 0.5 %", caught, "%", Some(Goal::AtLeast(99.0))),
        figure("analysis_false_aborts", "turned back: as good as stable", aborted, "%", Some(Goal::AtMost(1.0))),
    ])
}

/// What needs hours of server time: counted on paused time, in a thread of its own.
fn paused<T: Send + 'static, F: Future<Output = T>>(work: impl FnOnce() -> F + Send + 'static) -> Result<T> {
    let counted = std::thread::spawn(move || -> Result<T> {
        let paused = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
        Ok(paused.block_on(work()))
    });
    counted.join().map_err(|_| anyhow::anyhow!("a count was not finished"))?
}

/// How long a converged tick takes beside the least that its rate of calls allows: 1 is that. On paused time, in which each
/// call takes 20 ms and this machine none.
fn sweeps() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (size, a_second, name) in
        [(300, 50, "tick_wall_ratio_300"), (1000, 50, "tick_wall_ratio_1000"), (3000, 80, "tick_wall_ratio_3000")]
    {
        println!("sweeping {size} services at {a_second} calls a second");
        let sweep = paused(move || fleet::sweep(size, a_second, options()))?;
        let ratio = sweep.took.as_secs_f64() / (size as f64 / f64::from(a_second));
        figures.push(figure(name, "wall time of a converged tick by N ÷ rate", ratio, "", Some(Goal::AtMost(1.1))));
        if size == 3000 {
            figures.extend(calls_of(&sweep));
        }
    }
    Ok(figures)
}

/// What a converged tick of 3,000 services calls: warm, and as the first of its process.
fn calls_of(sweep: &fleet::Sweep) -> [Figure; 6] {
    let of = |calls: &BTreeMap<String, usize>, service: &str| -> f64 {
        calls.iter().filter(|(name, _)| name.starts_with(service)).map(|(_, count)| *count as f64).sum()
    };
    let warm = |service: &str| of(&sweep.calls, service);
    let calls = |name, what, value, most| figure(name, what, value, "calls", Some(Goal::AtMost(most)));
    let closely = warm("lambda:") - warm("lambda:GetFunction");
    let cold = of(&sweep.cold, "s3:");
    [
        calls("tick_calls_get_function", "`GetFunction` of a converged tick", warm("lambda:GetFunction"), 3045.0),
        calls("tick_calls_control_plane", "its other Lambda calls: close looks", closely, 45.0),
        calls("tick_calls_s3", "its S3 calls", warm("s3:"), 5.0),
        calls("tick_calls_s3_cold", "S3 calls of a process's first tick, with a new configuration", cold, 9.0),
        calls("tick_calls_cloudwatch", "its CloudWatch calls", warm("monitoring:"), 1.0),
        calls("tick_calls_git", "its lists of Git's branches", sweep.git_lists as f64, 1.0),
    ]
}

/// What an installation costs a month. The calls that cost money are counted, and are those of the table.
fn cost() -> Result<()> {
    for size in cost::SIZES {
        println!("counting the calls of {size} services");
        let sweep = paused(move || fleet::sweep(size, 80, options()))?;
        let of = |name: &str| sweep.calls.get(name).copied().unwrap_or_default();
        let counted = (of("s3:PutObject") + of("s3:ListObjectsV2"), of("s3:GetObject"), of("monitoring:PutMetricData"));
        let priced = (cost::S3_WRITES, cost::S3_READS, cost::METRIC_CALLS);
        anyhow::ensure!(counted == priced, "{size} services call {counted:?} of S3 and CloudWatch, not {priced:?}");
    }
    println!("\n{}\n{}", cost::table(), cost::prices());
    Ok(())
}

/// What a tick calls that has 50 rollouts in flight.
fn rollouts() -> Result<[Figure; 2]> {
    println!("counting the calls of {ROLLOUTS} rollouts in flight");
    let costs = paused(|| fleet::costs(ROLLOUTS, options()))?;
    let (metrics, mutations) = (costs.metric_calls as f64, costs.mutations_of_one as f64);
    let most = Some(Goal::AtMost(2.0));
    Ok([
        figure("tick_50_rollouts_metric_calls", "CloudWatch calls of a tick with 50", metrics, "calls", most),
        figure("tick_50_rollouts_mutations", "mutating Lambda calls of one that moves", mutations, "calls", most),
    ])
}

/// What a rollback calls, and how long one of 300 services takes at AWS's rates, in server time.
fn rollbacks() -> Result<[Figure; 4]> {
    println!("rolling {ROLLBACKS} services back");
    let costs = paused(|| fleet::rollback_of(ROLLBACKS, options()))?;
    anyhow::ensure!(costs.failed == 0, "{} services were not rolled back", costs.failed);
    let (mutating, read) = (costs.mutations_of_one as f64, costs.reads_of_one as f64);
    let ms = |time: std::time::Duration| time.as_secs_f64() * 1000.0;
    let (one, three) = (Some(Goal::AtMost(1.0)), Some(Goal::AtMost(3.0)));
    let (first, all) = (Some(Goal::AtMost(1_000.0)), Some(Goal::AtMost(45_000.0)));
    Ok([
        figure("rollback_calls_mutating", "mutating Lambda calls of a rollback", mutating, "calls", one),
        figure("rollback_calls_read", "Lambda reads of a rollback", read, "calls", three),
        figure("rollback_300_first_ms", "first alias of 300 is back, at AWS's rates", ms(costs.first), "ms", first),
        figure("rollback_300_all_ms", "all of 300 are back, at AWS's rates", ms(costs.all), "ms", all),
    ])
}

/// How long a rollback takes whoever types it, until the alias has moved.
async fn one_rollback(bootstrap: &std::path::Path) -> Result<Figure> {
    let scene = scene::Scene::build(bootstrap, &[2]).await?;
    scene.converged(2).await?;
    scene.release_calls().await?;
    let ms = scene.rollback_ms(&bootstrap.with_file_name("tidegate")).await?;
    Ok(figure("rollback_ms", "`tidegate rollback`, exec to alias, median", ms, "ms", Some(Goal::AtMost(100.0))))
}

/// Everything that needs a world: converged ticks at three sizes, and the calls of one release.
async fn ticks(bootstrap: &std::path::Path) -> Result<Vec<Figure>> {
    let scene = scene::Scene::build(bootstrap, &[2, 300, 3000]).await?;
    let mut figures = Vec::new();
    for (size, peak, goal, cpu, wall) in [
        (2, "peak_mib_2", None, "tick_cpu_ms_2", "tick_wall_ms_2"),
        (300, "peak_mib_300", Some(Goal::AtMost(24.0)), "tick_cpu_ms_300", "tick_wall_ms_300"),
        (3000, "peak_mib_3000", Some(Goal::AtMost(40.0)), "tick_cpu_ms_3000", "tick_wall_ms_3000"),
    ] {
        println!("measuring converged ticks of {size} services");
        let tick = scene.converged(size).await?;
        figures.push(figure(peak, "peak memory of a process that ticks", tick.peak_mib, "MiB", goal));
        figures.push(figure(cpu, "CPU of a converged tick", tick.cpu_ms, "ms", None));
        figures.push(figure(wall, "wall time of a converged tick, median", tick.wall_ms, "ms", None));
        if size == 3000 {
            let each = tick.cpu_ms / 3000.0;
            figures.push(figure(
                "tick_cpu_ms_per_service",
                "CPU a service, at 3,000",
                each,
                "ms",
                Some(Goal::AtMost(0.3)),
            ));
        }
    }
    let calls = scene.release_calls().await?;
    figures.push(figure(
        "release_calls_mutating",
        "mutating Lambda calls of a release",
        calls.mutating,
        "calls",
        Some(Goal::AtMost(2.0)),
    ));
    figures.push(figure(
        "release_calls",
        "Lambda calls of a release, all",
        calls.all,
        "calls",
        Some(Goal::AtMost(6.0)),
    ));
    Ok(figures)
}

const fn figure(name: &'static str, what: &'static str, value: f64, unit: &'static str, goal: Option<Goal>) -> Figure {
    Figure { name, what, value, unit, goal }
}

fn show(figures: &[Figure]) {
    println!("\n{:<30} {:<38} {:>13}", "figure", "what", "measured");
    for Figure { name, what, value, unit, goal } in figures {
        let digits = usize::from(value.fract() != 0.0) * 2;
        let goal = match *goal {
            None => String::new(),
            Some(Goal::AtMost(most)) if *value > most => format!("  over {most}"),
            Some(Goal::AtLeast(least)) if *value < least => format!("  below {least}"),
            Some(Goal::AtMost(_) | Goal::AtLeast(_)) => "  ok".to_owned(),
        };
        println!("{name:<30} {what:<38} {value:>9.digits$} {unit}{goal}");
    }
}

fn write(path: &PathBuf, figures: &[Figure]) -> Result<()> {
    let values: serde_json::Map<String, serde_json::Value> =
        figures.iter().map(|figure| (figure.name.to_owned(), figure.value.into())).collect();
    std::fs::write(path, serde_json::to_vec_pretty(&values)?).with_context(|| format!("writing {}", path.display()))?;
    println!("\nwritten to {}", path.display());
    Ok(())
}

//! The demo: the main job, played for real on this machine, told as it happens. It fails where the story does not hold.
#![expect(clippy::print_stdout, reason = "telling is what the demo does")]

mod release_file;
mod rollouts;
mod stage;
mod story;
mod tell;
mod traffic;
mod watch;

use std::process::ExitCode;

use clap::Parser;

/// Plays the main job of Tidegate on this machine: a merge to `services.yaml` becomes the live version
#[derive(Debug, Parser)]
#[command(name = "cargo xtask demo")]
struct Arguments {
    /// Leave everything running at the end, and say how to look around
    #[arg(long)]
    keep: bool,
    /// How many times as fast as the world's the local AWS's clock runs: at 80 a minute is 0.75 seconds
    #[arg(long, default_value_t = 80.0)]
    time_scale: f64,
}

#[tokio::main]
async fn main() -> ExitCode {
    match play(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("\nThe story does not hold: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play(arguments: &Arguments) -> anyhow::Result<()> {
    let began = std::time::Instant::now();
    let mut stage = stage::Stage::build(arguments.time_scale).await?;
    let told = story::play(&mut stage).await;
    if told.is_err() {
        stage.show_controller_log().await;
    }
    if arguments.keep {
        stage.keep().await?;
    }
    told?;
    tell::end(&format!("Every part of the story held, in {} s", began.elapsed().as_secs()));
    Ok(())
}

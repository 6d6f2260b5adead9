//! `local-aws`: serves one world on loopback until it is interrupted.
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;

use clap::Parser;
use local_aws::{LocalAws, Options, server};
use tokio::signal::unix::{SignalKind, signal};

/// The part of AWS that Tidegate talks to, on 127.0.0.1
#[derive(Parser)]
#[command(name = "local-aws", version)]
struct Arguments {
    /// The port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How many times as fast as the machine's clock this AWS's clock runs: 60 makes a minute a second
    #[arg(long, default_value_t = 1.0, value_parser = time_scale)]
    time_scale: f64,
    /// Enforce AWS's request rates
    #[arg(long)]
    rates: bool,
    /// What everything random is drawn from
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The account of access keys that are not an account's number
    #[arg(long, default_value = "111111111111")]
    account: String,
    /// How long metrics take until they can be read, in seconds of this AWS's clock
    #[arg(long, default_value_t = 0)]
    metric_delay: u32,
    /// A directory for the logs of functions, a file each
    #[arg(long)]
    logs: Option<PathBuf>,
}

fn time_scale(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(scale) if (0.001..=100_000.0).contains(&scale) => Ok(scale),
        _ => Err("give a number from 0.001 to 100000".to_owned()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if let Some(logs) = &arguments.logs {
        std::fs::create_dir_all(logs).with_context(|| format!("cannot create `{}`", logs.display()))?;
    }
    let aws = LocalAws::new(Options {
        epoch: SystemTime::now().into(),
        time_scale: arguments.time_scale,
        seed: arguments.seed,
        rates: arguments.rates,
        default_account: arguments.account,
        metric_delay: Duration::from_secs(arguments.metric_delay.into()),
        logs: arguments.logs,
        ..Options::default()
    });
    let mut terminated = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let port = arguments.port;
    let (address, _server) =
        server::serve(aws, port).await.with_context(|| format!("cannot listen on 127.0.0.1:{port}"))?;
    // Whoever started this waits for the line: it must not stay in a buffer.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{address}")
        .and_then(|()| stdout.flush())
        .context("cannot write to stdout")?;
    drop(stdout);
    tokio::select! {
        result = tokio::signal::ctrl_c() => result.context("cannot listen for SIGINT")?,
        _ = terminated.recv() => {}
    }
    Ok(())
}

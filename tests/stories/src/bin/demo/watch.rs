//! Watches the controller at work: reads the status that every tick leaves, and tells what each did.
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use stories::account::{Account, BUCKET};
use tidegate_core::report::TickReport;

use crate::tell;

/// Longer than any chapter takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The last tick's report; `None` before the first.
pub(crate) async fn report(account: &Account) -> Result<Option<TickReport>> {
    let answer = account.s3.get_object().bucket(BUCKET).key("tidegate/status/staging.json").send().await;
    let answer = match answer {
        Ok(answer) => answer,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => return Ok(None),
        Err(error) => return Err(error).context("the status cannot be read"),
    };
    Ok(Some(serde_json::from_slice(&answer.body.collect().await?.into_bytes())?))
}

/// Tells what each tick does until `done` says that it is enough; gives the last report and how many ticks of `commit`
/// there were.
pub(crate) async fn until(
    account: &Account,
    commit: &str,
    done: impl Fn(&TickReport) -> bool,
) -> Result<(TickReport, usize)> {
    let began = Instant::now();
    let mut last = report(account).await?.map(|report| report.tick);
    let mut ticks = 0;
    while began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let Some(report) = report(account).await? else { continue };
        if last.as_ref() == Some(&report.tick) {
            continue;
        }
        last = Some(report.tick.clone());
        let seen = report.commit.as_ref().is_some_and(|in_force| in_force.id == commit) || report.hold.is_some();
        ticks += usize::from(seen);
        tell_tick(&report, began);
        if done(&report) {
            return Ok((report, ticks));
        }
    }
    bail!("it did not happen within {} s", PATIENCE.as_secs())
}

fn tell_tick(report: &TickReport, began: Instant) {
    let at = report.started.format("%H:%M:%S");
    let commit = report.commit.as_ref().map_or("none", |commit| commit.short());
    tell::step(&format!("tick at {at}, commit {commit} ({:.1} s later)", began.elapsed().as_secs_f32()));
    if let Some(hold) = &report.hold {
        tell::step(&format!("    holds: {hold}"));
    }
    for (name, service) in &report.services {
        for done in &service.done {
            tell::step(&format!("    {name}: {done}"));
        }
        if let Some(waiting) = &service.standing.waiting_on {
            tell::step(&format!("    {name}: waits, {waiting}"));
        }
        if let Some(error) = &service.error {
            tell::step(&format!("    {name}: {error}"));
        }
    }
}

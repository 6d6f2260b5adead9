//! Watches the controller at work: reads the status that every tick leaves, and tells what is new in it.
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use stories::account::{Account, BUCKET};
use tidegate_core::history::{Head, Record};
use tidegate_core::report::{ServiceReport, TickReport};
use tidegate_core::status::WaitingOn;

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

/// The newest record of a service of staging.
pub(crate) async fn last_record(account: &Account, service: &str) -> Result<Record> {
    let key = format!("tidegate/history/staging/{service}/head.json");
    let answer = account.s3.get_object().bucket(BUCKET).key(key).send().await.context("there is no history")?;
    let head: Head = serde_json::from_slice(&answer.body.collect().await?.into_bytes())?;
    head.recent.into_iter().next().context("the history is empty")
}

/// Tells what ticks do until `done` says that it is enough; gives the last report and how many ticks of `commit`
/// there were.
pub(crate) async fn until(
    account: &Account,
    commit: &str,
    done: impl Fn(&TickReport) -> bool,
) -> Result<(TickReport, usize)> {
    let began = Instant::now();
    let mut last = report(account).await?.map(|report| report.tick);
    let (mut ticks, mut teller) = (0, Teller::default());
    while began.elapsed() < PATIENCE {
        tokio::time::sleep(Duration::from_millis(40)).await;
        let Some(report) = report(account).await? else { continue };
        if last.as_ref() == Some(&report.tick) {
            continue;
        }
        last = Some(report.tick.clone());
        let seen = report.commit.as_ref().is_some_and(|in_force| in_force.id == commit) || report.hold.is_some();
        ticks += usize::from(seen);
        teller.tell(&report, began);
        if done(&report) {
            return Ok((report, ticks));
        }
    }
    bail!("it did not happen within {} s", PATIENCE.as_secs())
}

/// What the ticks of one wait were told to say, so that nothing is said twice.
#[derive(Default)]
struct Teller {
    told: BTreeSet<String>,
}

impl Teller {
    /// Tells what is new in a tick; nothing where nothing is.
    fn tell(&mut self, report: &TickReport, began: Instant) {
        let held =
            report.hold.iter().map(|hold| format!("holds: {hold}")).filter(|line| self.told.insert(line.clone()));
        let mut lines: Vec<String> = held.collect();
        for (name, service) in &report.services {
            let news = self.news(name.as_str(), service);
            lines.extend(news.into_iter().map(|line| {
                let line = line.replace("ENV/SERVICE", &format!("{}/{name}", report.environment));
                format!("{name}: {line}")
            }));
        }
        if lines.is_empty() {
            return;
        }
        let at = report.started.format("%H:%M:%S");
        let commit = report.commit.as_ref().map_or("none", |commit| commit.short());
        tell::step(&format!("tick at {at}, commit {commit} ({:.1} s later)", began.elapsed().as_secs_f32()));
        for line in lines {
            tell::detail(&line);
        }
    }

    fn news(&mut self, name: &str, service: &ServiceReport) -> Vec<String> {
        let ServiceReport { standing, rollout, done, error, .. } = service;
        // That a look was stored is of no interest: what it found is told.
        let mut lines: Vec<String> = done.iter().filter(|done| !done.starts_with("go on with")).cloned().collect();
        let verdict =
            rollout.iter().filter(|_| standing.phase.is_under_way()).find_map(|rollout| rollout.verdict.as_ref());
        if let Some(verdict) = verdict
            && self.told.insert(format!("{name}: {} {:?}", verdict.outcome, standing.phase))
        {
            lines.push(format!("{}, {}", verdict.outcome, verdict.because()));
        }
        let waiting =
            standing.waiting_on.iter().filter(|on| **on != WaitingOn::NextTick).map(|on| format!("waits, {on}"));
        let troubles = waiting.chain(error.clone());
        lines.extend(troubles.filter(|line| self.told.insert(format!("{name}: {line}"))));
        lines
    }
}

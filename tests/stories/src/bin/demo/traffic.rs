//! Traffic: requests as clients send them, through the alias and without an end, and which version answered each.
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Result, bail};
use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;
use stories::account::Account;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

/// How many clients send at once: a version never needs more processes.
const CLIENTS: u32 = 3;
/// How many requests all of them send in a second of this machine, where it keeps up.
const PER_SECOND: u32 = 120;

/// Clients at work. They stop when this is dropped.
pub(crate) struct Traffic {
    _clients: JoinSet<()>,
    answers: Arc<Mutex<Answers>>,
}

/// What the clients met.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answers {
    versions: BTreeMap<String, Count>,
    /// The first request that no version answered.
    unanswered: Option<String>,
}

/// The requests that one version answered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) answered: u32,
    pub(crate) failed: u32,
}

impl Traffic {
    /// From now on clients ask `live` of this function.
    pub(crate) fn begin(account: &Account, function: &'static str, payload: &Value) -> Self {
        let answers = Arc::new(Mutex::new(Answers::default()));
        let mut clients = JoinSet::new();
        for _ in 0..CLIENTS {
            clients.spawn(ask(account.lambda.clone(), function, Blob::new(payload.to_string()), Arc::clone(&answers)));
        }
        Self { _clients: clients, answers }
    }

    /// What was answered until now.
    pub(crate) fn answers(&self) -> Result<Answers> {
        let answers = locked(&self.answers).clone();
        if let Some(error) = &answers.unanswered {
            bail!("a request had no answer: {error}");
        }
        Ok(answers)
    }
}

impl Answers {
    /// What this version answered.
    pub(crate) fn of(&self, version: &str) -> Count {
        self.versions.get(version).copied().unwrap_or_default()
    }

    /// All requests.
    pub(crate) fn total(&self) -> u32 {
        self.versions.values().map(|count| count.answered).sum()
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} requests:", self.total())?;
        for (index, (version, Count { answered, failed })) in self.versions.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} version {version} answered {answered}")?;
            if *failed > 0 {
                write!(f, " ({failed} with an error)")?;
            }
        }
        Ok(())
    }
}

fn locked(answers: &Mutex<Answers>) -> MutexGuard<'_, Answers> {
    answers.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn ask(lambda: aws_sdk_lambda::Client, function: &'static str, payload: Blob, answers: Arc<Mutex<Answers>>) {
    let mut pace = tokio::time::interval(Duration::from_secs(1) * CLIENTS / PER_SECOND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pace.tick().await;
        let call = lambda.invoke().function_name(function).qualifier("live").payload(payload.clone());
        match call.send().await {
            Ok(answer) => {
                let version = answer.executed_version.unwrap_or_default();
                let mut answers = locked(&answers);
                let count = answers.versions.entry(version).or_default();
                count.answered += 1;
                count.failed += u32::from(answer.function_error.is_some());
            }
            Err(error) => {
                let error = format!("{:#}", anyhow::Error::from(error));
                locked(&answers).unanswered.get_or_insert(error);
            }
        }
    }
}

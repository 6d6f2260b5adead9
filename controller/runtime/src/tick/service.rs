//! One service in one tick: looks until it can be decided, then does what was decided. Its failures, panics too, are its own.
use std::panic::AssertUnwindSafe;

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use release_schema::{Digest, Service};
use tidegate_core::analysis::Measure;
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, Subject, World, decide};
use tidegate_core::history::Said;
use tidegate_core::live::Seen as Found;
use tidegate_core::plan::{Plan, Standing};
use tidegate_core::release::Release;
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

use super::{Back, RESERVE, SCHEDULE, Tick, look, unseen};
use crate::store::ETag;
use crate::store::history::Newest;
use crate::wanted::Wanted;

/// More looks than any decision can ask for.
const LOOKS: usize = 16;

/// What was seen of one service, with the tokens for writing.
#[derive(Clone, Debug)]
pub struct Seen {
    /// What decisions are made from: boxed, so that thousands of these are moved from one phase to the next at no cost.
    pub world: Box<World>,
    pub(super) state_etag: Option<ETag>,
    pub(super) head: Option<Newest>,
    pub(super) function_arn: Option<String>,
}

/// What was seen of one service, and how far that led; or why it was not decided.
pub(super) type Round = Result<(Seen, Decided), Undecided>;

/// Why a service was not decided.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Undecided {
    /// Its turn did not come: nothing is wrong with it.
    #[error("the tick's time was used up before it was looked at; the next tick goes on")]
    NotVisited,
    /// It could not be looked at.
    #[error("{0}")]
    Failed(String),
}

impl From<String> for Undecided {
    fn from(message: String) -> Self {
        Self::Failed(message)
    }
}

impl From<look::Error> for Undecided {
    fn from(error: look::Error) -> Self {
        if error.is_spent() { Self::NotVisited } else { Self::Failed(error.to_string()) }
    }
}

/// How far one service came in one round of looking and deciding.
#[derive(Clone, Debug)]
pub(super) enum Decided {
    /// This is to be done.
    Plan(Plan),
    /// This has to be measured first.
    Measure(Measure),
    /// A person's word cannot be followed, and why.
    Refused(String),
}

/// One service in one tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct One<'a> {
    pub(super) tick: &'a Tick<'a>,
    pub(super) service: &'a Service,
    pub(super) wanted: &'a Wanted,
    pub(super) release: Option<&'a Result<Release, String>>,
    pub(super) now: DateTime<Utc>,
    /// What its tag names now, where it is looked at closely.
    pub(super) closely: Option<&'a Found<Digest>>,
    /// What a person says to it, where one does.
    pub(super) word: Option<(Word, &'a Said)>,
    /// Who is told as soon as its traffic is back, where somebody waits for that.
    pub(super) back: Option<&'a Back>,
}

impl One<'_> {
    pub(super) fn subject(&self) -> Subject<'_> {
        Subject {
            environment: self.tick.name,
            service: self.service,
            wanted: match self.release {
                Some(Ok(release)) => Ok(release),
                Some(Err(message)) => Err(message),
                None => Err("it was not resolved"),
            },
            commit: &self.wanted.document.commit,
            forced: self.tick.only.is_some() && self.word.is_none(),
            asked: self.tick.actor != SCHEDULE,
            audit: self.closely.is_some(),
            word: self.word,
            actor: self.word.map_or(self.tick.actor, |(_, said)| &said.actor),
            writes_back: self.tick.origin.takes_reverts(),
            hold: self.wanted.hold.as_ref(),
            now: self.now,
            tick: self.tick.id,
        }
    }

    /// Reads what is stored, and looks until it can be decided, or measured.
    pub(super) async fn plan(self, has_state: bool) -> Round {
        let tag = self.closely.cloned().unwrap_or_default();
        let mut seen = look::nothing(World { tag, ..unseen(&self.wanted.document, &self.service.name) });
        if let Some(Err(message)) = self.release
            && !self.tick.config.allows(&self.service.function)
        {
            return Ok((seen, Decided::Plan(not_ours(message))));
        }
        if has_state {
            look::state(self.tick, self.service, &mut seen).await?;
        }
        let decided = self.decide(&mut seen).await?;
        Ok((seen, decided))
    }

    /// Looks until it can be decided, or measured: that is done for all services together.
    pub(super) async fn decide(self, seen: &mut Seen) -> Result<Decided, Undecided> {
        for _ in 0..LOOKS {
            if tokio::time::Instant::now() >= self.tick.looks_until {
                return Err(Undecided::NotVisited);
            }
            match decide(&self.subject(), &seen.world) {
                Decision::Act(plan) => return Ok(Decided::Plan(plan)),
                Decision::Refuse(message) => return Ok(Decided::Refused(message)),
                Decision::Look(Look::Measure(measure)) => return Ok(Decided::Measure(measure)),
                Decision::Look(look) => look::at(self.tick, self.service, look, seen).await?,
            }
        }
        Err("it could not be decided: this is a bug in Tidegate".to_owned().into())
    }

    /// Whether only the reserve for storing is left.
    pub(super) fn out_of_time(&self) -> bool {
        tokio::time::Instant::now() + RESERVE >= self.tick.deadline
    }
}

/// What may not be managed is not looked at either: a merge must not show what another team runs.
fn not_ours(message: &str) -> Plan {
    Plan::rest(Standing {
        sync: SyncStatus::Unknown,
        health: Health::Degraded,
        phase: PhaseName::Idle,
        waiting_on: Some(WaitingOn::Blocked { message: message.to_owned() }),
    })
}

/// A panic becomes this service's error. The others go on.
pub(super) async fn quarantined<T, E: From<String>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    if planted!(PanicEndsTheTick) {
        return work.await;
    }
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(panic) => {
            let what =
                panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            let what = what.unwrap_or("no message");
            tracing::error!(panic = what, "a service made Tidegate panic: it is left alone in this tick");
            Err(format!("it made Tidegate panic ({what}): this is a bug in Tidegate; the other services go on").into())
        }
    }
}

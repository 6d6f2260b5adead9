//! A person's word to one release under way: decided and done at once, without a lease and without Git.
//!
//! A tick that runs meanwhile loses no write to it, nor it to the tick: each write carries the token of what it replaces, and
//! whoever comes second reads again.
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::command::Word;
use tidegate_core::history::Said;
use tidegate_core::report::{ServiceReport, TickReport};

use super::service::{Decided, One, Round};
use super::{Back, Error, Tick, check_asked_for, desired, load_states, measure, pins};
use crate::store::lease::server_time;
use crate::store::{If, keys, statuses};
use crate::wanted::{self, Wanted};

/// How often a word is decided anew, where somebody else wrote in between.
const ATTEMPTS: usize = 4;

/// What a person says, and why.
#[derive(Clone, Copy, Debug)]
pub struct Spoken<'a> {
    /// To which service.
    pub service: &'a ServiceName,
    /// What.
    pub word: Word,
    /// Why, where they said so.
    pub reason: Option<&'a str>,
    /// Who is told as soon as the alias is written, where others wait for that.
    pub back: Option<&'a Back>,
}

/// Why a word did nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// It cannot be followed as things are.
    #[error("{0}")]
    Refused(String),
    /// It could not be done.
    #[error("{0}")]
    Failed(String),
    /// The environment could not be read.
    #[error(transparent)]
    Tick(#[from] Error),
}

/// Why there is nothing to go by.
pub(super) fn nothing_known(name: &EnvironmentName) -> String {
    format!(
        "nothing is known of `{name}`: no tick of it has ended, or what ticks stored was lost; does its schedule run? \
         A tick that remembers it stores it again within ten minutes, any other once it reaches Git"
    )
}

/// Says a word to a service, and tells how it stands then.
///
/// # Errors
/// Where the word is refused, or cannot be done.
pub async fn word(tick: &Tick<'_>, spoken: Spoken<'_>) -> Result<ServiceReport, Unheard> {
    let outcome = said(tick, spoken).await;
    drop(tick.failed.tell());
    outcome
}

async fn said(tick: &Tick<'_>, spoken: Spoken<'_>) -> Result<ServiceReport, Unheard> {
    let wanted = desired::load(tick).await.map_err(Error::from)?.map(|stored| wanted::stored(tick.name, stored.value));
    let mut wanted = match wanted {
        Some(Ok(wanted)) => wanted,
        Some(Err(known)) => return Err(Error::NothingWanted(known.reason).into()),
        None => {
            return Err(Unheard::Failed(nothing_known(tick.name)));
        }
    };
    check_asked_for(tick, &wanted)?;
    let releases = pins::resolve(tick, &mut wanted, |_| true).await;
    let Some(service) = wanted.environment.services.get(spoken.service) else {
        return Err(Unheard::Refused(format!("there is no service `{}`", spoken.service)));
    };
    let mut last = String::new();
    for _ in 0..ATTEMPTS {
        let now = server_time(tick.store, tick.name).await.map_err(Error::from)?;
        let said = Said {
            what: spoken.word.as_typed().to_owned(),
            actor: tick.actor.to_owned(),
            reason: spoken.reason.map(str::to_owned),
            at: now,
        };
        let release = releases.get(&service.name);
        let (word, back) = (Some((spoken.word, &said)), spoken.back);
        let one = One { tick, service, wanted: &wanted, release, now, word, back, closely: None };
        let has_state = load_states(tick).await?.contains(&keys::state(tick.name, &service.name));
        let decided = match decide(tick, one, has_state).await.map_err(|error| Unheard::Failed(error.to_string()))? {
            (seen, Decided::Plan(plan)) => one.execute(None, seen, plan).await,
            (_, Decided::Refused(message)) => return Err(Unheard::Refused(message)),
            (_, Decided::Measure(_)) => return Err(Unheard::Failed("it could not be measured".to_owned())),
        };
        match decided.report.error {
            None => {
                show(tick, &wanted, &decided.report).await;
                return Ok(decided.report);
            }
            Some(error) if decided.raced => last = error,
            // Traffic is where it shall be. What is missing is completed by the next tick, from the alias's marker.
            Some(_) if decided.moved => return Ok(decided.report),
            Some(error) => return Err(Unheard::Failed(error)),
        }
    }
    Err(Unheard::Failed(format!("somebody else wrote each time: {last}")))
}

async fn decide(tick: &Tick<'_>, one: One<'_>, has_state: bool) -> Round {
    let decided = [(one.service, one.plan(has_state).await)];
    let mut measured = measure::together(tick, &decided).await;
    let [(service, decided)] = decided;
    match decided? {
        (mut seen, Decided::Measure(_)) => {
            let found = measured.remove(&service.name).unwrap_or_default();
            seen.world.measured = tidegate_core::live::Seen::Found(found);
            let decided = one.decide(&mut seen).await?;
            Ok((seen, decided))
        }
        decided => Ok(decided),
    }
}

/// Puts the service into the report of the last tick that took it, so that `status` shows it before the next tick. It is derived: where that
/// cannot be, the next tick shows it.
async fn show(tick: &Tick<'_>, wanted: &Wanted, report: &ServiceReport) {
    let Some(only) = tick.only.filter(|only| wanted.environment.services.contains_key(*only)) else { return };
    let Ok(shard) = statuses::shard_of(tick.store, tick.name, only).await else { return };
    let name = keys::status(tick.name, shard);
    let Ok(Some(mut stored)) = tick.store.get::<TickReport>(&name).await else { return };
    stored.value.services.insert(only.clone(), report.clone());
    if let Err(error) = tick.store.put(&name, &stored.value, If::Unchanged(stored.etag)).await {
        tracing::debug!(%error, "the status is left to the next tick");
    }
}

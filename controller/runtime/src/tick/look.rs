//! Looks at what a decision asks for: one call each.
use release_schema::{AliasName, Service, Strategy};
use tidegate_core::decide::{Look, World};
use tidegate_core::live::Seen as Found;

use super::{Seen, Tick, registry};
use crate::aws::lambda::Paced;
use crate::aws::{CallError, lambda};
use crate::store::{self, history, keys};

/// How often AWS has to say that a version does not exist until that is believed.
const ASKED_FOR_A_VERSION: usize = 3;

/// Why something could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// Whether the budget had no call left in time.
    pub(super) fn is_spent(&self) -> bool {
        match self {
            Self::Call(error) => error.is_spent(),
            Self::Store(_) => false,
        }
    }
}

/// Reads what is stored of a transition under way. A document that is broken counts as lost; one of a later build is refused.
pub(super) async fn state(tick: &Tick<'_>, service: &Service, seen: &mut Seen) -> Result<(), Error> {
    match tick.store.get(&keys::state(tick.name, &service.name)).await {
        Ok(Some(stored)) => {
            seen.state_etag = Some(stored.etag);
            seen.world.state = Some(stored.value);
        }
        Ok(None) => {}
        Err(store::Error::Broken { key, message, etag }) => {
            tracing::warn!(service = %service.name, key, message, "the stored transition cannot be read");
            seen.state_etag = Some(etag);
            seen.world.unreadable = true;
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// Looks, and puts what was seen where decisions find it.
pub(super) async fn at(tick: &Tick<'_>, service: &Service, look: Look, seen: &mut Seen) -> Result<(), Error> {
    let (client, function, alias) = (tick.looking(), service.function.as_str(), service.alias.as_str());
    match look {
        Look::Serving => seen.world.serving = version(client, function, alias, &mut seen.function_arn).await?,
        Look::Latest => seen.world.latest = version(client, function, "$LATEST", &mut seen.function_arn).await?,
        Look::Version(number) => {
            let label = number.to_string();
            // Something stored names it, and AWS answers as of a moment ago: what is missing is published again, so that no single
            // answer is taken for it.
            let mut found = Found::Missing;
            for _ in 0..ASKED_FOR_A_VERSION {
                found = version(client, function, &label, &mut seen.function_arn).await?;
                if !matches!(found, Found::Missing) {
                    break;
                }
            }
            seen.world.versions.insert(number, found);
        }
        Look::Alias => {
            seen.world.alias = match found(lambda::get_alias(client, function, alias).await)? {
                // A transition that is only finished looks at nothing else, and its registry entry needs the ARN.
                Found::Found(read) => {
                    seen.function_arn = Some(read.function_arn);
                    Found::Found(read.live)
                }
                Found::Missing => Found::Missing,
                Found::NotYet => Found::NotYet,
            };
        }
        Look::Preview => {
            let preview = preview_alias(&service.strategy);
            seen.world.preview = match preview {
                None => Found::Missing,
                Some(preview) => match found(lambda::get_alias(client, function, preview.as_str()).await)? {
                    Found::Found(read) => Found::Found(read.live),
                    Found::Missing | Found::NotYet => Found::Missing,
                },
            };
        }
        Look::Registry => seen.world.registry = registry::registered(tick, service, seen).await,
        Look::Provisioning => {
            let provisioning = lambda::is_provisioning(client, function, alias).await?;
            seen.world.provisioning = Found::Found(provisioning);
        }
        // All services measure together: the tick does that between two rounds of deciding.
        Look::Measure(_) => {}
        Look::Head => {
            seen.head = history::head(tick.store, tick.name, &service.name).await?;
            seen.world.head_lost = seen.head.as_ref().is_some_and(|newest| newest.lost);
            seen.world.head = seen.head.as_ref().map_or(Found::Missing, |newest| Found::Found(newest.head.clone()));
        }
    }
    Ok(())
}

/// The alias that a strategy lets name the new version before it gets traffic.
pub(super) fn preview_alias(strategy: &Strategy) -> Option<&AliasName> {
    match strategy {
        Strategy::BlueGreen(blue_green) => blue_green.preview_alias.as_ref(),
        Strategy::AllAtOnce | Strategy::Canary(_) | Strategy::Linear(_) => None,
    }
}

async fn version(
    client: Paced<'_>,
    function: &str,
    qualifier: &str,
    function_arn: &mut Option<String>,
) -> Result<Found<tidegate_core::live::LiveVersion>, CallError> {
    Ok(match found(lambda::get_function(client, function, qualifier).await)? {
        Found::Found(read) => {
            *function_arn = Some(read.function_arn);
            Found::Found(read.live)
        }
        Found::Missing => Found::Missing,
        Found::NotYet => Found::NotYet,
    })
}

fn found<T>(answer: Result<T, CallError>) -> Result<Found<T>, CallError> {
    match answer {
        Ok(thing) => Ok(Found::Found(thing)),
        Err(error) if error.is_not_found() => Ok(Found::Missing),
        Err(error) => Err(error),
    }
}

/// What is known before any look.
pub(super) fn nothing(world: World) -> Seen {
    Seen { world: Box::new(world), state_etag: None, head: None, function_arn: None }
}

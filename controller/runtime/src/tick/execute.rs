//! Does what was decided, in order. A plan leaves nothing to choose here: the first effect that fails ends the service's tick.
use std::time::Duration;

use release_schema::SmokeTest;
use tidegate_core::ids::Version;
use tidegate_core::plan::{Action, Plan, Rollback};
use tidegate_core::registry::Entry;
use tidegate_core::report::ServiceReport;
use tidegate_core::smoke;
use tidegate_core::state::{NotPushed, Phase, ServiceState, Shape};
use tokio::time::Instant;

use super::registry::{self, Told};
use super::service::{One, Seen, quarantined};
use super::{RESERVE, report, revert};
use crate::aws::lambda::{self, Traffic};
use crate::aws::{CallError, Kind, parameters};
use crate::store::lease::Lease;
use crate::store::{self, If, history, keys};

/// How long a smoke test may take. A tick has a minute for everything.
const SMOKE_TEST: Duration = Duration::from_secs(20);

/// How long pushing a revert may take. Whoever rolls back waits for the answer.
const PUSH: Duration = Duration::from_secs(10);

/// How long waking a version may take: what counts is that it was called.
const WAKE: Duration = Duration::from_secs(3);

/// Why an effect could not be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("AWS published a version and did not say which; the next tick asks for it")]
    Unnumbered,
    #[error("the tick's time was used up; the next tick goes on")]
    Time,
    #[error("the lease ran out; the next tick goes on")]
    Lease,
    #[error("the function's ARN was not seen")]
    NoArn,
}

impl Error {
    /// Whether somebody else wrote first.
    const fn is_race(&self) -> bool {
        match self {
            Self::Call(error) => matches!(error.kind, Kind::Raced | Kind::Conflict),
            Self::Store(store::Error::Raced { .. }) => true,
            Self::Store(_) | Self::Unnumbered | Self::Time | Self::Lease | Self::NoArn => false,
        }
    }

    /// Whether only the time was missing.
    fn is_postponed(&self) -> bool {
        match self {
            Self::Call(error) => error.is_spent(),
            Self::Time => true,
            Self::Store(_) | Self::Unnumbered | Self::Lease | Self::NoArn => false,
        }
    }
}

/// What came of a plan.
pub(super) struct Executed {
    /// How the service stands then.
    pub(super) report: ServiceReport,
    /// Whether it ended because somebody else wrote first.
    pub(super) raced: bool,
    /// Whether the alias was written.
    pub(super) moved: bool,
}

/// Whether an effect was had.
enum Effect {
    /// It was.
    Had,
    /// It was tried, and is left to a later tick.
    Left,
    /// It is left to the tick's end, and all that follows to a later tick.
    Noted,
    /// It is left to a later tick, and so is all that follows.
    Later,
}

/// What the effects so far gave to those that follow.
struct Done {
    seen: Seen,
    published: Option<Version>,
    words: Vec<String>,
    /// The alias as it was left.
    shape: Option<Shape>,
    /// The state as it was stored last; `None` once it is cleared.
    state: Option<ServiceState>,
}

impl One<'_> {
    /// Executes a plan: under a lease where a tick does, without one where a person's word does.
    pub(super) async fn execute(self, lease: Option<&Lease>, seen: Seen, plan: Plan) -> Executed {
        let state = seen.world.state.clone();
        let mut done = Done { seen, published: None, words: Vec::new(), shape: None, state };
        let (mut raced, mut noted) = (false, false);
        #[cfg(feature = "planted")]
        let plan = planted_order(plan);
        let ended = quarantined(async {
            for action in &plan.actions {
                let effect = self.effect(lease, action, &mut done).await;
                if let (Some(back), Some(_written)) = (self.back, &done.shape) {
                    back.tell(&self.service.name);
                }
                match effect {
                    Ok(Effect::Had) => {
                        tracing::info!(service = %self.service.name, release = self.release_id(), "{action}");
                        done.words.push(action.to_string());
                    }
                    Ok(Effect::Left) => {}
                    Ok(Effect::Noted) => {
                        done.words.push(action.to_string());
                        break;
                    }
                    Ok(Effect::Later) => break,
                    // No next tick goes on with a person's word.
                    Err(error) if lease.is_some() && error.is_postponed() => {
                        tracing::info!(service = %self.service.name, "{error}");
                        return Ok(report::End::Postponed);
                    }
                    Err(error) => {
                        raced = error.is_race();
                        noted = self.noted(&error);
                        return Err(error.to_string());
                    }
                }
            }
            Ok::<_, String>(report::End::Done)
        })
        .await;
        let end = ended.unwrap_or_else(|error| {
            if !noted {
                tracing::warn!(service = %self.service.name, release = self.release_id(), error, "the plan was not finished");
            }
            report::End::Failed(error)
        });
        let Done { seen, words, shape, state, .. } = done;
        let moved = shape.is_some();
        let after = report::After { standing: plan.standing, done: words, shape, state, end };
        Executed { report: report::service(&self, &seen, after), raced, moved }
    }

    /// Whether an effect failed for want of Parameter Store: that is said for all services together.
    fn noted(&self, error: &Error) -> bool {
        let Error::Call(error) = error else { return false };
        let is_registry = error.operation == parameters::PUT;
        if is_registry {
            self.tick.failed.note(error, 1, "the service registry cannot be told");
        }
        is_registry
    }

    fn release_id(&self) -> Option<&str> {
        self.release.and_then(|release| release.as_ref().ok()).map(|release| release.id.short())
    }

    async fn effect(&self, lease: Option<&Lease>, action: &Action, done: &mut Done) -> Result<Effect, Error> {
        if lease.is_some_and(|lease| !lease.holds()) {
            return Err(Error::Lease);
        }
        if action.mutates_lambda() && self.out_of_time() {
            return Err(Error::Time);
        }
        let (client, function, alias) =
            (self.tick.lambda(), self.service.function.as_str(), self.service.alias.as_str());
        match action {
            Action::SaveState(state) => self.save_state(state, done).await?,
            Action::SavePublished(intent) => {
                let version = done.published.ok_or(Error::Unnumbered)?;
                let phase = Phase::Preparing { version, reused: false, smoke: None };
                let state = intent.moved_to(phase, self.now);
                self.save_state(&state, done).await?;
            }
            Action::UpdateConfiguration { change, if_revision } => {
                lambda::update_configuration(client, function, change, if_revision).await?;
            }
            Action::UpdateCode { source, if_revision } => {
                done.published = lambda::update_code(client, function, source, if_revision).await?;
            }
            Action::RestoreLatest { source, if_revision } => {
                lambda::restore_latest(client, function, source, if_revision).await?;
            }
            Action::PublishVersion { code, if_revision } => {
                done.published = lambda::publish_version(client, function, code, if_revision).await?;
            }
            Action::CreateAlias { version, marker } | Action::RecreateAlias { version, marker } => {
                lambda::create_alias(client, function, alias, *version, marker).await?;
                done.shape = Some(Shape::all(*version));
            }
            Action::UpdateAlias { version, marker, if_revision } | Action::Return { version, marker, if_revision } => {
                let traffic = Traffic { version: *version, additional: None, marker };
                lambda::update_alias(client, function, alias, traffic, if_revision).await?;
                done.shape = Some(Shape::all(*version));
            }
            Action::SetWeight { stable, canary, marker, if_revision } => {
                let traffic = Traffic { version: *stable, additional: Some(*canary), marker };
                lambda::update_alias(client, function, alias, traffic, if_revision).await?;
                done.shape = Some(Shape { version: Some(*stable), additional: Some(*canary) });
            }
            Action::PointPreview { alias, version, marker, if_revision } => {
                let alias = alias.as_str();
                match if_revision {
                    None => lambda::create_alias(client, function, alias, *version, marker).await?,
                    Some(revision) => {
                        let traffic = Traffic { version: *version, additional: None, marker };
                        lambda::update_alias(client, function, alias, traffic, revision).await?;
                    }
                }
            }
            Action::Wake { version, test } => {
                // Whatever comes of it: the next invocation finds the version awake, or waking.
                let invoked =
                    Box::pin(lambda::invoke(client, function, &version.to_string(), &test.payload, WAKE)).await;
                tracing::info!(service = %self.service.name, %version, ?invoked, "woken");
            }
            Action::SmokeTest { qualifier, test, state } => {
                Box::pin(self.smoke_test(qualifier, test, state, done)).await?;
            }
            Action::SetReservedConcurrency { concurrency } => {
                lambda::set_reserved_concurrency(client, function, *concurrency).await?;
            }
            Action::AppendRecord(record) => {
                let head = history::append(self.tick.store, done.seen.head.as_ref(), (**record).clone()).await?;
                done.seen.head = Some(head);
            }
            Action::RestoreHead(_) => {
                if let Some(newest) = done.seen.head.take() {
                    let (environment, service) = (self.tick.name, &self.service.name);
                    done.seen.head = Some(history::restore(self.tick.store, environment, service, newest).await?);
                }
            }
            Action::WriteRegistry { version, tag } => {
                let arn = done.seen.function_arn.as_ref().ok_or(Error::NoArn)?;
                let entry = Entry {
                    schema_version: tidegate_core::SCHEMA_VERSION,
                    alias_arn: format!("{arn}:{alias}"),
                    version: *version,
                    tag: tag.clone(),
                };
                return Ok(match registry::tell(self.tick, lease, &self.service.name, entry).await? {
                    Told::Yes => Effect::Had,
                    Told::No => Effect::Left,
                    Told::Noted => Effect::Noted,
                    Told::Later => Effect::Later,
                });
            }
            Action::ClearState => {
                if let Some(etag) = done.seen.state_etag.take() {
                    self.tick.store.delete(&keys::state(self.tick.name, &self.service.name), &etag).await?;
                }
                done.state = None;
            }
            Action::PushRevert { revert, state } => return self.push_revert(revert, state, done).await,
        }
        Ok(Effect::Had)
    }

    /// Tells the release repository, and stores how that went. Traffic is back already: nothing of this fails the plan.
    async fn push_revert(&self, revert: &Rollback, state: &ServiceState, done: &mut Done) -> Result<Effect, Error> {
        let left = self.tick.deadline.saturating_duration_since(Instant::now()).saturating_sub(RESERVE);
        if left.is_zero() {
            return Ok(Effect::Left);
        }
        let outcome = Box::pin(revert::push(self, revert, left.min(PUSH))).await;
        let effect = if let Err(not_pushed) = &outcome {
            let NotPushed { problem, is_final } = not_pushed;
            tracing::warn!(service = %self.service.name, problem, is_final, "the revert could not be pushed");
            Effect::Left
        } else {
            Effect::Had
        };
        if let Some(next) = state.reverted(outcome) {
            self.save_state(&next, done).await?;
        }
        Ok(effect)
    }

    async fn save_state(&self, state: &ServiceState, done: &mut Done) -> Result<(), Error> {
        let condition = done.seen.state_etag.clone().map_or(If::Absent, If::Unchanged);
        let name = keys::state(self.tick.name, &self.service.name);
        let stored = match self.tick.store.put(&name, state, condition).await {
            #[cfg(feature = "planted")]
            Err(store::Error::Raced { .. }) if planted!(BlindRetryOfState) => {
                let found = self.tick.store.get_bytes(&name).await?;
                let condition = found.map_or(If::Absent, |found| If::Unchanged(found.etag));
                self.tick.store.put(&name, state, condition).await
            }
            stored => stored,
        };
        done.seen.state_etag = Some(stored?);
        done.state = Some(state.clone());
        Ok(())
    }

    /// Invokes the new version, and stores how that went. A test that takes too long, twice, fails the release, not the
    /// tick.
    async fn smoke_test(
        &self,
        qualifier: &str,
        test: &SmokeTest,
        state: &ServiceState,
        done: &mut Done,
    ) -> Result<(), Error> {
        let left = self.tick.deadline.saturating_duration_since(Instant::now()).saturating_sub(RESERVE);
        if left < SMOKE_TEST {
            return Err(Error::Time);
        }
        let function = self.service.function.as_str();
        let client = self.tick.lambda();
        let invoked = lambda::invoke(client, function, qualifier, &test.payload, SMOKE_TEST).await?;
        let Phase::Preparing { version, reused, smoke: ref before } = state.phase else { return Ok(()) };
        let smoke = Some(smoke::judge(test, &invoked, before.as_ref(), self.now));
        let phase = Phase::Preparing { version, reused, smoke };
        self.save_state(&ServiceState { phase, ..state.clone() }, done).await
    }
}

/// The effect first, and the intent after it.
#[cfg(feature = "planted")]
fn planted_order(mut plan: Plan) -> Plan {
    if planted!(IntentAfterEffect)
        && let [Action::SaveState(_), Action::UpdateAlias { .. } | Action::SetWeight { .. }, ..] =
            plan.actions.as_slice()
    {
        plan.actions.swap(0, 1);
    }
    plan
}

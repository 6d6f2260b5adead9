//! Does what was decided, in order. A plan leaves nothing to choose here: the first effect that fails ends the service's tick.
use tidegate_core::ids::Version;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::registry::{Entry, parameter_name};
use tidegate_core::report::ServiceReport;
use tidegate_core::state::{Phase, ServiceState};

use super::report;
use super::service::{One, Seen, quarantined};
use crate::aws::{CallError, lambda, parameters};
use crate::store::lease::Lease;
use crate::store::{self, If, history, keys};

/// Why an effect could not be had.
#[derive(Debug, thiserror::Error)]
enum Error {
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

/// What the effects so far gave to those that follow.
struct Done {
    seen: Seen,
    published: Option<Version>,
    words: Vec<String>,
    live: Option<Version>,
}

impl One<'_> {
    pub(super) async fn execute(self, lease: &Lease, seen: Seen, plan: Plan) -> ServiceReport {
        let mut done = Done { seen, published: None, words: Vec::new(), live: None };
        let error = quarantined(async {
            for action in &plan.actions {
                self.effect(lease, action, &mut done).await.map_err(|error| error.to_string())?;
                tracing::info!(service = %self.service.name, release = self.release_id(), "{action}");
                done.words.push(action.to_string());
            }
            Ok(())
        })
        .await
        .err();
        if let Some(error) = &error {
            tracing::warn!(service = %self.service.name, release = self.release_id(), error, "the plan was not finished");
        }
        report::service(&self, &done.seen, &plan.standing, done.words, done.live, error)
    }

    fn release_id(&self) -> Option<&str> {
        self.release.and_then(|release| release.as_ref().ok()).map(|release| release.id.short())
    }

    async fn effect(&self, lease: &Lease, action: &Action, done: &mut Done) -> Result<(), Error> {
        if !lease.holds() {
            return Err(Error::Lease);
        }
        if action.mutates_lambda() && self.out_of_time() {
            return Err(Error::Time);
        }
        let (client, function, alias) =
            (&self.tick.clients.lambda, self.service.function.as_str(), self.service.alias.as_str());
        match action {
            Action::SaveState(state) => self.save_state(state, done).await?,
            Action::SavePublished(intent) => {
                let version = done.published.ok_or(Error::Unnumbered)?;
                let state = intent.moved_to(Phase::Promoting { version, reused: false }, self.now);
                self.save_state(&state, done).await?;
            }
            Action::UpdateConfiguration { change, if_revision } => {
                lambda::update_configuration(client, function, change, if_revision).await?;
            }
            Action::UpdateCode { source, if_revision } => {
                done.published = lambda::update_code(client, function, source, if_revision).await?;
            }
            Action::PublishVersion { code, if_revision } => {
                done.published = lambda::publish_version(client, function, code, if_revision).await?;
            }
            Action::CreateAlias { version, marker } => {
                lambda::create_alias(client, function, alias, *version, marker).await?;
                done.live = Some(*version);
            }
            Action::UpdateAlias { version, marker, if_revision } => {
                lambda::update_alias(client, function, alias, *version, marker, if_revision).await?;
                done.live = Some(*version);
            }
            Action::SetReservedConcurrency { concurrency } => {
                lambda::set_reserved_concurrency(client, function, *concurrency).await?;
            }
            Action::AppendRecord(record) => {
                let head = history::append(self.tick.store, done.seen.head.as_ref(), (**record).clone()).await?;
                done.seen.head = Some(head);
            }
            Action::WriteRegistry { version, tag } => {
                let arn = done.seen.function_arn.as_ref().ok_or(Error::NoArn)?;
                let entry = Entry {
                    schema_version: tidegate_core::SCHEMA_VERSION,
                    alias_arn: format!("{arn}:{alias}"),
                    version: *version,
                    tag: tag.clone(),
                };
                let name = parameter_name(self.tick.name, &self.service.name);
                let encode = |source| store::Error::Encode { key: name.clone(), source };
                let value = serde_json::to_string(&entry).map_err(encode)?;
                parameters::put(&self.tick.clients.ssm, &name, &value).await?;
            }
            Action::ClearState => {
                if let Some(etag) = done.seen.state_etag.take() {
                    self.tick.store.delete(&keys::state(self.tick.name, &self.service.name), &etag).await?;
                }
            }
        }
        Ok(())
    }

    async fn save_state(&self, state: &ServiceState, done: &mut Done) -> Result<(), Error> {
        let condition = done.seen.state_etag.clone().map_or(If::Absent, If::Unchanged);
        let name = keys::state(self.tick.name, &self.service.name);
        done.seen.state_etag = Some(self.tick.store.put(&name, state, condition).await?);
        Ok(())
    }
}

//! Shows what the files of a working tree would change, and what the next tick would do.
use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use release_schema::{EnvironmentName, ServiceName};
use tidegate_core::diff::Difference;
use tidegate_core::ids::Commit;
use tidegate_core::plan::Standing;
use tidegate_core::report::{Failure, FailureKind};
use tidegate_core::shard::Shard;
use tokio::time::Instant;

use super::{Caller, Controller, failure_of, known, tick, unavailable};
use crate::config;
use crate::store::desired::DesiredDocument;
use crate::store::{Store, keys};
use crate::wanted::{self, Content, Wanted};

/// How long everything is looked at: no schedule waits for it, and thousands of services take more than a tick has.
const PATIENCE: Duration = Duration::from_mins(15);

/// What `diff` shows of one service.
#[derive(Clone, Debug)]
pub struct ServicePreview {
    /// How it stands.
    pub standing: Standing,
    /// Unified diff of live against Git; empty where nothing differs.
    pub diff: String,
    /// What the next tick would do, in order, in words.
    pub actions: Vec<String>,
}

/// What `diff` shows of an environment.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The services that there would be.
    pub services: BTreeMap<ServiceName, Result<ServicePreview, String>>,
    /// Those that there would not be any more.
    pub removed: BTreeMap<ServiceName, tick::Leaves>,
}

impl Controller {
    /// What the files of a working tree would change, looked at with the caller's own rights; nothing is changed.
    ///
    /// # Errors
    /// Where the environment is not configured, the files are not valid, or nothing can be looked at.
    pub async fn preview(
        &self,
        name: &EnvironmentName,
        content: &Content,
        now: DateTime<Utc>,
        caller: &Caller,
    ) -> Result<Preview, Failure> {
        let configuration = config::load(&self.source, &self.home, &self.kept)
            .await
            .map_err(|error| unavailable(Some(name), &error))?;
        let (name, config) = known(&configuration, name)?;
        let environment = wanted::validate(name, content).map_err(|problems| Failure {
            environment: Some(name.clone()),
            kind: FailureKind::InvalidRelease,
            message: problems.to_string(),
        })?;
        let reached = self.reach(name, Shard::WHOLE, config).await;
        let store = Store::new(reached.home.s3.clone(), configuration.installation.state.clone());
        let origin = self.origin(&configuration.installation, &reached);
        let end = Instant::now() + PATIENCE;
        let tick = tick::Tick {
            looks_until: end,
            deadline: end,
            ..tick(name, &configuration.installation, &reached, &store, &origin, caller)
        };
        let stored: Option<DesiredDocument> = match store.get(&keys::desired(name)).await {
            Ok(stored) => stored.map(|stored| stored.value),
            Err(error) => return Err(unavailable(Some(name), &error)),
        };
        let removed = wanted::unmanaged(stored.as_ref(), before(name, stored.as_ref()).as_ref(), &environment);
        let removed = tick::leaves(&tick, &environment, removed).await.map_err(|error| failure_of(name, &error))?;
        let commit = Commit {
            id: "0".repeat(40),
            author: caller.actor.clone(),
            time: now,
            summary: "the working tree".to_owned(),
        };
        let document = DesiredDocument {
            schema_version: tidegate_core::SCHEMA_VERSION,
            commit,
            release_config: String::new(),
            services: String::new(),
            pins: stored.map(|stored| stored.pins).unwrap_or_default(),
            unmanaged: BTreeMap::new(),
        };
        let wanted = Wanted { document, environment, hold: None, problems: Vec::new() };
        let (wanted, releases, previews) =
            tick::preview(&tick, wanted, now).await.map_err(|error| failure_of(name, &error))?;
        let shown = |(service, preview): (ServiceName, Result<tick::Preview, tick::Undecided>)| {
            let shown =
                preview.map(|preview| show(&wanted, &releases, &service, &preview)).map_err(|error| error.to_string());
            (service, shown)
        };
        Ok(Preview { services: previews.into_iter().map(shown).collect(), removed })
    }
}

/// The environment as it is in force.
fn before(name: &EnvironmentName, stored: Option<&DesiredDocument>) -> Option<release_schema::Environment> {
    wanted::validate(name, &Content::from(stored?)).ok()
}

fn show(wanted: &Wanted, releases: &tick::Releases, name: &ServiceName, preview: &tick::Preview) -> ServicePreview {
    let tick::Preview { seen, plan } = preview;
    let live = seen.world.serving.found();
    let service = wanted.environment.services.get(name);
    let release = releases.get(name).and_then(|release| release.as_ref().ok());
    let head = seen.world.head.found();
    let tag = live.and_then(|live| live.version).and_then(|version| head?.tag_of(version)).map(|tag| tag.as_str());
    let diff = match (service, release) {
        (Some(service), Some(wanted)) => {
            // Where the code is what Git wants, it is called what Git calls it.
            let same = live.and_then(|live| live.code.as_ref()) == Some(&wanted.code);
            let live_tag = if same { wanted.tag.as_ref().map(|tag| tag.as_str()) } else { tag };
            let version = live.and_then(|live| live.version).map(|version| format!(" (version {version})"));
            let live_name = format!("live/{name}{}", version.unwrap_or_default());
            Difference { service, wanted, live, live_tag }.unified(&live_name, &format!("git/{name}"))
        }
        _ => String::new(),
    };
    let actions = plan.actions.iter().map(ToString::to_string).collect();
    ServicePreview { standing: plan.standing.clone(), diff, actions }
}

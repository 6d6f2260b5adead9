//! Observes what Git wants of one environment: the newest commit where it is valid, else the last good content and why.
use std::collections::BTreeMap;
use std::sync::Arc;

use release_schema::{Environment, EnvironmentName, Problems, Service, ServiceName, SourceFile};
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::environment::{Guard, MassChange, mass_change};
use tidegate_core::ids::Commit;
use tidegate_core::status::HoldReason;

use crate::aws::error::chain;
use crate::git::{self, Ancestry, Cache, CommitId, Limits, Remote};
use crate::store::desired::DesiredDocument;

/// The file with the defaults and the list of environments.
pub const RELEASE_CONFIG: &str = "release-config.yaml";

/// The file that says what runs in an environment.
#[must_use]
pub fn services_file(environment: &EnvironmentName) -> String {
    format!("environments/{environment}/services.yaml")
}

/// The two files of an environment, as they are in one commit.
#[derive(Clone, Debug)]
pub struct Content {
    /// `release-config.yaml`.
    pub release_config: Vec<u8>,
    /// The environment's `services.yaml`.
    pub services: Vec<u8>,
}

impl From<&DesiredDocument> for Content {
    fn from(stored: &DesiredDocument) -> Self {
        let (release_config, services) = (stored.release_config.clone(), stored.services.clone());
        Self { release_config: release_config.into_bytes(), services: services.into_bytes() }
    }
}

/// What an environment shall be.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The content that is in force, as it is stored; its pins are not resolved yet.
    pub document: DesiredDocument,
    /// The same, validated.
    pub environment: Environment,
    /// Why no forward move is made, where none is.
    pub hold: Option<HoldReason>,
    /// Every problem of the newest commit's files, one a line.
    pub problems: Vec<String>,
}

/// Nothing valid is known of an environment: neither now nor from before.
#[derive(Clone, Debug)]
pub struct NothingKnown {
    /// Why.
    pub reason: HoldReason,
    /// Every problem of the newest commit's files, one a line.
    pub problems: Vec<String>,
}

impl NothingKnown {
    const fn because(message: String) -> Self {
        Self { reason: HoldReason::NothingKnown { message }, problems: Vec::new() }
    }
}

/// Where releases come from.
#[derive(Clone, Debug)]
pub struct Repository {
    /// The remote, with its credential.
    pub remote: Remote,
    /// What is kept of it between ticks.
    pub cache: Arc<Cache>,
    /// What it may cost.
    pub limits: Limits,
}

/// Validates an environment's two files.
///
/// # Errors
/// All problems of the first file that has any.
pub fn validate(name: &EnvironmentName, content: &Content) -> Result<Environment, Problems> {
    let config = SourceFile::new(RELEASE_CONFIG, &content.release_config)?;
    let config = release_schema::read_release_config(&config)?;
    let services = SourceFile::new(services_file(name), &content.services)?;
    release_schema::read_environment(&services, name, &config)
}

/// What the newest commit came to.
enum Newest {
    /// The commit that is in force already.
    Unchanged,
    /// A newer one.
    Changed { commit: Commit, content: Content, ancestry: Ancestry },
}

/// Why the newest commit is not in force.
enum Trouble {
    Git(git::Error),
    Missing { commit: String, file: String },
    Internal(String),
}

/// What to accept beside the ordinary.
#[derive(Clone, Debug, Default)]
pub struct Accept {
    /// A rewritten branch at this commit, by its whole id or the beginning of it.
    pub confirmed: Option<String>,
    /// Any rewritten branch.
    pub rewrites: bool,
    /// How much a commit may change that nobody confirmed.
    pub guard: Option<Guard>,
}

impl Accept {
    fn rewrite_to(&self, commit: &str) -> bool {
        self.rewrites || self.confirms(commit)
    }

    fn confirms(&self, commit: &str) -> bool {
        self.confirmed.as_deref().is_some_and(|id| id.len() >= 7 && commit.starts_with(id))
    }

    /// What a commit changes beyond what it may.
    fn too_much(&self, commit: &str, before: Option<&Environment>, after: &Environment) -> Option<MassChange> {
        let guard = self.guard.filter(|_| !self.confirms(commit))?;
        mass_change(before?, after, guard)
    }
}

/// Lists the repository, fetches what is new, and validates it. `stored` is the last valid content; where that is lost,
/// `applied` is the commit that it was of, as far as anything else tells: a rewritten branch is not followed then either.
///
/// # Errors
/// Where nothing valid is known at all: neither now nor from before.
pub async fn observe(
    name: &EnvironmentName,
    repository: Result<Repository, String>,
    stored: Option<DesiredDocument>,
    applied: Option<&str>,
    accept: &Accept,
) -> Result<Wanted, NothingKnown> {
    let repository = match repository {
        Ok(repository) => repository,
        Err(message) => return last_good(name, stored, HoldReason::GitUnavailable { message }, Vec::new()),
    };
    let in_force = stored.as_ref().map(|document| document.commit.id.clone());
    let applied = in_force.clone().or_else(|| applied.map(str::to_owned));
    let (task_name, before) = (name.clone(), applied.clone());
    let newest = move || newest(&task_name, &repository, in_force.as_deref(), before.as_deref());
    #[cfg(feature = "planted")]
    let newest = planted_along(newest);
    let newest = tokio::task::spawn_blocking(newest).await;
    match newest.unwrap_or_else(|panic| Err(Trouble::Internal(panic.to_string()))) {
        Ok(Newest::Unchanged) => match stored {
            Some(stored) => in_force_still(name, stored),
            None => Err(NothingKnown::because("no content of this environment is known".to_owned())),
        },
        Ok(Newest::Changed { commit, content, ancestry }) => {
            if ancestry == Ancestry::NotDescendant && !accept.rewrite_to(&commit.id) {
                let reason = HoldReason::HistoryRewritten { applied: applied.unwrap_or_default(), found: commit.id };
                return last_good(name, stored, reason, Vec::new());
            }
            take_in(name, commit, &content, stored, accept)
        }
        Err(Trouble::Git(error)) => {
            let message = chain(&error);
            last_good(name, stored, HoldReason::GitUnavailable { message }, Vec::new())
        }
        Err(Trouble::Missing { commit, file }) => {
            let problem = format!("`{file}` does not exist");
            last_good(
                name,
                stored,
                HoldReason::InvalidRelease { commit, problem: problem.clone(), more: 0 },
                vec![problem],
            )
        }
        Err(Trouble::Internal(message)) => last_good(name, stored, HoldReason::GitUnavailable { message }, Vec::new()),
    }
}

fn newest(
    name: &EnvironmentName,
    repository: &Repository,
    in_force: Option<&str>,
    applied: Option<&str>,
) -> Result<Newest, Trouble> {
    let Repository { remote, cache, limits } = repository;
    let id = git::list(remote, limits).map_err(Trouble::Git)?;
    if in_force == Some(id.to_string().as_str()) {
        return Ok(Newest::Unchanged);
    }
    let snapshot = cache.snapshot(remote, id, limits).map_err(Trouble::Git)?;
    let read = |file: &str| match snapshot.read(file) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(Trouble::Missing { commit: id.to_string(), file: file.to_owned() }),
        Err(error) => Err(Trouble::Git(error)),
    };
    let content = Content { release_config: read(RELEASE_CONFIG)?, services: read(&services_file(name))? };
    #[cfg(feature = "planted")]
    planted_look_at_others(&id.to_string(), &content, read)?;
    let ancestry = match applied.and_then(|id| id.parse::<CommitId>().ok()) {
        None => Ancestry::Same,
        Some(before) => cache.ancestry(remote, &snapshot, &before, limits).map_err(Trouble::Git)?,
    };
    let commit = snapshot.commit();
    let commit = Commit {
        id: id.to_string(),
        author: format!("{} <{}>", commit.author_name, commit.author_email),
        time: commit.committed,
        summary: commit.summary.clone(),
    };
    Ok(Newest::Changed { commit, content, ancestry })
}

/// The same work, with the bug of this thread.
#[cfg(feature = "planted")]
fn planted_along<T>(work: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let bug = planted::planted();
    move || {
        planted::plant(bug);
        work()
    }
}

/// Refuses the commit where the content of any environment is not valid.
#[cfg(feature = "planted")]
fn planted_look_at_others(
    id: &str,
    content: &Content,
    read: impl Fn(&str) -> Result<Vec<u8>, Trouble>,
) -> Result<(), Trouble> {
    if !planted!(OneInvalidStopsAll) {
        return Ok(());
    }
    let names = ["staging", "production"].into_iter().filter_map(|name| name.parse::<EnvironmentName>().ok());
    for name in names {
        let file = services_file(&name);
        let Ok(services) = read(&file) else { continue };
        let other = Content { services, ..content.clone() };
        if validate(&name, &other).is_err() {
            return Err(Trouble::Missing { commit: id.to_owned(), file });
        }
    }
    Ok(())
}

/// The newest commit, if it is valid. Pins of artifacts that are written as before stay.
fn take_in(
    name: &EnvironmentName,
    commit: Commit,
    content: &Content,
    stored: Option<DesiredDocument>,
    accept: &Accept,
) -> Result<Wanted, NothingKnown> {
    let environment = match validate(name, content) {
        Ok(environment) => environment,
        Err(problems) => {
            let problems: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
            let problem = problems.first().cloned().unwrap_or_default();
            let more = problems.len().saturating_sub(1);
            let reason = HoldReason::InvalidRelease { commit: commit.id, problem, more };
            return last_good(name, stored, reason, problems);
        }
    };
    let before = stored.as_ref().and_then(|stored| validate(name, &Content::from(stored)).ok());
    if let Some(change) = accept.too_much(&commit.id, before.as_ref(), &environment) {
        return last_good(name, stored, HoldReason::MassChange { commit: commit.id, change }, Vec::new());
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let unmanaged = unmanaged(stored.as_ref(), before.as_ref(), &environment);
    let pins = stored.map(|stored| stored.pins).unwrap_or_default();
    let document = DesiredDocument {
        schema_version: SCHEMA_VERSION,
        commit,
        release_config: text(&content.release_config),
        services: text(&content.services),
        pins,
        unmanaged,
    };
    Ok(Wanted { document, environment, hold: None, problems: Vec::new() })
}

/// The services that were in Git once and are not any more, with their aliases, which stay as they are.
pub fn unmanaged(
    stored: Option<&DesiredDocument>,
    before: Option<&Environment>,
    after: &Environment,
) -> BTreeMap<ServiceName, String> {
    let known = stored.iter().flat_map(|stored| &stored.unmanaged).map(|(name, alias)| (name.clone(), alias.clone()));
    let removed = before.iter().flat_map(|before| &before.services).map(|(name, service)| {
        let Service { function, alias, .. } = service;
        (name.clone(), format!("{function}:{alias}"))
    });
    known.chain(removed).filter(|(name, _)| !after.services.contains_key(name)).collect()
}

/// The last good content, without asking Git.
///
/// # Errors
/// Where this build's rules refuse it.
pub fn stored(name: &EnvironmentName, stored: DesiredDocument) -> Result<Wanted, NothingKnown> {
    in_force_still(name, stored)
}

fn in_force_still(name: &EnvironmentName, stored: DesiredDocument) -> Result<Wanted, NothingKnown> {
    match validate(name, &Content::from(&stored)) {
        Ok(environment) => Ok(Wanted { document: stored, environment, hold: None, problems: Vec::new() }),
        // Only where another build wrote it, with other rules.
        Err(problems) => Err(NothingKnown::because(format!("the stored content is not valid: {problems}"))),
    }
}

/// The last good content stays in force, held by `reason`.
fn last_good(
    name: &EnvironmentName,
    stored: Option<DesiredDocument>,
    reason: HoldReason,
    problems: Vec<String>,
) -> Result<Wanted, NothingKnown> {
    let Some(stored) = stored else { return Err(NothingKnown { reason, problems }) };
    let wanted = in_force_still(name, stored)?;
    Ok(Wanted { hold: Some(reason), problems, ..wanted })
}

//! The release repository as an installation reaches it: with its credential, which is read when somebody first needs it.
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::aws::error::chain;
use crate::aws::{Home, parameters};
use crate::config;
use crate::git::{Cache, Credential, Limits, Remote};
use crate::wanted::Repository;

/// Where releases come from, and rollbacks are told. A rollback needs it only after everything else.
#[derive(Debug)]
pub struct Origin<'a> {
    configured: &'a config::Repository,
    home: &'a Home,
    cache: &'a Arc<Cache>,
    repository: OnceCell<Result<Repository, String>>,
}

impl<'a> Origin<'a> {
    /// The repository of this configuration; nothing is read yet.
    #[must_use]
    pub fn new(configured: &'a config::Repository, home: &'a Home, cache: &'a Arc<Cache>) -> Self {
        Self { configured, home, cache, repository: OnceCell::new() }
    }

    /// Whether rollbacks are told there.
    #[must_use]
    pub const fn takes_reverts(&self) -> bool {
        self.configured.takes_reverts()
    }

    /// The repository with its credential. That the credential cannot be had counts as Git being unreachable.
    ///
    /// # Errors
    /// Why it cannot be reached, for people.
    pub async fn repository(&self) -> Result<Repository, String> {
        self.repository.get_or_init(|| self.read()).await.clone()
    }

    async fn read(&self) -> Result<Repository, String> {
        let config::Repository { url, branch, credential, username, .. } = self.configured;
        let mut remote = Remote::new(url, branch).map_err(|error| chain(&error))?;
        if let Some(name) = credential {
            let secret = parameters::secret(&self.home.ssm, name).await.map_err(|error| chain(&error))?;
            let password = secret.ok_or_else(|| format!("the parameter `{name}` has no value"))?;
            remote = remote.with_credential(Credential { username: username.clone(), password });
        }
        Ok(Repository { remote, cache: Arc::clone(self.cache), limits: Limits::default() })
    }
}

//! The release repository as an installation reaches it: with its credential, which is read when somebody first needs it.
use std::sync::Arc;

use tokio::sync::OnceCell;

use crate::aws::error::chain;
use crate::aws::{Home, parameters};
use crate::config;
use crate::git::github::{App, Tokens};
use crate::git::{Cache, Credential, Exchange, Limits, Remote};
use crate::secret::Secret;
use crate::wanted::Repository;

/// Where releases come from, and rollbacks are told. A rollback needs it only after everything else.
#[derive(Debug)]
pub struct Origin<'a> {
    configured: &'a config::Repository,
    home: &'a Home,
    cache: &'a Arc<Cache>,
    tokens: &'a Arc<Tokens>,
    exchange: Option<&'a Exchange>,
    repository: OnceCell<Result<Repository, String>>,
}

impl<'a> Origin<'a> {
    /// The repository of this configuration; nothing is read yet.
    #[must_use]
    pub fn new(
        configured: &'a config::Repository,
        home: &'a Home,
        cache: &'a Arc<Cache>,
        tokens: &'a Arc<Tokens>,
    ) -> Self {
        Self { configured, home, cache, tokens, exchange: None, repository: OnceCell::new() }
    }

    /// The same, reached in this process where there is an exchange.
    #[must_use]
    pub fn reached_by(self, exchange: Option<&'a Exchange>) -> Self {
        Self { exchange, ..self }
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
        let config::Repository { url, branch, credential, username, github_app, .. } = self.configured;
        let mut remote = Remote::new(url, branch).map_err(|error| chain(&error))?;
        if let Some(exchange) = self.exchange {
            remote = remote.reached_by(exchange.clone());
        }
        if let Some(name) = credential {
            let password = self.secret(name).await?;
            remote = remote.with_credential(Credential { username: username.clone(), password });
        }
        if let Some(config::GithubApp { app_id, installation_id, private_key, api_url }) = github_app {
            let key = self.secret(private_key).await?;
            let app = App::new(api_url, app_id.get(), installation_id.get(), remote.url(), key);
            remote = remote.with_app(app.map_err(|error| chain(&error))?, Arc::clone(self.tokens));
        }
        Ok(Repository { remote, cache: Arc::clone(self.cache), limits: Limits::default() })
    }

    async fn secret(&self, name: &str) -> Result<Secret, String> {
        let secret = parameters::secret(&self.home.ssm, name).await.map_err(|error| chain(&error))?;
        let secret = secret.ok_or_else(|| format!("the parameter `{name}` has no value"))?;
        // What was typed or piped in ends with a line, and no token does.
        Ok(Secret::new(secret.expose().trim_end_matches(['\r', '\n'])))
    }
}

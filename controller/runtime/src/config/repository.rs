//! The release repository as the platform team names it: where it is, and how a private one is opened.
use std::num::NonZeroU64;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::git::callable;
use crate::git::github::{USERNAME, repository_name};

/// The release repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Repository {
    /// `https://…`, without a credential in it.
    pub url: String,
    /// The branch that is deployed.
    #[serde(default = "default_branch")]
    pub branch: String,
    /// Name of the SecureString with the password or token, where the repository is private.
    pub credential: Option<String>,
    /// The user that goes with it. GitHub and GitLab take any name with a token.
    #[serde(default = "default_username")]
    pub username: String,
    /// The GitHub App that makes tokens, in place of a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github_app: Option<GithubApp>,
    /// Whether a rollback is told with a branch; where this is left out, a private repository is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write_back: Option<bool>,
}

/// An installation of a GitHub App.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GithubApp {
    /// The app's number, from its settings.
    pub app_id: NonZeroU64,
    /// The number of its installation, from that page's address.
    pub installation_id: NonZeroU64,
    /// Name of the SecureString with one of the app's private keys, as GitHub gave it.
    pub private_key: String,
    /// GitHub's API; of an own GitHub Enterprise Server `https://HOST/api/v3`.
    #[serde(default = "default_api")]
    pub api_url: String,
}

impl Repository {
    /// Whether a rollback is told with a branch.
    #[must_use]
    pub const fn takes_reverts(&self) -> bool {
        match self.write_back {
            Some(wanted) => wanted,
            None => self.credential.is_some() || self.github_app.is_some(),
        }
    }

    /// Checks that the repository is opened in one way, and that no token of a GitHub App would go to another host.
    ///
    /// # Errors
    /// What is wrong, and what to change, for people.
    pub(super) fn check(&self) -> Result<(), String> {
        let Some(GithubApp { api_url, .. }) = &self.github_app else { return Ok(()) };
        if self.credential.is_some() {
            return Err("`repository` has a `credential` and a `githubApp`; leave one of them out".to_owned());
        }
        if self.username != USERNAME {
            return Err(format!(
                "`repository.username` goes with a `credential`; with a `githubApp` it is `{USERNAME}`"
            ));
        }
        let (api, _) = callable(api_url).map_err(|reason| format!("`githubApp.apiUrl` cannot be used: {reason}"))?;
        let (url, _) = callable(&self.url).map_err(|reason| format!("`repository.url` cannot be used: {reason}"))?;
        if repository_name(&url).is_none() {
            return Err("`repository.url` names no repository: it should end in `/OWNER/NAME.git`".to_owned());
        }
        if !is_api_of(&api, &url) {
            let hosts = (api.host_str().unwrap_or_default(), url.host_str().unwrap_or_default());
            return Err(format!(
                "`githubApp.apiUrl` (`{}`) is not the API of the repository's host (`{}`): its tokens are for nobody else",
                hosts.0, hosts.1
            ));
        }
        Ok(())
    }
}

/// `api.github.com` is `github.com`'s, and `api.acme.ghe.com` is `acme.ghe.com`'s; a GitHub Enterprise Server has both on
/// one host.
fn is_api_of(api: &Url, repository: &Url) -> bool {
    match (api.host_str(), repository.host_str()) {
        (Some(api), Some(repository)) => api == repository || api.strip_prefix("api.") == Some(repository),
        _ => false,
    }
}

fn default_branch() -> String {
    "main".to_owned()
}

fn default_username() -> String {
    USERNAME.to_owned()
}

fn default_api() -> String {
    "https://api.github.com".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const APP: &str = "githubApp: { appId: 1234, installationId: 5678, privateKey: /tidegate/main/github-app";

    fn read(text: &str) -> Repository {
        serde_yaml::from_str(text).expect("a repository")
    }

    fn refusal(text: &str) -> String {
        read(text).check().expect_err("refused")
    }

    #[test]
    fn an_app_needs_its_numbers_and_its_key_and_takes_reverts() {
        let repository = read(&format!("url: https://github.com/acme/releases.git\n{APP} }}"));
        repository.check().expect("a sound one");
        assert!(repository.takes_reverts());
        assert_eq!(repository.github_app.expect("an app").api_url, "https://api.github.com");
        for missing in [
            "{ appId: 1, installationId: 2 }",
            "{ appId: 1, privateKey: k }",
            "{ appId: 0, installationId: 2, privateKey: k }",
        ] {
            let text = format!("url: https://github.com/acme/releases.git\ngithubApp: {missing}");
            assert!(serde_yaml::from_str::<Repository>(&text).is_err(), "{missing}");
        }
    }

    #[test]
    fn a_repository_is_opened_in_one_way() {
        let both = refusal(&format!("url: https://github.com/acme/releases.git\ncredential: token\n{APP} }}"));
        assert_eq!(both, "`repository` has a `credential` and a `githubApp`; leave one of them out");
        let user = refusal(&format!("url: https://github.com/acme/releases.git\nusername: deploy\n{APP} }}"));
        assert!(user.starts_with("`repository.username` goes with a `credential`"), "{user}");
    }

    #[test]
    fn the_api_is_that_of_the_repositorys_host() {
        for (url, api) in [
            ("https://github.com/acme/releases.git", "https://api.github.com"),
            ("https://acme.ghe.com/acme/releases", "https://api.acme.ghe.com"),
            ("https://git.acme.com/acme/releases.git", "https://git.acme.com/api/v3"),
            ("http://127.0.0.1:8080/releases.git", "http://127.0.0.1:9090/api/v3"),
        ] {
            let checked = read(&format!("url: {url}\n{APP}, apiUrl: \"{api}\" }}")).check();
            assert_eq!(checked, Ok(()), "{url} {api}");
        }
        let other = refusal(&format!("url: https://gitlab.com/acme/releases.git\n{APP} }}"));
        assert!(other.contains("`api.github.com`") && other.contains("`gitlab.com`"), "{other}");
    }

    #[test]
    fn the_api_is_called_by_https_and_the_repository_has_a_name() {
        let plain =
            refusal(&format!("url: https://github.com/acme/releases.git\n{APP}, apiUrl: \"http://api.github.com\" }}"));
        assert!(plain.contains("use `https`"), "{plain}");
        let nameless = refusal(&format!("url: https://github.com\n{APP} }}"));
        assert!(nameless.contains("names no repository"), "{nameless}");
    }
}

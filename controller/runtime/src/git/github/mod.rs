//! Effect: opens a private repository as a GitHub App: makes tokens that live an hour, for one repository and for no more
//! than is to be done, and keeps them until they end.
//!
//! Nothing of it is written down: the key is read from Parameter Store, the tokens live in this process alone.
mod assertion;
mod error;
mod exchange;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use url::Url;

pub use error::Error;

use super::remote::{Right, callable};
use crate::secret::Secret;

/// The user that goes with a token of an app.
pub const USERNAME: &str = "x-access-token";

/// How long before its end a token is no longer used: longer than any operation.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// An installation of a GitHub App, as far as one repository goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    api: Url,
    host: String,
    id: u64,
    installation: u64,
    repository: String,
    key: Secret,
}

impl App {
    /// The installation of an app that makes tokens for the repository at `repository` (a URL).
    ///
    /// # Errors
    /// [`Error::InvalidUrl`] where one of the two URLs cannot be used.
    pub fn new(api: &str, id: u64, installation: u64, repository: &str, key: Secret) -> Result<Self, Error> {
        let invalid = |reason| Error::InvalidUrl { reason };
        let (api, host) = callable(api).map_err(invalid)?;
        let (repository, _) = callable(repository).map_err(invalid)?;
        let repository = repository_name(&repository).ok_or_else(|| invalid("the repository's has no name in it"))?;
        Ok(Self { api, host, id, installation, repository, key })
    }
}

/// A repository's name, as the API has it: without its owner and `.git`.
pub(crate) fn repository_name(url: &Url) -> Option<String> {
    let last = url.path_segments()?.next_back()?;
    let name = last.strip_suffix(".git").unwrap_or(last);
    (!name.is_empty()).then(|| name.to_owned())
}

/// The tokens that were made, one for each right. Kept between ticks.
#[derive(Debug, Default)]
pub struct Tokens {
    read: Mutex<Option<Made>>,
    write: Mutex<Option<Made>>,
}

/// A token, and for whom it was made.
#[derive(Clone, Debug)]
struct Made {
    of: App,
    token: Secret,
    /// By this machine's clock. Only what has passed since is looked at: a clock that goes wrong as a whole does no harm.
    at: SystemTime,
    /// From `at` to its end: by the server's clock alone, which said both.
    lives: Duration,
}

impl Made {
    /// What is left of it; `None` for one of another app or key, and behind its end.
    fn left(&self, app: &App, now: SystemTime) -> Option<Duration> {
        let age = now.duration_since(self.at).ok()?;
        self.lives.checked_sub(age).filter(|left| self.of == *app && !left.is_zero())
    }
}

impl Tokens {
    /// A token with this right; the last one while it lives. `refused` is not given again. Blocks for at most `time`, and
    /// whoever needs the same one waits for it.
    pub(super) fn token(
        &self,
        app: &App,
        right: Right,
        refused: Option<&Secret>,
        time: Duration,
    ) -> Result<Secret, Error> {
        let slot = match right {
            Right::Read => &self.read,
            Right::Write => &self.write,
        };
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        let known = slot.take().filter(|made| Some(&made.token) != refused);
        let left = known.as_ref().and_then(|made| made.left(app, SystemTime::now()));
        let made = match (known, left) {
            (Some(known), Some(left)) if left > MARGIN => known,
            (Some(known), Some(_)) => match make(app, right, time) {
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, "a token is near its end, and there is no new one yet");
                    known
                }
                made => made?,
            },
            (Some(_), None) | (None, _) => make(app, right, time)?,
        };
        let token = made.token.clone();
        *slot = Some(made);
        Ok(token)
    }
}

fn make(app: &App, right: Right, time: Duration) -> Result<Made, Error> {
    // Taken before it is asked for: its end comes no sooner than that.
    let at = SystemTime::now();
    let exchange::Granted { token, lives } = exchange::ask(app, right, time)?;
    tracing::info!(host = app.host, app = app.id, ?right, lives = lives.as_secs(), "a GitHub App made a token");
    Ok(Made { of: app.clone(), token, at, lives })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(key: &str) -> App {
        App::new("https://api.github.com", 1, 2, "https://github.com/acme/releases.git", Secret::new(key))
            .expect("an app")
    }

    fn made(key: &str, at: SystemTime) -> Made {
        Made { of: app(key), token: Secret::new("t"), at, lives: Duration::from_secs(3_600) }
    }

    #[test]
    fn a_repository_is_called_as_the_api_calls_it() {
        let name = |url: &str| repository_name(&Url::parse(url).expect("a URL"));
        assert_eq!(name("https://github.com/acme/releases.git").as_deref(), Some("releases"));
        assert_eq!(name("https://github.com/acme/my.releases").as_deref(), Some("my.releases"));
        assert_eq!(name("https://github.com"), None);
    }

    #[test]
    fn a_token_lives_as_long_as_the_server_said_whatever_this_machines_clock_says() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let left = |seconds| made("key", now).left(&app("key"), now + Duration::from_secs(seconds));
        assert_eq!(left(0), Some(Duration::from_secs(3_600)));
        assert_eq!(left(3_599), Some(Duration::from_secs(1)));
        assert_eq!(left(3_600), None);
        let turned_back = made("key", now).left(&app("key"), now - Duration::from_secs(1));
        assert_eq!(turned_back, None, "a clock that was set back says nothing");
    }

    #[test]
    fn a_token_of_another_key_is_not_used() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert_eq!(made("old", now).left(&app("new"), now), None);
    }

    #[test]
    fn neither_key_nor_token_is_printed() {
        let made = made("hunter2", SystemTime::UNIX_EPOCH);
        assert!(!format!("{made:?}").contains("hunter2"));
    }
}

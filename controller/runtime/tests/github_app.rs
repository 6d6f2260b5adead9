//! A private repository is opened by tokens of a GitHub App, against a server that takes nothing else; and what leaks.
#![expect(clippy::expect_used, clippy::panic, reason = "a step of a test that fails should end the test there")]
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;

use chrono::DateTime;
use git_server::{Behaviour, GitServer, GithubApp, Keys, Options, Repository};
use tidegate_runtime::git::github::{self, App, Tokens};
use tidegate_runtime::git::push::{self, Created};
use tidegate_runtime::git::{self, Cache, CommitId, Draft, Error, Limits, Person, Remote};
use tidegate_runtime::secret::Secret;

struct World {
    dir: tempfile::TempDir,
    server: GitServer,
    keys: Keys,
    tokens: Arc<Tokens>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = Repository::create(dir.path().join("served/releases.git")).expect("a repository");
        let author = repository.work_tree(dir.path().join("author")).expect("a work tree");
        author.write("environments/staging/services.yaml", "v1\n").expect("written");
        author.commit("Begin").expect("committed");
        author.push().expect("pushed");
        let keys = Keys::generate();
        let options = Options { github: Some(GithubApp::new("releases", &keys)), ..Options::default() };
        let server = GitServer::start(&dir.path().join("served"), options).expect("a server");
        Self { dir, server, keys, tokens: Arc::default() }
    }

    fn change(&self, change: impl FnOnce(&mut GithubApp)) {
        self.server.change_github_app(change);
    }

    /// The repository, opened with this key of the app.
    fn remote_with(&self, key: &str) -> Remote {
        let url = self.server.url("releases.git");
        let app = App::new(&self.server.api_url(), 1234, 5678, &url, Secret::new(key)).expect("an app");
        Remote::new(&url, "main").expect("a remote").with_app(app, Arc::clone(&self.tokens))
    }

    fn remote(&self) -> Remote {
        self.remote_with(&self.keys.private_pem)
    }

    fn list(&self) -> Result<CommitId, Error> {
        git::list(&self.remote(), &Limits::default())
    }

    /// Pushes a branch with one more commit.
    fn push(&self) -> Result<Created, push::Error> {
        let head = self.list().expect("a head");
        let cache = Cache::open(self.dir.path().join("cache"));
        let snapshot = cache.snapshot(&self.remote(), head, &Limits::default()).expect("a snapshot");
        let draft = Draft {
            files: [("environments/staging/services.yaml".to_owned(), b"v0\n".to_vec())].into(),
            message: "Roll back\n".to_owned(),
            author: Person::new("ben", "ben@example.com"),
            committer: Person::new("Tidegate", "tidegate@example.com"),
            time: DateTime::from_timestamp(1_800_000_000, 0).expect("a time"),
        };
        let new = snapshot.commit_on_top(&draft).expect("a commit");
        push::create_branch(&self.remote(), "tidegate/rollback/staging/a/7", &new, &Limits::default())
    }

    /// Why the app has no token. Says nothing of the key, and nothing that signs in.
    fn refusal(&self) -> github::Error {
        let error = self.list().expect_err("no token");
        self.assert_silent(&error);
        match error {
            Error::Token { source } => source,
            other => panic!("{other:?}"),
        }
    }

    /// Neither form of the error, nor of what is behind it, has a word of the key or of what was sent.
    fn assert_silent(&self, error: &Error) {
        let mut said = format!("{error} {error:?}");
        let mut source = error.source();
        while let Some(error) = source {
            said += &format!(" {error} {error:?}");
            source = error.source();
        }
        for request in self.server.requests() {
            let sent = request.authorization.expect("all is sent with a credential");
            let (_, secret) = sent.split_once(' ').expect("a scheme");
            assert!(!said.contains(secret), "{said}");
        }
        let key = self.keys.private_pem.lines().nth(1).expect("a line of the key");
        assert!(!said.contains(key), "{said}");
        assert!(self.server.github_tokens().iter().all(|token| !said.contains(&token.text)), "{said}");
    }

    /// The permissions of the tokens that were made, in order.
    fn made(&self) -> Vec<String> {
        self.server.github_tokens().into_iter().map(|token| token.contents).collect()
    }
}

#[test]
fn one_token_serves_many_calls() {
    let world = World::new();
    for _ in 0..3 {
        world.list().expect("a head");
    }
    assert_eq!(world.made(), ["read"]);
    let calls = world.server.requests().into_iter().map(|request| request.path).collect::<Vec<_>>();
    let list = "/releases.git/info/refs";
    assert_eq!(calls, ["/api/v3/app/installations/5678/access_tokens", list, list, list]);
}

#[test]
fn only_what_pushes_gets_a_token_that_may_write() {
    let world = World::new();
    assert_eq!(world.push().expect("pushed"), Created::Now);
    assert_eq!(world.made(), ["read", "write"]);
}

#[test]
fn an_app_that_may_not_write_reads_all_the_same() {
    let world = World::new();
    world.change(|app| app.may_write = false);
    let error = world.push().expect_err("refused");
    let push::Error::Git(Error::Token { source }) = &error else { panic!("{error:?}") };
    assert_eq!(
        source.to_string(),
        "installation 5678 may not do this with repository `releases`: give it access to the repository, and the app \
         the permission `contents: write`"
    );
    world.list().expect("a head");
}

#[test]
fn a_token_that_ends_between_two_requests_is_made_anew_within_the_operation() {
    let world = World::new();
    world.change(|app| app.token_serves = Some(1));
    let head = world.list().expect("a head");
    let cache = Cache::open(world.dir.path().join("cache"));
    let snapshot = cache.snapshot(&world.remote(), head, &Limits::default()).expect("a snapshot");
    assert_eq!(snapshot.read("environments/staging/services.yaml").expect("a file").as_deref(), Some(&b"v1\n"[..]));
    assert!(world.made().len() > 1, "{:?}", world.made());
}

#[test]
fn a_token_that_is_refused_at_once_is_made_anew_only_once() {
    let world = World::new();
    world.change(|app| app.token_serves = Some(0));
    let error = world.list().expect_err("refused");
    assert!(matches!(error, Error::Refused { sent: true, .. }), "{error:?}");
    world.assert_silent(&error);
    assert_eq!(world.made(), ["read", "read"]);
}

#[test]
fn a_token_near_its_end_is_replaced_before_it_ends() {
    let world = World::new();
    world.change(|app| app.token_lives = Duration::from_secs(4 * 60));
    world.list().expect("a head");
    world.list().expect("a head");
    assert_eq!(world.made(), ["read", "read"]);
}

#[test]
fn while_the_api_is_down_a_token_serves_until_its_end() {
    let world = World::new();
    world.change(|app| app.token_lives = Duration::from_secs(4 * 60));
    world.list().expect("a head");
    world.change(|app| app.status = Some(503));
    world.list().expect("a head");
    assert_eq!(world.made(), ["read"]);
}

#[test]
fn a_rotated_key_is_used_at_once_and_a_deleted_one_is_named() {
    let world = World::new();
    world.list().expect("a head");
    let next = Keys::generate();
    world.change(|app| app.public_keys = vec![next.public_der.clone()]);
    world.list().expect("the token of the old key lives on");
    let error = git::list(&world.remote_with(&next.private_pem), &Limits::default());
    error.expect("a token of the new key");
    assert_eq!(world.made(), ["read", "read"]);
    let host = world.server.address();
    assert_eq!(
        world.refusal().to_string(),
        format!(
            "the GitHub API at `{host}` refused the key of GitHub App 1234: was the key deleted, or is `appId` another app's?"
        )
    );
}

#[test]
fn a_key_that_is_none_is_refused_here() {
    let world = World::new();
    let error = git::list(&world.remote_with("no key"), &Limits::default()).expect_err("refused");
    assert!(matches!(error, Error::Token { source: github::Error::InvalidKey { app: 1234 } }), "{error:?}");
    assert_eq!(world.server.requests(), []);
}

#[test]
fn a_machine_whose_clock_is_wrong_signs_in_by_githubs() {
    for ahead in [20, 3_000_000] {
        let world = World::new();
        world.change(|app| app.clock_ahead = Duration::from_secs(ahead));
        world.list().expect("a head");
        world.list().expect("a head, by the same token");
        assert_eq!(world.made(), ["read"]);
    }
}

#[test]
fn each_refusal_of_the_api_says_what_to_look_at() {
    let world = World::new();
    let host = world.server.address();
    world.change(|app| app.suspended = true);
    let suspended = world.refusal().to_string();
    assert_eq!(suspended, format!("the GitHub API at `{host}` makes no token for installation 5678: is it suspended?"));
    world.change(|app| (app.suspended, app.installation) = (false, 99));
    let missing = world.refusal().to_string();
    assert!(missing.starts_with("GitHub App 1234 has no installation 5678 at"), "{missing}");
    world.change(|app| (app.installation, app.repository) = (5678, "others".to_owned()));
    let other = world.refusal().to_string();
    assert!(other.starts_with("installation 5678 may not do this with repository `releases`"), "{other}");
    for (status, expected) in [
        (429, format!("the GitHub API at `{host}` takes no more requests for now")),
        (302, format!("the GitHub API at `{host}` redirects; redirects are not followed: is `apiUrl` right?")),
        (502, format!("the GitHub API at `{host}` answered with HTTP status 502")),
        (201, format!("the GitHub API at `{host}` did not answer with a token: it is something else")),
    ] {
        world.change(|app| app.status = Some(status));
        assert_eq!(world.refusal().to_string(), expected);
    }
    world.server.behave(Behaviour::Down);
    assert!(matches!(world.refusal(), github::Error::Unreachable { .. }));
}

#[test]
fn an_api_that_would_be_called_without_tls_is_refused() {
    let app = App::new("http://api.github.com", 1, 2, "https://github.com/acme/releases.git", Secret::new("k"));
    assert!(matches!(app, Err(github::Error::InvalidUrl { .. })), "{app:?}");
}

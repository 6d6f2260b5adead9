//! Servers that refuse, redirect, lie, or never end; and the credential, which must not leak to any of them.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::error::Error as _;
use std::time::{Duration, Instant};

use git_server::{Behaviour, GitServer, Options, Repository};
use tidegate_runtime::git::{self, Cache, CommitId, Credential, Error, Limits, Measure, Remote};
use tidegate_runtime::secret::Secret;

const PASSWORD: &str = "p1anted-s3cret";

struct World {
    dir: tempfile::TempDir,
    server: GitServer,
}

impl World {
    fn new(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = Repository::create(dir.path().join("served/r.git")).expect("a repository");
        let author = repository.work_tree(dir.path().join("author")).expect("a work tree");
        for number in 0..20 {
            author.write(&format!("file-{number}"), format!("{number}").repeat(5_000)).expect("written");
        }
        author.commit("Begin").expect("committed");
        author.push().expect("pushed");
        let server = GitServer::start(&dir.path().join("served"), options).expect("a server");
        Self { dir, server }
    }

    fn guarded() -> Self {
        Self::new(Options { credential: Some(("deploy".to_owned(), PASSWORD.to_owned())), ..Options::default() })
    }

    fn remote(&self) -> Remote {
        Remote::new(&self.server.url("r.git"), "main").expect("a remote")
    }

    /// Fetches into an empty cache.
    fn fetch(&self, remote: &Remote, limits: &Limits) -> Result<(), Error> {
        let head = git::list(remote, limits)?;
        self.fetch_commit(remote, head, limits)
    }

    fn fetch_commit(&self, remote: &Remote, commit: CommitId, limits: &Limits) -> Result<(), Error> {
        Cache::open(self.dir.path().join("cache")).snapshot(remote, commit, limits).map(drop)
    }
}

fn with_password(remote: Remote, password: &str) -> Remote {
    remote.with_credential(Credential { username: "deploy".to_owned(), password: Secret::new(password) })
}

/// The error and everything behind it, in both forms in which it could reach a log.
fn everything_said(error: &Error) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!(" {error} {error:?}");
        source = error.source();
    }
    said
}

fn within<T>(limit: Duration, work: impl FnOnce() -> T) -> T {
    let started = Instant::now();
    let result = work();
    assert!(started.elapsed() < limit, "it took {:?}", started.elapsed());
    result
}

#[test]
fn the_right_credential_opens_the_repository() {
    let world = World::guarded();
    world.fetch(&with_password(world.remote(), PASSWORD), &Limits::default()).expect("fetched");
    let agent = world.server.requests().first().and_then(|request| request.user_agent.clone()).expect("an agent");
    assert!(agent.contains("tidegate/"), "{agent}");
}

#[test]
fn a_missing_and_a_wrong_credential_have_their_own_message() {
    let world = World::guarded();
    let error = git::list(&world.remote(), &Limits::default()).expect_err("refused");
    let host = world.server.address();
    assert_eq!(error.to_string(), format!("Git server `{host}` refused access: credential missing"));
    let error = git::list(&with_password(world.remote(), "wr0ng"), &Limits::default()).expect_err("refused");
    assert_eq!(error.to_string(), format!("Git server `{host}` refused access: credential refused"));
    assert!(!everything_said(&error).contains("wr0ng"));
}

#[test]
fn a_credential_that_is_rotated_between_listing_and_fetching_is_refused() {
    let world = World::guarded();
    let head = git::list(&with_password(world.remote(), PASSWORD), &Limits::default()).expect("a head");
    let outcome = world.fetch_commit(&with_password(world.remote(), "old"), head, &Limits::default());
    assert!(matches!(outcome, Err(Error::Refused { sent: true, .. })), "{outcome:?}");
}

#[test]
fn a_redirect_is_refused_and_its_target_is_never_called() {
    let world = World::guarded();
    let target = World::new(Options::default());
    let remote = with_password(world.remote(), PASSWORD);
    let head = git::list(&remote, &Limits::default()).expect("a head");
    world.server.behave(Behaviour::Redirect(format!("http://{}", target.server.address())));
    let error = git::list(&remote, &Limits::default()).expect_err("a redirect");
    let (host, to) = (world.server.address(), target.server.address());
    assert_eq!(error.to_string(), format!("Git server `{host}` redirects to `{to}`; redirects are not followed"));
    let outcome = world.fetch_commit(&remote, head, &Limits::default());
    assert!(matches!(outcome, Err(Error::Redirected { .. })), "{outcome:?}");
    assert_eq!(target.server.requests(), []);
}

#[test]
fn nothing_that_can_be_printed_holds_the_credential() {
    let world = World::guarded();
    let remote = with_password(world.remote(), PASSWORD);
    let mut said = format!("{remote:?} {:?}", Secret::new(PASSWORD));
    for behaviour in [
        Behaviour::Down,
        Behaviour::Status(401),
        Behaviour::Status(500),
        Behaviour::Redirect(format!("https://deploy:{PASSWORD}@example.com/{PASSWORD}")),
        Behaviour::Garbage("<html>".to_owned()),
    ] {
        world.server.behave(behaviour);
        said += &everything_said(&git::list(&remote, &Limits::default()).expect_err("it fails"));
    }
    let encoded = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, format!("deploy:{PASSWORD}"));
    assert!(!said.contains(PASSWORD), "{said}");
    assert!(!said.contains(&encoded), "{said}");
}

#[test]
fn a_server_that_is_down_or_in_trouble_is_named() {
    let world = World::new(Options::default());
    world.server.behave(Behaviour::Status(503));
    let error = git::list(&world.remote(), &Limits::default()).expect_err("in trouble");
    assert_eq!(error.to_string(), format!("Git server `{}` answered with HTTP status 503", world.server.address()));
    world.server.behave(Behaviour::Down);
    assert!(matches!(git::list(&world.remote(), &Limits::default()), Err(Error::Unreachable { .. })));
    let nobody = Remote::new("http://127.0.0.1:9/r.git", "main").expect("a remote");
    assert!(matches!(git::list(&nobody, &Limits::default()), Err(Error::Unreachable { .. })));
}

#[test]
fn a_fetch_that_breaks_off_leaves_nothing_and_the_next_one_works() {
    let world = World::new(Options::default());
    let head = git::list(&world.remote(), &Limits::default()).expect("a head");
    world.server.behave(Behaviour::Down);
    assert!(world.fetch_commit(&world.remote(), head, &Limits::default()).is_err());
    assert!(!world.dir.path().join("cache").exists());
    world.server.behave(Behaviour::Serve);
    world.fetch_commit(&world.remote(), head, &Limits::default()).expect("fetched");
}

#[test]
fn what_is_not_a_git_server_is_told_apart() {
    let world = World::new(Options::default());
    for garbage in ["<html>", "", "0000", "001e# service=git-upload-pack\n"] {
        world.server.behave(Behaviour::Garbage(garbage.to_owned()));
        let outcome = git::list(&world.remote(), &Limits::default());
        assert!(matches!(outcome, Err(Error::Protocol { .. })), "{garbage}: {outcome:?}");
    }
}

#[test]
fn a_slow_server_ends_at_the_timeout() {
    let world = World::new(Options::default());
    world.server.behave(Behaviour::Slow(Duration::from_secs(30)));
    let limits = Limits { timeout: Duration::from_millis(500), ..Limits::default() };
    let outcome = within(Duration::from_secs(5), || git::list(&world.remote(), &limits));
    assert!(matches!(outcome, Err(Error::TimedOut { .. })), "{outcome:?}");
}

#[test]
fn an_endless_list_of_references_ends_at_its_limit() {
    let world = World::new(Options::default());
    world.server.behave(Behaviour::Endless);
    let limits = Limits { max_refs_bytes: 1 << 20, ..Limits::default() };
    let outcome = within(Duration::from_secs(10), || git::list(&world.remote(), &limits));
    assert!(matches!(outcome, Err(Error::TooBig { what: Measure::References, .. })), "{outcome:?}");
    let commit = "0123456789abcdef0123456789abcdef01234567".parse().expect("an id");
    let outcome = within(Duration::from_secs(10), || world.fetch_commit(&world.remote(), commit, &limits));
    assert!(matches!(outcome, Err(Error::TooBig { what: Measure::References, .. })), "{outcome:?}");
}

#[test]
fn an_endless_pack_ends_at_the_byte_limit_or_the_timeout() {
    let world = World::new(Options::default());
    world.server.behave(Behaviour::EndlessPack);
    let limits = Limits { max_bytes: 1 << 20, ..Limits::default() };
    let outcome = within(Duration::from_secs(10), || world.fetch(&world.remote(), &limits));
    assert!(matches!(outcome, Err(Error::TooBig { what: Measure::Transfer, .. })), "{outcome:?}");
    let limits = Limits { max_bytes: u64::MAX, timeout: Duration::from_secs(1), ..Limits::default() };
    let outcome = within(Duration::from_secs(10), || world.fetch(&world.remote(), &limits));
    assert!(matches!(outcome, Err(Error::TimedOut { .. })), "{outcome:?}");
}

#[test]
fn a_repository_over_the_limits_is_refused() {
    let world = World::new(Options::default());
    let limits = Limits { max_objects: 5, ..Limits::default() };
    let outcome = world.fetch(&world.remote(), &limits);
    assert!(matches!(outcome, Err(Error::TooBig { what: Measure::Objects, limit: 5 })), "{outcome:?}");
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    let outcome = world.fetch(&world.remote(), &limits);
    assert!(matches!(outcome, Err(Error::TooBig { what: Measure::Transfer, limit: 100 })), "{outcome:?}");
    assert!(!world.dir.path().join("cache").exists());
}

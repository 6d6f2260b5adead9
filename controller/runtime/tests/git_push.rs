//! A branch is created in the stock git at a commit that was drafted here; refusals, losses and lies have their own errors.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::collections::BTreeMap;
use std::error::Error as _;
use std::time::{Duration, Instant};

use chrono::DateTime;
use git_server::{Behaviour, GitServer, Options, Repository, WorkTree};
use tidegate_runtime::git::push::{self, Created};
use tidegate_runtime::git::{self, Cache, CommitId, Credential, Draft, Limits, NewCommit, Person, Remote, Snapshot};
use tidegate_runtime::secret::Secret;

const PASSWORD: &str = "p1anted-s3cret";
const BRANCH: &str = "tidegate/rollback/staging/a/7";

struct World {
    dir: tempfile::TempDir,
    repository: Repository,
    author: WorkTree,
    server: GitServer,
    remote: Remote,
}

impl World {
    /// A served repository with three commits.
    fn new() -> Self {
        Self::with(Options::default())
    }

    fn with(options: Options) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = Repository::create(dir.path().join("served/r.git")).expect("a repository");
        let author = repository.work_tree(dir.path().join("author")).expect("a work tree");
        let server = GitServer::start(&dir.path().join("served"), options).expect("a server");
        let remote = Remote::new(&server.url("r.git"), "main").expect("a remote");
        let world = Self { dir, repository, author, server, remote };
        for number in 1..=3 {
            world.release(number);
        }
        world
    }

    /// Merges a change.
    fn release(&self, number: u32) -> CommitId {
        self.author.write("environments/staging/services.yaml", format!("v{number}\n")).expect("written");
        self.author.write("environments/production/services.yaml", "v1\n").expect("written");
        self.author.write("README.md", "x\n".repeat(1_000)).expect("written");
        let id = self.author.commit(&format!("Release {number}")).expect("committed");
        self.author.push().expect("pushed");
        id.parse().expect("an id")
    }

    fn head(&self) -> CommitId {
        self.repository.head("main").expect("a head").parse().expect("an id")
    }

    fn snapshot(&self) -> Snapshot {
        let cache = Cache::open(self.dir.path().join("cache"));
        cache.snapshot(&self.remote, self.head(), &Limits::default()).expect("a snapshot")
    }

    fn push(&self, new: &NewCommit) -> Result<Created, push::Error> {
        push::create_branch(&self.remote, BRANCH, new, &Limits::default())
    }

    fn has_branch(&self) -> bool {
        self.repository.head(BRANCH).is_ok()
    }
}

fn draft(content: &str) -> Draft {
    let files = [("environments/staging/services.yaml", content), ("history/staging/7.yaml", "record: 7\n")];
    Draft {
        files: files.iter().map(|(path, content)| ((*path).to_owned(), content.as_bytes().to_vec())).collect(),
        message: "Roll back\n\nReason: 5xx\n".to_owned(),
        author: Person::new("ben", "ben@example.com"),
        committer: Person::new("Tidegate", "tidegate@example.com"),
        time: DateTime::from_timestamp(1_800_000_000, 0).expect("a time"),
    }
}

fn drafted(snapshot: &Snapshot) -> NewCommit {
    snapshot.commit_on_top(&draft("v2\n")).expect("a commit")
}

/// The error and everything behind it, in both forms in which it could reach a log.
fn everything_said(error: &push::Error) -> String {
    let mut said = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        said += &format!(" {error} {error:?}");
        source = error.source();
    }
    said
}

#[test]
fn a_branch_is_created_out_of_a_shallow_cache_with_what_was_drafted_and_no_more() {
    let world = World::new();
    let new = drafted(&world.snapshot());
    assert_eq!(world.push(&new).expect("pushed"), Created::Now);

    assert_eq!(world.repository.head(BRANCH).expect("a branch"), new.id.to_string());
    let git = |arguments: &[&str]| world.repository.git(arguments).expect("git");
    assert_eq!(git(&["rev-parse", &format!("{BRANCH}^")]), world.head().to_string());
    let changed = git(&["diff", "--name-status", "main", BRANCH]);
    assert_eq!(changed, "M\tenvironments/staging/services.yaml\nA\thistory/staging/7.yaml");
    assert_eq!(git(&["show", &format!("{BRANCH}:environments/staging/services.yaml")]), "v2");
    let format = "%an|%ae|%at|%cn|%ce|%ct|%B";
    let said = "ben|ben@example.com|1800000000|Tidegate|tidegate@example.com|1800000000|Roll back\n\nReason: 5xx";
    assert_eq!(git(&["log", "-1", &format!("--format={format}"), BRANCH]), said);
    git(&["fsck", "--strict", "--full"]);
}

#[test]
fn nothing_of_a_draft_stays_in_the_cache() {
    let world = World::new();
    let snapshot = world.snapshot();
    world.push(&drafted(&snapshot)).expect("pushed");
    let objects = world.dir.path().join("cache/objects");
    let mut folders: Vec<_> = std::fs::read_dir(objects)
        .expect("objects")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    folders.sort();
    assert_eq!(folders, ["info", "pack"]);
}

#[test]
fn the_same_draft_is_the_same_commit_and_is_pushed_once() {
    let world = World::new();
    let snapshot = world.snapshot();
    let new = drafted(&snapshot);
    world.push(&new).expect("pushed");
    let again = drafted(&snapshot);
    assert_eq!(again.id, new.id);
    world.server.forget_requests();
    assert_eq!(world.push(&again).expect("there"), Created::Before);
    assert!(world.server.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn a_push_whose_answer_was_lost_is_found_done() {
    let world = World::new();
    let new = drafted(&world.snapshot());
    world.server.behave(Behaviour::PushUnanswered);
    let error = world.push(&new).expect_err("no answer");
    assert!(matches!(error, push::Error::Git(git::Error::Unreachable { .. })), "{error:?}");
    world.server.behave(Behaviour::Serve);
    assert_eq!(world.push(&new).expect("there"), Created::Before);
}

#[test]
fn a_branch_at_another_commit_is_never_moved() {
    let world = World::new();
    let snapshot = world.snapshot();
    let first = drafted(&snapshot);
    world.push(&first).expect("pushed");
    let other = snapshot.commit_on_top(&draft("v1\n")).expect("a commit");
    let error = world.push(&other).expect_err("refused");
    assert_eq!(error.to_string(), format!("branch `{BRANCH}` exists, at another commit (`{}`)", first.id));
    assert_eq!(world.repository.head(BRANCH).expect("a branch"), first.id.to_string());
}

#[test]
fn a_credential_that_may_only_read_is_told_from_a_server_that_is_down() {
    let world =
        World::with(Options { credential: Some(("deploy".to_owned(), PASSWORD.to_owned())), ..Options::default() });
    let host = world.server.address();
    let credential = Credential { username: "deploy".to_owned(), password: Secret::new(PASSWORD) };
    let world = World { remote: world.remote.clone().with_credential(credential), ..world };
    let new = drafted(&world.snapshot());
    world.server.behave(Behaviour::ReadOnly);
    let error = world.push(&new).expect_err("refused");
    assert_eq!(error.to_string(), format!("Git server `{host}` takes no push from this credential"));
    assert!(!everything_said(&error).contains(PASSWORD));

    let anonymous = World { remote: Remote::new(&world.server.url("r.git"), "main").expect("a remote"), ..world };
    anonymous.server.behave(Behaviour::Serve);
    let error = anonymous.push(&new).expect_err("refused");
    assert_eq!(error.to_string(), format!("Git server `{host}` takes no push from anybody without a credential"));

    anonymous.server.behave(Behaviour::Down);
    let error = anonymous.push(&new).expect_err("down");
    assert!(matches!(error, push::Error::Git(git::Error::Unreachable { .. })), "{error:?}");
    assert!(!anonymous.has_branch());
}

#[test]
fn what_a_hook_declines_is_told_with_what_it_said() {
    let world = World::new();
    let script = "printf 'Only releases may be pushed\\033[2J' >&2; exit 1";
    world.repository.hook("pre-receive", script).expect("a hook");
    let error = world.push(&drafted(&world.snapshot())).expect_err("declined");
    let host = world.server.address();
    let declined = format!("Git server `{host}` declined branch `{BRANCH}`: pre-receive hook declined");
    assert_eq!(error.to_string(), declined);
    let said = error.source().expect("what it said").to_string();
    assert_eq!(said, "Only releases may be pushed\\u{1b}[2J");
    assert!(!world.has_branch());
}

#[test]
fn redirects_slowness_and_nonsense_end_a_push_as_they_end_a_fetch() {
    let world = World::new();
    let new = drafted(&world.snapshot());
    world.server.behave(Behaviour::Redirect("http://elsewhere.invalid".to_owned()));
    let error = world.push(&new).expect_err("refused");
    assert!(matches!(error, push::Error::Git(git::Error::Redirected { .. })), "{error:?}");

    world.server.behave(Behaviour::Garbage("0000".to_owned()));
    let error = world.push(&new).expect_err("nonsense");
    assert!(matches!(error, push::Error::Git(git::Error::Protocol { .. })), "{error:?}");

    world.server.behave(Behaviour::Slow(Duration::from_secs(30)));
    let limits = Limits { timeout: Duration::from_millis(200), ..Limits::default() };
    let started = Instant::now();
    let error = push::create_branch(&world.remote, BRANCH, &new, &limits).expect_err("slow");
    assert!(matches!(error, push::Error::Git(git::Error::TimedOut { .. })), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5));

    world.server.behave(Behaviour::Endless);
    let limits = Limits { max_refs_bytes: 100_000, ..Limits::default() };
    let error = push::create_branch(&world.remote, BRANCH, &new, &limits).expect_err("endless");
    assert!(matches!(error, push::Error::Git(git::Error::TooBig { .. })), "{error:?}");
}

#[test]
fn a_cold_cache_reaches_back_to_a_commit_that_the_branch_has_left() {
    let world = World::new();
    let past = world.head();
    for number in 4..=70 {
        world.release(number);
    }
    let cold = Cache::open(world.dir.path().join("cold"));
    let snapshot = cold.past_snapshot(&world.remote, past, &Limits::default()).expect("a snapshot");
    assert_eq!(snapshot.commit().id, past);
    let new = drafted(&snapshot);
    assert_eq!(world.push(&new).expect("pushed"), Created::Now);
    world.repository.git(["fsck", "--strict", "--full"]).expect("sound");

    let missing: CommitId = "0123456789abcdef0123456789abcdef01234567".parse().expect("an id");
    let error = cold.past_snapshot(&world.remote, missing, &Limits::default()).expect_err("missing");
    assert_eq!(error.to_string(), format!("branch `main` does not lead back to commit `{missing}`"));
}

#[test]
fn a_commit_beyond_the_limit_is_missing() {
    let world = World::new();
    let past = world.head();
    world.release(4);
    world.release(5);
    world.release(6);
    let cold = Cache::open(world.dir.path().join("cold"));
    let limits = Limits { max_ancestry: 2, ..Limits::default() };
    let error = cold.past_snapshot(&world.remote, past, &limits).expect_err("missing");
    assert!(matches!(error, git::Error::CommitMissing { .. }), "{error:?}");
}

#[test]
fn files_keep_their_mode_and_nothing_but_files_is_replaced() {
    let world = World::new();
    world.author.git(["update-index", "--chmod=+x", "environments/staging/services.yaml"]).expect("executable");
    world.author.git(["commit", "--quiet", "--message", "Make it executable"]).expect("committed");
    std::os::unix::fs::symlink("environments", world.author.dir().join("link")).expect("a link");
    world.author.git(["add", "link"]).expect("added");
    world.author.git(["commit", "--quiet", "--message", "Link"]).expect("committed");
    world.author.push().expect("pushed");
    let snapshot = world.snapshot();
    world.push(&drafted(&snapshot)).expect("pushed");
    let modes = world.repository.git(["diff", "--summary", "main", BRANCH]).expect("a summary");
    assert_eq!(modes.trim(), "create mode 100644 history/staging/7.yaml");

    let over = |path: &str| {
        let files = BTreeMap::from([(path.to_owned(), Vec::new())]);
        snapshot.commit_on_top(&Draft { files, ..draft("") }).expect_err("refused")
    };
    assert!(matches!(over("link/production/x.yaml"), git::Error::NotADirectory { .. }));
    assert!(matches!(over("link"), git::Error::NotAFile { .. }));
    assert!(matches!(over("environments"), git::Error::NotAFile { .. }));
}

#[test]
fn branch_names_that_git_refuses_are_refused_before_anything_is_sent() {
    let world = World::new();
    let new = drafted(&world.snapshot());
    world.server.forget_requests();
    let error = push::create_branch(&world.remote, "a..b", &new, &Limits::default()).expect_err("refused");
    assert!(matches!(error, push::Error::Git(git::Error::InvalidBranch { .. })), "{error:?}");
    assert!(world.server.requests().is_empty());
}

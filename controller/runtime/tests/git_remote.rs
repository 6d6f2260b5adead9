//! The release repository, observed over smart HTTP from the stock git: listing, fetching, ancestry, healing.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::path::PathBuf;

use git_server::{GitServer, Options, Repository, WorkTree};
use tidegate_runtime::git::{self, Ancestry, Cache, CommitId, Error, Limits, Remote, Snapshot, UnknownBecause};

struct World {
    dir: tempfile::TempDir,
    repository: Repository,
    author: WorkTree,
    server: GitServer,
    remote: Remote,
    cache: Cache,
}

impl World {
    /// A served repository with one commit.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let repository = Repository::create(dir.path().join("served/releases.git")).expect("a repository");
        let author = repository.work_tree(dir.path().join("author")).expect("a work tree");
        let server = GitServer::start(&dir.path().join("served"), Options::default()).expect("a server");
        let remote = Remote::new(&server.url("releases.git"), "main").expect("a remote");
        let cache = Cache::open(dir.path().join("cache"));
        let world = Self { dir, repository, author, server, remote, cache };
        world.release("v1");
        world
    }

    /// Merges a change.
    fn release(&self, content: &str) -> CommitId {
        self.author.write("environments/staging/services.yaml", content).expect("written");
        let id = self.author.commit(&format!("Release {content}")).expect("committed");
        self.author.push().expect("pushed");
        id.parse().expect("an id")
    }

    fn list(&self) -> Result<CommitId, Error> {
        git::list(&self.remote, &Limits::default())
    }

    fn snapshot(&self) -> Snapshot {
        let head = self.list().expect("a head");
        self.cache.snapshot(&self.remote, head, &Limits::default()).expect("a snapshot")
    }

    fn cache_dir(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    fn posts(&self) -> usize {
        self.server.requests().iter().filter(|request| request.method == "POST").count()
    }

    fn packs(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.cache_dir().join("objects/pack")).expect("packs");
        entries
            .map(|entry| entry.expect("an entry").path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "pack"))
            .collect()
    }
}

fn services(snapshot: &Snapshot) -> String {
    let content = snapshot.read("environments/staging/services.yaml").expect("readable").expect("present");
    String::from_utf8(content).expect("text")
}

#[test]
fn listing_names_the_head_in_one_request_and_fetches_nothing() {
    let world = World::new();
    let head = world.release("v2");
    assert_eq!(world.list().expect("a head"), head);
    assert_eq!(world.server.requests().len(), 1);
    assert!(!world.cache_dir().exists());
}

#[test]
fn a_snapshot_tells_the_commit_and_the_files() {
    let world = World::new();
    let head = world.release("v2");
    let snapshot = world.snapshot();
    let commit = snapshot.commit();
    assert_eq!(commit.id, head);
    assert_eq!(commit.author_name, "Rita Release");
    assert_eq!(commit.author_email, "rita@example.com");
    assert_eq!(commit.summary, "Release v2");
    let says = world.author.git(["log", "-1", "--format=%ct"]).expect("a time");
    assert_eq!(commit.committed.timestamp().to_string(), says);
    assert_eq!(services(&snapshot), "v2");
}

#[test]
fn a_cold_cache_takes_the_head_alone() {
    let world = World::new();
    let first = world.list().expect("a head");
    world.release("v2");
    world.release("v3");
    let snapshot = world.snapshot();
    assert_eq!(snapshot.ancestry(&first).expect("told"), Ancestry::Unknown(UnknownBecause::Shallow));
    let shallow = std::fs::read_to_string(world.cache_dir().join("shallow")).expect("a shallow repository");
    assert_eq!(shallow.trim(), snapshot.commit().id.to_string());
}

#[test]
fn nothing_is_fetched_while_the_commit_stands() {
    let world = World::new();
    world.snapshot();
    world.server.forget_requests();
    for _ in 0..3 {
        world.snapshot();
    }
    assert_eq!(world.posts(), 0);
    assert_eq!(world.server.requests().len(), 3);
}

#[test]
fn a_warm_cache_takes_what_is_new_and_tells_ancestry() {
    let world = World::new();
    let first = world.snapshot().commit().id;
    world.release("v2");
    world.release("v3");
    let snapshot = world.snapshot();
    assert_eq!(services(&snapshot), "v3");
    assert_eq!(snapshot.ancestry(&first).expect("told"), Ancestry::Descendant);
    assert_eq!(snapshot.ancestry(&snapshot.commit().id).expect("told"), Ancestry::Same);
    assert_eq!(world.packs().len(), 2, "the second fetch should add to the first");
}

#[test]
fn a_revert_to_content_from_before_the_shallow_boundary_arrives_whole() {
    let world = World::new();
    world.release("v2");
    world.snapshot();
    // The blob `v1` is in the history of what the cache holds, but not in the cache.
    world.release("v1");
    assert_eq!(services(&world.snapshot()), "v1");
}

#[test]
fn a_force_push_is_not_a_descendant() {
    let world = World::new();
    world.release("v2");
    let applied = world.snapshot().commit().id;
    world.author.git(["reset", "--quiet", "--hard", "HEAD~1"]).expect("reset");
    world.author.write("environments/staging/services.yaml", "rewritten").expect("written");
    world.author.commit("Rewrite history").expect("committed");
    world.author.force_push().expect("pushed");
    let snapshot = world.snapshot();
    assert_eq!(services(&snapshot), "rewritten");
    let told = world.cache.ancestry(&world.remote, &snapshot, &applied, &Limits::default()).expect("told");
    assert_eq!(told, Ancestry::NotDescendant);
}

#[test]
fn a_cold_cache_fetches_history_when_ancestry_is_asked_for() {
    let world = World::new();
    let first = world.list().expect("a head");
    for number in 2..10 {
        world.release(&format!("v{number}"));
    }
    let snapshot = world.snapshot();
    let limits = Limits::default();
    let told = |id| world.cache.ancestry(&world.remote, &snapshot, &id, &limits).expect("told");
    assert_eq!(told(first), Ancestry::Descendant);
    let stranger: CommitId = "0123456789abcdef0123456789abcdef01234567".parse().expect("an id");
    assert_eq!(told(stranger), Ancestry::NotDescendant);
}

#[test]
fn ancestry_beyond_the_limit_is_unknown() {
    let world = World::new();
    let first = world.snapshot().commit().id;
    for number in 2..8 {
        world.release(&format!("v{number}"));
    }
    let limits = Limits { max_ancestry: 3, ..Limits::default() };
    let head = world.list().expect("a head");
    let snapshot = world.cache.snapshot(&world.remote, head, &limits).expect("a snapshot");
    assert_eq!(snapshot.ancestry(&first).expect("told"), Ancestry::Unknown(UnknownBecause::Limit));
}

#[test]
fn a_missing_branch_is_named_beside_the_default_one() {
    let world = World::new();
    let remote = Remote::new(world.remote.url(), "master").expect("a remote");
    let error = git::list(&remote, &Limits::default()).expect_err("there is no such branch");
    assert_eq!(error.to_string(), "the repository has no branch `master` (its default branch is `main`)");
}

#[test]
fn a_missing_repository_is_told_from_a_missing_branch() {
    let world = World::new();
    let remote = Remote::new(&world.server.url("other.git"), "main").expect("a remote");
    assert!(matches!(git::list(&remote, &Limits::default()), Err(Error::RepositoryMissing { .. })));
}

#[test]
fn a_branch_that_moved_on_without_the_listed_commit_is_reported() {
    let world = World::new();
    let listed = world.release("v2");
    world.author.git(["commit", "--quiet", "--amend", "--message", "Rewritten"]).expect("amended");
    world.author.force_push().expect("pushed");
    let outcome = world.cache.snapshot(&world.remote, listed, &Limits::default());
    assert!(matches!(outcome, Err(Error::Moved { .. })), "{outcome:?}");
}

#[test]
fn a_commit_that_is_listed_when_the_branch_has_left_it_is_not_followed() {
    let world = World::new();
    world.release("v2");
    let stale = world.snapshot();
    let applied = world.release("v3");
    world.author.git(["reset", "--quiet", "--hard", "HEAD~2"]).expect("reset");
    world.author.write("environments/staging/services.yaml", "rewritten").expect("written");
    world.author.commit("Rewrite history").expect("committed");
    world.author.force_push().expect("pushed");
    let told = world.cache.ancestry(&world.remote, &stale, &applied, &Limits::default());
    assert!(matches!(told, Err(Error::Moved { .. })), "{told:?}");
}

#[test]
fn a_damaged_pack_is_noticed_and_the_cache_made_anew() {
    let world = World::new();
    world.snapshot();
    for pack in world.packs() {
        std::fs::remove_file(&pack).expect("removed");
        std::fs::write(&pack, b"PACK is not what this is").expect("overwritten");
    }
    assert_eq!(services(&world.snapshot()), "v1");
    world.release("v2");
    assert_eq!(services(&world.snapshot()), "v2");
}

#[test]
fn a_file_that_went_missing_is_noticed_when_read_and_there_at_the_next_tick() {
    let world = World::new();
    world.snapshot();
    // The commit and its trees stay, the blob goes: as a disk that lost one block.
    let git_dir = world.cache_dir();
    let cached = |arguments: &[&str]| {
        let output = std::process::Command::new("git").arg("--git-dir").arg(&git_dir).args(arguments).output();
        String::from_utf8(output.expect("git runs").stdout).expect("text").trim().to_owned()
    };
    let blob = cached(&["rev-parse", "refs/tidegate/head:environments/staging/services.yaml"]);
    let pack = world.packs().pop().expect("a pack");
    let moved = world.dir.path().join("moved.pack");
    std::fs::rename(&pack, &moved).expect("moved");
    std::fs::remove_file(pack.with_extension("idx")).expect("removed");
    let input = std::fs::File::open(&moved).expect("readable");
    let unpacked = std::process::Command::new("git")
        .arg("--git-dir")
        .arg(&git_dir)
        .args(["unpack-objects", "-q"])
        .stdin(input)
        .status();
    assert!(unpacked.expect("git runs").success());
    let (directory, file) = blob.split_at(2);
    std::fs::remove_file(git_dir.join("objects").join(directory).join(file)).expect("removed");

    let broken = world.snapshot().read("environments/staging/services.yaml");
    assert!(matches!(broken, Err(Error::Corrupt { .. })), "{broken:?}");
    assert_eq!(services(&world.snapshot()), "v1");
}

#[test]
fn whatever_lies_in_the_caches_place_is_replaced() {
    let world = World::new();
    std::fs::write(world.cache_dir(), "a file").expect("written");
    assert_eq!(services(&world.snapshot()), "v1");
    std::fs::write(world.cache_dir().join("tidegate.json"), "{").expect("written");
    assert_eq!(services(&world.snapshot()), "v1");
    std::fs::write(world.cache_dir().join("HEAD"), [0; 64]).expect("written");
    assert_eq!(services(&world.snapshot()), "v1");
    std::fs::create_dir_all(world.dir.path().join("cache.new/left/behind")).expect("created");
    std::fs::remove_dir_all(world.cache_dir()).expect("removed");
    assert_eq!(services(&world.snapshot()), "v1");
}

#[test]
fn a_cache_of_another_repository_is_not_used() {
    let world = World::new();
    world.snapshot();
    let other = Repository::create(world.dir.path().join("served/other.git")).expect("a repository");
    let author = other.work_tree(world.dir.path().join("other")).expect("a work tree");
    author.write("only-here", "x").expect("written");
    author.commit("Begin").expect("committed");
    author.push().expect("pushed");
    let remote = Remote::new(&world.server.url("other.git"), "main").expect("a remote");
    let head = git::list(&remote, &Limits::default()).expect("a head");
    world.cache.snapshot(&remote, head, &Limits::default()).expect("a snapshot");
    assert_eq!(world.packs().len(), 1, "nothing of the first repository should be left");
}

#[test]
fn a_cache_that_outgrew_its_limit_is_made_anew() {
    let world = World::new();
    let limits = Limits { max_bytes: 4_096, ..Limits::default() };
    let noise = |seed: u32| (0..1_500u32).map(move |n| (n.wrapping_mul(seed).wrapping_mul(2_654_435_761) >> 24) as u8);
    for seed in 1..12 {
        world.author.write("noise", noise(seed * 7_919).collect::<Vec<u8>>()).expect("written");
        let head = world.release(&format!("v{seed}"));
        let snapshot = world.cache.snapshot(&world.remote, head, &limits).expect("a snapshot");
        assert_eq!(services(&snapshot), format!("v{seed}"));
    }
    let size: u64 = world.packs().iter().map(|pack| pack.metadata().expect("a file").len()).sum();
    assert!(size < 3 * 4_096, "{size} bytes of packs");
}

#[test]
fn references_and_paths_that_are_not_utf8_do_not_break_anything() {
    use std::os::unix::ffi::OsStrExt;
    let world = World::new();
    let name = std::ffi::OsStr::from_bytes(b"environments/caf\xe9");
    std::fs::create_dir_all(world.author.dir().join(name)).expect("created");
    std::fs::write(world.author.dir().join(name).join("services.yaml"), "x").expect("written");
    world.release("v2");
    let reference = std::ffi::OsStr::from_bytes(b"refs/heads/a-caf\xe9");
    world.repository.git([std::ffi::OsStr::new("update-ref"), reference, "main".as_ref()]).expect("updated");
    let snapshot = world.snapshot();
    assert_eq!(snapshot.list("environments").expect("listed"), ["caf\u{fffd}", "staging"]);
    assert_eq!(services(&snapshot), "v2");
}

#[test]
fn two_processes_can_share_a_cache() {
    let world = World::new();
    let head = world.list().expect("a head");
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let cache = Cache::open(world.cache_dir());
                    cache.snapshot(&world.remote, head, &Limits::default()).map(|snapshot| services(&snapshot))
                })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().expect("no panic").expect("a snapshot"), "v1");
        }
    });
    assert_eq!(world.packs().len(), 1);
}

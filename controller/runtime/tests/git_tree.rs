//! What is read from a commit's tree, and what is refused: only regular files count.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use git_server::{GitServer, Options, Repository};
use tidegate_runtime::git::{self, Cache, EntryKind, Error, Limits, Measure, Remote, Snapshot};

/// A commit with one of everything. The directory keeps the cache alive.
fn snapshot_of_everything(limits: &Limits) -> (tempfile::TempDir, Snapshot) {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let dir = tempfile::tempdir().expect("a directory");
    let repository = Repository::create(dir.path().join("served/r.git")).expect("a repository");
    let author = repository.work_tree(dir.path().join("author")).expect("a work tree");
    author.write("environments/staging/services.yaml", "services: {}\n").expect("written");
    author.write("executable", "#!/bin/sh\n").expect("written");
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(author.dir().join("executable"), mode).expect("made executable");
    author.write("large", vec![b'x'; 20_000]).expect("written");
    symlink("/etc/passwd", author.dir().join("environments/staging/passwd")).expect("linked");
    symlink("environments", author.dir().join("linked-directory")).expect("linked");
    let first = author.commit("Begin").expect("committed");
    author.git(["update-index", "--add", "--cacheinfo", &format!("160000,{first},submodule")]).expect("added");
    author.git(["commit", "--quiet", "--message", "Add a submodule"]).expect("committed");
    author.push().expect("pushed");
    let server = GitServer::start(&dir.path().join("served"), Options::default()).expect("a server");
    let remote = Remote::new(&server.url("r.git"), "main").expect("a remote");
    let head = git::list(&remote, limits).expect("a head");
    let snapshot = Cache::open(dir.path().join("cache")).snapshot(&remote, head, limits).expect("a snapshot");
    (dir, snapshot)
}

#[test]
fn regular_files_are_read_executable_or_not() {
    let (_dir, snapshot) = snapshot_of_everything(&Limits::default());
    let read = |path| snapshot.read(path).expect("readable");
    assert_eq!(read("environments/staging/services.yaml").as_deref(), Some(&b"services: {}\n"[..]));
    assert_eq!(read("executable").as_deref(), Some(&b"#!/bin/sh\n"[..]));
}

#[test]
fn nothing_is_at_paths_that_do_not_exist_or_try_to_leave() {
    let (_dir, snapshot) = snapshot_of_everything(&Limits::default());
    for path in ["missing", "environments/missing/x", "", "/executable", "executable//", "../etc", "./executable"] {
        let read = snapshot.read(path);
        let nothing = matches!(read, Ok(None) | Err(Error::NotADirectory { what: EntryKind::File, .. }));
        assert!(nothing, "{path}: {read:?}");
    }
}

#[test]
fn links_submodules_and_directories_are_not_files() {
    let (_dir, snapshot) = snapshot_of_everything(&Limits::default());
    for (path, expected) in [
        ("environments/staging/passwd", EntryKind::SymbolicLink),
        ("submodule", EntryKind::Submodule),
        ("environments", EntryKind::Directory),
    ] {
        let error = snapshot.read(path).expect_err("not a file");
        assert!(matches!(error, Error::NotAFile { what, .. } if what == expected), "{path}: {error}");
    }
    let error = snapshot.read("environments/staging/passwd").expect_err("not a file");
    assert_eq!(error.to_string(), "`environments/staging/passwd` is a symbolic link, not a regular file");
}

#[test]
fn no_link_or_submodule_is_followed_on_the_way() {
    let (_dir, snapshot) = snapshot_of_everything(&Limits::default());
    let error = snapshot.read("linked-directory/staging/services.yaml").expect_err("a link on the way");
    assert_eq!(error.to_string(), "`linked-directory` is a symbolic link, not a directory");
    let error = snapshot.read("submodule/x").expect_err("a submodule on the way");
    assert_eq!(error.to_string(), "`submodule` is a submodule, not a directory");
    let error = snapshot.list("linked-directory").expect_err("a link");
    assert_eq!(error.to_string(), "`linked-directory` is a symbolic link, not a directory");
}

#[test]
fn directories_are_listed_by_name_and_missing_ones_are_empty() {
    let (_dir, snapshot) = snapshot_of_everything(&Limits::default());
    let list = |path| snapshot.list(path).expect("listed");
    assert_eq!(list(""), ["environments", "executable", "large", "linked-directory", "submodule"]);
    assert_eq!(list("environments"), ["staging"]);
    assert_eq!(list("missing"), [""; 0]);
}

#[test]
fn a_file_over_the_limit_is_refused_before_it_is_read() {
    let limits = Limits { max_blob_bytes: 10_000, ..Limits::default() };
    let (_dir, snapshot) = snapshot_of_everything(&limits);
    let error = snapshot.read("large").expect_err("too big");
    assert!(matches!(error, Error::TooBig { what: Measure::Object, limit: 10_000 }), "{error}");
    assert!(snapshot.read("executable").is_ok());
}

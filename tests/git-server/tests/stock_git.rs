//! The server as the stock `git` sees it: clone, push, and the ways in which it can be told to refuse.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::process::Command;

use git_server::{Behaviour, GitServer, Options, Repository};

struct World {
    dir: tempfile::TempDir,
    repository: Repository,
    server: GitServer,
}

fn world(options: Options) -> World {
    let dir = tempfile::tempdir().expect("a directory");
    let repository = Repository::create(dir.path().join("served/releases.git")).expect("a repository");
    let tree = repository.work_tree(dir.path().join("author")).expect("a work tree");
    tree.write("release-config.yaml", "defaults: {}\n").expect("written");
    tree.commit("Begin").expect("committed");
    tree.push().expect("pushed");
    let server = GitServer::start(&dir.path().join("served"), options).expect("a server");
    World { dir, repository, server }
}

fn clone(world: &World, url: &str) -> std::process::Output {
    Command::new("git")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .args(["clone", "--quiet", url])
        .arg(world.dir.path().join("clone"))
        .output()
        .expect("git runs")
}

fn secret() -> Options {
    Options { credential: Some(("deploy".to_owned(), "s3cret".to_owned())), ..Options::default() }
}

#[test]
fn a_clone_can_be_pushed_back() {
    let world = world(Options::default());
    let cloned = clone(&world, &world.server.url("releases.git"));
    assert!(cloned.status.success(), "{}", String::from_utf8_lossy(&cloned.stderr));
    let other = world.repository.work_tree(world.dir.path().join("other")).expect("a work tree");
    other.git(["remote", "set-url", "origin", &world.server.url("releases.git")]).expect("set");
    let commit = other.commit("Change").expect("committed");
    other.push().expect("pushed over HTTP");
    assert_eq!(world.repository.head("main").expect("a head"), commit);
}

#[test]
fn without_its_credential_nothing_is_served() {
    let world = world(secret());
    let cloned = clone(&world, &world.server.url("releases.git"));
    assert!(!cloned.status.success());
    let authority = world.server.address();
    let cloned = clone(&world, &format!("http://deploy:s3cret@{authority}/releases.git"));
    assert!(cloned.status.success(), "{}", String::from_utf8_lossy(&cloned.stderr));
}

#[test]
fn a_server_that_is_down_comes_back() {
    let world = world(Options::default());
    let url = world.server.url("releases.git");
    world.server.behave(Behaviour::Down);
    assert!(!clone(&world, &url).status.success());
    world.server.behave(Behaviour::Status(503));
    assert!(!clone(&world, &url).status.success());
    world.server.behave(Behaviour::Serve);
    assert!(clone(&world, &url).status.success());
}

#[test]
fn requests_are_logged_with_what_they_carried() {
    let world = world(Options::default());
    clone(&world, &world.server.url("releases.git"));
    let requests = world.server.requests();
    let first = requests.first().expect("a request");
    assert_eq!((first.method.as_str(), first.path.as_str()), ("GET", "/releases.git/info/refs"));
    assert_eq!(first.query, "service=git-upload-pack");
    assert_eq!(first.authorization, None);
}

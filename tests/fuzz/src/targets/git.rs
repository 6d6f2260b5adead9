//! What a Git server sends: references, packs, and the commits and directories in them.
use std::sync::LazyLock;

use git2::{ObjectType, Oid};
use tempfile::TempDir;
use tidegate_runtime::git::{self, Cache};
use tidegate_runtime::wanted::{self, Accept, Repository};

use crate::aws::runtime;
use crate::git_host::{self, Says};
use crate::pack::{self, BLOB, COMMIT, TREE, object};

const RELEASE_CONFIG: &[u8] = b"environments: { staging: {} }\n";
const SERVICES: &[u8] = b"\
services:
  flight-service: { functionName: StagingFlight, imageTag: v1, ecrRepository: company/flight-service }
";

/// Where what was fetched is kept: made anew for each input.
static SCRATCH: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a directory"));

/// A list of references; or the whole answer, where it begins with `HTTP/`.
pub(crate) fn references(data: &[u8]) {
    let remote = git_host::remote(Says { references: data.to_vec(), ..Says::default() });
    match git::list(&remote, &git_host::limits()) {
        Ok(commit) => {
            let said = data.to_ascii_lowercase();
            let line = format!("{commit} refs/heads/main");
            let found = said.windows(line.len()).any(|window| window == line.as_bytes());
            assert!(found, "the server did not say that the branch is at {commit}");
        }
        Err(error) => {
            let said = error.to_string();
            assert!(!said.chars().any(char::is_control), "{said:?}");
        }
    }
}

/// A pack without the hash at its end.
pub(crate) fn pack(data: &[u8]) {
    let pack = git_host::result(&pack::sealed(data.to_vec()));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    observe(Says { references: git_host::references(commit), pack }, |wanted| {
        assert!(wanted.is_err(), "a commit was read that nobody has");
    });
}

/// A commit, the root of its tree, `environments`, and `environments/staging`, with `\n--\n` between them. What is left out is
/// as it should be. Twenty times one letter is an id: `T` of the root, `E` of `environments`, `S` of `staging`, `R` and `Y` of
/// its two files.
pub(crate) fn tree(data: &[u8]) {
    let mut parts = split(data, b"\n--\n").into_iter();
    let mut part = |usual: &[u8]| parts.next().filter(|part| !part.is_empty()).unwrap_or_else(|| usual.to_vec());
    let commit = part(
        b"tree TTTTTTTTTTTTTTTTTTTT\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\nRelease\n",
    );
    let root = part(b"40000 environments\0EEEEEEEEEEEEEEEEEEEE100644 release-config.yaml\0RRRRRRRRRRRRRRRRRRRR");
    let environments = part(b"40000 staging\0SSSSSSSSSSSSSSSSSSSS");
    let staging = part(b"100644 services.yaml\0YYYYYYYYYYYYYYYYYYYY");

    let (config, services) = (id(ObjectType::Blob, RELEASE_CONFIG), id(ObjectType::Blob, SERVICES));
    let known = [(b'R', config), (b'Y', services)];
    let staging = replaced(&staging, &known);
    let known = [known[0], known[1], (b'S', id(ObjectType::Tree, &staging))];
    let environments = replaced(&environments, &known);
    let known = [known[0], known[1], known[2], (b'E', id(ObjectType::Tree, &environments))];
    let root = replaced(&root, &known);
    let hex = id(ObjectType::Tree, &root).to_string();
    let commit = splice(&commit, &[b'T'; 20], hex.as_bytes());

    let objects = [
        object(COMMIT, &commit),
        object(TREE, &root),
        object(TREE, &environments),
        object(TREE, &staging),
        object(BLOB, RELEASE_CONFIG),
        object(BLOB, SERVICES),
    ];
    let head = id(ObjectType::Commit, &commit).to_string();
    let pack = git_host::result(&pack::of(&objects));
    observe(Says { references: git_host::references(&head), pack }, |wanted| {
        assert!(data != b"\n--\n\n--\n\n--\n" || wanted.is_ok(), "{wanted:?}");
        let Ok(wanted) = wanted else { return };
        if wanted.hold.is_some() {
            return;
        }
        // Nothing but a regular file of this name was read.
        let is_file = |tree: &[u8], name: &str| {
            [644, 755].iter().any(|mode| contains(tree, format!("100{mode} {name}\0").as_bytes()))
        };
        assert!(is_file(&root, "release-config.yaml") && is_file(&staging, "services.yaml"), "not a file: {wanted:?}");
        assert_eq!(wanted.document.release_config.as_bytes(), RELEASE_CONFIG);
        assert_eq!(wanted.document.services.as_bytes(), SERVICES);
    });
}

/// Observes the repository as a first tick does.
fn observe(says: Says, holds: impl FnOnce(Result<wanted::Wanted, wanted::NothingKnown>)) {
    let cache = SCRATCH.path().join("cache");
    let _there_may_be_none = std::fs::remove_dir_all(&cache);
    let repository =
        Repository { remote: git_host::remote(says), cache: Cache::open(&cache).into(), limits: git_host::limits() };
    let staging = "staging".parse().expect("a name");
    holds(runtime().block_on(wanted::observe(&staging, Ok(repository), None, None, &Accept::default())));
}

fn id(kind: ObjectType, content: &[u8]) -> Oid {
    Oid::hash_object(kind, content).expect("a hash")
}

fn replaced(tree: &[u8], known: &[(u8, Oid)]) -> Vec<u8> {
    known.iter().fold(tree.to_vec(), |tree, (letter, id)| splice(&tree, &[*letter; 20], id.as_bytes()))
}

/// The text with `from` replaced by `to`.
fn splice(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    split(text, from).join(to)
}

fn split(text: &[u8], separator: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = vec![Vec::new()];
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(separator) {
            parts.push(Vec::new());
            at += separator.len();
        } else {
            parts.last_mut().expect("a part").push(text[at]);
            at += 1;
        }
    }
    parts
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

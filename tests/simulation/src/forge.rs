//! The release repository of all worlds of this process: commits made with libgit2, and the stock git's answers about them.
//!
//! A commit is named by what it holds, so worlds that go the same way share commits, and git is asked about each once. Each
//! world has its own `main`: [`Origin`].
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use git2::{ObjectType, Oid, Repository, Signature, Time};
use tidegate_runtime::git::Exchange;

/// Where the controller is told that the repository is.
pub const URL: &str = "https://git.example.com/team/releases.git";

/// All commits of this process.
pub struct Forge {
    dir: PathBuf,
    repository: Mutex<Repository>,
    /// What stock git says it can, in the first line of what it advertises.
    capabilities: String,
    answers: Mutex<HashMap<Vec<u8>, Arc<Vec<u8>>>>,
    rooms: AtomicU64,
    keep: tempfile::TempDir,
}

/// An empty folder, as long as this is there. Its name is counted, not drawn: the SDK waits by the same source of chance, and what it
/// draws must not depend on other worlds.
#[derive(Debug)]
pub struct Room(PathBuf);

impl Room {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        // The folder around it goes in the end, and with it what is left.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

impl std::fmt::Debug for Forge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Forge").field("dir", &self.dir).finish_non_exhaustive()
    }
}

/// A folder for what is read and written all the time: in memory, where the machine has such a place.
fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).expect("a folder")
}

impl Forge {
    /// An empty one.
    #[must_use]
    pub fn start() -> Arc<Self> {
        let keep = scratch();
        let dir = keep.path().join("releases.git");
        let repository = Repository::init_bare(&dir).expect("a repository");
        let first = commit(&repository, None, &BTreeMap::new(), DateTime::UNIX_EPOCH, "Nothing");
        repository.reference("refs/heads/main", first, true, "begin").expect("a branch");
        let told = git(&dir, &["--advertise-refs"], &[]);
        let told = String::from_utf8_lossy(&told).into_owned();
        let capabilities = told.split_once('\0').and_then(|(_, rest)| rest.split_once('\n')).expect("capabilities").0;
        Arc::new(Self {
            capabilities: capabilities.to_owned(),
            dir,
            repository: Mutex::new(repository),
            answers: Mutex::default(),
            rooms: AtomicU64::new(0),
            keep,
        })
    }

    fn repository(&self) -> std::sync::MutexGuard<'_, Repository> {
        self.repository.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder for a process.
    #[must_use]
    pub fn room(&self) -> Room {
        let room = self.keep.path().join(self.rooms.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::create_dir(&room).expect("a folder");
        Room(room)
    }

    /// A commit of these files; gives its id.
    #[must_use]
    pub fn commit(
        &self,
        parent: Option<&str>,
        files: &BTreeMap<String, String>,
        at: DateTime<Utc>,
        message: &str,
    ) -> String {
        let parent = parent.map(|id| Oid::from_str(id).expect("a commit's id"));
        commit(&self.repository(), parent, files, at, message).to_string()
    }

    /// Whether a commit is, or descends from, another.
    #[must_use]
    pub fn descends(&self, commit: &str, from: &str) -> bool {
        let (Ok(commit), Ok(from)) = (Oid::from_str(commit), Oid::from_str(from)) else { return false };
        commit == from || self.repository().graph_descendant_of(commit, from).unwrap_or(false)
    }

    /// What a server advertises whose `main` is at this commit.
    fn advertisement(&self, main: &str) -> Vec<u8> {
        let mut answer = Vec::new();
        let mut packet = |line: String| answer.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
        packet("# service=git-upload-pack\n".to_owned());
        answer.extend_from_slice(b"0000");
        let mut packet = |line: String| answer.extend_from_slice(format!("{:04x}{line}", line.len() + 4).as_bytes());
        packet(format!("{main} HEAD\0{}\n", self.capabilities));
        packet(format!("{main} refs/heads/main\n"));
        answer.extend_from_slice(b"0000");
        answer
    }

    /// What stock git answers to a request for a pack. It names the commits it wants, so the answer is always the same.
    fn upload_pack(&self, request: &[u8]) -> Arc<Vec<u8>> {
        let known = |answers: &HashMap<Vec<u8>, Arc<Vec<u8>>>| answers.get(request).map(Arc::clone);
        if let Some(answer) = known(&self.answers.lock().unwrap_or_else(PoisonError::into_inner)) {
            return answer;
        }
        let answer = Arc::new(git(&self.dir, &[], request));
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(request.to_vec(), Arc::clone(&answer));
        answer
    }
}

/// Where `git` is. A program that is named by its whole path is begun without a copy of this process, which is large.
fn program() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut places = std::env::split_paths(&path).map(|dir| dir.join(format!("git{}", std::env::consts::EXE_SUFFIX)));
    places.find(|place| place.is_file()).expect("`git` is installed")
}

/// Runs `git upload-pack`, and gives what it writes.
fn git(dir: &Path, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(program);
    let mut command = Command::new(&*PROGRAM);
    let path = PROGRAM.parent().unwrap_or(Path::new(""));
    command.env_clear().env("PATH", path).env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.args(["-c", "safe.directory=*", "-c", "uploadpack.allowAnySHA1InWant=true"]);
    command.args(["upload-pack", "--stateless-rpc"]).args(arguments).arg(dir);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("`git` is installed");
    child.stdin.take().expect("a pipe").write_all(input).expect("a request");
    child.wait_with_output().expect("an answer").stdout
}

fn commit(
    repository: &Repository,
    parent: Option<Oid>,
    files: &BTreeMap<String, String>,
    at: DateTime<Utc>,
    message: &str,
) -> Oid {
    let tree = tree(repository, files);
    let who = Signature::new("Rita Release", "rita@example.com", &Time::new(at.timestamp(), 0)).expect("a person");
    let tree = repository.find_tree(tree).expect("a tree");
    let parent = parent.map(|id| repository.find_commit(id).expect("a commit"));
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    repository.commit(None, &who, &who, message, &tree, &parents).expect("a commit")
}

/// The tree of these files, its folders first.
fn tree(repository: &Repository, files: &BTreeMap<String, String>) -> Oid {
    let mut builder = repository.treebuilder(None).expect("a tree");
    let mut folders: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for (path, text) in files {
        match path.split_once('/') {
            Some((folder, rest)) => {
                folders.entry(folder).or_default().insert(rest.to_owned(), text.clone());
            }
            None => {
                let blob = repository.blob(text.as_bytes()).expect("a blob");
                builder.insert(path, blob, 0o100_644).expect("an entry");
            }
        }
    }
    for (folder, files) in folders {
        builder.insert(folder, tree(repository, &files), 0o040_000).expect("an entry");
    }
    let written = builder.write().expect("a tree");
    debug_assert_eq!(repository.find_object(written, None).ok().and_then(|it| it.kind()), Some(ObjectType::Tree));
    written
}

/// How a request to the Git server goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GitFault {
    /// As it should.
    None,
    /// The connection breaks.
    Lost,
    /// It is answered with what `main` was so many pushes ago.
    Stale(usize),
}

/// One world's release repository: where `main` was, the newest last, and whether the server is up.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Every commit that `main` was at.
    pub main: Vec<String>,
    /// Whether nothing is answered.
    pub down: bool,
}

impl Origin {
    /// Where `main` is.
    #[must_use]
    pub fn head(&self) -> &str {
        self.main.last().map_or("", String::as_str)
    }
}

/// The way from one process to its world's release repository: `fault` is asked about each request.
pub fn exchange(
    forge: Arc<Forge>,
    origin: Arc<Mutex<Origin>>,
    fault: impl Fn(&'static str) -> GitFault + Send + Sync + 'static,
) -> Exchange {
    Exchange::new(move |request| {
        let listing = request.method() == http::Method::GET;
        let fault = fault(if listing { "ListReferences" } else { "UploadPack" });
        let main = {
            let origin = origin.lock().unwrap_or_else(PoisonError::into_inner);
            if origin.down || fault == GitFault::Lost {
                return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the connection was lost"));
            }
            let back = if let GitFault::Stale(back) = fault { back } else { 0 };
            origin.main.iter().rev().nth(back).or(origin.main.first()).cloned().unwrap_or_default()
        };
        let (media, body) = if listing {
            ("application/x-git-upload-pack-advertisement", forge.advertisement(&main))
        } else {
            ("application/x-git-upload-pack-result", forge.upload_pack(request.body()).to_vec())
        };
        let answer = http::Response::builder().header(http::header::CONTENT_TYPE, media).body(body);
        answer.map_err(|error| io::Error::other(error.to_string()))
    })
}

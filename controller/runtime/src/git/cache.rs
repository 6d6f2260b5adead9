//! Keeps a bare repository on disk, fetches into it what it lacks, and makes it anew when it cannot be trusted.
//!
//! A cold fetch takes the head alone. A warm one takes everything since, so that ancestry can be told. The directory may
//! be anything: left half-written by a killed process, of another repository, damaged. It counts as ours only while it
//! holds a matching seal, which is written last.
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use git2::{
    AutotagOption, ErrorClass, FetchOptions, RemoteCallbacks, RemoteRedirect, Repository, RepositoryInitOptions,
};
use serde::{Deserialize, Serialize};

use super::ancestry::{Ancestry, UnknownBecause, ancestry};
use super::commit::CommitId;
use super::error::{Error, Measure};
use super::http::Session;
use super::limits::Limits;
use super::memory;
use super::remote::{Remote, Right};
use super::snapshot::Snapshot;
use super::transport;

const SEAL: &str = "tidegate.json";

/// What the head of the branch is called in the cache.
const HEAD: &str = "refs/tidegate/head";

/// Each fetch adds a pack, and nothing here repacks: with more than these the cache is made anew.
const MAX_PACKS: usize = 50;

/// Nor may the cache outgrow this many full transfers.
const MAX_TRANSFERS: u64 = 2;

/// How many commits are fetched, one step after the other, where a shallow cache ends too early.
const DEEPEN: [i32; 3] = [64, 1_024, 16_384];

/// All of what came before, or only so many commits.
#[derive(Clone, Copy)]
enum Depth {
    SinceOurs,
    Commits(i32),
}

/// Which repository a cache holds.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seal {
    format: u32,
    url: String,
    branch: String,
}

impl Seal {
    fn of(remote: &Remote) -> Self {
        Self { format: 1, url: remote.url().to_owned(), branch: remote.branch().to_owned() }
    }
}

/// A directory that holds what was fetched of one branch.
///
/// Calls of several processes on one directory wait for each other. A [`Snapshot`] that another call makes obsolete, by
/// making the cache anew, fails with [`Error::Corrupt`].
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// A cache in this directory, which need not exist. What is in it is looked at when it is used.
    pub fn open(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The repository at this commit of the remote's branch. Nothing is fetched where the cache holds the commit.
    ///
    /// # Errors
    /// [`Error::Moved`] where the branch no longer leads to the commit; whatever ends a fetch; [`Error::Cache`] where
    /// the directory cannot be written. A cache that is damaged, or that a fetch cannot go on from, is no error: it is
    /// made anew.
    pub fn snapshot(&self, remote: &Remote, commit: CommitId, limits: &Limits) -> Result<Snapshot, Error> {
        transport::set_up()?;
        let _lock = self.lock()?;
        match self.warm_snapshot(remote, commit, limits) {
            Ok(Some(snapshot)) => return Ok(snapshot),
            Ok(None) => {}
            Err(error) if error.may_be_the_cache() => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the repository cache is made anew");
            }
            Err(error) => return Err(error),
        }
        self.make_anew(remote, limits)?;
        self.find(commit, limits)?.ok_or_else(|| Error::Moved { branch: remote.branch().to_owned() })
    }

    /// Whether the snapshot descends from an earlier commit. Where the cache is too shallow to tell, history is fetched
    /// until it can be told, at most [`Limits::max_ancestry`] commits of it.
    ///
    /// # Errors
    /// [`Error::Moved`] where the branch does not lead to the snapshot any more; whatever ends a fetch, or [`Error::Corrupt`].
    pub fn ancestry(
        &self,
        remote: &Remote,
        snapshot: &Snapshot,
        ancestor: &CommitId,
        limits: &Limits,
    ) -> Result<Ancestry, Error> {
        let shallow = Ancestry::Unknown(UnknownBecause::Shallow);
        let known = snapshot.ancestry(ancestor)?;
        if known != shallow {
            return Ok(known);
        }
        let _lock = self.lock()?;
        // Opened again each time: libgit2 keeps the old boundary in memory.
        let deeper = self.deepen(remote, limits, || match self.find(snapshot.commit().id, limits)? {
            Some(deeper) => Ok(Some(deeper.ancestry(ancestor)?).filter(|known| *known != shallow)),
            None => Ok(Some(Ancestry::Unknown(UnknownBecause::Shallow))),
        })?;
        match deeper {
            Some(told) => Ok(told),
            // All of the branch is here, and the commit's history is no part of it: it was listed, and is gone by now.
            None if !self.leads_to(snapshot.commit().id, limits)? => {
                Err(Error::Moved { branch: remote.branch().to_owned() })
            }
            None => Ok(shallow),
        }
    }

    /// Whether the branch, as it was fetched last, is at a commit or has gone on from it.
    fn leads_to(&self, commit: CommitId, limits: &Limits) -> Result<bool, Error> {
        let repository = self.repository()?;
        let head = CommitId::from_oid(repository.refname_to_id(HEAD).map_err(corrupt)?);
        let told = ancestry(&repository, head, commit, limits).map_err(corrupt)?;
        Ok(matches!(told, Ancestry::Same | Ancestry::Descendant))
    }

    /// The repository at a commit that the remote's branch has gone on from. Nothing is fetched where the cache holds the
    /// commit; a cold cache fetches history until it does, at most [`Limits::max_ancestry`] commits of it.
    ///
    /// # Errors
    /// [`Error::CommitMissing`] where the branch does not lead back to the commit; otherwise as for [`Self::snapshot`].
    pub fn past_snapshot(&self, remote: &Remote, commit: CommitId, limits: &Limits) -> Result<Snapshot, Error> {
        let began = Instant::now();
        match self.snapshot(remote, commit, limits) {
            Err(Error::Moved { .. }) => {}
            outcome => return outcome,
        }
        let _lock = self.lock()?;
        let found = self.deepen(remote, &limits.left_since(began), || self.find(commit, limits))?;
        found.ok_or_else(|| Error::CommitMissing { commit, branch: remote.branch().to_owned() })
    }

    /// Fetches more and more history, until there is what `look` looks for, or no more.
    fn deepen<T>(
        &self,
        remote: &Remote,
        limits: &Limits,
        look: impl Fn() -> Result<Option<T>, Error>,
    ) -> Result<Option<T>, Error> {
        let began = Instant::now();
        let max_depth = i32::try_from(limits.max_ancestry).unwrap_or(i32::MAX);
        for step in DEEPEN {
            let depth = step.min(max_depth);
            let repository = self.repository()?;
            fetch(&repository, remote, Depth::Commits(depth), &limits.left_since(began))?;
            let found = look()?;
            if found.is_some() || depth == max_depth || !self.repository()?.is_shallow() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// What the cache gives without being made anew: `None` where there is none of this remote, or it has grown too old.
    fn warm_snapshot(&self, remote: &Remote, commit: CommitId, limits: &Limits) -> Result<Option<Snapshot>, Error> {
        if !self.is_sealed_for(remote) {
            return Ok(None);
        }
        if let Some(snapshot) = self.find(commit, limits)? {
            return Ok(Some(snapshot));
        }
        if self.has_outgrown(limits) {
            return Ok(None);
        }
        let repository = self.repository()?;
        fetch(&repository, remote, Depth::SinceOurs, limits)?;
        match self.find(commit, limits)? {
            Some(snapshot) => Ok(Some(snapshot)),
            None => Err(Error::Moved { branch: remote.branch().to_owned() }),
        }
    }

    /// Fetches the head alone into a new repository beside the old one, and puts it in its place.
    fn make_anew(&self, remote: &Remote, limits: &Limits) -> Result<(), Error> {
        let fresh = self.beside("new");
        remove(&fresh).map_err(|error| self.unusable(error))?;
        if let Err(error) = self.fill(&fresh, remote, limits) {
            // Best effort: what stays behind is removed before the next attempt.
            let _ = remove(&fresh);
            return Err(error);
        }
        remove(&self.dir).map_err(|error| self.unusable(error))?;
        fs::rename(&fresh, &self.dir).map_err(|error| self.unusable(error))
    }

    fn fill(&self, dir: &Path, remote: &Remote, limits: &Limits) -> Result<(), Error> {
        let mut options = RepositoryInitOptions::new();
        options.bare(true).no_reinit(true).external_template(false).mkpath(true);
        let repository = Repository::init_opts(dir, &options).map_err(corrupt)?;
        fetch(&repository, remote, Depth::Commits(1), limits)?;
        let seal = serde_json::to_vec(&Seal::of(remote)).map_err(|error| self.unusable(error.into()))?;
        fs::write(dir.join(SEAL), seal).map_err(|error| self.unusable(error))
    }

    fn find(&self, commit: CommitId, limits: &Limits) -> Result<Option<Snapshot>, Error> {
        Snapshot::open(self.repository()?, self.dir.clone(), commit, limits)
    }

    fn repository(&self) -> Result<Repository, Error> {
        Repository::open_bare(&self.dir).map_err(corrupt)
    }

    fn is_sealed_for(&self, remote: &Remote) -> bool {
        let seal = fs::read(self.dir.join(SEAL)).ok().and_then(|bytes| serde_json::from_slice::<Seal>(&bytes).ok());
        seal == Some(Seal::of(remote))
    }

    fn has_outgrown(&self, limits: &Limits) -> bool {
        let Ok(entries) = fs::read_dir(self.dir.join("objects/pack")) else { return true };
        let sizes: Vec<u64> =
            entries.filter_map(|entry| entry.ok()?.metadata().ok()).map(|metadata| metadata.len()).collect();
        // A pack is two files, with its index.
        sizes.len() > MAX_PACKS * 2 || sizes.iter().sum::<u64>() > limits.max_bytes.saturating_mul(MAX_TRANSFERS)
    }

    /// Keeps other processes out of the directory until it is dropped.
    fn lock(&self) -> Result<File, Error> {
        let open = || {
            if let Some(parent) = self.dir.parent() {
                fs::create_dir_all(parent)?;
            }
            let file = File::options().create(true).truncate(false).write(true).open(self.beside("lock"))?;
            file.lock()?;
            Ok(file)
        };
        open().map_err(|error| self.unusable(error))
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.dir.file_name().unwrap_or_default().to_owned();
        name.push(".");
        name.push(suffix);
        self.dir.with_file_name(name)
    }

    fn unusable(&self, source: io::Error) -> Error {
        Error::Cache { path: self.dir.clone(), source }
    }
}

/// Breaks the seal of a cache, so that the next use makes it anew.
pub(super) fn distrust(cache: &Path) {
    // Best effort: where even this fails, the next use fails as this one did.
    let _ = fs::remove_file(cache.join(SEAL));
}

/// Fetches the remote's branch into [`HEAD`].
fn fetch(repository: &Repository, remote: &Remote, depth: Depth, limits: &Limits) -> Result<(), Error> {
    let session = Session::open(remote, Right::Read, limits);
    let mut options = FetchOptions::new();
    options
        .remote_callbacks(watch(&session, limits))
        .download_tags(AutotagOption::None)
        .update_fetchhead(false)
        .follow_redirects(RemoteRedirect::None);
    if let Depth::Commits(depth) = depth {
        options.depth(depth);
    }
    let refspec = format!("+{}:{HEAD}", remote.reference());
    let fetched = transport::with_session(&session, || {
        repository.remote_anonymous(transport::URL)?.fetch(&[refspec], Some(&mut options), None)
    });
    fetched.map_err(|error| {
        // Where time is over, libgit2 gets no memory.
        let failure = session.take_failure().or_else(|| session.check_deadline().err());
        failure.unwrap_or_else(|| match error.class() {
            ErrorClass::Net | ErrorClass::Http => session.protocol(error.message()),
            ErrorClass::NoMemory => too_big(Measure::Unpacked, memory::MOST),
            ErrorClass::Invalid if error.message().contains("overly large object") => {
                too_big(Measure::Object, memory::LARGEST_OBJECT)
            }
            // The pack, or what it builds on: told apart by fetching into an empty cache.
            _ => corrupt(error),
        })
    })
}

/// Ends a transfer that announces too many objects, or goes on for too long: unpacking takes time as well.
fn watch<'a>(session: &Arc<Session>, limits: &'a Limits) -> RemoteCallbacks<'a> {
    let session = Arc::clone(session);
    let mut callbacks = RemoteCallbacks::new();
    callbacks.transfer_progress(move |progress| {
        let within = if progress.total_objects() > limits.max_objects {
            Err(too_big(Measure::Objects, limits.max_objects))
        } else {
            session.check_deadline().map(drop)
        };
        within.map_err(|error| session.fail(error)).is_ok()
    });
    callbacks
}

fn too_big(what: Measure, limit: usize) -> Error {
    Error::TooBig { what, limit: u64::try_from(limit).unwrap_or(u64::MAX) }
}

fn corrupt(error: git2::Error) -> Error {
    Error::Corrupt { source: error.into() }
}

fn remove(dir: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(dir) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(dir),
        Ok(_) => fs::remove_file(dir),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

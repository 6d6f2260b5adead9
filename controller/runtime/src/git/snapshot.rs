//! Reads files at one commit, straight from the object database, and drafts commits on top of it.
use std::path::PathBuf;

use git2::{ErrorCode, ObjectType, Oid, Repository};

use super::ancestry::{Ancestry, ancestry};
use super::cache;
use super::commit::{Commit, CommitId};
use super::draft::{self, Draft, NewCommit};
use super::error::{EntryKind, Error, Measure};
use super::limits::Limits;

/// The release repository at one commit. It stays readable until the cache is made anew.
pub struct Snapshot {
    repository: Repository,
    cache: PathBuf,
    commit: Commit,
    tree: Oid,
    limits: Limits,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("commit", &self.commit).finish_non_exhaustive()
    }
}

impl Snapshot {
    /// The commit in this repository, or `None` where it is not there.
    pub(super) fn open(
        repository: Repository,
        cache: PathBuf,
        id: CommitId,
        limits: &Limits,
    ) -> Result<Option<Self>, Error> {
        let oid = id.oid().map_err(corrupt)?;
        match object_size(&repository, oid) {
            Ok(size) if size > limits.max_blob_bytes => {
                return Err(Error::TooBig { what: Measure::Object, limit: limits.max_blob_bytes });
            }
            Ok(_) => {}
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(error) => return Err(corrupt(error)),
        }
        let (commit, tree) = {
            let commit = repository.find_commit(oid).map_err(corrupt)?;
            (Commit::describe(id, &commit), commit.tree_id())
        };
        let snapshot = Self { repository, cache, commit, tree, limits: limits.clone() };
        snapshot.check_size(snapshot.tree)?;
        Ok(Some(snapshot))
    }

    /// The commit that is read.
    #[must_use]
    pub fn commit(&self) -> &Commit {
        &self.commit
    }

    /// The content of a regular file, or `None` where there is nothing at that path. Paths are separated by `/` and
    /// relative to the root; empty, `.` and `..` components name nothing.
    ///
    /// # Errors
    /// [`Error::NotAFile`] and [`Error::NotADirectory`] where something else is in its place or on the way,
    /// [`Error::TooBig`] over [`Limits::max_blob_bytes`], [`Error::Corrupt`] where the cache is damaged.
    pub fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.find(path)? {
            None => Ok(None),
            Some((EntryKind::File, id)) => {
                self.check_size(id)?;
                let blob = self.repository.find_blob(id).map_err(|error| self.damaged(error))?;
                Ok(Some(blob.content().to_vec()))
            }
            Some((what, _)) => Err(Error::NotAFile { path: path.to_owned(), what }),
        }
    }

    /// The names in a directory, in Git's order; none where it does not exist. The empty path is the root. A name that
    /// is not UTF-8 is returned with replacement characters, so that whoever validates names refuses it visibly.
    ///
    /// # Errors
    /// [`Error::NotADirectory`] where something else is in its place or on the way, [`Error::TooBig`] and
    /// [`Error::Corrupt`] as for [`Self::read`].
    pub fn list(&self, dir: &str) -> Result<Vec<String>, Error> {
        let id = match (dir.is_empty(), if dir.is_empty() { None } else { self.find(dir)? }) {
            (true, _) => self.tree,
            (false, None) => return Ok(Vec::new()),
            (false, Some((EntryKind::Directory, id))) => id,
            (false, Some((what, _))) => return Err(Error::NotADirectory { path: dir.to_owned(), what }),
        };
        let tree = self.tree(id)?;
        Ok(tree.iter().map(|entry| String::from_utf8_lossy(entry.name_bytes()).into_owned()).collect())
    }

    /// Whether this commit descends from an earlier one, as far as the cache knows: see also [`super::Cache::ancestry`].
    ///
    /// # Errors
    /// [`Error::Corrupt`] where the cache is damaged.
    pub fn ancestry(&self, ancestor: &CommitId) -> Result<Ancestry, Error> {
        ancestry(&self.repository, self.commit.id, *ancestor, &self.limits).map_err(|error| self.damaged(error))
    }

    /// A commit on top of this one; it exists in memory until [`super::push::create_branch`] sends it.
    ///
    /// # Errors
    /// [`Error::NotAFile`] and [`Error::NotADirectory`] where something else is in the place of one of its files or on
    /// the way, [`Error::TooBig`] and [`Error::Corrupt`] as for [`Self::read`].
    pub fn commit_on_top(&self, draft: &Draft) -> Result<NewCommit, Error> {
        for path in draft.files.keys() {
            self.read(path)?;
        }
        draft::commit(&self.cache, self.commit.id, draft).map_err(|error| self.damaged(error))
    }

    /// What is at a path, without following anything.
    fn find(&self, path: &str) -> Result<Option<(EntryKind, Oid)>, Error> {
        let mut at = (EntryKind::Directory, self.tree);
        let mut walked = String::new();
        for name in path.split('/') {
            let (what, id) = at;
            if what != EntryKind::Directory {
                return Err(Error::NotADirectory { path: walked, what });
            }
            match self.tree(id)?.get_name_bytes(name.as_bytes()) {
                None => return Ok(None),
                Some(entry) => at = (kind(entry.filemode_raw()), entry.id()),
            }
            if !walked.is_empty() {
                walked.push('/');
            }
            walked.push_str(name);
        }
        Ok(Some(at))
    }

    fn tree(&self, id: Oid) -> Result<git2::Tree<'_>, Error> {
        self.check_size(id)?;
        self.repository.find_tree(id).map_err(|error| self.damaged(error))
    }

    /// Refuses an object by its header, before it is decompressed.
    fn check_size(&self, id: Oid) -> Result<(), Error> {
        let size = object_size(&self.repository, id).map_err(|error| self.damaged(error))?;
        if size > self.limits.max_blob_bytes {
            return Err(Error::TooBig { what: Measure::Object, limit: self.limits.max_blob_bytes });
        }
        Ok(())
    }

    /// An object that the commit refers to is missing or unreadable: the next fetch must begin anew.
    fn damaged(&self, error: git2::Error) -> Error {
        cache::distrust(&self.cache);
        corrupt(error)
    }
}

fn corrupt(error: git2::Error) -> Error {
    Error::Corrupt { source: error.into() }
}

fn object_size(repository: &Repository, id: Oid) -> Result<u64, git2::Error> {
    let (size, _kind): (usize, ObjectType) = repository.odb()?.read_header(id)?;
    Ok(u64::try_from(size).unwrap_or(u64::MAX))
}

/// By Git's file modes: the two of regular files, and those of what is never followed.
fn kind(mode: i32) -> EntryKind {
    match mode {
        0o100_644 | 0o100_755 => EntryKind::File,
        0o040_000 => EntryKind::Directory,
        0o120_000 => EntryKind::SymbolicLink,
        0o160_000 => EntryKind::Submodule,
        _ => EntryKind::Unknown,
    }
}

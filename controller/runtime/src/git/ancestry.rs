//! Decides whether one commit descends from another, as far as the cached history tells.
use std::collections::{BinaryHeap, HashSet};

use git2::Repository;

use super::commit::CommitId;
use super::limits::Limits;

/// How a commit relates to an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ancestry {
    /// They are the same commit.
    Same,
    /// It descends from the other: history went on.
    Descendant,
    /// It does not: history was rewritten, or the branch was set to something else.
    NotDescendant,
    /// It could not be told.
    Unknown(UnknownBecause),
}

/// Why ancestry could not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownBecause {
    /// The history that was fetched ends before.
    Shallow,
    /// [`Limits::max_ancestry`] commits were walked, or one is larger than [`Limits::max_blob_bytes`].
    Limit,
}

/// Walks from `commit` towards the roots, latest first, until `ancestor` appears.
///
/// Not with libgit2's own walk: that ignores the shallow boundary and stumbles over the parents that are not there.
pub(super) fn ancestry(
    repository: &Repository,
    commit: CommitId,
    ancestor: CommitId,
    limits: &Limits,
) -> Result<Ancestry, git2::Error> {
    if commit == ancestor {
        return Ok(Ancestry::Same);
    }
    let (start, ancestor) = (commit.oid()?, ancestor.oid()?);
    let shallow = shallow_roots(repository);
    let objects = repository.odb()?;
    let mut cut_off = false;
    let mut seen = HashSet::from([start]);
    let mut waiting = BinaryHeap::from([(repository.find_commit(start)?.time().seconds(), start)]);
    while let Some((_, id)) = waiting.pop() {
        if shallow.contains(&id) {
            cut_off = true;
            continue;
        }
        for parent in repository.find_commit(id)?.parent_ids() {
            if parent == ancestor {
                return Ok(Ancestry::Descendant);
            }
            if !seen.insert(parent) {
                continue;
            }
            let (size, _kind) = objects.read_header(parent)?;
            if seen.len() > limits.max_ancestry || u64::try_from(size).unwrap_or(u64::MAX) > limits.max_blob_bytes {
                return Ok(Ancestry::Unknown(UnknownBecause::Limit));
            }
            waiting.push((repository.find_commit(parent)?.time().seconds(), parent));
        }
    }
    Ok(if cut_off { Ancestry::Unknown(UnknownBecause::Shallow) } else { Ancestry::NotDescendant })
}

/// The commits whose parents were left out. libgit2 reads the same file, and takes these commits for roots.
fn shallow_roots(repository: &Repository) -> HashSet<git2::Oid> {
    let Ok(list) = std::fs::read_to_string(repository.path().join("shallow")) else { return HashSet::new() };
    list.lines().filter_map(|line| git2::Oid::from_str(line.trim()).ok()).collect()
}

//! Decides what a commit on top of another one is, and packs what is new in it; nothing is written to disk.
//!
//! A commit's id is a hash of all that is in it. Whoever drafts the same twice, time included, makes the same commit
//! twice: that is how a push that was lost on the way is repeated without a second branch.
use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use git2::build::TreeUpdateBuilder;
use git2::{Buf, FileMode, Oid, Repository, Signature, Time, Tree};

use super::commit::CommitId;

/// Above the priority of libgit2's own stores (loose objects 1, packs 2), so that new objects go to memory.
const BEFORE_THE_DISK: i32 = 1_000;

/// The longest name of a person, in characters. An ARN has up to 2,048, the ones of roles' sessions up to 200.
const LONGEST_NAME: usize = 256;

/// A commit that does not exist yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Regular files that it adds or changes, by their path. A file that exists keeps its mode.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What it says of itself.
    pub message: String,
    /// Who wants it.
    pub author: Person,
    /// Who makes it.
    pub committer: Person,
    /// When, for both; seconds count.
    pub time: DateTime<Utc>,
}

/// A person or a program, as a commit names them. Git's format has no escapes: what would end a field is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    name: String,
    email: String,
}

impl Person {
    /// Who is called so. Where nothing is left of a text, it says `unknown`.
    #[must_use]
    pub fn new(name: &str, email: &str) -> Self {
        Self { name: field(name), email: field(email) }
    }

    fn signature(&self, time: DateTime<Utc>) -> Result<Signature<'static>, git2::Error> {
        Signature::new(&self.name, &self.email, &Time::new(time.timestamp(), 0))
    }
}

fn field(text: &str) -> String {
    let kept = text.chars().filter(|character| !character.is_control() && !matches!(character, '<' | '>'));
    let kept: String = kept.take(LONGEST_NAME).collect();
    // libgit2 takes punctuation away from both ends, and refuses what is empty then.
    if kept.chars().any(char::is_alphanumeric) { kept } else { "unknown".to_owned() }
}

/// A commit, and a pack of what its parent does not have.
#[derive(Clone, PartialEq, Eq)]
pub struct NewCommit {
    /// Its name.
    pub id: CommitId,
    pub(super) pack: Vec<u8>,
}

impl std::fmt::Debug for NewCommit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewCommit").field("id", &self.id).field("pack_bytes", &self.pack.len()).finish()
    }
}

/// Makes the draft's commit on top of `parent`. The caller has seen that its paths lead over directories to files.
pub(super) fn commit(cache: &Path, parent: CommitId, draft: &Draft) -> Result<NewCommit, git2::Error> {
    // Opened for this alone: the store in memory ends with it.
    let repository = Repository::open_bare(cache)?;
    let objects = repository.odb()?;
    let _in_memory = objects.add_new_mempack_backend(BEFORE_THE_DISK)?;

    let parent = repository.find_commit(parent.oid()?)?;
    let tree = tree(&repository, &parent.tree()?, &draft.files)?;
    let (author, committer) = (draft.author.signature(draft.time)?, draft.committer.signature(draft.time)?);
    let id = repository.commit(None, &author, &committer, &draft.message, &tree, &[&parent])?;
    let pack = pack(&repository, id, &tree, &draft.files)?;
    Ok(NewCommit { id: CommitId::from_oid(id), pack })
}

fn tree<'r>(
    repository: &'r Repository,
    base: &Tree<'_>,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Tree<'r>, git2::Error> {
    let mut update = TreeUpdateBuilder::new();
    for (path, content) in files {
        let executable = base.get_path(Path::new(path)).is_ok_and(|entry| entry.filemode() & 0o100 != 0);
        let mode = if executable { FileMode::BlobExecutable } else { FileMode::Blob };
        update.upsert(path.as_str(), repository.blob(content)?, mode);
    }
    repository.find_tree(update.create_updated(repository, base)?)
}

/// The commit, its own tree, and of each file itself and the directories above it. Whatever else the tree holds is the
/// parent's: the server has it, and a shallow cache may not.
fn pack(
    repository: &Repository,
    commit: Oid,
    tree: &Tree<'_>,
    files: &BTreeMap<String, Vec<u8>>,
) -> Result<Vec<u8>, git2::Error> {
    let mut pack = repository.packbuilder()?;
    pack.insert_object(commit, None)?;
    pack.insert_object(tree.id(), None)?;
    for path in files.keys() {
        for at in Path::new(path).ancestors().filter(|at| !at.as_os_str().is_empty()) {
            pack.insert_object(tree.get_path(at)?.id(), None)?;
        }
    }
    let mut bytes = Buf::new();
    pack.write_buf(&mut bytes)?;
    Ok(bytes.to_vec())
}

#[cfg(test)]
mod tests {
    use super::Person;

    #[test]
    fn a_name_cannot_end_its_field() {
        let person = Person::new("Eve <eve@example.com> 1 +0000\ncommitter Mallory", "e>\n");
        assert_eq!(person.name, "Eve eve@example.com 1 +0000committer Mallory");
        assert_eq!(person.email, "e");
        let signature = person.signature(chrono::DateTime::UNIX_EPOCH).expect("a signature");
        assert_eq!(signature.name().ok(), Some(person.name.as_str()));
    }

    #[test]
    fn nobody_has_a_name_all_the_same() {
        for name in ["", " ", "<>", ".;'", "\0"] {
            assert_eq!(Person::new(name, name), Person::new("unknown", "unknown"));
        }
        assert!(Person::new("", "").signature(chrono::DateTime::UNIX_EPOCH).is_ok());
    }
}

//! A commit's name, and what is told of it: who, when, what for.
use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The name of a commit: a SHA-1, shown as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId([u8; 20]);

/// The text is not the name of a commit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a commit id (40 hexadecimal digits)", .0.escape_debug())]
pub struct NotACommitId(String);

impl CommitId {
    pub(super) fn oid(self) -> Result<git2::Oid, git2::Error> {
        git2::Oid::from_bytes(&self.0)
    }

    pub(super) fn from_oid(oid: git2::Oid) -> Self {
        let mut bytes = [0; 20];
        // The same length: libgit2 is built for SHA-1 alone.
        for (to, from) in bytes.iter_mut().zip(oid.as_bytes()) {
            *to = *from;
        }
        Self(bytes)
    }
}

impl FromStr for CommitId {
    type Err = NotACommitId;

    fn from_str(text: &str) -> Result<Self, NotACommitId> {
        let mut bytes = [0; 20];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(NotACommitId(text.to_owned())),
        }
    }
}

impl TryFrom<String> for CommitId {
    type Error = NotACommitId;

    fn try_from(text: String) -> Result<Self, NotACommitId> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitId({self})")
    }
}

/// What is told of a commit. The texts are its author's: anything but UTF-8 is replaced, nothing else is changed, and
/// whoever shows them escapes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// The author's name, as the commit says.
    pub author_name: String,
    /// The author's address, as the commit says.
    pub author_email: String,
    /// When it was committed, as the commit says; the epoch where that is no time.
    pub committed: DateTime<Utc>,
    /// The first paragraph of the message, as one line.
    pub summary: String,
}

impl Commit {
    pub(super) fn describe(id: CommitId, commit: &git2::Commit<'_>) -> Self {
        let author = commit.author();
        Self {
            id,
            author_name: String::from_utf8_lossy(author.name_bytes()).into_owned(),
            author_email: String::from_utf8_lossy(author.email_bytes()).into_owned(),
            committed: DateTime::from_timestamp(commit.time().seconds(), 0).unwrap_or_default(),
            summary: String::from_utf8_lossy(commit.summary_bytes().unwrap_or_default()).into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CommitId;

    const ID: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn forty_hexadecimal_digits_are_a_commit_id_and_read_back_the_same() {
        let id: CommitId = ID.parse().expect("a commit id");
        assert_eq!(id.to_string(), ID);
        assert_eq!(ID.to_uppercase().parse(), Ok(id));
        assert_eq!(serde_json::to_string(&id).expect("serialisable"), format!("\"{ID}\""));
    }

    #[test]
    fn anything_else_is_not() {
        for text in ["", "main", &ID[1..], &format!("{ID}0"), &ID.replace('0', "g")] {
            assert!(text.parse::<CommitId>().is_err(), "{text}");
        }
    }
}

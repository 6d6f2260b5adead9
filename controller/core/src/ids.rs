//! Names and numbers that carry proof: version numbers, release ids, revision tokens, commits.
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// A published version of a function: a positive number that AWS never reuses. `$LATEST` is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version(u64);

/// The text is not a published version's number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the number of a published version")]
pub struct NotAVersion(pub String);

impl Version {
    /// The version with this number; 0 is none.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (number > 0).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl TryFrom<String> for Version {
    type Error = NotAVersion;

    fn try_from(text: String) -> Result<Self, NotAVersion> {
        text.parse().ok().and_then(Self::new).ok_or(NotAVersion(text))
    }
}

impl std::str::FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, NotAVersion> {
        Self::try_from(text.to_owned())
    }
}

impl From<Version> for String {
    fn from(version: Version) -> Self {
        version.to_string()
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// What identifies the content of a release: the first 128 bits of a SHA-256, as 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

/// The text is not a release id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a release id (32 hexadecimal digits)")]
pub struct NotAReleaseId(pub String);

impl ReleaseId {
    const DIGITS: usize = 32;

    /// The id of content with this SHA-256.
    #[must_use]
    pub fn from_sha256(hash: [u8; 32]) -> Self {
        let mut digits = hex::encode(hash);
        digits.truncate(Self::DIGITS);
        Self(digits)
    }

    /// The first twelve digits: enough for people, not for comparing.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = NotAReleaseId;

    fn try_from(text: String) -> Result<Self, NotAReleaseId> {
        let lower_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if text.len() == Self::DIGITS && text.bytes().all(lower_hex) {
            Ok(Self(text))
        } else {
            Err(NotAReleaseId(text))
        }
    }
}

impl std::str::FromStr for ReleaseId {
    type Err = NotAReleaseId;

    fn from_str(text: &str) -> Result<Self, NotAReleaseId> {
        Self::try_from(text.to_owned())
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> Self {
        id.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lambda's optimistic-concurrency token: read right before the write that sends it, never kept from tick to tick as a
/// permission to write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RevisionId(pub String);

/// The number of a service's transition: 1 for the first, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TransitionNumber(pub u64);

impl TransitionNumber {
    /// The first transition of a service.
    pub const FIRST: Self = Self(1);

    /// The one after this.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for TransitionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The commit of the release repository that something was decided from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub id: String,
    /// Name and address as the commit says them: text from outside, escaped where it is shown.
    pub author: String,
    /// When it was committed, as the commit says.
    pub time: DateTime<Utc>,
    /// The first line of its message: text from outside.
    pub summary: String,
}

impl Commit {
    /// The first twelve digits of the id.
    #[must_use]
    pub fn short(&self) -> &str {
        short_commit(&self.id)
    }
}

/// The first twelve digits of a commit's id.
#[must_use]
pub fn short_commit(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

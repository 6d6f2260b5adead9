//! What one operation on the release repository may cost at most.
use std::time::{Duration, Instant};

/// Bounds of one operation. They are checked while data arrives, not once it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes that the server may send as packs, over all requests of one operation.
    pub max_bytes: u64,
    /// Objects that one pack may announce.
    pub max_objects: usize,
    /// Bytes of one object (file, directory, commit) that may be read into memory, uncompressed.
    pub max_blob_bytes: u64,
    /// Bytes of the list of references: a server sends all of them, whatever branch is meant.
    pub max_refs_bytes: u64,
    /// Wall-clock time of one operation, connecting included.
    pub timeout: Duration,
    /// Commits to walk when the ancestry of a commit is asked for.
    pub max_ancestry: usize,
}

impl Default for Limits {
    /// For a release repository, which holds text: 64 MiB and 200,000 objects a transfer (300 services over 5,000
    /// commits are 21 MiB in full), 4 MiB a file (twice what a valid `services.yaml` may have), 8 MiB of references
    /// (about 120,000), 20 seconds (a tick has 45), 10,000 commits of ancestry.
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_objects: 200_000,
            max_blob_bytes: 4 << 20,
            max_refs_bytes: 8 << 20,
            timeout: Duration::from_secs(20),
            max_ancestry: 10_000,
        }
    }
}

impl Limits {
    /// The same, for what follows in an operation of several steps: with the time that is left of it.
    #[must_use]
    pub(crate) fn left_since(&self, began: Instant) -> Self {
        Self { timeout: self.timeout.saturating_sub(began.elapsed()), ..self.clone() }
    }
}

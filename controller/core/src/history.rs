//! History: one record for each finished transition, without gaps, each chained by hash to the one before.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use release_schema::{EnvironmentName, ServiceName, Tag};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::analysis::Verdict;
use crate::ids::{Commit, ReleaseId, TransitionNumber, Version};
use crate::release::{Code, Source};

/// SHA-256 of a record's bytes as they are stored, as 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecordHash(pub String);

/// What was or became live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deployed {
    /// The published version; `None` where a release failed before it had one.
    pub version: Option<Version>,
    /// Its content.
    pub release: ReleaseId,
    /// Its code.
    pub code: Code,
    /// What it was called, where that is known.
    pub tag: Option<Tag>,
    /// Where its archive is, of a zip function, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<Source>,
}

impl Deployed {
    /// What people call it: the tag, else the beginning of the digest.
    #[must_use]
    pub fn label(&self) -> String {
        self.tag.as_ref().map_or_else(|| self.code.short(), ToString::to_string)
    }
}

/// How a transition ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// What was already live became the baseline; nothing was changed.
    Adopted,
    /// The alias moved to the release for good.
    Promoted,
    /// The release could not be published, could not serve, or failed its smoke test; it got no traffic.
    Failed,
    /// Git wanted something else before it was finished; traffic is back where it was.
    Superseded,
    /// A person, its analysis or its deadline ended it before it was finished; traffic is back where it was.
    Aborted,
    /// A person sent all traffic back to a release that was good, and holds another one out.
    RolledBack,
    /// What somebody changed by hand was set back.
    Healed,
    /// Git does not have the service any more, and nobody manages it since; what is live stays as it is.
    Unmanaged,
}

impl Kind {
    /// Whether what the record leads to was live afterwards.
    #[must_use]
    pub const fn is_live(self) -> bool {
        match self {
            Self::Adopted | Self::Promoted | Self::RolledBack | Self::Healed => true,
            Self::Failed | Self::Superseded | Self::Aborted | Self::Unmanaged => false,
        }
    }
}

impl Kind {
    /// As people read it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Adopted => "adopted",
            Self::Promoted => "promoted",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Aborted => "aborted",
            Self::RolledBack => "rolled back",
            Self::Healed => "healed",
            Self::Unmanaged => "unmanaged",
        }
    }
}

/// What a person said to a release under way, or what was noticed about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Said {
    /// The command, as it is typed; `edit` for a change of the alias by hand, `lost` where its stored state was.
    pub what: String,
    /// Who.
    pub actor: String,
    /// Why, where they said so: text from outside.
    pub reason: Option<String>,
    /// Server time.
    pub at: DateTime<Utc>,
}

/// How one step of a rollout was decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepResult {
    /// The step in words: its weight, or the bake.
    pub step: String,
    /// Since when its weight was read back.
    pub since: DateTime<Utc>,
    /// When it was over.
    pub until: DateTime<Utc>,
    /// The look that decided it, where it was looked at.
    pub verdict: Option<Verdict>,
    /// What went over the verdict or the time, where somebody did.
    pub over: Option<String>,
}

/// One finished transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Version of this document's form.
    pub schema_version: u32,
    /// 1 for the first of a service, without gaps.
    pub number: TransitionNumber,
    /// Hash of the record before; `None` for the first, and until [`Head::append`] chains it.
    pub previous: Option<RecordHash>,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// How it ended.
    pub kind: Kind,
    /// What was live before.
    pub from: Option<Deployed>,
    /// Where it led, or would have led.
    pub to: Deployed,
    /// The release that a rollback holds out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<ReleaseId>,
    /// The release under way that a rollback ended before it had any traffic, where a version was published for it, or may
    /// have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Deployed>,
    /// The number in the alias's marker, where this rollback was recorded from it. The record may have another: history began anew, or
    /// somebody else's record took the number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marked: Option<TransitionNumber>,
    /// Where Git said so.
    pub commit: Option<Commit>,
    /// Who caused it: `controller` for what a tick did by itself.
    pub actor: String,
    /// Why, where there is more to say than the commit does.
    pub reason: Option<String>,
    /// Server time.
    pub started: DateTime<Utc>,
    /// Server time.
    pub finished: DateTime<Utc>,
    /// The tick that finished it.
    pub tick: String,
    /// How each step of its rollout was decided.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepResult>,
    /// What people said to it on the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub said: Vec<Said>,
}

/// The newest end of a service's history: what a tick and `tidegate history` read with one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// Version of this document's form.
    pub schema_version: u32,
    /// Number of the last record.
    pub number: TransitionNumber,
    /// Hash of the last record.
    pub hash: RecordHash,
    /// The last records, newest first, at most [`Head::RECENT`].
    pub recent: Vec<Record>,
    /// Of those before them the ones by which a good release went live last, newest first, at most [`Head::ROLLBACK_WINDOW`]:
    /// what to go back to does not end with a night of releases that never were live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub older: Vec<Record>,
}

/// A record as it is stored, and the head that names it as the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The exact bytes of the record's object.
    pub bytes: Vec<u8>,
    /// The head after it.
    pub head: Head,
}

/// Why the records that there are do not make the head that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproven {
    /// One of the last records is not there.
    #[error("record {0} is missing")]
    Missing(TransitionNumber),
    /// Something else lies where a record should.
    #[error("what lies in the place of record {0} is another one")]
    Misplaced(TransitionNumber),
    /// It is not chained to the one before it.
    #[error("record {0} does not follow the one before it")]
    Unchained(TransitionNumber),
}

/// Hash of a record's stored bytes.
#[must_use]
pub fn hash_bytes(bytes: &[u8]) -> RecordHash {
    RecordHash(hex::encode(Sha256::digest(bytes)))
}

impl Record {
    /// Whether two records tell of the same transition, whichever tick wrote them: how a writer recognises its own record
    /// after a lost answer.
    #[must_use]
    pub fn same_transition(&self, other: &Self) -> bool {
        (&self.number, &self.previous, self.kind, &self.to, self.started)
            == (&other.number, &other.previous, other.kind, &other.to, other.started)
    }

    /// All that it names: what was live before, where it led, and what it ended.
    fn named(&self) -> impl Iterator<Item = &Deployed> {
        [Some(&self.to), self.ended.as_ref(), self.from.as_ref()].into_iter().flatten()
    }
}

impl Head {
    /// How many records a head carries.
    pub const RECENT: usize = 20;

    /// How many releases that were live lately may come back without steps and analysis.
    pub const ROLLBACK_WINDOW: usize = 5;

    /// How many versions are looked at for one that no record tells of.
    const UNTOLD: usize = 3;

    /// Chains `record` to what stands before it.
    ///
    /// # Errors
    /// Where the record cannot be written as JSON, which no record made by this crate is.
    pub fn append(before: Option<&Self>, record: Record) -> Result<Appended, serde_json::Error> {
        let record = Record { previous: before.map(|head| head.hash.clone()), ..record };
        let mut bytes = serde_json::to_vec_pretty(&record)?;
        bytes.push(b'\n');
        let head = Self::after(before, record, hash_bytes(&bytes));
        Ok(Appended { bytes, head })
    }

    /// The head after `record`, whose stored bytes have this hash.
    #[must_use]
    pub fn after(before: Option<&Self>, record: Record, hash: RecordHash) -> Self {
        let number = record.number;
        let known = before.into_iter().flat_map(Self::known).cloned();
        let mut recent: Vec<Record> = std::iter::once(record).chain(known).collect();
        let older = recent.split_off(recent.len().min(Self::RECENT));
        let head = Self { schema_version: crate::SCHEMA_VERSION, number, hash, recent, older };
        let older = head.good().skip_while(|record| head.is_recent(record)).take(Self::ROLLBACK_WINDOW).cloned();
        Self { older: older.collect(), ..head }
    }

    /// The head that was lost, from the newest records: each under the number in its name, with the hash of its stored bytes.
    /// Those that are not there end what is older than [`Head::RECENT`].
    ///
    /// # Errors
    /// Where one of the last [`Head::RECENT`] is missing, or one is not chained to the one before it. Nothing proves the last one
    /// itself; that is what the alias's marker is for.
    pub fn rebuilt(
        last: TransitionNumber,
        records: &BTreeMap<TransitionNumber, (RecordHash, Record)>,
    ) -> Result<Self, Unproven> {
        let first = last.0.saturating_sub(Self::RECENT as u64 - 1).max(TransitionNumber::FIRST.0);
        let older = (1..first).rev().take_while(|number| records.contains_key(&TransitionNumber(*number)));
        let first = older.last().unwrap_or(first);
        let mut head: Option<Self> = None;
        for number in (first..=last.0).map(TransitionNumber) {
            let (hash, record) = records.get(&number).ok_or(Unproven::Missing(number))?;
            if record.number != number {
                return Err(Unproven::Misplaced(number));
            }
            // What the oldest of them follows was not read, unless it is the very first.
            let is_chained = record.previous.as_ref() == head.as_ref().map(|head| &head.hash);
            if !is_chained && (head.is_some() || number == TransitionNumber::FIRST) {
                return Err(Unproven::Unchained(number));
            }
            head = Some(Self::after(head.as_ref(), record.clone(), hash.clone()));
        }
        head.ok_or(Unproven::Missing(last))
    }

    /// Whether records before those that it was made from would add nothing to it.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.older.len() == Self::ROLLBACK_WINDOW || self.managed().count() < self.known().count()
    }

    /// All records that it carries, newest first.
    pub fn known(&self) -> impl Iterator<Item = &Record> {
        self.recent.iter().chain(&self.older)
    }

    fn is_recent(&self, record: &Record) -> bool {
        self.recent.last().is_some_and(|oldest| oldest.number <= record.number)
    }

    /// Whether nobody manages the service since the last record.
    #[must_use]
    pub fn is_unmanaged(&self) -> bool {
        self.recent.first().is_some_and(|record| record.kind == Kind::Unmanaged)
    }

    /// The records since the service was taken up last, newest first. What was live before nobody managed it is neither what
    /// should be live, nor known to be good still.
    fn managed(&self) -> impl Iterator<Item = &Record> {
        self.known().take_while(|record| record.kind != Kind::Unmanaged)
    }

    /// The records that moved traffic or took it over, newest first.
    fn live(&self) -> impl Iterator<Item = &Record> {
        self.managed().filter(|record| record.kind.is_live())
    }

    /// Those of them by which a release went live last that is good still.
    fn good(&self) -> impl Iterator<Item = &Record> {
        let mut seen: Vec<&ReleaseId> = Vec::new();
        self.live().filter(move |record| {
            let release = &record.to.release;
            let new = !seen.contains(&release);
            seen.push(release);
            new && self.is_good(release)
        })
    }

    /// Where the newest transition left the alias: one that did not go live, where it began.
    #[must_use]
    pub fn left(&self) -> Option<&Deployed> {
        let returned =
            self.recent.first().filter(|record| !record.kind.is_live()).and_then(|record| record.from.as_ref());
        returned.or_else(|| self.last_live().map(|record| &record.to))
    }

    /// The last of them: what should be live.
    #[must_use]
    pub fn last_live(&self) -> Option<&Record> {
        self.live().next()
    }

    /// What a rollback took traffic from: the release that had it or a share of it, what was live before, and what it holds out.
    pub fn left_by<'h>(&'h self, rolled_back: &'h Record) -> impl Iterator<Item = &'h Deployed> {
        let stable = self.live().find(|record| record.number < rolled_back.number);
        let held = self.known().find(|record| rolled_back.held.as_ref() == Some(&record.to.release));
        rolled_back.from.iter().chain(stable.into_iter().chain(held).map(|record| &record.to))
    }

    /// Whether a release was fully promoted, and neither rolled back nor held out since: the newest record that tells decides.
    #[must_use]
    pub fn is_good(&self, release: &ReleaseId) -> bool {
        let telling = self.managed().find_map(|record| {
            let left =
                record.kind == Kind::RolledBack && record.from.as_ref().is_some_and(|from| from.release == *release);
            let held = left || record.held.as_ref() == Some(release);
            let live = record.kind.is_live() && record.to.release == *release;
            (held || live).then_some(live)
        });
        telling.unwrap_or(false)
    }

    /// Whether this content was fully promoted among the last [`Head::ROLLBACK_WINDOW`] releases that were live, and not
    /// rolled back since.
    #[must_use]
    pub fn in_rollback_window(&self, release: &ReleaseId) -> bool {
        let mut lately: Vec<&ReleaseId> = Vec::new();
        for record in self.live() {
            if !lately.contains(&&record.to.release) {
                lately.push(&record.to.release);
            }
        }
        self.is_good(release) && lately.into_iter().take(Self::ROLLBACK_WINDOW).any(|lately| lately == release)
    }

    /// Whether this very version was live with this content.
    #[must_use]
    pub fn was_live(&self, release: &ReleaseId, version: Version) -> bool {
        self.live().any(|record| record.to.version == Some(version) && record.to.release == *release)
    }

    /// Whether this very version was live, whatever release it was called.
    #[must_use]
    pub fn had_all_traffic(&self, deployed: &Deployed) -> bool {
        self.live().any(|record| record.to.version == deployed.version && record.to.code == deployed.code)
    }

    /// The releases to go back to from `bad`, the last that was live first; each once.
    pub fn good_before<'h>(&'h self, bad: &'h ReleaseId) -> impl Iterator<Item = &'h Deployed> {
        self.good().map(|record| &record.to).filter(move |to| to.release != *bad && to.version.is_some())
    }

    /// The versions that have this content, newest first: a release is published at most once, unless what was published cannot serve
    /// any more. That is for AWS to say; what a failed release left is asked last.
    #[must_use]
    pub fn versions_of(&self, release: &ReleaseId) -> Vec<Version> {
        let (failed, others): (Vec<_>, Vec<_>) =
            self.known().partition(|record| matches!(record.kind, Kind::Failed | Kind::Unmanaged));
        // What a rollback left is told of only as where it came from, or as what it ended, maybe for another version of the same.
        let of = |deployed: &Deployed| deployed.version.filter(|_| deployed.release == *release);
        let mut versions = Vec::new();
        for version in others.into_iter().chain(failed).flat_map(Record::named).filter_map(of) {
            if !versions.contains(&version) {
                versions.push(version);
            }
        }
        versions
    }

    /// Versions that may have this content although no record tells: an attempt at it ended before the number was known, so they follow
    /// what was published before that. The next one that is known may be it: AWS publishes nothing where nothing differs from the last.
    #[must_use]
    pub fn untold_versions_of(&self, release: &ReleaseId) -> Vec<Version> {
        let is_attempt = |deployed: &Deployed| deployed.release == *release && deployed.version.is_none();
        let records: Vec<&Record> = self.known().collect();
        let attempt = records.iter().position(|record| record.named().any(is_attempt));
        let Some((newer, older)) = attempt.map(|attempt| records.split_at(attempt)) else { return Vec::new() };
        let numbers = |records: &[&Record]| {
            let versions = records.iter().flat_map(|record| record.named()).filter_map(|deployed| deployed.version);
            versions.map(Version::number).collect::<Vec<_>>()
        };
        let before = numbers(older).into_iter().max().unwrap_or_default();
        let after = numbers(newer).into_iter().filter(|number| *number > before).min();
        let following = before + 1..=after.unwrap_or(u64::MAX);
        following.take(Self::UNTOLD).filter_map(Version::new).collect()
    }

    /// Whether any version was published with this content, whatever became of it.
    #[must_use]
    pub fn has_published(&self, release: &ReleaseId) -> bool {
        self.known().any(|record| record.to.release == *release && record.to.version.is_some())
    }

    /// What a version was called, as far as recent history knows.
    #[must_use]
    pub fn tag_of(&self, version: Version) -> Option<&Tag> {
        self.known().find(|record| record.to.version == Some(version)).and_then(|record| record.to.tag.as_ref())
    }
}

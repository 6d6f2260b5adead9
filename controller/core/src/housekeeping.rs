//! Decides which published versions nobody can need any more, and of every other one why it is kept.
//!
//! A version goes only where all of it is known: the service is at rest, no alias names the version, no hold and no rollback
//! can ask for it, it is old, and history proves that Tidegate published it. What is not known keeps it.
mod published;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use chrono::{DateTime, Duration, Utc};
use release_schema::AliasName;
use serde::{Deserialize, Serialize};

use crate::history::{Head, Record};
use crate::ids::{ReleaseId, TransitionNumber, Version};
use crate::marker::Marker;
use crate::release::Code;
use crate::state::{Phase, ServiceState};

/// How many versions of a service are deleted at a time. A deletion cannot be undone: a mistake in a policy is to be seen
/// while most of the versions are still there.
pub const AT_ONCE: usize = 3;

/// How many records are read for one service at a time. A thousand of them are bisected with ten.
pub const READS: usize = 64;

/// How many minutes lie between two turns of a service, at least: each costs two calls of Lambda.
const ROUND: usize = 11;

/// The place of the service whose turn it is in this minute, of so many in their order; `None` in a minute that is nobody's.
///
/// The length of a round has no divisor in common with an hour, so that everybody's turn comes with a schedule of every five
/// minutes too.
#[must_use]
pub fn whose_turn(now: DateTime<Utc>, services: usize) -> Option<usize> {
    let round = (services.max(ROUND)..).find(|round| [2, 3, 5].iter().all(|divisor| round % divisor != 0))?;
    let minute = usize::try_from(now.timestamp().div_euclid(60)).ok()?;
    Some(minute % round).filter(|turn| *turn < services)
}

/// How long versions are kept: one that any of the two numbers keeps is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written")]
pub struct Policy {
    keep_versions: usize,
    keep_days: u16,
}

/// A policy as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(default = "Policy::usual_versions")]
    keep_versions: usize,
    #[serde(default = "Policy::usual_days")]
    keep_days: u16,
}

/// A number is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// Fewer would take away what a rollback goes back to.
    #[error("`keepVersions` is {0}, and has to be {least} to {most}", least = Policy::LEAST_VERSIONS, most = Policy::MOST_VERSIONS)]
    Versions(usize),
    /// A version has to be old enough that its release is over.
    #[error("`keepDays` is {0}, and has to be 1 to {most}", most = Policy::MOST_DAYS)]
    Days(u16),
}

impl Policy {
    const LEAST_VERSIONS: usize = Head::ROLLBACK_WINDOW;
    const MOST_VERSIONS: usize = 1_000;
    const MOST_DAYS: u16 = 3_650;

    /// Keeps the newest `keep_versions`, and all that were published or live in the last `keep_days`.
    ///
    /// # Errors
    /// Where one of them is out of its range.
    pub const fn new(keep_versions: usize, keep_days: u16) -> Result<Self, OutOfRange> {
        if keep_versions < Self::LEAST_VERSIONS || keep_versions > Self::MOST_VERSIONS {
            return Err(OutOfRange::Versions(keep_versions));
        }
        if keep_days == 0 || keep_days > Self::MOST_DAYS {
            return Err(OutOfRange::Days(keep_days));
        }
        Ok(Self { keep_versions, keep_days })
    }

    const fn usual_versions() -> usize {
        10
    }

    const fn usual_days() -> u16 {
        30
    }

    fn oldest(self, now: DateTime<Utc>) -> DateTime<Utc> {
        now - Duration::days(self.keep_days.into())
    }
}

impl TryFrom<Written> for Policy {
    type Error = OutOfRange;

    fn try_from(written: Written) -> Result<Self, OutOfRange> {
        Self::new(written.keep_versions, written.keep_days)
    }
}

/// A published version, as AWS lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Its number.
    pub version: Version,
    /// Its code, where AWS said.
    pub code: Option<Code>,
    /// When it was published, by AWS's clock.
    pub at: DateTime<Utc>,
}

/// An alias of the function, as AWS lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAlias {
    /// Its name.
    pub name: String,
    /// The primary version; `None` where it names `$LATEST`.
    pub version: Option<Version>,
    /// The additional version, whatever its weight.
    pub additional: Option<Version>,
    /// What its description says of us.
    pub marker: Option<Marker>,
}

/// What is decided from.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// The service's alias.
    pub alias: &'a AliasName,
    /// Its preview alias, where its strategy has one.
    pub preview: Option<&'a AliasName>,
    /// All published versions of the function.
    pub versions: &'a [Published],
    /// All aliases of the function: of other services and of people too.
    pub aliases: &'a [ListedAlias],
    /// What is under way or held, as stored.
    pub state: Option<&'a ServiceState>,
    /// The newest end of history, where there is one that can be relied on.
    pub head: Option<&'a Head>,
    /// The records that were read beyond it; `None` where one is gone or broken.
    pub records: &'a BTreeMap<TransitionNumber, Option<Record>>,
    /// How long versions are kept.
    pub policy: Policy,
    /// Server time.
    pub now: DateTime<Utc>,
}

/// What comes of the evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// This record has to be read first.
    Read(TransitionNumber),
    /// No version of this service is touched now.
    Wait(Unrest),
    /// Each version, with what becomes of it.
    Inventory(Inventory),
}

/// What becomes of each published version of a service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Inventory {
    /// To be deleted, oldest first, at most [`AT_ONCE`].
    pub delete: Vec<Version>,
    /// Kept, and why.
    pub kept: BTreeMap<Version, Kept>,
}

/// Why a version is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kept {
    /// This alias names it, as its primary or additional version.
    Alias(String),
    /// It is the one that is held out, or the one that is live instead.
    Hold,
    /// It is one of the newest, or one of those that were good last.
    Newest,
    /// It was published or live not long ago.
    Young,
    /// History does not prove that Tidegate published it.
    NotOurs,
    /// It can go, but not in this turn.
    Later,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alias(name) => write!(f, "`{name}` names it"),
            Self::Hold => f.write_str("a hold needs it"),
            Self::Newest => f.write_str("among the newest"),
            Self::Young => f.write_str("published or live lately"),
            Self::NotOurs => f.write_str("not proven to be Tidegate's"),
            Self::Later => f.write_str("goes in a later turn"),
        }
    }
}

/// Why no version of a service is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unrest {
    /// A transition is under way, or was turned back and may be tried again.
    UnderWay,
    /// There is no history, or not all of it: it cannot be told what a rollback needs.
    NoHistory,
    /// The alias is not as history says.
    AliasMoved,
    /// An alias that this service does not know carries a marker: another environment releases the same function.
    SharedFunction {
        /// The alias.
        alias: String,
    },
}

impl fmt::Display for Unrest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnderWay => f.write_str("a release is under way, or was turned back and may be tried again"),
            Self::NoHistory => f.write_str("it has no history that tells what a rollback needs"),
            Self::AliasMoved => f.write_str("the alias is not as history says"),
            Self::SharedFunction { alias } => {
                write!(f, "the alias `{alias}` of its function is Tidegate's too, and of another service")
            }
        }
    }
}

/// Decides what becomes of each version, or asks for what it has to see first.
#[must_use]
pub fn decide(evidence: &Evidence<'_>) -> Decision {
    let head = match at_rest(evidence) {
        Ok(head) => head,
        Err(unrest) => return Decision::Wait(unrest),
    };
    let (mut inventory, mut candidates) = (Inventory::default(), BTreeMap::new());
    let needs = Needs::of(evidence, head);
    for published in evidence.versions {
        match needs.of_version(published) {
            Some(kept) => drop(inventory.kept.insert(published.version, kept)),
            None => drop(candidates.insert(published.version, published)),
        }
    }
    for (version, published) in candidates {
        let kept = if inventory.delete.len() == AT_ONCE {
            Kept::Later
        } else {
            match published::by_tidegate(published, head, evidence.records) {
                Ok(true) => {
                    inventory.delete.push(version);
                    continue;
                }
                Ok(false) => Kept::NotOurs,
                Err(number) if evidence.records.len() < READS => return Decision::Read(number),
                Err(_) => Kept::Later,
            }
        };
        inventory.kept.insert(version, kept);
    }
    Decision::Inventory(inventory)
}

/// The history of a service that is at rest.
fn at_rest<'a>(evidence: &Evidence<'a>) -> Result<&'a Head, Unrest> {
    if !evidence.state.is_none_or(|state| matches!(state.phase, Phase::Held { .. })) {
        return Err(Unrest::UnderWay);
    }
    let head = evidence.head.ok_or(Unrest::NoHistory)?;
    let live = head.last_live().and_then(|record| record.to.version).ok_or(Unrest::NoHistory)?;
    let ours = evidence.aliases.iter().find(|alias| alias.name == evidence.alias.as_str());
    let ours = ours.filter(|alias| alias.version == Some(live) && alias.additional.is_none());
    let ours = ours.ok_or(Unrest::AliasMoved)?;
    // The alias is written before history is: a transition that is not recorded yet is not over.
    if ours.marker.as_ref().is_some_and(|marker| marker.transition > head.number) {
        return Err(Unrest::NoHistory);
    }
    let is_known =
        |name: &str| [Some(evidence.alias), evidence.preview].into_iter().flatten().any(|a| a.as_str() == name);
    match evidence.aliases.iter().find(|alias| alias.marker.is_some() && !is_known(&alias.name)) {
        Some(other) => Err(Unrest::SharedFunction { alias: other.name.clone() }),
        None => Ok(head),
    }
}

/// What somebody may ask for.
struct Needs<'a> {
    evidence: &'a Evidence<'a>,
    head: &'a Head,
    held: BTreeSet<Version>,
    newest: BTreeSet<Version>,
}

impl<'a> Needs<'a> {
    fn of(evidence: &'a Evidence<'a>, head: &'a Head) -> Self {
        Self { evidence, head, held: held(evidence, head), newest: newest(evidence, head) }
    }

    fn of_version(&self, published: &Published) -> Option<Kept> {
        let version = Some(published.version);
        let naming = self.evidence.aliases.iter().find(|alias| alias.version == version || alias.additional == version);
        if let Some(alias) = naming {
            return Some(Kept::Alias(alias.name.clone()));
        }
        if self.held.contains(&published.version) {
            return Some(Kept::Hold);
        }
        if self.newest.contains(&published.version) {
            return Some(Kept::Newest);
        }
        let last_needed =
            live_until(self.head, published.version).map_or(published.at, |until| until.max(published.at));
        (last_needed > self.evidence.policy.oldest(self.evidence.now)).then_some(Kept::Young)
    }
}

/// The versions of what is held out, which a person may let in again, and of what is live instead.
fn held(evidence: &Evidence<'_>, head: &Head) -> BTreeSet<Version> {
    let by_state = evidence.state.map(|state| &state.release.id);
    let by_marker = evidence.aliases.iter().filter_map(|alias| alias.marker.as_ref()?.held.as_ref());
    let releases: BTreeSet<&ReleaseId> = by_state.into_iter().chain(by_marker).collect();
    let known = head.known().flat_map(|record| [Some(&record.to), record.from.as_ref()]).flatten();
    let versions =
        known.filter(|deployed| releases.contains(&deployed.release)).filter_map(|deployed| deployed.version);
    let instead = evidence.state.and_then(|state| state.from.as_ref()?.version);
    versions.chain(instead).collect()
}

/// The highest numbers, and those that a rollback would go back to first. A rollback never comes to versions that were bad,
/// so these do not count for the second.
fn newest(evidence: &Evidence<'_>, head: &Head) -> BTreeSet<Version> {
    let count = evidence.policy.keep_versions;
    let all: BTreeSet<Version> = evidence.versions.iter().map(|published| published.version).collect();
    let mut newest: BTreeSet<Version> = all.into_iter().rev().take(count).collect();
    let live = head.known().filter(|record| record.kind.is_live() && head.is_good(&record.to.release));
    let mut good = Vec::new();
    for version in live.filter_map(|record| record.to.version) {
        if !good.contains(&version) && good.len() < count {
            good.push(version);
        }
    }
    newest.extend(good);
    newest
}

/// When a version stopped being live, as far as the newest records know; far in the future for the one that is live.
fn live_until(head: &Head, version: Version) -> Option<DateTime<Utc>> {
    let mut next = DateTime::<Utc>::MAX_UTC;
    for record in head.known().filter(|record| record.kind.is_live()) {
        if record.to.version == Some(version) {
            return Some(next);
        }
        next = record.finished;
    }
    None
}

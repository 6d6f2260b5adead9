//! Decides whether a history is as it was written: by the chain of hashes, by the head, and by the marker in the alias.
//!
//! The chain says what each record was, the head says which is the last, and the alias, which lies elsewhere and under other
//! rights, says how many there have to be. What none of them can tell: a history that was written anew from some record on,
//! head and alias included. Against that, note the last hash down elsewhere.
use std::collections::BTreeMap;

use release_schema::{EnvironmentName, ServiceName};
use serde::{Deserialize, Serialize};

use crate::history::{RecordHash, hash_bytes};
use crate::ids::TransitionNumber;
use crate::marker::Marker;

mod alias;
mod chain;
mod finding;
mod head;

pub use finding::{Finding, Place};

/// Everything that was read of one service's history.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    /// Whose.
    pub environment: &'a EnvironmentName,
    /// Whose.
    pub service: &'a ServiceName,
    /// The bytes of each record, by the number in its object's name.
    pub records: &'a BTreeMap<TransitionNumber, Vec<u8>>,
    /// Names among them that are no record's.
    pub strays: &'a [String],
    /// The bytes of the head.
    pub head: Option<&'a [u8]>,
    /// The alias, read before all of it.
    pub alias: &'a Alias,
    /// The transition that the service's stored state says is under way, read after the alias and before the head.
    pub under_way: Option<TransitionNumber>,
}

/// The alias, as far as it can be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Alias {
    /// It carries our marker.
    Marked(Marker),
    /// It carries none: nobody but a person, or nobody yet, wrote it.
    Unmarked,
    /// There is no such alias.
    Missing,
    /// Git does not have the service, so nobody knows its function.
    NotInGit,
    /// It could not be read.
    Unreadable {
        /// Why, for people.
        message: String,
    },
}

/// What the alias says of how many records there are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "says", deny_unknown_fields)]
pub enum Testimony {
    /// It was last written by a transition that history has.
    Agrees {
        /// Which.
        transition: TransitionNumber,
    },
    /// It was last written by the transition that is under way, which has no record yet.
    UnderWay {
        /// Which.
        transition: TransitionNumber,
    },
    /// Something else than history: there is a finding.
    Disagrees,
    /// Nothing: it carries no marker.
    Unmarked,
    /// Nothing: there is none.
    Missing,
    /// Nothing: Git does not have the service any more, so nobody knows its function.
    NotInGit,
    /// It could not be read.
    Unreadable {
        /// Why, for people.
        message: String,
    },
}

/// The last record, and what everything before it is chained to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Last {
    /// Its number.
    pub number: TransitionNumber,
    /// Its hash.
    pub hash: RecordHash,
}

/// What came of looking at one service's history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// How many records were read.
    pub records: usize,
    /// The last record; `None` where there is none.
    pub last: Option<Last>,
    /// What the alias says.
    pub alias: Testimony,
    /// What is not as it was written, the newest first.
    pub findings: Vec<Finding>,
}

/// One object that should be a record: its hash, and what the chain needs of it. Only that is read, so that records of a newer
/// build are verified as well.
struct Content<'a> {
    bytes: &'a [u8],
    hash: RecordHash,
    link: Option<Link>,
}

/// What the chain needs of a record.
#[derive(Deserialize)]
struct Link {
    number: TransitionNumber,
    previous: Option<RecordHash>,
    environment: String,
    service: String,
}

/// All contents, by the number in their name and by their hash.
struct Contents<'a> {
    at: BTreeMap<TransitionNumber, Content<'a>>,
    with: BTreeMap<String, TransitionNumber>,
}

impl<'a> Contents<'a> {
    fn of(records: &'a BTreeMap<TransitionNumber, Vec<u8>>) -> Self {
        let content =
            |bytes: &'a Vec<u8>| Content { bytes, hash: hash_bytes(bytes), link: serde_json::from_slice(bytes).ok() };
        let at: BTreeMap<_, _> = records.iter().map(|(number, bytes)| (*number, content(bytes))).collect();
        let with = at.iter().map(|(number, content)| (content.hash.0.clone(), *number)).collect();
        Self { at, with }
    }

    fn with(&self, hash: &RecordHash) -> Option<&Content<'a>> {
        self.at.get(self.with.get(&hash.0)?)
    }

    /// The number that what has this hash says of itself.
    fn number_with(&self, hash: &RecordHash) -> Option<TransitionNumber> {
        self.with(hash)?.link.as_ref().map(|link| link.number)
    }
}

/// Looks at all of a service's history.
#[must_use]
pub fn verify(evidence: &Evidence<'_>) -> Verification {
    let contents = Contents::of(evidence.records);
    let (head, anchor, mut findings) = head::anchor(evidence.head, &contents);
    let chain = chain::walk(&contents, anchor);
    findings.extend(head.iter().flat_map(|head| head.retold(&chain)));
    findings.extend(foreign(evidence, &chain));
    findings.extend(chain.findings.iter().cloned());
    findings.extend(evidence.strays.iter().map(|name| Finding::Stray { name: name.clone() }));
    let (alias, disagreement) = alias::hear(evidence, &chain);
    findings.splice(0..0, disagreement);
    // What was never written is not missing.
    if evidence.records.is_empty() && evidence.head.is_none() {
        findings.retain(|finding| *finding != Finding::HeadMissing);
    }
    Verification {
        environment: evidence.environment.clone(),
        service: evidence.service.clone(),
        records: evidence.records.len(),
        last: chain.last(),
        alias,
        findings,
    }
}

/// The whole folder of another service's would be a chain as well.
fn foreign(evidence: &Evidence<'_>, chain: &chain::Chain<'_>) -> Option<Finding> {
    chain.genuine.iter().rev().find_map(|(number, content)| {
        let link = content.link.as_ref()?;
        let own = link.environment == evidence.environment.as_str() && link.service == evidence.service.as_str();
        (!own).then(|| Finding::Foreign { number: *number, of: format!("{}/{}", link.environment, link.service) })
    })
}

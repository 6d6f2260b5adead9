//! Walks the chain from its newest end: which records are what the one after them says.
use std::collections::BTreeMap;

use super::{Content, Contents, Finding, Last};
use crate::history::RecordHash;
use crate::ids::TransitionNumber;

/// What the walk came to.
pub(super) struct Chain<'a> {
    /// The records that are what they were, by number; where one lies does not matter here.
    pub(super) genuine: BTreeMap<TransitionNumber, &'a Content<'a>>,
    /// The number up to which records are accounted for, be they right or wrong.
    pub(super) end: TransitionNumber,
    /// What is wrong, the newest first.
    pub(super) findings: Vec<Finding>,
}

impl Chain<'_> {
    /// The newest record that is what it was.
    pub(super) fn last(&self) -> Option<Last> {
        let (number, content) = self.genuine.last_key_value()?;
        Some(Last { number: *number, hash: content.hash.clone() })
    }
}

/// The hash that a record should have, and whether what says so is itself as it was.
struct Claim {
    hash: RecordHash,
    trusted: bool,
}

/// A content that is not what should be there. What it is instead is known once the walk is over.
struct Wrong<'a> {
    number: TransitionNumber,
    content: &'a Content<'a>,
    claim: Option<Claim>,
}

struct Walk<'a> {
    contents: &'a Contents<'a>,
    genuine: BTreeMap<TransitionNumber, &'a Content<'a>>,
    wrong: Vec<Wrong<'a>>,
    findings: Vec<Finding>,
}

/// Walks down from `anchor`, the last record as the head says; without a head, from the highest number there is. Then looks at
/// what lies above it.
pub(super) fn walk<'a>(contents: &'a Contents<'a>, anchor: Option<Last>) -> Chain<'a> {
    let mut walk = Walk { contents, genuine: BTreeMap::new(), wrong: Vec::new(), findings: Vec::new() };
    let top = anchor.as_ref().map(|last| last.number).or_else(|| contents.at.keys().next_back().copied());
    let claim = anchor.as_ref().map(|last| Claim { hash: last.hash.clone(), trusted: true });
    let top = top.unwrap_or(TransitionNumber(0));
    walk.down(top, claim);
    let above = anchor.map(|anchor| walk.up(&anchor)).unwrap_or_default();
    let misplaced: Vec<Finding> = walk.wrong.iter().map(|wrong| explained(contents, &walk.genuine, wrong)).collect();
    let mut findings = [above, walk.findings, misplaced].concat();
    findings.sort_by_key(|finding| match finding.place() {
        super::Place::Record(number) => std::cmp::Reverse(number),
        super::Place::Head | super::Place::Stray(_) => std::cmp::Reverse(TransitionNumber(u64::MAX)),
    });
    let end = walk.genuine.keys().next_back().copied().unwrap_or(top).max(top);
    Chain { genuine: walk.genuine, end, findings }
}

impl<'a> Walk<'a> {
    fn down(&mut self, top: TransitionNumber, claim: Option<Claim>) {
        let (mut number, mut claim) = (top, claim);
        while number.0 > 0 {
            let here = self.contents.at.get(&number);
            let right = claim.as_ref().and_then(|claim| self.contents.with(&claim.hash));
            let right = right.filter(|content| says(content, number));
            (number, claim) = match (right, here) {
                (Some(right), _) => {
                    if here.is_none_or(|here| here.hash != right.hash) {
                        self.displaced(number, here, claim);
                    }
                    (before(number), self.accept(number, right))
                }
                (None, Some(here)) if claim.is_none() && says(here, number) => {
                    (before(number), self.accept(number, here))
                }
                (None, Some(here)) => {
                    // It may still be right about the one before it, but it is no proof.
                    let previous = here.link.as_ref().filter(|link| link.number == number);
                    let previous = previous.and_then(|link| link.previous.clone());
                    self.wrong.push(Wrong { number, content: here, claim });
                    (before(number), previous.map(|hash| Claim { hash, trusted: false }))
                }
                (None, None) => (self.gap(number, claim), None),
            };
        }
    }

    /// A record is what it was: what does it say of the one before it.
    fn accept(&mut self, number: TransitionNumber, content: &'a Content<'a>) -> Option<Claim> {
        self.genuine.insert(number, content);
        let previous = content.link.as_ref().and_then(|link| link.previous.clone());
        let below = before(number);
        let expected = self.contents.at.get(&below).map(|below| below.hash.clone());
        if (number == TransitionNumber::FIRST) == previous.is_some() {
            self.findings.push(Finding::Unchained { number, expected, found: previous.clone() });
        }
        previous.map(|hash| Claim { hash, trusted: true })
    }

    /// The right content is there, but not in its place.
    fn displaced(&mut self, number: TransitionNumber, here: Option<&'a Content<'a>>, claim: Option<Claim>) {
        match here {
            Some(content) => self.wrong.push(Wrong { number, content, claim }),
            None => {
                let expected = claim.map(|claim| claim.hash);
                self.findings.push(Finding::Missing { first: number, last: number, expected });
            }
        }
    }

    /// Nothing is there, down to the next number that is; gives that.
    fn gap(&mut self, last: TransitionNumber, claim: Option<Claim>) -> TransitionNumber {
        let below = self.contents.at.range(..last).next_back().map_or(TransitionNumber(0), |(number, _)| *number);
        let expected = claim.map(|claim| claim.hash);
        self.findings.push(Finding::Missing { first: below.next(), last, expected });
        below
    }

    /// What lies above the head's last record. One that is chained to it is a record whose head is not written yet; more of
    /// them were written with heads that are gone.
    fn up(&mut self, anchor: &Last) -> Vec<Finding> {
        let mut end = anchor.clone();
        let mut findings = Vec::new();
        for (number, content) in self.contents.at.range(anchor.number.next()..) {
            let previous = content.link.as_ref().and_then(|link| link.previous.as_ref());
            if *number == end.number.next() && says(content, *number) && previous == Some(&end.hash) {
                self.genuine.insert(*number, content);
                end = Last { number: *number, hash: content.hash.clone() };
            } else if !says(content, *number) {
                self.wrong.push(Wrong { number: *number, content, claim: None });
            } else {
                let (expected, found) = (Some(end.hash.clone()), previous.cloned());
                findings.push(Finding::Unchained { number: *number, expected, found });
            }
        }
        if end.number > anchor.number.next() {
            findings.push(Finding::HeadBehind { number: anchor.number, last: end.number });
        }
        findings
    }
}

/// What a content in the wrong place is.
fn explained(
    contents: &Contents<'_>,
    genuine: &BTreeMap<TransitionNumber, &Content<'_>>,
    wrong: &Wrong<'_>,
) -> Finding {
    let Wrong { number, content, claim } = wrong;
    let (number, found) = (*number, content.hash.clone());
    let own = content.link.as_ref().map(|link| link.number).filter(|own| *own != number);
    let own = own.filter(|own| genuine.get(own).is_some_and(|genuine| genuine.hash == found));
    let expected = claim.as_ref().map(|claim| claim.hash.clone());
    if let Some(own) = own {
        let at_home = contents.at.get(&own).is_some_and(|home| home.hash == found);
        return if at_home {
            Finding::Duplicated { number, of: own, expected, found }
        } else {
            Finding::Reordered { number, holds: own, expected, found }
        };
    }
    match claim {
        Some(Claim { hash, trusted: true }) => Finding::Changed { number, expected: hash.clone(), found },
        Some(Claim { hash, trusted: false }) => Finding::Unproven { number, expected: hash.clone(), found },
        None => Finding::Unreadable { number, found },
    }
}

/// Whether a content says of itself that it is the record with this number.
fn says(content: &Content<'_>, number: TransitionNumber) -> bool {
    content.link.as_ref().is_some_and(|link| link.number == number)
}

const fn before(number: TransitionNumber) -> TransitionNumber {
    TransitionNumber(number.0.saturating_sub(1))
}

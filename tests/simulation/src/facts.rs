//! What is true of a world, whatever the controller believes: written down by the world itself, and asked by invariants.
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use local_aws::inspect::FunctionView;

use crate::release::{Content, Place, Strategy, Wanted};

/// Who makes a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// A person, or the world itself.
    Person,
    /// A controller process, and what it does at the moment.
    Process(Running),
}

/// A command that a process runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The process.
    pub process: u32,
    /// The command's id, which is the lease's holder.
    pub id: String,
    /// The environment.
    pub environment: &'static str,
    /// The service and word, where it is a person's.
    pub word: Option<(Place, &'static str)>,
    /// Whether no valid content could be read from Git when it began.
    pub frozen: bool,
    /// The newest record of the word's service when it began.
    pub recorded: Option<u64>,
    /// Whether it is stopped in the middle for longer than it may run, as a machine that sleeps is.
    pub stalled: bool,
}

/// What is true of one function.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// As it was after the last call.
    pub view: Option<FunctionView>,
    /// Versions that had all traffic once by a write of the controller's, or were live at the beginning.
    pub been_live: BTreeSet<u64>,
    /// Versions that a person gave all traffic by hand.
    pub by_hand: BTreeSet<u64>,
    /// Versions that the controller published, and the memory that Git gave then: the same content without it is another release.
    pub ours: BTreeMap<u64, Option<u32>>,
    /// The share of the traffic, in hundredths of a percent, that the controller's last write gave each version that it named then.
    pub given: BTreeMap<u64, u32>,
    /// The strategy that Git wanted then.
    pub followed: Option<Strategy>,
    /// Since when the alias has the weights that it has.
    pub since: Option<DateTime<Utc>>,
    /// Versions that a rollback took the traffic from, until Git wants something else or a person lifts the hold.
    pub held: BTreeSet<u64>,
    /// Those of them that Git wanted again by then, in a commit that nobody had read.
    pub overtaken: BTreeSet<u64>,
    /// Whether a call of the controller's created the alias, and nothing that it stored since tells of that.
    pub untold: bool,
    /// Since when an edit of the alias by a person is not answered.
    pub edited: Option<DateTime<Utc>>,
    /// Whether a person ever changed the alias, or lost what tells how it was left.
    pub touched: bool,
    /// Whether a person said that the rollout is to go on, since the last step.
    pub promoted: bool,
    /// Whether a person said that all steps are to be gone over.
    pub promoted_fully: bool,
    /// Mutating Lambda calls that the word under way had.
    pub effects_of_word: u32,
}

impl Known {
    /// From now on nothing proves of what a rollback took traffic from, and Git wanted already, that it was rolled back.
    pub fn forget_overtaken(&mut self) {
        for number in std::mem::take(&mut self.overtaken) {
            self.held.remove(&number);
        }
    }
}

/// A commit of the release repository.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The one before it.
    pub parent: Option<String>,
    /// What it says.
    pub content: Content,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// By place.
    pub functions: BTreeMap<Place, Known>,
    /// Every commit that was pushed.
    pub commits: BTreeMap<String, Commit>,
    /// What `main` names.
    pub newest: String,
    /// The commit that was applied last, by environment.
    pub applied: BTreeMap<String, String>,
    /// Which digest is what tag, by service: the hex of each image that was ever pushed.
    pub images: BTreeMap<(String, String), String>,
    /// Commits that a rewritten branch may be followed to.
    pub confirmed: BTreeSet<String>,
    /// Whether metrics are lost.
    pub no_metrics: bool,
    /// Commands that stood still, and whose one call that was on its way then was not sent yet.
    pub woken: BTreeSet<String>,
    /// What commands were told last of a version that was out of date: the command's id, and the function with its qualifier.
    pub misled: BTreeSet<(String, String)>,
    /// What ticks were refused because somebody else had written it meanwhile: the command's id and the resource.
    pub refused: BTreeSet<(String, String)>,
}

impl Facts {
    /// What Git wants of a service at a commit.
    #[must_use]
    pub fn wanted(&self, commit: &str, place: Place) -> Option<&Wanted> {
        self.commits.get(commit)?.content.services.get(&place)
    }

    /// The tag that Git wants of a service where no tick has applied that yet: nobody's word can be about it.
    #[must_use]
    pub fn unseen(&self, place: Place) -> Option<&str> {
        let release = |commit: &str| self.wanted(commit, place).map(|wanted| (&wanted.tag, wanted.memory));
        let is_unseen = release(self.applied.get(place.0)?) != release(&self.newest);
        self.wanted(&self.newest, place).filter(|_| is_unseen).map(|wanted| wanted.tag.as_str())
    }

    /// Whether a commit is, or descends from, another.
    #[must_use]
    pub fn descends(&self, commit: &str, from: &str) -> bool {
        let parents = |id: &&str| self.commits.get(*id)?.parent.as_deref();
        std::iter::successors(Some(commit), parents).any(|id| id == from)
    }

    /// Whether metrics decide about a service, as far as the content in force says.
    #[must_use]
    pub fn judged(&self, place: Place) -> bool {
        let applied = self.applied.get(place.0);
        applied.and_then(|commit| self.wanted(commit, place)).is_some_and(|wanted| wanted.judged)
    }

    /// The tag that an image was pushed as.
    #[must_use]
    pub fn tag(&self, service: &str, digest: &str) -> Option<&str> {
        self.images.get(&(service.to_owned(), digest.to_owned())).map(String::as_str)
    }

    /// The place of a function.
    #[must_use]
    pub fn place(&self, function: &str) -> Option<Place> {
        self.functions.keys().copied().find(|place| crate::release::function(*place) == function)
    }
}

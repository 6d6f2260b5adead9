//! A story: what a world begins with, what people do in which minute, and how it has to end.
use crate::release::{Flaw, Place, Wanted};

/// What somebody does, or what happens to the world.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A merge to `main`: a service is wanted so from now on.
    Merge(Place, Wanted),
    /// `main` gets the content of so many commits ago, as a new commit.
    Revert(usize),
    /// `main` is force-pushed to where it was so many pushes ago, with one more commit on it.
    Rewrite(usize),
    /// A merge that makes an environment's file invalid.
    MergeBroken(&'static str, Flaw),
    /// The Git server goes down, or comes back.
    Git(bool),
    /// A tag is pushed again, as another image.
    PushAgain(Place, String),
    /// Somebody moves the alias by hand: the version, and a second one with a share in percent.
    EditAlias(Place, u64, Option<(u64, u8)>),
    /// Somebody lets the alias name `$LATEST`.
    AliasOfLatest(Place),
    /// Somebody deletes the alias.
    DeleteAlias(Place),
    /// Somebody deletes a version. AWS refuses that where an alias names it.
    DeleteVersion(Place, u64),
    /// Somebody changes the memory of `$LATEST` by hand.
    EditLatest(Place),
    /// Somebody changes the reserved concurrency by hand.
    EditConcurrency(Place, u32),
    /// An alarm changes its state.
    Alarm(Place, bool),
    /// A stored document is deleted: the service's state, its history's head, the desired document; or all of them.
    Lose(Place, Document),
    /// `tidegate rollback`.
    RollBack(Place),
    /// `tidegate rollback --to RECORD`.
    RollBackTo(Place, u64),
    /// Another word to a service.
    Say(Place, Word),
    /// A version that is not invoked for weeks becomes `Inactive`.
    Idle(Place, u64),
    /// Metrics are lost from now on, or come again.
    Metrics(bool),
    /// A person accepts where a rewritten `main` is now: `sync --confirm`.
    Confirm(&'static str),
    /// So many minutes go by without a tick.
    Sleep(u32),
}

/// A stored document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// What is under way.
    State,
    /// The newest end of history.
    Head,
    /// The environment's last valid content.
    Desired,
    /// All that is stored, of every service and environment.
    All,
}

/// What a person says to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// `promote`.
    Promote,
    /// `promote --full`.
    PromoteFull,
    /// `abort`.
    Abort,
    /// `pause`.
    Pause,
    /// `resume`.
    Resume,
    /// `retry`.
    Retry,
    /// `unhold`.
    Unhold,
    /// `sync ENV/SERVICE`: hand edits are gone over.
    Sync,
}

/// How a service has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// All traffic has what this tag was when it was released, and it is what Git wants.
    Synced(Place, &'static str),
    /// The same, where the tag was pushed again before anything was pinned: no version has its first image.
    SyncedLate(Place, &'static str),
    /// All traffic has this tag's image, and something else that Git wants is held out until somebody decides.
    Kept(Place, &'static str),
    /// All traffic has this tag's image, and nothing is under way; something is told as drift.
    Drifted(Place, &'static str),
}

impl Ending {
    /// Of which service.
    #[must_use]
    pub const fn place(&self) -> Place {
        match self {
            Self::Synced(place, _) | Self::SyncedLate(place, _) | Self::Kept(place, _) | Self::Drifted(place, _) => {
                *place
            }
        }
    }
}

/// A story without its faults.
#[derive(Clone, Debug)]
pub struct Story {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, in a sentence.
    pub about: &'static str,
    /// What Git wants before it begins; all of it is live then, unless it is about a first deploy.
    pub before: Vec<(Place, Wanted)>,
    /// Whether nothing was ever deployed before.
    pub first: bool,
    /// What happens in which minute, in order.
    pub events: Vec<(u32, Event)>,
    /// How each service may end: one of these.
    pub endings: Vec<Ending>,
    /// The minute in which two ticks and a rollback are played at the same time, where they are.
    pub overlap: Option<u32>,
    /// How many minutes it takes without faults until it has ended; more are given where faults hit.
    pub minutes: u32,
}

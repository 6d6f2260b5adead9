//! Says which bug is planted in the controller on this thread: none, unless the simulation planted one to find it.
//!
//! What is shipped is built without the feature `planted`, and so without this crate and without every place that asks it.
use std::cell::Cell;

/// A bug that a system of this kind shipped once, or that breaks the protocol of lease, marker, state and history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bug {
    /// `PipeCD` #1600: a rollback restores everything else, and never reaches the alias.
    RollbackMissesAlias,
    /// `PipeCD`: the alias is written without the `RevisionId` that it was read with.
    AliasWithoutRevision,
    /// `PipeCD`: after a promotion the previous version stays on the alias, at weight 0.
    PreviousAtWeightZero,
    /// lambroll #366: the version before is the next lower number.
    PreviousIsLowerNumber,
    /// lambroll: a rollback leaves the old weights on the alias.
    RollbackLeavesWeights,
    /// Argo Rollouts #4841: an aborted canary keeps its weight for ever.
    AbortedKeepsWeight,
    /// Argo Rollouts #3850: an inconclusive analysis is a pass once the step's time is over.
    InconclusivePasses,
    /// Argo Rollouts #3354: a second release before the first ended is stuck.
    SecondReleaseStuck,
    /// Argo Rollouts #3589: weights beyond 0 and 100 %.
    WeightsOutOfRange,
    /// Argo Rollouts #1411: a failed analysis does not stop the rollout.
    FailedAnalysisPasses,
    /// Flagger #1931: a failure after the promotion sends everything to the broken version.
    FailureGoesToBroken,
    /// Flagger #1689: no metrics are good metrics.
    NoMetricsPass,
    /// Argo CD #9570: what was rolled back is released again by the next tick.
    RolledBackIsReleasedAgain,
    /// Argo CD #18442: after one failed write nothing is tried until Git changes.
    OneFailureIsFinal,
    /// `CodeDeploy`, serverless-plugin-canary-deployments #159: throttled half-way, it counts as done.
    ThrottledCountsAsDone,
    /// `CodeDeploy`, SAM #716: an alarm that was red before stops the release that is to fix it.
    RedAlarmStopsTheFix,
    /// Argo Workflows CVE-2026-40886: a panic about one service ends every tick.
    PanicEndsTheTick,
    /// Flux CVE-2022-39272: one invalid file stops every environment.
    OneInvalidStopsAll,
    /// YAML: of two services with the same key the last one is taken.
    DuplicateKeyTakesLast,
    /// Protocol: a lease that somebody holds is taken from them.
    LeaseTakenFromOthers,
    /// Protocol: an alias that somebody else changed is read and written again.
    BlindRetryOfAlias,
    /// Protocol: stored state that somebody else changed is read and written over.
    BlindRetryOfState,
    /// Protocol: the head of a history names a record before that is stored.
    HeadBeforeRecord,
    /// Protocol: the intent is stored after its effect.
    IntentAfterEffect,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 24] = [
        Self::RollbackMissesAlias,
        Self::AliasWithoutRevision,
        Self::PreviousAtWeightZero,
        Self::PreviousIsLowerNumber,
        Self::RollbackLeavesWeights,
        Self::AbortedKeepsWeight,
        Self::InconclusivePasses,
        Self::SecondReleaseStuck,
        Self::WeightsOutOfRange,
        Self::FailedAnalysisPasses,
        Self::FailureGoesToBroken,
        Self::NoMetricsPass,
        Self::RolledBackIsReleasedAgain,
        Self::OneFailureIsFinal,
        Self::ThrottledCountsAsDone,
        Self::RedAlarmStopsTheFix,
        Self::PanicEndsTheTick,
        Self::OneInvalidStopsAll,
        Self::DuplicateKeyTakesLast,
        Self::LeaseTakenFromOthers,
        Self::BlindRetryOfAlias,
        Self::BlindRetryOfState,
        Self::HeadBeforeRecord,
        Self::IntentAfterEffect,
    ];

    /// Who shipped it.
    #[must_use]
    pub const fn origin(self) -> &'static str {
        match self {
            Self::RollbackMissesAlias => "PipeCD #1600",
            Self::AliasWithoutRevision | Self::PreviousAtWeightZero => "PipeCD",
            Self::PreviousIsLowerNumber => "lambroll #366",
            Self::RollbackLeavesWeights => "lambroll",
            Self::AbortedKeepsWeight => "Argo Rollouts #4841",
            Self::InconclusivePasses => "Argo Rollouts #3850",
            Self::SecondReleaseStuck => "Argo Rollouts #3354",
            Self::WeightsOutOfRange => "Argo Rollouts #3589",
            Self::FailedAnalysisPasses => "Argo Rollouts #1411",
            Self::FailureGoesToBroken => "Flagger #1931",
            Self::NoMetricsPass => "Flagger #1689",
            Self::RolledBackIsReleasedAgain => "Argo CD #9570",
            Self::OneFailureIsFinal => "Argo CD #18442",
            Self::ThrottledCountsAsDone => "serverless-plugin-canary-deployments #159",
            Self::RedAlarmStopsTheFix => "SAM #716",
            Self::PanicEndsTheTick => "CVE-2026-40886",
            Self::OneInvalidStopsAll => "CVE-2022-39272",
            Self::DuplicateKeyTakesLast => "YAML",
            Self::LeaseTakenFromOthers
            | Self::BlindRetryOfAlias
            | Self::BlindRetryOfState
            | Self::HeadBeforeRecord
            | Self::IntentAfterEffect => "the protocol",
        }
    }
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
    static PANICS: Cell<bool> = const { Cell::new(false) };
}

/// Whether this bug is planted here.
#[must_use]
pub fn is(bug: Bug) -> bool {
    planted() == Some(bug)
}

/// The bug that is planted here.
#[must_use]
pub fn planted() -> Option<Bug> {
    PLANTED.get()
}

/// Plants a bug on this thread, or takes it out.
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// From now on deciding about a service that wants [`POISON`] panics on this thread, or does so no more.
pub fn poison(on: bool) {
    PANICS.set(on);
}

/// The tag that makes deciding panic.
pub const POISON: &str = "v1.3.0-bad";

/// Panics where this tag is poison: without the hook, which would make a backtrace of it, and hold more memory than a command may.
pub fn swallow(tag: Option<&str>) {
    if PANICS.get() && tag == Some(POISON) {
        std::panic::resume_unwind(Box::new(format!("the planner does not like {POISON}")));
    }
}

//! What may go wrong with a call on purpose: a hook sees each one and says how it fails, if at all.
use std::sync::Arc;
use std::time::Duration;

use crate::wire::{AwsError, Call};

/// How one call fails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// It does not.
    #[default]
    None,
    /// It is answered this much later: tokio's time, not the world's. The effect comes after the delay.
    Delay(Duration),
    /// It is refused with this error, without an effect.
    FailBefore(AwsError),
    /// The connection breaks before the request arrived: no effect, no answer.
    LoseRequest,
    /// The effect happens, then the connection breaks.
    LoseAnswer,
    /// It is throttled in the form of its service, without an effect.
    Throttle,
    /// It is never answered and has no effect.
    Hang,
    /// It is answered with what was so many changes ago, as far as that is remembered (see
    /// [`LocalAws::remember_changes`](crate::LocalAws::remember_changes)). For calls of Lambda, Parameter Store and ECR
    /// that only read; S3 is strongly consistent, and answers as ever.
    Stale(usize),
}

/// Sees every call after its effect, with the status of its answer, before a fault loses that; none where the call never
/// arrived.
pub type Observer = Arc<dyn Fn(&Call, Option<u16>) + Send + Sync>;

/// Sees every call, signed and named, before it has any effect.
pub type Hook = Arc<dyn Fn(&Call) -> Fault + Send + Sync>;

/// The connection broke: the caller has no answer and cannot know whether there was an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the connection was lost")]
pub struct Lost;

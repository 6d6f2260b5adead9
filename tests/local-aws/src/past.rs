//! Answers a read with what was some changes ago: AWS's own copies lag, and nobody promises by how much.
use std::collections::VecDeque;

use crate::wire::{Answer, AwsError, Call, Service};
use crate::world::is_mutating;
use crate::{LocalAws, ecr, lambda, ssm};

/// What was before each of the last changes, the oldest first.
#[derive(Clone, Default)]
pub(crate) struct Past {
    /// How many changes are remembered.
    depth: usize,
    lambda: VecDeque<lambda::Functions>,
    ssm: VecDeque<ssm::State>,
    ecr: VecDeque<ecr::State>,
}

impl LocalAws {
    /// From now on remembers what was before each of the last `depth` changes of each service, for
    /// [`Fault::Stale`](crate::Fault::Stale).
    pub fn remember_changes(&self, depth: usize) {
        self.past().depth = depth;
    }

    /// Remembers what is, before a call that changes it.
    pub(crate) fn remember(&self, call: &Call) {
        let past = &mut *self.past();
        if past.depth == 0 || !is_mutating(call.operation) {
            return;
        }
        match call.service {
            Service::Lambda => push(&mut past.lambda, past.depth, self.lambda().functions()),
            Service::Ssm => push(&mut past.ssm, past.depth, self.ssm().clone()),
            Service::Ecr => push(&mut past.ecr, past.depth, self.ecr().clone()),
            Service::S3 | Service::CloudWatch | Service::Sts | Service::Scheduler => {}
        }
    }

    /// Serves a call with what was so many changes ago.
    pub(crate) async fn serve_past(&self, changes: usize, call: Call) -> Result<Answer, AwsError> {
        // An invocation runs what there is.
        if is_mutating(call.operation) || call.operation == "Invoke" {
            return self.serve(call).await;
        }
        match call.service {
            Service::Lambda => {
                let Some(before) = nth_back(&self.past().lambda, changes) else { return self.serve(call).await };
                let now = self.lambda().replace_functions(before);
                let answer = self.serve(call).await;
                self.lambda().replace_functions(now);
                answer
            }
            Service::Ssm => {
                let Some(before) = nth_back(&self.past().ssm, changes) else { return self.serve(call).await };
                let now = std::mem::replace(&mut *self.ssm(), before);
                let answer = self.serve(call).await;
                *self.ssm() = now;
                answer
            }
            Service::Ecr => {
                let Some(before) = nth_back(&self.past().ecr, changes) else { return self.serve(call).await };
                let now = std::mem::replace(&mut *self.ecr(), before);
                let answer = self.serve(call).await;
                *self.ecr() = now;
                answer
            }
            Service::S3 | Service::CloudWatch | Service::Sts | Service::Scheduler => self.serve(call).await,
        }
    }
}

fn push<T>(past: &mut VecDeque<T>, depth: usize, state: T) {
    if past.len() == depth {
        past.pop_front();
    }
    past.push_back(state);
}

fn nth_back<T: Clone>(past: &VecDeque<T>, changes: usize) -> Option<T> {
    past.len().checked_sub(changes).and_then(|at| past.get(at)).cloned()
}

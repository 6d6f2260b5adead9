//! What a world is at one moment, to go on from as often as wanted: no world sees what happens in another.
use crate::past::Past;
use crate::world::Beginning;
use crate::{LocalAws, cloudwatch, ecr, lambda, s3, ssm, sts};

/// A world at one moment. Hooks, the log of calls, running programs, logs of functions and schedules are no part of it.
#[derive(Clone)]
pub struct Snapshot {
    beginning: Beginning,
    lambda: lambda::State,
    s3: s3::State,
    ssm: ssm::State,
    ecr: ecr::State,
    cloudwatch: cloudwatch::State,
    sts: sts::State,
    past: Past,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").field("beginning", &self.beginning).finish_non_exhaustive()
    }
}

impl LocalAws {
    /// This world as it is now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            beginning: self.beginning(),
            lambda: self.lambda().clone(),
            s3: self.s3().clone(),
            ssm: self.ssm().clone(),
            ecr: self.ecr().clone(),
            cloudwatch: self.cloudwatch().clone(),
            sts: self.sts().clone(),
            past: self.past().clone(),
        }
    }
}

impl Snapshot {
    /// A world that goes on from here: at the same server time, with the same chance.
    #[must_use]
    pub fn restore(&self) -> LocalAws {
        let Self { beginning, lambda, s3, ssm, ecr, cloudwatch, sts, past } = self.clone();
        let aws = LocalAws::begin(beginning);
        *aws.lambda() = lambda;
        *aws.s3() = s3;
        *aws.ssm() = ssm;
        *aws.ecr() = ecr;
        *aws.cloudwatch() = cloudwatch;
        *aws.sts() = sts;
        *aws.past() = past;
        aws
    }
}

//! Versions that nobody invokes for weeks: how one falls asleep in a test, and how its first invocation wakes it.
use chrono::{DateTime, Utc};

use super::code::{Code, still_there};
use super::model::{Reason, Transition, Version, VersionState};
use super::{Key, Target};
use crate::LocalAws;

/// The first invocation of an idle version fails, and makes Lambda fetch its image again.
pub(super) fn wake(aws: &LocalAws, version: &mut Version, now: DateTime<Utc>) {
    let code = &version.snapshot.code;
    let failure = match code {
        Code::Image(image) if !still_there(aws, image) => {
            Some(Reason::new("ImageDeleted", format!("The image {} was deleted.", image.resolved)))
        }
        Code::Image(_) | Code::Zip(_) => None,
    };
    version.state = VersionState::Pending;
    version.reason = Some(Reason::new("Restoring", "The function is being restored."));
    version.transition =
        Some(Transition { at: now + code.update_time(aws), revision: aws.uuid(), failure, previous: None });
}

impl LocalAws {
    /// Puts a version (`$LATEST`, a number or an alias's primary) into a state that only time or a fault would bring:
    /// `Inactive` after weeks without an invocation, for example. Whether there is such a version.
    pub fn set_version_state(
        &self,
        account: &str,
        region: &str,
        function: &str,
        qualifier: &str,
        state: VersionState,
    ) -> bool {
        let key = Key { account: account.to_owned(), region: region.to_owned(), name: function.to_owned() };
        let target = Target { key, qualifier: Some(qualifier.to_owned()) };
        let (now, revision) = (self.clock().now(), self.uuid());
        let mut lambda = self.lambda();
        let Ok(function) = lambda.function(&target, now) else { return false };
        let Ok(label) = function.qualified(&target).map(Version::label) else { return false };
        let Some(version) = function.version_mut(&label) else { return false };
        version.state = state;
        version.revision = revision;
        version.transition = None;
        version.reason = match state {
            VersionState::Active => None,
            VersionState::Inactive => Some(Reason::new("Idle", "The function is idle.")),
            VersionState::Pending => Some(Reason::creating()),
            VersionState::Failed => Some(Reason::new("InternalError", "The function could not be restored.")),
        };
        true
    }
}

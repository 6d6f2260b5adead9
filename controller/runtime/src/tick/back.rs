//! Tells those that wait which services' traffic is back, as soon as it is.
use std::collections::BTreeSet;

use release_schema::ServiceName;
use tokio::sync::watch;

/// The services of one rollback that nobody has to wait for any more.
#[derive(Debug, Default)]
pub struct Back(watch::Sender<BTreeSet<ServiceName>>);

impl Back {
    /// Its traffic is back, or will not be. Said twice, it has one effect.
    pub fn tell(&self, service: &ServiceName) {
        self.0.send_if_modified(|back| back.insert(service.clone()));
    }

    /// Waits for all of these.
    pub async fn all(&self, services: &BTreeSet<ServiceName>) {
        let mut back = self.0.subscribe();
        // An error says that nobody can tell any more; this does not outlive who tells.
        drop(back.wait_for(|back| services.is_subset(back)).await);
    }
}

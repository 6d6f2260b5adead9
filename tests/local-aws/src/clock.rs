//! The world's clock: it can run faster than the machine's, and stands still under tokio's paused time.
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

/// Server time. Everything that takes time in this AWS, and every answer's `Date`, is read from here.
#[derive(Clone, Debug)]
pub struct Clock {
    epoch: DateTime<Utc>,
    started: Instant,
    scale: f64,
}

impl Clock {
    /// A clock that starts at `epoch` and runs `scale` times as fast as tokio's time (60: a minute a second).
    #[must_use]
    pub fn new(epoch: DateTime<Utc>, scale: f64) -> Self {
        Self { epoch, started: Instant::now(), scale }
    }

    /// The time now, as the server tells it.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let elapsed = self.started.elapsed().mul_f64(self.scale);
        self.epoch + chrono::Duration::from_std(elapsed).unwrap_or(chrono::Duration::MAX)
    }

    /// Sleeps for `server_time` on this clock: a sixtieth of it where the clock runs sixty times as fast.
    pub async fn sleep(&self, server_time: Duration) {
        tokio::time::sleep(server_time.div_f64(self.scale)).await;
    }

    /// Sleeps until this clock shows `at`; not at all where it already does.
    pub async fn sleep_until(&self, at: DateTime<Utc>) {
        // Timers have milliseconds: one that is a fraction early must not be taken for late.
        while let Ok(left) = (at - self.now()).to_std()
            && !left.is_zero()
        {
            self.sleep(left.max(Duration::from_millis(1).mul_f64(self.scale))).await;
        }
    }
}

//! Decides when a call may go out: token buckets in front of Lambda's control plane and of Parameter Store's writes.
//!
//! AWS counts an account's calls in a region, whoever makes them: what Tidegate does not take is left to every other
//! deployment. A bucket holds a second's worth, so a rate below AWS's is never more than AWS's, a burst at its start included.
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use tidegate_core::shard::Shards;
use tokio::time::Instant;

use super::calls::throttled;
use crate::config::CallBudget;

/// What AWS takes of `GetFunction` in a second, for each account and region (Lambda quotas; it cannot be raised).
pub const MOST_GET_FUNCTION: u16 = 100;

/// What AWS takes in a second of all other control-plane calls together, for each account and region (the same page).
pub const MOST_CONTROL_PLANE: u16 = 15;

/// What Parameter Store takes of `PutParameter` in a second where an account and region pays for its higher throughput
/// (Systems Manager quotas); 3 where it does not.
pub const MOST_REGISTRY_WRITES: u16 = 10;

/// What people's words may take in a second: AWS's own rates, less a margin for who else is at work.
const WORDS: (u16, u16) = (MOST_GET_FUNCTION - 10, MOST_CONTROL_PLANE - 1);

/// A rate is never throttled to less than this share of its budget: a sweep must end some day.
const FLOOR: f64 = 0.125;

/// For how long a rate must not be throttled until it is its whole budget again, from none.
const RECOVERY: Duration = Duration::from_secs(60);

/// Calls that were under way when AWS throttled one are throttled as well: within this time they say nothing new.
const ECHO: Duration = Duration::from_secs(1);

/// Which of Lambda's rates a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// `GetFunction`, which has one of its own.
    GetFunction,
    /// All other calls of the control plane.
    ControlPlane,
}

/// Whoever waits for a token waits at least this long: those that came meanwhile go out together. A process that wakes up for
/// each of them alone finds the processor's caches cold each time, and spends several times the work on it.
const BATCH: Duration = Duration::from_millis(200);

/// There was no token in time: the call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no call was left in the budget before the time was up")]
pub struct Spent;

/// What the ticks of an environment, or of a shard of it, and people's words to it may call.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// Of the sweep: the environment's share, as configured, or an equal part of it for each shard.
    pub sweep: Arc<Budget>,
    /// Of people. It never waits behind the sweep, and is not slowed where AWS throttles.
    pub words: Arc<Budget>,
    /// Of writes to the service registry, whoever makes them.
    pub registry: Arc<Bucket>,
}

impl Budgets {
    /// Full ones, for one of so many schedules that have to do with this together.
    #[must_use]
    pub fn new(sweep: &CallBudget, among: Shards) -> Self {
        let (get_function, control_plane) = WORDS;
        let part = |calls: u16| f64::from(calls) / f64::from(among.count());
        Self {
            sweep: Arc::new(Budget::new(part(sweep.get_function.get()), part(sweep.control_plane.get()))),
            words: Arc::new(Budget::new(get_function.into(), control_plane.into())),
            registry: Arc::new(Bucket::new(part(sweep.registry_writes.get()))),
        }
    }
}

/// A bucket for each of Lambda's rates.
#[derive(Debug)]
pub struct Budget {
    get_function: Bucket,
    control_plane: Bucket,
}

impl Budget {
    fn new(get_function: f64, control_plane: f64) -> Self {
        Self { get_function: Bucket::new(get_function), control_plane: Bucket::new(control_plane) }
    }

    /// Waits for a call's token.
    ///
    /// # Errors
    /// Where there is none before `until`.
    pub async fn take(&self, rate: Rate, until: Instant) -> Result<(), Spent> {
        self.bucket(rate).take(until).await
    }

    const fn bucket(&self, rate: Rate) -> &Bucket {
        match rate {
            Rate::GetFunction => &self.get_function,
            Rate::ControlPlane => &self.control_plane,
        }
    }
}

/// Tokens that come at a rate. Whoever asked first gets the next one.
#[derive(Debug)]
pub struct Bucket {
    turn: tokio::sync::Mutex<()>,
    pace: Mutex<Pace>,
}

impl Bucket {
    fn new(a_second: f64) -> Self {
        Self { turn: tokio::sync::Mutex::new(()), pace: Mutex::new(Pace::new(a_second, Instant::now())) }
    }

    /// Waits for a token.
    ///
    /// # Errors
    /// Where there is none before `until`.
    pub async fn take(&self, until: Instant) -> Result<(), Spent> {
        let token = async {
            let _turn = self.turn.lock().await;
            loop {
                let now = Instant::now();
                let Err(wait) = self.pace().take(now) else { return };
                // Not beyond the end: what is there by then is still taken.
                tokio::time::sleep(wait.max(BATCH.min(until.saturating_duration_since(now)))).await;
            }
        };
        tokio::time::timeout_at(until, token).await.map_err(|_| Spent)
    }

    /// Takes a token that is there now, before whoever waits for one.
    ///
    /// # Errors
    /// Where there is none.
    pub fn take_now(&self) -> Result<(), Spent> {
        self.pace().take(Instant::now()).map_err(|_| Spent)
    }

    fn throttled(&self) {
        self.pace().throttled(Instant::now());
    }

    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The arithmetic of a bucket: additive increase, multiplicative decrease.
#[derive(Debug)]
struct Pace {
    /// The budget, in tokens a second.
    most: f64,
    /// What is left of it where AWS throttled.
    rate: f64,
    tokens: f64,
    /// When `tokens` was right.
    at: Instant,
    /// When AWS throttled last.
    throttled: Option<Instant>,
}

impl Pace {
    const fn new(most: f64, now: Instant) -> Self {
        Self { most, rate: most, tokens: most, at: now, throttled: None }
    }

    /// Takes a token, or says how long it is until there is one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        self.refill(now);
        if self.tokens < 1.0 {
            // Timers have milliseconds: one that is a fraction early would only ask again.
            let wait = Duration::from_secs_f64((1.0 - self.tokens) / self.rate);
            return Err(wait.max(Duration::from_millis(1)));
        }
        self.tokens -= 1.0;
        // A token that is used is the evidence of quiet: time in which nothing was called proves nothing.
        self.rate = (self.rate + self.most / self.rate / RECOVERY.as_secs_f64()).min(self.most);
        Ok(())
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.at).as_secs_f64();
        self.tokens = elapsed.mul_add(self.rate, self.tokens).min(self.rate.max(1.0));
        self.at = now;
    }

    /// AWS throttled a call: half of the rate is left, and no burst.
    fn throttled(&mut self, now: Instant) {
        if self.throttled.is_some_and(|last| now.saturating_duration_since(last) < ECHO) {
            return;
        }
        self.refill(now);
        self.throttled = Some(now);
        self.rate = (self.rate / 2.0).max(self.most * FLOOR);
        self.tokens = 0.0;
    }
}

/// Slows a budget when AWS throttles a call, whoever made it: an interceptor below the client.
#[derive(Clone, Debug)]
pub struct SlowDown(pub Arc<Budget>);

#[dyn_dispatch_hint]
impl Intercept for SlowDown {
    fn name(&self) -> &'static str {
        "SlowDown"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        match throttled(context, config) {
            Some("GetFunction") => self.0.get_function.throttled(),
            Some(_) => self.0.control_plane.throttled(),
            None => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many tokens a bucket gives in so many seconds to somebody who takes all there are.
    async fn taken_in(bucket: &Bucket, seconds: u64) -> u32 {
        let until = Instant::now() + Duration::from_secs(seconds);
        let mut taken = 0;
        while bucket.take(until).await.is_ok() {
            taken += 1;
        }
        taken
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_gives_a_seconds_worth_at_once_and_then_its_rate() {
        let bucket = Bucket::new(4.0);
        let began = Instant::now();
        for _ in 0..4 {
            bucket.take_now().unwrap();
        }
        assert_eq!(bucket.take_now(), Err(Spent));
        assert_eq!(taken_in(&bucket, 10).await, 40);
        assert_eq!(began.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_that_are_waited_for_come_several_at_once() {
        let bucket = Bucket::new(80.0);
        let (until, mut times) = (Instant::now() + Duration::from_secs(1), std::collections::BTreeSet::new());
        for _ in 0..160 {
            bucket.take(until).await.unwrap();
            times.insert(Instant::now());
        }
        assert_eq!(times.len(), 6, "the first second's worth, and then five times in a second");
    }

    #[tokio::test(start_paused = true)]
    async fn the_budgets_of_all_shards_are_together_what_is_configured() {
        let shards = Shards::new(8).unwrap();
        let until = Instant::now() + Duration::from_secs(60);
        let taken = |budgets: Budgets| async move {
            let mut taken = 0;
            while budgets.sweep.take(Rate::ControlPlane, until).await.is_ok() {
                taken += 1;
            }
            taken
        };
        let each = shards.each().map(|_| taken(Budgets::new(&CallBudget::default(), shards)));
        // Four a second for a minute.
        assert_eq!(futures::future::join_all(each).await, [30; 8]);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_longer_than_there_is_time_goes_without_and_takes_nobodys_token() {
        let bucket = Bucket::new(1.0);
        bucket.take_now().unwrap();
        let soon = Instant::now() + Duration::from_millis(500);
        assert_eq!(bucket.take(soon).await, Err(Spent));
        assert_eq!(Instant::now(), soon);
        assert_eq!(taken_in(&bucket, 1).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_answer_halves_the_rate_once_and_quiet_raises_it_again_up_to_the_budget() {
        let bucket = Bucket::new(40.0);
        assert_eq!(taken_in(&bucket, 1).await, 80);
        for _ in 0..24 {
            bucket.throttled();
        }
        let first = taken_in(&bucket, 1).await;
        assert!((20..=21).contains(&first), "{first}");
        // The rate rises by a sixtieth of the budget in each second of use: to the whole of it in thirty.
        let rising = taken_in(&bucket, 29).await;
        assert!((850..=890).contains(&rising), "{rising}");
        assert_eq!(taken_in(&bucket, 10).await, 400);
    }

    #[tokio::test(start_paused = true)]
    async fn time_without_a_call_does_not_raise_a_rate_and_no_throttling_stops_it() {
        let bucket = Bucket::new(40.0);
        for _ in 0..20 {
            bucket.throttled();
            tokio::time::sleep(ECHO).await;
        }
        tokio::time::sleep(Duration::from_secs(600)).await;
        // An eighth of the budget, and the second's worth of it that was saved up.
        let taken = taken_in(&bucket, 1).await;
        assert!((10..=11).contains(&taken), "{taken}");
    }
}

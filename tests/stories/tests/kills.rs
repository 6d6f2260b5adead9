//! The story of a merge, with the controller cut off or killed at each call that it makes: the end is always the same.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_aws::Fault;
use stories::releases::Releases;
use stories::world::{World, sync};
use tidegate_core::history::Kind;
use tidegate_core::report::ServiceReport;
use tidegate_core::status::SyncStatus;
use tokio::sync::Notify;

/// How the controller is hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blow {
    /// One request never arrives.
    LoseRequest,
    /// One answer never arrives, although the call had its effect.
    LoseAnswer,
    /// From this call on, AWS cannot be reached until the tick is over.
    CutOff,
    /// This call has its effect and no answer, and from then on AWS cannot be reached until the tick is over.
    CutOffAfter,
    /// The process dies before this call.
    Die,
    /// The process dies after this call.
    DieAfter,
}

/// Counts the calls of a story, and strikes at one of them.
#[derive(Debug)]
struct Striker {
    at: usize,
    blow: Blow,
    seen: AtomicUsize,
    died: Notify,
}

impl Striker {
    fn fault(&self) -> Fault {
        let call = self.seen.fetch_add(1, Ordering::Relaxed);
        match (self.blow, call.cmp(&self.at)) {
            (_, std::cmp::Ordering::Less) => Fault::None,
            (Blow::LoseRequest, std::cmp::Ordering::Equal) | (Blow::CutOff, _) => Fault::LoseRequest,
            (Blow::LoseAnswer | Blow::CutOffAfter, std::cmp::Ordering::Equal) => Fault::LoseAnswer,
            (Blow::CutOffAfter, std::cmp::Ordering::Greater) => Fault::LoseRequest,
            (Blow::LoseRequest | Blow::LoseAnswer, std::cmp::Ordering::Greater) => Fault::None,
            (Blow::DieAfter, std::cmp::Ordering::Equal) => Fault::LoseAnswer,
            (Blow::Die, _) | (Blow::DieAfter, std::cmp::Ordering::Greater) => {
                self.died.notify_one();
                Fault::Hang
            }
        }
    }

    fn struck(&self) -> bool {
        self.seen.load(Ordering::Relaxed) > self.at
    }
}

/// A release repository with two commits, which all these stories share.
struct Stage {
    releases: Arc<Releases>,
    before: String,
    after: String,
}

impl Stage {
    fn set() -> Self {
        let releases = Arc::new(Releases::one_service());
        let before = releases.push("Nothing yet");
        let after = releases.merge("flight-service", "v1.1.0");
        Self { releases, before, after }
    }

    /// The merge, with one blow in the ticks after it. Gives whether the story was long enough for it.
    async fn play(&self, blow: Blow, at: usize) -> bool {
        self.releases.move_main_to(&self.before);
        let world = World::with_one_service(Arc::clone(&self.releases)).await;
        world.settle().await;
        self.releases.move_main_to(&self.after);
        let striker = Arc::new(Striker { at, blow, seen: AtomicUsize::new(0), died: Notify::new() });
        let command = sync("staging", None, None);
        for _ in 0..3 {
            let hit = Arc::clone(&striker);
            if !striker.struck() {
                world.break_calls(move |_| Some(hit.fault()));
            }
            tokio::select! {
                biased;
                () = striker.died.notified() => {}
                _ = world.run(&command) => {}
            }
            if striker.struck() {
                world.aws.clear_hook();
            }
            world.advance(std::time::Duration::from_secs(60)).await;
        }
        world.aws.clear_hook();
        // A dead tick's lease has to end first.
        for _ in 0..5 {
            let outcome = world.try_tick().await;
            if outcome.is_ok_and(|report| report.services.values().all(at_rest)) {
                break;
            }
        }
        self.check(&world, &format!("{blow:?} at call {at}")).await;
        striker.struck()
    }

    /// The one end that there is.
    async fn check(&self, world: &World, story: &str) {
        let report = world.status("staging").await;
        assert_eq!(report.sync(), SyncStatus::Synced, "{story}: {report:#?}");
        assert_eq!(world.live("StagingFlightService").await, "2", "{story}");
        assert_eq!(world.versions("StagingFlightService").await, ["1", "2"], "{story}");
        let history = world.history("flight-service").await;
        let kinds: Vec<Kind> = history.iter().map(|record| record.kind).collect();
        assert_eq!(kinds, [Kind::Promoted, Kind::Promoted], "{story}");
        assert_eq!(history.last().and_then(|record| record.commit.clone()).map(|it| it.id).as_ref(), Some(&self.after));
        let registry = world.registry("flight-service").await;
        assert_eq!(registry.get("version").and_then(|version| version.as_str()), Some("2"), "{story}");
        assert_eq!(world.documents("state/").await, Vec::<String>::new(), "{story}");
        world.calls();
        let last = world.try_tick().await;
        assert!(last.is_ok_and(|report| report.sync() == SyncStatus::Synced), "{story}");
        assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new(), "{story}: it is converged");
    }

    async fn play_at_every_call(&self, blow: Blow) {
        for at in 0.. {
            if !self.play(blow, at).await {
                assert!(at > 20, "the story has {at} calls");
                return;
            }
        }
    }
}

/// As Git wants it, and the tick found nothing to do.
fn at_rest(service: &ServiceReport) -> bool {
    service.standing.sync == SyncStatus::Synced && service.done.is_empty() && service.error.is_none()
}

#[tokio::test(start_paused = true)]
async fn a_lost_request_at_any_call_changes_nothing_of_the_end() {
    Stage::set().play_at_every_call(Blow::LoseRequest).await;
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_at_any_call_changes_nothing_of_the_end() {
    Stage::set().play_at_every_call(Blow::LoseAnswer).await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_cut_off_before_any_call_changes_nothing_of_the_end() {
    Stage::set().play_at_every_call(Blow::CutOff).await;
}

#[tokio::test(start_paused = true)]
async fn a_tick_cut_off_after_any_call_changes_nothing_of_the_end() {
    Stage::set().play_at_every_call(Blow::CutOffAfter).await;
}

#[tokio::test(start_paused = true)]
async fn a_death_before_any_call_changes_nothing_of_the_end() {
    Stage::set().play_at_every_call(Blow::Die).await;
}

#[tokio::test(start_paused = true)]
async fn a_death_after_any_call_changes_nothing_of_the_end() {
    Stage::set().play_at_every_call(Blow::DieAfter).await;
}

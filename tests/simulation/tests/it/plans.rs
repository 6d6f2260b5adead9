//! Every reference story goes without a fault, and with a sample of its faults.
use std::sync::atomic::{AtomicUsize, Ordering};

use planted::Bug;
use simulation::exhaustive::{Course, sampled};
use simulation::forge::Forge;
use simulation::interleave::{self, Schedule};
use simulation::stories;

/// Single faults of each story that are played here.
const SINGLES: usize = 8;

/// Pairs of faults of each story that are played here.
const PAIRS: usize = 2;

/// Schedules of each race that are played here.
const SCHEDULES: usize = 16;

/// Plays a share of a story's plans.
fn share_of(name: &str) {
    let forge = Forge::start();
    let story = stories::named(name).unwrap_or_else(|| panic!("no story `{name}`"));
    let course = Course::run(story, &forge).unwrap_or_else(|violation| panic!("without a fault: {violation}"));
    let (single, pairs) = (course.single(), course.pairs());
    let mut plans = sampled(&single, SINGLES);
    plans.extend(sampled(&pairs, PAIRS));
    let mut tally = course.play_all(&plans, &forge, 1);
    if let Some(minute) = course.story.overlap {
        let explored = interleave::explore(&course, minute, SCHEDULES, &forge, 1, &|_, _| {});
        assert!(explored.broken.is_empty(), "{:#?}", explored.broken);
        tally = tally.and(explored.tally);
    }
    println!("{name}: {} of {} plans, {} calls", tally.plans, single.len() + pairs.len(), tally.calls);
    let told: Vec<String> = tally.violations.iter().map(|(plan, violation)| format!("{plan}: {violation}")).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn who_stood_still_for_longer_than_a_lease_writes_nothing() {
    let forge = Forge::start();
    let story = stories::named("race-for-all").expect("the story");
    let minute = story.overlap.expect("a minute");
    let course = Course::run(story, &forge).unwrap_or_else(|violation| panic!("without a fault: {violation}"));
    let calls = u32::try_from(course.calls[minute as usize].len()).unwrap();
    for stall in (0..2).flat_map(|who| (0..calls).map(move |calls| Schedule::stall(who, calls))) {
        let outcome = interleave::play(&course, minute, &stall, &forge, false);
        assert!(outcome.violation.is_none(), "{stall}: {:?}", outcome.violation);
    }
}

/// The bug stands on the threads that play, or a race with `--plant` would show nothing.
#[test]
fn races_are_played_with_the_bug_that_is_planted() {
    let forge = Forge::start();
    let story = stories::named("race").expect("the story");
    let minute = story.overlap.expect("a minute");
    let (heard, bug) = (AtomicUsize::new(0), Bug::LeaseTakenFromOthers);
    let explored = |bug| {
        planted::plant(bug);
        let course = Course::run(story.clone(), &forge).unwrap_or_else(|violation| panic!("no fault: {violation}"));
        interleave::explore(&course, minute, 60, &forge, 1, &|_, _| _ = heard.fetch_add(1, Ordering::Relaxed))
    };
    let (sound, planted) = (explored(None), explored(Some(bug)));
    planted::plant(None);
    assert!(sound.broken.is_empty(), "{:?}", sound.broken);
    assert!(planted.broken.iter().any(|(_, violation)| violation.invariant == 9), "{:?}", planted.broken);
    assert_eq!(heard.into_inner(), sound.played.len() + planted.played.len(), "each is told of");
}

macro_rules! stories {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                share_of($name);
            }
        )*

        #[test]
        fn every_reference_story_is_played() {
            let mut played = vec![$($name),*];
            let mut all: Vec<&str> = stories::all().iter().map(|story| story.name).collect();
            played.sort_unstable();
            all.sort_unstable();
            assert_eq!(played, all);
        }
    };
}

stories! {
    a_first_deploy_survives_its_faults: "first-deploy",
    an_all_at_once_release_survives_its_faults: "all-at-once",
    a_canary_of_six_steps_survives_its_faults: "canary",
    a_judged_canary_survives_its_faults: "judged-canary",
    a_failing_analysis_survives_its_faults: "failing-analysis",
    an_alarm_survives_its_faults: "alarm",
    a_failing_smoke_test_survives_its_faults: "blue-green",
    a_bake_survives_its_faults: "bake",
    two_environments_survive_their_faults: "two-environments",
    two_services_survive_their_faults: "two-services",
    a_tag_that_is_pushed_again_survives_its_faults: "tag-pushed-again",
    a_hand_edit_survives_its_faults: "hand-edit",
    a_configuration_alone_survives_its_faults: "configuration-only",
    a_lost_state_survives_its_faults: "state-lost",
    a_rewritten_branch_and_a_loss_survive_their_faults: "rewritten-and-lost",
    the_loss_of_the_bucket_survives_its_faults: "bucket-lost",
    a_rollback_before_traffic_survives_its_faults: "rollback-publishing",
    a_rollback_in_the_first_step_survives_its_faults: "rollback-first-step",
    a_rollback_in_the_second_step_survives_its_faults: "rollback-second-step",
    a_rollback_of_a_live_release_survives_its_faults: "rollback-live",
    a_fix_after_a_rollback_survives_its_faults: "rollback-and-fix",
    a_rollback_past_an_aborted_release_survives_its_faults: "rollback-over-aborted",
    a_canary_without_metrics_survives_its_faults: "metrics-lost",
    a_release_after_a_release_survives_its_faults: "superseded",
    a_failing_bake_survives_its_faults: "failing-bake",
    a_fix_under_a_red_alarm_survives_its_faults: "fix-under-alarm",
    a_broken_neighbour_survives_its_faults: "broken-neighbour",
    a_service_that_is_there_twice_survives_its_faults: "written-twice",
    a_race_for_the_next_step_has_one_winner: "race",
    a_race_for_all_traffic_has_one_winner: "race-for-all",
}

//! Every bug of the bank, planted in the controller: the simulation finds it, and says which invariant it breaks.
#![allow(clippy::expect_used, clippy::print_stdout, clippy::allow_attributes, reason = "tests")]
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use planted::Bug;
use simulation::exhaustive::Course;
use simulation::forge::Forge;
use simulation::hunt::{self, Found};

/// The invariant that each of them breaks first.
const fn caught_by(bug: Bug) -> u8 {
    match bug {
        Bug::InconclusivePasses | Bug::FailedAnalysisPasses | Bug::BlindRetryOfAlias | Bug::IntentAfterEffect => 2,
        Bug::RollbackLeavesWeights | Bug::WeightsOutOfRange => 3,
        Bug::RollbackMissesAlias
        | Bug::AbortedKeepsWeight
        | Bug::SecondReleaseStuck
        | Bug::FailureGoesToBroken
        | Bug::OneFailureIsFinal
        | Bug::ThrottledCountsAsDone
        | Bug::RedAlarmStopsTheFix
        | Bug::OneInvalidStopsAll => 4,
        Bug::HeadBeforeRecord | Bug::PreviousAtWeightZero => 6,
        Bug::RolledBackIsReleasedAgain => 7,
        Bug::PreviousIsLowerNumber => 8,
        Bug::AliasWithoutRevision | Bug::LeaseTakenFromOthers | Bug::BlindRetryOfState => 9,
        Bug::PanicEndsTheTick => 10,
        Bug::NoMetricsPass | Bug::DuplicateKeyTakesLast => 11,
    }
}

#[test]
fn every_planted_bug_is_found() {
    let forge = Forge::start();
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(bug) = Bug::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = hunt::hunt(*bug, &forge);
                    println!("{}", told(*bug, result.as_ref()));
                    found.lock().expect("no panic").push((*bug, result));
                }
            });
        }
    });
    let mut found = found.into_inner().expect("no panic");
    found.sort_by_key(|(bug, _)| *bug);
    println!("\n| origin | bug | caught by invariant | in |\n|---|---|---|---|");
    for (bug, found) in &found {
        let (invariant, by) = found.as_ref().map_or((0, "nothing"), |found| (found.violation.invariant, &found.by));
        println!("| {} | {bug:?} | {invariant} | {by} |", bug.origin());
    }
    let caught: Vec<(Bug, Option<u8>)> =
        found.iter().map(|(bug, found)| (*bug, found.as_ref().map(|found| found.violation.invariant))).collect();
    assert_eq!(caught, Bug::ALL.map(|bug| (bug, Some(caught_by(bug)))));
}

fn told(bug: Bug, found: Option<&Found>) -> String {
    match found {
        Some(Found { by, violation, played }) => format!("{bug:?}: {played} played, {by}: {violation}"),
        None => format!("{bug:?}: not found"),
    }
}

#[test]
fn a_planner_that_panics_about_one_service_is_no_harm_to_another() {
    planted::poison(true);
    let course = Course::run(hunt::poisoned(), &Forge::start());
    planted::poison(false);
    assert_eq!(course.err(), None);
}

#[test]
fn nothing_that_is_shipped_has_the_switches() {
    // Only where all of the workspace is built together does the simulation bring them in.
    for (package, has) in [("bootstrap", false), ("tidegate", false), ("simulation", true)] {
        let tree = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal,build",
                "--prefix",
                "none",
                "--package",
                package,
            ])
            .output()
            .expect("cargo runs");
        let told = String::from_utf8_lossy(&tree.stdout);
        assert!(told.contains("tidegate-core"), "{told}{}", String::from_utf8_lossy(&tree.stderr));
        assert_eq!(told.contains("planted"), has, "{package}:\n{told}");
    }
}

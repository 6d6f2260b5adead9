//! How far a rollout is told to be.
use chrono::Duration;
use release_schema::Strategy;
use tidegate_core::analysis::{Outcome, Verdict, Window};
use tidegate_core::live::{LiveAlias, Weighted};
use tidegate_core::rollout::Progress;
use tidegate_core::state::{Phase, Rollout, ServiceState, Shape};

use crate::build::*;
use crate::rollout::*;

/// Since minute 2, with version 2 of `b` beside version 1.
fn in_phase(phase: Phase, strategy: &Strategy) -> Progress {
    Progress::of(&rolling(phase, 2, strategy), strategy, None)
}

#[test]
fn a_step_is_over_at_the_end_of_its_pauses_and_a_bake_after_its_time() {
    let steps = two_steps();
    let held = in_phase(first_step(), &steps);
    assert_eq!((held.step, held.steps, held.weight_wanted), (Some(1), 2, 1_000));
    assert_eq!((held.since, held.until), (at(2), Some(at(2) + Duration::minutes(10))));
    let shifting = Phase::Shifting { version: v(2), step: 1, weight: 5_000, before: before(&holding()) };
    let shifting = in_phase(shifting, &steps);
    assert_eq!((shifting.step, shifting.weight_wanted, shifting.until), (Some(2), 5_000, None));

    let blue_green = blue_green(false, true, 5);
    let baking = Phase::Baking { version: v(2), switched: at(1) };
    let bakes = in_phase(baking.clone(), &blue_green);
    assert_eq!((bakes.step, bakes.steps, bakes.weight_wanted), (None, 0, 10_000));
    assert_eq!(bakes.until, Some(at(2) + Duration::minutes(5)));
    assert_eq!(in_phase(baking, &Strategy::AllAtOnce).until, None);
}

#[test]
fn the_share_that_is_read_is_the_new_versions_as_primary_or_beside_it() {
    let beside = |version, other: Option<(u64, u16)>| Shape {
        version: Some(v(version)),
        additional: other.map(|(version, basis_points)| Weighted { version: v(version), basis_points }),
    };
    let state = rolling(first_step(), 2, &two_steps());
    for (alias, expected) in [
        (beside(1, Some((2, 1_000))), 1_000),
        (beside(2, Some((1, 1_000))), 9_000),
        (beside(2, None), 10_000),
        (beside(1, None), 0),
        (beside(1, Some((7, 3_000))), 0),
    ] {
        let progress = Progress::of(&state, &two_steps(), Some(alias));
        assert_eq!(progress.weight_read, Some(expected), "{alias:?}");
    }
    assert_eq!(Progress::of(&state, &two_steps(), None).weight_read, None);
}

#[test]
fn a_release_has_landed_where_its_own_marker_is_at_an_alias_with_all_traffic() {
    let state = rolling(reusing(2), 2, &Strategy::AllAtOnce);
    let alias = |version, share, marker| LiveAlias {
        version: Some(v(version)),
        additional: share,
        marker: Some(marker),
        ..holding().alias.unwrap()
    };
    let own = state.marker();
    assert!(state.has_landed(&alias(2, None, own.clone())));
    for other in [
        alias(1, None, own.clone()),
        alias(2, Some(Weighted { version: v(1), basis_points: 1_000 }), own),
        alias(2, None, marker(1, &release('a'))),
    ] {
        assert!(!state.has_landed(&other), "{other:?}");
    }
}

#[test]
fn what_was_looked_at_in_one_phase_does_not_count_for_the_next() {
    let window = Window { from: at(1), to: at(2) };
    let verdict = Some(Verdict { outcome: Outcome::Successful, at: at(2), window, findings: Vec::new() });
    let looked =
        Rollout { looks: 3, inconclusive: 2, counted: Some(at(2)), verdict, advance: Some(STEP), ..Rollout::default() };
    let state = ServiceState { rollout: looked, ..rolling(first_step(), 2, &two_steps()) };
    let next = state.moved_to(reusing(2), at(9));
    assert_eq!((next.since, &next.phase), (at(9), &reusing(2)));
    assert_eq!(next.rollout, Rollout { looks: 3, ..Rollout::default() });
    let full = ServiceState { rollout: Rollout { advance: Some(FULL), ..Rollout::default() }, ..state };
    assert_eq!(full.moved_to(reusing(2), at(9)).rollout.advance, Some(FULL), "it is about all phases");
}

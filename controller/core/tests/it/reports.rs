//! What a report tells that its own look did not see, and how an environment is as a whole.
use tidegate_core::drift::{Drift, Drifted, Holder};
use tidegate_core::plan::Standing;
use tidegate_core::report::{Left, Served, ServiceReport, TickReport, Unmanaged, Wanted, there_are};
use tidegate_core::status::{Health, HoldReason, PhaseName, SyncStatus, WaitingOn};

use crate::build::*;

/// A look at a service that serves what Git wants, with this drift, at this minute.
fn seen(minute: i64, drift: Vec<Drift>) -> ServiceReport {
    let drift: Vec<Drifted> =
        drift.into_iter().map(|drift| Drifted { drift, since: at(minute), whose: None }).collect();
    let (sync, waiting_on) = match &drift[..] {
        [] => (SyncStatus::Synced, None),
        all => {
            let drift = all.iter().map(|drifted| drifted.drift.clone()).collect();
            (SyncStatus::OutOfSync, Some(WaitingOn::Drift { drift }))
        }
    };
    let a = release('a');
    ServiceReport {
        seen: at(minute),
        standing: Standing { sync, waiting_on, ..synced() },
        function: service().function.to_string(),
        alias: service().alias.to_string(),
        wanted: Wanted { label: a.label(), release: Some(a.id), code: Some(a.code.clone()) },
        live: Some(Served { version: Some(v(1)), code: Some(a.code), tag: a.tag }),
        drift,
        rollout: None,
        revert: None,
        done: Vec::new(),
        error: None,
    }
}

fn latest() -> Drift {
    Drift::Latest { wanted: image('a'), live: image('d') }
}

fn concurrency() -> Drift {
    let field = "reservedConcurrency".to_owned();
    Drift::Configuration { field, of: Holder::Function, wanted: Some(5), live: Some(0) }
}

#[test]
fn what_only_a_close_look_finds_is_told_until_the_next_one() {
    let before = seen(1, vec![latest(), concurrency()]);
    let now = seen(2, Vec::new()).after(&before, false);
    assert_eq!(now.drift, before.drift[..1], "each look sees the concurrency");
    let on = WaitingOn::Drift { drift: vec![latest()] };
    let expected = Standing { sync: SyncStatus::OutOfSync, waiting_on: Some(on), ..synced() };
    assert_eq!((now.seen, now.standing), (at(2), expected));
}

#[test]
fn a_close_look_and_one_that_found_something_else_tell_what_they_saw() {
    let before = seen(1, vec![latest()]);
    let plain = seen(2, Vec::new());
    let other = Wanted { label: "v-b".to_owned(), ..plain.wanted.clone() };
    let moved = plain.live.clone().map(|live| Served { version: Some(v(2)), ..live });
    let waits = waits(PhaseName::Shifting, WaitingOn::NextTick);
    for (closely, now) in [
        (true, plain.clone()),
        (false, ServiceReport { wanted: other, ..plain.clone() }),
        (false, ServiceReport { live: moved, ..plain.clone() }),
        (false, ServiceReport { standing: waits, ..plain.clone() }),
        (false, ServiceReport { done: vec!["finish the transition".to_owned()], ..plain.clone() }),
        (false, ServiceReport { error: Some("AccessDenied".to_owned()), ..plain.clone() }),
    ] {
        assert_eq!(now.clone().after(&before, closely), now);
    }
    let of_traffic = seen(1, vec![Drift::AliasMissing]);
    assert_eq!(plain.clone().after(&of_traffic, false), plain);
}

#[test]
fn a_drift_is_there_since_the_first_look_that_found_it() {
    let before = seen(1, vec![latest()]);
    let now = seen(5, vec![concurrency(), latest()]).after(&before, true);
    let since: Vec<_> = now.drift.iter().map(|drifted| drifted.since).collect();
    assert_eq!(since, [at(5), at(1)]);
}

#[test]
fn a_service_that_was_removed_in_the_middle_of_a_release_is_trouble() {
    let removed = Unmanaged { alias: "StagingOld:live".to_owned(), left: None, done: Vec::new(), error: None };
    let left = |has_traffic| Left { phase: PhaseName::Shifting, release: "v-b".to_owned(), weight: None, has_traffic };
    assert!(!removed.is_trouble());
    assert!(!Unmanaged { left: Some(left(false)), ..removed.clone() }.is_trouble());
    assert!(Unmanaged { left: Some(left(true)), ..removed.clone() }.is_trouble());
    let failed = Unmanaged { error: Some("AccessDenied".to_owned()), ..removed.clone() };
    assert!(failed.is_trouble());

    let environment = |hold: Option<HoldReason>, removed: Unmanaged| {
        TickReport {
        hold,
        unmanaged: [(service().name, removed)].into(),
        ..serde_json::from_value(serde_json::json!({
            "schemaVersion": 1, "environment": "staging", "tick": "t", "started": at(0), "durationMs": 1, "commit": null,
            "hold": null, "problems": [], "lastSuccess": null, "calls": {}, "services": {}
        }))
        .unwrap()
    }
    };
    let down = || Some(HoldReason::GitUnavailable { message: "connection refused".to_owned() });
    assert_eq!(environment(None, removed.clone()).health(), Health::Healthy);
    assert_eq!(environment(None, failed).health(), Health::Degraded);
    assert_eq!(environment(down(), removed).health(), Health::Degraded);
}

#[test]
fn names_are_told_to_who_asked_for_another() {
    assert_eq!(there_are(["a", "b"]), "there are `a`, `b`");
    assert_eq!(there_are([""; 0]), "there are none");
}

//! What people read of why nothing happens: short, without a full stop, with the hint behind.
use tidegate_core::drift::Drift;
use tidegate_core::environment::MassChange;
use tidegate_core::housekeeping::{Kept, Unrest};
use tidegate_core::ids::{ReleaseId, TransitionNumber, Version};
use tidegate_core::live::VersionState;
use tidegate_core::marker::Marker;
use tidegate_core::registry::parameter_name;
use tidegate_core::release::Package;
use tidegate_core::status::{Health, HoldReason, PhaseName, SyncStatus, WaitingOn};

use crate::build::*;

fn holds() -> Vec<HoldReason> {
    let invalid = |more| HoldReason::InvalidRelease {
        commit: "c".repeat(40),
        problem: "environments/staging/services.yaml:3:5: unknown field `imageTga`".to_owned(),
        more,
    };
    vec![
        HoldReason::GitUnavailable { message: "connection refused".to_owned() },
        invalid(0),
        invalid(2),
        HoldReason::HistoryRewritten { applied: "a".repeat(40), found: "b".repeat(40) },
        HoldReason::MassChange { commit: "c".repeat(40), change: MassChange { changed: 200, removed: 3, of: 300 } },
        HoldReason::NothingKnown { message: "the release repository was never read".to_owned() },
    ]
}

fn reasons() -> Vec<WaitingOn> {
    let failed = VersionState::Failed { reason: "InvalidImage".to_owned() };
    let other = VersionState::Other { name: "Deactivating".to_owned() };
    let active = |state| WaitingOn::VersionActive { version: v(2), state };
    let mut reasons: Vec<WaitingOn> =
        [VersionState::Pending, VersionState::Active, VersionState::Inactive, failed, other].map(active).into();
    reasons.extend([
        WaitingOn::VersionVisible { version: v(2) },
        WaitingOn::UpdateInProgress,
        WaitingOn::NextTick,
        WaitingOn::Blocked { message: "`v9` is not in `company/flight-service`".to_owned() },
        WaitingOn::FunctionMissing,
        WaitingOn::HandEdit { found: Some(v(7)), expected: Some(v(2)) },
        WaitingOn::HandEdit { found: None, expected: Some(v(2)) },
        WaitingOn::ForeignEdit { found: Some(v(7)), weight: None },
        WaitingOn::ForeignEdit { found: None, weight: None },
        WaitingOn::ForeignEdit { found: Some(v(7)), weight: Some(1_000) },
        WaitingOn::ForeignEdit { found: Some(v(7)), weight: Some(25) },
        WaitingOn::Drift { drift: vec![Drift::AliasMissing] },
        WaitingOn::Drift { drift: vec![Drift::TagMoved { tag: tag('a'), wanted: digest('a'), live: None }] },
        WaitingOn::Drift {
            drift: vec![Drift::TagMoved { tag: tag('a'), wanted: digest('a'), live: Some(digest('b')) }],
        },
        WaitingOn::Drift { drift: vec![Drift::Registry { wanted: v(2), live: None, too_long: Some(4_312) }] },
        WaitingOn::Fight {
            healed: 3,
            until: at(10),
            what: Box::new(WaitingOn::Drift { drift: vec![Drift::AliasMissing] }),
        },
        WaitingOn::Sync,
        WaitingOn::NewRelease { reason: "version 2 cannot serve: InvalidImage".to_owned() },
        WaitingOn::Retry { reason: "the analysis failed: alarm flight-5xx is in ALARM".to_owned() },
        WaitingOn::StepTime { until: at(10) },
        WaitingOn::Metrics { until: at(12) },
        WaitingOn::Inconclusive { message: "12 of 50 invocations so far".to_owned(), looks: 2, tolerated: 3 },
        WaitingOn::Promotion,
        WaitingOn::Paused { actor: "ann".to_owned(), reason: Some("traffic is odd".to_owned()) },
        WaitingOn::EditedMidway { found: Some(v(7)), weight: None },
        WaitingOn::EditedMidway { found: Some(v(1)), weight: Some(2_500) },
        WaitingOn::ProvisionedConcurrency,
        WaitingOn::Alarms { message: "cloudwatch:DescribeAlarms was refused".to_owned() },
        WaitingOn::SmokeTest { message: "Rate exceeded".to_owned() },
        WaitingOn::ReadBack,
        WaitingOn::NotWeightable { what: "execution roles".to_owned() },
        WaitingOn::Overdue { since: at(3), what: Box::new(WaitingOn::ReadBack) },
        WaitingOn::Dependency { service: service().name },
        WaitingOn::PackageType { live: Package::Image, wanted: Package::Zip },
    ]);
    reasons.extend(holds().into_iter().map(WaitingOn::Hold));
    reasons
}

fn digest(letter: char) -> release_schema::Digest {
    format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap()
}

#[test]
fn every_reason_to_wait_reads_like_this() {
    let text: Vec<String> = reasons().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    version 2 is Pending
    version 2 is Active
    version 2 is Inactive
    version 2 is Failed (InvalidImage)
    version 2 is Deactivating
    version 2 is not visible yet
    an update of `$LATEST` is in progress
    the next tick
    `v9` is not in `company/flight-service`
    the function does not exist; create it, Tidegate never does
    the alias was moved by hand: it names version 7, history says version 2; `tidegate sync ENV/SERVICE` goes back to Git
    the alias was moved by hand: it names `$LATEST`, history says version 2; `tidegate sync ENV/SERVICE` goes back to Git
    somebody changed the alias by hand: it names version 7; `tidegate sync ENV/SERVICE` goes on towards Git
    somebody changed the alias by hand: it names `$LATEST`; `tidegate sync ENV/SERVICE` goes on towards Git
    somebody changed the alias by hand: it names version 7 with 10 % on another version; `tidegate sync ENV/SERVICE` goes on towards Git
    somebody changed the alias by hand: it names version 7 with 0.25 % on another version; `tidegate sync ENV/SERVICE` goes on towards Git
    the alias was deleted; `tidegate sync ENV/SERVICE` sets it back
    the tag `v-a` was deleted; what was released stays live, and a new tag in Git releases what it names
    the tag `v-a` was pushed again: it names sha256:bbbbbbbbbbbb, and sha256:aaaaaaaaaaaa was released; `tidegate sync ENV/SERVICE --repin` releases that
    the service registry has no room: it would have 4312 bytes, and a parameter takes 4096; `registry: { form: perService }` has room for all
    healed 3 times within an hour, and changed again each time; healed again at 2024-10-04T00:10:00Z: the alias was deleted
    a person: `tidegate sync ENV/SERVICE` releases what Git wants (`automated: false`)
    the release failed: version 2 cannot serve: InvalidImage; change it in Git, or try again with `tidegate retry ENV/SERVICE`
    turned back: the analysis failed: alarm flight-5xx is in ALARM; change it in Git, or try again with `tidegate retry ENV/SERVICE`
    the step's time, until 2024-10-04T00:10:00Z
    the step's metrics, complete at 2024-10-04T00:12:00Z
    clearer metrics: 12 of 50 invocations so far (inconclusive 2 times, 3 are tolerated)
    a person: `tidegate promote ENV/SERVICE` goes on
    paused by ann (traffic is odd); `tidegate resume ENV/SERVICE` goes on
    somebody changed the alias by hand: it names version 7; `tidegate resume ENV/SERVICE` goes on, `tidegate abort` goes back
    somebody changed the alias by hand: it names version 1 with 25 % on another version; `tidegate resume ENV/SERVICE` goes on, `tidegate abort` goes back
    provisioned concurrency is being prepared, and AWS shifts the traffic meanwhile
    its alarms cannot be read: cloudwatch:DescribeAlarms was refused; `tidegate promote ENV/SERVICE --full` goes on without them
    the smoke test is run again: Rate exceeded
    the alias does not show yet what it was told to
    AWS splits no traffic between versions with different execution roles; release it with `allAtOnce` or `blueGreen`
    no progress since 2024-10-04T00:03:00Z: the alias does not show yet what it was told to
    `flight-service` is not healthy at what Git wants
    the function is a container image and Git wants a zip archive: the package type cannot be changed
    the release repository cannot be read: connection refused
    commit cccccccccccc is not valid: environments/staging/services.yaml:3:5: unknown field `imageTga`
    commit cccccccccccc is not valid: environments/staging/services.yaml:3:5: unknown field `imageTga` (and 2 more)
    the branch was rewritten: bbbbbbbbbbbb does not descend from aaaaaaaaaaaa, which is applied; `tidegate sync ENV --confirm bbbbbbbbbbbb` accepts it
    commit cccccccccccc changes 200 and removes 3 of 300 services at once; `tidegate sync ENV --confirm cccccccccccc` says that it is meant
    the release repository was never read
    ");
}

#[test]
fn every_reason_to_keep_a_version_reads_like_this() {
    let kept =
        [Kept::Alias("live".to_owned()), Kept::Hold, Kept::Newest, Kept::Young, Kept::NotOurs, Kept::Later].map(said);
    let shared = Unrest::SharedFunction { alias: "production".to_owned() };
    let all = [Unrest::UnderWay, Unrest::NoHistory, Unrest::AliasMoved, shared].map(said);
    insta::assert_snapshot!([&kept[..], &all[..]].concat().join("\n"), @r"
    `live` names it
    a hold needs it
    among the newest
    published or live lately
    not proven to be Tidegate's
    goes in a later turn
    a release is under way, or was turned back and may be tried again
    it has no history that tells what a rollback needs
    the alias is not as history says
    the alias `production` of its function is Tidegate's too, and of another service
    ");
}

fn said(text: impl std::fmt::Display) -> String {
    text.to_string()
}

#[test]
fn every_reason_to_wait_is_one_short_line_without_a_full_stop() {
    for text in reasons().iter().map(ToString::to_string) {
        assert!(!text.ends_with('.') && !text.contains('\n') && text.len() <= 160, "{text}");
    }
}

#[test]
fn every_reason_to_wait_is_read_back_as_it_was_stored() {
    for reason in reasons() {
        let text = serde_json::to_string(&reason).unwrap();
        assert_eq!(serde_json::from_str::<WaitingOn>(&text).unwrap(), reason, "{text}");
    }
}

#[test]
fn a_whole_is_as_healthy_and_as_synced_as_its_worst_part() {
    let health =
        [Health::Healthy, Health::Suspended, Health::Progressing, Health::Missing, Health::Degraded, Health::Unknown];
    assert!(health.is_sorted());
    assert!([SyncStatus::Synced, SyncStatus::OutOfSync, SyncStatus::Unknown].is_sorted());
}

#[test]
fn standard_terms_are_padded_in_tables() {
    let row = format!("[{:<10}] [{:>9}] [{:<10}]", SyncStatus::OutOfSync, Health::Healthy, PhaseName::Idle);
    assert_eq!(row, "[OutOfSync ] [  Healthy] [Idle      ]");
}

#[test]
fn a_marker_reads_like_this() {
    let marker = Marker {
        release: "0123456789abcdef".repeat(2).parse().unwrap(),
        transition: TransitionNumber(42),
        weight: None,
        held: None,
    };
    assert_eq!(marker.to_string(), "tidegate/1 release=0123456789abcdef0123456789abcdef transition=42");
    for text in [
        "tidegate/1 release=0123456789abcdef0123456789abcdef",
        "tidegate/1 transition=42",
        "tidegate/1 release=0123456789abcdef0123456789abcdef transition=42 color=red",
        "tidegate/1 release=0123456789ABCDEF0123456789ABCDEF transition=42",
        "tidegate/1  release=0123456789abcdef0123456789abcdef transition=42",
    ] {
        assert_eq!(Marker::parse(text), None, "{text}");
    }
}

#[test]
fn the_id_of_a_release_never_changes_between_builds() {
    // A build with another hash would release everything again.
    let configuration = release_schema::Configuration {
        memory_size: Some(512),
        timeout: Some(30),
        environment: [("LOG_LEVEL".to_owned(), "info".to_owned())].into(),
    };
    let ids: [String; 2] = [release('a'), release_with('a', &configuration)].map(|release| release.id.to_string());
    insta::assert_snapshot!(ids.join("\n"), @r"
    5fe26b56a7d20de785706ee27edcab2e
    9cedcf013ebe8176a04736cabdf90206
    ");
    assert!("0123".parse::<ReleaseId>().is_err());
    assert_eq!(release('a').id.short(), "5fe26b56a7d2");
}

#[test]
fn a_version_is_a_number_from_1_on() {
    let numbers: Vec<Option<u64>> = [0, 1, 42].map(Version::new).map(|version| version.map(Version::number)).into();
    assert_eq!(numbers, [None, Some(1), Some(42)]);
}

#[test]
fn the_registry_has_one_parameter_a_service() {
    assert_eq!(parameter_name("/services", &environment(), &service().name), "/services/staging/flight-service");
}

#[test]
fn what_somebody_changed_is_drift_and_what_nobody_asked_for_is_a_standstill() {
    let hand_edit = WaitingOn::HandEdit { found: Some(v(7)), expected: Some(v(1)) };
    for (on, is_drift, is_standstill) in [
        (hand_edit, true, false),
        (WaitingOn::FunctionMissing, true, false),
        (WaitingOn::ReadBack, false, true),
        (WaitingOn::ProvisionedConcurrency, false, true),
        (WaitingOn::Promotion, false, false),
        (WaitingOn::NextTick, false, false),
    ] {
        assert_eq!((on.is_drift(), on.is_standstill()), (is_drift, is_standstill), "{on:?}");
    }
}

#[test]
fn what_a_release_is_of_is_told_as_aws_names_it() {
    assert_eq!(said(source(&image('a'))), format!("registry/flight-service@sha256:{}", "a".repeat(64)));
    assert_eq!(said(source(&zip('a'))), "s3://artifacts/flight-service.zip (version 3sL4kqtJlcpXroDTDmJ)");
}

//! What is decided by a state that somebody stored: nothing panics, nothing is asked twice, and traffic goes to versions alone.
use std::collections::BTreeMap;
use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use release_schema::{EnvironmentName, Service, SourceFile, read_environment, read_release_config};
use tidegate_core::analysis::Measured;
use tidegate_core::command::Word;
use tidegate_core::decide::{Decision, Look, Subject, World, decide};
use tidegate_core::history::Said;
use tidegate_core::ids::{Commit, RevisionId, Version};
use tidegate_core::live::{LiveAlias, LiveConfiguration, LiveVersion, Seen, UpdateStatus, VersionState, Weighted};
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::release::{AppliedConfiguration, Code, Package, Release, Source};
use tidegate_core::state::{Advance, ServiceState};

const CONFIG: &[u8] = b"environments: { staging: {} }";

const SERVICES: &[u8] = b"\
services:
  flight-service:
    functionName: Flight
    imageTag: v2
    ecrRepository: company/flight-service
    strategy:
      canary:
        steps: [{ setWeight: 10 }, { pause: { duration: 5m } }, { setWeight: 50 }, { pause: {} }]
    analysis: { maxErrorRate: 1%, alarms: [flight-5xx] }
    smokeTest: { payload: {} }
    progressDeadline: 15m
";

static ENVIRONMENT: LazyLock<EnvironmentName> = LazyLock::new(|| "staging".parse().expect("a name"));

static SERVICE: LazyLock<Service> = LazyLock::new(|| {
    let config = SourceFile::new("release-config.yaml", CONFIG).expect("a file");
    let config = read_release_config(&config).unwrap_or_else(|problems| panic!("{problems}"));
    let file = SourceFile::new("services.yaml", SERVICES).expect("a file");
    let read = read_environment(&file, &ENVIRONMENT, &config).unwrap_or_else(|problems| panic!("{problems}"));
    read.services.into_values().next().expect("a service")
});

static COMMIT: LazyLock<Commit> = LazyLock::new(|| Commit {
    id: "c".repeat(40),
    author: "Ann <ann@example.com>".to_owned(),
    time: now(),
    summary: "Release".to_owned(),
});

fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + chrono::Duration::days(20_000)
}

/// Decides as ticks and people would, whatever is live.
pub(super) fn by(state: &ServiceState) {
    let other = release('d');
    let said = Said { what: "it".to_owned(), actor: "Ann".to_owned(), reason: Some("because".to_owned()), at: now() };
    let words = [
        None,
        Some(Word::Promote(Advance { full: true, force: true })),
        Some(Word::Abort),
        Some(Word::Pause),
        Some(Word::Resume),
        Some(Word::Retry),
        Some(Word::Rollback { to: None, remind_after: Some(u32::MAX) }),
        Some(Word::Unhold),
    ];
    for wanted in [&state.release, &other] {
        for (word, world) in words.iter().flat_map(|word| worlds(state).map(|world| (word, world))) {
            let subject = Subject {
                environment: &ENVIRONMENT,
                service: &SERVICE,
                wanted: Ok(wanted),
                commit: &COMMIT,
                forced: false,
                asked: word.is_some(),
                audit: false,
                word: word.map(|word| (word, &said)),
                actor: "controller",
                writes_back: true,
                hold: None,
                now: now(),
                tick: "tick",
            };
            if let Some(plan) = plan(&subject, world) {
                traffic_goes_to_versions(&plan);
                serde_json::to_vec(&plan.standing).expect("it can be reported");
                let _text: Vec<String> = plan.actions.iter().map(ToString::to_string).collect();
            }
        }
    }
}

/// Nothing is live; or one version, or two.
fn worlds(state: &ServiceState) -> [World; 3] {
    let version = |number| Version::new(number).expect("a version");
    let stable = state.from.as_ref().and_then(|from| from.version).unwrap_or_else(|| version(6));
    let canary = state.phase.version().unwrap_or_else(|| version(7));
    let additional = Weighted { version: canary, basis_points: 1_000 };
    let missing = World {
        state: Some(state.clone()),
        serving: Seen::Missing,
        alias: Seen::Missing,
        latest: Seen::Missing,
        preview: Seen::Missing,
        provisioning: Seen::Found(false),
        tag: Seen::Missing,
        registry: Seen::Missing,
        measured: Seen::Found(Measured::default()),
        head: Seen::Missing,
        ..World::default()
    };
    let live = |additional: Option<Weighted>, names: Version| World {
        serving: Seen::Found(live(Some(names))),
        latest: Seen::Found(live(None)),
        alias: Seen::Found(LiveAlias {
            version: Some(names),
            additional,
            marker: Some(Marker {
                release: state.release.id.clone(),
                transition: state.transition,
                weight: None,
                held: None,
            }),
            revision: RevisionId("r".to_owned()),
        }),
        ..missing.clone()
    };
    let (one, two) = (live(None, canary), live(Some(additional), stable));
    [missing, one, two]
}

/// The plan; every version that is looked at is there.
fn plan(subject: &Subject<'_>, mut world: World) -> Option<Plan> {
    for _ in 0..32 {
        match decide(subject, &world) {
            Decision::Act(plan) => return Some(plan),
            Decision::Refuse(message) => {
                assert!(!message.is_empty());
                return None;
            }
            Decision::Look(Look::Version(version)) => {
                let before = world.versions.insert(version, Seen::Found(live(Some(version))));
                assert!(before.is_none(), "version {version} is asked for twice");
            }
            Decision::Look(look) => panic!("{look:?} is asked for twice"),
        }
    }
    panic!("it is never decided")
}

fn traffic_goes_to_versions(plan: &Plan) {
    for action in &plan.actions {
        if let Action::SetWeight { canary, .. } = action {
            assert!(canary.basis_points <= 10_000, "{action:?}");
        }
    }
}

fn release(letter: char) -> Release {
    let digest = format!("sha256:{}", letter.to_string().repeat(64));
    let code = Code::Image(digest.parse().expect("a digest"));
    let source = Source::Image { uri: format!("registry/flight-service@{digest}") };
    Release::new(code, source, None, &AppliedConfiguration::default())
}

fn live(version: Option<Version>) -> LiveVersion {
    LiveVersion {
        version,
        code: Some(release('a').code),
        package: Package::Image,
        state: VersionState::Active,
        last_update: UpdateStatus::Successful,
        configuration: LiveConfiguration { memory_size: 128, timeout: 3, environment: Some(BTreeMap::new()) },
        role: None,
        dead_letter: None,
        reserved_concurrency: None,
        revision: RevisionId("r".to_owned()),
    }
}

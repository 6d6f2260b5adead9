//! Builds what the tests speak of: releases named by one letter, versions by number, times by minute.
use chrono::{DateTime, Duration, Utc};
use release_schema::{
    Artifact, Configuration, EcrRepository, EnvironmentName, Image, Service, Strategy, SyncPolicy, Tag,
};
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::drift::Recorded;
use tidegate_core::history::{Deployed, Kind, Record};
use tidegate_core::ids::{Commit, RevisionId, TransitionNumber, Version};
use tidegate_core::live::{LiveConfiguration, LiveVersion, UpdateStatus, VersionState};
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Plan, Standing};
use tidegate_core::release::{AppliedConfiguration, Code, Release, Source};
use tidegate_core::state::{Direct, Phase, Rollout, ServiceState};
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

pub(crate) fn v(number: u64) -> Version {
    Version::new(number).unwrap()
}

/// Server time, so many minutes after the tests' beginning.
pub(crate) fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::days(20_000) + Duration::minutes(minute)
}

pub(crate) fn environment() -> EnvironmentName {
    "staging".parse().unwrap()
}

/// The image whose digest is this hexadecimal digit all over.
pub(crate) fn image(letter: char) -> Code {
    Code::Image(format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap())
}

pub(crate) fn zip(letter: char) -> Code {
    Code::Zip(format!("{}=", letter.to_string().repeat(42) + "A").parse().unwrap())
}

pub(crate) fn tag(letter: char) -> Tag {
    format!("v-{letter}").parse().unwrap()
}

pub(crate) fn source(code: &Code) -> Source {
    match code {
        Code::Image(digest) => Source::Image { uri: format!("registry/flight-service@{}", digest.as_str()) },
        Code::Zip(_) => Source::Zip {
            bucket: "artifacts".to_owned(),
            key: "flight-service.zip".to_owned(),
            object_version: "3sL4kqtJlcpXroDTDmJ".to_owned(),
        },
    }
}

/// The release with this image and the configuration that is declared.
pub(crate) fn release_with(letter: char, declared: &Configuration) -> Release {
    let code = image(letter);
    Release::new(code.clone(), source(&code), Some(tag(letter)), &AppliedConfiguration::of(declared))
}

/// The release with this image and no configuration.
pub(crate) fn release(letter: char) -> Release {
    release_with(letter, &Configuration::default())
}

pub(crate) fn zip_release(letter: char) -> Release {
    let code = zip(letter);
    Release::new(code.clone(), source(&code), None, &AppliedConfiguration::default())
}

/// A commit with this letter all over its id.
pub(crate) fn commit(letter: char) -> Commit {
    Commit {
        id: letter.to_string().repeat(40),
        author: "Ann <ann@example.com>".to_owned(),
        time: at(-5),
        summary: format!("Release {letter}"),
    }
}

pub(crate) fn service() -> Service {
    Service {
        name: "flight-service".parse().unwrap(),
        function: "Flight".parse().unwrap(),
        alias: "live".parse().unwrap(),
        artifact: Artifact::Image(Image {
            repository: "company/flight-service".parse::<EcrRepository>().unwrap(),
            tag: tag('a'),
            digest: None,
        }),
        configuration: Configuration::default(),
        reserved_concurrency: None,
        strategy: Strategy::AllAtOnce,
        smoke_test: None,
        analysis: None,
        progress_deadline: std::time::Duration::from_secs(900),
        progress_deadline_abort: false,
        sync_policy: SyncPolicy::default(),
        ignored: std::collections::BTreeSet::new(),
        depends_on: std::collections::BTreeSet::new(),
    }
}

pub(crate) fn live_configuration() -> LiveConfiguration {
    let environment = Some([("LOG_LEVEL".to_owned(), "warn".to_owned())].into());
    LiveConfiguration { memory_size: 128, timeout: 3, environment }
}

/// An active version with this code, nothing being updated.
pub(crate) fn live(version: Option<Version>, code: Code, revision: &str) -> LiveVersion {
    LiveVersion {
        version,
        package: code.package(),
        code: Some(code),
        state: VersionState::Active,
        last_update: UpdateStatus::Successful,
        configuration: live_configuration(),
        role: Some("arn:aws:iam::111111111111:role/flight".to_owned()),
        dead_letter: None,
        reserved_concurrency: None,
        revision: RevisionId(revision.to_owned()),
    }
}

pub(crate) fn deployed(version: u64, release: &Release) -> Deployed {
    let (id, code, tag) = (release.id.clone(), release.code.clone(), release.tag.clone());
    let archive = Some(release.source.clone()).filter(|source| matches!(source, Source::Zip { .. }));
    Deployed { version: Version::new(version), release: id, code, tag, archive }
}

/// What the cache says of this release as this version.
pub(crate) fn recorded(version: u64, letter: char) -> Recorded {
    Recorded { release: release(letter).id, version: v(version) }
}

/// What was live before Tidegate knew its tag.
pub(crate) fn untagged(version: u64, release: &Release) -> Deployed {
    Deployed { tag: None, ..deployed(version, release) }
}

/// The record as a decision makes it: unchained, at its beginning and end as given.
pub(crate) fn record(
    number: u64,
    kind: Kind,
    from: Option<Deployed>,
    to: Deployed,
    commit: Commit,
    minutes: [i64; 2],
) -> Record {
    Record {
        schema_version: SCHEMA_VERSION,
        number: TransitionNumber(number),
        previous: None,
        environment: environment(),
        service: service().name,
        kind,
        from,
        to,
        held: None,
        ended: None,
        marked: None,
        commit: Some(commit),
        actor: "controller".to_owned(),
        reason: None,
        started: at(minutes[0]),
        finished: at(minutes[1]),
        tick: format!("tick-{}", minutes[1]),
        steps: Vec::new(),
        said: Vec::new(),
    }
}

pub(crate) fn because(reason: &str, record: Record) -> Record {
    Record { reason: Some(reason.to_owned()), ..record }
}

/// A transition to `release` at the tests' beginning, wanted by the commit of `letter`.
pub(crate) fn state(
    transition: u64,
    release: &Release,
    from: Option<Deployed>,
    letter: char,
    phase: Phase,
) -> ServiceState {
    let direct = from.is_none().then_some(Direct::FirstDeploy);
    ServiceState {
        schema_version: SCHEMA_VERSION,
        transition: TransitionNumber(transition),
        release: release.clone(),
        from,
        commit: commit(letter),
        started: at(0),
        since: at(0),
        phase,
        rollout: Rollout { direct, ..Rollout::default() },
        paused: None,
        edited: None,
        said: Vec::new(),
    }
}

/// The transition, to a release that was live not long ago.
pub(crate) fn lately(state: ServiceState) -> ServiceState {
    let rollout = Rollout { direct: Some(Direct::RollbackWindow), ..state.rollout.clone() };
    ServiceState { rollout, ..state }
}

/// The transition, that sets back what somebody changed by hand.
pub(crate) fn healing(what: &str, state: ServiceState) -> ServiceState {
    let heals = Some(what.to_owned());
    let rollout = Rollout { direct: Some(Direct::Healed), heals, ..state.rollout.clone() };
    ServiceState { rollout, ..state }
}

pub(crate) fn publishing(revision_before: &str) -> Phase {
    Phase::Publishing { revision_before: Some(RevisionId(revision_before.to_owned())) }
}

pub(crate) fn promoting(version: u64) -> Phase {
    Phase::Preparing { version: v(version), reused: false, smoke: None }
}

pub(crate) fn reusing(version: u64) -> Phase {
    Phase::Preparing { version: v(version), reused: true, smoke: None }
}

pub(crate) fn marker(transition: u64, release: &Release) -> Marker {
    Marker { release: release.id.clone(), transition: TransitionNumber(transition), weight: None, held: None }
}

pub(crate) fn synced() -> Standing {
    Standing { sync: SyncStatus::Synced, health: Health::Healthy, phase: PhaseName::Idle, waiting_on: None }
}

pub(crate) fn waits(phase: PhaseName, on: WaitingOn) -> Standing {
    Standing { sync: SyncStatus::OutOfSync, health: Health::Progressing, phase, waiting_on: Some(on) }
}

pub(crate) fn needs_a_person(phase: PhaseName, on: WaitingOn) -> Standing {
    Standing { health: Health::Suspended, ..waits(phase, on) }
}

pub(crate) fn failed(reason: &str) -> Standing {
    let on = WaitingOn::NewRelease { reason: reason.to_owned() };
    Standing { health: Health::Degraded, ..waits(PhaseName::Failed, on) }
}

/// A standing of which live is not known.
pub(crate) fn unknown(health: Health, phase: PhaseName, on: WaitingOn) -> Standing {
    Standing { sync: SyncStatus::Unknown, health, phase, waiting_on: Some(on) }
}

pub(crate) fn nothing(standing: Standing) -> Plan {
    Plan::rest(standing)
}

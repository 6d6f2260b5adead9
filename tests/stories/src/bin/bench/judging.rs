//! Judges releases as the controller does: each tick of a step is decided by the shipped decision, on seeded traffic.
use anyhow::{Context as _, Result, anyhow, bail};
use chrono::{DateTime, Duration, Utc};
use release_schema::{EnvironmentName, Service, SourceFile, read_environment, read_release_config};
use tidegate_core::SCHEMA_VERSION;
use tidegate_core::analysis::{Measure, Measured};
use tidegate_core::decide::{Decision, Look, Subject, World, decide};
use tidegate_core::history::Deployed;
use tidegate_core::ids::{Commit, RevisionId, TransitionNumber, Version};
use tidegate_core::live::{LiveAlias, Seen, Weighted};
use tidegate_core::marker::Marker;
use tidegate_core::plan::{Action, Plan};
use tidegate_core::release::{AppliedConfiguration, Code, Release, Source};
use tidegate_core::state::{Phase, Rollout, ServiceState};

use crate::traffic::Traffic;

/// What is judged: the first of two steps.
const SERVICES: &str = "
services:
  flight-service:
    imageTag: v2
    functionName: Flight
    ecrRepository: company/flight-service
    strategy:
      canary:
        steps: [{setWeight: 10}, {pause: {duration: 10m}}, {setWeight: 50}, {pause: {duration: 10m}}]
    analysis: {maxErrorRate: 1%, maxErrorRateIncrease: 0.5%, confidence: 99%, maxInconclusive: 3}
";

/// A step that is not decided after so many ticks never is.
const TICKS: i64 = 24 * 60;

/// How many percent of `patterns` of traffic end with a release being turned back whose calls fail at this rate.
pub(crate) fn turned_back(patterns: u32, rate: f64) -> Result<f64> {
    let scene = Scene::new()?;
    let mut back = 0;
    for seed in 0..patterns {
        back += u32::from(scene.is_turned_back(&mut Traffic::new(u64::from(seed), rate), seed)?);
    }
    Ok(f64::from(back) * 100.0 / f64::from(patterns))
}

/// A release in its first step: everything of it but the traffic.
struct Scene {
    environment: EnvironmentName,
    service: Service,
    commit: Commit,
    stable: Release,
    release: Release,
}

impl Scene {
    fn new() -> Result<Self> {
        let environment: EnvironmentName = "production".parse()?;
        let commit =
            Commit { id: "c".repeat(40), author: "bench".to_owned(), time: at(0), summary: "Release v2".to_owned() };
        Ok(Self { service: service(&environment)?, environment, commit, stable: release('a')?, release: release('b')? })
    }

    /// Ticks until the first step ends, one way or the other.
    fn is_turned_back(&self, traffic: &mut Traffic, seed: u32) -> Result<bool> {
        // Somewhere within minute 0, so that the first whole minute of the step is minute 1.
        let since = at(0) + Duration::seconds(1 + i64::from(seed % 59));
        let mut state = self.holding(since)?;
        for tick in 1..=TICKS {
            let plan = self.plan(&state, traffic, since + Duration::minutes(tick))?;
            for action in plan.actions {
                if let Action::SaveState(next) = action {
                    state = *next;
                }
            }
            match state.phase {
                Phase::Holding { .. } => {}
                Phase::Aborted { .. } => return Ok(true),
                Phase::Shifting { step: 1, .. } => return Ok(false),
                other => bail!("a step does not lead to {other:?}"),
            }
        }
        bail!("the step was not decided in {TICKS} ticks")
    }

    /// The first step's weight was just read back.
    fn holding(&self, since: DateTime<Utc>) -> Result<ServiceState> {
        let Release { id, code, tag, .. } = self.stable.clone();
        let rollout =
            Rollout { strategy: Some(self.service.strategy.to_string()), timeout: Some(30), ..Rollout::default() };
        Ok(ServiceState {
            schema_version: SCHEMA_VERSION,
            transition: TransitionNumber(2),
            release: self.release.clone(),
            from: Some(Deployed { version: Some(version(1)?), release: id, code, tag, archive: None }),
            commit: self.commit.clone(),
            started: since,
            since,
            phase: Phase::Holding { version: version(2)?, step: 0, weight: 1000 },
            rollout,
            paused: None,
            edited: None,
            said: Vec::new(),
        })
    }

    /// Decides one tick, looking where the decision asks to.
    fn plan(&self, state: &ServiceState, traffic: &mut Traffic, now: DateTime<Utc>) -> Result<Plan> {
        let Self { environment, service, commit, release, .. } = self;
        let (forced, word, hold) = (false, None, None);
        let wanted = Ok(release);
        let subject = Subject {
            environment,
            service,
            wanted,
            commit,
            forced,
            asked: false,
            audit: false,
            word,
            actor: "controller",
            writes_back: false,
            hold,
            now,
            tick: "tick",
        };
        let mut world = World { state: Some(state.clone()), ..World::default() };
        loop {
            match decide(&subject, &world) {
                Decision::Act(plan) => return Ok(plan),
                Decision::Look(Look::Alias) => world.alias = Seen::Found(self.alias()?),
                Decision::Look(Look::Head) => world.head = Seen::Missing,
                Decision::Look(Look::Measure(measure)) => world.measured = Seen::Found(measured(traffic, &measure)),
                other => bail!("nobody expected {other:?}"),
            }
        }
    }

    fn alias(&self) -> Result<LiveAlias> {
        let marker =
            Marker { release: self.release.id.clone(), transition: TransitionNumber(2), weight: None, held: None };
        Ok(LiveAlias {
            version: Some(version(1)?),
            additional: Some(Weighted { version: version(2)?, basis_points: 1000 }),
            marker: Some(marker),
            revision: RevisionId("revision".to_owned()),
        })
    }
}

fn measured(traffic: &mut Traffic, measure: &Measure) -> Measured {
    measure.canary.map_or_else(Measured::default, |(_, window)| traffic.of_first(window.length().num_minutes()))
}

fn service(environment: &EnvironmentName) -> Result<Service> {
    let file =
        |name: &str, text: &str| SourceFile::new(name, text.as_bytes()).map_err(|problems| anyhow!("{problems:?}"));
    let config = file("release-config.yaml", &format!("environments: {{{environment}: {{}}}}"))?;
    let config = read_release_config(&config).map_err(|problems| anyhow!("{problems:?}"))?;
    let services = file("services.yaml", SERVICES)?;
    let services = read_environment(&services, environment, &config).map_err(|problems| anyhow!("{problems:?}"))?;
    services.services.into_values().next().context("no service")
}

fn release(letter: char) -> Result<Release> {
    let code = Code::Image(format!("sha256:{}", letter.to_string().repeat(64)).parse()?);
    let source = Source::Image { uri: format!("registry/flight-service:{letter}") };
    Ok(Release::new(code, source, None, &AppliedConfiguration::default()))
}

fn version(number: u64) -> Result<Version> {
    Version::new(number).context("a version is 1 or more")
}

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + Duration::minutes(minute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{BAD, GOOD};

    #[test]
    fn a_release_that_fails_ten_times_as_often_is_turned_back() {
        let caught = turned_back(200, BAD).unwrap();
        assert!(caught >= 99.0, "{caught} %");
    }

    #[test]
    fn a_release_that_is_as_good_as_stable_goes_on() {
        let aborted = turned_back(200, GOOD).unwrap();
        assert!(aborted <= 1.0, "{aborted} %");
    }
}

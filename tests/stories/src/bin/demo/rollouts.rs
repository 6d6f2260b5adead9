//! The story of progressive delivery: six releases of which three become live, with clients asking all the time.
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tidegate_core::analysis::Outcome;
use tidegate_core::history::{Kind, Record};
use tidegate_core::report::{ServiceReport, TickReport};
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

use crate::stage::Stage;
use crate::traffic::Traffic;
use crate::{release_file, tell, watch};

const FLIGHT: (&str, &str) = ("flight-service", "StagingFlightService");
const RESERVATION: (&str, &str) = ("reservation-service", "StagingReservationService");

const CANARY: &str = "    strategy:
      canary:
        steps:
          - setWeight: 10
          - pause: { duration: 10m }
          - setWeight: 50
          - pause: { duration: 5m }
    analysis: { maxErrorRate: 1%, minInvocations: 20 }
";

const BLUE_GREEN: &str = "    strategy:
      blueGreen: { previewAlias: candidate, autoPromote: false, bake: 1m }
    smokeTest:
      payload: { action: seats, flight: TG123 }
      expectStatus: 200
      expectJson: { /result/flight: TG123 }
";

pub(crate) async fn play(stage: &Stage) -> Result<()> {
    let flights = Traffic::begin(&stage.account, FLIGHT.1, &json!({"flight": "TG123"}));
    good_canary(stage, flights).await?;
    let flights = Traffic::begin(&stage.account, FLIGHT.1, &json!({"flight": "TG123"}));
    bad_canary(stage, flights).await?;
    let flights = Traffic::begin(&stage.account, FLIGHT.1, &json!({"flight": "TG123"}));
    superseded(stage, flights).await?;
    let seats = Traffic::begin(&stage.account, RESERVATION.1, &json!({"action": "seats", "flight": "TG123"}));
    failing_smoke_test(stage, &seats).await?;
    manual_gate(stage, &seats).await?;
    rollback(stage, &seats).await
}

/// How a service of a report stands.
fn of<'a>(report: &'a TickReport, service: &str) -> Option<&'a ServiceReport> {
    report.services.iter().find(|(name, _)| name.as_str() == service).map(|(_, service)| service)
}

fn is(report: &TickReport, service: &str, phase: PhaseName) -> bool {
    of(report, service).is_some_and(|service| service.standing.phase == phase)
}

fn is_at_rest(report: &TickReport, service: &str) -> bool {
    is(report, service, PhaseName::Idle)
        && of(report, service).is_some_and(|service| service.standing.sync == SyncStatus::Synced)
}

/// Whether a service is in this step of its rollout, and its metrics were looked at; or further than that.
fn is_looked_at(report: &TickReport, service: &str, step: usize) -> bool {
    let Some(progress) = of(report, service).and_then(|service| service.rollout.as_ref()) else { return false };
    let seen = progress.verdict.as_ref().is_some_and(|verdict| verdict.outcome == Outcome::Successful);
    progress.step.is_some_and(|now| now > step || (now == step && seen))
}

async fn good_canary(stage: &Stage, clients: Traffic) -> Result<()> {
    tell::chapter("A canary: v1.3.0 gets 10 %, then 50 %, then all of the traffic");
    stage.push(FLIGHT.0, "v1.3.0").await?;
    release_file::retag(stage, FLIGHT.0, "v1.3.0")?;
    release_file::extend(stage, FLIGHT.0, CANARY)?;
    release_file::show_edit(stage)?;
    let commit = release_file::merge(stage, "Release flight-service v1.3.0 as a canary")?;
    for step in [1, 2] {
        watch::until(&stage.account, &commit, |report| is_looked_at(report, FLIGHT.0, step)).await?;
        stage.tidegate(&["status", "staging/flight-service"], 0).await?;
    }
    watch::until(&stage.account, &commit, |report| is_at_rest(report, FLIGHT.0)).await?;
    let record = ended(stage, FLIGHT.0, Kind::Promoted).await?;
    let steps: Vec<(&str, Option<Outcome>)> =
        record.steps.iter().map(|step| (step.step.as_str(), step.verdict.as_ref().map(|it| it.outcome))).collect();
    ensure!(steps == [("10 %", Some(Outcome::Successful)), ("50 %", Some(Outcome::Successful))], "steps: {steps:?}");
    let answers = clients.answers()?;
    tell::holds(&answers.to_string());
    tell::holds("each step was judged by what those requests left in CloudWatch");
    Ok(())
}

async fn bad_canary(stage: &Stage, clients: Traffic) -> Result<()> {
    tell::chapter("A bad canary: v1.4.0 fails in 3 of 10 invocations");
    stage.push_failing(FLIGHT.0, "v1.4.0", 0.3).await?;
    release_file::retag(stage, FLIGHT.0, "v1.4.0")?;
    let commit = release_file::merge(stage, "Release flight-service v1.4.0")?;
    let (report, _) = watch::until(&stage.account, &commit, |report| is(report, FLIGHT.0, PhaseName::Aborted)).await?;
    let health = of(&report, FLIGHT.0).map(|service| service.standing.health);
    ensure!(health == Some(Health::Degraded), "it is {health:?}");
    let live = of(&report, FLIGHT.0).and_then(|service| service.live.as_ref()?.tag.as_ref().map(ToString::to_string));
    ensure!(live.as_deref() == Some("v1.3.0"), "{live:?} is live");
    stage.tidegate(&["status", "staging/flight-service"], 1).await?;
    stage.tidegate(&["history", "staging/flight-service", "--limit", "2"], 0).await?;
    let record = ended(stage, FLIGHT.0, Kind::Aborted).await?;
    let steps: Vec<&str> = record.steps.iter().map(|step| step.step.as_str()).collect();
    ensure!(steps == ["10 %"], "it was turned back after {steps:?}");
    let answers = clients.answers()?;
    let bad = answers.of(&record.to.version.context("no version")?.to_string());
    ensure!(bad.failed > 0 && bad.answered * 3 < answers.total(), "the bad version had its share of {answers}");
    tell::holds(&answers.to_string());
    tell::holds("turned back at 10 %, with nobody at the keyboard; v1.3.0 serves as before");
    Ok(())
}

async fn superseded(stage: &Stage, clients: Traffic) -> Result<()> {
    tell::chapter("Half-way through the fix, v1.5.0, somebody merges a better one");
    for tag in ["v1.5.0", "v1.6.0"] {
        stage.push(FLIGHT.0, tag).await?;
    }
    release_file::retag(stage, FLIGHT.0, "v1.5.0")?;
    let commit = release_file::merge(stage, "Release flight-service v1.5.0")?;
    watch::until(&stage.account, &commit, |report| is(report, FLIGHT.0, PhaseName::Holding)).await?;
    release_file::retag(stage, FLIGHT.0, "v1.6.0")?;
    let commit = release_file::merge(stage, "Release flight-service v1.6.0")?;
    watch::until(&stage.account, &commit, |report| {
        let release = of(report, FLIGHT.0).and_then(|service| service.rollout.as_ref()).map(|it| it.release.as_str());
        is(report, FLIGHT.0, PhaseName::Holding) && release == Some("v1.6.0")
    })
    .await?;
    let record = ended(stage, FLIGHT.0, Kind::Superseded).await?;
    ensure!(record.to.label() == "v1.5.0", "{} was superseded", record.to.label());
    tell::holds("v1.5.0 gave its traffic back, and v1.6.0 began at its own first step");
    let reason = "fixes an outage";
    let full = ["promote", "staging/flight-service", "--full", "--reason", reason];
    stage.tidegate(&full, 0).await?;
    watch::until(&stage.account, &commit, |report| is_at_rest(report, FLIGHT.0)).await?;
    let record = ended(stage, FLIGHT.0, Kind::Promoted).await?;
    ensure!(record.said.iter().any(|said| said.reason.as_deref() == Some(reason)), "nobody said so: {record:?}");
    tell::holds(&clients.answers()?.to_string());
    Ok(())
}

async fn failing_smoke_test(stage: &Stage, clients: &Traffic) -> Result<()> {
    tell::chapter("Blue-green: v1.2.0 of reservation-service fails its smoke test");
    stage.push_failing(RESERVATION.0, "v1.2.0", 1.0).await?;
    release_file::retag(stage, RESERVATION.0, "v1.2.0")?;
    release_file::extend(stage, RESERVATION.0, BLUE_GREEN)?;
    release_file::show_edit(stage)?;
    let commit = release_file::merge(stage, "Release reservation-service v1.2.0 blue-green")?;
    watch::until(&stage.account, &commit, |report| is(report, RESERVATION.0, PhaseName::Failed)).await?;
    stage.tidegate(&["status", "staging/reservation-service"], 1).await?;
    let record = ended(stage, RESERVATION.0, Kind::Failed).await?;
    let reason = record.reason.unwrap_or_default();
    ensure!(reason.starts_with("the smoke test failed"), "it failed because {reason}");
    let answers = clients.answers()?;
    let version = record.to.version.context("no version")?.to_string();
    ensure!(answers.total() > 0 && answers.of(&version).answered == 0, "traffic reached it: {answers}");
    tell::holds(&answers.to_string());
    tell::holds(&format!("no client ever reached version {version}"));
    Ok(())
}

async fn manual_gate(stage: &Stage, clients: &Traffic) -> Result<()> {
    tell::chapter("Blue-green with a gate: v1.3.0 is ready, and waits for a person");
    stage.push(RESERVATION.0, "v1.3.0").await?;
    release_file::retag(stage, RESERVATION.0, "v1.3.0")?;
    let commit = release_file::merge(stage, "Release reservation-service v1.3.0")?;
    watch::until(&stage.account, &commit, |report| {
        of(report, RESERVATION.0)
            .is_some_and(|service| matches!(service.standing.waiting_on, Some(WaitingOn::Promotion)))
    })
    .await?;
    let seats = json!({"action": "seats", "flight": "TG123"});
    for (alias, version) in [("candidate", "v1.3.0"), ("live", "v1.1.0")] {
        stage.answers(RESERVATION.1, alias, &seats, version).await?;
    }
    let reason = "preview looks good";
    stage.tidegate(&["promote", "staging/reservation-service", "--reason", reason], 0).await?;
    watch::until(&stage.account, &commit, |report| is_at_rest(report, RESERVATION.0)).await?;
    stage.answers(RESERVATION.1, "live", &seats, "v1.3.0").await?;
    let record = ended(stage, RESERVATION.0, Kind::Promoted).await?;
    ensure!(record.said.iter().any(|said| said.reason.as_deref() == Some(reason)), "nobody said so: {record:?}");
    tell::holds(&clients.answers()?.to_string());
    Ok(())
}

async fn rollback(stage: &Stage, clients: &Traffic) -> Result<()> {
    tell::chapter("At night: reservation-service goes back to what was good, and stays there");
    let reason = "5xx after 14:02";
    let seats = json!({"action": "seats", "flight": "TG123"});
    stage.tidegate(&["rollback", "staging/reservation-service", "--reason", reason], 0).await?;
    stage.answers(RESERVATION.1, "live", &seats, "v1.1.0").await?;
    let record = ended(stage, RESERVATION.0, Kind::RolledBack).await?;
    ensure!(record.to.label() == "v1.1.0", "it went back to {}", record.to.label());
    stage.show_branch(&format!("tidegate/rollback/staging/{}/{}", RESERVATION.0, record.number))?;
    tell::holds("the release repository has the revert, ready for a pull request");
    // Another service is released meanwhile; the held one stays where it is.
    stage.push(FLIGHT.0, "v1.7.0").await?;
    release_file::retag(stage, FLIGHT.0, "v1.7.0")?;
    let commit = release_file::merge(stage, "Release flight-service v1.7.0")?;
    let (report, _) = watch::until(&stage.account, &commit, |report| is(report, FLIGHT.0, PhaseName::Holding)).await?;
    ensure!(is(&report, RESERVATION.0, PhaseName::RolledBack), "the hold is gone");
    stage.answers(RESERVATION.1, "live", &seats, "v1.1.0").await?;
    stage.tidegate(&["status", "staging/reservation-service"], 1).await?;
    tell::holds("what was rolled back stays out, whatever else is merged");
    stage.tidegate(&["unhold", "staging/reservation-service", "--reason", "it was the database"], 0).await?;
    stage.tidegate(&["history", "staging/reservation-service", "--limit", "2"], 0).await?;
    tell::holds(&clients.answers()?.to_string());
    Ok(())
}

/// The service's newest record, which has to be of this kind.
async fn ended(stage: &Stage, service: &str, kind: Kind) -> Result<Record> {
    let record = watch::last_record(&stage.account, service).await?;
    ensure!(record.kind == kind, "{} of {service} ended as {:?}: {:?}", record.to.label(), record.kind, record.reason);
    Ok(record)
}

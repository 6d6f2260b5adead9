//! The story: a first deploy, a merge that goes live, one that is not valid, a tag that does not exist, and then rollouts.
use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use tidegate_core::report::TickReport;
use tidegate_core::status::{HoldReason, SyncStatus, WaitingOn};

use crate::release_file::{self, FILE};
use crate::stage::{SERVICES, Stage};
use crate::{rollouts, tell, watch};

pub(crate) async fn play(stage: &mut Stage) -> Result<()> {
    first_deploy(stage).await?;
    merge(stage).await?;
    invalid_merge(stage).await?;
    missing_tag(stage).await?;
    rollouts::play(stage).await?;
    tell::chapter("What is written down of it");
    stage.tidegate(&["history", "staging"], 0).await?;
    Ok(())
}

fn all_synced(report: &TickReport) -> bool {
    report.services.len() == SERVICES.len()
        && report.services.values().all(|service| service.standing.sync == SyncStatus::Synced)
}

async fn first_deploy(stage: &Stage) -> Result<()> {
    tell::chapter("First deploy: the controller finds the release repository");
    let commit = stage.tree.head()?;
    watch::until(&stage.account, &commit, all_synced).await?;
    tell::holds("all services are live at what Git wants");
    stage.tidegate(&["status", "staging"], 0).await?;
    let answer = stage.account.invoke("StagingFlightBff", Some("live"), &json!({"flight": "TG123"})).await?;
    tell::command("aws lambda invoke --function-name StagingFlightBff:live … | jq -c .result.servedBy");
    let served_by = answer.pointer("/result/servedBy").with_context(|| format!("it answers {answer}"))?;
    tell::output(&served_by.to_string());
    let expected = json!({"flight-service": "v1.0.0", "reservation-service": "v1.0.0"});
    ensure!(*served_by == expected, "it is served by {served_by}");
    tell::holds("flight-bff found the other two through the service registry");
    Ok(())
}

async fn merge(stage: &Stage) -> Result<()> {
    tell::chapter("A merge: flight-service v1.0.0 -> v1.1.0");
    release_file::retag(stage, "flight-service", "v1.1.0")?;
    release_file::show_edit(stage)?;
    stage.tidegate(&["validate"], 0).await?;
    stage.tidegate(&["diff"], 1).await?;
    let commit = release_file::merge(stage, "Release flight-service v1.1.0")?;
    let live = |report: &TickReport| tag(report, "flight-service").as_deref() == Some("v1.1.0") && all_synced(report);
    let (_, ticks) = watch::until(&stage.account, &commit, live).await?;
    ensure!(ticks <= 2, "it took {ticks} ticks, not two");
    tell::holds(&format!("the alias moved within {ticks} ticks"));
    stage.answers("StagingFlightService", "live", &json!({"flight": "TG123"}), "v1.1.0").await?;
    stage.tidegate(&["diff"], 0).await?;
    Ok(())
}

async fn invalid_merge(stage: &Stage) -> Result<()> {
    tell::chapter("A merge that is not valid: only the environment waits, and says why");
    let before = release_file::read(stage)?;
    let broken = before.replacen("imageTag: \"v1.1.0\"", "imageTga: 1.10", 1);
    ensure!(broken != before, "the file does not look as expected");
    stage.tree.write(FILE, &broken)?;
    stage.tidegate(&["validate"], 3).await?;
    let commit = release_file::merge(stage, "Release something with a slip of the pen")?;
    let held = |report: &TickReport| matches!(&report.hold, Some(HoldReason::InvalidRelease { commit: c, .. }) if *c == commit);
    watch::until(&stage.account, &commit, held).await?;
    tell::holds("the environment is held at its last good commit");
    stage.answers("StagingFlightService", "live", &json!({"flight": "TG123"}), "v1.1.0").await?;
    stage.tree.write(FILE, &before)?;
    let commit = release_file::merge(stage, "Take it back")?;
    watch::until(&stage.account, &commit, |report| report.hold.is_none() && all_synced(report)).await?;
    tell::holds("and goes on once the file is valid");
    Ok(())
}

async fn missing_tag(stage: &Stage) -> Result<()> {
    tell::chapter("A tag that does not exist blocks its service, and no other");
    release_file::retag(stage, "reservation-service", "v1.1.0")?;
    release_file::retag(stage, "flight-service", "v1.2.0")?;
    let commit = release_file::merge(stage, "Release flight-service v1.2.0 and reservation-service v1.1.0")?;
    let both = |report: &TickReport| {
        let blocked = report.services.iter().any(|(name, service)| {
            name.as_str() == "reservation-service"
                && matches!(service.standing.waiting_on, Some(WaitingOn::Blocked { .. }))
        });
        blocked && tag(report, "flight-service").as_deref() == Some("v1.2.0")
    };
    watch::until(&stage.account, &commit, both).await?;
    stage.answers("StagingFlightService", "live", &json!({"flight": "TG123"}), "v1.2.0").await?;
    stage.tidegate(&["status", "staging"], 1).await?;
    tell::step("the missing image is pushed");
    stage.push("reservation-service", "v1.1.0").await?;
    watch::until(&stage.account, &commit, all_synced).await?;
    tell::holds("and is released without another word");
    Ok(())
}

fn tag(report: &TickReport, service: &str) -> Option<String> {
    let service = report.services.iter().find(|(name, _)| name.as_str() == service)?.1;
    service.live.as_ref()?.tag.as_ref().map(ToString::to_string)
}

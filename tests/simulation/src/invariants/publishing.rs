//! What may be published, and what may be served: invariants 5 and 13.
use local_aws::VersionState;
use tidegate_core::release::Code;
use tidegate_runtime::store::desired::DesiredDocument;

use super::{AliasWrite, Moment, Violation, named, share};
use crate::world;

/// Invariant 5: At most one version is published for one release.
pub(super) fn one_version_a_release(moment: &Moment<'_>) -> Result<(), Violation> {
    let (Some(known), Some(after)) = (moment.known(), moment.after) else { return Ok(()) };
    let before = known.view.as_ref();
    let wanted = moment.intended();
    let memory = wanted.and_then(|wanted| wanted.memory);
    // Nothing wakes a version by a smoke test that Git has taken away since.
    let smoke = wanted.is_some_and(|wanted| wanted.smoke) && moment.wanted().is_none_or(|wanted| wanted.smoke);
    for (number, version) in &after.versions {
        if before.is_some_and(|before| before.versions.contains_key(number)) {
            continue;
        }
        let twin = after.versions.iter().find(|(other, found)| {
            *other < number
                && known.ours.get(other) == Some(&memory)
                && found.content == version.content
                && !cannot_serve(found.state, smoke)
        });
        if let Some((twin, _)) = twin {
            let what = format!("`{}`: version {number} is version {twin} once more", moment.resource);
            return Err(Violation::of(5, what));
        }
    }
    Ok(())
}

/// Whether a version can take no traffic: it failed, or sleeps, and without a smoke test nothing wakes it.
const fn cannot_serve(state: VersionState, smoke: bool) -> bool {
    match state {
        VersionState::Failed => true,
        VersionState::Inactive => !smoke,
        VersionState::Active | VersionState::Pending => false,
    }
}

/// Invariant 13: The digest served is the digest pinned.
pub(super) fn what_is_served_is_what_was_pinned(moment: &Moment<'_>) -> Result<(), Violation> {
    let Some(AliasWrite { function, name, before, after, .. }) = moment.alias_write() else { return Ok(()) };
    if name != world::ALIAS {
        return Ok(());
    }
    let state = moment.state();
    let recent = moment.recent();
    let hex = |code: &Code| code.to_string().rsplit(':').next().unwrap_or_default().to_owned();
    for number in named(after).into_iter().filter(|number| share(Some(after), *number) > share(before, *number)) {
        let served = function.versions.get(&number).map(|version| version.code.as_str()).unwrap_or_default();
        let label = number.to_string();
        let pinned = state
            .as_ref()
            .filter(|state| state.phase.version().is_some_and(|version| version.to_string() == label))
            .map(|state| hex(&state.release.code));
        let recorded = recent.iter().flat_map(|record| [Some(&record.to), record.from.as_ref()]);
        let recorded = recorded
            .flatten()
            .find(|deployed| deployed.version.is_some_and(|version| version.to_string() == label))
            .map(|deployed| hex(&deployed.code));
        if let Some(pinned) = pinned.or(recorded)
            && pinned != served
        {
            let what = format!("`{}`: version {number} runs {served}, and {pinned} was pinned", moment.resource);
            return Err(Violation::of(13, what));
        }
    }
    Ok(())
}

/// Invariant 13: The commit applied descends from the one applied before.
pub(super) fn commits_descend(moment: &Moment<'_>) -> Result<(), Violation> {
    if moment.call.operation != "PutObject" || !moment.resource.contains("/desired/") || !moment.succeeded() {
        return Ok(());
    }
    let Ok(now) = serde_json::from_slice::<DesiredDocument>(&moment.call.body) else {
        return Err(Violation::of(13, format!("`{}` is no such document", moment.resource)));
    };
    let Some(content) = moment.facts.commits.get(&now.commit.id) else {
        return Err(Violation::of(13, format!("nobody made the commit {}", now.commit.id)));
    };
    let environment =
        moment.resource.rsplit('/').next().and_then(|name| name.strip_suffix(".json")).unwrap_or_default();
    if content.content.broken.contains_key(environment) {
        return Err(Violation::of(11, format!("{} is not valid in {}, and was applied", now.commit.id, environment)));
    }
    let before = moment.facts.applied.get(environment);
    let descends = before.is_none_or(|before| moment.facts.descends(&now.commit.id, before));
    if descends || moment.facts.confirmed.contains(&now.commit.id) {
        return Ok(());
    }
    let what = format!(
        "{} is applied after {}, which it does not descend from",
        now.commit.id,
        before.cloned().unwrap_or_default()
    );
    Err(Violation::of(13, what))
}

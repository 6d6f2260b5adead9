//! `tidegate diff [DIR]`: what the files of a working tree would change, and how.
use std::collections::BTreeMap;

use release_schema::EnvironmentName;
use serde_json::{Value, json};
use tidegate_core::status::SyncStatus;
use tidegate_runtime::controller::{Preview, ServicePreview};

use super::tree::{self, Tree};
use crate::arguments::{Diff, Format, Global};
use crate::exit::{Error, Exit};
use crate::{out, route};

pub(crate) async fn run(global: &Global, wish: &Diff) -> Result<Exit, Error> {
    let tree = Tree::open(&wish.dir)?;
    let config = match &tree.config {
        Ok(config) => config,
        Err(problems) => {
            tree::show(problems);
            return Ok(Exit::InvalidRelease);
        }
    };
    let chosen: Vec<EnvironmentName> = if wish.environment.is_empty() {
        config.environments.keys().cloned().collect()
    } else {
        wish.environment.clone()
    };
    let configured = route::here(global).await;
    let only_configured = wish.environment.is_empty();
    let mut previews = BTreeMap::new();
    for name in chosen {
        if only_configured && !configured.manages(&name).await? {
            out::note(&format!("`{name}` is left out: the installation `{}` does not manage it", global.installation));
            continue;
        }
        let Some(content) = tree.content(&name)? else {
            return Err(Error::new(
                Exit::InvalidRelease,
                format!("`environments/{name}/services.yaml` does not exist"),
            ));
        };
        let preview = configured.preview(&name, &content, chrono::Utc::now(), &route::caller()).await?;
        previews.insert(name, preview);
    }
    match wish.output {
        Format::Table => show(&previews)?,
        Format::Json | Format::Yaml => out::document(&document(&previews), wish.output)?,
    }
    Ok(previews.values().flat_map(BTreeMap::values).map(exit_of).max().unwrap_or(Exit::Done))
}

fn exit_of(service: &Result<ServicePreview, String>) -> Exit {
    match service {
        Err(_) => Exit::Unavailable,
        Ok(preview) if preview.standing.sync == SyncStatus::Synced && preview.diff.is_empty() => Exit::Done,
        Ok(_) => Exit::Different,
    }
}

fn show(previews: &BTreeMap<EnvironmentName, Preview>) -> Result<(), Error> {
    let mut blocks = Vec::new();
    for (environment, preview) in previews {
        let same = preview.values().filter(|service| exit_of(service) == Exit::Done).count();
        for (name, service) in preview.iter().filter(|(_, service)| exit_of(service) != Exit::Done) {
            blocks.push(block(&format!("{environment}/{name}"), service));
        }
        let differ = preview.len() - same;
        blocks.push(format!("{environment}: {same} as Git wants, {differ} to change"));
    }
    out::data(&out::clean(&blocks.join("\n\n")))
}

fn block(title: &str, service: &Result<ServicePreview, String>) -> String {
    let mut lines = vec![title.to_owned()];
    match service {
        Err(error) => lines.push(format!("  cannot be told: {error}")),
        Ok(ServicePreview { standing, diff, actions }) => {
            lines.extend(diff.lines().map(str::to_owned));
            if !actions.is_empty() {
                lines.push("the next tick would".to_owned());
                lines.extend(actions.iter().map(|action| format!("  - {action}")));
            } else if let Some(waiting) = &standing.waiting_on {
                lines.push(format!("nothing would be done: {waiting}"));
            }
        }
    }
    lines.join("\n")
}

fn document(previews: &BTreeMap<EnvironmentName, Preview>) -> Value {
    let one = |service: &Result<ServicePreview, String>| match service {
        Err(error) => json!({"error": error}),
        Ok(ServicePreview { standing, diff, actions }) => {
            json!({"standing": standing, "diff": diff, "actions": actions})
        }
    };
    let environment = |preview: &Preview| -> Value {
        preview.iter().map(|(name, service)| (name.to_string(), one(service))).collect::<serde_json::Map<_, _>>().into()
    };
    previews
        .iter()
        .map(|(name, preview)| (name.to_string(), environment(preview)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

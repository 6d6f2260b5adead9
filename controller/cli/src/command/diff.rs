//! `tidegate diff`: shows what the files of a working tree would change, and what would be done about it.
use std::collections::BTreeMap;

use release_schema::{EnvironmentName, ServiceName};
use serde::Serialize;
use tidegate_core::plan::Standing;
use tidegate_core::report::there_are;
use tidegate_runtime::controller::{Preview, ServicePreview};
use tidegate_runtime::tick::Leaves;

use super::{files, validate};
use crate::arguments::{Diff, Format, Reach};
use crate::connection::{self, Connection};
use crate::exit::{Error, Exit};
use crate::out::{Out, Tone};
use crate::table::push_wrapped;
use crate::text;

/// One service, for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
enum Shown {
    /// It was looked at.
    Seen {
        /// How it stands.
        standing: Standing,
        /// Why it waits, in words.
        #[serde(rename = "waitingOn", skip_serializing_if = "Option::is_none")]
        waiting_on: Option<String>,
        /// Unified diff.
        diff: String,
        /// What would be done, in order.
        actions: Vec<String>,
    },
    /// It could not be.
    Failed {
        /// Why.
        error: String,
    },
    /// The working tree does not have it any more.
    Removed {
        /// Its alias, which is left as it is.
        removed: String,
        /// What would be done, in order.
        actions: Vec<String>,
    },
}

type Environments = BTreeMap<EnvironmentName, BTreeMap<ServiceName, Shown>>;

pub(crate) async fn run(options: &Diff, reach: &Reach, out: &Out) -> Result<Exit, Error> {
    let mut tree = files::read(&options.dir)?;
    if let Some(name) = options.environments.iter().find(|name| !tree.environments.contains_key(*name))
        && tree.count() == 0
    {
        let names = there_are(tree.environments.keys());
        return Err(Error::refused(format!("there is no environment `{name}` in the files; {names}")));
    }
    if tree.count() > 0 {
        out.note(validate::plain(&tree).trim_end());
        return Err(Error::invalid(validate::summary(&tree)));
    }
    let connection = Connection::open(reach).await?;
    let chosen = choose(options, &connection, tree.environments.keys(), out).await?;
    let mut shown = Environments::new();
    for name in chosen {
        let Some((_, content)) = tree.environments.remove(&name) else { continue };
        let preview = connection.controller.preview(&name, &content, text::now(), &connection::caller(None)).await?;
        shown.insert(name, services(preview));
    }
    out.value(options.output.format, &shown, || render(&shown, out))?;
    if options.output.format == Format::Table {
        out.note(&summary(&shown));
    }
    Ok(exit(&shown))
}

/// The environments that are asked for, else those that the installation has.
async fn choose(
    options: &Diff,
    connection: &Connection,
    found: impl Iterator<Item = &EnvironmentName>,
    out: &Out,
) -> Result<Vec<EnvironmentName>, Error> {
    if !options.environments.is_empty() {
        return Ok(options.environments.clone());
    }
    let configured = connection.configuration().await?.environments;
    let (chosen, others): (Vec<_>, Vec<_>) = found.cloned().partition(|name| configured.contains_key(name));
    if chosen.is_empty() {
        return Err(Error::refused("the installation has none of the environments of these files")
            .hint("is it the right one? `--installation` names it"));
    }
    for name in others {
        out.warning(&format!("`{name}` is left out: the installation does not have it"));
    }
    Ok(chosen)
}

fn services(preview: Preview) -> BTreeMap<ServiceName, Shown> {
    let Preview { services, removed } = preview;
    let removed = removed.into_iter().map(|(name, leaves)| {
        let Leaves { alias, actions } = leaves;
        (name, Shown::Removed { removed: alias, actions })
    });
    let shown = |preview| match preview {
        Ok(ServicePreview { standing, diff, actions }) => {
            let waiting_on = standing.waiting_on.as_ref().map(ToString::to_string);
            Shown::Seen { standing, waiting_on, diff, actions }
        }
        Err(error) => Shown::Failed { error },
    };
    services.into_iter().map(|(name, preview)| (name, shown(preview))).chain(removed).collect()
}

/// Whether it is worth showing: something differs, would be done, or stands in the way.
fn differs(shown: &Shown) -> bool {
    match shown {
        Shown::Seen { standing: _, waiting_on, diff, actions } => {
            waiting_on.is_some() || !diff.is_empty() || !actions.is_empty()
        }
        Shown::Failed { .. } | Shown::Removed { .. } => true,
    }
}

fn exit(environments: &Environments) -> Exit {
    let services = environments.values().flat_map(BTreeMap::values);
    let exits = services.map(|shown| match shown {
        Shown::Failed { .. } => Exit::Unavailable,
        Shown::Removed { .. } => Exit::Difference,
        Shown::Seen { .. } if differs(shown) => Exit::Difference,
        Shown::Seen { .. } => Exit::Done,
    });
    exits.max().unwrap_or(Exit::Done)
}

fn render(environments: &Environments, out: &Out) -> String {
    let mut text = String::new();
    for (environment, services) in environments {
        for (service, shown) in services.iter().filter(|(_, shown)| differs(shown)) {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&out.paint.paint(Tone::Strong, &format!("{environment}/{service}")));
            text.push('\n');
            push_service(&mut text, &format!("{environment}/{service}"), shown, out);
        }
    }
    text
}

/// `name` is what commands call the service: a hint can be copied as it stands.
fn push_service(text: &mut String, name: &str, shown: &Shown, out: &Out) {
    let mut push = |indent: &str, note: &str, tone: Tone| {
        push_wrapped(text, indent, &text::escaped(note), tone, out.width, out.paint);
    };
    match shown {
        Shown::Failed { error } => push("  error: ", error, Tone::Bad),
        Shown::Removed { removed, actions } => {
            for action in actions {
                push("  would ", action, Tone::Plain);
            }
            push("  removed: ", &format!("it is not in these files; {removed} is left as it is"), Tone::Busy);
        }
        Shown::Seen { standing: _, waiting_on, diff, actions } => {
            for action in actions {
                push("  would ", action, Tone::Plain);
            }
            if let Some(reason) = waiting_on {
                push("  waits on: ", &reason.replace("ENV/SERVICE", name), Tone::Busy);
            }
            for line in diff.lines() {
                let tone = match line.as_bytes().first() {
                    Some(b'+') => Tone::Good,
                    Some(b'-') => Tone::Bad,
                    Some(b'@') => Tone::Faint,
                    Some(_) | None => Tone::Plain,
                };
                // Never wrapped: a diff is read by programs as well.
                text.push_str(&out.paint.paint(tone, &text::escaped(line)));
                text.push('\n');
            }
        }
    }
}

fn summary(environments: &Environments) -> String {
    let parts: Vec<String> = environments
        .iter()
        .map(|(name, services)| {
            let differing = services.values().filter(|shown| differs(shown)).count();
            let all = text::counted(services.len(), "service");
            match differing {
                0 => format!("`{name}`: no difference in {all}"),
                1 => format!("`{name}`: 1 of {all} differs"),
                _ => format!("`{name}`: {differing} of {all} differ"),
            }
        })
        .collect();
    parts.join("\n")
}

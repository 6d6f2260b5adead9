//! Holds what the stories called of AWS against the list that the controller's policies are made for.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::workspace::Workspace;

/// Where the list lies, below the workspace's root.
const RECORDED: &str = "tests/stories/recorded-calls.json";

/// Of each command the actions, as IAM names them, and of each action the kinds of resource.
type Calls = BTreeMap<String, BTreeMap<String, BTreeSet<String>>>;

/// Forgets what earlier runs called.
pub(crate) fn forget(workspace: &Workspace) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder(workspace)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether the list says what the stories called: no more, no less.
pub(crate) fn check(workspace: &Workspace) -> anyhow::Result<()> {
    let text = fs::read_to_string(workspace.root.join(RECORDED)).with_context(|| format!("`{RECORDED}`"))?;
    let recorded: Calls = serde_json::from_str(&text).with_context(|| format!("`{RECORDED}`"))?;
    let differences = differences(&recorded, &called(workspace)?);
    anyhow::ensure!(
        differences.is_empty(),
        "`{RECORDED}` is not what the stories called; the policies in `infra/` are made for it:\n{}\n\
         hint: where that is right, `cargo xtask calls` writes it anew",
        differences.join("\n")
    );
    Ok(())
}

/// Writes the list from what the stories called since the last `cargo xtask test --only test`.
pub(crate) fn write(workspace: &Workspace) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(&called(workspace)?)?;
    fs::write(workspace.root.join(RECORDED), text + "\n")?;
    println!("wrote `{RECORDED}`");
    Ok(())
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target.join("debug/calls")
}

/// What all stories called together.
fn called(workspace: &Workspace) -> anyhow::Result<Calls> {
    let hint = "no story has run: run `cargo xtask test --only test`";
    let mut all = Calls::new();
    for file in fs::read_dir(folder(workspace)).context(hint)? {
        let one: Calls = serde_json::from_str(&fs::read_to_string(file?.path())?)?;
        for (command, actions) in one {
            let known = all.entry(command).or_default();
            for (action, resources) in actions {
                known.entry(action).or_default().extend(resources);
            }
        }
    }
    Ok(all)
}

/// A line for each call that only one of the two has.
fn differences(recorded: &Calls, called: &Calls) -> Vec<String> {
    let (recorded, called) = (flat(recorded), flat(called));
    let lacks = called.difference(&recorded).map(|call| format!("  called, not in the list: {call}"));
    let extra = recorded.difference(&called).map(|call| format!("  in the list, not called: {call}"));
    lacks.chain(extra).collect()
}

fn flat(calls: &Calls) -> BTreeSet<String> {
    let lines = calls.iter().flat_map(|(command, actions)| {
        actions.iter().flat_map(move |(action, resources)| {
            resources.iter().map(move |resource| format!("`{command}` calls {action} of {resource}"))
        })
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Calls {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_only_one_of_the_two_has_is_named() {
        let recorded = calls(r#"{"sync": {"lambda:GetFunction": ["function"], "s3:GetObject": ["state"]}}"#);
        let called = calls(r#"{"sync": {"lambda:GetFunction": ["function", "function:qualifier"]}}"#);
        assert_eq!(
            differences(&recorded, &called),
            [
                "  called, not in the list: `sync` calls lambda:GetFunction of function:qualifier",
                "  in the list, not called: `sync` calls s3:GetObject of state",
            ]
        );
        assert!(differences(&recorded, &recorded).is_empty());
    }
}

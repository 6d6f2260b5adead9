//! Effect: asks Cargo where the workspace is and where it builds.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Deserialize;

use crate::command::cargo;

/// The places of this workspace.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
    /// `CARGO_TARGET_DIR`, or `target` in the workspace.
    #[serde(rename = "target_directory")]
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// Finds the workspace of the current directory.
    pub(crate) fn locate() -> anyhow::Result<Self> {
        let output = cargo(&["metadata", "--no-deps", "--format-version=1", "--offline"])
            .output()
            .context("`cargo metadata` could not be started")?;
        let message = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(output.status.success(), "`cargo metadata` failed: {}", message.trim());
        serde_json::from_slice(&output.stdout).context("`cargo metadata` printed something else")
    }

    /// A program of the debug build.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.target.join("debug").join(name)
    }

    /// The files of `directory` (from the root) whose names end so, sorted.
    ///
    /// # Errors
    /// There is none: a check that looks at nothing must not pass.
    pub(crate) fn files(&self, directory: &str, suffixes: &[&str]) -> anyhow::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        collect(&self.root.join(directory), suffixes, &mut found)?;
        anyhow::ensure!(!found.is_empty(), "no file in `{directory}` ends in `{}`", suffixes.join("`, `"));
        found.sort();
        Ok(found)
    }
}

/// The files below a directory whose names end so.
pub(crate) fn collect(directory: &Path, suffixes: &[&str], found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = directory.read_dir().with_context(|| format!("cannot list `{}`", directory.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, suffixes, found)?;
        } else if suffixes.iter().any(|suffix| path.to_string_lossy().ends_with(suffix)) {
            found.push(path);
        }
    }
    Ok(())
}

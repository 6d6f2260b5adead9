//! A release repository as a team has it: the sample, in a bare repository and a work tree that pushes to it.
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use git_server::{Repository, WorkTree};

/// The sample release repository of this project.
#[must_use]
pub fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-release-repo")
}

/// Copies the sample's files into a work tree, commits and pushes them.
///
/// # Errors
/// Where git or the file system refuses.
pub fn push_sample(repository: &Repository, dir: impl Into<PathBuf>) -> Result<WorkTree> {
    let tree = repository.work_tree(dir)?;
    for file in ["release-config.yaml", "environments/staging/services.yaml", "environments/production/services.yaml"] {
        let content = std::fs::read(sample().join(file)).with_context(|| format!("the sample's {file}"))?;
        tree.write(file, content)?;
    }
    tree.commit("Take the sample release repository")?;
    tree.push()?;
    Ok(tree)
}

//! Makes and changes repositories by running the stock `git`, untouched by the user's configuration.
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The branch that new repositories begin with.
const BRANCH: &str = "main";

/// `git`, with a fixed author, and nothing of the machine's or the user's configuration.
pub(crate) fn isolate(command: &mut Command) -> &mut Command {
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).envs([
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Rita Release"),
        ("GIT_AUTHOR_EMAIL", "rita@example.com"),
        ("GIT_COMMITTER_NAME", "Rita Release"),
        ("GIT_COMMITTER_EMAIL", "rita@example.com"),
        ("LC_ALL", "C"),
    ])
}

fn git<I: AsRef<OsStr>>(dir: &Path, arguments: impl IntoIterator<Item = I>) -> Result<String> {
    let mut command = Command::new("git");
    isolate(&mut command).current_dir(dir).args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]);
    command.args(arguments);
    let output = command.output().context("running `git`")?;
    if !output.status.success() {
        bail!("`{command:?}` failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8(output.stdout)?.trim_end().to_owned())
}

/// A bare repository, as a [`crate::GitServer`] serves it.
#[derive(Clone, Debug)]
pub struct Repository {
    dir: PathBuf,
}

impl Repository {
    /// A new, empty bare repository in `dir`, with `main` as its default branch.
    ///
    /// # Errors
    /// When `git` cannot make it.
    pub fn create(dir: impl Into<PathBuf>) -> Result<Self> {
        let dir = dir.into();
        std::fs::create_dir_all(&dir).with_context(|| format!("creating `{}`", dir.display()))?;
        git(&dir, ["init", "--quiet", "--bare", "."])?;
        Ok(Self { dir })
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A new work tree of it in `dir`, on the branch `main`; files under `.git` are like those of any clone.
    ///
    /// # Errors
    /// When `git` cannot make it.
    pub fn work_tree(&self, dir: impl Into<PathBuf>) -> Result<WorkTree> {
        let dir = dir.into();
        std::fs::create_dir_all(&dir).with_context(|| format!("creating `{}`", dir.display()))?;
        let tree = WorkTree { dir };
        tree.git(["init", "--quiet", "."])?;
        tree.git([OsStr::new("remote"), OsStr::new("add"), OsStr::new("origin"), self.dir.as_os_str()])?;
        if git(&self.dir, ["rev-parse", "--verify", "--quiet", BRANCH]).is_ok() {
            tree.git(["pull", "--quiet", "origin", BRANCH])?;
        }
        Ok(tree)
    }

    /// Sets a hook, a shell script: `pre-receive` may decline a push.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn hook(&self, name: &str, script: &str) -> Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.dir.join("hooks").join(name);
        std::fs::create_dir_all(self.dir.join("hooks"))?;
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n"))
            .with_context(|| format!("writing `{}`", path.display()))?;
        Ok(std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?)
    }

    /// The commit at a branch.
    ///
    /// # Errors
    /// When there is no such branch.
    pub fn head(&self, branch: &str) -> Result<String> {
        git(&self.dir, ["rev-parse", "--verify", &format!("refs/heads/{branch}")])
    }

    /// Runs any `git` command in the bare repository and returns its output.
    ///
    /// # Errors
    /// When the command fails.
    pub fn git<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<String> {
        git(&self.dir, arguments)
    }
}

/// A work tree, as a member of the release team has it.
#[derive(Clone, Debug)]
pub struct WorkTree {
    dir: PathBuf,
}

impl WorkTree {
    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Writes a file, with the directories above it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> Result<()> {
        let path = self.dir.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::fs::write(&path, content).with_context(|| format!("writing `{}`", path.display()))
    }

    /// Commits everything, also where nothing changed, and returns the commit.
    ///
    /// # Errors
    /// When `git` fails.
    pub fn commit(&self, message: &str) -> Result<String> {
        self.git(["add", "--all"])?;
        self.git(["commit", "--quiet", "--allow-empty", "--message", message])?;
        self.head()
    }

    /// The commit that is checked out.
    ///
    /// # Errors
    /// When there is none.
    pub fn head(&self) -> Result<String> {
        self.git(["rev-parse", "HEAD"])
    }

    /// Pushes what is checked out to `main`.
    ///
    /// # Errors
    /// When the remote refuses, for instance because it moved on.
    pub fn push(&self) -> Result<()> {
        self.git(["push", "--quiet", "origin", "HEAD:refs/heads/main"]).map(drop)
    }

    /// Pushes what is checked out to `main`, whatever is there.
    ///
    /// # Errors
    /// When `git` fails.
    pub fn force_push(&self) -> Result<()> {
        self.git(["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]).map(drop)
    }

    /// Runs any `git` command in the work tree and returns its output.
    ///
    /// # Errors
    /// When the command fails.
    pub fn git<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Result<String> {
        git(&self.dir, arguments)
    }
}

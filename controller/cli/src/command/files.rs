//! Reads a release repository's working tree: which files there are, and everything that is wrong with them.
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use release_schema::{
    Defaults, Environment, EnvironmentName, Problems, ReleaseConfig, SourceFile, read_environment, read_release_config,
};
use tidegate_runtime::wanted::{Content, RELEASE_CONFIG, services_file};

use crate::exit::Error;

/// What a working tree says.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The environments that are valid, each with its two files.
    pub(crate) environments: BTreeMap<EnvironmentName, (Environment, Content)>,
    /// What is wrong with files that are there.
    pub(crate) problems: Vec<Problems>,
    /// What is wrong with the tree itself: the file or directory, what, and a hint.
    pub(crate) missing: Vec<Missing>,
    /// Whether the defaults could be read. Where they could not, the other files were checked without them.
    pub(crate) has_defaults: bool,
}

/// A file or directory that is not there, or should not be.
#[derive(Debug)]
pub(crate) struct Missing {
    /// As the person names it.
    pub(crate) file: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Tree {
    /// How many things are wrong.
    pub(crate) fn count(&self) -> usize {
        let problems: usize = self.problems.iter().map(|problems| problems.iter().len() + problems.omitted()).sum();
        problems + self.missing.len()
    }
}

/// Reads and checks all of it. Problems are no error: they are what is asked for.
///
/// # Errors
/// Where `dir` is no release repository, or something in it cannot be read.
pub(crate) fn read(dir: &Path) -> Result<Tree, Error> {
    if !dir.is_dir() {
        return Err(Error::invalid(format!("`{}` is no directory", dir.display())));
    }
    let Some(config_bytes) = bytes(dir, RELEASE_CONFIG)? else {
        return Err(Error::invalid(format!(
            "`{}` is no release repository: it has no `{RELEASE_CONFIG}`",
            dir.display()
        ))
        .hint("run it in the release repository, or name its directory"));
    };
    let mut tree =
        Tree { environments: BTreeMap::new(), problems: Vec::new(), missing: Vec::new(), has_defaults: true };
    let found = directories(dir, &mut tree)?;
    let config = source(dir, RELEASE_CONFIG, &config_bytes).and_then(|file| read_release_config(&file));
    let config = config.unwrap_or_else(|problems| {
        tree.problems.push(problems);
        tree.has_defaults = false;
        ReleaseConfig { environments: found.iter().map(|name| (name.clone(), Defaults::default())).collect() }
    });
    let names: BTreeSet<&EnvironmentName> = config.environments.keys().chain(&found).collect();
    for name in names {
        environment(dir, name, &config, &config_bytes, &mut tree)?;
    }
    Ok(tree)
}

fn environment(
    dir: &Path,
    name: &EnvironmentName,
    config: &ReleaseConfig,
    config_bytes: &[u8],
    tree: &mut Tree,
) -> Result<(), Error> {
    let file = services_file(name);
    let Some(services) = bytes(dir, &file)? else {
        tree.missing.push(Missing {
            file: shown(dir, &file),
            message: "the file does not exist".to_owned(),
            hint: format!("`{RELEASE_CONFIG}` lists `{name}`; `services: {{}}` is an environment where nothing runs"),
        });
        return Ok(());
    };
    match source(dir, &file, &services).and_then(|source| read_environment(&source, name, config)) {
        Ok(environment) => {
            let content = Content { release_config: config_bytes.to_vec(), services };
            tree.environments.insert(name.clone(), (environment, content));
        }
        Err(problems) => tree.problems.push(problems),
    }
    Ok(())
}

/// The environments that have a `services.yaml`. Other directories are nobody's business.
fn directories(dir: &Path, tree: &mut Tree) -> Result<BTreeSet<EnvironmentName>, Error> {
    let root = dir.join("environments");
    let entries = match std::fs::read_dir(&root) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(error) => return Err(unreadable(&root, &error)),
    };
    let mut found = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(|error| unreadable(&root, &error))?;
        if !entry.path().join("services.yaml").exists() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        match name.parse::<EnvironmentName>() {
            Ok(name) => {
                found.insert(name);
            }
            Err(error) => tree.missing.push(Missing {
                file: entry.path().display().to_string(),
                message: error.to_string(),
                hint: error.hint().to_owned(),
            }),
        }
    }
    Ok(found)
}

pub(super) fn source(dir: &Path, file: &str, bytes: &[u8]) -> Result<SourceFile, Problems> {
    SourceFile::new(shown(dir, file), bytes)
}

/// The file as the person can open it from where they are.
pub(super) fn shown(dir: &Path, file: &str) -> String {
    if dir == Path::new(".") { file.to_owned() } else { dir.join(file).display().to_string() }
}

pub(super) fn bytes(dir: &Path, file: &str) -> Result<Option<Vec<u8>>, Error> {
    let path = dir.join(file);
    match std::fs::read(&path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, &error)),
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(format!("`{}` cannot be read: {error}", path.display()))
}

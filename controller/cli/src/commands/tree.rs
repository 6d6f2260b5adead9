//! Reads the files of a release repository from a working tree.
use std::collections::BTreeSet;
use std::path::Path;

use release_schema::{EnvironmentName, Problems, ReleaseConfig, SourceFile, read_release_config};
use tidegate_runtime::wanted::{Content, RELEASE_CONFIG, services_file};

use crate::exit::{Error, Exit};
use crate::out;

/// `release-config.yaml`, as it is and as it was read.
pub(crate) struct Tree<'a> {
    dir: &'a Path,
    bytes: Vec<u8>,
    pub(crate) config: Result<ReleaseConfig, Problems>,
}

impl<'a> Tree<'a> {
    pub(crate) fn open(dir: &'a Path) -> Result<Self, Error> {
        let bytes = read(dir, RELEASE_CONFIG)?.ok_or_else(|| {
            let message = format!("`{}` is no release repository: it has no `{RELEASE_CONFIG}`", dir.display());
            Error::new(Exit::InvalidRelease, message)
        })?;
        let config = SourceFile::new(RELEASE_CONFIG, &bytes).and_then(|file| read_release_config(&file));
        Ok(Self { dir, bytes, config })
    }

    /// The files of one environment; `None` where it has no `services.yaml`.
    pub(crate) fn content(&self, environment: &EnvironmentName) -> Result<Option<Content>, Error> {
        let services = read(self.dir, &services_file(environment))?;
        Ok(services.map(|services| Content { release_config: self.bytes.clone(), services }))
    }

    /// Environments that have a folder, whatever `release-config.yaml` lists.
    pub(crate) fn folders(&self) -> BTreeSet<EnvironmentName> {
        let entries = std::fs::read_dir(self.dir.join("environments")).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }
}

fn read(dir: &Path, file: &str) -> Result<Option<Vec<u8>>, Error> {
    match std::fs::read(dir.join(file)) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(Exit::Unavailable, format!("`{file}` cannot be read: {error}"))),
    }
}

/// Shows problems: with the text beside them on a terminal, one a line elsewhere.
pub(crate) fn show(problems: &Problems) {
    use std::io::IsTerminal as _;
    if !std::io::stderr().is_terminal() {
        return out::note(&problems.to_string());
    }
    let handler = miette::GraphicalReportHandler::new().with_width(out::width());
    let mut text = String::new();
    match handler.render_report(&mut text, &problems.diagnostic()) {
        // miette's own colours are for the terminal; what comes from the file was cleaned when it was read.
        Ok(()) => drop(std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes())),
        Err(_) => out::note(&problems.to_string()),
    }
}

//! Reads what the release repository says already, and writes what it does not have. No file that exists is changed.
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use release_schema::{
    AliasName, Defaults, FunctionName, Problems, ReleaseConfig, ServiceName, SourceFile, read_environment,
    read_release_config,
};
use tidegate_runtime::wanted::{RELEASE_CONFIG, services_file};

use super::draft::Draft;
use super::text;
use crate::arguments::Init;
use crate::command::files;
use crate::exit::Error;
use crate::out::Out;

/// The release repository, as far as it concerns the environment.
#[derive(Debug)]
pub(super) struct Repository {
    /// Its `release-config.yaml`, or the one that is to be written.
    pub(super) config: ReleaseConfig,
    /// The text of the `release-config.yaml` that is to be written, where there is none.
    pub(super) new_config: Option<String>,
    /// What a service of the environment has where its entry says nothing.
    pub(super) defaults: Defaults,
    /// The alias that clients call.
    pub(super) alias: AliasName,
    /// The services that the environment has already; `None` where it has no file.
    pub(super) taken: Option<BTreeMap<ServiceName, FunctionName>>,
}

impl Repository {
    /// Refuses what could not be written, before anything is asked of AWS.
    pub(super) fn read(options: &Init, out: &Out) -> Result<Self, Error> {
        let Init { dir, environment, function_prefix: _, exclude: _, alias, stdout } = options;
        let found = files::bytes(dir, RELEASE_CONFIG)?;
        let new_config = found.is_none().then(|| text::release_config(environment, &alias.clone().unwrap_or_default()));
        let bytes = found.or_else(|| new_config.clone().map(String::into_bytes)).unwrap_or_default();
        let config = files::source(dir, RELEASE_CONFIG, &bytes).and_then(|file| read_release_config(&file));
        let config = config.map_err(|problems| invalid(&problems, RELEASE_CONFIG, out))?;
        let Some(defaults) = config.environments.get(environment).cloned() else {
            let hint = format!("add it there, as `{environment}: {{}}` below `environments:`, and say this again");
            return Err(Error::refused(format!("`{RELEASE_CONFIG}` does not list `{environment}`")).hint(hint));
        };
        let alias = alias.clone().or_else(|| defaults.alias.clone()).unwrap_or_default();
        let file = services_file(environment);
        let taken = match files::bytes(dir, &file)? {
            None => None,
            Some(_) if !stdout => return Err(exists(&options.services_file())),
            Some(bytes) => {
                let read =
                    files::source(dir, &file, &bytes).and_then(|file| read_environment(&file, environment, &config));
                let read = read.map_err(|problems| invalid(&problems, &file, out))?;
                Some(read.services.into_iter().map(|(name, service)| (name, service.function)).collect())
            }
        };
        Ok(Self { config, new_config, defaults, alias, taken })
    }

    /// Reads the text back as the controller will, before anybody gets it: it has to say just what is meant.
    pub(super) fn check(&self, text: &str, draft: &Draft, options: &Init, out: &Out) -> Result<(), Error> {
        let file = services_file(&options.environment);
        let unusable = |what: &str| {
            Error::unavailable(format!("`{file}` would not be right, so it is not written: {what}"))
                .hint("this is a fault of `tidegate init`: please report it")
        };
        let read = SourceFile::new(&file, text.as_bytes())
            .and_then(|source| read_environment(&source, &options.environment, &self.config))
            .map_err(|problems| {
                out.note(&problems.to_string());
                unusable("it is not valid")
            })?;
        let meant = draft.entries.iter().map(|(name, entry)| (name, &entry.function));
        if !read.services.iter().map(|(name, service)| (name, &service.function)).eq(meant) {
            return Err(unusable("it names other services"));
        }
        if read.services.values().any(|service| service.alias != self.alias) {
            return Err(unusable("it names another alias"));
        }
        Ok(())
    }

    /// Writes the files that are not there.
    pub(super) fn write(&self, services: &str, options: &Init, out: &Out) -> Result<(), Error> {
        let config = self.new_config.as_deref().map(|config| (RELEASE_CONFIG.to_owned(), config));
        for (file, text) in config.into_iter().chain([(services_file(&options.environment), services)]) {
            create(&options.dir, &file, text)?;
            out.note(&format!("wrote `{}`", files::shown(&options.dir, &file)));
        }
        Ok(())
    }
}

/// Creates a file and the directories that it is in. Whatever exists by now stays as it is.
fn create(dir: &Path, file: &str, text: &str) -> Result<(), Error> {
    let path = dir.join(file);
    let write = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())
    };
    write().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(&files::shown(dir, file)),
        _ => Error::unavailable(format!("`{}` cannot be written: {error}", path.display())),
    })
}

fn exists(file: &str) -> Error {
    Error::refused(format!("`{file}` exists, and stays as it is"))
        .hint("`--stdout` shows the services that it does not have yet")
}

fn invalid(problems: &Problems, file: &str, out: &Out) -> Error {
    out.note(&problems.to_string());
    Error::invalid(format!("`{file}` is not valid"))
}

impl Init {
    /// The environment's file, as the person can open it from where they are.
    pub(super) fn services_file(&self) -> String {
        files::shown(&self.dir, &services_file(&self.environment))
    }
}

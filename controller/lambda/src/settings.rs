//! What the Lambda's environment variables say: only where configuration and state are.
use std::path::PathBuf;

use tidegate_core::command::Command;
use tidegate_runtime::config::{Source, StateLocation};

/// Name of the installation, whose parameters lie below `/tidegate/<installation>/`.
const INSTALLATION: &str = "TIDEGATE_INSTALLATION";
/// Where the last good copy of the configuration is kept: `s3://bucket/prefix`, the place of the stored state.
const STATE: &str = "TIDEGATE_STATE";
/// Where the release repository is cached between ticks; the only place a Lambda may write is `/tmp`.
const CACHE: &str = "TIDEGATE_CACHE";
/// The commands that this function takes, with commas between them; all of them where it is not set.
const COMMANDS: &str = "TIDEGATE_COMMANDS";

/// Where things are.
#[derive(Debug)]
pub struct Settings {
    /// Where the configuration comes from.
    pub source: Source,
    /// Where the release repository is cached.
    pub cache: PathBuf,
    /// What this function takes.
    pub commands: Commands,
}

/// The commands that a function takes: a right to roll back is not a right to deploy, so that a second function, with a
/// narrower role, can serve who is on call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commands(Vec<&'static str>);

impl Commands {
    /// Every command.
    pub fn all() -> Self {
        Self(Command::NAMES.to_vec())
    }

    /// The commands of a text, with commas between them.
    ///
    /// # Errors
    /// Where there is none, or one that does not exist.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let known = |name: &str| Command::NAMES.into_iter().find(|known| *known == name);
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let commands: Option<Vec<&'static str>> = names.map(known).collect();
        match commands {
            Some(commands) if !commands.is_empty() => Ok(Self(commands)),
            Some(_) | None => anyhow::bail!(
                "`{COMMANDS}` is `{}`, and should be some of {}",
                text.escape_default(),
                Command::NAMES.join(",")
            ),
        }
    }

    /// Whether a command is one of them.
    pub fn take(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    /// Their names, for people.
    pub fn names(&self) -> String {
        self.0.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    }
}

impl Settings {
    /// As the variables of this process say.
    ///
    /// # Errors
    /// Where one of them is missing or cannot be read.
    pub fn from_environment() -> anyhow::Result<Self> {
        Self::from(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from(variable: impl Fn(&str) -> Option<String>) -> anyhow::Result<Self> {
        let installation = variable(INSTALLATION).ok_or_else(|| {
            anyhow::anyhow!("`{INSTALLATION}` is not set: it names the installation, whose parameters lie below `/tidegate/<installation>/`")
        })?;
        let copy = variable(STATE).map(|text| StateLocation::parse(&text)).transpose()?;
        let cache = variable(CACHE).map_or_else(|| std::env::temp_dir().join("tidegate"), PathBuf::from);
        let commands = variable(COMMANDS).map_or_else(|| Ok(Commands::all()), |text| Commands::parse(&text))?;
        Ok(Self { source: Source::Parameters { installation, copy }, cache, commands })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_installation_is_named() {
        let error = Settings::from(|_| None).unwrap_err().to_string();
        assert!(error.starts_with("`TIDEGATE_INSTALLATION` is not set"), "{error}");
    }

    #[test]
    fn state_that_is_no_place_is_refused_with_the_form_it_should_have() {
        let variable = |name: &str| match name {
            INSTALLATION => Some("main".to_owned()),
            STATE => Some("my-bucket".to_owned()),
            _ => None,
        };
        let error = Settings::from(variable).unwrap_err().to_string();
        assert_eq!(error, "`my-bucket` is no place for state: it should look like `s3://bucket/prefix`");
    }

    #[test]
    fn a_function_takes_all_commands_or_those_that_it_is_told() {
        assert!(Commands::all().take("sync"));
        let on_call = Commands::parse("rollback, abort,pause").unwrap();
        assert_eq!(on_call.names(), "`rollback`, `abort`, `pause`");
        assert!(on_call.take("rollback") && !on_call.take("sync"));
        for bad in ["rollbock", " , "] {
            let error = Commands::parse(bad).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("`TIDEGATE_COMMANDS` is `{bad}`, and should be some of abort,")),
                "{error}"
            );
        }
    }

    #[test]
    fn the_copy_lies_where_the_state_does() {
        let settings = Settings::from(|name| match name {
            INSTALLATION => Some("main".to_owned()),
            STATE => Some("s3://bucket/some/prefix/".to_owned()),
            _ => None,
        });
        let copy = Some(StateLocation { bucket: "bucket".to_owned(), prefix: "some/prefix".to_owned() });
        assert_eq!(settings.unwrap().source, Source::Parameters { installation: "main".to_owned(), copy });
    }
}

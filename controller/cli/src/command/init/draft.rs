//! Decides what becomes of each function: an entry that the first tick finds as wanted, or the reason why there is none.
use std::collections::BTreeMap;

use release_schema::{AliasName, CodeSha256, Configuration, Defaults, EcrRepository, FunctionName, ServiceName};
use tidegate_core::ids::Version;
use tidegate_core::live::{ConfigurationChange, LiveConfiguration};
use tidegate_core::release::Code;
use tidegate_runtime::adopt::{Found, Served};
use tidegate_runtime::aws::Kind;

use super::name::{self, ImageTag};

/// What is asked for, and what the release repository says already.
#[derive(Debug)]
pub(super) struct Wish<'a> {
    /// What the functions' names begin with.
    pub(super) prefix: &'a str,
    /// The alias that clients call.
    pub(super) alias: &'a AliasName,
    /// What a service of the environment has where its entry says nothing.
    pub(super) defaults: &'a Defaults,
    /// The services that the environment has already.
    pub(super) taken: Option<&'a BTreeMap<ServiceName, FunctionName>>,
}

/// The services of an environment to be.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) entries: BTreeMap<ServiceName, Entry>,
    pub(super) left_out: BTreeMap<FunctionName, LeftOut>,
    /// The registries of all images. In a new environment the first is that of repositories without a host.
    pub(super) registries: Vec<String>,
}

/// One service.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) function: FunctionName,
    /// Where it is not the environment's default.
    pub(super) alias: Option<AliasName>,
    pub(super) repository: EcrRepository,
    pub(super) image_tag: ImageTag,
    /// MB, where the defaults would change it.
    pub(super) memory_size: Option<u32>,
    /// Seconds, where the defaults would change it.
    pub(super) timeout: Option<u32>,
}

/// Why a function is no service yet.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// It has no such alias.
    NoAlias,
    /// AWS does not show it.
    Unreadable(Kind),
    /// The alias names what was uploaded last, whatever that is.
    Latest,
    /// Somebody shifts traffic by hand.
    Weighted { other: Version },
    /// AWS does not say which image it runs, or calls it by no name that a service can have.
    NoImage,
    /// This would be its name.
    NoName(String),
    /// Lambda does not keep where an archive came from.
    Zip { service: ServiceName, alias: Option<AliasName>, code: CodeSha256 },
    /// The defaults of the environment would change these variables of it, and their values are not for Git.
    Variables(Vec<String>),
    /// The defaults of the environment set variables, and those of the function cannot be decrypted.
    Undecryptable,
}

impl LeftOut {
    /// What stands in the way, and what to do about it.
    pub(super) fn reason(&self, alias: &AliasName) -> (String, &'static str) {
        match self {
            Self::NoAlias => (
                format!("it has no alias `{alias}`"),
                "publish a version and create the alias on it, or name the one that clients call with `--alias`",
            ),
            Self::Unreadable(Kind::Denied) => {
                ("you may not read it".to_owned(), "ask for `lambda:GetFunction` and `lambda:GetAlias`")
            }
            Self::Unreadable(_) => ("AWS does not show it".to_owned(), ""),
            Self::Latest => (
                format!("its alias `{alias}` names `$LATEST`: whatever is uploaded is live at once"),
                "publish a version, and let the alias name that",
            ),
            Self::Weighted { other } => (
                format!("its alias `{alias}` sends a part of the traffic to version {other}"),
                "wait until one version has all of it",
            ),
            Self::NoImage => ("AWS does not name its image, or not one in ECR".to_owned(), ""),
            Self::NoName(name) if name.is_empty() => {
                ("nothing is left of its name without the prefix".to_owned(), "use a shorter prefix")
            }
            Self::NoName(_) => ("its name is too long for a service".to_owned(), "write its entry under another name"),
            Self::Zip { .. } => (
                "it is a zip archive, and Lambda does not keep which object in S3 it came from".to_owned(),
                "fill in the object, and take the `#` away",
            ),
            Self::Variables(names) => (
                format!("the defaults of `release-config.yaml` would change its variables `{}`", names.join("`, `")),
                "move them from the defaults to the services that want them",
            ),
            Self::Undecryptable => {
                ("AWS cannot decrypt its variables, and the defaults of `release-config.yaml` set some".to_owned(), "")
            }
        }
    }
}

/// Two functions would be the same service.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` and `{second}` would both be the service `{service}`")]
pub(super) struct Clash {
    pub(super) service: ServiceName,
    pub(super) first: FunctionName,
    pub(super) second: FunctionName,
}

/// Drafts the services of an environment.
///
/// # Errors
/// All names that two functions would share.
pub(super) fn of(functions: BTreeMap<FunctionName, Found>, wish: &Wish<'_>) -> Result<Draft, Vec<Clash>> {
    let (mut draft, mut clashes) = (Draft::default(), Vec::new());
    let mut names = wish.taken.cloned().unwrap_or_default();
    for (function, found) in functions {
        let named = match entry(&function, found, wish) {
            Ok((service, entry)) => {
                draft.entries.insert(service.clone(), entry);
                Some(service)
            }
            Err(reason) => {
                let named = if let LeftOut::Zip { service, .. } = &reason { Some(service.clone()) } else { None };
                draft.left_out.insert(function.clone(), reason);
                named
            }
        };
        let Some(service) = named else { continue };
        match names.get(&service).cloned() {
            Some(first) => clashes.push(Clash { service, first, second: function }),
            None => drop(names.insert(service, function)),
        }
    }
    if !clashes.is_empty() {
        return Err(clashes);
    }
    draft.registries = registries(&draft);
    // Which registry services without a host have is decided where the environment has none yet, and not known later.
    if wish.taken.is_none() {
        let own = draft.registries.first();
        for entry in draft.entries.values_mut().filter(|entry| entry.repository.registry.as_ref() == own) {
            entry.repository.registry = None;
        }
    }
    Ok(draft)
}

fn entry(function: &FunctionName, found: Found, wish: &Wish<'_>) -> Result<(ServiceName, Entry), LeftOut> {
    let served = match found {
        Found::Served(served) => served,
        Found::NoAlias => return Err(LeftOut::NoAlias),
        Found::Unreadable(error) => return Err(LeftOut::Unreadable(error.kind)),
    };
    let Served { live, additional, image } = *served;
    if live.version.is_none() {
        return Err(LeftOut::Latest);
    }
    if let Some(other) = additional {
        return Err(LeftOut::Weighted { other: other.version });
    }
    let service = name::service(function, wish.prefix).map_err(LeftOut::NoName)?;
    let Kept { memory_size, timeout } = kept(&live.configuration, &wish.defaults.configuration)?;
    let alias = (*wish.alias != wish.defaults.alias.clone().unwrap_or_default()).then(|| wish.alias.clone());
    let digest = match live.code {
        Some(Code::Image(digest)) => digest,
        Some(Code::Zip(code)) => return Err(LeftOut::Zip { service, alias, code }),
        None => return Err(LeftOut::NoImage),
    };
    let image = image.ok_or(LeftOut::NoImage)?;
    let image_tag = name::image_tag(&image, &digest);
    let function = function.clone();
    Ok((service, Entry { function, alias, repository: image.repository, image_tag, memory_size, timeout }))
}

/// What an entry has to say itself so that the defaults change nothing of what is live.
struct Kept {
    memory_size: Option<u32>,
    timeout: Option<u32>,
}

fn kept(live: &LiveConfiguration, defaults: &Configuration) -> Result<Kept, LeftOut> {
    if !live.is_comparable(defaults) {
        return Err(LeftOut::Undecryptable);
    }
    let change = ConfigurationChange::between(live, defaults).unwrap_or_default();
    let ConfigurationChange { memory_size, timeout, environment: _, environment_names } = change;
    if !environment_names.is_empty() {
        return Err(LeftOut::Variables(environment_names));
    }
    Ok(Kept { memory_size: memory_size.map(|_| live.memory_size), timeout: timeout.map(|_| live.timeout) })
}

/// The registries of all images, that of most of them first.
fn registries(draft: &Draft) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for registry in draft.entries.values().filter_map(|entry| entry.repository.registry.as_deref()) {
        *counts.entry(registry).or_default() += 1;
    }
    let mut registries: Vec<(&str, usize)> = counts.into_iter().collect();
    // The sort is stable: of two with as many images, the first by name.
    registries.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    registries.into_iter().map(|(registry, _)| registry.to_owned()).collect()
}

//! What Parameter Store keeps, and the rules for a parameter's name.
use std::collections::{BTreeMap, HashMap};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use crate::codec::{Value, structure};
use crate::wire::AwsError;

/// AWS keeps the last 100 versions of a parameter.
const VERSIONS_KEPT: usize = 100;

/// All parameters: one store for each account and region.
#[derive(Clone, Debug, Default)]
pub(crate) struct State {
    stores: HashMap<(String, String), Store>,
}

impl State {
    /// The newest value of a parameter.
    pub(crate) fn value(&self, account: &str, region: &str, name: &str) -> Option<String> {
        let store = self.stores.get(&(account.to_owned(), region.to_owned()))?;
        store.parameters.get(name).map(|parameter| parameter.latest().value.clone())
    }

    /// The store of one account and region.
    pub(super) fn store(&mut self, account: &str, region: &str) -> &mut Store {
        let key = (account.to_owned(), region.to_owned());
        self.stores.entry(key).or_insert_with(|| Store {
            arn_prefix: format!("arn:aws:ssm:{region}:{account}:parameter"),
            parameters: BTreeMap::new(),
        })
    }
}

/// The parameters of one account and region, by name.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) arn_prefix: String,
    pub(super) parameters: BTreeMap<String, Parameter>,
}

/// How a value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    String,
    StringList,
    SecureString,
}

impl Kind {
    pub(super) fn parse(name: &str) -> Option<Self> {
        [Self::String, Self::StringList, Self::SecureString].into_iter().find(|kind| kind.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::StringList => "StringList",
            Self::SecureString => "SecureString",
        }
    }
}

/// What a parameter costs and how large it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    Standard,
    Advanced,
}

impl Tier {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Standard => "Standard",
            Self::Advanced => "Advanced",
        }
    }

    /// Bytes.
    pub(super) fn limit(self) -> usize {
        match self {
            Self::Standard => 4096,
            Self::Advanced => 8192,
        }
    }
}

/// One parameter with the versions that are still kept, oldest first.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) kind: Kind,
    pub(super) tier: Tier,
    pub(super) description: Option<String>,
    pub(super) key_id: Option<String>,
    pub(super) modified_by: String,
    versions: Vec<Version>,
}

/// One value that a parameter had.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) number: i64,
    pub(super) value: String,
    pub(super) modified: DateTime<Utc>,
}

impl Parameter {
    pub(super) fn new(kind: Kind, tier: Tier) -> Self {
        Self { kind, tier, description: None, key_id: None, modified_by: String::new(), versions: Vec::new() }
    }

    /// Adds a version and tells its number.
    pub(super) fn push(&mut self, value: String, modified: DateTime<Utc>) -> i64 {
        let number = self.versions.last().map_or(1, |last| last.number + 1);
        self.versions.push(Version { number, value, modified });
        let surplus = self.versions.len().saturating_sub(VERSIONS_KEPT);
        self.versions.drain(..surplus);
        number
    }

    /// The newest version: there always is one once the parameter is stored.
    pub(super) fn latest(&self) -> &Version {
        self.versions.last().expect("a stored parameter has a version")
    }

    /// The version with this number, if it is still kept.
    pub(super) fn version(&self, number: i64) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The `Parameter` structure of an answer.
    pub(super) fn describe(&self, arn: String, name: &str, version: &Version, decrypt: bool) -> Value {
        let value = match self.kind {
            Kind::SecureString if !decrypt => ciphertext(&version.value, version.number),
            Kind::String | Kind::StringList | Kind::SecureString => version.value.clone(),
        };
        structure()
            .with("Name", name)
            .with("Type", self.kind.name())
            .with("Value", value)
            .with("Version", version.number)
            .with("LastModifiedDate", version.modified)
            .with("ARN", arn)
            .with("DataType", "text")
    }
}

impl Store {
    pub(super) fn arn(&self, name: &str) -> String {
        let slash = if name.starts_with('/') { "" } else { "/" };
        format!("{}{slash}{name}", self.arn_prefix)
    }

    /// A name as a caller gives it: plain, or the whole ARN.
    pub(super) fn plain_name<'n>(&self, name: &'n str) -> &'n str {
        let Some(path) = name.strip_prefix(&self.arn_prefix) else { return name };
        // `…:parameter/top` is the parameter `top`, unless `/top` is what exists.
        if self.parameters.contains_key(path) { path } else { path.strip_prefix('/').unwrap_or(path) }
    }
}

fn ciphertext(value: &str, version: i64) -> String {
    let mut blob = vec![1, 2, 2, 0, b'x'];
    blob.extend(Sha256::digest(format!("{version}:{value}")));
    blob.extend(Sha256::digest(format!("{value}:{version}")));
    STANDARD.encode(blob)
}

/// The rules for a new parameter's name.
pub(super) fn check_name(name: &str) -> Result<(), AwsError> {
    let invalid = |message: &str| Err(AwsError::new(400, "ValidationException", message));
    let levels = name.split('/').filter(|level| !level.is_empty()).count();
    let first = name.trim_start_matches('/').to_ascii_lowercase();
    if name.len() > 1011 {
        return invalid("Parameter name exceeds the maximum length of 1011 characters.");
    }
    if !name.starts_with('/') && name.contains('/') {
        return invalid("Parameter name must be a fully qualified name.");
    }
    if levels > 1 && (first == "aws" || first.starts_with("aws/")) {
        let message = format!("No access to reserved parameter name: {name}.");
        return Err(AwsError::new(400, "AccessDeniedException", message));
    }
    if levels <= 1 && (first.starts_with("aws") || first.starts_with("ssm")) {
        return invalid("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).");
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    if levels == 0 || first.starts_with("ssm") || name.contains("//") || name.ends_with('/') || !name.chars().all(legal)
    {
        return invalid(
            "Parameter name: can't be prefixed with \"ssm\" (case-insensitive). If formed as a path, it can consist of \
             sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the \
             following 3 symbols .-_",
        );
    }
    if levels > 15 {
        return Err(AwsError::new(
            400,
            "HierarchyLevelLimitExceededException",
            "A hierarchy can have a maximum of 15 levels. For more information, see Requirements and constraints for \
             parameter names in the AWS Systems Manager User Guide.",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str) -> String {
        check_name(name).unwrap_err().code
    }

    #[test]
    fn names_are_paths_of_at_most_fifteen_levels() {
        let deep = |levels| "/a".repeat(levels);
        assert!(check_name(&deep(15)).is_ok());
        assert_eq!(refusal(&deep(16)), "HierarchyLevelLimitExceededException");
        for name in ["a/b", "/a//b", "/a/", "/", "/a b", "/ä", "aws-x", "/ssm/x", "SSMx"] {
            assert_eq!(refusal(name), "ValidationException", "{name}");
        }
        assert_eq!(refusal("/aws/service/x"), "AccessDeniedException");
        for name in ["plain", "/tidegate/main/production.v1_x-y", "/awsome/x"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
    }
}

//! Repositories themselves: create, describe, delete, their policy and whether tags may move.
use std::collections::BTreeMap;

use super::repository::{Repository, State, denied, not_found, registry_id};
use crate::codec::{Value, constraint, structure};
use crate::wire::{AwsError, Call};

/// `CreateRepository`, in the caller's own registry.
pub(super) fn create(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let name = input.required("repositoryName")?;
    let account = registry_id(call, input)?;
    let region = &call.caller.region;
    let arn = format!("arn:aws:ecr:{region}:{account}:repository/{name}");
    check_name(name)?;
    let mutability = mutability(input)?;
    if account != call.caller.account {
        return Err(denied(call, &arn));
    }
    let repository = Repository {
        arn,
        registry: account.to_owned(),
        name: name.to_owned(),
        uri: format!("{account}.dkr.ecr.{region}.amazonaws.com/{name}"),
        created: call.now,
        mutability,
        policy: None,
        images: BTreeMap::new(),
        tags: BTreeMap::new(),
    };
    let registry = state.registry(account, region);
    if registry.contains_key(name) {
        let message = format!("The repository with name '{name}' already exists in the registry with id '{account}'");
        return Err(AwsError::new(400, "RepositoryAlreadyExistsException", message));
    }
    let output = structure().with("repository", repository.describe());
    registry.insert(name.to_owned(), repository);
    Ok(output)
}

/// Segments of lower-case letters and digits, with single separators inside, parted by slashes.
fn check_name(name: &str) -> Result<(), AwsError> {
    let segment = |segment: &str| {
        let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        let inside = segment.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c));
        let separators = ["..", "___", "._", "_.", "-.", ".-", "-_", "_-"];
        edge(segment.chars().next())
            && edge(segment.chars().next_back())
            && inside
            && !separators.iter().any(|pair| segment.contains(pair))
    };
    if (2..=256).contains(&name.len()) && name.split('/').all(segment) {
        return Ok(());
    }
    let message = format!(
        "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression \
         '(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*'' (was '{name}')"
    );
    Err(AwsError::new(400, "InvalidParameterException", message))
}

fn mutability(input: &Value) -> Result<String, AwsError> {
    match input.text("imageTagMutability")?.unwrap_or("MUTABLE") {
        known @ ("MUTABLE" | "IMMUTABLE") => Ok(known.to_owned()),
        filtered @ ("MUTABLE_WITH_EXCLUSION" | "IMMUTABLE_WITH_EXCLUSION") => {
            Err(AwsError::not_implemented(format_args!("ecr imageTagMutability {filtered}")))
        }
        other => {
            Err(constraint(other, "imageTagMutability", "Member must satisfy enum value set: [IMMUTABLE, MUTABLE]"))
        }
    }
}

/// `DescribeRepositories`: by names, or all of a registry.
pub(super) fn describe(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let account = registry_id(call, input)?;
    let registry = state.registry(account, &call.caller.region);
    let names = input.texts("repositoryNames")?;
    if account != call.caller.account {
        let visible = |name: &&str| registry.get(*name).is_some_and(|repository| repository.policy.is_some());
        if names.is_empty() || !names.iter().all(visible) {
            let name = names.first().unwrap_or(&"*");
            return Err(denied(call, &format!("arn:aws:ecr:{}:{account}:repository/{name}", call.caller.region)));
        }
    }
    if !names.is_empty() {
        let find = |name: &&str| registry.get(*name).map(Repository::describe).ok_or_else(|| not_found(name, account));
        let found = names.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        return Ok(structure().with("repositories", found));
    }
    let all: Vec<_> = registry.iter().map(|(name, repository)| (name.clone(), repository.describe())).collect();
    let (page, next) = super::images::page(all, input)?;
    Ok(structure().with("repositories", page).with_some("nextToken", next))
}

/// `DeleteRepository`: an empty one, or any with `force`.
pub(super) fn delete(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let repository = state.repository(call, input)?;
    if !repository.images.is_empty() && !input.bool("force")?.unwrap_or(false) {
        let message = format!(
            "The repository with name '{}' in registry with id '{}' cannot be deleted because it still contains images",
            repository.name, repository.registry
        );
        return Err(AwsError::new(400, "RepositoryNotEmptyException", message));
    }
    let (account, name) = (repository.registry.clone(), repository.name.clone());
    let removed = state.registry(&account, &call.caller.region).remove(&name);
    Ok(structure().with_some("repository", removed.map(|repository| repository.describe())))
}

/// `SetRepositoryPolicy`: any policy lets every account in.
pub(super) fn set_policy(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    input.required("repositoryName")?;
    let policy = input.required("policyText")?.to_owned();
    if serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&policy).is_err() {
        let message =
            "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'";
        return Err(AwsError::new(400, "InvalidParameterException", message));
    }
    let repository = state.repository(call, input)?;
    repository.policy = Some(policy);
    Ok(policy_of(repository))
}

/// `GetRepositoryPolicy`.
pub(super) fn get_policy(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let repository = state.repository(call, input)?;
    if repository.policy.is_none() { Err(no_policy(repository)) } else { Ok(policy_of(repository)) }
}

/// `DeleteRepositoryPolicy`.
pub(super) fn delete_policy(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let repository = state.repository(call, input)?;
    if repository.policy.is_none() {
        return Err(no_policy(repository));
    }
    let output = policy_of(repository);
    repository.policy = None;
    Ok(output)
}

fn policy_of(repository: &Repository) -> Value {
    structure()
        .with("registryId", &repository.registry)
        .with("repositoryName", &repository.name)
        .with_some("policyText", repository.policy.as_ref())
}

fn no_policy(repository: &Repository) -> AwsError {
    let message = format!(
        "Repository policy does not exist for the repository with name '{}' in the registry with id '{}'",
        repository.name, repository.registry
    );
    AwsError::new(400, "RepositoryPolicyNotFoundException", message)
}

/// `PutImageTagMutability`.
pub(super) fn put_mutability(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    input.required("imageTagMutability")?;
    let mutability = mutability(input)?;
    let repository = state.repository(call, input)?;
    repository.mutability = mutability;
    Ok(structure()
        .with("registryId", &repository.registry)
        .with("repositoryName", &repository.name)
        .with("imageTagMutability", &repository.mutability))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repository_names_are_lower_case_paths() {
        for name in ["company/flight-service", "a1", "a.b_c--d/e__f"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["a", "Company/x", "a//b", "/ab", "ab/", "a..b", "-ab", "a b"] {
            assert_eq!(check_name(name).unwrap_err().code, "InvalidParameterException", "{name}");
        }
    }
}

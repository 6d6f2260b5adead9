//! Aliases: which version gets the traffic, which other one gets a share, and what Lambda refuses.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::model::{Alias, Function};
use super::paging::page;
use super::provisioned::Move;
use super::validation::Problems;
use super::view;
use super::{Target, check_revision, conflict, function_not_found, invalid_parameter};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AliasRequest {
    name: Option<String>,
    function_version: Option<String>,
    description: Option<String>,
    routing_config: Option<RoutingConfig>,
    revision_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RoutingConfig {
    #[serde(default)]
    additional_version_weights: BTreeMap<String, f64>,
}

impl AliasRequest {
    fn validate(&self, name: Option<&String>) -> Result<(), AwsError> {
        let mut problems = Problems::default();
        problems.required(name, "name");
        if let Some(name) = name {
            problems.alias_name(name);
        }
        if let Some(version) = &self.function_version {
            problems.function_version(version);
        }
        if let Some(description) = &self.description {
            problems.description(description);
        }
        if let Some(routing) = &self.routing_config {
            problems.weights(&routing.additional_version_weights);
        }
        problems.finish()
    }
}

/// The alias that a request's path names.
fn named(call: &Call) -> Result<(Target, String), AwsError> {
    let target = Target::of(call)?.unqualified();
    let name = call.segments().get(4).cloned().unwrap_or_default();
    let mut problems = Problems::default();
    problems.alias_name(&name);
    problems.finish()?;
    Ok((target, name))
}

fn alias_not_found(target: &Target, name: &str) -> AwsError {
    let message = format!("Cannot find alias arn: {}:{name}", target.key.arn());
    AwsError::new(404, "ResourceNotFoundException", message)
}

pub(crate) fn create(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let request: AliasRequest = call.json()?;
    request.validate(request.name.as_ref())?;
    let mut problems = Problems::default();
    problems.required(request.function_version.as_ref(), "functionVersion");
    problems.finish()?;
    let (name, version) = (request.name.unwrap_or_default(), request.function_version.unwrap_or_default());
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    if function.aliases.contains_key(&name) {
        return Err(conflict(format!("Alias already exists: {}:{name}", target.key.arn())));
    }
    let weights = request.routing_config.map(|routing| routing.additional_version_weights).unwrap_or_default();
    let additional = routing(function, &version, &weights)?;
    let description = request.description.unwrap_or_default();
    let revision = aws.uuid();
    let alias = Alias { name: name.clone(), version, additional, description, revision, provisioned: None };
    let answer = wire::json(201, &view::alias(&target.key, &alias, call.now));
    function.aliases.insert(name, alias);
    Ok(answer)
}

pub(crate) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let (target, name) = named(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now).map_err(|_| alias_not_found(&target, &name))?;
    let alias = function.aliases.get(&name).ok_or_else(|| alias_not_found(&target, &name))?;
    Ok(wire::json(200, &view::alias(&target.key, alias, call.now)))
}

pub(crate) fn update(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let (target, name) = named(call)?;
    let request: AliasRequest = call.json()?;
    request.validate(Some(&name))?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now).map_err(|_| alias_not_found(&target, &name))?;
    let current = function.aliases.get(&name).ok_or_else(|| alias_not_found(&target, &name))?;
    check_revision(request.revision_id.as_deref(), &current.revision, "alias", "GetAlias")?;
    let version = request.function_version.unwrap_or_else(|| current.version.clone());
    // Without a routing configuration the weights that somebody set stay, also under a new primary version.
    let kept = || current.additional.iter().map(|(version, weight)| (version.to_string(), *weight)).collect();
    let weights = request.routing_config.map_or_else(kept, |routing| routing.additional_version_weights);
    let additional = routing(function, &version, &weights)?;
    let moved = Move { to: &version, routed: additional.is_some(), now: call.now };
    let alias = Alias {
        name: name.clone(),
        provisioned: current.provisioned.as_ref().map(|it| it.after(current, &moved, aws.options().provisioning)),
        additional,
        version,
        description: request.description.unwrap_or_else(|| current.description.clone()),
        // New even where nothing else is.
        revision: aws.uuid(),
    };
    let answer = wire::json(200, &view::alias(&target.key, &alias, call.now));
    function.aliases.insert(name, alias);
    Ok(answer)
}

/// The additional version of an alias on `version`, checked as Lambda checks it.
fn routing(
    function: &Function,
    version: &str,
    weights: &BTreeMap<String, f64>,
) -> Result<Option<(u64, f64)>, AwsError> {
    let target = |label: &str| Target { key: function.key.clone(), qualifier: Some(label.to_owned()) };
    let missing = |label: &str| function_not_found(&target(label));
    let primary = function.version(version).ok_or_else(|| missing(version))?;
    let mut entries = weights.iter();
    let Some((label, weight)) = entries.next() else { return Ok(None) };
    if entries.next().is_some() {
        return Err(invalid_parameter("Number of items in AdditionalVersionWeights cannot be greater than 1"));
    }
    if version == "$LATEST" {
        return Err(invalid_parameter("$LATEST is not supported for an alias pointing to more than 1 version"));
    }
    let number: u64 = label.parse().map_err(|_| missing(label))?;
    if primary.number == Some(number) {
        return Err(invalid_parameter(format!(
            "Invalid function version {number}. Function version {number} is already included in routing configuration."
        )));
    }
    let other = function.versions.get(&number).ok_or_else(|| missing(label))?;
    let (ours, theirs) = (&primary.snapshot.configuration, &other.snapshot.configuration);
    let differs = if ours.role != theirs.role {
        Some("execution role")
    } else if ours.dead_letter != theirs.dead_letter {
        Some("dead-letter queue configuration")
    } else {
        None
    };
    if let Some(what) = differs {
        return Err(invalid_parameter(format!(
            "Function versions {version} and {number} must have the same {what} to share an alias."
        )));
    }
    Ok(Some((number, *weight)))
}

pub(crate) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let (target, name) = named(call)?;
    // The model of `DeleteAlias` knows no `ResourceNotFoundException`: what is not there is deleted.
    if let Some(function) = aws.lambda().functions.get_mut(&target.key) {
        function.aliases.remove(&name);
    }
    Ok(wire::empty(204))
}

pub(crate) fn list(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?.unqualified();
    let version = call.query("FunctionVersion");
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let naming = |alias: &&Alias| {
        let additional = alias.routing(call.now).map(|(number, _)| number.to_string());
        version.as_ref().is_none_or(|version| alias.version == *version || additional.as_ref() == Some(version))
    };
    let aliases = function.aliases.values().filter(naming);
    let page = page(call, aliases.map(|alias| (alias.name.clone(), view::alias(&target.key, alias, call.now))))?;
    Ok(wire::json(200, &json!({ "Aliases": page.items, "NextMarker": page.next })))
}

//! Tags of functions.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::Target;
use super::validation::Problems;
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagRequest {
    tags: Option<BTreeMap<String, String>>,
}

pub(crate) fn list(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let tags = &state.function(&target, call.now)?.tags;
    Ok(wire::json(200, &json!({ "Tags": tags })))
}

pub(crate) fn add(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let TagRequest { tags } = call.json()?;
    let mut problems = Problems::default();
    problems.required(tags.as_ref(), "tags");
    problems.finish()?;
    aws.lambda().function(&target, call.now)?.tags.extend(tags.unwrap_or_default());
    Ok(wire::empty(204))
}

pub(crate) fn remove(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let query = call.head.uri.query().unwrap_or_default();
    let keys: Vec<String> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "tagKeys")
        .map(|(_, key)| key.into_owned())
        .collect();
    let mut problems = Problems::default();
    problems.required(keys.first(), "tagKeys");
    problems.finish()?;
    aws.lambda().function(&target, call.now)?.tags.retain(|key, _| !keys.contains(key));
    Ok(wire::empty(204))
}

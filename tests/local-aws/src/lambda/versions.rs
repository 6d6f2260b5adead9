//! Versions: immutable, numbered for ever, and the same again where nothing has changed.
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Value, json};

use super::model::{Function, LastUpdate, Reason, Transition, Version, VersionState};
use super::paging::{page, version_position};
use super::validation::Problems;
use super::view::{self, ArnOf};
use super::{Target, check_revision, invalid_parameter};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PublishRequest {
    code_sha256: Option<String>,
    description: Option<String>,
    revision_id: Option<String>,
}

pub(crate) fn publish(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let request: PublishRequest = call.json()?;
    let mut problems = Problems::default();
    if let Some(description) = &request.description {
        problems.description(description);
    }
    problems.finish()?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    function.latest.check_settled(&target.key)?;
    check_revision(request.revision_id.as_deref(), &function.latest.revision, "function", "GetFunction")?;
    let sha256 = function.latest.snapshot.code.sha256();
    if request.code_sha256.as_deref().is_some_and(|sent| sent != sha256) {
        return Err(invalid_parameter(format!(
            "CodeSHA256 ({}) is different from current CodeSHA256 in $LATEST ({sha256}). Please try again with the \
             CodeSHA256 in $LATEST.",
            request.code_sha256.unwrap_or_default()
        )));
    }
    let same = function.unchanged_since_publish().and_then(|version| version.number);
    let number = match same {
        Some(number) => number,
        None => {
            let description = request.description.filter(|description| !description.is_empty());
            let number = mint(aws, function, description, call.now, aws.options().publish);
            function.latest.revision = aws.uuid();
            number
        }
    };
    Ok(wire::json(201, &shown(function, number)))
}

/// Makes a version of what `$LATEST` is, or is about to be, and gives its number.
pub(super) fn mint(
    aws: &LocalAws,
    function: &mut Function,
    description: Option<String>,
    now: DateTime<Utc>,
    takes: Duration,
) -> u64 {
    function.last_number += 1;
    let number = function.last_number;
    let failure = function.latest.snapshot.code.failure();
    let version = Version {
        number: Some(number),
        snapshot: function.latest.snapshot.clone(),
        description,
        modified: now,
        revision: aws.uuid(),
        state: VersionState::Pending,
        reason: Some(Reason::creating()),
        last_update: LastUpdate::Successful,
        transition: Some(Transition { at: now + takes, revision: aws.uuid(), failure, previous: None }),
    };
    function.versions.insert(number, version);
    number
}

/// A version as the call that published it answers.
pub(super) fn shown(function: &Function, number: u64) -> Value {
    let label = number.to_string();
    match function.versions.get(&number) {
        Some(version) => view::configuration(&function.key, version, ArnOf::Qualified(&label)),
        None => Value::Null,
    }
}

pub(crate) fn list(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let versions = std::iter::once(&function.latest).chain(function.versions.values());
    let items = versions.map(|version| {
        let shown = view::configuration(&function.key, version, ArnOf::Qualified(&version.label()));
        (version_position(version.number), shown)
    });
    let page = page(call, items)?;
    Ok(wire::json(200, &json!({ "Versions": page.items, "NextMarker": page.next })))
}

//! Functions themselves: creating, reading, updating and deleting them.
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};

use super::code::{Code, Source};
use super::configuration::{Settings, check_supported};
use super::model::{Function, LastUpdate, Reason, Snapshot, Transition, Update, Version, VersionState};
use super::paging::{page, version_position};
use super::validation::Problems;
use super::view::{self, ArnOf};
use super::{Target, check_revision, conflict, function_not_found, invalid_parameter, versions};
use crate::LocalAws;
use crate::wire::{self, Answer, AwsError, Call};

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateRequest {
    function_name: Option<String>,
    code: Option<Source>,
    package_type: Option<String>,
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    architectures: Option<Vec<String>>,
    #[serde(flatten)]
    settings: Settings,
}

pub(crate) fn create(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let request: CreateRequest = call.json()?;
    let mut problems = Problems::default();
    problems.required(request.function_name.as_ref(), "functionName");
    problems.required(request.code.as_ref(), "code");
    if let Some(architectures) = &request.architectures {
        architectures.iter().for_each(|it| problems.one_of(it, "architectures", &["x86_64", "arm64"]));
    }
    problems.finish()?;
    let name = request.function_name.unwrap_or_default();
    // The name may come as an ARN as well.
    let key = Target::parse(&name, &call.caller, call.operation)?.key;
    let mut problems = Problems::default();
    problems.new_function_name(&key.name);
    problems.finish()?;
    let architectures = request.architectures.unwrap_or_else(|| vec!["x86_64".to_owned()]);
    let configuration = request.settings.create(&call.caller, architectures)?;
    if aws.lambda().functions.contains_key(&key) {
        return Err(conflict(format!("Function already exist: {}", key.name)));
    }
    let code = request.code.unwrap_or_default().resolve(aws, &call.caller)?;
    check_package(
        request.package_type.as_deref(),
        &code,
        configuration.runtime.is_some(),
        configuration.handler.is_some(),
    )?;
    let takes = code.update_time(aws);
    let failure = code.failure();
    let latest = Version {
        number: None,
        snapshot: Arc::new(Snapshot { configuration, code }),
        description: None,
        modified: call.now,
        revision: aws.uuid(),
        state: VersionState::Pending,
        reason: Some(Reason::creating()),
        last_update: LastUpdate::Successful,
        transition: Some(Transition { at: call.now + takes, revision: aws.uuid(), failure, previous: None }),
    };
    let mut function = Function {
        key: key.clone(),
        latest,
        versions: BTreeMap::new(),
        last_number: 0,
        aliases: BTreeMap::new(),
        reserved: None,
        running: 0,
        tags: request.tags,
        event_invoke: BTreeMap::new(),
    };
    let body = if request.publish {
        let number = versions::mint(aws, &mut function, None, call.now, takes);
        versions::shown(&function, number)
    } else {
        view::configuration(&key, &function.latest, ArnOf::Function)
    };
    aws.lambda().functions.insert(key, function);
    Ok(wire::json(201, &body))
}

/// Whether the code is of the package type that was asked for, with the members that this type needs.
fn check_package(package_type: Option<&str>, code: &Code, runtime: bool, handler: bool) -> Result<(), AwsError> {
    let wanted = package_type.unwrap_or("Zip");
    let mut problems = Problems::default();
    problems.one_of(wanted, "packageType", &["Image", "Zip"]);
    problems.finish()?;
    match (wanted, code) {
        ("Zip", Code::Zip(_)) if !runtime || !handler => Err(invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment packages.",
        )),
        ("Image", Code::Image(_)) if runtime || handler => {
            Err(invalid_parameter("Runtime and Handler are not supported for functions created with container images."))
        }
        ("Zip", Code::Zip(_)) | ("Image", Code::Image(_)) => Ok(()),
        (_, Code::Image(_)) => {
            Err(invalid_parameter("Please set PackageType to Image for functions created with container images."))
        }
        (_, Code::Zip(_)) => Err(invalid_parameter("Please provide ImageUri when PackageType is Image.")),
    }
}

pub(crate) fn get(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let version = function.qualified(&target)?;
    Ok(wire::json(200, &view::function(aws, function, version, arn_of(&target))))
}

pub(crate) fn get_configuration(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let version = function.qualified(&target)?;
    Ok(wire::json(200, &view::configuration(&target.key, version, arn_of(&target))))
}

fn arn_of(target: &Target) -> ArnOf<'_> {
    target.qualifier.as_deref().map_or(ArnOf::Function, ArnOf::Qualified)
}

pub(crate) fn list(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let all_versions = match call.query("FunctionVersion").as_deref() {
        None => false,
        Some("ALL") => true,
        Some(other) => {
            let mut problems = Problems::default();
            problems.one_of(other, "functionVersion", &["ALL"]);
            return Err(problems.finish().err().unwrap_or_else(|| invalid_parameter("Invalid FunctionVersion")));
        }
    };
    let mut state = aws.lambda();
    let mut items = Vec::new();
    let ours = |function: &&mut Function| {
        function.key.account == call.caller.account && function.key.region == call.caller.region
    };
    for function in state.functions.values_mut().filter(ours) {
        function.settle(call.now);
        let versions = function.versions.values().filter(|_| all_versions);
        for version in std::iter::once(&function.latest).chain(versions) {
            let label = version.label();
            let arn = if all_versions { ArnOf::Qualified(&label) } else { ArnOf::Function };
            let position = format!("{}:{}", function.key.name, version_position(version.number));
            items.push((position, Value::Object(view::summary(&function.key, version, arn))));
        }
    }
    let page = page(call, items.into_iter())?;
    Ok(wire::json(200, &json!({ "Functions": page.items, "NextMarker": page.next })))
}

pub(crate) fn delete(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    let Some(qualifier) = &target.qualifier else {
        state.functions.remove(&target.key);
        state.pool.forget(&target.key);
        return Ok(wire::empty(204));
    };
    if qualifier == "$LATEST" {
        return Err(invalid_parameter("$LATEST version cannot be deleted without deleting the function."));
    }
    if function.aliases.contains_key(qualifier) {
        return Err(invalid_parameter("Deletion of aliases is not currently supported."));
    }
    let number: u64 = qualifier.parse().map_err(|_| function_not_found(&target))?;
    let names = |version: &str, additional: Option<(u64, f64)>| {
        version == qualifier || additional.is_some_and(|(additional, _)| additional == number)
    };
    let naming: Vec<&str> = function
        .aliases
        .values()
        .filter(|alias| names(&alias.version, alias.routing(call.now)))
        .map(|alias| alias.name.as_str())
        .collect();
    if !naming.is_empty() {
        return Err(conflict(format!("Version {} is referenced by aliases {}", target.arn(), naming.join(", "))));
    }
    // A version that is not there any more is as deleted as it can be.
    function.versions.remove(&number);
    Ok(wire::empty(204))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateCodeRequest {
    #[serde(default)]
    publish: bool,
    #[serde(default)]
    dry_run: bool,
    revision_id: Option<String>,
    architectures: Option<Vec<String>>,
    zip_file: Option<Value>,
    s3_bucket: Option<Value>,
    s3_key: Option<Value>,
    s3_object_version: Option<Value>,
    image_uri: Option<Value>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

pub(crate) fn update_code(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let request: UpdateCodeRequest = call.json()?;
    let source: Source = call.json()?;
    check_supported(&request.rest)?;
    let image = request.image_uri.is_some();
    let zip = [&request.zip_file, &request.s3_bucket, &request.s3_key, &request.s3_object_version];
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    function.latest.check_settled(&target.key)?;
    check_revision(request.revision_id.as_deref(), &function.latest.revision, "function", "GetFunction")?;
    match (&function.latest.snapshot.code, image, zip.iter().any(|it| it.is_some())) {
        (Code::Zip(_), true, _) => {
            return Err(invalid_parameter(
                "Please do not provide ImageUri when updating a function with packageType Zip.",
            ));
        }
        (Code::Image(_), _, true) => {
            return Err(invalid_parameter("Please provide ImageUri when updating a function with packageType Image."));
        }
        _ => {}
    }
    let code = source.resolve(aws, &call.caller)?;
    let mut configuration = function.latest.snapshot.configuration.clone();
    if let Some(architectures) = request.architectures {
        configuration.architectures = architectures;
    }
    let failure = code.failure();
    let takes = code.update_time(aws);
    let snapshot = Snapshot { configuration, code };
    if request.dry_run {
        let mut preview = function.latest.clone();
        preview.snapshot = Arc::new(snapshot);
        return Ok(wire::json(200, &view::configuration(&target.key, &preview, ArnOf::Function)));
    }
    let update = Update { snapshot, now: call.now, takes, failure, revision: aws.uuid(), settled_revision: aws.uuid() };
    function.latest.start_update(update);
    if !request.publish {
        return Ok(wire::json(200, &view::configuration(&target.key, &function.latest, ArnOf::Function)));
    }
    let same = function.unchanged_since_publish().and_then(|version| version.number);
    let number = match same {
        Some(number) if !aws.options().republish_makes_version => number,
        _ => versions::mint(aws, function, None, call.now, takes),
    };
    Ok(wire::json(200, &versions::shown(function, number)))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UpdateConfigurationRequest {
    revision_id: Option<String>,
    #[serde(flatten)]
    settings: Settings,
}

pub(crate) fn update_configuration(aws: &LocalAws, call: &Call) -> Result<Answer, AwsError> {
    let target = Target::of(call)?;
    let request: UpdateConfigurationRequest = call.json()?;
    let mut state = aws.lambda();
    let function = state.function(&target, call.now)?;
    function.latest.check_settled(&target.key)?;
    check_revision(request.revision_id.as_deref(), &function.latest.revision, "function", "GetFunction")?;
    let current = &function.latest.snapshot;
    let configuration = request.settings.apply(current.configuration.clone(), &call.caller)?;
    let snapshot = Snapshot { configuration, code: current.code.clone() };
    let update = Update {
        failure: snapshot.code.failure(),
        snapshot,
        now: call.now,
        takes: aws.options().configuration_update,
        revision: aws.uuid(),
        settled_revision: aws.uuid(),
    };
    function.latest.start_update(update);
    Ok(wire::json(200, &view::configuration(&target.key, &function.latest, ArnOf::Function)))
}

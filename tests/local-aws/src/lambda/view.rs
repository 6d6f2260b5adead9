//! Writes functions, versions and aliases as Lambda's API shows them.
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use super::Key;
use super::code::Code;
use super::model::{Alias, Function, LastUpdate, Version};
use crate::LocalAws;

/// How an ARN of the answer ends.
#[derive(Clone, Copy)]
pub(crate) enum ArnOf<'a> {
    /// No qualifier: `$LATEST` that nobody asked for by name.
    Function,
    /// A version or alias.
    Qualified(&'a str),
}

/// `FunctionConfiguration`, with the states.
pub(crate) fn configuration(key: &Key, version: &Version, arn: ArnOf<'_>) -> Value {
    let mut view = summary(key, version, arn);
    view.insert("State".to_owned(), version.state.name().into());
    if let Some(reason) = &version.reason {
        view.insert("StateReason".to_owned(), reason.text.as_str().into());
        view.insert("StateReasonCode".to_owned(), reason.code.into());
    }
    match &version.last_update {
        LastUpdate::Successful => {
            view.insert("LastUpdateStatus".to_owned(), "Successful".into());
        }
        LastUpdate::InProgress => {
            view.insert("LastUpdateStatus".to_owned(), "InProgress".into());
            view.insert("LastUpdateStatusReason".to_owned(), "The function is being created.".into());
            view.insert("LastUpdateStatusReasonCode".to_owned(), "Creating".into());
        }
        LastUpdate::Failed(reason) => {
            view.insert("LastUpdateStatus".to_owned(), "Failed".into());
            view.insert("LastUpdateStatusReason".to_owned(), reason.text.as_str().into());
            view.insert("LastUpdateStatusReasonCode".to_owned(), reason.code.into());
        }
    }
    Value::Object(view)
}

/// `FunctionConfiguration` as `ListFunctions` shows it: without the states.
pub(crate) fn summary(key: &Key, version: &Version, arn: ArnOf<'_>) -> Map<String, Value> {
    let configuration = &version.snapshot.configuration;
    let code = &version.snapshot.code;
    let arn = match arn {
        ArnOf::Function => key.arn(),
        ArnOf::Qualified(qualifier) => format!("{}:{qualifier}", key.arn()),
    };
    let mut view = Map::new();
    let mut set = |name: &str, value: Value| {
        // Absent members are left out, as Lambda does.
        if !value.is_null() {
            view.insert(name.to_owned(), value);
        }
    };
    set("FunctionName", key.name.as_str().into());
    set("FunctionArn", arn.into());
    set("Role", configuration.role.as_str().into());
    set("Runtime", configuration.runtime.clone().into());
    set("Handler", configuration.handler.clone().into());
    set("CodeSize", code.size().into());
    set("CodeSha256", code.sha256().into());
    set("PackageType", code.package_type().into());
    set("Description", version.description.as_ref().unwrap_or(&configuration.description).as_str().into());
    set("Timeout", configuration.timeout.into());
    set("MemorySize", configuration.memory.into());
    set("LastModified", version.modified.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string().into());
    set("Version", version.label().into());
    set("RevisionId", version.revision.as_str().into());
    set("Architectures", configuration.architectures.clone().into());
    set("EphemeralStorage", json!({ "Size": configuration.ephemeral_storage }));
    set("TracingConfig", json!({ "Mode": configuration.tracing }));
    set("SnapStart", json!({ "ApplyOn": "None", "OptimizationStatus": "Off" }));
    set("KMSKeyArn", configuration.kms_key.clone().into());
    if let Some(target) = &configuration.dead_letter {
        set("DeadLetterConfig", json!({ "TargetArn": target }));
    }
    if !configuration.environment.is_empty() {
        set("Environment", json!({ "Variables": configuration.environment }));
    }
    if let Some(image_config) = &configuration.image_config {
        set("ImageConfigResponse", json!({ "ImageConfig": image_config }));
    }
    let default_logging = || json!({ "LogFormat": "Text", "LogGroup": format!("/aws/lambda/{}", key.name) });
    set("LoggingConfig", configuration.logging.clone().unwrap_or_else(default_logging));
    view
}

/// `GetFunction`'s answer.
pub(crate) fn function(aws: &LocalAws, function: &Function, version: &Version, arn: ArnOf<'_>) -> Value {
    let code = match &version.snapshot.code {
        Code::Image(image) => {
            json!({ "RepositoryType": "ECR", "ImageUri": image.uri, "ResolvedImageUri": image.resolved })
        }
        Code::Zip(archive) => {
            // Presigned in AWS; here it only tells that there is code, and which.
            let endpoint = aws.endpoint().unwrap_or_else(|| "http://127.0.0.1:9".to_owned());
            let sha = percent_encoding::utf8_percent_encode(&archive.sha256, percent_encoding::NON_ALPHANUMERIC);
            json!({ "RepositoryType": "S3", "Location": format!("{endpoint}/_local/code/{sha}") })
        }
    };
    let mut view = json!({ "Configuration": configuration(&function.key, version, arn), "Code": code });
    if let Some(reserved) = function.reserved {
        view["Concurrency"] = json!({ "ReservedConcurrentExecutions": reserved });
    }
    if !function.tags.is_empty() {
        view["Tags"] = json!(function.tags);
    }
    view
}

/// `AliasConfiguration`, with the weights of this time.
pub(crate) fn alias(key: &Key, alias: &Alias, now: DateTime<Utc>) -> Value {
    let Alias { name, version, additional: _, description, revision, provisioned: _ } = alias;
    let mut view = json!({
        "AliasArn": format!("{}:{name}", key.arn()),
        "Name": name,
        "FunctionVersion": version,
        "Description": description,
        "RevisionId": revision,
    });
    if let Some((version, weight)) = alias.routing(now) {
        view["RoutingConfig"] = json!({ "AdditionalVersionWeights": { version.to_string(): weight } });
    }
    view
}

//! Decides what a function's configuration becomes from what a request says, and refuses what Lambda refuses.
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::invalid_parameter;
use super::validation::Problems;
use crate::wire::{AwsError, Caller};

/// Lambda's limit for all names and values of a function's environment together.
const ENVIRONMENT_BYTES: usize = 4096;

/// The names that Lambda sets itself.
const RESERVED_NAMES: [&str; 20] = [
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_METADATA_API",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SECRET_KEY",
    "AWS_SECURITY_TOKEN",
    "AWS_SESSION_TOKEN",
    "LAMBDA_TASK_ROOT",
];

/// A function's configuration without its code.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Configuration {
    pub(crate) role: String,
    pub(crate) handler: Option<String>,
    pub(crate) runtime: Option<String>,
    pub(crate) description: String,
    /// Seconds.
    pub(crate) timeout: u32,
    /// MB.
    pub(crate) memory: u32,
    pub(crate) environment: BTreeMap<String, String>,
    /// The target's ARN.
    pub(crate) dead_letter: Option<String>,
    pub(crate) kms_key: Option<String>,
    /// `PassThrough` or `Active`.
    pub(crate) tracing: String,
    /// Of an image function: entry point, command, working directory.
    pub(crate) image_config: Option<Value>,
    /// MB of `/tmp`.
    pub(crate) ephemeral_storage: u32,
    pub(crate) logging: Option<Value>,
    /// One: `x86_64` or `arm64`.
    pub(crate) architectures: Vec<String>,
}

/// The members that `CreateFunction` and `UpdateFunctionConfiguration` share.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Settings {
    role: Option<String>,
    handler: Option<String>,
    runtime: Option<String>,
    description: Option<String>,
    timeout: Option<i64>,
    memory_size: Option<i64>,
    environment: Option<Environment>,
    dead_letter_config: Option<DeadLetterConfig>,
    #[serde(rename = "KMSKeyArn")]
    kms_key_arn: Option<String>,
    tracing_config: Option<TracingConfig>,
    image_config: Option<Value>,
    ephemeral_storage: Option<EphemeralStorage>,
    logging_config: Option<Value>,
    /// What this Lambda does not do, unless it is empty.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Environment {
    #[serde(default)]
    variables: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeadLetterConfig {
    target_arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TracingConfig {
    mode: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EphemeralStorage {
    size: i64,
}

impl Settings {
    /// The configuration of a new function.
    pub(crate) fn create(self, caller: &Caller, architectures: Vec<String>) -> Result<Configuration, AwsError> {
        let mut problems = Problems::default();
        problems.required(self.role.as_ref(), "role");
        problems.finish()?;
        let defaults = Configuration {
            role: String::new(),
            handler: None,
            runtime: None,
            description: String::new(),
            timeout: 3,
            memory: 128,
            environment: BTreeMap::new(),
            dead_letter: None,
            kms_key: None,
            tracing: "PassThrough".to_owned(),
            image_config: None,
            ephemeral_storage: 512,
            logging: None,
            architectures,
        };
        self.apply(defaults, caller)
    }

    /// `current` with everything that the request gives; what it leaves out stays.
    pub(crate) fn apply(self, current: Configuration, caller: &Caller) -> Result<Configuration, AwsError> {
        self.validate(caller)?;
        let Self {
            role,
            handler,
            runtime,
            description,
            timeout,
            memory_size,
            environment,
            dead_letter_config,
            kms_key_arn,
            tracing_config,
            image_config,
            ephemeral_storage,
            logging_config,
            rest: _,
        } = self;
        Ok(Configuration {
            role: role.unwrap_or(current.role),
            handler: handler.or(current.handler),
            runtime: runtime.or(current.runtime),
            description: description.unwrap_or(current.description),
            timeout: timeout.and_then(|it| u32::try_from(it).ok()).unwrap_or(current.timeout),
            memory: memory_size.and_then(|it| u32::try_from(it).ok()).unwrap_or(current.memory),
            environment: environment.map_or(current.environment, |it| it.variables),
            dead_letter: match dead_letter_config {
                Some(given) => given.target_arn.filter(|arn| !arn.is_empty()),
                None => current.dead_letter,
            },
            kms_key: kms_key_arn.or(current.kms_key).filter(|arn| !arn.is_empty()),
            tracing: tracing_config.and_then(|it| it.mode).unwrap_or(current.tracing),
            image_config: image_config.or(current.image_config).filter(|it| !is_empty(it)),
            ephemeral_storage: ephemeral_storage
                .and_then(|it| u32::try_from(it.size).ok())
                .unwrap_or(current.ephemeral_storage),
            logging: logging_config.or(current.logging),
            architectures: current.architectures,
        })
    }

    /// Ranges and forms from the API model of botocore 1.44.
    fn validate(&self, caller: &Caller) -> Result<(), AwsError> {
        let mut problems = Problems::default();
        if let Some(role) = &self.role {
            problems.role(role);
        }
        if let Some(handler) = &self.handler {
            problems.length(handler, "handler", 0, 128);
        }
        if let Some(description) = &self.description {
            problems.description(description);
        }
        if let Some(timeout) = self.timeout {
            problems.range(timeout, "timeout", 1, 5400);
        }
        if let Some(memory) = self.memory_size {
            problems.range(memory, "memorySize", 128, 32768);
        }
        if let Some(storage) = &self.ephemeral_storage {
            problems.range(storage.size, "ephemeralStorage.size", 512, 10240);
        }
        if let Some(mode) = self.tracing_config.as_ref().and_then(|it| it.mode.as_ref()) {
            problems.one_of(mode, "tracingConfig.mode", &["Active", "PassThrough"]);
        }
        problems.finish()?;
        if self.role.as_ref().is_some_and(|role| role.split(':').nth(4) != Some(caller.account.as_str())) {
            return Err(AwsError::new(403, "AccessDeniedException", "Cross-account pass role is not allowed."));
        }
        if let Some(environment) = &self.environment {
            check_environment(&environment.variables)?;
        }
        check_supported(&self.rest)
    }
}

fn check_environment(variables: &BTreeMap<String, String>) -> Result<(), AwsError> {
    const REFUSED: &str = "Lambda was unable to configure your environment variables because the environment variables \
                           you have provided";
    let mut reserved = variables.keys().filter(|name| RESERVED_NAMES.contains(&name.as_str())).peekable();
    if reserved.peek().is_some() {
        let names: Vec<&str> = reserved.map(String::as_str).collect();
        return Err(invalid_parameter(format!(
            "{REFUSED} contains reserved keys that are currently not supported for modification. Reserved keys used in \
             this request: {}",
            names.join(", ")
        )));
    }
    let well_formed = |name: &str| {
        name.len() > 1
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if let Some(name) = variables.keys().find(|name| !well_formed(name)) {
        return Err(AwsError::validation([format!(
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must satisfy constraint: [Member \
             must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+, Member must not be null] (`{name}`)"
        )]));
    }
    let size: usize = variables.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > ENVIRONMENT_BYTES {
        return Err(invalid_parameter(format!("{REFUSED} exceeded the 4KB limit.")));
    }
    Ok(())
}

/// Refuses members that this Lambda would have to ignore; an empty one asks for nothing.
pub(crate) fn check_supported(rest: &BTreeMap<String, Value>) -> Result<(), AwsError> {
    // `ApplyOn: None` is SnapStart's way to say that it is off.
    let off = |value: &Value| is_empty(value) || value.get("ApplyOn").is_some_and(|it| it == "None");
    match rest.iter().find(|(_, value)| !off(value)) {
        Some((member, _)) => Err(AwsError::not_implemented(format_args!("lambda member `{member}`"))),
        None => Ok(()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.iter().all(is_empty),
        Value::Object(members) => members.values().all(is_empty),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

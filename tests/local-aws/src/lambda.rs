//! Lambda over REST-JSON: names the operation that a request asks for and hands it to the file that knows its rules.
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::LocalAws;
use crate::wire::{Answer, AwsError, Call, path_segments, query_value, rest_json_error, set_header};

mod aliases;
mod asynchronous;
mod code;
mod concurrency;
mod configuration;
mod environment;
mod event_invoke;
mod functions;
mod idleness;
mod invoke;
mod logs;
mod metrics;
pub(crate) mod model;
mod naming;
mod paging;
mod program;
mod provisioned;
mod tags;
mod traffic;
mod validation;
mod versions;
mod view;

pub use logs::LogLine;
pub use model::VersionState;
pub use program::{Context, Event, FunctionError, Handler};
pub use traffic::{AliasRef, Served, Traffic};

pub(crate) use asynchronous::enqueue;
pub(crate) use logs::Sink;
pub(crate) use naming::{Key, Target};

use model::Function;

/// All functions of the world, the programs that tests registered, the warm processes, and what functions printed.
#[derive(Default)]
pub(crate) struct State {
    functions: Functions,
    handlers: BTreeMap<String, Handler>,
    pool: program::Pool,
    pub(crate) logs: logs::Logs,
}

/// All functions of the world.
pub(crate) type Functions = BTreeMap<Key, Function>;

/// The operation that a request asks for.
pub(crate) fn operation(head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    let segments = path_segments(&head.uri);
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (version, resource, rest) = match segments.as_slice() {
        [version, resource, rest @ ..] => (*version, *resource, rest),
        _ => return None,
    };
    let method = head.method.as_str();
    match (version, resource) {
        ("2015-03-31", "functions") => function_operation(method, rest),
        ("2017-10-31", "functions") => match (method, rest) {
            ("PUT", [_, "concurrency"]) => Some("PutFunctionConcurrency"),
            ("DELETE", [_, "concurrency"]) => Some("DeleteFunctionConcurrency"),
            _ => None,
        },
        ("2019-09-30", "functions") => match (method, rest) {
            ("GET", [_, "concurrency"]) => Some("GetFunctionConcurrency"),
            ("PUT", [_, "provisioned-concurrency"]) => Some("PutProvisionedConcurrencyConfig"),
            ("GET", [_, "provisioned-concurrency"]) => Some(match query_value(&head.uri, "List") {
                Some(_) => "ListProvisionedConcurrencyConfigs",
                None => "GetProvisionedConcurrencyConfig",
            }),
            ("DELETE", [_, "provisioned-concurrency"]) => Some("DeleteProvisionedConcurrencyConfig"),
            _ => None,
        },
        ("2019-09-25", "functions") => match (method, rest) {
            ("PUT", [_, "event-invoke-config"]) => Some("PutFunctionEventInvokeConfig"),
            ("GET", [_, "event-invoke-config"]) => Some("GetFunctionEventInvokeConfig"),
            ("DELETE", [_, "event-invoke-config"]) => Some("DeleteFunctionEventInvokeConfig"),
            _ => None,
        },
        ("2017-03-31", "tags") => match (method, rest) {
            ("GET", [_]) => Some("ListTags"),
            ("POST", [_]) => Some("TagResource"),
            ("DELETE", [_]) => Some("UntagResource"),
            _ => None,
        },
        _ => None,
    }
}

/// The operations below `/2015-03-31/functions`.
fn function_operation(method: &str, rest: &[&str]) -> Option<&'static str> {
    Some(match (method, rest) {
        ("POST", []) => "CreateFunction",
        ("GET", []) => "ListFunctions",
        ("GET", [_]) => "GetFunction",
        ("DELETE", [_]) => "DeleteFunction",
        ("GET", [_, "configuration"]) => "GetFunctionConfiguration",
        ("PUT", [_, "configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", [_, "code"]) => "UpdateFunctionCode",
        ("POST", [_, "versions"]) => "PublishVersion",
        ("GET", [_, "versions"]) => "ListVersionsByFunction",
        ("POST", [_, "aliases"]) => "CreateAlias",
        ("GET", [_, "aliases"]) => "ListAliases",
        ("GET", [_, "aliases", _]) => "GetAlias",
        ("PUT", [_, "aliases", _]) => "UpdateAlias",
        ("DELETE", [_, "aliases", _]) => "DeleteAlias",
        ("POST", [_, "invocations"]) => "Invoke",
        _ => return None,
    })
}

/// What a call is about, for the log of calls: the function, and behind a colon its alias or qualifier.
pub(crate) fn resource(call: &Call) -> String {
    let segments = call.segments();
    let Some(function) = segments.get(2) else { return created_name(&call.body).unwrap_or_default() };
    let alias = segments.get(4).cloned().or_else(|| call.query("Qualifier"));
    let alias = alias.or_else(|| (call.operation == "CreateAlias").then(|| created_name(&call.body)).flatten());
    match alias {
        Some(alias) => format!("{function}:{alias}"),
        None => function.clone(),
    }
}

/// The name that a creating request carries in its body.
fn created_name(body: &Bytes) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    ["FunctionName", "Name"].iter().find_map(|member| Some(body.get(member)?.as_str()?.to_owned()))
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    match call.operation {
        "CreateFunction" => functions::create(aws, &call),
        "GetFunction" => functions::get(aws, &call),
        "GetFunctionConfiguration" => functions::get_configuration(aws, &call),
        "ListFunctions" => functions::list(aws, &call),
        "DeleteFunction" => functions::delete(aws, &call),
        "UpdateFunctionCode" => functions::update_code(aws, &call),
        "UpdateFunctionConfiguration" => functions::update_configuration(aws, &call),
        "PublishVersion" => versions::publish(aws, &call),
        "ListVersionsByFunction" => versions::list(aws, &call),
        "CreateAlias" => aliases::create(aws, &call),
        "GetAlias" => aliases::get(aws, &call),
        "UpdateAlias" => aliases::update(aws, &call),
        "DeleteAlias" => aliases::delete(aws, &call),
        "ListAliases" => aliases::list(aws, &call),
        "Invoke" => invoke::invoke(aws, call).await,
        "PutFunctionConcurrency" => concurrency::put(aws, &call),
        "GetFunctionConcurrency" => concurrency::get(aws, &call),
        "DeleteFunctionConcurrency" => concurrency::delete(aws, &call),
        "PutProvisionedConcurrencyConfig" => provisioned::put(aws, &call),
        "GetProvisionedConcurrencyConfig" => provisioned::get(aws, &call),
        "DeleteProvisionedConcurrencyConfig" => provisioned::delete(aws, &call),
        "ListProvisionedConcurrencyConfigs" => provisioned::list(aws, &call),
        "PutFunctionEventInvokeConfig" => event_invoke::put(aws, &call),
        "GetFunctionEventInvokeConfig" => event_invoke::get(aws, &call),
        "DeleteFunctionEventInvokeConfig" => event_invoke::delete(aws, &call),
        "ListTags" => tags::list(aws, &call),
        "TagResource" => tags::add(aws, &call),
        "UntagResource" => tags::remove(aws, &call),
        other => Err(AwsError::not_implemented(format_args!("lambda {other}"))),
    }
}

/// An error in REST-JSON. A few of Lambda's shapes write `Message` with a capital letter, the others do not.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    let capital = ["ResourceNotFoundException", "ServiceException", "AccessDeniedException"];
    let member = if capital.contains(&error.code.as_str()) { "Message" } else { "message" };
    let modelled = error.fields.is_empty() && error.code.ends_with("Exception") && error.code != "ValidationException";
    let typed = if modelled { error.clone().with("Type", "User") } else { error.clone() };
    let mut answer = rest_json_error(&typed, member);
    if error.status == 429 {
        set_header(&mut answer, "retry-after", "1");
    }
    answer
}

/// `ResourceNotFoundException` for a function, or for a version or alias of it as a qualifier.
fn function_not_found(target: &Target) -> AwsError {
    AwsError::new(404, "ResourceNotFoundException", format!("Function not found: {}", target.arn()))
}

/// `InvalidParameterValueException`: the request is well formed, and still wrong.
fn invalid_parameter(message: impl Into<String>) -> AwsError {
    AwsError::new(400, "InvalidParameterValueException", message)
}

/// `ResourceConflictException`: not now, or not because of something else that exists.
fn conflict(message: impl Into<String>) -> AwsError {
    AwsError::new(409, "ResourceConflictException", message)
}

/// Checks the `RevisionId` of a request, where it has one, against the current one.
fn check_revision(sent: Option<&str>, current: &str, what: &str, read_with: &str) -> Result<(), AwsError> {
    match sent {
        Some(sent) if sent != current => Err(AwsError::new(
            412,
            "PreconditionFailedException",
            format!(
                "The RevisionId provided does not match the latest RevisionId for the Lambda {what}. Call the \
                 {read_with} API to retrieve the latest RevisionId"
            ),
        )),
        _ => Ok(()),
    }
}

/// Without processes and logs: whatever runs now, runs in the other world.
impl Clone for State {
    fn clone(&self) -> Self {
        let mut functions = self.functions.clone();
        functions.values_mut().for_each(|function| function.running = 0);
        Self { functions, handlers: self.handlers.clone(), pool: program::Pool::default(), logs: logs::Logs::default() }
    }
}

impl State {
    /// A function as it is at this time.
    pub(crate) fn view(
        &mut self,
        account: &str,
        region: &str,
        name: &str,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Option<crate::inspect::FunctionView> {
        let key = Key { account: account.to_owned(), region: region.to_owned(), name: name.to_owned() };
        let function = self.functions.get_mut(&key)?;
        function.settle(now);
        Some(function.view(now))
    }

    /// The names of the functions of an account and region.
    pub(crate) fn functions_of(&self, account: &str, region: &str) -> Vec<String> {
        let keys = self.functions.keys().filter(|key| key.account == account && key.region == region);
        keys.map(|key| key.name.clone()).collect()
    }

    /// All functions as they are.
    pub(crate) fn functions(&self) -> Functions {
        self.functions.clone()
    }

    /// Puts other functions into the place of those that there are, and gives these.
    pub(crate) fn replace_functions(&mut self, functions: Functions) -> Functions {
        std::mem::replace(&mut self.functions, functions)
    }

    /// The function behind a target, with everything that the time until now has settled.
    fn function(&mut self, target: &Target, now: chrono::DateTime<chrono::Utc>) -> Result<&mut Function, AwsError> {
        let function = self.functions.get_mut(&target.key).ok_or_else(|| function_not_found(target))?;
        function.settle(now);
        Ok(function)
    }
}

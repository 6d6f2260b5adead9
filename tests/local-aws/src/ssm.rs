//! SSM Parameter Store: parameters with versions, tiers and hierarchies, on AWS-JSON 1.1.
//!
//! A `SecureString` is not really encrypted; without `WithDecryption` it reads as text that does not contain its value.
use bytes::Bytes;

use crate::LocalAws;
use crate::codec::{Value, json};
use crate::wire::{Answer, AwsError, Call};

mod parameter;
mod read;
mod write;

pub(crate) use parameter::State;

const VERSION: &str = "1.1";

/// The operation that `X-Amz-Target` names.
pub(crate) fn operation(head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    let known = [
        "PutParameter",
        "GetParameter",
        "GetParameters",
        "GetParametersByPath",
        "DeleteParameter",
        "DeleteParameters",
        "DescribeParameters",
    ];
    let target = json::target(head)?;
    known.into_iter().find(|name| *name == target)
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    let input = json::read(&call.body)?;
    answer(&mut aws.ssm(), &call, &input).map(|output| json::answer(VERSION, &output))
}

/// An error in the protocol of the request.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    json::error(VERSION, error)
}

/// What a call is about, for the log of calls: a name, names or a path.
pub(crate) fn resource(call: &Call) -> String {
    let Ok(input) = json::read(&call.body) else { return String::new() };
    let one = ["Name", "Path"].into_iter().find_map(|member| input.text(member).ok().flatten());
    match one {
        Some(name) => name.to_owned(),
        None => input.texts("Names").unwrap_or_default().join(","),
    }
}

fn answer(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    let store = state.store(&call.caller.account, &call.caller.region);
    match call.operation {
        "PutParameter" => write::put(store, call, input),
        "DeleteParameter" => write::delete(store, input),
        "DeleteParameters" => write::delete_many(store, input),
        "GetParameter" => read::get(store, input),
        "GetParameters" => read::get_many(store, input),
        "GetParametersByPath" => read::by_path(store, input),
        "DescribeParameters" => read::describe(store, input),
        other => Err(AwsError::not_implemented(format_args!("ssm {other}"))),
    }
}

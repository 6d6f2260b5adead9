//! ECR: repositories, and images as manifests with tags, on AWS-JSON 1.1.
//!
//! A manifest's layers are not asked for: there are no blobs here. A repository's policy is kept as it came, and any policy
//! lets every other account in; without one, other accounts are refused.
use bytes::Bytes;

use crate::LocalAws;
use crate::codec::{Value, json};
use crate::wire::{Answer, AwsError, Call};

mod images;
mod push;
mod repositories;
mod repository;

pub(crate) use repository::{Reference, State};

const VERSION: &str = "1.1";

/// The operation that a request asks for.
pub(crate) fn operation(head: &http::request::Parts, _body: &Bytes) -> Option<&'static str> {
    let known = [
        "CreateRepository",
        "DescribeRepositories",
        "DeleteRepository",
        "SetRepositoryPolicy",
        "GetRepositoryPolicy",
        "DeleteRepositoryPolicy",
        "PutImageTagMutability",
        "PutImage",
        "DescribeImages",
        "ListImages",
        "BatchGetImage",
        "BatchDeleteImage",
    ];
    let target = json::target(head)?;
    known.into_iter().find(|name| *name == target)
}

/// What a call is about, for the log of calls: the repository.
pub(crate) fn resource(call: &Call) -> String {
    let Ok(input) = json::read(&call.body) else { return String::new() };
    input.text("repositoryName").ok().flatten().unwrap_or_default().to_owned()
}

/// Answers one call.
pub(crate) async fn handle(aws: &LocalAws, call: Call) -> Result<Answer, AwsError> {
    let input = json::read(&call.body).and_then(|input| answer(&mut aws.ecr(), &call, &input));
    match input {
        Ok(output) => Ok(json::answer(VERSION, &output)),
        // This service's front end has its own name for what breaks the model.
        Err(error) if error.code == "ValidationException" => {
            let message = error.message.replace("1 validation error detected: Value", "Invalid parameter: value");
            Err(AwsError { code: "InvalidParameterException".to_owned(), message, ..error })
        }
        Err(error) => Err(error),
    }
}

/// An error in the protocol of the request.
pub(crate) fn error(_head: &http::request::Parts, error: &AwsError) -> Answer {
    json::error(VERSION, error)
}

fn answer(state: &mut State, call: &Call, input: &Value) -> Result<Value, AwsError> {
    match call.operation {
        "CreateRepository" => repositories::create(state, call, input),
        "DescribeRepositories" => repositories::describe(state, call, input),
        "DeleteRepository" => repositories::delete(state, call, input),
        "SetRepositoryPolicy" => repositories::set_policy(state, call, input),
        "GetRepositoryPolicy" => repositories::get_policy(state, call, input),
        "DeleteRepositoryPolicy" => repositories::delete_policy(state, call, input),
        "PutImageTagMutability" => repositories::put_mutability(state, call, input),
        "PutImage" => push::put(state, call, input),
        "BatchDeleteImage" => images::delete(state, call, input),
        "DescribeImages" => images::describe(state, call, input),
        "ListImages" => images::list(state, call, input),
        "BatchGetImage" => images::get(state, call, input),
        other => Err(AwsError::not_implemented(format_args!("ecr {other}"))),
    }
}

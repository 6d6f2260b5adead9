//! Parameter Store: configuration, credentials, and the service registry.
use aws_sdk_ssm::types::ParameterType;
use std::collections::BTreeMap;

use super::error::{CallError, failed};
use crate::secret::Secret;

/// The operation that writes.
pub const PUT: &str = "ssm:PutParameter";

/// Every parameter below `path` that is not encrypted, by its name relative to it.
///
/// # Errors
/// Where Parameter Store refuses or does not answer.
pub async fn below(client: &aws_sdk_ssm::Client, path: &str) -> Result<BTreeMap<String, String>, CallError> {
    let mut found = BTreeMap::new();
    let mut pages = client.get_parameters_by_path().path(path).recursive(true).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(failed("ssm:GetParametersByPath", path))?;
        for parameter in page.parameters() {
            let plain = parameter.r#type() != Some(&ParameterType::SecureString);
            let name =
                parameter.name().and_then(|name| name.strip_prefix(path)).map(|name| name.trim_start_matches('/'));
            if let (true, Some(name), Some(value)) = (plain, name, parameter.value()) {
                found.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    Ok(found)
}

/// One decrypted SecureString.
///
/// # Errors
/// Where it does not exist, may not be decrypted, or Parameter Store does not answer.
pub async fn secret(client: &aws_sdk_ssm::Client, name: &str) -> Result<Option<Secret>, CallError> {
    let answer = client
        .get_parameter()
        .name(name)
        .with_decryption(true)
        .send()
        .await
        .map_err(failed("ssm:GetParameter", name))?;
    Ok(answer.parameter.and_then(|parameter| parameter.value).map(Secret::new))
}

/// One plain parameter; `None` where there is none.
///
/// # Errors
/// Where it may not be read, or Parameter Store does not answer.
pub async fn get(client: &aws_sdk_ssm::Client, name: &str) -> Result<Option<String>, CallError> {
    match client.get_parameter().name(name).send().await.map_err(failed("ssm:GetParameter", name)) {
        Ok(answer) => Ok(answer.parameter.and_then(|parameter| parameter.value)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a plain parameter over whatever it was.
///
/// # Errors
/// Where Parameter Store refuses or does not answer.
pub async fn put(client: &aws_sdk_ssm::Client, name: &str, value: &str) -> Result<(), CallError> {
    client
        .put_parameter()
        .name(name)
        .value(value)
        .r#type(ParameterType::String)
        .overwrite(true)
        .send()
        .await
        .map_err(failed(PUT, name))?;
    Ok(())
}

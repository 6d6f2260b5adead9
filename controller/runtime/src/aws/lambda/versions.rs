//! Lambda's published versions: lists them and the aliases that name them, and deletes one by its number.
use aws_sdk_lambda::types::{AliasConfiguration, FunctionConfiguration};
use chrono::{DateTime, Utc};
use tidegate_core::housekeeping::{ListedAlias, Published};
use tidegate_core::ids::Version;
use tidegate_core::marker::Marker;

use super::Paced;
use super::read::{additional, code_of, package_of, unexpected};
use crate::aws::error::{CallError, failed};

/// How Lambda writes when a version was published.
const TIME: &str = "%Y-%m-%dT%H:%M:%S%.f%z";

/// `ListVersionsByFunction`: all published versions, fifty a call.
///
/// # Errors
/// Where AWS does not answer with all of them, each with its time.
pub async fn list_versions(lambda: Paced<'_>, function: &str) -> Result<Vec<Published>, CallError> {
    const OPERATION: &str = "lambda:ListVersionsByFunction";
    let client = lambda.for_one(OPERATION, function).await?;
    let mut pages = client.list_versions_by_function().function_name(function).into_paginator().send();
    let mut versions = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(failed(OPERATION, function))?;
        for listed in page.versions() {
            // `$LATEST` is none.
            let Some(version) = listed.version().and_then(|version| version.parse().ok()) else { continue };
            let odd =
                || unexpected(OPERATION, function, &format!("that does not say when version {version} was published"));
            versions.push(published(version, listed).ok_or_else(odd)?);
        }
        if page.next_marker().is_some() {
            lambda.for_one(OPERATION, function).await?;
        }
    }
    Ok(versions)
}

fn published(version: Version, listed: &FunctionConfiguration) -> Option<Published> {
    let at = DateTime::parse_from_str(listed.last_modified()?, TIME).ok()?.with_timezone(&Utc);
    Some(Published { version, code: code_of(package_of(listed), listed, None), at })
}

/// `ListAliases`: all aliases of a function, whoever they belong to.
///
/// # Errors
/// Where AWS does not answer with all of them.
pub async fn list_aliases(lambda: Paced<'_>, function: &str) -> Result<Vec<ListedAlias>, CallError> {
    const OPERATION: &str = "lambda:ListAliases";
    let client = lambda.for_one(OPERATION, function).await?;
    let mut pages = client.list_aliases().function_name(function).into_paginator().send();
    let mut aliases = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(failed(OPERATION, function))?;
        let odd = || unexpected(OPERATION, function, "with an alias without a name");
        for listed in page.aliases() {
            aliases.push(alias(listed).ok_or_else(odd)?);
        }
        if page.next_marker().is_some() {
            lambda.for_one(OPERATION, function).await?;
        }
    }
    Ok(aliases)
}

fn alias(listed: &AliasConfiguration) -> Option<ListedAlias> {
    Some(ListedAlias {
        name: listed.name()?.to_owned(),
        version: listed.function_version().and_then(|version| version.parse().ok()),
        additional: listed.routing_config().and_then(additional).map(|other| other.version),
        marker: listed.description().and_then(Marker::parse),
    })
}

/// `DeleteFunction` of one version. Without a qualifier that call deletes the whole function: a [`Version`] is a number, so
/// there always is one. A version that is gone already is deleted.
///
/// # Errors
/// [`Kind::Conflict`](super::super::Kind::Conflict) where an alias names it.
pub async fn delete_version(lambda: Paced<'_>, function: &str, version: Version) -> Result<(), CallError> {
    const OPERATION: &str = "lambda:DeleteFunction";
    let resource = format!("{function}:{version}");
    let client = lambda.for_one(OPERATION, &resource).await?;
    let call = client.delete_function().function_name(function).qualifier(version.to_string());
    match call.send().await.map_err(failed(OPERATION, &resource)) {
        Err(error) if !error.is_not_found() => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

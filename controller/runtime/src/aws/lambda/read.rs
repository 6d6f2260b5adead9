//! Lambda, as it is read: functions, versions, aliases, and whether provisioned concurrency is being prepared.
use aws_sdk_lambda::types::{
    AliasRoutingConfiguration, FunctionCodeLocation, FunctionConfiguration, LastUpdateStatus, PackageType,
    ProvisionedConcurrencyStatusEnum, State,
};
use release_schema::FunctionName;
use tidegate_core::ids::RevisionId;
use tidegate_core::live::{LiveAlias, LiveConfiguration, LiveVersion, UpdateStatus, VersionState, Weighted};
use tidegate_core::marker::Marker;
use tidegate_core::release::{Code, Package};

use super::{GET_FUNCTION, Paced};
use crate::aws::error::{CallError, Kind, failed};

/// A version as it was read, and the function's ARN without a qualifier.
#[derive(Clone, Debug)]
pub struct ReadVersion {
    /// What was read.
    pub live: LiveVersion,
    /// `arn:…:function:NAME`.
    pub function_arn: String,
    /// The image as it was named when it was deployed, by tag or by digest; `None` for a zip archive.
    pub image_uri: Option<String>,
}

/// An alias, as `GetAlias` tells of it.
#[derive(Clone, Debug)]
pub struct ReadAlias {
    /// What was read.
    pub live: LiveAlias,
    /// `arn:…:function:NAME`.
    pub function_arn: String,
}

/// `arn:…:function:NAME`, of an ARN that may go on with a qualifier.
fn unqualified(arn: &str) -> String {
    arn.split(':').take(7).collect::<Vec<_>>().join(":")
}

/// One page of `ListFunctions`, at most 50 names, and the marker of the next page.
///
/// # Errors
/// Where AWS does not answer with a page.
pub async fn list_functions(
    lambda: Paced<'_>,
    marker: Option<String>,
) -> Result<(Vec<FunctionName>, Option<String>), CallError> {
    const OPERATION: &str = "lambda:ListFunctions";
    const ALL: &str = "all functions";
    let call = lambda.for_one(OPERATION, ALL).await?.list_functions().set_marker(marker);
    let answer = call.send().await.map_err(failed(OPERATION, ALL))?;
    let names = answer.functions().iter().filter_map(|function| function.function_name()?.parse().ok()).collect();
    Ok((names, answer.next_marker.filter(|marker| !marker.is_empty())))
}

/// `GetFunction` of a qualifier: an alias, a version, or `$LATEST`.
///
/// # Errors
/// Where AWS does not answer with the function; [`Kind::NotFound`] says that there is none, or no such qualifier.
pub async fn get_function(lambda: Paced<'_>, function: &str, qualifier: &str) -> Result<ReadVersion, CallError> {
    const OPERATION: &str = GET_FUNCTION;
    let resource = format!("{function}:{qualifier}");
    let answer = lambda
        .for_one(OPERATION, &resource)
        .await?
        .get_function()
        .function_name(function)
        .qualifier(qualifier)
        .send()
        .await
        .map_err(failed(OPERATION, &resource))?;
    let odd = |what: &str| unexpected(OPERATION, &resource, what);
    let configuration = answer.configuration.ok_or_else(|| odd("without a configuration"))?;
    let arn = configuration.function_arn().ok_or_else(|| odd("without an ARN"))?;
    let function_arn = unqualified(arn);
    let concurrency = answer.concurrency.and_then(|concurrency| concurrency.reserved_concurrent_executions);
    let mut live = live_version(&configuration, answer.code.as_ref()).ok_or_else(|| odd("without a revision id"))?;
    live.reserved_concurrency = concurrency.and_then(|count| u32::try_from(count).ok());
    let image_uri = answer.code.and_then(|code| code.image_uri.or(code.resolved_image_uri));
    Ok(ReadVersion { live, function_arn, image_uri })
}

pub(super) fn unexpected(operation: &'static str, resource: &str, what: &str) -> CallError {
    CallError {
        operation,
        resource: resource.to_owned(),
        kind: Kind::Unreachable,
        code: None,
        message: format!("an answer {what}"),
    }
}

fn live_version(configuration: &FunctionConfiguration, code: Option<&FunctionCodeLocation>) -> Option<LiveVersion> {
    let package = package_of(configuration);
    Some(LiveVersion {
        version: configuration.version().and_then(|version| version.parse().ok()),
        code: code_of(package, configuration, code),
        package,
        state: state_of(configuration),
        last_update: last_update_of(configuration),
        configuration: LiveConfiguration {
            memory_size: configuration.memory_size().and_then(|mb| u32::try_from(mb).ok()).unwrap_or(128),
            timeout: configuration.timeout().and_then(|seconds| u32::try_from(seconds).ok()).unwrap_or(3),
            environment: environment_of(configuration),
        },
        role: configuration.role().map(str::to_owned),
        dead_letter: configuration.dead_letter_config().and_then(|queue| queue.target_arn()).map(str::to_owned),
        reserved_concurrency: None,
        revision: RevisionId(configuration.revision_id()?.to_owned()),
    })
}

pub(super) fn package_of(configuration: &FunctionConfiguration) -> Package {
    match configuration.package_type() {
        Some(PackageType::Image) => Package::Image,
        _ => Package::Zip,
    }
}

/// An image is told by the digest in `ResolvedImageUri`; a zip archive by `CodeSha256`.
pub(super) fn code_of(
    package: Package,
    configuration: &FunctionConfiguration,
    code: Option<&FunctionCodeLocation>,
) -> Option<Code> {
    match package {
        Package::Image => {
            let resolved = code.and_then(|code| code.resolved_image_uri());
            let digest = resolved.and_then(|uri| uri.split_once('@')).and_then(|(_, digest)| digest.parse().ok());
            // The hex of the digest stands in every answer, also where `ResolvedImageUri` is not given.
            let by_sha = || configuration.code_sha256().and_then(|hex| format!("sha256:{hex}").parse().ok());
            digest.or_else(by_sha).map(Code::Image)
        }
        Package::Zip => configuration.code_sha256().and_then(|sha| sha.parse().ok()).map(Code::Zip),
    }
}

fn state_of(configuration: &FunctionConfiguration) -> VersionState {
    match configuration.state() {
        // Left out by answers of old functions, which are active.
        None | Some(State::Active) => VersionState::Active,
        Some(State::Pending) => VersionState::Pending,
        Some(State::Inactive) => VersionState::Inactive,
        Some(State::Failed) => VersionState::Failed {
            reason: reason(configuration.state_reason(), configuration.state_reason_code().map(|code| code.as_str())),
        },
        Some(other) => VersionState::Other { name: other.as_str().to_owned() },
    }
}

fn last_update_of(configuration: &FunctionConfiguration) -> UpdateStatus {
    match configuration.last_update_status() {
        Some(LastUpdateStatus::InProgress) => UpdateStatus::InProgress,
        Some(LastUpdateStatus::Failed) => UpdateStatus::Failed {
            reason: reason(
                configuration.last_update_status_reason(),
                configuration.last_update_status_reason_code().map(|code| code.as_str()),
            ),
        },
        _ => UpdateStatus::Successful,
    }
}

fn reason(text: Option<&str>, code: Option<&str>) -> String {
    text.or(code).unwrap_or("AWS gave no reason").to_owned()
}

fn environment_of(configuration: &FunctionConfiguration) -> Option<std::collections::BTreeMap<String, String>> {
    match configuration.environment() {
        None => Some(Default::default()),
        Some(environment) if environment.error().is_some() => None,
        Some(environment) => {
            Some(environment.variables().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())).collect())
        }
    }
}

/// `GetAlias`: the whole alias, with its weights, marker and revision.
///
/// # Errors
/// Where AWS does not answer with the alias; [`Kind::NotFound`] says that there is none.
pub async fn get_alias(lambda: Paced<'_>, function: &str, alias: &str) -> Result<ReadAlias, CallError> {
    const OPERATION: &str = "lambda:GetAlias";
    let resource = format!("{function}:{alias}");
    let call = lambda.for_one(OPERATION, &resource).await?.get_alias().function_name(function).name(alias);
    let answer = call.send().await.map_err(failed(OPERATION, &resource))?;
    let revision = answer.revision_id.ok_or_else(|| unexpected(OPERATION, &resource, "without a revision id"))?;
    let arn = answer.alias_arn.ok_or_else(|| unexpected(OPERATION, &resource, "without an ARN"))?;
    let live = LiveAlias {
        version: answer.function_version.as_deref().and_then(|version| version.parse().ok()),
        additional: answer.routing_config.as_ref().and_then(additional),
        marker: answer.description.as_deref().and_then(Marker::parse),
        revision: RevisionId(revision),
    };
    Ok(ReadAlias { live, function_arn: unqualified(&arn) })
}

/// AWS gives the share as a fraction of one; a weight of zero still pins the version, so it counts.
pub(super) fn additional(routing: &AliasRoutingConfiguration) -> Option<Weighted> {
    let (version, weight) = routing.additional_version_weights()?.iter().next()?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=10000 right before")]
    let basis_points = (weight * 10_000.0).round().clamp(0.0, 10_000.0) as u16;
    Some(Weighted { version: version.parse().ok()?, basis_points })
}

/// `GetProvisionedConcurrencyConfig`: whether AWS prepares instances of the version that the alias names, and shifts its
/// traffic by itself meanwhile.
///
/// # Errors
/// Where AWS does not answer. An alias without provisioned concurrency prepares none.
pub async fn is_provisioning(lambda: Paced<'_>, function: &str, alias: &str) -> Result<bool, CallError> {
    const OPERATION: &str = "lambda:GetProvisionedConcurrencyConfig";
    let resource = format!("{function}:{alias}");
    let client = lambda.for_one(OPERATION, &resource).await?;
    let call = client.get_provisioned_concurrency_config().function_name(function).qualifier(alias);
    match call.send().await.map_err(failed(OPERATION, &resource)) {
        Ok(answer) => Ok(answer.status() == Some(&ProvisionedConcurrencyStatusEnum::InProgress)),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error),
    }
}

//! Lambda, as it is written: the few writes that a plan asks for.
use std::collections::{BTreeMap, HashMap};

use aws_sdk_lambda::types::{AliasRoutingConfiguration, Environment};
use tidegate_core::ids::{RevisionId, Version};
use tidegate_core::live::{ConfigurationChange, Weighted};
use tidegate_core::marker::Marker;
use tidegate_core::release::{Code, Source};

use super::Paced;
use crate::aws::error::{CallError, Kind, failed};

/// `UpdateFunctionCode` with `Publish`: answers with the number of the new version.
///
/// # Errors
/// Where AWS refuses or does not answer; after no answer the update may have begun.
pub async fn update_code(
    lambda: Paced<'_>,
    function: &str,
    source: &Source,
    if_revision: &RevisionId,
) -> Result<Option<Version>, CallError> {
    send_code(lambda, function, source, if_revision, true).await
}

/// `UpdateFunctionCode` without publishing: only `$LATEST` changes.
///
/// # Errors
/// Where AWS refuses or does not answer; after no answer the update may have begun.
pub async fn restore_latest(
    lambda: Paced<'_>,
    function: &str,
    source: &Source,
    if_revision: &RevisionId,
) -> Result<(), CallError> {
    send_code(lambda, function, source, if_revision, false).await.map(|_| ())
}

async fn send_code(
    lambda: Paced<'_>,
    function: &str,
    source: &Source,
    if_revision: &RevisionId,
    publish: bool,
) -> Result<Option<Version>, CallError> {
    const OPERATION: &str = "lambda:UpdateFunctionCode";
    let client = lambda.for_one(OPERATION, function).await?;
    let call = client.update_function_code().function_name(function).publish(publish).revision_id(&if_revision.0);
    let call = match source {
        Source::Image { uri } => call.image_uri(uri),
        Source::Zip { bucket, key, object_version } => {
            call.s3_bucket(bucket).s3_key(key).s3_object_version(object_version)
        }
    };
    let answer = call.send().await.map_err(failed(OPERATION, function))?;
    Ok(answer.version.as_deref().and_then(|version| version.parse().ok()))
}

/// `PublishVersion` of `$LATEST`, if it still has this code.
///
/// # Errors
/// Where AWS refuses or does not answer; asking again gives the same version.
pub async fn publish_version(
    lambda: Paced<'_>,
    function: &str,
    code: &Code,
    if_revision: &RevisionId,
) -> Result<Option<Version>, CallError> {
    const OPERATION: &str = "lambda:PublishVersion";
    let answer = lambda
        .for_one(OPERATION, function)
        .await?
        .publish_version()
        .function_name(function)
        .code_sha256(code.lambda_code_sha256())
        .revision_id(&if_revision.0)
        .send()
        .await
        .map_err(failed(OPERATION, function))?;
    Ok(answer.version.as_deref().and_then(|version| version.parse().ok()))
}

/// `UpdateFunctionConfiguration` with only what differs.
///
/// # Errors
/// Where AWS refuses or does not answer; after no answer the update may have begun.
pub async fn update_configuration(
    lambda: Paced<'_>,
    function: &str,
    change: &ConfigurationChange,
    if_revision: &RevisionId,
) -> Result<(), CallError> {
    const OPERATION: &str = "lambda:UpdateFunctionConfiguration";
    let ConfigurationChange { memory_size, timeout, environment: variables, environment_names: _ } = change;
    let environment = variables.as_ref().map(|values| {
        let values: HashMap<String, String> = values.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        Environment::builder().set_variables(Some(values)).build()
    });
    lambda
        .for_one(OPERATION, function)
        .await?
        .update_function_configuration()
        .function_name(function)
        .set_memory_size(memory_size.and_then(|mb| i32::try_from(mb).ok()))
        .set_timeout(timeout.and_then(|seconds| i32::try_from(seconds).ok()))
        .set_environment(environment)
        .revision_id(&if_revision.0)
        .send()
        .await
        .map_err(failed(OPERATION, function))
        .map_err(|error| error.without_values(variables.iter().flat_map(BTreeMap::values)))?;
    Ok(())
}

/// `CreateAlias`, with the marker.
///
/// # Errors
/// [`Kind::Conflict`] where somebody created it meanwhile.
pub async fn create_alias(
    lambda: Paced<'_>,
    function: &str,
    alias: &str,
    version: Version,
    marker: &Marker,
) -> Result<(), CallError> {
    const OPERATION: &str = "lambda:CreateAlias";
    let resource = format!("{function}:{alias}");
    lambda
        .for_one(OPERATION, &resource)
        .await?
        .create_alias()
        .function_name(function)
        .name(alias)
        .function_version(version.to_string())
        .description(marker.to_string())
        .send()
        .await
        .map_err(failed(OPERATION, &resource))?;
    Ok(())
}

/// Where an alias shall send traffic, and who says so.
#[derive(Clone, Copy, Debug)]
pub struct Traffic<'a> {
    /// The primary version.
    pub version: Version,
    /// The additional version and its share; all traffic goes to the primary where there is none.
    pub additional: Option<Weighted>,
    /// Written in the same call.
    pub marker: &'a Marker,
}

/// `UpdateAlias`: versions, explicit weights and the marker, in one call.
///
/// # Errors
/// [`Kind::Raced`] where somebody changed the alias meanwhile.
pub async fn update_alias(
    lambda: Paced<'_>,
    function: &str,
    alias: &str,
    traffic: Traffic<'_>,
    if_revision: &RevisionId,
) -> Result<(), CallError> {
    const OPERATION: &str = "lambda:UpdateAlias";
    let resource = format!("{function}:{alias}");
    let Traffic { version, additional, marker } = traffic;
    // Left out, the old weights would stay.
    let weights: HashMap<String, f64> =
        additional.iter().map(|other| (other.version.to_string(), other.percent() / 100.0)).collect();
    #[cfg(feature = "planted")]
    let weights = planted_weights(version, additional, weights);
    let routing = AliasRoutingConfiguration::builder().set_additional_version_weights(Some(weights)).build();
    let leaves_weights = additional.is_none() && planted!(RollbackLeavesWeights);
    let revision = (!planted!(AliasWithoutRevision)).then(|| if_revision.0.clone());
    let written = lambda
        .for_one(OPERATION, &resource)
        .await?
        .update_alias()
        .function_name(function)
        .name(alias)
        .function_version(version.to_string())
        .set_routing_config((!leaves_weights).then_some(routing))
        .description(marker.to_string())
        .set_revision_id(revision)
        .send()
        .await
        .map_err(failed(OPERATION, &resource));
    match written {
        Err(error) if error.kind == Kind::Throttled && planted!(ThrottledCountsAsDone) => Ok(()),
        #[cfg(feature = "planted")]
        Err(error) if error.kind == Kind::Raced && planted!(BlindRetryOfAlias) => {
            Box::pin(planted_retry(lambda, function, alias, traffic)).await
        }
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// The weights as two planted bugs would write them.
#[cfg(feature = "planted")]
fn planted_weights(
    version: Version,
    additional: Option<Weighted>,
    weights: HashMap<String, f64>,
) -> HashMap<String, f64> {
    match additional {
        None if planted!(PreviousAtWeightZero) => {
            HashMap::from([(version.number().saturating_sub(1).to_string(), 0.0)])
        }
        Some(other) if planted!(WeightsOutOfRange) => HashMap::from([(other.version.to_string(), 1.25)]),
        Some(_) | None => weights,
    }
}

/// Reads the alias again, and writes over whatever it says.
#[cfg(feature = "planted")]
async fn planted_retry(lambda: Paced<'_>, function: &str, alias: &str, traffic: Traffic<'_>) -> Result<(), CallError> {
    let found = super::get_alias(lambda, function, alias).await?;
    update_alias(lambda, function, alias, traffic, &found.live.revision).await
}

/// `PutFunctionConcurrency`. It belongs to the function, and AWS takes no precondition for it.
///
/// # Errors
/// Where AWS refuses or does not answer.
pub async fn set_reserved_concurrency(lambda: Paced<'_>, function: &str, concurrency: u32) -> Result<(), CallError> {
    const OPERATION: &str = "lambda:PutFunctionConcurrency";
    lambda
        .for_one(OPERATION, function)
        .await?
        .put_function_concurrency()
        .function_name(function)
        .reserved_concurrent_executions(i32::try_from(concurrency).unwrap_or(i32::MAX))
        .send()
        .await
        .map_err(failed(OPERATION, function))?;
    Ok(())
}

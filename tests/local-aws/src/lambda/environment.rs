//! What a function's process finds in its environment: Lambda's own names, its role's credentials, the image's and its own.
use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::Key;
use super::configuration::Configuration;
use crate::LocalAws;
use crate::sts::Session;

/// Everything that Lambda puts into a function's environment, and then the image's and the function's own.
pub(super) fn of_process(
    aws: &LocalAws,
    key: &Key,
    version: &str,
    configuration: &Configuration,
    directory: &Path,
    image: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let access_key = session_key(aws, key, &configuration.role);
    // Until the world is served, a port where nobody listens: a function must never reach the real AWS.
    let endpoint = aws.endpoint().unwrap_or_else(|| "http://127.0.0.1:9".to_owned());
    let mut environment = image;
    environment.extend(configuration.environment.clone());
    environment.entry("AWS_ENDPOINT_URL".to_owned()).or_insert(endpoint);
    environment.entry("PATH".to_owned()).or_insert_with(|| "/usr/local/bin:/usr/bin:/bin:/opt/bin".to_owned());
    environment.entry("LANG".to_owned()).or_insert_with(|| "en_US.UTF-8".to_owned());
    environment.entry("TZ".to_owned()).or_insert_with(|| ":UTC".to_owned());
    let reserved = [
        ("AWS_REGION", key.region.clone()),
        ("AWS_DEFAULT_REGION", key.region.clone()),
        ("AWS_ACCESS_KEY_ID", access_key),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
        ("AWS_SESSION_TOKEN", "local".to_owned()),
        ("AWS_LAMBDA_FUNCTION_NAME", key.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", version.to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", configuration.memory.to_string()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", format!("/aws/lambda/{}", key.name)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", format!("local/[{}]", version)),
        ("LAMBDA_TASK_ROOT", directory.display().to_string()),
        ("_HANDLER", configuration.handler.clone().unwrap_or_else(|| "bootstrap".to_owned())),
    ];
    environment.extend(reserved.map(|(name, value)| (name.to_owned(), value)));
    environment
}

/// An access key that speaks for the function's role, for as long as the world lives.
fn session_key(aws: &LocalAws, key: &Key, role: &str) -> String {
    let access_key = format!("ASIA{}", aws.uuid().replace('-', "")[..16].to_uppercase());
    let mut parts = role.splitn(6, ':').skip(4);
    let account = parts.next().unwrap_or(&key.account).to_owned();
    let name = parts.next().and_then(|role| role.rsplit('/').next()).unwrap_or_default();
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{}", key.name);
    let expires = DateTime::<Utc>::MAX_UTC;
    aws.sts().remember(access_key.clone(), Session { account, arn, expires });
    access_key
}

//! Decides what one service's entry means, with the defaults of its environment.

use super::config::merge_configuration;
use super::{analysis, artifact, duration, policy, require, set, strategy, value};
use crate::parsed;
use crate::problem::Findings;
use crate::read::Place;
use crate::release::{Configuration, Defaults, Service, SmokeTest};
use crate::value::{JsonPointer, ServiceName, printable};
use std::collections::BTreeMap;
use std::time::Duration;

/// Checks one service, all of it. `None` if something was found.
pub(super) fn service(
    parsed: parsed::Service,
    name: Option<ServiceName>,
    place: &Place<'_>,
    defaults: &Defaults,
    findings: &mut Findings<'_>,
) -> Option<Service> {
    require(findings, place, "functionName", "");
    let artifact = artifact::artifact(&parsed, place, findings);
    let function = value(findings, &place.field("functionName"), parsed.function_name);
    let alias = match parsed.alias {
        None => Some(defaults.alias.clone().unwrap_or_default()),
        text @ Some(_) => value(findings, &place.field("alias"), text),
    };
    let strategy = match parsed.strategy {
        None => defaults.strategy.clone().unwrap_or_default(),
        Some(own) => {
            let strategy = strategy::strategy(own, &place.field("strategy"), findings);
            if parsed.analysis.is_some() {
                strategy::check_is_judged(strategy.as_ref(), &place.field("strategy"), findings);
            }
            strategy.unwrap_or_default()
        }
    };
    let own_strategy = if place.has("strategy") { place.field("strategy") } else { place.field("alias") };
    strategy::check_aliases(alias.as_ref(), Some(&strategy), &own_strategy, findings);
    let own = configuration(parsed.memory_size, parsed.timeout.as_deref(), parsed.environment, place, findings);
    let own_ignored = policy::ignored(parsed.ignore_differences, place, findings);
    let ignored = policy::merge(own_ignored, &defaults.ignored, place, findings);
    let configuration = policy::without(merge_configuration(own, &defaults.configuration), &ignored);
    check_variables(&configuration, &place.field("environment"), findings);
    let smoke_test = match parsed.smoke_test {
        None => defaults.smoke_test.clone(),
        Some(parsed) => smoke_test(parsed, &place.field("smokeTest"), findings),
    };
    let deadline = progress_deadline(parsed.progress_deadline.as_deref(), place, findings);
    let analysis = analysis::analysis(parsed.analysis, place, defaults, findings);
    let depends_on = set(findings, &place.field("dependsOn"), parsed.depends_on).unwrap_or_default();
    Some(Service {
        name: name?,
        function: function?,
        alias: alias?,
        artifact: artifact?,
        configuration,
        reserved_concurrency: parsed.reserved_concurrency,
        strategy,
        smoke_test,
        analysis,
        progress_deadline: deadline.or(defaults.progress_deadline).unwrap_or(PROGRESS_DEADLINE),
        progress_deadline_abort: parsed
            .progress_deadline_abort
            .or(defaults.progress_deadline_abort)
            .unwrap_or_default(),
        sync_policy: policy::fields(parsed.sync_policy).or(defaults.sync_policy).into_policy(),
        ignored,
        depends_on,
    })
}

/// How long a rollout may stand still where nobody says how long.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(15 * 60);

/// At least five minutes: CloudWatch shows a step's metrics only after two or three.
pub(super) fn progress_deadline(
    text: Option<&str>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<Duration> {
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    let place = place.field("progressDeadline");
    let deadline = duration(findings, &place, text, Duration::from_secs(5 * 60))?;
    if deadline > MOST {
        let message = format!("`{}` is too long", printable(text.unwrap_or_default()));
        findings.add(place.span(), message, "at most `24h`");
        return None;
    }
    Some(deadline)
}

/// Checks a smoke test. `None` if something was found.
pub(super) fn smoke_test(
    parsed: parsed::SmokeTest,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Option<SmokeTest> {
    let parsed::SmokeTest { payload, expect_status, expect_body, expect_json } = parsed;
    require(findings, place, "payload", "the event to invoke the new version with, such as `payload: {}`");
    let expected = place.field("expectJson");
    let mut values = BTreeMap::new();
    let mut sound = place.has("payload");
    for (pointer, value) in expect_json.unwrap_or_default() {
        match pointer.parse::<JsonPointer>() {
            Ok(pointer) => drop(values.insert(pointer, value)),
            Err(error) => {
                findings.add(expected.key(&pointer).span(), error.to_string(), error.hint());
                sound = false;
            }
        }
    }
    let payload = payload.unwrap_or(serde_json::Value::Null);
    sound.then_some(SmokeTest { payload, expect_status, expect_body, expect_json: values })
}

/// Makes the configuration that one place gives; `place` is what its fields stand in.
pub(super) fn configuration(
    memory_size: Option<u32>,
    timeout: Option<&str>,
    environment: Option<BTreeMap<String, Option<String>>>,
    place: &Place<'_>,
    findings: &mut Findings<'_>,
) -> Configuration {
    let variables = place.field("environment");
    let mut checked = BTreeMap::new();
    for (key, value) in environment.unwrap_or_default() {
        check_variable(&key, value.as_deref(), &variables, findings);
        checked.extend(value.map(|value| (key, value)));
    }
    Configuration {
        memory_size,
        timeout: timeout_seconds(timeout, &place.field("timeout"), findings),
        environment: checked,
    }
}

/// Lambda takes whole seconds from 1 to 900 (Lambda quotas).
fn timeout_seconds(text: Option<&str>, place: &Place<'_>, findings: &mut Findings<'_>) -> Option<u32> {
    const MOST: Duration = Duration::from_secs(900);
    let timeout = duration(findings, place, text, Duration::from_secs(1))?;
    if timeout > MOST || timeout.subsec_nanos() != 0 {
        let message = format!("a function cannot have a timeout of `{}`", printable(text.unwrap_or_default()));
        findings.add(place.span(), message, "whole seconds, at most `15m`");
        return None;
    }
    u32::try_from(timeout.as_secs()).ok()
}

/// Names that Lambda sets itself and refuses to be set (Lambda guide, "Defined runtime environment variables").
const RESERVED_VARIABLES: [&str; 18] = [
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
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
];

/// Lambda's pattern of a variable's name is `[a-zA-Z]([a-zA-Z0-9_])+` (Lambda API, `EnvironmentVariableName`).
fn check_variable(key: &str, value: Option<&str>, variables: &Place<'_>, findings: &mut Findings<'_>) {
    let place = variables.key(key);
    let named = key.len() >= 2
        && key.starts_with(|first: char| first.is_ascii_alphabetic())
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if RESERVED_VARIABLES.contains(&key) {
        findings.add(place.span(), format!("`{key}` is set by Lambda itself"), "leave it out");
    } else if !named {
        let message = format!("`{}` is not the name of an environment variable", printable(key));
        findings.add(place.span(), message, "a letter, then letters, digits and `_`, at least 2 characters");
    }
    if value.is_some_and(|value| value.contains('\0')) {
        findings.add(place.span(), format!("the value of `{}` contains a zero character", printable(key)), "");
    }
}

/// All variables together are at most 4 KB (Lambda quotas).
pub(super) fn check_variables(configuration: &Configuration, place: &Place<'_>, findings: &mut Findings<'_>) {
    const MOST: usize = 4096;
    let size: usize = configuration.environment.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MOST {
        let message = format!("the environment variables have {size} bytes together, more than Lambda's {MOST}");
        findings.add(place.span(), message, "count the defaults of `release-config.yaml` too");
    }
}

//! What the two files may say, as it is written: the types that `serde_yaml` reads into and the JSON Schema is made from.
//!
//! Every field is optional here, even where the schema requires it: what is missing or wrong was reported with its place
//! before, and what is there shall still be checked. [`crate::validate`] makes the validated types of these.

use crate::schema::FORMAT_WITH_UNIT;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;

const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";
const FUNCTION: &str = "^[A-Za-z0-9_-]{1,64}$";
const ALIAS: &str = "^(?![0-9]+$)[A-Za-z0-9_-]{1,128}$";
const TAG: &str = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}(@sha256:[0-9a-f]{64})?$";
const CODE_SHA256: &str = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$";
const POINTER: &str = "^(/([^~]|~[01])*)?$";
const DURATION: &str = "^(?=.)([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$";
const PERCENTAGE: &str = "^[0-9]{1,3}(\\.[0-9]{1,4})?%$";
const VARIABLE: &str = "^[A-Za-z][A-Za-z0-9_]+$";

/// What runs in one environment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Tidegate: environments/<env>/services.yaml")]
pub(crate) struct ServicesFile {
    /// The services of this environment by name. `{}` if there are none.
    #[schemars(required, extend("propertyNames" = json!({ "pattern": LABEL, "maxLength": 63 })))]
    pub(crate) services: Option<BTreeMap<String, Option<Service>>>,
}

/// The environments of this repository, and what their services have in common.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Tidegate: release-config.yaml")]
pub(crate) struct ReleaseConfigFile {
    /// What a service has where neither it nor its environment says otherwise.
    pub(crate) defaults: Option<Defaults>,
    /// The environments by name: each is a directory below `environments/`.
    #[schemars(required, extend("propertyNames" = json!({ "pattern": LABEL, "maxLength": 32 })))]
    pub(crate) environments: Option<BTreeMap<String, Option<EnvironmentEntry>>>,
}

/// One environment. `{}` if its services have nothing of their own in common.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct EnvironmentEntry {
    /// What a service of this environment has where it does not say otherwise.
    pub(crate) defaults: Option<Defaults>,
}

/// What a service has where its own entry says nothing.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Defaults {
    /// The alias that carries the traffic. Built-in default: `live`.
    #[schemars(regex(pattern = ALIAS))]
    pub(crate) alias: Option<String>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) smoke_test: Option<SmokeTest>,
    pub(crate) analysis: Option<Analysis>,
    /// How long a rollout may stand still, pauses that were asked for aside, before it is `Degraded`: `5m` to `24h`.
    /// Default: `15m`.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) progress_deadline: Option<String>,
    /// Whether it is turned back then. Default: it is not.
    pub(crate) progress_deadline_abort: Option<bool>,
    pub(crate) sync_policy: Option<DefaultSyncPolicy>,
    /// What others own, and what is therefore no drift: `memorySize`, `timeout`, `environment`, `environment.NAME`,
    /// `reservedConcurrency`, `$LATEST`, `tag`, `registry`.
    pub(crate) ignore_differences: Option<Vec<Option<String>>>,
    /// Memory in MB.
    #[schemars(range(min = 128, max = 10240))]
    pub(crate) memory_size: Option<u32>,
    /// How long an invocation may take, in whole seconds: `30s`, at most `15m`.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) timeout: Option<String>,
    /// Environment variables; a service's own come on top, one by one. Not for secrets.
    #[schemars(extend("writeOnly" = true, "propertyNames" = json!({ "pattern": VARIABLE })))]
    pub(crate) environment: Option<BTreeMap<String, Option<String>>>,
}

/// One service: which code its function runs, and how a release gets its traffic.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("oneOf" = json!([
    { "required": ["imageTag", "ecrRepository"] },
    { "required": ["s3Bucket", "s3Key", "s3ObjectVersion"] },
])))]
pub(crate) struct Service {
    /// The Lambda function, by name. No two services of an environment share one.
    #[schemars(required, regex(pattern = FUNCTION))]
    pub(crate) function_name: Option<String>,
    /// The image's tag, in quotes. `v1.2.3@sha256:…` gives the digest as well.
    #[schemars(regex(pattern = TAG))]
    pub(crate) image_tag: Option<String>,
    /// The image's repository: in the environment's registry, or a full name in another one that is allowed.
    pub(crate) ecr_repository: Option<String>,
    /// For a zip function, in place of `ecrRepository` and `imageTag`: the bucket of the deployment package.
    pub(crate) s3_bucket: Option<String>,
    /// The key of the deployment package.
    pub(crate) s3_key: Option<String>,
    /// The version of the deployment package.
    pub(crate) s3_object_version: Option<String>,
    /// SHA-256 of the deployment package in base64, as Lambda must report it.
    #[schemars(regex(pattern = CODE_SHA256))]
    pub(crate) code_sha256: Option<String>,
    /// The alias that carries the traffic. Default: `release-config.yaml`, else `live`.
    #[schemars(regex(pattern = ALIAS))]
    pub(crate) alias: Option<String>,
    pub(crate) strategy: Option<Strategy>,
    pub(crate) smoke_test: Option<SmokeTest>,
    pub(crate) analysis: Option<Analysis>,
    /// How long a rollout may stand still, pauses that were asked for aside, before it is `Degraded`: `5m` to `24h`.
    /// Default: `release-config.yaml`, else `15m`.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) progress_deadline: Option<String>,
    /// Whether it is turned back then. Default: it is not.
    pub(crate) progress_deadline_abort: Option<bool>,
    pub(crate) sync_policy: Option<SyncPolicy>,
    /// What others own, and what is therefore no drift: `memorySize`, `timeout`, `environment`, `environment.NAME`,
    /// `reservedConcurrency`, `$LATEST`, `tag`, `registry`.
    pub(crate) ignore_differences: Option<Vec<Option<String>>>,
    /// Services of this environment that go first.
    pub(crate) depends_on: Option<Vec<Option<String>>>,
    /// Memory in MB. Compared and applied only where given.
    #[schemars(range(min = 128, max = 10240))]
    pub(crate) memory_size: Option<u32>,
    /// How long an invocation may take, in whole seconds: `30s`, at most `15m`. Compared and applied only where given.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) timeout: Option<String>,
    /// Environment variables: only these are compared and applied. Not for secrets.
    #[schemars(extend("writeOnly" = true, "propertyNames" = json!({ "pattern": VARIABLE })))]
    pub(crate) environment: Option<BTreeMap<String, Option<String>>>,
    /// Reserved concurrency; 0 stops the function. Compared and applied only where given.
    pub(crate) reserved_concurrency: Option<u32>,
}

/// What happens without a person. Fields that are not given are those of `release-config.yaml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SyncPolicy {
    /// Whether new content in Git is released by itself. Otherwise it is reported, and `tidegate sync` releases it.
    /// Default: `true`.
    pub(crate) automated: Option<bool>,
    /// Whether what somebody changes by hand is set back by itself. Otherwise it is reported, and `tidegate sync` sets it
    /// back. Default: `false`.
    pub(crate) self_heal: Option<bool>,
}

/// What happens without a person.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct DefaultSyncPolicy {
    /// Whether new content in Git is released by itself. Otherwise it is reported, and `tidegate sync` releases it.
    /// Default: `true`.
    pub(crate) automated: Option<bool>,
    /// Whether what somebody changes by hand is set back by itself. Otherwise it is reported, and `tidegate sync` sets it
    /// back. Default: `false`.
    pub(crate) self_heal: Option<bool>,
    /// Whether a service that is removed from Git is closed: a release under way is turned back, its hold is dropped, and it
    /// is not named any more. Its function, alias and history stay. Default: `false`.
    pub(crate) prune: Option<bool>,
}

/// How a release gets its traffic: exactly one of these. Default: `release-config.yaml`, else `allAtOnce`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct Strategy {
    pub(crate) all_at_once: Option<AllAtOnce>,
    pub(crate) canary: Option<Canary>,
    pub(crate) blue_green: Option<BlueGreen>,
    pub(crate) linear: Option<Linear>,
}

/// The alias moves in one call.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AllAtOnce {}

/// The new version's weight rises step by step.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Canary {
    /// The first sets a weight; after the last, everything goes to the new version.
    #[schemars(required, length(min = 1))]
    pub(crate) steps: Option<Vec<Option<Step>>>,
}

/// One step: a weight, or a pause.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub(crate) struct Step {
    /// The new version's share of the requests, in percent. Weights rise.
    #[schemars(range(min = 1, max = 99))]
    pub(crate) set_weight: Option<u8>,
    pub(crate) pause: Option<Pause>,
}

/// Hold for a time; `{}` until a person promotes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pause {
    /// How long: `30s`, `10m`, `1h30m`.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) duration: Option<String>,
}

/// The new version is prepared without traffic, then gets all of it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct BlueGreen {
    /// An alias that shows the new version before the switch.
    #[schemars(regex(pattern = ALIAS))]
    pub(crate) preview_alias: Option<String>,
    /// Whether the switch needs no person. Default: `true`.
    pub(crate) auto_promote: Option<bool>,
    /// How long the new version is watched after the switch. Default: not at all.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) bake: Option<String>,
}

/// A canary of equal steps.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Linear {
    /// What each step adds, in percent.
    #[schemars(required, range(min = 1, max = 99))]
    pub(crate) step: Option<u8>,
    /// How long each step holds.
    #[schemars(required, regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) every: Option<String>,
}

/// One invocation of the new version before any traffic; it also wakes an idle version.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct SmokeTest {
    /// The event. Nothing is ever invoked without one.
    #[schemars(required)]
    pub(crate) payload: Option<serde_json::Value>,
    /// The `statusCode` that the answer must have.
    #[schemars(range(min = 100, max = 599))]
    pub(crate) expect_status: Option<u16>,
    /// A text that the answer's `body` must contain.
    pub(crate) expect_body: Option<String>,
    /// Values that must stand in the answer, by JSON pointer (RFC 6901): `/version`. A `body` that is JSON in a text is read.
    #[schemars(extend("additionalProperties" = json!({}), "propertyNames" = json!({ "pattern": POINTER })))]
    pub(crate) expect_json: Option<BTreeMap<String, serde_json::Value>>,
}

/// What must hold at each step, and in the bake. Fields that are not given are those of `release-config.yaml`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Analysis {
    /// The greatest share of invocations that may fail: `1%`.
    #[schemars(regex(pattern = PERCENTAGE), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) max_error_rate: Option<String>,
    /// By how many percentage points that share may exceed the stable version's: `0.5%`.
    #[schemars(regex(pattern = PERCENTAGE), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) max_error_rate_increase: Option<String>,
    /// The longest 99th percentile of the duration: `800ms`.
    #[schemars(regex(pattern = DURATION), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) max_duration_p99: Option<String>,
    /// How many invocations there must be before anything is said. Default: 50.
    #[schemars(range(min = 1))]
    pub(crate) min_invocations: Option<u32>,
    /// How sure a verdict must be: at least `50%`, less than `100%`. Default: `99%`.
    #[schemars(regex(pattern = PERCENTAGE), extend("format" = FORMAT_WITH_UNIT))]
    pub(crate) confidence: Option<String>,
    /// How many inconclusive results in a row are tolerated. Default: 3.
    pub(crate) max_inconclusive: Option<u32>,
    /// CloudWatch alarms, by name, that must not be in `ALARM`.
    pub(crate) alarms: Option<Vec<Option<String>>>,
    /// What missing data means; it is never a pass. Default: `hold`.
    pub(crate) on_missing_data: Option<OnMissingData>,
}

/// What missing data means.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(inline, extend("type" = "string"))]
pub(crate) enum OnMissingData {
    Hold,
    Fail,
}

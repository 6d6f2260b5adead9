//! What an environment shall be, validated: the types that the rest of Tidegate works with. Their existence is the proof.

use crate::value::{
    AlarmName, AliasName, CodeSha256, Digest, EcrRepository, EnvironmentName, FunctionName, IgnoredField, JsonPointer,
    Percentage, ServiceName, Tag, Weight, format_duration,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// `release-config.yaml`: the environments there are, each with the defaults of its services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseConfig {
    /// The environments, each with the repository's defaults, overridden by its own.
    pub environments: BTreeMap<EnvironmentName, Defaults>,
}

/// What a service has where its own entry says nothing. The built-in defaults are those of [`Default`]: alias `live`, all
/// at once, no smoke test, no analysis, nothing of the function's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The alias that carries the traffic.
    pub alias: Option<AliasName>,
    /// How a release gets its traffic.
    pub strategy: Option<Strategy>,
    /// What is asked of a new version before any traffic.
    pub smoke_test: Option<SmokeTest>,
    /// Gates, merged with the service's field by field.
    pub analysis: AnalysisFields,
    /// How long a rollout may stand still.
    pub progress_deadline: Option<Duration>,
    /// Whether it is turned back then.
    pub progress_deadline_abort: Option<bool>,
    /// What happens without a person, merged with the service's field by field.
    pub sync_policy: SyncPolicyFields,
    /// Whether a service that is removed from Git is closed.
    pub prune: Option<bool>,
    /// What others own, beside what the service says.
    pub ignored: BTreeSet<IgnoredField>,
    /// Configuration of the function, merged with the service's field by field, variables one by one.
    pub configuration: Configuration,
}

/// One environment: `environments/<name>/services.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// The directory's name.
    pub name: EnvironmentName,
    /// What runs there. May be empty, where the file says `services: {}`.
    pub services: BTreeMap<ServiceName, Service>,
    /// Whether what was under way of a service that is removed from here is ended, and its state closed. Its function, alias
    /// and history stay.
    pub prune: bool,
}

/// One service of an environment: which code its function shall run, and how it gets there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its key in `services`.
    pub name: ServiceName,
    /// The Lambda function. No two services of an environment share one.
    pub function: FunctionName,
    /// The alias that carries the traffic.
    pub alias: AliasName,
    /// The code.
    pub artifact: Artifact,
    /// Those parts of the function's configuration that the release repository decides.
    pub configuration: Configuration,
    /// Reserved concurrency, compared and applied only where given. 0 stops the function.
    pub reserved_concurrency: Option<u32>,
    /// How a release gets its traffic.
    pub strategy: Strategy,
    /// What is asked of a new version before any traffic.
    pub smoke_test: Option<SmokeTest>,
    /// What must hold at each step, and in the bake.
    pub analysis: Option<Analysis>,
    /// How long a rollout may stand still, pauses that were asked for aside, before it counts as degraded.
    pub progress_deadline: Duration,
    /// Whether it is turned back then.
    pub progress_deadline_abort: bool,
    /// What happens without a person.
    pub sync_policy: SyncPolicy,
    /// What others own, and what is therefore no drift. A part of the configuration that is ignored is not declared either.
    pub ignored: BTreeSet<IgnoredField>,
    /// Services of the same environment that go first. Never itself, and never in a circle.
    pub depends_on: BTreeSet<ServiceName>,
}

/// The code of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Artifact {
    /// A container image in ECR.
    Image(Image),
    /// A deployment package in S3.
    Zip(Zip),
}

/// A container image in ECR, by tag, and by digest where one was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The repository.
    pub repository: EcrRepository,
    /// The tag, which people read. It may be pushed again.
    pub tag: Tag,
    /// The digest, from `tag@sha256:…`. Where there is none, the tag is resolved when the release starts.
    pub digest: Option<Digest>,
}

/// A deployment package in S3: one version of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zip {
    /// The bucket's name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The object's version, which cannot be overwritten.
    pub object_version: String,
    /// What Lambda must report for it, where given.
    pub code_sha256: Option<CodeSha256>,
}

/// Those parts of a function's configuration that the release repository decides: only what is given is compared and applied.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Memory in MB, 128 to 10,240 (Lambda quotas).
    pub memory_size: Option<u32>,
    /// Timeout in seconds, 1 to 900 (Lambda quotas).
    pub timeout: Option<u32>,
    /// Environment variables: only these keys, others of the function are left alone.
    pub environment: BTreeMap<String, String>,
}

/// Environment values are never printed, not even by a `{:?}` in a panic.
impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_size, timeout, environment } = self;
        let masked: BTreeMap<&str, &str> = environment.keys().map(|key| (key.as_str(), "***")).collect();
        f.debug_struct("Configuration")
            .field("memory_size", memory_size)
            .field("timeout", timeout)
            .field("environment", &masked)
            .finish()
    }
}

/// What happens to a service without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncPolicy {
    /// Whether new content in Git is released by itself.
    pub automated: bool,
    /// Whether what somebody changes by hand is set back by itself.
    pub self_heal: bool,
}

impl Default for SyncPolicy {
    fn default() -> Self {
        SyncPolicyFields::default().into_policy()
    }
}

/// A [`SyncPolicy`] of which each field may be left to a place farther away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncPolicyFields {
    /// Whether new content in Git is released by itself.
    pub automated: Option<bool>,
    /// Whether what somebody changes by hand is set back by itself.
    pub self_heal: Option<bool>,
}

impl SyncPolicyFields {
    /// These, and `defaults` where they say nothing.
    #[must_use]
    pub fn or(self, defaults: Self) -> Self {
        Self { automated: self.automated.or(defaults.automated), self_heal: self.self_heal.or(defaults.self_heal) }
    }

    /// The policy, with the built-in defaults: Git is followed, and what people do by hand is theirs to take back.
    #[must_use]
    pub fn into_policy(self) -> SyncPolicy {
        SyncPolicy { automated: self.automated.unwrap_or(true), self_heal: self.self_heal.unwrap_or(false) }
    }
}

/// How a release gets its traffic. A first deploy goes straight live, whatever the strategy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// The alias moves in one call.
    #[default]
    AllAtOnce,
    /// The new version's weight rises in declared steps.
    Canary(Canary),
    /// The new version is prepared without traffic, and then gets all of it.
    BlueGreen(BlueGreen),
    /// The new version's weight rises by the same step at the same interval.
    Linear(Linear),
}

impl Strategy {
    /// The steps before everything goes to the new version; none for the strategies that switch at once.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        match self {
            Self::AllAtOnce | Self::BlueGreen(_) => Vec::new(),
            Self::Canary(canary) => canary.steps.clone(),
            Self::Linear(linear) => linear.steps(),
        }
    }

    /// Whether there is a time in which the new version has traffic and can still be turned back: without one, no analysis
    /// ever looks.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        match self {
            Self::AllAtOnce => false,
            Self::BlueGreen(blue_green) => !blue_green.bake.is_zero(),
            Self::Canary(_) | Self::Linear(_) => true,
        }
    }
}

/// A canary: at least one weight, rising, each followed by as many pauses as wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Canary {
    /// The steps. The first is a weight; after the last, everything goes to the new version.
    pub steps: Vec<Step>,
}

/// One step of a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Give the new version this share of the requests.
    SetWeight(Weight),
    /// Hold: for this long, or without a duration until a person promotes.
    Pause(Option<Duration>),
}

/// Blue-green: everything at once, after a preparation without traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlueGreen {
    /// The alias that shows the new version before the switch, where one is wanted. Never the one with the traffic.
    pub preview_alias: Option<AliasName>,
    /// Whether the switch needs no person. Default: it does not.
    pub auto_promote: bool,
    /// How long the new version is watched after the switch. Default: not at all.
    pub bake: Duration,
}

/// A canary of equal steps: `step: 10, every: 2m` is 10%, 2 minutes, 20%, 2 minutes, and so on up to 90%.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linear {
    /// What each step adds.
    pub step: Weight,
    /// How long each step holds.
    pub every: Duration,
}

impl Linear {
    /// The same rollout, step by step.
    #[must_use]
    pub fn steps(&self) -> Vec<Step> {
        (1..=99)
            .map_while(|count: u8| self.step.percent().checked_mul(count))
            .map_while(|percent| Weight::try_from(percent).ok())
            .flat_map(|weight| [Step::SetWeight(weight), Step::Pause(Some(self.every))])
            .collect()
    }
}

/// The strategy on one line, as people speak of it: two strategies that read alike do the same.
impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AllAtOnce => f.write_str("allAtOnce"),
            Self::Canary(canary) => {
                let steps: Vec<String> = canary.steps.iter().map(ToString::to_string).collect();
                write!(f, "canary {}", steps.join(", "))
            }
            Self::Linear(Linear { step, every }) => write!(f, "linear {step} every {}", format_duration(*every)),
            Self::BlueGreen(BlueGreen { preview_alias, auto_promote, bake }) => {
                let preview = preview_alias.iter().map(|alias| format!("preview {alias}"));
                let gate = (!auto_promote).then(|| "until promoted".to_owned());
                let bake = (!bake.is_zero()).then(|| format!("bake {}", format_duration(*bake)));
                let parts: Vec<String> = preview.chain(gate).chain(bake).collect();
                if parts.is_empty() { f.write_str("blueGreen") } else { write!(f, "blueGreen {}", parts.join(", ")) }
            }
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetWeight(weight) => write!(f, "{weight}"),
            Self::Pause(Some(time)) => f.write_str(&format_duration(*time)),
            Self::Pause(None) => f.write_str("until promoted"),
        }
    }
}

/// What is asked of a new version before any traffic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmokeTest {
    /// The event it is invoked with.
    pub payload: serde_json::Value,
    /// The `statusCode` that its answer must have, where given. Without expectations it must only not fail.
    pub expect_status: Option<u16>,
    /// A text that its answer's `body` must contain, where given.
    pub expect_body: Option<String>,
    /// What must stand in its answer at these places. A `body` that is JSON in a text is read as JSON.
    pub expect_json: BTreeMap<JsonPointer, serde_json::Value>,
}

/// What must hold at each step, and in the bake. At least one gate is set: a maximum, or an alarm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Analysis {
    /// The greatest share of invocations that may fail.
    pub max_error_rate: Option<Percentage>,
    /// By how much, in percentage points, that share may exceed stable's over the same window.
    pub max_error_rate_increase: Option<Percentage>,
    /// The longest 99th percentile of the duration.
    pub max_duration_p99: Option<Duration>,
    /// How many invocations there must be before anything is said. Default: 50.
    pub min_invocations: u32,
    /// How sure a verdict must be. Default: 99%.
    pub confidence: Percentage,
    /// How many inconclusive results in a row are tolerated. Default: 3.
    pub max_inconclusive: u32,
    /// CloudWatch alarms of the environment's account that must not be in `ALARM`.
    pub alarms: BTreeSet<AlarmName>,
    /// What missing data means. Never a pass.
    pub on_missing_data: OnMissingData,
}

/// The fields of an analysis that one place gives; [`Defaults`] and a service together make an [`Analysis`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnalysisFields {
    /// See [`Analysis::max_error_rate`].
    pub max_error_rate: Option<Percentage>,
    /// See [`Analysis::max_error_rate_increase`].
    pub max_error_rate_increase: Option<Percentage>,
    /// See [`Analysis::max_duration_p99`].
    pub max_duration_p99: Option<Duration>,
    /// See [`Analysis::min_invocations`].
    pub min_invocations: Option<u32>,
    /// See [`Analysis::confidence`].
    pub confidence: Option<Percentage>,
    /// See [`Analysis::max_inconclusive`].
    pub max_inconclusive: Option<u32>,
    /// See [`Analysis::alarms`]. An empty list takes the default's alarms away.
    pub alarms: Option<BTreeSet<AlarmName>>,
    /// See [`Analysis::on_missing_data`].
    pub on_missing_data: Option<OnMissingData>,
}

impl AnalysisFields {
    /// These fields, and `defaults` where one is not given.
    #[must_use]
    pub fn or(self, defaults: &Self) -> Self {
        Self {
            max_error_rate: self.max_error_rate.or(defaults.max_error_rate),
            max_error_rate_increase: self.max_error_rate_increase.or(defaults.max_error_rate_increase),
            max_duration_p99: self.max_duration_p99.or(defaults.max_duration_p99),
            min_invocations: self.min_invocations.or(defaults.min_invocations),
            confidence: self.confidence.or(defaults.confidence),
            max_inconclusive: self.max_inconclusive.or(defaults.max_inconclusive),
            alarms: self.alarms.or_else(|| defaults.alarms.clone()),
            on_missing_data: self.on_missing_data.or(defaults.on_missing_data),
        }
    }

    /// The analysis, with the built-in defaults for what is not given; `None` if there is no gate in it.
    #[must_use]
    pub fn into_analysis(self) -> Option<Analysis> {
        let analysis = Analysis {
            max_error_rate: self.max_error_rate,
            max_error_rate_increase: self.max_error_rate_increase,
            max_duration_p99: self.max_duration_p99,
            min_invocations: self.min_invocations.unwrap_or(50),
            confidence: self.confidence.unwrap_or(Percentage::of(99)),
            max_inconclusive: self.max_inconclusive.unwrap_or(3),
            alarms: self.alarms.unwrap_or_default(),
            on_missing_data: self.on_missing_data.unwrap_or_default(),
        };
        let has_gate = analysis.max_error_rate.is_some()
            || analysis.max_error_rate_increase.is_some()
            || analysis.max_duration_p99.is_some()
            || !analysis.alarms.is_empty();
        has_gate.then_some(analysis)
    }
}

/// What missing data means to an analysis. There is no `pass`: no invocation means no data point, and silence is no proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnMissingData {
    /// Inconclusive: hold the step.
    #[default]
    Hold,
    /// Failed: abort.
    Fail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_values_are_not_printed() {
        let environment = BTreeMap::from([("TOKEN".to_owned(), "planted-secret".to_owned())]);
        let printed = format!("{:?}", Configuration { environment, ..Configuration::default() });
        assert!(printed.contains("TOKEN"), "{printed}");
        assert!(!printed.contains("planted-secret"), "{printed}");
    }

    #[test]
    fn a_linear_rollout_is_a_canary_of_equal_steps() {
        let weight = |percent: u8| Step::SetWeight(Weight::try_from(percent).unwrap());
        let every = Duration::from_secs(120);
        let pause = || Step::Pause(Some(every));
        let linear = Linear { step: Weight::try_from(40).unwrap(), every };
        assert_eq!(linear.steps(), [weight(40), pause(), weight(80), pause()]);
        let whole = Linear { step: Weight::try_from(99).unwrap(), every };
        assert_eq!(whole.steps(), [weight(99), pause()]);
    }

    #[test]
    fn a_strategy_reads_like_this() {
        let weight = |percent: u8| Weight::try_from(percent).unwrap();
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        let steps = vec![
            Step::SetWeight(weight(10)),
            Step::Pause(Some(minutes(10))),
            Step::SetWeight(weight(50)),
            Step::Pause(None),
        ];
        let blue_green = |preview: Option<&str>, auto_promote, bake| {
            let preview_alias = preview.map(|alias| alias.parse().unwrap());
            Strategy::BlueGreen(BlueGreen { preview_alias, auto_promote, bake: minutes(bake) })
        };
        for (strategy, text) in [
            (Strategy::AllAtOnce, "allAtOnce"),
            (Strategy::Canary(Canary { steps }), "canary 10%, 10m, 50%, until promoted"),
            (Strategy::Linear(Linear { step: weight(20), every: minutes(2) }), "linear 20% every 2m"),
            (blue_green(None, true, 0), "blueGreen"),
            (blue_green(Some("candidate"), false, 30), "blueGreen preview candidate, until promoted, bake 30m"),
        ] {
            assert_eq!(strategy.to_string(), text);
        }
    }

    #[test]
    fn an_analysis_without_a_gate_is_none() {
        let fields = AnalysisFields { min_invocations: Some(10), ..AnalysisFields::default() };
        assert_eq!(fields.clone().into_analysis(), None);
        let gate = AnalysisFields { max_error_rate: Some(Percentage::of(1)), ..AnalysisFields::default() };
        let merged = fields.or(&gate).into_analysis().unwrap();
        assert_eq!((merged.max_error_rate, merged.min_invocations), (Some(Percentage::of(1)), 10));
    }
}

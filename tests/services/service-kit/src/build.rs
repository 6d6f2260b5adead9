//! Decides how a build behaves: its version, how often it fails and how slow it is, fixed when its image is made.
//!
//! An image carries `BUILD_VERSION`, `BUILD_FAILURE_RATE` and `BUILD_LATENCY_MS` in its environment, as a Dockerfile's
//! `ENV` does. So a bad release is made by making an image, and is shipped as any other.

use std::num::{ParseFloatError, ParseIntError};
use std::time::Duration;

use lambda_runtime::Diagnostic;

const VERSION: &str = "BUILD_VERSION";
const FAILURE_RATE: &str = "BUILD_FAILURE_RATE";
const LATENCY: &str = "BUILD_LATENCY_MS";

/// Version of a program that was started outside an image.
const UNRELEASED: &str = "unreleased";

/// One build of a service, and how it behaves.
#[derive(Clone, Debug, PartialEq)]
pub struct Build {
    version: String,
    /// Share of invocations that fail, 0.0 to 1.0.
    failure_rate: f64,
    /// Added to each invocation.
    latency: Duration,
}

/// The image's environment does not describe a build. The service must not start: Lambda then reports an init error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `BUILD_VERSION` is there, but says nothing.
    #[error("`{VERSION}` is empty")]
    EmptyVersion,
    /// `BUILD_FAILURE_RATE` is not a number.
    #[error("`{FAILURE_RATE}` is `{value}`, not a number")]
    FailureRate {
        /// What it is instead.
        value: String,
        /// Why it could not be read.
        source: ParseFloatError,
    },
    /// `BUILD_FAILURE_RATE` is a number that is no share.
    #[error("`{FAILURE_RATE}` is `{value}`, not between 0 and 1")]
    FailureRateRange {
        /// What it is instead.
        value: String,
    },
    /// `BUILD_LATENCY_MS` is not a whole number.
    #[error("`{LATENCY}` is `{value}`, not a whole number of milliseconds")]
    Latency {
        /// What it is instead.
        value: String,
        /// Why it could not be read.
        source: ParseIntError,
    },
}

/// The invocation fails because the build is made so. Lambda counts it under `Errors`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("build `{version}` failed, as {FAILURE_RATE} says")]
pub struct Fault {
    version: String,
}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Self {
        Self { error_type: "BuildFault".to_owned(), error_message: fault.to_string() }
    }
}

impl Build {
    /// A build that neither fails nor waits.
    pub fn new(version: impl Into<String>) -> Self {
        Self { version: version.into(), failure_rate: 0.0, latency: Duration::ZERO }
    }

    /// Reads the build from the environment of its image; what is not set is harmless.
    ///
    /// # Errors
    /// A variable is set to something that cannot be meant.
    pub fn from_env() -> Result<Self, Error> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        let version = variable(VERSION).unwrap_or_else(|| UNRELEASED.to_owned());
        if version.trim().is_empty() {
            return Err(Error::EmptyVersion);
        }
        let failure_rate = variable(FAILURE_RATE).map_or(Ok(0.0), parse_failure_rate)?;
        let latency = variable(LATENCY).map_or(Ok(Duration::ZERO), parse_latency)?;
        Ok(Self { version, failure_rate, latency })
    }

    /// The version, as the release names it: `v1.2.3`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Waits and fails as this build does. Called first in every invocation.
    ///
    /// # Errors
    /// In the share of calls that `BUILD_FAILURE_RATE` says.
    pub async fn behave(&self) -> Result<(), Fault> {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        // `f64()` is below 1.0, so a rate of 1 always fails and a rate of 0 never does.
        if fastrand::f64() < self.failure_rate {
            let fault = Fault { version: self.version.clone() };
            tracing::error!(version = self.version, failure_rate = self.failure_rate, "{fault}");
            return Err(fault);
        }
        Ok(())
    }
}

fn parse_failure_rate(value: String) -> Result<f64, Error> {
    match value.trim().parse::<f64>() {
        Ok(rate) if (0.0..=1.0).contains(&rate) => Ok(rate),
        Ok(_) => Err(Error::FailureRateRange { value }),
        Err(source) => Err(Error::FailureRate { value, source }),
    }
}

fn parse_latency(value: String) -> Result<Duration, Error> {
    match value.trim().parse::<u64>() {
        Ok(millis) => Ok(Duration::from_millis(millis)),
        Err(source) => Err(Error::Latency { value, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn build(variables: &[(&str, &str)]) -> Result<Build, Error> {
        Build::from_variables(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn without_an_image_a_build_is_unreleased_and_harmless() {
        assert_eq!(build(&[]).unwrap(), Build::new("unreleased"));
    }

    #[test]
    fn an_image_fixes_version_failure_rate_and_latency() {
        let built = build(&[(VERSION, "v1.2.3"), (FAILURE_RATE, "0.05"), (LATENCY, "250")]).unwrap();
        let expected = Build { version: "v1.2.3".to_owned(), failure_rate: 0.05, latency: Duration::from_millis(250) };
        assert_eq!(built, expected);
    }

    #[test]
    fn an_image_that_cannot_be_meant_does_not_start() {
        let cases = [
            (VERSION, " ", "`BUILD_VERSION` is empty"),
            (FAILURE_RATE, "often", "`BUILD_FAILURE_RATE` is `often`, not a number"),
            (FAILURE_RATE, "1.5", "`BUILD_FAILURE_RATE` is `1.5`, not between 0 and 1"),
            (FAILURE_RATE, "NaN", "`BUILD_FAILURE_RATE` is `NaN`, not between 0 and 1"),
            (LATENCY, "0.5", "`BUILD_LATENCY_MS` is `0.5`, not a whole number of milliseconds"),
        ];
        for (name, value, message) in cases {
            assert_eq!(build(&[(name, value)]).unwrap_err().to_string(), message);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_rate_of_one_always_fails_and_a_rate_of_zero_never_does() {
        let good = build(&[(VERSION, "v1"), (FAILURE_RATE, "0")]).unwrap();
        let bad = build(&[(VERSION, "v2"), (FAILURE_RATE, "1")]).unwrap();
        for _ in 0..1_000 {
            assert_eq!(good.behave().await, Ok(()));
            assert_eq!(bad.behave().await, Err(Fault { version: "v2".to_owned() }));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_rate_is_met_over_many_calls() {
        fastrand::seed(7);
        let build = build(&[(FAILURE_RATE, "0.2")]).unwrap();
        let mut failed = 0;
        for _ in 0..5_000 {
            failed += usize::from(build.behave().await.is_err());
        }
        assert!((900..1_100).contains(&failed), "{failed} of 5000 failed");
    }

    #[tokio::test(start_paused = true)]
    async fn latency_is_added_to_each_call() {
        let build = build(&[(LATENCY, "250")]).unwrap();
        let started = tokio::time::Instant::now();
        build.behave().await.unwrap();
        assert_eq!(started.elapsed(), Duration::from_millis(250));
    }

    #[test]
    fn a_fault_names_its_type_for_whoever_invoked() {
        let diagnostic = Diagnostic::from(Fault { version: "v9".to_owned() });
        assert_eq!(diagnostic.error_type, "BuildFault");
        assert_eq!(diagnostic.error_message, "build `v9` failed, as BUILD_FAILURE_RATE says");
    }
}

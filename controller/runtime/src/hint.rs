//! What a hint is: the name of something that may have changed, and where. It says where to look, and nothing else.
use std::fmt;

use release_schema::{AlarmName, FunctionName, Service};

use crate::config::EnvironmentConfig;

/// What may have changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Named {
    /// A function, or an alias or version of it.
    Function(FunctionName),
    /// An alarm.
    Alarm(AlarmName),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Function(name) => write!(f, "function {name}"),
            // Almost any text is the name of an alarm.
            Self::Alarm(name) => write!(f, "alarm {}", name.as_str().escape_debug()),
        }
    }
}

/// Where it is. What an event leaves out may be anywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The account's number.
    pub account: Option<String>,
    /// The region's name.
    pub region: Option<String>,
}

/// Something that may have changed, as somebody says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hint {
    /// What.
    pub named: Named,
    /// Where.
    pub place: Place,
}

impl Hint {
    /// Whether it can be about an environment, as far as its configuration tells. An environment without a role of its own
    /// does not say which account it is in.
    #[must_use]
    pub fn is_about(&self, config: &EnvironmentConfig) -> bool {
        let Self { named, place: Place { account, region } } = self;
        let here = |said: &Option<String>, ours: Option<&str>| match (said, ours) {
            (Some(said), Some(ours)) => said == ours,
            (Some(_), None) | (None, _) => true,
        };
        let allowed = match named {
            Named::Function(function) => config.allows(function),
            Named::Alarm(_) => true,
        };
        allowed && here(region, Some(&config.region)) && here(account, config.account())
    }

    /// Whether it names a service: its function, or an alarm that gates its releases.
    #[must_use]
    pub fn names(&self, service: &Service) -> bool {
        match &self.named {
            Named::Function(function) => *function == service.function,
            Named::Alarm(alarm) => service.analysis.as_ref().is_some_and(|analysis| analysis.alarms.contains(alarm)),
        }
    }

    /// Whether it only matters while a release is under way.
    #[must_use]
    pub const fn is_a_gate(&self) -> bool {
        matches!(self.named, Named::Alarm(_))
    }
}

/// A hint as it came in, before it is known whose doing it tells of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sighting {
    /// What may have changed.
    pub hint: Hint,
    /// ARN of the role whose session changed it, where it was one.
    pub by_role: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(role: &str) -> EnvironmentConfig {
        let text = format!("schemaVersion: 1\nregion: eu-central-1\nallowedFunctions: [\"Prod*\"]\n{role}");
        serde_yaml::from_str(&text).unwrap()
    }

    fn hint(function: &str, account: Option<&str>, region: Option<&str>) -> Hint {
        let place = Place { account: account.map(str::to_owned), region: region.map(str::to_owned) };
        Hint { named: Named::Function(function.parse().unwrap()), place }
    }

    #[test]
    fn a_hint_is_about_an_environment_whose_region_account_and_functions_it_fits() {
        let other = config("roleArn: arn:aws:iam::222222222222:role/tidegate\n");
        let own = config("");
        for (hint, in_other, in_own) in [
            (hint("ProdA", Some("222222222222"), Some("eu-central-1")), true, true),
            (hint("ProdA", Some("111111111111"), Some("eu-central-1")), false, true),
            (hint("ProdA", Some("222222222222"), Some("us-east-1")), false, false),
            (hint("ProdA", None, None), true, true),
            (hint("StagingA", None, None), false, false),
        ] {
            assert_eq!((hint.is_about(&other), hint.is_about(&own)), (in_other, in_own), "{hint:?}");
        }
    }
}

//! Decides which function a request means: a bare name, a partial ARN or a whole one, with or without a qualifier.
use crate::wire::{AwsError, Call, Caller};

use super::invalid_parameter;
use super::validation::Problems;

/// A function's place in the world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
}

impl Key {
    /// The function's ARN, without a qualifier.
    pub(crate) fn arn(&self) -> String {
        format!("arn:aws:lambda:{}:{}:function:{}", self.region, self.account, self.name)
    }
}

/// A function, and the version or alias of it that is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) key: Key,
    pub(crate) qualifier: Option<String>,
}

impl Target {
    /// What a request's path and `Qualifier` mean.
    pub(crate) fn of(call: &Call) -> Result<Self, AwsError> {
        let name = call.segments().get(2).cloned().unwrap_or_default();
        let mut target = Self::parse(&name, &call.caller, call.operation)?;
        if let Some(qualifier) = call.query("Qualifier") {
            let mut problems = Problems::default();
            problems.qualifier(&qualifier);
            problems.finish()?;
            if target.qualifier.as_ref().is_some_and(|derived| *derived != qualifier) {
                return Err(invalid_parameter(
                    "The derived qualifier from the function name does not match the specified qualifier.",
                ));
            }
            target.qualifier = Some(qualifier);
        }
        Ok(target)
    }

    /// What a function name in a request means for this caller.
    pub(crate) fn parse(text: &str, caller: &Caller, operation: &str) -> Result<Self, AwsError> {
        let mut problems = Problems::default();
        problems.function_name(text);
        problems.finish()?;
        let parts: Vec<&str> = text.split(':').collect();
        let (region, account, rest) = match parts.as_slice() {
            ["arn", _, "lambda", region, account, "function", rest @ ..] => (*region, *account, rest),
            [region, account, "function", rest @ ..] => (*region, *account, rest),
            [account, "function", rest @ ..] => (caller.region.as_str(), *account, rest),
            ["function", rest @ ..] => (caller.region.as_str(), caller.account.as_str(), rest),
            rest => (caller.region.as_str(), caller.account.as_str(), rest),
        };
        let (name, qualifier) = match rest {
            [name] => ((*name).to_owned(), None),
            [name, qualifier] => ((*name).to_owned(), Some((*qualifier).to_owned())),
            _ => return Err(invalid_parameter(format!("Invalid function name: `{text}`"))),
        };
        let target = Self { key: Key { account: account.to_owned(), region: region.to_owned(), name }, qualifier };
        target.reachable_by(caller, operation)?;
        Ok(target)
    }

    /// Resource policies are not part of this world: another account's function is out of reach.
    fn reachable_by(&self, caller: &Caller, operation: &str) -> Result<(), AwsError> {
        if self.key.region != caller.region {
            let message =
                format!("Functions from '{}' are not reachable in this region ('{}')", self.key.region, caller.region);
            return Err(AwsError::new(404, "ResourceNotFoundException", message));
        }
        if self.key.account != caller.account {
            let action = format!("lambda:{}", if operation == "Invoke" { "InvokeFunction" } else { operation });
            let message = format!(
                "User: {} is not authorized to perform: {action} on resource: {} because no resource-based policy \
                 allows the {action} action",
                caller.arn,
                self.arn()
            );
            return Err(AwsError::new(403, "AccessDeniedException", message));
        }
        Ok(())
    }

    /// The ARN as it was meant: with the qualifier, where there is one.
    pub(crate) fn arn(&self) -> String {
        match &self.qualifier {
            Some(qualifier) => format!("{}:{qualifier}", self.key.arn()),
            None => self.key.arn(),
        }
    }

    /// The same function, without a qualifier.
    pub(crate) fn unqualified(&self) -> Self {
        Self { key: self.key.clone(), qualifier: None }
    }
}

//! Decides whether members of a request are well formed, and words what is not as Lambda's front end does: all of it at once.
use std::collections::BTreeMap;

use crate::wire::AwsError;

/// What is wrong with a request; empty where nothing is.
#[derive(Default)]
pub(crate) struct Problems(Vec<String>);

impl Problems {
    fn add(&mut self, value: &str, member: &str, constraint: &str) {
        self.0.push(format!("Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"));
    }

    fn pattern(&mut self, value: &str, member: &str, pattern: &str) {
        self.add(value, member, &format!("Member must satisfy regular expression pattern: {pattern}"));
    }

    /// A member's length in characters.
    pub(crate) fn length(&mut self, value: &str, member: &str, min: usize, max: usize) {
        let length = value.chars().count();
        if length > max {
            self.add(value, member, &format!("Member must have length less than or equal to {max}"));
        } else if length < min {
            self.add(value, member, &format!("Member must have length greater than or equal to {min}"));
        }
    }

    /// A number's range.
    pub(crate) fn range(&mut self, value: i64, member: &str, min: i64, max: i64) {
        if value > max {
            self.add(&value.to_string(), member, &format!("Member must have value less than or equal to {max}"));
        } else if value < min {
            self.add(&value.to_string(), member, &format!("Member must have value greater than or equal to {min}"));
        }
    }

    /// One of a closed set of values.
    pub(crate) fn one_of(&mut self, value: &str, member: &str, values: &[&str]) {
        if !values.contains(&value) {
            self.add(value, member, &format!("Member must satisfy enum value set: [{}]", values.join(", ")));
        }
    }

    /// A member that must be there.
    pub(crate) fn required<T>(&mut self, value: Option<&T>, member: &str) {
        if value.is_none() {
            self.0.push(format!("Value at '{member}' failed to satisfy constraint: Member must not be null"));
        }
    }

    /// A function's name in any of its forms.
    pub(crate) fn function_name(&mut self, value: &str) {
        const PATTERN: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\$LATEST|[a-zA-Z0-9-_]+))?";
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'$' | b'.');
        if value.is_empty() || !value.bytes().all(allowed) {
            self.pattern(value, "functionName", PATTERN);
        }
        self.length(value, "functionName", 1, 256);
    }

    /// The name of a function that is to be created: the name alone.
    pub(crate) fn new_function_name(&mut self, value: &str) {
        if !is_word(value) {
            self.pattern(value, "functionName", "[a-zA-Z0-9-_]+");
        }
        self.length(value, "functionName", 1, 64);
    }

    /// A version, `$LATEST` or alias.
    pub(crate) fn qualifier(&mut self, value: &str) {
        if !value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'$')) {
            self.pattern(value, "qualifier", "(|[a-zA-Z0-9$_-]+)");
        }
        self.length(value, "qualifier", 1, 128);
    }

    /// An alias's name: not a number, so that it cannot be taken for a version.
    pub(crate) fn alias_name(&mut self, value: &str) {
        if !is_word(value) || value.bytes().all(|byte| byte.is_ascii_digit()) {
            self.pattern(value, "name", "(?!^[0-9]+$)([a-zA-Z0-9-_]+)");
        }
        self.length(value, "name", 1, 128);
    }

    /// A version that an alias is to name.
    pub(crate) fn function_version(&mut self, value: &str) {
        if value != "$LATEST" && !is_number(value) {
            self.pattern(value, "functionVersion", r"(\$LATEST|[0-9]+)");
        }
        self.length(value, "functionVersion", 1, 1024);
    }

    /// A description: 256 characters at most.
    pub(crate) fn description(&mut self, value: &str) {
        self.length(value, "description", 0, 256);
    }

    /// An execution role.
    pub(crate) fn role(&mut self, value: &str) {
        let parts: Vec<&str> = value.splitn(6, ':').collect();
        let well_formed = match parts.as_slice() {
            ["arn", partition, "iam", "", account, name] => {
                partition.starts_with("aws")
                    && account.len() == 12
                    && is_number(account)
                    && name.strip_prefix("role/").is_some_and(|name| !name.is_empty())
            }
            _ => false,
        };
        if !well_formed {
            self.pattern(value, "role", r"arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+");
        }
    }

    /// The weights of additional versions: numbers as keys, shares as values.
    pub(crate) fn weights(&mut self, weights: &BTreeMap<String, f64>) {
        const MEMBER: &str = "routingConfig.additionalVersionWeights";
        let shown: Vec<String> = weights.iter().map(|(version, weight)| format!("{version}={weight:?}")).collect();
        let shown = format!("{{{}}}", shown.join(", "));
        if weights.keys().any(|version| !is_number(version)) {
            self.add(
                &shown,
                MEMBER,
                "Map keys must satisfy constraint: [Member must have length less than or equal to 1024, Member must \
                 have length greater than or equal to 1, Member must satisfy regular expression pattern: [0-9]+, \
                 Member must not be null]",
            );
        }
        if weights.values().any(|weight| !(0.0..=1.0).contains(weight)) {
            self.add(
                &shown,
                MEMBER,
                "Map value must satisfy constraint: [Member must have value less than or equal to 1.0, Member must \
                 have value greater than or equal to 0.0, Member must not be null]",
            );
        }
    }

    /// Nothing, or the `ValidationException` that names everything.
    pub(crate) fn finish(self) -> Result<(), AwsError> {
        if self.0.is_empty() { Ok(()) } else { Err(AwsError::validation(self.0)) }
    }
}

fn is_word(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_number(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit())
}

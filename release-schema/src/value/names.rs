//! Decides which names are names: of services and environments by our rule, of functions, aliases and alarms by AWS's.

use super::{Error, text_value};

text_value! {
    /// The name of a service: a DNS label of at most 63 characters (RFC 1123), so that it fits into S3 keys, parameter
    /// paths, metric dimensions and branch names without escaping.
    ServiceName, check_service
}

text_value! {
    /// The name of an environment: a DNS label of at most 32 characters. It is a directory of the release repository.
    EnvironmentName, check_environment
}

text_value! {
    /// The name of a Lambda function, `[A-Za-z0-9-_]{1,64}` (Lambda API, `FunctionName`). Never an ARN: which account and
    /// region it lives in is not the release repository's to say.
    FunctionName, check_function
}

text_value! {
    /// The name of a Lambda alias, `(?!^[0-9]+$)([a-zA-Z0-9-_]+)`, at most 128 characters (Lambda API, `Alias`).
    AliasName, check_alias
}

/// The alias of a service where nothing names one: `live`.
impl Default for AliasName {
    fn default() -> Self {
        Self("live".to_owned())
    }
}

text_value! {
    /// The name of a CloudWatch alarm, at most 255 characters (CloudWatch API, `AlarmName`). Never an ARN.
    AlarmName, check_alarm
}

text_value! {
    /// A place in a JSON value (RFC 6901): empty for all of it, or `/` and a name for each level, `~0` for `~` and `~1` for `/`.
    JsonPointer, check_pointer
}

text_value! {
    /// What somebody else owns of a service: a part of its function's configuration, `$LATEST`, what its tag names, or its
    /// entry in the service registry. Never the alias: that is what Tidegate is for.
    IgnoredField, check_ignored
}

impl IgnoredField {
    /// What `$LATEST` has.
    pub const LATEST: &str = "$LATEST";
    /// Which digest the tag names.
    pub const TAG: &str = "tag";
    /// The entry in the service registry.
    pub const REGISTRY: &str = "registry";
    /// Reserved concurrency.
    pub const RESERVED_CONCURRENCY: &str = "reservedConcurrency";

    /// The environment variable that it is, where it is one.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.as_str().strip_prefix("environment.")
    }
}

fn check_ignored(text: &str) -> Result<(), Error> {
    const RULE: &str = "one of `memorySize`, `timeout`, `environment`, `environment.NAME`, `reservedConcurrency`, `$LATEST`, `tag`, \
                        `registry`";
    let is_variable = text.strip_prefix("environment.").is_some_and(|name| !name.is_empty());
    let is_known = matches!(
        text,
        "memorySize"
            | "timeout"
            | "environment"
            | IgnoredField::RESERVED_CONCURRENCY
            | IgnoredField::LATEST
            | IgnoredField::TAG
            | IgnoredField::REGISTRY
    );
    if matches!(text, "alias" | "weights" | "imageTag") {
        return Err(Error::misplaced(text, "is what Tidegate manages", RULE));
    }
    if is_known || is_variable { Ok(()) } else { Err(Error::malformed("a difference that can be ignored", text, RULE)) }
}

fn check_pointer(text: &str) -> Result<(), Error> {
    const RULE: &str = "`/` and a name for each level, such as `/body/version`; `~0` for `~`, `~1` for `/` in a name";
    let starts = text.is_empty() || text.starts_with('/');
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if starts && escaped { Ok(()) } else { Err(Error::malformed("a JSON pointer", text, RULE)) }
}

fn check_service(text: &str) -> Result<(), Error> {
    const RULE: &str = "lower-case letters, digits and inner hyphens, at most 63 characters";
    if is_label(text, 63) { Ok(()) } else { Err(Error::malformed("a service name", text, RULE)) }
}

fn check_environment(text: &str) -> Result<(), Error> {
    const RULE: &str = "lower-case letters, digits and inner hyphens, at most 32 characters";
    if is_label(text, 32) { Ok(()) } else { Err(Error::malformed("an environment name", text, RULE)) }
}

fn check_function(text: &str) -> Result<(), Error> {
    const RULE: &str = "letters, digits, `-` and `_`, at most 64 characters";
    if text.starts_with("arn:") {
        return Err(Error::misplaced(
            text,
            "is an ARN, not a function name",
            "give the name alone: account and region belong to the controller's configuration",
        ));
    }
    if let Some((name, _)) = text.split_once(':')
        && is_lambda_word(name, 64)
    {
        return Err(Error::misplaced(
            text,
            "carries a qualifier, which a function name does not",
            "give the name alone, and the alias in `alias`",
        ));
    }
    if is_lambda_word(text, 64) { Ok(()) } else { Err(Error::malformed("a function name", text, RULE)) }
}

fn check_alias(text: &str) -> Result<(), Error> {
    const RULE: &str = "letters, digits, `-` and `_`, at most 128 characters, and not digits alone";
    if text == "$LATEST" {
        return Err(Error::misplaced(
            text,
            "is not an alias: whatever is uploaded would be live at once",
            "give the name of an alias, such as `live`",
        ));
    }
    if is_lambda_word(text, 128) && !text.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err(Error::malformed("an alias name", text, RULE))
    }
}

fn check_alarm(text: &str) -> Result<(), Error> {
    const RULE: &str = "1 to 255 characters, none of them a control character";
    if text.starts_with("arn:") {
        return Err(Error::misplaced(
            text,
            "is an ARN, not an alarm name",
            "give the name alone: account and region belong to the controller's configuration",
        ));
    }
    let length = text.chars().count();
    if (1..=255).contains(&length) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(Error::malformed("an alarm name", text, RULE))
    }
}

fn is_label(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn is_lambda_word(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_name_is_a_dns_label() {
        for good in ["a", "flight-service", "2fast", &"a".repeat(63)] {
            assert!(good.parse::<ServiceName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "Flight", "a_b", "a.b", "a/b", "..", "ä", "a b", &"a".repeat(64)] {
            assert!(bad.parse::<ServiceName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_function_name_is_no_arn_and_has_no_qualifier() {
        assert!("Production_Flight-Service1".parse::<FunctionName>().is_ok());
        assert!("f".repeat(65).parse::<FunctionName>().is_err());
        for bad in ["arn:aws:lambda:eu-west-1:123456789012:function:f", "f:live", "f.g", ""] {
            assert!(bad.parse::<FunctionName>().is_err(), "{bad}");
        }
        let error = "f:live".parse::<FunctionName>().unwrap_err();
        assert_eq!(error.hint(), "give the name alone, and the alias in `alias`");
    }

    #[test]
    fn an_alias_is_neither_a_number_nor_latest() {
        for good in ["live", "v1", "1a", "_"] {
            assert!(good.parse::<AliasName>().is_ok(), "{good}");
        }
        for bad in ["", "1", "42", "$LATEST", "a:b", "a b"] {
            assert!(bad.parse::<AliasName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_alarm_is_named_not_addressed() {
        assert!("Flight 5xx (p99)".parse::<AlarmName>().is_ok());
        assert!("arn:aws:cloudwatch:eu-west-1:123456789012:alarm:x".parse::<AlarmName>().is_err());
        assert!("a\u{7}".parse::<AlarmName>().is_err());
    }

    #[test]
    fn a_json_pointer_begins_with_a_slash_and_escapes_what_it_must() {
        for good in ["", "/", "/version", "/body/items/0", "/a~1b/c~0d"] {
            assert!(good.parse::<JsonPointer>().is_ok(), "{good}");
        }
        for bad in ["version", "$.version", "/a~b", "/a~"] {
            assert!(bad.parse::<JsonPointer>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_stored_name_is_checked_when_it_is_read_back() {
        assert_eq!(serde_json::to_string(&"live".parse::<AliasName>().unwrap()).unwrap(), r#""live""#);
        assert!(serde_json::from_str::<AliasName>(r#""$LATEST""#).is_err());
    }
}

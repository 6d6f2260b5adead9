//! Decides which texts are values: names, tags, digests, percentages, durations. A value that exists has been checked.

mod artifact;
mod names;
mod quantity;

pub use artifact::{CodeSha256, Digest, EcrRepository, Tag};
pub(crate) use artifact::{check_bucket, check_key, check_object_version, parse_tag_and_digest};
pub use names::{AlarmName, AliasName, EnvironmentName, FunctionName, IgnoredField, JsonPointer, ServiceName};
pub(crate) use quantity::LONGEST_DURATION;
pub use quantity::{Percentage, Weight, format_duration, parse_duration};

/// Why a text is not a value. `Display` says what is wrong, [`Error::hint`] what would be right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text does not follow the rule of its kind, such as "a service name".
    #[error("`{text}` is not {kind}")]
    Malformed {
        /// What was expected, with its article: "a service name".
        kind: &'static str,
        /// The text, shortened and escaped so that it can be printed.
        text: String,
        /// The rule, as a hint.
        rule: &'static str,
    },
    /// The text follows another, known rule: the reader most likely meant something else.
    #[error("`{text}` {problem}")]
    Misplaced {
        /// The text, shortened and escaped so that it can be printed.
        text: String,
        /// What it is instead: "is an ARN, not a function name".
        problem: &'static str,
        /// What to write instead.
        hint: &'static str,
    },
    /// A quantity outside its range.
    #[error("`{text}` is out of range")]
    OutOfRange {
        /// The quantity as written.
        text: String,
        /// The range, as a hint: "1 to 99".
        range: &'static str,
    },
}

impl Error {
    /// What would be right.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Malformed { rule, .. } => rule,
            Self::Misplaced { hint, .. } => hint,
            Self::OutOfRange { range, .. } => range,
        }
    }

    fn malformed(kind: &'static str, text: &str, rule: &'static str) -> Self {
        Self::Malformed { kind, text: printable(text), rule }
    }

    fn misplaced(text: &str, problem: &'static str, hint: &'static str) -> Self {
        Self::Misplaced { text: printable(text), problem, hint }
    }

    fn out_of_range(text: &str, range: &'static str) -> Self {
        Self::OutOfRange { text: printable(text), range }
    }
}

/// The longest piece of the repository's text that a message repeats, in characters.
const LONGEST_QUOTE: usize = 80;

/// Makes a text from outside fit to be printed: a forged line or a terminal's escape sequence stays visible as text.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST_QUOTE {
            shown.push('…');
            break;
        }
        // `escape_debug` knows what is invisible, but would also escape quotes, which are harmless here.
        if matches!(character, '"' | '\'' | '\\') {
            shown.push(character);
        } else {
            shown.extend(character.escape_debug());
        }
    }
    shown
}

/// Defines a newtype over a checked text: `$check` answers what is wrong with it.
macro_rules! text_value {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text, as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::value::Error;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::value::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}
use text_value;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_outside_cannot_forge_lines_or_drive_a_terminal() {
        assert_eq!(printable("a\nERROR\u{1b}[2J\u{202e}"), r"a\nERROR\u{1b}[2J\u{202e}");
    }

    #[test]
    fn a_long_text_is_shortened() {
        let shown = printable(&"x".repeat(2_000));
        assert_eq!(shown.chars().count(), LONGEST_QUOTE + 1);
        assert!(shown.ends_with('…'));
    }
}

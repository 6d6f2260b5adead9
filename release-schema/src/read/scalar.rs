//! Decides what a scalar without quotes is: text, or what some reader of YAML would turn into something else.

/// What a plain scalar is taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plain {
    /// Text to every reader.
    Text,
    /// Nothing at all, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A decimal whole number.
    Integer,
    /// A decimal number with a point or an exponent.
    Float,
    /// A truth value to readers of YAML 1.1, text to those of 1.2: `yes`, `off`, `n`.
    OldBool,
    /// A number to some readers: octal, hexadecimal, base 60, with `_`, infinite, not a number.
    OddNumber,
    /// A date to readers of YAML 1.1.
    Date,
}

impl Plain {
    /// What messages call it.
    pub(super) fn described(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Null => "nothing",
            Self::Bool(_) | Self::OldBool => "a truth value",
            Self::Integer | Self::Float | Self::OddNumber => "a number",
            Self::Date => "a date",
        }
    }
}

/// Whether every reader takes this scalar without quotes for a text.
pub(crate) fn is_text(text: &str) -> bool {
    resolve(text) == Plain::Text
}

/// Says what a scalar without quotes is, by YAML 1.2 (core schema) and, where that says text, by YAML 1.1.
pub(super) fn resolve(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Null,
        "true" => return Plain::Bool(true),
        "false" => return Plain::Bool(false),
        _ => {}
    }
    let lower = text.to_ascii_lowercase();
    if matches!(lower.as_str(), "true" | "false" | "yes" | "no" | "on" | "off" | "y" | "n") {
        return Plain::OldBool;
    }
    if is_date(text) {
        return Plain::Date;
    }
    let unsigned = lower.strip_prefix(['-', '+']).unwrap_or(&lower);
    if matches!(unsigned, ".inf" | ".nan") {
        return Plain::OddNumber;
    }
    if !unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Plain::Text;
    }
    if is_integer(unsigned) {
        let plain = !lower.starts_with('+') && (unsigned == "0" || !unsigned.starts_with('0'));
        return if plain { Plain::Integer } else { Plain::OddNumber };
    }
    let without_separators = unsigned.replace('_', "");
    if unsigned.contains('_') && (is_integer(&without_separators) || is_float(&without_separators)) {
        return Plain::OddNumber;
    }
    if is_float(unsigned) {
        return Plain::Float;
    }
    if is_based(&without_separators) || is_base_60(&without_separators) { Plain::OddNumber } else { Plain::Text }
}

fn is_integer(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `1.5`, `1.`, `.5`, `1e3`: what has digits, and a point or an exponent.
fn is_float(text: &str) -> bool {
    let (mantissa, exponent) =
        text.split_once('e').map_or((text, None), |(mantissa, exponent)| (mantissa, Some(exponent)));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole)
        && digits(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|exponent| is_integer(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

fn is_based(text: &str) -> bool {
    [("0x", 16), ("0o", 8), ("0b", 2)].iter().any(|(prefix, radix)| {
        text.strip_prefix(prefix).is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_digit(*radix)))
    })
}

/// `1:30`: ninety to readers of YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let mut parts = text.split(':');
    let first = parts.next().is_some_and(is_integer);
    let mut rest = parts.peekable();
    first
        && rest.peek().is_some()
        && rest.all(|part| {
            let whole = part.split_once('.').map_or(part, |(whole, _)| whole);
            (1..=2).contains(&whole.len()) && is_integer(whole)
        })
}

/// `2024-01-01`, alone or with a time behind it.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let day_length = rest.bytes().take_while(u8::is_ascii_digit).count();
    let after = rest.get(day_length..).unwrap_or_default();
    year.len() == 4
        && is_integer(year)
        && (1..=2).contains(&month.len())
        && is_integer(month)
        && (1..=2).contains(&day_length)
        && (after.is_empty() || after.starts_with(['T', 't', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        for text in [
            "v1.2.3",
            "1.2.3",
            "live",
            "10m",
            "1h30m",
            "1%",
            "0.5%",
            "1.2.3-rc1",
            "abc",
            "-",
            ".",
            "e3",
            "2024-01",
            "0xZZ",
        ] {
            assert_eq!(resolve(text), Plain::Text, "{text}");
        }
    }

    #[test]
    fn numbers_truth_values_and_dates_are_seen_as_any_reader_would() {
        for (text, plain) in [
            ("", Plain::Null),
            ("~", Plain::Null),
            ("true", Plain::Bool(true)),
            ("yes", Plain::OldBool),
            ("On", Plain::OldBool),
            ("TRUE", Plain::OldBool),
            ("12", Plain::Integer),
            ("-1", Plain::Integer),
            ("0", Plain::Integer),
            ("1.10", Plain::Float),
            ("1e3", Plain::Float),
            ("12e03", Plain::Float),
            ("6.", Plain::Float),
            (".5", Plain::Float),
            ("010", Plain::OddNumber),
            ("+1", Plain::OddNumber),
            ("0x1F", Plain::OddNumber),
            ("0o17", Plain::OddNumber),
            ("0b11", Plain::OddNumber),
            ("1_000", Plain::OddNumber),
            ("1:30", Plain::OddNumber),
            (".inf", Plain::OddNumber),
            ("-.Inf", Plain::OddNumber),
            (".NaN", Plain::OddNumber),
            ("2024-01-01", Plain::Date),
            ("2024-1-1T10:00:00Z", Plain::Date),
        ] {
            assert_eq!(resolve(text), plain, "{text}");
        }
    }
}

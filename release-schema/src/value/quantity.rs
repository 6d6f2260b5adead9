//! Decides which texts are quantities, and keeps them as whole numbers: a comparison of two releases must be exact.

use super::Error;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The share of requests that goes to the new version during a rollout, in whole percent, 1 to 99: 0 and 100 are no
/// weights but an alias without weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Weight(u8);

impl Weight {
    /// The range, as a hint.
    pub(crate) const RANGE: &'static str = "a weight is a whole number of percent, 1 to 99";

    /// The weight in percent, 1 to 99.
    #[must_use]
    pub fn percent(self) -> u8 {
        self.0
    }

    /// The weight in ten-thousandths, 100 to 9,900: what an alias is read in, as Lambda takes weights finer than a percent.
    #[must_use]
    pub fn basis_points(self) -> u16 {
        u16::from(self.0) * 100
    }

    /// The weight as Lambda's `AdditionalVersionWeights` has it, 0.01 to 0.99.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / 100.0
    }
}

impl TryFrom<u8> for Weight {
    type Error = Error;

    fn try_from(percent: u8) -> Result<Self, Error> {
        if (1..=99).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(Error::out_of_range(&percent.to_string(), Self::RANGE))
        }
    }
}

impl From<Weight> for u8 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}

/// A percentage, 0% to 100%, exact to a ten-thousandth of a percent. Written as `1%` or `0.5%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percentage {
    parts_per_million: u32,
}

impl Percentage {
    /// `whole` percent; more than 100 counts as 100.
    #[must_use]
    pub const fn of(whole: u8) -> Self {
        let whole = if whole > 100 { 100 } else { whole };
        Self { parts_per_million: whole as u32 * PARTS_PER_PERCENT }
    }

    /// The percentage in parts per million: `1%` is 10,000.
    #[must_use]
    pub fn parts_per_million(self) -> u32 {
        self.parts_per_million
    }

    /// The percentage as a fraction: `1%` is 0.01.
    #[must_use]
    pub fn fraction(self) -> f64 {
        f64::from(self.parts_per_million) / 1_000_000.0
    }
}

const PARTS_PER_PERCENT: u32 = 10_000;
const DECIMALS: usize = 4;

impl FromStr for Percentage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        const RULE: &str = "a number and a percent sign, such as `1%` or `0.5%`, with at most 4 decimals";
        const RANGE: &str = "a percentage is 0% to 100%";
        let Some(number) = text.strip_suffix('%') else {
            return Err(match text.parse::<f64>() {
                Ok(_) => Error::misplaced(
                    text,
                    "does not say whether it is a percentage or a fraction",
                    "add the sign: `1%` is one in a hundred",
                ),
                Err(_) => Error::malformed("a percentage", text, RULE),
            });
        };
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(decimals) || decimals.len() > DECIMALS {
            return Err(Error::malformed("a percentage", text, RULE));
        }
        let parts = format!("{whole}{decimals:0<DECIMALS$}");
        match parts.parse::<u32>() {
            Ok(parts_per_million) if parts_per_million <= 100 * PARTS_PER_PERCENT => Ok(Self { parts_per_million }),
            Ok(_) | Err(_) => Err(Error::out_of_range(text, RANGE)),
        }
    }
}

impl TryFrom<String> for Percentage {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Percentage> for String {
    fn from(percentage: Percentage) -> Self {
        percentage.to_string()
    }
}

impl fmt::Display for Percentage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.parts_per_million / PARTS_PER_PERCENT, self.parts_per_million % PARTS_PER_PERCENT);
        if rest == 0 {
            return write!(f, "{whole}%");
        }
        let decimals = format!("{rest:0>DECIMALS$}");
        write!(f, "{whole}.{}%", decimals.trim_end_matches('0'))
    }
}

/// The longest duration that may be written: a rollout that waits for longer is forgotten, not careful.
pub(crate) const LONGEST_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration such as `10m`, `1h30m` or `800ms`: whole numbers with units, the largest unit first, each at most once.
///
/// # Errors
/// Where it is none, or longer than 30 days.
pub fn parse_duration(text: &str) -> Result<Duration, Error> {
    const RULE: &str = "whole numbers with the units `h`, `m`, `s` and `ms`, such as `30s`, `10m` or `1h30m`";
    const RANGE: &str = "a duration is at most 720h (30 days)";
    let malformed = || Error::malformed("a duration", text, RULE);
    if text.parse::<f64>().is_ok() {
        return Err(Error::misplaced(text, "has no unit", "add it: `30s`, `10m`, `1h30m`"));
    }
    let mut units = UNITS.iter();
    let mut milliseconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() || milliseconds == 0 && rest.len() == text.len() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, tail) = rest.split_at(digits);
        let letters = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        // The iterator is not rewound: a unit that comes twice, or after a smaller one, is not found any more.
        let (_, factor) = units.find(|(name, _)| *name == unit).ok_or_else(malformed)?;
        if number.is_empty() {
            return Err(malformed());
        }
        let count = number.parse::<u64>().map_err(|_| Error::out_of_range(text, RANGE))?;
        milliseconds = count
            .checked_mul(*factor)
            .and_then(|part| part.checked_add(milliseconds))
            .ok_or_else(|| Error::out_of_range(text, RANGE))?;
        rest = tail;
    }
    let duration = Duration::from_millis(milliseconds);
    if duration > LONGEST_DURATION { Err(Error::out_of_range(text, RANGE)) } else { Ok(duration) }
}

/// Writes a duration the way the release repository does: `1h30m`, `800ms`; parts below a millisecond are dropped.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if rest == 0 {
        return "0s".to_owned();
    }
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            text.push_str(&format!("{}{unit}", rest / factor));
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_alike() {
        for text in ["10m", "30s", "1h30m", "800ms", "1m1s1ms", "720h"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(parse_duration("0s").unwrap(), Duration::ZERO);
        assert_eq!(parse_duration("90m").unwrap(), Duration::from_secs(5400));
    }

    #[test]
    fn a_duration_needs_units_in_order() {
        for bad in ["", "10", "m", "1.5h", "10 m", "1m1h", "1m1m", "-1m", "1d", "10M", "721h", "99999999999999999999h"]
        {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_duration("10").unwrap_err().to_string(), "`10` has no unit");
    }

    #[test]
    fn percentages_are_exact() {
        for (text, parts) in [("1%", 10_000), ("0.5%", 5_000), ("0.0001%", 1), ("100%", 1_000_000), ("0%", 0)] {
            let percentage: Percentage = text.parse().unwrap();
            assert_eq!(percentage.parts_per_million(), parts);
            assert_eq!(percentage.to_string(), text);
        }
        assert_eq!("99.90%".parse::<Percentage>().unwrap().to_string(), "99.9%");
    }

    #[test]
    fn a_bare_number_is_no_percentage() {
        assert_eq!("1".parse::<Percentage>().unwrap_err().hint(), "add the sign: `1%` is one in a hundred");
        for bad in ["", "%", "-1%", "1 %", "1.%", ".5%", "0.00001%", "100.1%", "1e1%", "99999999999%"] {
            assert!(bad.parse::<Percentage>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_weight_is_neither_nothing_nor_everything() {
        assert!(Weight::try_from(0).is_err());
        assert!(Weight::try_from(100).is_err());
        let tenth = Weight::try_from(10).unwrap();
        assert_eq!((tenth.fraction(), tenth.basis_points()), (0.1, 1_000));
    }
}

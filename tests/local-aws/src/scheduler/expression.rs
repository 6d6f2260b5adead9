//! Decides when a schedule expression fires: `rate(…)`, `at(…)` and `cron(…)` in UTC.
use chrono::{DateTime, Datelike as _, Duration, NaiveDateTime, Timelike as _, Utc};

use crate::wire::AwsError;

/// How far ahead a cron expression is searched: beyond this it never fires.
const HORIZON_DAYS: i64 = 5 * 366;

/// A schedule expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expression {
    /// Every so often.
    Rate(Duration),
    /// Once.
    At(DateTime<Utc>),
    /// By the calendar.
    Cron(Box<Cron>),
}

/// The values that each field of a cron expression allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: Vec<u32>,
    hours: Vec<u32>,
    days: Vec<u32>,
    months: Vec<u32>,
    /// 1 is Sunday.
    weekdays: Vec<u32>,
    years: Vec<u32>,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

fn invalid(text: &str) -> AwsError {
    AwsError::new(400, "ValidationException", format!("Invalid Schedule Expression {text}."))
}

impl Expression {
    pub(super) fn parse(text: &str) -> Result<Self, AwsError> {
        let inside = |name: &str| text.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(rate) = inside("rate") {
            return parse_rate(rate).map(Self::Rate).ok_or_else(|| invalid(text));
        }
        if let Some(at) = inside("at") {
            let at = NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M:%S").map_err(|_| invalid(text))?;
            return Ok(Self::At(at.and_utc()));
        }
        let fields = inside("cron").ok_or_else(|| invalid(text))?;
        Cron::parse(fields, text).map(|cron| Self::Cron(Box::new(cron)))
    }

    /// The first time from `from` on that is after `after`.
    pub(super) fn next(&self, from: DateTime<Utc>, after: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        match (self, after) {
            (Self::Rate(_), None) => Some(from),
            (Self::Rate(every), Some(after)) => Some(after + *every),
            (Self::At(at), None) => (*at >= from).then_some(*at),
            (Self::At(_), Some(_)) => None,
            (Self::Cron(cron), after) => cron.next(after.map_or(from, |after| after + Duration::minutes(1))),
        }
    }
}

fn parse_rate(text: &str) -> Option<Duration> {
    let (value, unit) = text.trim().split_once(' ')?;
    let value: i64 = value.parse().ok().filter(|value| *value > 0)?;
    match unit.trim() {
        "minute" | "minutes" => Duration::try_minutes(value),
        "hour" | "hours" => Duration::try_hours(value),
        "day" | "days" => Duration::try_days(value),
        _ => None,
    }
}

impl Cron {
    fn parse(fields: &str, whole: &str) -> Result<Self, AwsError> {
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else { return Err(invalid(whole)) };
        // Exactly one of the two day fields says nothing.
        if (*days == "?") == (*weekdays == "?") {
            return Err(invalid(whole));
        }
        let field = |text: &str, min, max, names: &[&str]| field(text, min, max, names, whole);
        Ok(Self {
            minutes: field(minutes, 0, 59, &[])?,
            hours: field(hours, 0, 23, &[])?,
            days: field(days, 1, 31, &[])?,
            months: field(months, 1, 12, &MONTHS)?,
            weekdays: field(weekdays, 1, 7, &WEEKDAYS)?,
            years: field(years, 1970, 2199, &[])?,
        })
    }

    /// The first whole minute that is not before `from` and fits.
    fn next(&self, from: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let whole = from.with_second(0)?.with_nanosecond(0)?;
        let mut at = if whole < from { whole + Duration::minutes(1) } else { whole };
        let horizon = at + Duration::days(HORIZON_DAYS);
        while at < horizon {
            if !self.fits_day(at) {
                at = (at.date_naive() + Duration::days(1)).and_hms_opt(0, 0, 0)?.and_utc();
            } else if self.hours.contains(&at.hour()) && self.minutes.contains(&at.minute()) {
                return Some(at);
            } else {
                at += Duration::minutes(1);
            }
        }
        None
    }

    fn fits_day(&self, at: DateTime<Utc>) -> bool {
        self.months.contains(&at.month())
            && self.days.contains(&at.day())
            && self.weekdays.contains(&(at.weekday().num_days_from_sunday() + 1))
            && u32::try_from(at.year()).is_ok_and(|year| self.years.contains(&year))
    }
}

/// The values of one field: `*`, `?`, and lists of values, ranges and steps.
fn field(text: &str, min: u32, max: u32, names: &[&str], whole: &str) -> Result<Vec<u32>, AwsError> {
    // Names have such letters as well: `JUL`, `WED`.
    let special = |part: &str| part.ends_with(['L', 'W']) && !names.contains(&part) || part.contains('#');
    if text.split([',', '-', '/']).any(special) {
        return Err(AwsError::not_implemented(format_args!("`L`, `W` and `#` in the schedule expression {whole}")));
    }
    let value = |text: &str| -> Option<u32> {
        let named = names.iter().zip(min..).find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| value);
        named.or_else(|| text.parse().ok()).filter(|value| (min..=max).contains(value))
    };
    let mut values = Vec::new();
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0).ok_or_else(|| invalid(whole))?),
            None => (part, 1usize),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" || range == "?" => (min, max),
            Some((first, last)) => {
                (value(first).ok_or_else(|| invalid(whole))?, value(last).ok_or_else(|| invalid(whole))?)
            }
            None => {
                let first = value(range).ok_or_else(|| invalid(whole))?;
                (first, if part.contains('/') { max } else { first })
            }
        };
        values.extend((first..=last).step_by(step));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap().and_utc()
    }

    fn times(expression: &str, from: &str, count: usize) -> Vec<DateTime<Utc>> {
        let expression = Expression::parse(expression).unwrap();
        let mut after = None;
        (0..count)
            .map_while(|_| {
                after = expression.next(at(from), after);
                after
            })
            .collect()
    }

    #[test]
    fn a_rate_fires_at_once_and_then_every_so_often() {
        let expected = [at("2026-01-01 00:00:30"), at("2026-01-01 00:01:30"), at("2026-01-01 00:02:30")];
        assert_eq!(times("rate(1 minute)", "2026-01-01 00:00:30", 3), expected);
    }

    #[test]
    fn every_minute_of_cron_is_a_whole_minute() {
        let expected = [at("2026-01-01 00:01:00"), at("2026-01-01 00:02:00")];
        assert_eq!(times("cron(* * * * ? *)", "2026-01-01 00:00:30", 2), expected);
    }

    #[test]
    fn cron_knows_lists_ranges_steps_and_names() {
        let expected = [at("2026-01-05 08:00:00"), at("2026-01-05 08:30:00"), at("2026-01-05 17:00:00")];
        assert_eq!(times("cron(0/30 8,17 ? * MON-FRI *)", "2026-01-03 00:00:00", 3), expected);
    }

    #[test]
    fn a_leap_day_is_found_years_ahead() {
        assert_eq!(times("cron(0 0 29 2 ? *)", "2026-01-01 00:00:00", 1), [at("2028-02-29 00:00:00")]);
    }

    #[test]
    fn a_single_time_fires_once() {
        let expected = [at("2026-01-02 03:04:05")];
        assert_eq!(times("at(2026-01-02T03:04:05)", "2026-01-01 00:00:00", 2), expected);
    }

    #[test]
    fn expressions_that_aws_refuses_are_refused() {
        for text in ["rate(0 minutes)", "rate(1 fortnight)", "cron(* * * * * *)", "cron(61 * * * ? *)", "every minute"]
        {
            let error = Expression::parse(text).unwrap_err();
            assert_eq!((error.status, error.code.as_str()), (400, "ValidationException"), "{text}");
        }
    }

    #[test]
    fn the_last_day_of_a_month_is_clearly_not_implemented() {
        assert_eq!(Expression::parse("cron(0 0 L * ? *)").unwrap_err().status, 501);
    }
}

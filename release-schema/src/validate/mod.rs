//! Decides whether what was written makes sense, and makes the validated types of it.

mod analysis;
mod artifact;
mod config;
mod dependencies;
mod environment;
mod policy;
mod service;
mod strategy;

pub(crate) use config::release_config;
pub(crate) use environment::environment;

use crate::problem::Findings;
use crate::read::Place;
use crate::value::{Error, parse_duration, printable};
use std::collections::BTreeSet;
use std::time::Duration;

/// Reports why a value at this place is none.
fn refuse(findings: &mut Findings<'_>, place: &Place<'_>, error: &Error) {
    findings.add(place.span(), error.to_string(), error.hint());
}

/// Turns a field into its checked type. `None` if it is missing, or wrong and now reported.
fn value<T>(findings: &mut Findings<'_>, place: &Place<'_>, text: Option<String>) -> Option<T>
where
    T: TryFrom<String, Error = Error>,
{
    T::try_from(text?).map_err(|error| refuse(findings, place, &error)).ok()
}

/// Like [`value`], for a type that is read from a borrowed text.
fn checked<T>(
    findings: &mut Findings<'_>,
    place: &Place<'_>,
    text: Option<&str>,
    check: impl FnOnce(&str) -> Result<T, Error>,
) -> Option<T> {
    check(text?).map_err(|error| refuse(findings, place, &error)).ok()
}

/// A duration of at least `least`.
fn duration(findings: &mut Findings<'_>, place: &Place<'_>, text: Option<&str>, least: Duration) -> Option<Duration> {
    let duration = checked(findings, place, text, parse_duration)?;
    if duration < least {
        let hint = format!("at least `{}`", crate::value::format_duration(least));
        findings.add(place.span(), format!("`{}` is too short", printable(text.unwrap_or_default())), hint);
        return None;
    }
    Some(duration)
}

/// Turns a list into a set of its checked type; what is there twice is reported.
fn set<T>(findings: &mut Findings<'_>, place: &Place<'_>, list: Option<Vec<Option<String>>>) -> Option<BTreeSet<T>>
where
    T: TryFrom<String, Error = Error> + Ord + AsRef<str>,
{
    let mut found = BTreeSet::new();
    for (index, text) in list?.into_iter().enumerate() {
        let place = place.item(index);
        let Some(item) = value::<T>(findings, &place, text) else { continue };
        if found.contains(&item) {
            findings.add(place.span(), format!("`{}` is there twice", item.as_ref()), "");
        }
        found.insert(item);
    }
    Some(found)
}

/// Reports a required field that is not written at all; one that is written wrongly has been reported already.
fn require(findings: &mut Findings<'_>, place: &Place<'_>, field: &str, hint: &str) {
    if !place.has(field) {
        findings.add(place.span(), format!("`{field}` is missing"), hint);
    }
}

//! Cuts lists into pages of at most 50, whatever a caller asks for, with a marker for the rest.
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::invalid_parameter;
use super::validation::Problems;
use crate::wire::{AwsError, Call};

/// Lambda gives at most this many items a page.
const PAGE: usize = 50;

/// One page, and the marker of the next one.
pub(crate) struct Page<T> {
    pub(crate) items: Vec<T>,
    pub(crate) next: Option<String>,
}

/// The page that a call asks for. Items come with their position: a marker stays good when others come and go.
pub(crate) fn page<T>(call: &Call, items: impl Iterator<Item = (String, T)>) -> Result<Page<T>, AwsError> {
    let size = match call.query("MaxItems") {
        None => PAGE,
        Some(text) => {
            let wanted: i64 = text.parse().map_err(|_| invalid_parameter("Invalid MaxItems"))?;
            let mut problems = Problems::default();
            problems.range(wanted, "maxItems", 1, 10_000);
            problems.finish()?;
            usize::try_from(wanted).unwrap_or(PAGE).min(PAGE)
        }
    };
    let after = call.query("Marker").filter(|marker| !marker.is_empty()).map(|marker| decode(&marker)).transpose()?;
    let mut rest = items.filter(|(position, _)| after.as_ref().is_none_or(|after| position > after)).peekable();
    let mut last = None;
    let mut taken = Vec::new();
    while taken.len() < size {
        let Some((position, item)) = rest.next() else { break };
        last = Some(position);
        taken.push(item);
    }
    let next = if rest.peek().is_some() { last.map(|last| BASE64_STANDARD.encode(last)) } else { None };
    Ok(Page { items: taken, next })
}

/// A version's position: `$LATEST` first, then by number.
pub(crate) fn version_position(number: Option<u64>) -> String {
    format!("{:020}", number.unwrap_or(0))
}

fn decode(marker: &str) -> Result<String, AwsError> {
    let bytes = BASE64_STANDARD.decode(marker).map_err(|_| invalid_parameter("Invalid Marker"))?;
    String::from_utf8(bytes).map_err(|_| invalid_parameter("Invalid Marker"))
}

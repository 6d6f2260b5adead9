//! What a fault in one service may do to another: invariant 10.
use std::collections::BTreeMap;

use super::Violation;
use crate::release::Place;

/// What was done to each service's function, in order.
pub type Trace = BTreeMap<Place, Vec<String>>;

/// Invariant 10: A fault in service A changes nothing in the trace of service B but a bounded delay.
///
/// # Errors
/// The first other service whose trace is not what it is without the fault.
pub fn others_are_left_alone(struck: Place, without: &Trace, with: &Trace) -> Result<(), Violation> {
    for (place, expected) in without.iter().filter(|(place, _)| **place != struck) {
        let found = with.get(place).map(Vec::as_slice).unwrap_or_default();
        if found != expected {
            let what = format!(
                "a fault of `{}/{}` made of `{}/{}` {found:?} in place of {expected:?}",
                struck.0, struck.1, place.0, place.1
            );
            return Err(Violation::of(10, what));
        }
    }
    Ok(())
}

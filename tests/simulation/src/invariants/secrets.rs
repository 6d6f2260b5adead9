//! What may not be told: invariant 14.
use super::{Moment, Violation};

/// What is planted where only those may read it who need it: in a function's environment and in the credential for Git.
pub const SECRET: &str = "s3cr3t-that-nobody-tells";

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes())
}

/// Invariant 14: A planted secret appears in no metric, state object or history record.
pub(super) fn nothing_is_told(moment: &Moment<'_>) -> Result<(), Violation> {
    // Lambda wants a function's whole environment with any change of it.
    if moment.call.operation == "UpdateFunctionConfiguration" || !holds(&moment.call.body) {
        return Ok(());
    }
    Err(Violation::of(14, format!("{} of `{}` has it", moment.call.operation, moment.resource)))
}

/// Invariant 14: Nor in any answer.
///
/// # Errors
/// Where the text holds it.
pub fn spoken(answer: &str) -> Result<(), Violation> {
    if holds(answer.as_bytes()) {
        return Err(Violation::of(14, "an answer has it"));
    }
    Ok(())
}

//! Decides what a file says: text to positions, positions to shape, shape to values.
//!
//! Three passes, because each needs the one before to be safe. An event parser builds a bounded tree with positions
//! ([`events`], [`mod@tree`]); the tree is held against the JSON Schema that editors use too ([`shape`]), which leaves out
//! whatever is wrong; what remains is read with `serde_yaml` into the types of [`crate::parsed`]. So one wrong field hides no other.

mod events;
mod scalar;
pub(crate) mod secrets;
mod shape;
mod tree;

pub(crate) use scalar::is_text;
pub(crate) use shape::closest;
pub(crate) use tree::{Content, Entry, Node, Place};

use crate::problem::Findings;
use crate::source::SourceFile;
use serde::de::DeserializeOwned;
use serde_json::Value as Schema;

/// What was understood of a file. Problems, if any, are in the findings.
pub(crate) struct Document<T> {
    /// The values, without what was wrong.
    pub(crate) value: T,
    /// The tree they were read from, for positions.
    pub(crate) tree: Node,
}

/// What stands where in a file, whatever it means. `None` if it is no YAML; the findings say why.
pub(crate) fn tree(file: &SourceFile, findings: &mut Findings<'_>) -> Option<Node> {
    events::read(file, findings)
}

/// Reads a file of the given schema. `None` if nothing of it could be understood; the findings say why.
pub(crate) fn document<T: DeserializeOwned>(
    file: &SourceFile,
    schema: &Schema,
    findings: &mut Findings<'_>,
) -> Option<Document<T>> {
    let tree = events::read(file, findings)?;
    let value = shape::check(&tree, schema, findings)?;
    match serde_path_to_error::deserialize(value) {
        Ok(value) => Some(Document { value, tree }),
        Err(error) => {
            // The shape was right, so this is a gap between schema and types: still told with its place.
            let place = Place::of(&tree).at_path(error.path());
            findings.add(place.span(), format!("cannot be read: {}", error.inner()), "");
            None
        }
    }
}

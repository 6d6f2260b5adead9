//! The commands, one file each.
pub(crate) mod completions;
pub(crate) mod diff;
pub(crate) mod history;
pub(crate) mod schema;
pub(crate) mod status;
pub(crate) mod sync;
pub(crate) mod tree;
pub(crate) mod validate;

//! Lambda: what is read of functions, versions and aliases, the writes that a plan asks for, and smoke tests.
mod invoke;
mod paced;
mod read;
mod versions;
mod write;

pub use invoke::invoke;
pub use paced::Paced;
pub use read::{ReadAlias, ReadVersion, get_alias, get_function, is_provisioning, list_functions};
pub use versions::{delete_version, list_aliases, list_versions};
pub use write::{
    Traffic, create_alias, publish_version, restore_latest, set_reserved_concurrency, update_alias, update_code,
    update_configuration,
};

/// The operation with a rate of its own.
const GET_FUNCTION: &str = "lambda:GetFunction";

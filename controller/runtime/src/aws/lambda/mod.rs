//! Lambda: what is read of functions, versions and aliases, the writes that a plan asks for, and smoke tests.
mod invoke;
mod read;
mod versions;
mod write;

pub use invoke::invoke;
pub use read::{ReadAlias, ReadVersion, get_alias, get_function, is_provisioning, list_functions};
pub use versions::{delete_version, list_aliases, list_versions};
pub use write::{
    Traffic, create_alias, publish_version, set_reserved_concurrency, update_alias, update_code, update_configuration,
};

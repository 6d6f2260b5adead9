//! `tidegate schema [services|release-config]`.
use crate::arguments::{File, Format, Schema};
use crate::exit::{Error, Exit};
use crate::out;

pub(crate) fn run(wish: &Schema) -> Result<Exit, Error> {
    let schema = match wish.file {
        File::Services => release_schema::services_schema(),
        File::ReleaseConfig => release_schema::release_config_schema(),
    };
    out::document(&schema, Format::Json)?;
    Ok(Exit::Done)
}

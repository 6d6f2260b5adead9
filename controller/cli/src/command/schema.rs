//! `tidegate schema`: prints the JSON Schema of a file, as editors want it.
use release_schema::{release_config_schema, services_schema};

use crate::arguments::{Format, Schema, SchemaOf};
use crate::exit::{Error, Exit};
use crate::out::Out;

pub(crate) fn run(options: &Schema, out: &Out) -> Result<Exit, Error> {
    let schema = match options.file {
        SchemaOf::Services => services_schema(),
        SchemaOf::ReleaseConfig => release_config_schema(),
    };
    out.value(Format::Json, &schema, String::new)?;
    Ok(Exit::Done)
}

//! The JSON Schemas of the two files, generated from the types that they are read into.

use crate::parsed;
use schemars::generate::SchemaSettings;
use serde_json::Value;

/// The `format` of texts that carry a unit: written without one, they look like numbers.
pub(crate) const FORMAT_WITH_UNIT: &str = "with-unit";

/// The keyword of fields whose values are not to be shown (JSON Schema validation vocabulary, 9.4).
pub(crate) const SECRET: &str = "writeOnly";

/// The JSON Schema (draft 2020-12) of `environments/<env>/services.yaml`.
#[must_use]
pub fn services_schema() -> Value {
    schema_of::<parsed::ServicesFile>()
}

/// The JSON Schema (draft 2020-12) of `release-config.yaml`.
#[must_use]
pub fn release_config_schema() -> Value {
    schema_of::<parsed::ReleaseConfigFile>()
}

fn schema_of<T: schemars::JsonSchema>() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    forbid_null(&mut schema);
    schema
}

/// A field may be left out, but is never null: takes the null away that an `Option` allows.
fn forbid_null(schema: &mut Value) {
    match schema {
        Value::Object(keywords) => {
            if let Some(Value::Array(kinds)) = keywords.get_mut("type") {
                kinds.retain(|kind| kind != "null");
                if let [only] = kinds.as_slice() {
                    let only = only.clone();
                    keywords.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(allowed)) = keywords.get_mut("enum") {
                allowed.retain(|value| !value.is_null());
            }
            if let Some(Value::Array(choices)) = keywords.get_mut("anyOf") {
                choices.retain(|choice| choice.get("type").and_then(Value::as_str) != Some("null"));
                if let [Value::Object(only)] = choices.as_slice() {
                    let only = only.clone();
                    keywords.remove("anyOf");
                    keywords.extend(only);
                }
            }
            keywords.values_mut().for_each(forbid_null);
        }
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

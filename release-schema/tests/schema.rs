//! The schemas that are checked in, here and for editors in the sample repository, are those of the code.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]

use release_schema::{release_config_schema, services_schema};
use serde_json::Value;
use std::path::Path;

/// Set to `1`, the files are written anew: `UPDATE=1 cargo test -p release-schema --test schema`.
const UPDATE: &str = "UPDATE";

#[expect(clippy::disallowed_methods, reason = "tests may read the environment and files")]
fn check(path: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    let fresh = serde_json::to_string_pretty(schema).unwrap() + "\n";
    if std::env::var(UPDATE).is_ok_and(|value| value == "1") {
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == fresh, "`{}` is stale: run with `{UPDATE}=1`", path.display());
}

#[test]
fn the_schema_of_services_yaml_is_fresh() {
    check("schema/services.schema.json", &services_schema());
    check("../sample-release-repo/.schemas/services.schema.json", &services_schema());
}

#[test]
fn the_schema_of_release_config_yaml_is_fresh() {
    check("schema/release-config.schema.json", &release_config_schema());
    check("../sample-release-repo/.schemas/release-config.schema.json", &release_config_schema());
}

#[test]
fn no_field_may_be_null_and_no_mapping_is_open() {
    fn visit(schema: &Value, path: &str) {
        assert_ne!(schema.get("type").and_then(Value::as_str), Some("null"), "{path}");
        assert!(!schema.get("type").is_some_and(Value::is_array), "{path}");
        let allowed = schema.get("enum").and_then(Value::as_array).into_iter().flatten();
        assert_eq!(allowed.filter(|value| value.is_null()).count(), 0, "{path}");
        if schema.get("type").and_then(Value::as_str) == Some("object") {
            assert!(schema.get("additionalProperties").is_some_and(|others| *others != true), "{path}");
        }
        let children = ["properties", "$defs"].into_iter().filter_map(|key| schema.get(key)?.as_object()).flatten();
        for (name, child) in children {
            visit(child, &format!("{path}/{name}"));
        }
        for key in ["items", "additionalProperties"] {
            if let Some(child) = schema.get(key).filter(|child| child.is_object()) {
                visit(child, &format!("{path}/{key}"));
            }
        }
    }
    visit(&services_schema(), "services");
    visit(&release_config_schema(), "release-config");
}

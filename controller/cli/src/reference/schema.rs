//! Decides what the reference says of the release repository's files: what their JSON Schemas say.
use serde_json::{Map, Value};

use super::markdown::{code, codes, table};

pub(super) fn services() -> String {
    let schema = release_schema::services_schema();
    page(
        "`environments/<env>/services.yaml`",
        "[What may stand in a release repository](../release-repository.md) explains the fields with examples; this page has each of \
         them, as `tidegate schema services` prints it for editors.",
        &schema,
    )
}

pub(super) fn release_config() -> String {
    let schema = release_schema::release_config_schema();
    page(
        "`release-config.yaml`",
        "Each field, as `tidegate schema release-config` prints it for editors. What a service says itself is in \
         [`services.yaml`](services-yaml.md).",
        &schema,
    )
}

fn page(title: &str, about: &str, schema: &Value) -> String {
    let mut order = Vec::new();
    follow(schema, schema, &mut order);
    let whole = section(schema, schema);
    let parts = order.iter().map(|name| format!("## {name}\n\n{}", section(&schema["$defs"][name.as_str()], schema)));
    format!("# {title}\n\n{about}\n\n{whole}{}", parts.collect::<String>())
}

/// The definitions, in the order in which a reader meets them.
fn follow(schema: &Value, root: &Value, order: &mut Vec<String>) {
    let mut next = Vec::new();
    references(schema, &mut next);
    for name in next {
        if !order.contains(&name) {
            order.push(name.clone());
            follow(&root["$defs"][name.as_str()], root, order);
        }
    }
}

/// What a schema refers to itself, definitions aside.
fn references(schema: &Value, found: &mut Vec<String>) {
    match schema {
        Value::Object(keywords) => {
            found.extend(keywords.get("$ref").and_then(referred));
            keywords.iter().filter(|(key, _)| *key != "$defs").for_each(|(_, below)| references(below, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn referred(reference: &Value) -> Option<String> {
    reference.as_str()?.strip_prefix("#/$defs/").map(str::to_owned)
}

fn section(schema: &Value, root: &Value) -> String {
    let description = schema["description"].as_str().unwrap_or_default();
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let fields = schema["properties"].as_object().into_iter().flatten();
    let rows: Vec<_> = fields
        .map(|(name, field)| {
            let required = if required.contains(&name.as_str()) { "required" } else { "" };
            let about = field.get("$ref").and_then(referred).map_or(field, |name| &root["$defs"][name]);
            [code(name), kind(field), required.to_owned(), meaning(about)]
        })
        .collect();
    let choices = schema["oneOf"].as_array().into_iter().flatten().filter_map(|choice| choice["required"].as_array());
    let choices: Vec<_> = choices.map(|names| codes(names.iter().filter_map(Value::as_str))).collect();
    let choice = match choices.as_slice() {
        [] => String::new(),
        choices => format!("It has either {}, and not both.\n\n", choices.join("; or ")),
    };
    let exactly = match (&schema["minProperties"], &schema["maxProperties"]) {
        (Value::Number(_), Value::Number(_)) => "Exactly one of these fields is given.\n\n",
        _ => "",
    };
    format!("{description}\n\n{choice}{exactly}{}", table(["field", "what", "", "meaning"], &rows))
}

fn meaning(field: &Value) -> String {
    let mut text = field["description"].as_str().unwrap_or_default().to_owned();
    if let Some(pattern) = field["pattern"].as_str().filter(|_| field["format"] != "with-unit") {
        text += &format!(" Matches `{pattern}`.");
    }
    text.trim().to_owned()
}

/// What a value is, in a few words.
fn kind(field: &Value) -> String {
    if let Some(name) = field.get("$ref").and_then(referred) {
        return format!("[{name}](#{})", name.to_lowercase());
    }
    let empty = Map::new();
    let keywords = field.as_object().unwrap_or(&empty);
    if let Some(values) = keywords.get("enum").and_then(Value::as_array) {
        return codes(values.iter().filter_map(Value::as_str));
    }
    match keywords.get("type").and_then(Value::as_str) {
        Some("integer") => match (keywords.get("minimum"), keywords.get("maximum")) {
            (Some(least), Some(most)) => format!("{least} to {most}"),
            (Some(least), None) => format!("a whole number, {least} or more"),
            (None, _) => "a whole number".to_owned(),
        },
        Some("array") => format!("a list: {}", kind(&field["items"])),
        Some("object") => match kind(&field["additionalProperties"]).as_str() {
            "" | "anything" => "by name: anything".to_owned(),
            below => format!("by name: {below}"),
        },
        Some("string") if field["format"] == "with-unit" && field["description"].to_string().contains('%') => {
            "a percentage".to_owned()
        }
        Some("string") if field["format"] == "with-unit" => "a duration".to_owned(),
        Some("string") => "a text".to_owned(),
        Some("boolean") => "`true` or `false`".to_owned(),
        Some(other) => panic!("the reference has no word for `{other}`"),
        None => "anything".to_owned(),
    }
}

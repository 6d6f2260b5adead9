//! Decides whether a document has the shape of its JSON Schema, and hands on what of it does.
//!
//! The schema is the one that is generated from [`crate::parsed`] and checked in for editors, so an editor and Tidegate
//! refuse the same fields. Only the keywords that occur in it are understood here.

use super::scalar::{self, Plain};
use super::tree::{Content, Entry, Node};
use crate::problem::Findings;
use crate::schema::{FORMAT_WITH_UNIT, SECRET};
use crate::value::printable;
use serde_json::Value as Schema;
use serde_yaml::{Mapping, Value};
use std::ops::Range;

/// Holds a document against its schema. What is wrong is reported and left out: of a mapping, the field; of a list, the
/// item, in whose place a null is kept so that the others keep their numbers.
pub(super) fn check(root: &Node, schema: &Schema, findings: &mut Findings<'_>) -> Option<Value> {
    let mut shape = Shape { root: schema, findings };
    shape.read(root, schema, &At { name: "the file", key_span: &root.span, secret: false })
}

/// Where a value stands, and what messages call it.
struct At<'a> {
    name: &'a str,
    /// What is pointed at when the value itself cannot be, because there is none.
    key_span: &'a Range<usize>,
    /// Whether the value must not be repeated in a message.
    secret: bool,
}

impl At<'_> {
    fn named(&self) -> String {
        if self.name == "the file" { self.name.to_owned() } else { format!("`{}`", printable(self.name)) }
    }
}

struct Shape<'a, 's> {
    root: &'a Schema,
    findings: &'a mut Findings<'s>,
}

impl<'a> Shape<'a, '_> {
    fn resolve(&self, schema: &'a Schema) -> &'a Schema {
        let pointer = schema.get("$ref").and_then(Schema::as_str).and_then(|target| target.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    fn read(&mut self, node: &Node, schema: &'a Schema, at: &At<'_>) -> Option<Value> {
        let at = &At { secret: at.secret || schema.get(SECRET).is_some(), ..*at };
        let schema = self.resolve(schema);
        match (schema.get("type").and_then(Schema::as_str), &node.content) {
            (None, _) => self.read_any(node, at),
            (_, Content::Scalar { text, plain: true }) if scalar::resolve(text) == Plain::Null => {
                self.report_nothing(schema, at)
            }
            (Some("object"), Content::Map { entries, .. }) => self.read_map(entries, schema, at),
            (Some("array"), Content::List(items)) => Some(self.read_list(items, schema, at)),
            (Some("string"), Content::Scalar { text, plain }) => self.read_text(node, text, *plain, schema, at),
            (Some("integer"), Content::Scalar { text, plain }) => self.read_integer(node, text, *plain, schema, at),
            (Some("boolean"), Content::Scalar { text, plain }) => self.read_bool(node, text, *plain, at),
            (Some(kind), _) => self.report_kind(node, kind, at),
        }
    }

    fn report_nothing(&mut self, schema: &Schema, at: &At<'_>) -> Option<Value> {
        let hint = match (at.name, schema.get("type").and_then(Schema::as_str)) {
            ("services", _) => "write `services: {}` if nothing shall run here",
            ("pause", _) => "`pause: { duration: 10m }`, or `pause: {}` until a person promotes",
            (_, Some("object")) => "write `{}` if nothing shall be in it, or leave it out",
            (_, Some("array")) => "write `[]` if nothing shall be in it, or leave it out",
            _ => "give it a value, or leave it out",
        };
        self.findings.add(at.key_span.clone(), format!("{} has nothing behind it", at.named()), hint);
        None
    }

    fn report_kind(&mut self, node: &Node, expected: &str, at: &At<'_>) -> Option<Value> {
        let found = match &node.content {
            Content::Map { .. } => "a mapping",
            Content::List(_) => "a list",
            Content::Scalar { text, plain: true } => scalar::resolve(text).described(),
            Content::Scalar { plain: false, .. } => "a text",
        };
        let expected = match expected {
            "object" => "a mapping",
            "array" => "a list",
            "string" => "a text",
            "integer" => "a whole number",
            _ => "`true` or `false`",
        };
        let span = match &node.content {
            Content::Scalar { .. } => node.span.clone(),
            Content::Map { .. } | Content::List(_) => at.key_span.clone(),
        };
        let hint = if expected == "a mapping" { mapping_hint(node, at.name) } else { String::new() };
        self.findings.add(span, format!("{} must be {expected}, not {found}", at.named()), hint);
        None
    }

    fn read_map(&mut self, entries: &[Entry], schema: &'a Schema, at: &At<'_>) -> Option<Value> {
        let fields = schema.get("properties").and_then(Schema::as_object);
        let others = schema.get("additionalProperties").filter(|others| others.is_object());
        let mut read = Mapping::new();
        for Entry { key, key_span, value } in entries {
            let Some(schema) = fields.and_then(|fields| fields.get(key)).or(others) else {
                let known: Vec<&str> =
                    fields.into_iter().flat_map(|fields| fields.keys().map(String::as_str)).collect();
                let message = format!("unknown field `{}`", printable(key));
                self.findings.add(key_span.clone(), message, unknown_field_hint(key, &known));
                continue;
            };
            let at = At { name: key, key_span, secret: at.secret };
            read.insert(Value::from(key.as_str()), self.read(value, schema, &at).unwrap_or(Value::Null));
        }
        Some(Value::Mapping(read))
    }

    fn read_list(&mut self, items: &[std::rc::Rc<Node>], schema: &'a Schema, at: &At<'_>) -> Value {
        let Some(schema) = schema.get("items") else { return Value::Sequence(Vec::new()) };
        let name = format!("{}[]", at.name);
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            let at = At { name: &name, key_span: &item.span, secret: at.secret };
            read.push(self.read(item, schema, &at).unwrap_or(Value::Null));
        }
        Value::Sequence(read)
    }

    fn read_text(&mut self, node: &Node, text: &str, plain: bool, schema: &Schema, at: &At<'_>) -> Option<Value> {
        let guess = if plain { scalar::resolve(text) } else { Plain::Text };
        // `timeout: 30` lacks a unit, not quotes: that is said where the unit is read.
        let has_unit = schema.get("format").and_then(Schema::as_str) == Some(FORMAT_WITH_UNIT);
        if guess != Plain::Text && !has_unit {
            let (what, hint) = if at.secret {
                ("this value".to_owned(), "put it in quotes".to_owned())
            } else {
                (format!("`{}`", printable(text)), format!("put it in quotes: `\"{}\"`", printable(text)))
            };
            let message = format!("{} must be a text, but without quotes {what} is {}", at.named(), guess.described());
            self.findings.add(node.span.clone(), message, hint);
            return None;
        }
        if let Some(allowed) = schema.get("enum").and_then(Schema::as_array)
            && !allowed.iter().any(|one| one.as_str() == Some(text))
        {
            let allowed: Vec<&str> = allowed.iter().filter_map(Schema::as_str).collect();
            let message = format!("{} cannot be `{}`", at.named(), printable(text));
            self.findings.add(node.span.clone(), message, format!("one of {}", listed(&allowed)));
            return None;
        }
        Some(Value::from(text))
    }

    fn read_integer(&mut self, node: &Node, text: &str, plain: bool, schema: &Schema, at: &At<'_>) -> Option<Value> {
        let bound = |name: &str| schema.get(name).and_then(Schema::as_u64);
        let (least, most) = (bound("minimum").unwrap_or(0), bound("maximum").unwrap_or(u64::from(u32::MAX)));
        let range = format!("a whole number from {least} to {most}");
        if !plain || scalar::resolve(text) != Plain::Integer {
            let message = format!("{} must be a whole number, not `{}`", at.named(), printable(text));
            let unquoted = !plain && scalar::resolve(text) == Plain::Integer;
            let hint = if unquoted { format!("leave out the quotes: `{}`", printable(text)) } else { range };
            self.findings.add(node.span.clone(), message, hint);
            return None;
        }
        match text.parse::<u64>() {
            Ok(number) if (least..=most).contains(&number) => Some(Value::from(number)),
            Ok(_) | Err(_) => {
                let message = format!("{} cannot be `{}`", at.named(), printable(text));
                self.findings.add(node.span.clone(), message, range);
                None
            }
        }
    }

    fn read_bool(&mut self, node: &Node, text: &str, plain: bool, at: &At<'_>) -> Option<Value> {
        if plain && let Plain::Bool(value) = scalar::resolve(text) {
            return Some(Value::from(value));
        }
        let message = format!("{} must be `true` or `false`, not `{}`", at.named(), printable(text));
        self.findings.add(node.span.clone(), message, "");
        None
    }

    /// A value of any kind, as JSON has it. A scalar of which readers of YAML disagree is refused rather than guessed.
    fn read_any(&mut self, node: &Node, at: &At<'_>) -> Option<Value> {
        match &node.content {
            Content::Scalar { text, plain: false } => Some(Value::from(text.as_str())),
            Content::Scalar { text, plain: true } => self.read_any_plain(node, text, at),
            Content::List(items) => {
                Some(Value::Sequence(items.iter().map(|item| self.read_any(item, at).unwrap_or(Value::Null)).collect()))
            }
            Content::Map { entries, .. } => {
                let read = entries.iter().map(|entry| {
                    let at = At { name: &entry.key, key_span: &entry.key_span, secret: at.secret };
                    (Value::from(entry.key.as_str()), self.read_any(&entry.value, &at).unwrap_or(Value::Null))
                });
                Some(Value::Mapping(read.collect()))
            }
        }
    }

    fn read_any_plain(&mut self, node: &Node, text: &str, at: &At<'_>) -> Option<Value> {
        let number = match scalar::resolve(text) {
            Plain::Text => return Some(Value::from(text)),
            Plain::Null => return Some(Value::Null),
            Plain::Bool(value) => return Some(Value::from(value)),
            Plain::Integer => {
                text.parse::<u64>().map(Value::from).or_else(|_| text.parse::<i64>().map(Value::from)).ok()
            }
            Plain::Float => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
            Plain::OldBool | Plain::OddNumber | Plain::Date => None,
        };
        if number.is_none() {
            let message =
                format!("without quotes, `{}` means different things to different readers of YAML", printable(text));
            let hint = format!("put {} in quotes, or write the JSON value that is meant", at.named());
            self.findings.add(node.span.clone(), message, hint);
        }
        number
    }
}

/// How a mapping is written that people write as one word, or as a list.
fn mapping_hint(node: &Node, name: &str) -> String {
    let word = match &node.content {
        Content::Scalar { text, .. } => text.as_str(),
        Content::List(_) | Content::Map { .. } => "",
    };
    match (name, word) {
        ("pause", _) => "`pause: { duration: 10m }`, or `pause: {}` until a person promotes".to_owned(),
        ("strategy", "allAtOnce") => "write `strategy: { allAtOnce: {} }`".to_owned(),
        ("strategy", _) => {
            "`allAtOnce`, `canary`, `blueGreen` or `linear`, each with its own fields below it".to_owned()
        }
        ("expectJson", _) => "a value for each JSON pointer: `expectJson: { /version: \"v1.2.3\" }`".to_owned(),
        _ => String::new(),
    }
}

/// Fields that people look for here, and that are deliberately somewhere else or called otherwise.
fn unknown_field_hint(key: &str, known: &[&str]) -> String {
    let lower = key.to_ascii_lowercase().replace(['-', '_'], "");
    if ["account", "region", "role", "externalid", "arn"].iter().any(|word| lower.contains(word)) {
        return "accounts, roles and regions belong to the controller's configuration, never to the release repository"
            .to_owned();
    }
    let renamed = match lower.as_str() {
        "image" | "version" | "tag" => "imageTag",
        "name" | "function" | "lambda" => "functionName",
        "repository" | "imagerepository" => "ecrRepository",
        "memory" => "memorySize",
        "env" | "variables" => "environment",
        "concurrency" => "reservedConcurrency",
        "needs" | "requires" => "dependsOn",
        "progressdeadlineseconds" => "progressDeadline",
        "weight" => "setWeight",
        "interval" => "every",
        _ => "",
    };
    if known.contains(&renamed) {
        return format!("did you mean `{renamed}`?");
    }
    if let Some(meant) = closest(key, known) {
        return format!("did you mean `{meant}`?");
    }
    if known.len() <= 10 { format!("known here: {}", listed(known)) } else { String::new() }
}

/// The known name that `text` is most likely a misspelling of.
pub(crate) fn closest<'k>(text: &str, known: &[&'k str]) -> Option<&'k str> {
    // Beyond this no known name is near, and the comparison would cost its square.
    if text.len() > 100 {
        return None;
    }
    let flat = |text: &str| text.to_lowercase().replace(['-', '_'], "");
    let wanted = flat(text);
    let near = known.iter().map(|name| (strsim::normalized_damerau_levenshtein(&wanted, &flat(name)), *name));
    near.filter(|(likeness, _)| *likeness >= 0.7).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

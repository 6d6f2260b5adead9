//! AWS query: the operation and its members are form fields (`List.member.1.Name=…`), the answer is XML.
use std::collections::BTreeMap;

use chrono::SecondsFormat;

use super::xml::Element;
use super::{Value, structure};
use crate::wire::{Answer, AwsError};

/// Reads the form fields of a body (or of a query string); `Action` is among them.
pub(crate) fn read(form: &[u8]) -> Value {
    let mut tree = Tree::default();
    for (name, value) in url::form_urlencoded::parse(form) {
        tree.insert(&name, value.into_owned());
    }
    tree.into_value()
}

/// An answer: `<XResponse><XResult>…</XResult><ResponseMetadata>…`.
pub(crate) fn answer(namespace: &str, operation: &str, value: &Value) -> Answer {
    let result = element(&format!("{operation}Result"), value);
    let metadata = Element::new("ResponseMetadata").child(Element::text("RequestId", REQUEST_ID));
    let root = Element::new(format!("{operation}Response")).attribute("xmlns", namespace);
    super::xml::answer(200, &root.child(result).child(metadata))
}

/// An error.
pub(crate) fn error(namespace: &str, error: &AwsError) -> Answer {
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    let detail = Element::new("Error")
        .child(Element::text("Type", fault))
        .child(Element::text("Code", &error.code))
        .child(Element::text("Message", &error.message));
    let root = Element::new("ErrorResponse").attribute("xmlns", namespace).child(detail);
    super::xml::answer(error.status, &root.child(Element::text("RequestId", REQUEST_ID)))
}

/// The same error under the name that AWS query has for it: the front end's codes differ between protocols.
pub(crate) fn renamed(error: &AwsError) -> AwsError {
    let code = match error.code.as_str() {
        "ExpiredTokenException" => "ExpiredToken",
        "ThrottlingException" => "Throttling",
        "ValidationException" => "ValidationError",
        same => same,
    };
    AwsError { code: code.to_owned(), ..error.clone() }
}

/// The header `x-amzn-requestid` tells the real one; the body only needs a well-formed one.
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

/// A double as AWS writes it in text.
pub(crate) fn number(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        (if number > 0.0 { "Infinity" } else { "-Infinity" }).to_owned()
    } else {
        format!("{number:?}")
    }
}

fn element(name: &str, value: &Value) -> Element {
    match value {
        Value::Bool(flag) => Element::text(name, flag.to_string()),
        Value::Int(integer) => Element::text(name, integer.to_string()),
        Value::Double(double) => Element::text(name, number(*double)),
        Value::Text(text) => Element::text(name, text),
        Value::Time(time) => Element::text(name, time.to_rfc3339_opts(SecondsFormat::Millis, true)),
        Value::List(items) => Element::new(name).children(items.iter().map(|item| element("member", item))),
        Value::Struct(members) => {
            Element::new(name).children(members.iter().map(|(member, value)| element(member, value)))
        }
        Value::Dictionary(entries) => {
            Element::new(name).children(entries.iter().map(|(key, value)| {
                Element::new("entry").child(Element::text("key", key)).child(element("value", value))
            }))
        }
    }
}

/// The fields of a form, as the nesting that their dotted names spell.
#[derive(Default)]
struct Tree {
    value: Option<String>,
    children: BTreeMap<String, Tree>,
}

impl Tree {
    fn insert(&mut self, name: &str, value: String) {
        let leaf = name.split('.').fold(self, |node, part| node.children.entry(part.to_owned()).or_default());
        leaf.value = Some(value);
    }

    fn into_value(mut self) -> Value {
        if self.children.is_empty() {
            return self.value.map_or_else(structure, Value::Text);
        }
        if self.children.len() == 1
            && let Some(members) = self.children.remove("member")
        {
            let mut items: Vec<_> = members.children.into_iter().collect();
            items.sort_by_key(|(index, _)| index.parse::<u32>().unwrap_or(u32::MAX));
            return Value::List(items.into_iter().map(|(_, item)| item.into_value()).collect());
        }
        Value::Struct(self.children.into_iter().map(|(name, child)| (name, child.into_value())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_names_become_lists_in_the_order_of_their_numbers() {
        let fields: Vec<_> = (1..=11).map(|index| format!("Names.member.{index}=n{index}")).collect();
        let value = read(fields.join("&").as_bytes());
        assert_eq!(value.texts("Names").unwrap().last(), Some(&"n11"));
        assert_eq!(value.texts("Names").unwrap()[1], "n2");
    }

    #[test]
    fn structures_nest_inside_lists() {
        let value = read(b"Action=PutMetricData&MetricData.member.1.Dimensions.member.1.Name=A%20B");
        let datum = &value.list("MetricData").unwrap()[0];
        assert_eq!(datum.list("Dimensions").unwrap()[0].text("Name").unwrap(), Some("A B"));
    }

    #[test]
    fn an_answer_wraps_its_result() {
        let value = structure().with("Names", vec!["a&b"]);
        let body = answer("urn:x", "List", &value).into_body();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains("<ListResult><Names><member>a&amp;b</member></Names></ListResult>"), "{text}");
    }
}

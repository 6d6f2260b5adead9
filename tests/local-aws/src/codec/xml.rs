//! XML as S3 and AWS query write it: elements with text or children, and one namespace at the root.
use bytes::Bytes;
use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

use crate::wire::{Answer, AwsError};

/// One element: its text, or its children.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    /// An empty element.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }

    /// An element with text.
    pub(crate) fn text(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into(), ..Self::default() }
    }

    /// This element with one more attribute.
    #[must_use]
    pub(crate) fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.push((name.to_owned(), value.to_owned()));
        self
    }

    /// This element with one more child.
    #[must_use]
    pub(crate) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// This element with more children.
    #[must_use]
    pub(crate) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// The text of the child `name`.
    pub(crate) fn child_text(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }

    /// Every child called `name`.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    fn write(&self, out: &mut String) {
        out.push('<');
        out.push_str(&self.name);
        for (name, value) in &self.attributes {
            out.push_str(&format!(" {name}=\"{}\"", escape(value.as_str())));
        }
        if self.text.is_empty() && self.children.is_empty() {
            out.push_str("/>");
            return;
        }
        out.push('>');
        // A carriage return has to be a reference, or every reader turns it into a line feed.
        out.push_str(&escape(self.text.as_str()).replace('\r', "&#13;"));
        self.children.iter().for_each(|child| child.write(out));
        out.push_str(&format!("</{}>", self.name));
    }
}

/// An answer with `root` as its body.
pub(crate) fn answer(status: u16, root: &Element) -> Answer {
    let mut body = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    root.write(&mut body);
    http::Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .body(Bytes::from(body))
        .expect("a status and a content type make a valid answer")
}

/// Reads a request's body; namespaces and attributes do not matter here.
pub(crate) fn read(body: &[u8]) -> Result<Element, AwsError> {
    let malformed = || {
        AwsError::new(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    let text = std::str::from_utf8(body).map_err(|_| malformed())?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().map_err(|_| malformed())? {
            Event::Start(start) => open.push(Element::new(start.local_name().as_ref())),
            Event::Empty(empty) => {
                let parent = open.last_mut().ok_or_else(malformed)?;
                parent.children.push(Element::new(empty.local_name().as_ref()));
            }
            Event::End(_) => {
                let mut done = open.pop().ok_or_else(malformed)?;
                if !done.children.is_empty() {
                    done.text.clear();
                }
                open.last_mut().ok_or_else(malformed)?.children.push(done);
            }
            Event::Text(text) => open.last_mut().ok_or_else(malformed)?.text.push_str(&text.xml10_content()),
            Event::CData(data) => open.last_mut().ok_or_else(malformed)?.text.push_str(&data.xml10_content()),
            Event::GeneralRef(reference) => {
                let character = match reference.resolve_char_ref().map_err(|_| malformed())? {
                    Some(character) => character.to_string(),
                    None => predefined(&reference).ok_or_else(malformed)?.to_owned(),
                };
                open.last_mut().ok_or_else(malformed)?.text.push_str(&character);
            }
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
    match (open.len(), open.pop().and_then(|mut document| document.children.pop())) {
        (1, Some(root)) => Ok(root),
        _ => Err(malformed()),
    }
}

fn predefined(entity: &str) -> Option<&'static str> {
    Some(match entity {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "quot" => "\"",
        "apos" => "'",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_with_markup_and_line_ends_survives() {
        let key = "a<b>&\"c\"\r\n'd'";
        let root = Element::new("Delete").attribute("xmlns", "urn:x").child(Element::text("Key", key));
        assert_eq!(read(answer(200, &root).body()).unwrap().child_text("Key"), Some(key));
    }

    #[test]
    fn broken_xml_is_refused_as_s3_does() {
        for body in ["", "<a>", "<a></b>", "text", "<a>&unknown;</a>"] {
            assert_eq!(read(body.as_bytes()).unwrap_err().code, "MalformedXML", "{body}");
        }
    }
}

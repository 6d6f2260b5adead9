//! What a document is made of, and where each part stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// A part of the document.
#[derive(Debug)]
pub(crate) struct Node {
    /// Where it stands; of a mapping or list, its first line.
    pub(crate) span: Range<usize>,
    pub(crate) content: Content,
    /// How many nodes it is, with itself and all aliases expanded. A long text is as many as it costs.
    pub(super) size: usize,
    /// How many mappings and lists there are on the way to its deepest part, with itself.
    pub(super) height: usize,
}

/// What a part of the document is.
#[derive(Debug)]
pub(crate) enum Content {
    Scalar {
        text: String,
        /// Whether it stands without quotes, so that readers of YAML guess what it is.
        plain: bool,
    },
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<Entry>,
        /// Where each key is among the entries. A file may have a hundred thousand keys side by side.
        index: BTreeMap<String, usize>,
    },
}

/// A key of a mapping, and what stands behind it.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Range<usize>,
    pub(crate) value: Rc<Node>,
}

impl Node {
    /// What a file without content says: which field is missing there, is told later.
    pub(super) fn nothing() -> Self {
        let content = Content::Map { entries: Vec::new(), index: BTreeMap::new() };
        Self { span: 0..0, content, size: 1, height: 1 }
    }

    /// The field of a mapping, where it is written.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.content {
            Content::Map { entries, index } => entries.get(*index.get(key)?),
            Content::Scalar { .. } | Content::List(_) => None,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true } if matches!(text.as_str(), "" | "~" | "null"))
    }
}

/// A place in the document, for messages: a value, or where it is missing, what it should stand in.
#[derive(Clone, Debug)]
pub(crate) struct Place<'t> {
    span: Range<usize>,
    node: Option<&'t Node>,
}

impl<'t> Place<'t> {
    pub(crate) fn of(node: &'t Node) -> Self {
        Self { span: node.span.clone(), node: Some(node) }
    }

    pub(crate) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    fn entry(&self, key: &str) -> Option<&'t Entry> {
        self.node?.entry(key)
    }

    /// Whether the field is written, be it right or wrong.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    /// Whether this is a mapping in which something is written; if it is unknown there, that was reported.
    pub(crate) fn has_fields(&self) -> bool {
        matches!(self.node.map(|node| &node.content), Some(Content::Map { entries, .. }) if !entries.is_empty())
    }

    /// The place of a field: its value, or its key if the value is a mapping or list; this place if it is missing.
    pub(crate) fn field(&self, key: &str) -> Self {
        let Some(entry) = self.entry(key) else { return Self { span: self.span(), node: None } };
        let span = match &entry.value.content {
            Content::Scalar { text, plain: true } if text.is_empty() => entry.key_span.clone(),
            Content::Scalar { .. } => entry.value.span.clone(),
            Content::List(_) | Content::Map { .. } => entry.key_span.clone(),
        };
        Self { span, node: Some(&entry.value) }
    }

    /// The place of a key itself.
    pub(crate) fn key(&self, key: &str) -> Self {
        match self.entry(key) {
            Some(entry) => Self { span: entry.key_span.clone(), node: Some(&entry.value) },
            None => self.clone(),
        }
    }

    /// The place of a list's item.
    pub(crate) fn item(&self, index: usize) -> Self {
        let item = match self.node.map(|node| &node.content) {
            Some(Content::List(items)) => items.get(index),
            Some(Content::Scalar { .. } | Content::Map { .. }) | None => None,
        };
        item.map_or_else(|| self.clone(), |item| Self::of(item))
    }

    /// The place that a path of `serde` leads to.
    pub(crate) fn at_path(&self, path: &serde_path_to_error::Path) -> Self {
        path.iter().fold(self.clone(), |place, segment| match segment {
            serde_path_to_error::Segment::Seq { index } => place.item(*index),
            serde_path_to_error::Segment::Map { key } => place.field(key),
            serde_path_to_error::Segment::Enum { .. } | serde_path_to_error::Segment::Unknown => place,
        })
    }
}

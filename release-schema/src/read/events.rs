//! Decides whether a text is one bounded YAML document, and builds its tree.

use super::tree::{Content, Entry, Node};
use crate::problem::Findings;
use crate::source::SourceFile;
use crate::value::printable;
use saphyr_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

/// How deep mappings and lists may nest, aliases expanded. `services.yaml` itself needs eight.
const DEEPEST: usize = 32;

/// How many nodes all aliases of a file may expand to, together. Sharing a strategy among 500 services takes half of it.
const MOST_ALIASED: usize = 10_000;

/// So many bytes of a text count as one more node: aliases of one long text must not multiply it without limit.
const BYTES_OF_NODE: usize = 256;

/// Reads the one document of a file. `None` if there is none to work with; the findings say why.
pub(super) fn read(file: &SourceFile, findings: &mut Findings<'_>) -> Option<Node> {
    if !refuse_invisible(file, findings) {
        return None;
    }
    let mut builder = Builder::new(file, findings);
    let mut parser = Parser::new_from_str(file.text());
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, span)) => builder.take(event, span).ok()?,
            Err(error) => {
                let at = builder.offsets.byte(error.marker().index());
                // The parser has a limit of its own, which it reaches first where it has to look ahead.
                let message = match error.info() {
                    "recursion limit exceeded" => too_deep(),
                    info => format!("not valid YAML: {}", printable(info)),
                };
                builder.findings.add(at..at, message, syntax_hint(file.text(), at));
                return None;
            }
        }
    }
    let root = builder.root.take().and_then(Rc::into_inner);
    Some(root.filter(|root| !root.is_nothing()).unwrap_or_else(Node::nothing))
}

fn too_deep() -> String {
    format!("more than {DEEPEST} mappings and lists inside one another")
}

fn syntax_hint(text: &str, at: usize) -> &'static str {
    let line = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1);
    let indent = text.get(line..).unwrap_or_default();
    let indent = indent.get(..indent.len() - indent.trim_start_matches([' ', '\t']).len()).unwrap_or_default();
    if indent.contains('\t') { "YAML is indented with spaces, not with tabs" } else { "" }
}

/// Refuses characters that a reviewer cannot see: control characters, and those that change the direction of writing
/// (CVE-2021-42574).
fn refuse_invisible(file: &SourceFile, findings: &mut Findings<'_>) -> bool {
    let mut clean = true;
    for (at, character) in file.text().char_indices() {
        let control = character.is_control() && !matches!(character, '\t' | '\n' | '\r');
        let direction = matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if control || direction {
            let message = format!("the character U+{:04X} cannot be seen by a reviewer", u32::from(character));
            findings.add(at..at + character.len_utf8(), message, "delete it");
            clean = false;
        }
    }
    clean
}

/// Turns the event parser's character offsets into byte offsets.
struct Offsets {
    /// Byte offset of each character; `None` for a text in which they are the same.
    bytes: Option<Vec<usize>>,
    end: usize,
}

impl Offsets {
    fn new(text: &str) -> Self {
        let bytes = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { bytes, end: text.len() }
    }

    fn byte(&self, index: usize) -> usize {
        match &self.bytes {
            None => index.min(self.end),
            Some(bytes) => bytes.get(index).copied().unwrap_or(self.end),
        }
    }
}

/// A mapping or list that is still open.
struct Frame {
    start: usize,
    anchor: usize,
    items: Items,
    size: usize,
    height: usize,
}

enum Items {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<Entry>,
        index: BTreeMap<String, usize>,
        /// The key whose value comes next; its text is `None` if it is not to be kept.
        pending: Option<(Option<String>, Range<usize>)>,
    },
}

/// The file cannot be read on; the findings say why.
struct Stop;

struct Builder<'f, 's> {
    file: &'f SourceFile,
    offsets: Offsets,
    findings: &'f mut Findings<'s>,
    open: Vec<Frame>,
    anchors: BTreeMap<usize, Rc<Node>>,
    aliased: usize,
    documents: usize,
    root: Option<Rc<Node>>,
}

impl<'f, 's> Builder<'f, 's> {
    fn new(file: &'f SourceFile, findings: &'f mut Findings<'s>) -> Self {
        let offsets = Offsets::new(file.text());
        let (open, anchors) = (Vec::new(), BTreeMap::new());
        Self { file, offsets, findings, open, anchors, aliased: 0, documents: 0, root: None }
    }

    fn stop(&mut self, span: Range<usize>, message: impl Into<String>, hint: &str) -> Result<(), Stop> {
        self.findings.add(span, message, hint);
        Err(Stop)
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Stop> {
        let span = self.offsets.byte(span.start.index())..self.offsets.byte(span.end.index());
        let tag = match &event {
            Event::Scalar(_, _, _, tag) | Event::SequenceStart(_, tag) | Event::MappingStart(_, tag) => tag.is_some(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                false
            }
            Event::Alias(_) | Event::SequenceEnd | Event::MappingEnd => false,
        };
        if tag {
            self.findings.add(span.clone(), "YAML tags are not read", "leave out the `!…`; a text is put in quotes");
        }
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents == 1 {
                    return Ok(());
                }
                self.stop(span, "a second document begins here", "one file is one document: leave out the `---`")
            }
            Event::Scalar(text, style, anchor, _) => {
                let size = 1 + text.len() / BYTES_OF_NODE;
                let content = Content::Scalar { text: text.into_owned(), plain: style == ScalarStyle::Plain };
                self.place(Node { span, content, size, height: 0 }, anchor)
            }
            Event::Alias(anchor) => self.expand(anchor, span),
            Event::SequenceStart(anchor, _) => self.open(span, anchor, Items::List(Vec::new())),
            Event::MappingStart(anchor, _) => {
                let items = Items::Map { entries: Vec::new(), index: BTreeMap::new(), pending: None };
                self.open(span, anchor, items)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
        }
    }

    fn open(&mut self, span: Range<usize>, anchor: usize, items: Items) -> Result<(), Stop> {
        if self.open.len() >= DEEPEST {
            return self.stop(span, too_deep(), "");
        }
        self.open.push(Frame { start: span.start, anchor, items, size: 1, height: 0 });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Stop> {
        let Some(Frame { start, anchor, items, size, height }) = self.open.pop() else { return Ok(()) };
        let content = match items {
            Items::List(items) => Content::List(items),
            Items::Map { entries, index, pending: _ } => Content::Map { entries, index },
        };
        let text = self.file.text().get(start..).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end().len();
        self.place(Node { span: start..start + line, content, size, height: height + 1 }, anchor)
    }

    /// Puts what an alias stands for in its place, within the limits.
    fn expand(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Stop> {
        let Some(node) = self.anchors.get(&anchor).cloned() else {
            return self.stop(span, "this alias stands inside of what it stands for", "");
        };
        self.aliased = self.aliased.saturating_add(node.size);
        if self.aliased > MOST_ALIASED {
            let message = format!("the aliases up to here stand for more than {MOST_ALIASED} nodes");
            return self.stop(span, message, "put what services share under `defaults` in `release-config.yaml`");
        }
        if self.open.len() + node.height > DEEPEST {
            return self.stop(span, too_deep(), "this alias stands for several of them");
        }
        self.attach(node)
    }

    fn place(&mut self, node: Node, anchor: usize) -> Result<(), Stop> {
        let node = Rc::new(node);
        // Anchors count from 1; 0 is none.
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        self.attach(node)
    }

    fn attach(&mut self, node: Rc<Node>) -> Result<(), Stop> {
        let Some(frame) = self.open.last_mut() else {
            // An anchor at the root could only be meant by an alias inside it, which was refused.
            self.anchors.clear();
            self.root = Some(node);
            return Ok(());
        };
        frame.size = frame.size.saturating_add(node.size);
        frame.height = frame.height.max(node.height);
        match &mut frame.items {
            Items::List(items) => items.push(node),
            Items::Map { entries, index, pending } => match pending.take() {
                Some((Some(key), key_span)) => {
                    #[cfg(feature = "planted")]
                    if let Some(first) = index.get(&key).and_then(|at| entries.get_mut(*at)) {
                        first.value = node;
                        return Ok(());
                    }
                    entries.push(Entry { key, key_span, value: node });
                }
                Some((None, _)) => {}
                None => {
                    let (key, problem) = match &node.content {
                        Content::Scalar { text, plain } => check_key(text, *plain, entries, index),
                        Content::List(_) | Content::Map { .. } => (None, Some(KeyProblem::NotText)),
                    };
                    *pending = Some((key, node.span.clone()));
                    if let Some(problem) = problem {
                        self.report_key(node.span.clone(), problem);
                    }
                }
            },
        }
        Ok(())
    }

    fn report_key(&mut self, span: Range<usize>, problem: KeyProblem) {
        match problem {
            KeyProblem::NotText => self.findings.add(span, "a key must be a text", ""),
            KeyProblem::Merge => self.findings.add(
                span,
                "merge keys (`<<`) are not read",
                "put what services share under `defaults` in `release-config.yaml`",
            ),
            KeyProblem::Duplicate { key, first } => {
                let (line, _) = self.file.position(first);
                self.findings.add(
                    span,
                    format!("`{}` is already there, in line {line}", printable(&key)),
                    "keep one of them",
                );
            }
        }
    }
}

enum KeyProblem {
    NotText,
    Merge,
    Duplicate { key: String, first: usize },
}

/// Says whether a key is kept, and what is wrong with it.
fn check_key(
    text: &str,
    plain: bool,
    entries: &[Entry],
    index: &mut BTreeMap<String, usize>,
) -> (Option<String>, Option<KeyProblem>) {
    if plain && text == "<<" {
        return (None, Some(KeyProblem::Merge));
    }
    if plain && matches!(text, "" | "~") {
        return (None, Some(KeyProblem::NotText));
    }
    if let Some(first) = index.get(text).and_then(|at| entries.get(*at)) {
        if planted!(DuplicateKeyTakesLast) {
            return (Some(text.to_owned()), None);
        }
        return (None, Some(KeyProblem::Duplicate { key: text.to_owned(), first: first.key_span.start }));
    }
    // Its entry follows with its value.
    index.insert(text.to_owned(), entries.len());
    (Some(text.to_owned()), None)
}

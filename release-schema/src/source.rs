//! A file of the release repository, as text with positions: decides only that it is UTF-8 and not too big to be looked at.

use crate::problem::{Findings, Problems};
use std::ops::Range;

/// The largest file that is looked at, in bytes (2 MiB). 6,000 services take about a quarter of it.
pub const LARGEST_FILE: usize = 2 * 1024 * 1024;

/// What some editors put before a text to say that it is UTF-8.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A file of the release repository: its name, for messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    text: String,
    /// Whether a byte order mark stood before the text.
    marked: bool,
    /// Byte offset of each line's first character.
    lines: Vec<usize>,
}

impl SourceFile {
    /// Takes the bytes of the file that `name`, its path in the repository, stands for.
    ///
    /// # Errors
    /// If there are more than [`LARGEST_FILE`] bytes, or they are not UTF-8.
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Result<Self, Problems> {
        let name = name.into();
        let refused = |text: &str, at: usize, message: &str, hint: &str| {
            let file = Self::of(name.clone(), text.to_owned(), false);
            let mut findings = Findings::new(&file);
            findings.add(at..at, message, hint);
            Err(findings.into_problems(&[]))
        };
        if bytes.len() > LARGEST_FILE {
            let message =
                format!("the file has {} bytes, more than the {LARGEST_FILE} that are looked at", bytes.len());
            return refused("", 0, &message, "split the environment");
        }
        // An editor's byte order mark belongs to the encoding, not to the text.
        let (bytes, marked) = match bytes.strip_prefix(BYTE_ORDER_MARK.as_bytes()) {
            Some(bytes) => (bytes, true),
            None => (bytes, false),
        };
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self::of(name, text.to_owned(), marked)),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let before = String::from_utf8_lossy(valid);
                refused(&before, before.len(), "the file is not UTF-8 from here on", "save it as UTF-8")
            }
        }
    }

    fn of(name: String, text: String, marked: bool) -> Self {
        let bytes = text.as_bytes();
        // A carriage return ends a line too, unless a line feed follows (YAML 1.2.2, section 5.4).
        let ends_line = |at: usize| match bytes.get(at) {
            Some(b'\n') => true,
            Some(b'\r') => bytes.get(at + 1) != Some(&b'\n'),
            Some(_) | None => false,
        };
        let lines = std::iter::once(0).chain((0..bytes.len()).filter(|at| ends_line(*at)).map(|at| at + 1)).collect();
        Self { name, text, marked, lines }
    }

    /// The file's path in the repository.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file's text, without byte order mark.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Another text in place of this file's, with a byte order mark where this file has one.
    pub(crate) fn with_mark(&self, text: String) -> String {
        if self.marked { format!("{BYTE_ORDER_MARK}{text}") } else { text }
    }

    /// Line and column of a byte offset, both from 1; the column counts characters.
    pub(crate) fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.lines.get(index)).copied().unwrap_or(0);
        let column = self.text.get(start..offset).map_or(0, |before| before.chars().count());
        (line, column + 1)
    }

    /// The text for people's eyes: what stands in the `secret` byte ranges is masked, each byte by one `*`, so that all
    /// offsets stay.
    pub(crate) fn masked(&self, secret: &[Range<usize>]) -> String {
        let mut shown = String::with_capacity(self.text.len());
        let mut at = 0;
        for range in secret {
            let start = range.start.max(at);
            let (Some(open), Some(hidden)) = (self.text.get(at..start), self.text.get(start..range.end)) else {
                continue;
            };
            shown.push_str(open);
            for character in hidden.chars() {
                match character {
                    '\n' | '\r' | ' ' => shown.push(character),
                    _ => shown.extend(std::iter::repeat_n('*', character.len_utf8())),
                }
            }
            at = range.end;
        }
        shown.push_str(self.text.get(at..).unwrap_or_default());
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        let file = SourceFile::new("f", "äö: x\r\nb: y\rc: z\n".as_bytes()).unwrap();
        let position = |needle: &str| file.position(file.text().find(needle).unwrap());
        assert_eq!(position("äö"), (1, 1));
        assert_eq!(position("x"), (1, 5));
        assert_eq!(position("y"), (2, 4));
        assert_eq!(position("z"), (3, 4));
        assert_eq!(file.position(file.text().len()), (4, 1));
    }

    #[test]
    fn a_file_that_is_not_utf_8_is_refused_where_it_stops_being_it() {
        let problems = SourceFile::new("services.yaml", b"a: b\nc: \xff").unwrap_err();
        assert_eq!(problems.to_string(), "services.yaml:2:4: the file is not UTF-8 from here on (save it as UTF-8)");
    }

    #[test]
    fn a_file_beyond_the_limit_is_refused_unread() {
        let problems = SourceFile::new("services.yaml", &vec![b'#'; LARGEST_FILE + 1]).unwrap_err();
        assert!(problems.to_string().contains("2097153 bytes"), "{problems}");
        assert!(SourceFile::new("services.yaml", &vec![b'#'; LARGEST_FILE]).is_ok());
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(SourceFile::new("f", b"\xef\xbb\xbfa: b").unwrap().text(), "a: b");
    }

    #[test]
    fn masking_keeps_every_offset() {
        let file = SourceFile::new("f", "A: sécret\nB: 1\n".as_bytes()).unwrap();
        let masked = file.masked(&[3..10, 14..15]);
        assert_eq!(masked, "A: *******\nB: *\n");
    }
}

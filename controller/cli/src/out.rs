//! Writes what people and programs read. A reader that went away is no error; control characters never reach a terminal.
use std::io::{ErrorKind, Write as _};

use serde::Serialize;

use crate::arguments::Format;
use crate::exit::{Error, Exit};

/// Data, to standard output.
pub(crate) fn data(text: &str) -> Result<(), Error> {
    let written = writeln!(std::io::stdout().lock(), "{}", text.trim_end_matches('\n'));
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        other => Ok(other?),
    }
}

/// Data for programs.
pub(crate) fn document<T: Serialize>(value: &T, format: Format) -> Result<(), Error> {
    let encode =
        |error: &dyn std::fmt::Display| Error::new(Exit::Unavailable, format!("it could not be written: {error}"));
    let text = match format {
        Format::Json | Format::Table => serde_json::to_string_pretty(value).map_err(|error| encode(&error))?,
        Format::Yaml => serde_yaml::to_string(value).map_err(|error| encode(&error))?,
    };
    data(&text)
}

/// Something a person should know, to standard error.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", clean(text));
}

/// Why it could not be done, to standard error.
pub(crate) fn error(text: &str) {
    note(&format!("error: {text}"));
}

/// Text from outside, without what a terminal would obey: line breaks and spaces stay.
pub(crate) fn clean(text: &str) -> String {
    let harmless = |c: char| c == '\n' || !(c.is_control() || is_bidirectional(c));
    text.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// Characters that change the order in which others are shown.
const fn is_bidirectional(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
}

/// How wide what is printed may be: the terminal's width, else 80 columns.
pub(crate) fn width() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(width, _)| usize::from(width.0));
    told.or_else(terminal).unwrap_or(80).max(40)
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        assert_eq!(clean("Fix\u{1b}[31m it\r\n\u{202e}now"), "Fix\u{fffd}[31m it\u{fffd}\n\u{fffd}now");
    }
}

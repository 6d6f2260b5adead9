//! Writes: data to standard output, everything else to standard error, colour only where a person sees it.
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::arguments::Format;
use crate::exit::Error;
use crate::text;

/// The width where there is no terminal.
const WIDTH: usize = 80;
/// Narrower than this nothing can be read anyway.
const NARROWEST: usize = 40;

/// What a word means. It is said by the word itself; the colour repeats it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// A name to find with the eye.
    Strong,
    /// Beside the point.
    Faint,
    /// All is well.
    Good,
    /// Something is under way or waits.
    Busy,
    /// Something is wrong.
    Bad,
}

/// Whether and how words are coloured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// No colour at all.
    #[cfg(test)]
    pub(crate) const OFF: Self = Self { on: false };

    /// Whether there is colour.
    pub(crate) const fn is_on(self) -> bool {
        self.on
    }

    /// The text in its tone.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Plain => return text.to_owned(),
            Tone::Strong => "1",
            Tone::Faint => "2",
            Tone::Good => "32",
            Tone::Busy => "33",
            Tone::Bad => "31",
        };
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// How standard output is coloured.
    pub(crate) paint: Paint,
    /// How wide what is written may be, in columns.
    pub(crate) width: usize,
    error_paint: Paint,
}

impl Out {
    /// As the process was started. `NO_COLOR`, `TERM=dumb` and `COLUMNS` are heeded.
    pub(crate) fn of_this_process() -> Self {
        let terminal = io::stdout().is_terminal();
        let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let terminal_width =
            || terminal.then(terminal_size::terminal_size).flatten().map(|(width, _)| usize::from(width.0));
        let asked_for = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        Self {
            terminal,
            paint: Paint { on: colour && terminal },
            width: asked_for.or_else(terminal_width).unwrap_or(WIDTH).max(NARROWEST),
            error_paint: Paint { on: colour && io::stderr().is_terminal() },
        }
    }

    /// Writes data. That nobody reads on is no error: `tidegate status | head` is done.
    pub(crate) fn data(&self, text: &str) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes a value for programs; `table` makes the text for people.
    pub(crate) fn value<T: Serialize>(
        &self,
        format: Format,
        value: &T,
        table: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        let unwritable =
            |error: &dyn std::fmt::Display| Error::unavailable(format!("the answer cannot be shown: {error}"));
        match format {
            Format::Table => self.data(&table()),
            Format::Json => {
                let json = serde_json::to_string_pretty(value).map_err(|error| unwritable(&error))?;
                self.data(&format!("{json}\n"))
            }
            Format::Yaml => self.data(&serde_yaml::to_string(value).map_err(|error| unwritable(&error))?),
        }
    }

    /// Says something beside the data.
    pub(crate) fn note(&self, text: &str) {
        self.aside(&text::escaped_lines(text));
    }

    /// Says what went wrong, and what to do about it on a line of its own.
    pub(crate) fn error(&self, message: &str, hint: Option<&str>) {
        self.aside(&format!("{} {}", self.error_paint.paint(Tone::Bad, "error:"), text::escaped_lines(message)));
        if let Some(hint) = hint {
            self.aside(&format!("{} {}", self.error_paint.paint(Tone::Busy, "hint:"), text::escaped_lines(hint)));
        }
    }

    /// Says what may be wrong.
    pub(crate) fn warning(&self, message: &str) {
        self.aside(&format!("{} {}", self.error_paint.paint(Tone::Busy, "warning:"), text::escaped_lines(message)));
    }

    /// Nothing can be said where even standard error cannot be written.
    fn aside(&self, line: &str) {
        let _ = writeln!(io::stderr().lock(), "{line}");
    }
}

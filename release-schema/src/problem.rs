//! What is wrong with a file, and where: collected while it is read, shown all at once.

use crate::source::SourceFile;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::ops::Range;

/// How many problems of one file are shown. Whoever has more has made one mistake many times.
const MOST_SHOWN: usize = 100;

/// One thing that is wrong with a file of the release repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file's path in the repository.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
    /// What is wrong. Never contains the value of an environment variable.
    pub message: String,
    /// What would be right, where that is known.
    pub hint: Option<String>,
    /// The bytes of the file's text that are meant.
    pub span: Range<usize>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Problem {}

impl Diagnostic for Problem {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.hint.as_ref().map(|hint| Box::new(hint) as Box<dyn fmt::Display>)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(std::iter::once(LabeledSpan::new_with_span(None, self.span.clone()))))
    }
}

/// All problems of one file, at least one, in the file's order.
///
/// `Display` is the plain form for logs, a line for each: `file:line:column: message (hint)`. People at a terminal get
/// [`Problems::diagnostic`], which shows the lines meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    shown: Vec<Problem>,
    omitted: usize,
    /// The text, without the values of environment variables.
    source: NamedSource<String>,
}

impl Problems {
    /// The problems in the file's order; [`Problems::omitted`] says how many more there were.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.shown.iter()
    }

    /// How many problems were found beyond those that are shown.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }

    /// The problems with the file's text beside them, for `miette`'s report handlers. The values of environment variables
    /// are masked.
    #[must_use]
    pub fn diagnostic(&self) -> FileDiagnostic<'_> {
        FileDiagnostic(self)
    }
}

impl<'a> IntoIterator for &'a Problems {
    type Item = &'a Problem;
    type IntoIter = std::slice::Iter<'a, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Problem { file, line, column, message, hint, span: _ }) in self.shown.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{file}:{line}:{column}: {message}")?;
            if let Some(hint) = hint {
                write!(f, " ({hint})")?;
            }
        }
        if self.omitted > 0 {
            write!(f, "\n{}: {} more problems are not shown", self.source.name(), self.omitted)?;
        }
        Ok(())
    }
}

/// The [`Problems`] of a file as one diagnostic: a headline, and each problem below it with the lines meant.
#[derive(Clone, Copy, Debug)]
pub struct FileDiagnostic<'a>(&'a Problems);

impl fmt::Display for FileDiagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problems { shown, omitted, source } = self.0;
        match (shown.len() + omitted, omitted) {
            (1, _) => write!(f, "1 problem in `{}`", source.name()),
            (all, 0) => write!(f, "{all} problems in `{}`", source.name()),
            (all, _) => {
                write!(f, "{all} problems in `{}`, of which the first {} are shown", source.name(), shown.len())
            }
        }
    }
}

impl std::error::Error for FileDiagnostic<'_> {}

impl Diagnostic for FileDiagnostic<'_> {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.0.source)
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn Diagnostic> + 'a>> {
        Some(Box::new(self.0.shown.iter().map(|problem| problem as &dyn Diagnostic)))
    }
}

/// Collects problems of one file while it is read.
#[derive(Debug)]
pub(crate) struct Findings<'a> {
    file: &'a SourceFile,
    found: Vec<Problem>,
    omitted: usize,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(file: &'a SourceFile) -> Self {
        Self { file, found: Vec::new(), omitted: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Whether a costly hint is worth its time: beyond what is shown it is not.
    pub(crate) fn wants_hints(&self) -> bool {
        self.found.len() < MOST_SHOWN
    }

    /// Adds a problem; an empty `hint` is none.
    pub(crate) fn add(&mut self, span: Range<usize>, message: impl Into<String>, hint: impl Into<String>) {
        // Ten times of what is shown is kept: problems come by pass, not by place, and the first places are shown.
        if self.found.len() >= 10 * MOST_SHOWN {
            self.omitted += 1;
            return;
        }
        let (line, column) = self.file.position(span.start);
        // One line is pointed at: a text may go on for pages.
        let length = self.file.text().get(span.clone()).and_then(|meant| meant.find(['\n', '\r']));
        let span = span.start..length.map_or(span.end, |length| span.start + length);
        let hint = Some(hint.into()).filter(|hint| !hint.is_empty());
        self.found.push(Problem {
            file: self.file.name().to_owned(),
            line,
            column,
            message: message.into(),
            hint,
            span,
        });
    }

    /// The problems of the file, whose text is shown without what stands in the `secret` ranges.
    pub(crate) fn into_problems(mut self, secret: &[Range<usize>]) -> Problems {
        self.found.sort_by_key(|problem| (problem.span.start, problem.span.end));
        // Two passes may see the same mistake, such as an alias that is expanded twice.
        self.found.dedup();
        let omitted = self.omitted + self.found.len().saturating_sub(MOST_SHOWN);
        self.found.truncate(MOST_SHOWN);
        Problems { shown: self.found, omitted, source: NamedSource::new(self.file.name(), self.file.masked(secret)) }
    }
}

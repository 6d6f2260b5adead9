//! Lays out a table within a width: columns as wide as they need to be, long texts wrapped, notes below their row.
use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

use crate::out::{Paint, Tone};

/// Between two columns.
const GAP: usize = 2;
/// Before a note.
const INDENT: &str = "    ";
/// No column is made narrower.
const NARROWEST: usize = 4;

/// One value of a row; its text is shown as it is, escaped before.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    /// A value in its tone; nothing is shown as a dash.
    pub(crate) fn new(text: impl Into<String>, tone: Tone) -> Self {
        let text = text.into();
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, tone }
    }

    /// A value as it is.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// One row, and what is to be said of it beyond its columns.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// As many as there are columns.
    pub(crate) cells: Vec<Cell>,
    /// Each begins on a line of its own, and has the whole width.
    pub(crate) notes: Vec<Cell>,
}

/// The table, a line end after each line.
pub(crate) fn render(headers: &[&str], rows: &[Row], width: usize, paint: Paint) -> String {
    let heading =
        Row { cells: headers.iter().map(|header| Cell::new(*header, Tone::Faint)).collect(), notes: Vec::new() };
    let widths = widths(&heading, rows, width);
    let mut text = String::new();
    for row in std::iter::once(&heading).chain(rows) {
        push_cells(&mut text, row, &widths, paint);
        for note in &row.notes {
            push_wrapped(&mut text, INDENT, &note.text, note.tone, width, paint);
        }
    }
    text
}

/// A text below a heading or row: wrapped, and indented throughout.
pub(crate) fn push_wrapped(text: &mut String, indent: &str, note: &str, tone: Tone, width: usize, paint: Paint) {
    let indented = display_width(indent);
    let first = if indent.trim().is_empty() { indent.to_owned() } else { paint.paint(Tone::Faint, indent) };
    for (index, line) in wrap(note, width.saturating_sub(indented)).into_iter().enumerate() {
        if index == 0 {
            text.push_str(&first)
        } else {
            text.push_str(&" ".repeat(indented))
        }
        text.push_str(&paint.paint(tone, &line));
        text.push('\n');
    }
}

fn push_cells(text: &mut String, row: &Row, widths: &[usize], paint: Paint) {
    let columns: Vec<Vec<String>> =
        row.cells.iter().zip(widths).map(|(cell, width)| wrap(&cell.text, *width)).collect();
    let height = columns.iter().map(Vec::len).max().unwrap_or_default();
    for line in 0..height {
        let mut blank = 0;
        for ((cell, column), width) in row.cells.iter().zip(&columns).zip(widths) {
            let part = column.get(line).map_or("", String::as_str);
            if !part.is_empty() {
                text.push_str(&" ".repeat(blank));
                text.push_str(&paint.paint(cell.tone, part));
                blank = 0;
            }
            blank += width.saturating_sub(display_width(part)) + GAP;
        }
        text.push('\n');
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    // Only at spaces: a command or a path that is broken in two cannot be copied.
    let options = Options::new(width.max(NARROWEST))
        .word_splitter(WordSplitter::NoHyphenation)
        .word_separator(WordSeparator::AsciiSpace);
    textwrap::wrap(text, options).into_iter().map(|line| line.trim_end().to_owned()).collect()
}

/// As wide as their widest value, if that fits; else the widest give way, first down to their longest word.
fn widths(heading: &Row, rows: &[Row], width: usize) -> Vec<usize> {
    let all = || std::iter::once(heading).chain(rows);
    let widest = |measure: &dyn Fn(&str) -> usize| -> Vec<usize> {
        (0..heading.cells.len())
            .map(|column| {
                all().filter_map(|row| row.cells.get(column)).map(|cell| measure(&cell.text)).max().unwrap_or(0)
            })
            .collect()
    };
    let mut widths = widest(&display_width);
    let words = widest(&|text| text.split(' ').map(display_width).max().unwrap_or(0));
    let room = width.saturating_sub(GAP * widths.len().saturating_sub(1));
    shrink(&mut widths, &words, room);
    shrink(&mut widths, &vec![NARROWEST; words.len()], room);
    widths
}

fn shrink(widths: &mut [usize], least: &[usize], room: usize) {
    while widths.iter().sum::<usize>() > room {
        let wide = widths.iter_mut().zip(least).filter(|(width, least)| **width > **least);
        let Some((width, _)) = wide.max_by_key(|(width, _)| **width) else { return };
        *width -= 1;
    }
}

//! Decides how text from outside is shown: nothing of it may drive the terminal or reorder what is read.
use chrono::{DateTime, TimeDelta, Utc};

/// One line: control characters and those that reorder or hide text become visible.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_unsafe(c) { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Several lines: the same, but for line ends.
pub(crate) fn escaped_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(escaped).collect();
    lines.join("\n")
}

/// Several lines that carry our own colours: sequences that select a colour stay, everything else is escaped.
pub(crate) fn escaped_but_colours(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut pieces = text.split("\u{1b}[");
    shown.push_str(&escaped_lines(pieces.next().unwrap_or_default()));
    for piece in pieces {
        let end = piece.find(|c: char| !c.is_ascii_digit() && c != ';');
        match end.and_then(|end| piece.split_at_checked(end)) {
            Some((codes, rest)) if rest.starts_with('m') => {
                shown.push_str("\u{1b}[");
                shown.push_str(codes);
                shown.push_str(&escaped_lines(rest));
            }
            Some(_) | None => {
                shown.push_str("\\u{1b}[");
                shown.push_str(&escaped_lines(piece));
            }
        }
    }
    shown
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// So many of something: `1 service`, `2 services`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// This machine's time: for ages that people read, never for a decision.
pub(crate) fn now() -> DateTime<Utc> {
    std::time::SystemTime::now().into()
}

/// A time as people read it.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// A time of today, as people read it.
pub(crate) fn clock(time: DateTime<Utc>) -> String {
    time.format("%H:%M:%S").to_string()
}

/// A span of time, in the two units that matter. One that is negative is none.
pub(crate) fn duration(span: TimeDelta) -> String {
    match span.num_seconds() {
        ..=0 => "0 s".to_owned(),
        seconds @ 1..=59 => format!("{seconds} s"),
        seconds @ 60..=3_599 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
    }
}

/// How long ago, in the one unit that matters. A time ahead of this machine's clock is now.
pub(crate) fn ago(span: TimeDelta) -> String {
    match span.num_seconds() {
        ..=0 => "just now".to_owned(),
        seconds @ 1..=119 => format!("{seconds} s ago"),
        seconds @ 120..=7_199 => format!("{} min ago", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h ago", seconds / 3_600),
        seconds => format!("{} days ago", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_told_in_the_two_units_that_matter() {
        let spans = [-5, 0, 7, 60, 754, 3_600, 9_240].map(|seconds| duration(TimeDelta::seconds(seconds)));
        assert_eq!(spans, ["0 s", "0 s", "7 s", "1 min 0 s", "12 min 34 s", "1 h 0 min", "2 h 34 min"]);
    }

    #[test]
    fn what_would_drive_the_terminal_is_made_visible() {
        assert_eq!(
            escaped("fix \u{1b}[2J\u{7}\r\n\u{9b}31m \u{202e}end ü"),
            r"fix \u{1b}[2J\u{7}\r\n\u{9b}31m \u{202e}end ü"
        );
    }

    #[test]
    fn colours_of_our_own_stay_and_nothing_else_does() {
        let text = "\u{1b}[31mred\u{1b}[0m \u{1b}[2J \u{1b}]0;title\u{7}\n\u{1b}[38;5;1mx";
        assert_eq!(
            escaped_but_colours(text),
            "\u{1b}[31mred\u{1b}[0m \\u{1b}[2J \\u{1b}]0;title\\u{7}\n\u{1b}[38;5;1mx"
        );
    }

    #[test]
    fn a_clock_that_is_behind_shows_no_negative_age() {
        let ages = [-90, 0, 1, 119, 120, 7_199, 7_200, 172_800].map(|seconds| ago(TimeDelta::seconds(seconds)));
        assert_eq!(
            ages,
            ["just now", "just now", "1 s ago", "119 s ago", "2 min ago", "119 min ago", "2 h ago", "2 days ago"]
        );
    }
}

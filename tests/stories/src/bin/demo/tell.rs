//! How the demo speaks: chapters, steps, and what was checked. No line is wider than 80 columns, where its words allow.

/// What a terminal has at least.
const WIDTH: usize = 80;

/// A chapter begins.
pub(crate) fn chapter(title: &str) {
    println!("\n== {title}");
}

/// Something is done.
pub(crate) fn step(text: &str) {
    wrapped("   ", "      ", text);
}

/// One thing that a step did.
pub(crate) fn detail(text: &str) {
    wrapped("      ", "          ", text);
}

/// Something that had to hold, holds.
pub(crate) fn holds(text: &str) {
    wrapped(" ✓ ", "   ", text);
}

/// A command, as a person would type it.
pub(crate) fn command(line: &str) {
    println!();
    wrapped(" $ ", "     ", line);
}

/// What a command printed.
pub(crate) fn output(text: &str) {
    for line in text.trim_end().lines() {
        println!(" | {line}");
    }
}

/// The end.
pub(crate) fn end(text: &str) {
    println!("\n{text}");
}

/// Breaks at spaces.
fn wrapped(first: &str, further: &str, text: &str) {
    let mut line = first.to_owned();
    let mut words = 0;
    for word in text.split(' ') {
        if words > 0 && line.chars().count() + 1 + word.chars().count() > WIDTH {
            println!("{line}");
            line = further.to_owned();
            words = 0;
        }
        if words > 0 {
            line.push(' ');
        }
        line.push_str(word);
        words += 1;
    }
    println!("{line}");
}

//! How the demo speaks: chapters, steps, and what was checked.

/// A chapter begins.
pub(crate) fn chapter(title: &str) {
    println!("\n== {title}");
}

/// Something is done.
pub(crate) fn step(text: &str) {
    println!("   {text}");
}

/// Something that had to hold, holds.
pub(crate) fn holds(text: &str) {
    println!(" ✓ {text}");
}

/// A command, as a person would type it.
pub(crate) fn command(line: &str) {
    println!("\n   $ {line}");
}

/// What a command printed.
pub(crate) fn output(text: &str) {
    for line in text.trim_end().lines() {
        println!("   | {line}");
    }
}

/// The end.
pub(crate) fn end(text: &str) {
    println!("\n{text}");
}

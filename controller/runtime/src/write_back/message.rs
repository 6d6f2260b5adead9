//! Decides what the commit of a rollback says. What people wrote goes onto one line each, so that it cannot look like more.
use tidegate_core::history::Deployed;

use super::{Edit, RollbackConfig};
use crate::wanted::services_file;

/// Characters of the subject. Git's tools cut it at about 70; a service's name alone may have 63.
const LONGEST_SUBJECT: usize = 100;

/// Characters of a text that people wrote.
const LONGEST_TEXT: usize = 1_000;

/// The whole message.
pub(super) fn message(rollback: &RollbackConfig, edit: &Edit) -> String {
    let RollbackConfig { environment, service, record, at, actor, reason, commit: _, held_out, live } = rollback;
    let subject = on_one_line(&format!("Roll back {environment}/{service} to {}", live.label()), LONGEST_SUBJECT);
    let (held_out, live) = (held_out.label(), release(live));
    let at = at.format("%Y-%m-%d %H:%M:%S UTC");
    let (reason, actor) = (on_one_line(reason, LONGEST_TEXT), on_one_line(actor, LONGEST_TEXT));
    let file = services_file(environment);
    let merging = match edit {
        Edit::Made => format!("Merging this makes `{file}` name what is live."),
        Edit::NotNeeded => format!("`{file}` names what is live already."),
        Edit::Missing { why } => format!("`{file}` has to be set back by hand: {why}"),
    };
    format!(
        "{subject}\n\nAll traffic went to {live} at {at}; {held_out} is held out.\n\nReason: {reason}\nBy: {actor}\n\
         Record: {record} of `tidegate history {environment}/{service}`\n\n{merging}\n"
    )
}

fn release(deployed: &Deployed) -> String {
    let label = deployed.label();
    deployed.version.map_or_else(|| label.clone(), |version| format!("{label} (version {version})"))
}

/// The text without line breaks and whatever else is invisible, cut where it is long.
pub(super) fn on_one_line(text: &str, longest: usize) -> String {
    let visible: String = text.chars().map(|character| if is_hidden(character) { ' ' } else { character }).collect();
    let words: Vec<&str> = visible.split_whitespace().collect();
    let line = words.join(" ");
    if line.chars().count() <= longest {
        return line;
    }
    line.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
}

/// Control characters, and those that turn the direction of a text around.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::on_one_line;

    #[test]
    fn a_text_is_one_line_however_it_was_written() {
        let forged = "5xx\r\n\r\nSigned-off-by: Mallory\u{1b}[31m\u{202e}\0";
        assert_eq!(on_one_line(forged, 100), "5xx Signed-off-by: Mallory [31m");
    }

    #[test]
    fn a_long_text_is_cut_by_characters() {
        assert_eq!(on_one_line("ääää", 4), "ääää");
        assert_eq!(on_one_line("äääää", 4), "äää…");
    }
}

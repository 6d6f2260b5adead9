//! Decides how tables and texts are written in Markdown.

/// A table; no text where there is no row.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let rows: String = rows.iter().map(|row| line(row.clone().map(|text| cell(&text)))).collect();
    format!("{}{}{rows}\n", line(head.map(str::to_owned)), "|---".repeat(N) + "|\n")
}

/// A cell is one line, and a bar would end it.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// Names in code, with commas between them.
pub(super) fn codes<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_cell_stays_in_its_place() {
    let rows = [["`-o <a|b>`".to_owned(), "two\n lines".to_owned()]];
    assert_eq!(
        table(["option", "meaning"], &rows),
        "| option | meaning |\n|---|---|\n| `-o <a\\|b>` | two lines |\n\n"
    );
    assert_eq!(table(["option"], &[]), "");
}

//! Decides which links of pages lead nowhere: in Markdown as GitHub shows it, and in the book as a browser does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::Context;

/// Pages link so to what is no page: a reader of the book has no working tree.
const REPOSITORY: [&str; 2] =
    ["https://github.com/tidegate/tidegate/blob/main/", "https://github.com/tidegate/tidegate/tree/main/"];

/// Follows each link of Markdown pages that leads to a file here, and its anchor.
///
/// # Errors
/// All links that lead nowhere.
pub(crate) fn of_markdown(root: &Path, pages: &[PathBuf]) -> anyhow::Result<usize> {
    let mut texts = BTreeMap::new();
    for page in pages {
        texts.insert(page, fs::read_to_string(page).with_context(|| format!("cannot read `{}`", page.display()))?);
    }
    let (mut followed, mut dead) = (0, Vec::new());
    for (page, text) in &texts {
        for link in markdown_links(text) {
            let in_repository = REPOSITORY.iter().find_map(|prefix| link.strip_prefix(prefix));
            let (base, target) = match in_repository {
                Some(path) => (root, path),
                None if is_elsewhere(&link) => continue,
                None => (page.parent().unwrap_or(root), link.as_str()),
            };
            followed += 1;
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = if path.is_empty() { page.to_path_buf() } else { plain(&base.join(path)) };
            let is_page = file.extension().is_some_and(|extension| extension == "md");
            let lost = !anchor.is_empty()
                && is_page
                && !fs::read_to_string(&file).is_ok_and(|text| headings(&text).contains(anchor));
            if !file.exists() || lost {
                dead.push(format!("{}: `{link}`", shown(page, root)));
            }
        }
    }
    finish(followed, &dead)
}

/// Follows each link of the book as it was built, and its anchor.
///
/// # Errors
/// All links that lead nowhere.
pub(crate) fn of_book(book: &Path, pages: &[PathBuf]) -> anyhow::Result<usize> {
    let mut texts = BTreeMap::new();
    for page in pages {
        texts.insert(page.clone(), fs::read_to_string(page)?);
    }
    let identifiers: BTreeMap<_, BTreeSet<_>> =
        texts.iter().map(|(page, text)| (page.clone(), attributes(text, "id").collect())).collect();
    let (mut followed, mut dead) = (0, Vec::new());
    for (page, text) in &texts {
        for link in attributes(text, "href").chain(attributes(text, "src")).filter(|link| !is_elsewhere(link)) {
            followed += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if path.is_empty() { page.clone() } else { plain(&page.with_file_name("").join(path)) };
            let lost = !anchor.is_empty() && identifiers.get(&file).is_some_and(|known| !known.contains(anchor));
            if !file.exists() || lost {
                dead.push(format!("{}: `{link}`", shown(page, book)));
            }
        }
    }
    finish(followed, &dead)
}

fn finish(followed: usize, dead: &[String]) -> anyhow::Result<usize> {
    anyhow::ensure!(dead.is_empty(), "links that lead nowhere:\n  {}", dead.join("\n  "));
    anyhow::ensure!(followed > 0, "there was no link to follow");
    Ok(followed)
}

/// Another site, or no page at all.
fn is_elsewhere(link: &str) -> bool {
    ["http:", "https:", "mailto:", "data:", "javascript:"].iter().any(|scheme| link.starts_with(scheme))
}

/// Without `.` and `..`, so that two ways to a file are one.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

fn shown<'a>(page: &'a Path, root: &Path) -> std::path::Display<'a> {
    page.strip_prefix(root).unwrap_or(page).display()
}

/// The lines of a page that are text, and no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut fenced = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    })
}

/// What stands in the brackets of `[text](target)`.
fn markdown_links(text: &str) -> Vec<String> {
    let whole: String = prose(text).flat_map(|line| [line, "\n"]).collect();
    // Code in a line is no link, and the text of a link may be code: only code with a bracket of its own matters.
    let parts = whole.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    parts.map(|(target, _)| target.trim().to_owned()).filter(|target| !target.contains(char::is_whitespace)).collect()
}

/// The anchors of a page's headings, as GitHub and mdBook make them.
fn headings(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let slug = slug(line.trim_start_matches('#').trim());
        let again = (1..).map(|number| format!("{slug}-{number}"));
        let free = std::iter::once(slug.clone()).chain(again).find(|slug| !found.contains(slug));
        found.extend(free);
    }
    found
}

fn slug(heading: &str) -> String {
    let letters = heading.chars().filter_map(|letter| match letter {
        ' ' => Some('-'),
        '-' | '_' => Some(letter),
        _ => letter.is_alphanumeric().then_some(letter),
    });
    letters.flat_map(char::to_lowercase).collect()
}

/// The values of an attribute in HTML, as a program writes it.
fn attributes<'a>(html: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let start = format!(" {name}=\"");
    let parts: Vec<&str> = html.split(&start).skip(1).filter_map(|rest| rest.split('"').next()).collect();
    parts.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_has_the_anchor_that_github_gives_it() {
        let page =
            "# Old versions\n## `tidegate history show`\n## It is bad: back\n```\n# a comment\n```\n## Old versions\n";
        let expected = ["it-is-bad-back", "old-versions", "old-versions-1", "tidegate-history-show"];
        assert_eq!(headings(page), BTreeSet::from(expected.map(str::to_owned)));
    }

    #[test]
    fn links_are_found_in_text_and_not_in_code() {
        let page = "See [`drift`](drift.md#kinds)\nand [on\ncall](../on-call.md).\n```\n[no](link.md)\n```\n";
        assert_eq!(markdown_links(page), ["drift.md#kinds", "../on-call.md"]);
    }

    #[test]
    fn what_leads_nowhere_is_named_with_its_page() {
        let directory = std::env::temp_dir().join(format!("xtask-links-{}", std::process::id()));
        fs::create_dir_all(directory.join("docs")).unwrap();
        let [a, b] = ["docs/a.md", "docs/b.md"].map(|name| directory.join(name));
        fs::write(&a, "# A\n[b](b.md#there) [c](c.md) [b](b.md#nowhere) [x](https://example.com)\n").unwrap();
        fs::write(&b, "# B\n## There\n[a](./../docs/a.md) [self](#there)\n").unwrap();
        let error = of_markdown(&directory, &[a, b.clone()]).unwrap_err().to_string();
        let good = of_markdown(&directory, &[b]);
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(error, "links that lead nowhere:\n  docs/a.md: `c.md`\n  docs/a.md: `b.md#nowhere`");
        assert_eq!(good.unwrap(), 2);
    }

    #[test]
    fn a_book_is_followed_as_a_browser_does() {
        let directory = std::env::temp_dir().join(format!("xtask-book-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let [a, b] = ["a.html", "b.html"].map(|name| directory.join(name));
        fs::write(&a, r##"<h1 id="top"><a href="b.html#part">b</a> <a href="#top">x</a></h1>"##).unwrap();
        fs::write(&b, r#"<h1 id="part"></h1> <a href="a.html#bottom">a</a>"#).unwrap();
        let error = of_book(&directory, &[a, b]).unwrap_err().to_string();
        fs::remove_dir_all(&directory).unwrap();
        assert_eq!(error, "links that lead nowhere:\n  b.html: `a.html#bottom`");
    }
}

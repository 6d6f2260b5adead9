//! Effect: builds the book, follows all links, and writes its reference anew.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::command::{cargo, run};
use crate::counts::Counts;
use crate::links;
use crate::python::Venv;
use crate::workspace::Workspace;

/// Where pages are that are none of the book.
const BESIDE: [&str; 6] =
    ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "sample-release-repo/README.md"];

/// Builds the book, and follows each link of it and of the other pages.
pub(crate) fn build(workspace: &Workspace) -> anyhow::Result<Counts> {
    let book = workspace.target.join("book");
    let mut mdbook = Venv::ensure(workspace)?.command("mdbook");
    run(mdbook.arg("build").arg("--dest-dir").arg(&book).current_dir(&workspace.root))?;
    let written = workspace.files("docs", &[".md"])?;
    every_page_is_listed(&workspace.root.join("docs"), &book, &written)?;
    let beside = BESIDE.map(|page| workspace.root.join(page));
    let pages: Vec<PathBuf> = written.into_iter().chain(beside).collect();
    let in_markdown = links::of_markdown(&workspace.root, &pages)?;
    let built = html(&book)?;
    let in_book = links::of_book(&book, &built)?;
    println!("{} pages with {in_markdown} links, {} in the book with {in_book}", pages.len(), built.len());
    Ok(Counts { passed: 3, ..Counts::default() })
}

/// A page that `SUMMARY.md` does not list is in nobody's book.
fn every_page_is_listed(docs: &Path, book: &Path, written: &[PathBuf]) -> anyhow::Result<()> {
    let missing: Vec<_> = written
        .iter()
        .filter_map(|page| page.strip_prefix(docs).ok())
        .filter(|page| *page != Path::new("SUMMARY.md") && !book.join(in_book(page)).exists())
        .map(|page| format!("`{}`", page.display()))
        .collect();
    anyhow::ensure!(missing.is_empty(), "`docs/SUMMARY.md` does not list {}", missing.join(", "));
    Ok(())
}

/// Where mdBook puts a page.
fn in_book(page: &Path) -> PathBuf {
    if page.ends_with("README.md") { page.with_file_name("index.html") } else { page.with_extension("html") }
}

/// All pages of the book but the one for pages that are not there, which knows no place of its own.
fn html(book: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    crate::workspace::collect(book, &[".html"], &mut found)?;
    found.retain(|page| !page.ends_with("404.html") && !page.ends_with("toc.html"));
    found.sort();
    Ok(found)
}

/// Writes `docs/reference` anew, or only says whether it is fresh: the command line's tests make it, as they know its arguments.
pub(crate) fn reference(check: bool) -> anyhow::Result<ExitCode> {
    let mut test = cargo(&["test", "--locked", "--quiet", "--workspace", "--bin", "tidegate", "reference::"]);
    run(test.env("UPDATE", if check { "0" } else { "1" }))?;
    Ok(ExitCode::SUCCESS)
}

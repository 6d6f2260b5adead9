//! Decides what the reference of the book says: each page is made from the code that it is about, and has to be fresh.
//!
//! It is a test, so that nothing of it is shipped, and so that it sees the arguments as `clap` does.
mod commands;
mod events;
mod installation;
mod markdown;
mod metrics;
mod permissions;
mod rust;
mod schema;

use std::path::{Path, PathBuf};

/// Set to `1`, the pages are written anew: `cargo xtask reference`.
const UPDATE: &str = "UPDATE";

const HEAD: &str = "<!-- Made from the code by `cargo xtask reference`. Do not edit. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn source(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("`{path}`: {error}"))
}

/// Holds a page against the code, or writes it.
fn check(page: &str, text: &str) {
    let path = root().join("docs/reference").join(page);
    let (title, rest) = text.split_once('\n').unwrap();
    let fresh = format!("{title}\n\n{HEAD}{}\n", rest.trim_end());
    if std::env::var(UPDATE).is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == fresh, "`docs/reference/{page}` is stale: run `cargo xtask reference`");
}

#[test]
fn the_page_of_the_command_line_is_fresh() {
    check("command-line.md", &commands::page());
}

#[test]
fn the_page_of_exit_codes_is_fresh() {
    check("exit-codes.md", &commands::exit_codes());
}

#[test]
fn the_pages_of_the_release_repository_are_fresh() {
    check("services-yaml.md", &schema::services());
    check("release-config-yaml.md", &schema::release_config());
}

#[test]
fn the_page_of_the_installation_is_fresh() {
    check("installation.md", &installation::page());
}

#[test]
fn the_page_of_variables_is_fresh() {
    check("variables.md", &installation::variables());
}

#[test]
fn the_page_of_events_is_fresh() {
    check("events.md", &events::page());
}

#[test]
fn the_page_of_metrics_is_fresh() {
    check("metrics.md", &metrics::page());
}

#[test]
fn the_page_of_permissions_is_fresh() {
    check("permissions.md", &permissions::page());
}

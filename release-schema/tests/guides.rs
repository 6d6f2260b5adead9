//! The files that the guides show are valid: readers copy them.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests that cannot go on has failed its test")]
#![expect(clippy::disallowed_methods, reason = "tests may read files")]

use release_schema::{
    Environment, SourceFile, Strategy, read_environment, read_release_config, release_config_schema, services_schema,
};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A file that a guide shows in full: its first line is a comment with its path.
struct Shown {
    path: String,
    text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// All files that a guide shows in full.
fn shown(guide: &Path) -> Vec<Shown> {
    let guide = std::fs::read_to_string(guide).unwrap();
    let blocks = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let complete = blocks.filter_map(|text| Some((text.lines().next()?.strip_prefix("# ")?, text)));
    // Other comments are no path: the file of a rollback says who wrote it.
    let complete = complete.filter(|(path, _)| path.ends_with(".yaml"));
    complete.map(|(path, text)| Shown { path: path.to_owned(), text: text.to_owned() }).collect()
}

fn guides() -> Vec<PathBuf> {
    fn below(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    let mut found = vec![root().join("README.md")];
    below(&root().join("docs"), &mut found);
    found
}

fn services(shown: &Shown) -> Option<Environment> {
    let name = shown.path.strip_prefix("environments/")?.strip_suffix("/services.yaml")?;
    let config = format!("environments: {{ {name}: {{}} }}");
    let config = read_release_config(&SourceFile::new("release-config.yaml", config.as_bytes()).unwrap()).unwrap();
    let file = SourceFile::new(&shown.path, shown.text.as_bytes()).unwrap();
    let read = read_environment(&file, &name.parse().unwrap(), &config);
    Some(read.unwrap_or_else(|problems| panic!("{problems}\n{}", shown.text)))
}

#[test]
fn every_file_that_a_guide_shows_in_full_is_valid() {
    let all: Vec<Shown> = guides().iter().flat_map(|guide| shown(guide)).collect();
    for shown in &all {
        if shown.path == "release-config.yaml" {
            let file = SourceFile::new(&shown.path, shown.text.as_bytes()).unwrap();
            read_release_config(&file).unwrap_or_else(|problems| panic!("{problems}\n{}", shown.text));
        } else {
            assert!(services(shown).is_some_and(|environment| !environment.services.is_empty()), "{}", shown.path);
        }
    }
}

#[test]
fn the_guide_shows_each_strategy_in_a_file_of_its_own() {
    let files = shown(&root().join("docs/guides/progressive-delivery.md"));
    let environments: Vec<Environment> = files.iter().filter_map(services).collect();
    let strategies = environments.iter().flat_map(|environment| environment.services.values());
    let named: Vec<&str> = strategies
        .map(|service| match service.strategy {
            Strategy::AllAtOnce => "allAtOnce",
            Strategy::Canary(_) => "canary",
            Strategy::Linear(_) => "linear",
            Strategy::BlueGreen(_) => "blueGreen",
        })
        .collect();
    assert_eq!(named, ["allAtOnce", "canary", "linear", "blueGreen"]);
}

#[test]
fn the_reference_names_every_field() {
    fn fields(schema: &Value, found: &mut BTreeSet<String>) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            found.extend(properties.keys().cloned());
        }
        match schema {
            Value::Object(keywords) => keywords.values().for_each(|keyword| fields(keyword, found)),
            Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    fields(&services_schema(), &mut found);
    fields(&release_config_schema(), &mut found);
    let reference = std::fs::read_to_string(root().join("docs/release-repository.md")).unwrap();
    let words: BTreeSet<&str> = reference.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    let missing: Vec<&String> = found.iter().filter(|field| !words.contains(field.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(found.contains("expectJson") && found.len() > 30, "{found:?}");
}

#[test]
fn what_the_guide_draws_fits_a_terminal() {
    let guide = std::fs::read_to_string(root().join("docs/guides/progressive-delivery.md")).unwrap();
    let blocks = guide.split("```").skip(1).step_by(2);
    let wide: Vec<&str> = blocks.flat_map(str::lines).filter(|line| line.chars().count() > 80).collect();
    assert_eq!(wide, Vec::<&str>::new());
}

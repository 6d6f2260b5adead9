//! What the release team writes: all of it is read or refused, and what is refused is shown at places that exist.
use std::collections::BTreeSet;
use std::sync::LazyLock;

use release_schema::edit::{ArtifactText, set_back};
use release_schema::{
    Artifact, Environment, EnvironmentName, Problems, ReleaseConfig, Service, SourceFile, read_environment,
    read_release_config,
};

static CONFIG: LazyLock<ReleaseConfig> = LazyLock::new(|| {
    let file = SourceFile::new("release-config.yaml", b"environments: { test: {} }").expect("a file");
    read_release_config(&file).expect("a configuration")
});

static TEST: LazyLock<EnvironmentName> = LazyLock::new(|| "test".parse().expect("a name"));

/// `services.yaml`.
pub(crate) fn services(data: &[u8]) {
    match read(data) {
        Ok(environment) => {
            same_services_as_another_reader_sees(data, &environment);
            if let Some(service) = environment.services.values().next() {
                set_back_and_read_again(data, service);
            }
        }
        Err(problems) => can_be_shown(data, &problems),
    }
}

/// `release-config.yaml`.
pub(crate) fn release_config(data: &[u8]) {
    match SourceFile::new("release-config.yaml", data).and_then(|file| read_release_config(&file)) {
        Ok(config) => assert!(!config.environments.is_empty(), "an empty configuration was accepted"),
        Err(problems) => can_be_shown(data, &problems),
    }
}

fn read(data: &[u8]) -> Result<Environment, Problems> {
    read_environment(&SourceFile::new("services.yaml", data)?, &TEST, &CONFIG)
}

/// libyaml may be stricter. But what two readers read differently is not to be accepted: one of them may have reviewed it.
fn same_services_as_another_reader_sees(data: &[u8], environment: &Environment) {
    let Ok(value) = serde_yaml::from_slice::<serde_yaml::Value>(data) else { return };
    let services = value.get("services").and_then(serde_yaml::Value::as_mapping).expect("`services` is accepted");
    let names: BTreeSet<&str> = services.keys().map(|key| key.as_str().expect("a name is a text")).collect();
    let accepted: BTreeSet<&str> = environment.services.keys().map(AsRef::as_ref).collect();
    assert_eq!(accepted, names, "another reader sees other services");
}

/// What a rollback writes back changes the one service and nothing else, and is the same when it is written twice.
fn set_back_and_read_again(data: &[u8], service: &Service) {
    let Artifact::Image(_) = service.artifact else { return };
    let to = ArtifactText::Image { tag: "v0.0.0-before".parse().expect("a tag"), digest: None };
    let edit = |bytes: &[u8]| {
        let file = SourceFile::new("services.yaml", bytes).ok()?;
        set_back(&file, &TEST, &CONFIG, &service.name, &to).ok()
    };
    let Some(once) = edit(data) else { return };
    let read = read(once.as_bytes()).expect("what was written back is valid");
    let now = read.services.get(&service.name).expect("the service is still there");
    let Artifact::Image(image) = &now.artifact else { panic!("the package changed") };
    assert_eq!(image.tag.as_ref(), "v0.0.0-before");
    assert_eq!(edit(once.as_bytes()).as_ref(), Some(&once), "the second edit changes something");
}

fn can_be_shown(data: &[u8], problems: &Problems) {
    assert!(problems.iter().next().is_some(), "it is refused for nothing");
    if let Ok(text) = std::str::from_utf8(data) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = text.split(['\n', '\r']).count();
        for problem in problems {
            assert!(text.get(problem.span.clone()).is_some(), "no such place: {problem:?}");
            assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "no such place: {problem:?}");
        }
    }
    let shown = problems.to_string();
    assert!(!shown.chars().any(|character| character.is_control() && character != '\n'), "{shown:?}");
    let mut report = String::new();
    let handler = miette::GraphicalReportHandler::new_themed(miette::GraphicalTheme::unicode_nocolor());
    handler.render_report(&mut report, &problems.diagnostic()).expect("a report");
    assert!(!report.is_empty());
}

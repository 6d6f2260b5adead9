//! `validate`, over repositories that are right and wrong.
use serde_json::Value;

use crate::{ended, repository, run, sample, tidegate};

const CONFIG: &str = "environments:\n  production: {}\n  staging: {}\n";
const GOOD: &str = "services:\n  a:\n    functionName: A\n    ecrRepository: company/a\n    imageTag: \"v1\"\n";
const BAD: &str = "services:\n  a:\n    functionName: A\n    ecrRepository: company/a\n    imagTag: \"v1\"\n    environment: { TOKEN: 'planted-secret', PORT: 80 }\n";

fn validated_in(dir: &std::path::Path, arguments: &[&str]) -> crate::Ended {
    let mut command = tidegate(arguments);
    command.current_dir(dir);
    ended(command)
}

#[test]
fn the_sample_repository_is_valid() {
    let ended = run(&["validate", sample().to_str().unwrap()]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""));
    assert_eq!(ended.stderr, "valid: 6 services in 2 environments: `production`, `staging`\n");
}

#[test]
fn all_problems_of_all_files_are_told_at_once_one_a_line() {
    let dir = repository(&[
        ("release-config.yaml", "environments:\n  production: {}\n  staging: {}\n  test: {}\n"),
        ("environments/production/services.yaml", BAD),
        ("environments/staging/services.yaml", "services: [\n"),
        ("environments/rogue/services.yaml", GOOD),
    ]);
    let ended = validated_in(dir.path(), &["validate"]);
    assert_eq!(ended.code, 3);
    insta::assert_snapshot!(format!("{}---\n{}", ended.stdout, ended.stderr));
    assert!(!ended.stdout.contains("planted"), "the value of an environment variable is shown");
}

#[test]
fn environments_are_checked_even_where_the_defaults_are_broken() {
    let dir =
        repository(&[("release-config.yaml", "environment: {}\n"), ("environments/production/services.yaml", BAD)]);
    let ended = validated_in(dir.path(), &["validate"]);
    assert_eq!(ended.code, 3);
    insta::assert_snapshot!(format!("{}---\n{}", ended.stdout, ended.stderr));
}

#[test]
fn programs_get_the_same_as_json_and_yaml() {
    let dir = repository(&[
        ("release-config.yaml", CONFIG),
        ("environments/production/services.yaml", BAD),
        ("environments/staging/services.yaml", GOOD),
    ]);
    let ended = validated_in(dir.path(), &["validate", "-o", "json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (3, ""));
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json["valid"], false);
    assert_eq!(json["environments"], serde_json::json!(["staging"]));
    assert_eq!(json["problems"][0]["file"], "environments/production/services.yaml");
    assert!(json["problems"][0]["line"].as_u64() > Some(0));
    let yaml = validated_in(dir.path(), &["validate", "--output", "yaml"]);
    assert!(yaml.stdout.starts_with("valid: false\nenvironments:\n"), "{}", yaml.stdout);
}

#[test]
fn a_directory_that_is_no_release_repository_is_named() {
    let dir = repository(&[("README.md", "nothing here")]);
    let ended = validated_in(dir.path(), &["validate"]);
    assert_eq!(ended.code, 3);
    assert_eq!(
        ended.stderr,
        "error: `.` is no release repository: it has no `release-config.yaml`\n\
         hint: run it in the release repository, or name its directory\n"
    );
    let ended = validated_in(dir.path(), &["validate", "missing"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (3, "error: `missing` is no directory\n"));
}

#[test]
fn a_diff_of_files_that_are_not_valid_asks_nobody() {
    let dir = repository(&[
        ("release-config.yaml", "environments:\n  production: {}\n"),
        ("environments/production/services.yaml", BAD),
    ]);
    let ended = validated_in(dir.path(), &["diff"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (3, ""));
    assert!(ended.stderr.contains("environments/production/services.yaml:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("error: not valid: "), "{}", ended.stderr);
}

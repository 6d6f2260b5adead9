//! Whatever bytes a merge brings, reading them ends soon, without a panic, with places that exist.

#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on has failed its test")]

use proptest::prelude::*;
use release_schema::{Environment, Problems, ReleaseConfig, SourceFile, read_environment, read_release_config};
use std::collections::BTreeSet;
use std::fmt::Write as _;

fn config() -> ReleaseConfig {
    read_release_config(&SourceFile::new("release-config.yaml", b"environments: { test: {} }").unwrap()).unwrap()
}

fn read(bytes: &[u8]) -> Result<Environment, Problems> {
    let file = SourceFile::new("services.yaml", bytes)?;
    read_environment(&file, &"test".parse().unwrap(), &config())
}

/// What holds for every file, right or wrong.
fn check(text: &str) {
    if let Ok(config) =
        SourceFile::new("release-config.yaml", text.as_bytes()).and_then(|file| read_release_config(&file))
    {
        assert!(!config.environments.is_empty());
    }
    match read(text.as_bytes()) {
        Ok(environment) => {
            // A second parser, libyaml's, may be stricter, but must not see other services: what two readers read
            // differently is not accepted.
            if let Ok(value) = serde_yaml::from_str::<serde_yaml::Value>(text) {
                let services = value.get("services").and_then(serde_yaml::Value::as_mapping).unwrap();
                let names: BTreeSet<&str> = services.keys().map(|key| key.as_str().unwrap()).collect();
                assert!(environment.services.keys().map(AsRef::as_ref).eq(names));
            }
        }
        Err(problems) => {
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            assert!(problems.iter().next().is_some());
            for problem in &problems {
                assert!(text.get(problem.span.clone()).is_some(), "{problem:?}");
                let lines = text.split(['\n', '\r']).count();
                assert!((1..=lines).contains(&problem.line) && problem.column >= 1, "{problem:?}");
                assert!(!problem.message.chars().any(char::is_control), "{problem:?}");
            }
            let mut shown = String::new();
            miette::GraphicalReportHandler::new().render_report(&mut shown, &problems.diagnostic()).unwrap();
            assert!(!shown.is_empty());
        }
    }
}

/// Pieces that mean something to YAML or to the schema, so that their mixtures get further than noise does.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "services:",
        "services: {}",
        "environments:",
        "defaults:",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        "a:",
        "b: ",
        "- ",
        "? ",
        ": ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&a ",
        "*a",
        "<<: ",
        "!!str ",
        "'",
        "\"",
        "|",
        ">-",
        "#",
        "---\n",
        "...\n",
        "%TAG ! x\n",
        "functionName: F",
        "imageTag: v1",
        "imageTag: 1.10",
        "ecrRepository: x/y",
        "environment:",
        "LOG_LEVEL: info",
        "timeout: 3s",
        "strategy:",
        "canary:",
        "steps:",
        "setWeight: 10",
        "pause: {}",
        "dependsOn: [a, b]",
        "smokeTest:",
        "payload:",
        "ä",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\r",
        "\r\n",
        "\t",
        " ",
        "\\x",
        "1",
        "~",
        "null",
        "yes",
        "\u{0}",
        "\u{1f600}",
    ]);
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        check(&text);
    }

    #[test]
    fn any_mixture_of_what_means_something_is_read_or_refused(text in pieces()) {
        check(&text);
        check(&format!("services:\n  a:\n    functionName: F\n    imageTag: v1\n    ecrRepository: x/y\n    {text}"));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>()) {
        let read = read(&bytes);
        prop_assert!(read.is_err() || std::str::from_utf8(&bytes).is_ok());
    }
}

/// 500 kB of the text `unit`: of `{`, that costs libyaml 47 s.
fn much(unit: &str) -> String {
    unit.repeat(500_000 / unit.len())
}

#[test]
fn a_long_text_is_not_multiplied_by_aliases() {
    let service = "services:\n  a:\n    functionName: F\n    imageTag: v1\n    ecrRepository: x/y\n    smokeTest:";
    let payload =
        |length: usize| format!("{service} {{ payload: [&a {}{}] }}\n", "x".repeat(length), ", *a".repeat(1_000));
    assert!(read(payload(100).as_bytes()).is_ok());
    let refused = read(payload(1_000_000).as_bytes()).unwrap_err();
    assert!(refused.to_string().contains("stand for more than"), "{refused}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the time it takes is what is tested")]
fn hostile_files_are_refused_soon() {
    let mut side_by_side = "services:\n".to_owned();
    let mut bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for number in 0..30_000 {
        writeln!(side_by_side, "  s{number}: {{}}").unwrap();
    }
    for number in 1..1_000 {
        writeln!(bomb, "a{number}: &a{number} [{}]", format!("*a{},", number - 1).repeat(9)).unwrap();
    }
    let hostile = [
        "{", "[", "{\n", "? ", "- ", "a: {", "[[],", "&a ", "!x ", "'", "\"\\", "|\n", "#", "\r", "a\n", "%x\n", "*a ",
    ];
    let files =
        hostile.iter().map(|unit| much(unit)).chain([side_by_side, bomb, format!("services: {{{}}}", much("a: 1, "))]);
    for file in files {
        let start = std::time::Instant::now();
        let problems = read(file.as_bytes()).unwrap_err();
        assert!(!problems.to_string().is_empty());
        let shown: String = file.chars().take(20).collect();
        // Debug builds on a loaded machine take a few seconds at most; what is quadratic would take minutes.
        assert!(start.elapsed().as_secs() < 10, "{shown:?} took {:?}", start.elapsed());
    }
}

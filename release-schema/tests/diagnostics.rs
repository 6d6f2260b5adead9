//! What people read when a file is wrong: every kind of mistake, with its place and its hint.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper of tests that cannot go on has failed its test")]

use insta::assert_snapshot;
use miette::{GraphicalReportHandler, GraphicalTheme, NarratableReportHandler};
use release_schema::{Problems, ReleaseConfig, SourceFile, read_environment, read_release_config};

fn config() -> ReleaseConfig {
    let text = "environments:\n  production: {}\n  staging: {}\n";
    read_release_config(&SourceFile::new("release-config.yaml", text.as_bytes()).unwrap()).unwrap()
}

fn problems(text: &str) -> Problems {
    let file = SourceFile::new("services.yaml", text.as_bytes()).unwrap();
    match read_environment(&file, &"production".parse().unwrap(), &config()) {
        Ok(environment) => panic!("accepted: {environment:#?}"),
        Err(problems) => problems,
    }
}

/// The plain form of the problems of one service that is right but for `fields`.
fn of_service(fields: &str) -> String {
    let fields: String = fields.lines().map(|line| format!("    {line}\n")).collect();
    let head = "services:\n  a:\n    functionName: A\n    ecrRepository: company/a\n    imageTag: v1\n";
    problems(&format!("{head}{fields}")).to_string()
}

fn config_problems(text: &str) -> String {
    let file = SourceFile::new("release-config.yaml", text.as_bytes()).unwrap();
    read_release_config(&file).unwrap_err().to_string()
}

const SEVERAL: &str = "\
services:
  flight-service:
    imagTag: v1.2.3
    functionName: Production:FlightService
    ecrRepository: company/flight-service
    timeout: 30
    environment:
      API_TOKEN: planted-secret
      PORT: 8080
    timeout: 40s
  Reservation:
    functionName: ProductionReservation
    ecrRepository: company/reservation
    imageTag: 1.10
    dependsOn: [flight-servise]
";

#[test]
fn all_problems_of_a_file_are_shown_with_the_lines_meant() {
    let problems = problems(SEVERAL);
    let mut shown = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100);
    handler.render_report(&mut shown, &problems.diagnostic()).unwrap();
    assert_snapshot!(shown);
}

#[test]
fn all_problems_of_a_file_can_be_read_aloud() {
    let mut shown = String::new();
    NarratableReportHandler::new().render_report(&mut shown, &problems("services:\n").diagnostic()).unwrap();
    assert_snapshot!(shown);
}

#[test]
fn a_log_gets_one_line_for_each_problem() {
    assert_snapshot!(problems(SEVERAL));
}

#[test]
fn no_value_of_an_environment_variable_is_shown() {
    for text in [
        SEVERAL.to_owned(),
        SEVERAL.replace("environment:", "enviroment:"),
        // No YAML at all: there is no tree to tell the values by.
        format!("{SEVERAL}  ]"),
        SEVERAL.replace("API_TOKEN: planted-secret", "API_TOKEN: \"planted-secret"),
        SEVERAL.replace("environment:\n      API_TOKEN: planted-secret", "environment: { API_TOKEN: planted-secret ]"),
        SEVERAL.replace("planted-secret", "[planted-secret]"),
        SEVERAL.replace("    environment:", "    environment: {}\n    environment:"),
        format!("{SEVERAL}    x: &x {{ TOKEN: planted-secret }}\n    environment: *x\n"),
        SEVERAL.replace("planted-secret", "|\n        planted-secret\n        planted-secret"),
    ] {
        let problems = problems(&text);
        let mut shown = format!("{problems}\n{problems:?}\n");
        GraphicalReportHandler::new().with_context_lines(30).render_report(&mut shown, &problems.diagnostic()).unwrap();
        assert!(!shown.contains("planted-secret"), "{shown}");
    }
}

#[test]
fn a_field_that_is_unknown_is_told_what_was_meant() {
    assert_snapshot!(of_service(
        "imagetag: v2\nenv: { A1: b }\nroleArn: arn:aws:iam::123456789012:role/x\nregion: eu-west-1\nxyz: 1\nanalysis: { maxErrorrate: 1% }"
    ));
}

#[test]
fn a_text_that_readers_of_yaml_would_change_must_be_quoted() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: 1.10 }
  b: { functionName: B, ecrRepository: company/a, imageTag: 1e3 }
  c: { functionName: C, ecrRepository: company/a, imageTag: 0x1F }
  d: { functionName: D, ecrRepository: company/a, imageTag: 2024-01-01 }
  e: { functionName: on, ecrRepository: company/a, imageTag: yes }
  f: { functionName: F, ecrRepository: company/a, imageTag: 010 }
  g: { functionName: G, ecrRepository: company/a, imageTag: ~ }
  h: { functionName: 'on', ecrRepository: company/a, imageTag: '1.10', smokeTest: { payload: [yes, 1.5, 0o7] } }
"
    ));
}

#[test]
fn names_that_lambda_or_ecr_would_refuse_are_refused() {
    assert_snapshot!(problems(
        "\
services:
  a:
    functionName: arn:aws:lambda:eu-west-1:123456789012:function:A
    ecrRepository: Company/A
    imageTag: .v1
    alias: $LATEST
  b:
    functionName: B B
    ecrRepository: docker.io/library/b
    imageTag: sha256:0000000000000000000000000000000000000000000000000000000000000000
    alias: '42'
  c:
    functionName: C
    s3Bucket: s3://company
    s3Key: ''
    s3ObjectVersion: 'null'
    codeSha256: abc
"
    ));
}

#[test]
fn code_is_an_image_or_a_zip() {
    assert_snapshot!(problems(
        "\
services:
  both: { functionName: A, ecrRepository: company/a, imageTag: v1, s3Bucket: company }
  neither: { functionName: B }
  half-image: { functionName: C, imageTag: v1 }
  half-zip: { functionName: D, s3Bucket: company, s3Key: d.zip }
"
    ));
}

#[test]
fn weights_rise_and_stay_between_1_and_99() {
    assert_snapshot!(of_service(
        "strategy:
  canary:
    steps:
      - pause: { duration: 10m }
      - setWeight: 0
      - setWeight: 50
      - setWeight: 50
      - pause: { duration: 10 }
      - setWeight: 20
      - setWeight: 100
      - setWeight: 60%
      - { setWeight: 70, pause: {} }
      - {}"
    ));
}

#[test]
fn a_strategy_is_one_of_four_and_complete() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [] }, allAtOnce: {} } }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, strategy: {} }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, strategy: { canary: {} } }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 10 } } }
  e: { functionName: E, ecrRepository: company/a, imageTag: v1, strategy: { blueGreen: { previewAlias: live, autoPromote: yes } } }
  f: { functionName: F, ecrRepository: company/a, imageTag: v1, strategy: { canary: } }
  g: { functionName: G, ecrRepository: company/a, imageTag: v1, strategy: canary }
"
    ));
}

#[test]
fn a_weight_is_a_whole_percentage_and_a_pause_a_mapping() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [{ setWeight: 12.5 }, { setWeight: '20' }] } } }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [{ setWeight: 10 }, { pause: 10m }] } } }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [{ setWeight: -10 }, { pause: }] } } }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 0, every: 2m } } }
  e: { functionName: E, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 100, every: 2m } } }
  f: { functionName: F, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [{ pause: {} }] } } }
  g: { functionName: G, ecrRepository: company/a, imageTag: v1, strategy: allAtOnce }
"
    ));
}

#[test]
fn durations_of_a_strategy_are_neither_nothing_nor_for_ever() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [{ setWeight: 10 }, { pause: { duration: 0s } }, { pause: { duration: -5m } }] } } }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, strategy: { canary: { steps: [{ setWeight: 10 }, { pause: { duration: 400h } }, { setWeight: 20 }, { pause: { duration: 400h } }] } } }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 1, every: 8h } } }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 10, every: 500ms } } }
  e: { functionName: E, ecrRepository: company/a, imageTag: v1, strategy: { blueGreen: { bake: 721h } } }
  f: { functionName: F, ecrRepository: company/a, imageTag: v1, progressDeadline: 4m59s }
  g: { functionName: G, ecrRepository: company/a, imageTag: v1, progressDeadline: 25h, progressDeadlineAbort: no }
  h: { functionName: H, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 10, every: 2m } }, analysis: { maxDurationP99: 15m1s } }
  i: { functionName: I, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 10, every: 2m } }, analysis: { maxDurationP99: 0s } }
"
    ));
}

#[test]
fn a_field_of_a_strategy_that_is_unknown_is_told_what_was_meant() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, strategy: { canari: { steps: [] } } }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, strategy: { canary: { step: [], steps: [{ setWieght: 10 }, { pause: { durration: 5m } }] } } }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, strategy: { blueGreen: { previewalias: next, autoPromotion: false, baking: 5m } } }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, strategy: { linear: { step: 10, interval: 2m } } }
  e: { functionName: E, ecrRepository: company/a, imageTag: v1, strategy: { rolling: {} } }
  f: { functionName: F, ecrRepository: company/a, imageTag: v1, smokeTest: { payload: {}, expectStatusCode: 200 }, progressDeadlineSeconds: 600 }
"
    ));
}

#[test]
fn what_is_ignored_is_somebody_elses() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, memorySize: 512, ignoreDifferences: [memorySize, memory, tag, tag] }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, environment: { STAGE: x }, ignoreDifferences: [environment.STAGE, environment., alias] }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, ignoreDifferences: all, syncPolicy: { automatic: true, selfHeal: yes } }
"
    ));
}

#[test]
fn what_happens_once_it_is_removed_is_not_for_a_service_to_say() {
    let text = of_service("syncPolicy: { prune: true }");
    assert!(text.contains("unknown field `prune`"), "{text}");
}

#[test]
fn an_analysis_that_could_never_look_is_refused_where_a_service_writes_it() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, strategy: { allAtOnce: {} }, analysis: { maxErrorRate: 1% } }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, strategy: { blueGreen: {} }, analysis: { maxErrorRate: 1% } }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, strategy: { blueGreen: { bake: 0s } }, analysis: { alarms: [a] } }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, strategy: { blueGreen: { bake: 30m } }, analysis: { alarms: [a] } }
"
    ));
}

#[test]
fn a_smoke_test_has_an_event_and_sound_expectations() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, smokeTest: { expectStatus: 200 } }
  b:
    functionName: B
    ecrRepository: company/a
    imageTag: v1
    smokeTest:
      payload: {}
      expectJson:
        version: v1
        $.version: v1
        /a~2b: 1
        /body/on: yes
        /body/count: 1.0.0
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, smokeTest: { payload: {}, expectBody: 200, expectJson: [v1] } }
"
    ));
}

#[test]
fn quantities_have_their_units_and_ranges() {
    assert_snapshot!(of_service(
        "memorySize: 64
timeout: 16m
reservedConcurrency: -1
smokeTest: { expectStatus: 99 }
analysis:
  maxErrorRate: 1
  maxErrorRateIncrease: 101%
  maxDurationP99: 800
  minInvocations: '50'
  confidence: 100%
  alarms: [a, a]
  onMissingData: pass"
    ));
}

#[test]
fn environment_variables_are_those_that_lambda_takes() {
    let long = "x".repeat(4096);
    assert_snapshot!(of_service(&format!("environment: {{ AWS_REGION: x, 1A: x, A: x, LOG-LEVEL: x, LONG: {long} }}")));
}

#[test]
fn an_analysis_has_a_gate() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, analysis: { minInvocations: 50 } }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, analysis: { alarms: [] } }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, analysis: { alarms: ['arn:aws:cloudwatch:eu-west-1:1:alarm:a'] } }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, analysis: { maxErrorRate: 1%, confidence: 49.9% } }
"
    ));
}

#[test]
fn a_function_belongs_to_one_service() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: Same, ecrRepository: company/a, imageTag: v1 }
  b: { functionName: Same, ecrRepository: company/b, imageTag: v1 }
"
    ));
}

#[test]
fn dependencies_can_be_brought_into_an_order() {
    assert_snapshot!(problems(
        "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, dependsOn: [b, b] }
  b: { functionName: B, ecrRepository: company/a, imageTag: v1, dependsOn: [c] }
  c: { functionName: C, ecrRepository: company/a, imageTag: v1, dependsOn: [a] }
  d: { functionName: D, ecrRepository: company/a, imageTag: v1, dependsOn: [d, reservation] }
"
    ));
}

#[test]
fn a_key_is_there_once_and_is_not_a_merge() {
    assert_snapshot!(problems(
        "\
services:
  a: &a { functionName: A, ecrRepository: company/a, imageTag: v1 }
  b:
    <<: *a
    <<: *a
    functionName: B
    ecrRepository: company/b
    imageTag: !!str 1.10
  a: {}
  ? [x]
  : {}
"
    ));
}

#[test]
fn a_file_that_says_nothing_is_not_an_empty_environment() {
    let said: Vec<String> = ["", "# nothing\n", "services:\n", "services: []\n", "{}\n", "- a\n", "x\n", "---\n---\n"]
        .iter()
        .map(|text| format!("{text:?}\n{}\n", problems(text)))
        .collect();
    assert_snapshot!(said.join("\n"));
}

#[test]
fn what_is_no_yaml_is_refused_where_it_stops_being_it() {
    let said: Vec<String> = [
        "services: {",
        "services:\n\ta: b\n",
        "a: 'b\n",
        "a: b: c\n",
        "a: *b\n",
        "a: &b [*b]\n",
        "a: \u{1b}[2J\n",
        "a: b # \u{202e}\n",
    ]
    .iter()
    .map(|text| format!("{text:?}\n{}\n", problems(text)))
    .collect();
    assert_snapshot!(said.join("\n"));
}

#[test]
fn one_line_is_pointed_at_however_long_the_text_is() {
    let problems = problems(&format!("services: |\n{}", "  pages\n".repeat(1_000)));
    let mut shown = String::new();
    GraphicalReportHandler::new().render_report(&mut shown, &problems.diagnostic()).unwrap();
    assert!(shown.lines().count() < 15, "{shown}");
}

#[test]
fn beyond_a_hundred_problems_the_rest_is_counted() {
    let services: String = (0..2_000).map(|number| format!("  s{number}: x\n")).collect();
    let problems = problems(&format!("services:\n{services}"));
    assert_eq!((problems.iter().count(), problems.omitted()), (100, 1_900));
    assert!(problems.to_string().ends_with("services.yaml: 1900 more problems are not shown"));
    assert_eq!(problems.diagnostic().to_string(), "2000 problems in `services.yaml`, of which the first 100 are shown");
}

#[test]
fn an_environment_that_the_repository_does_not_list_is_refused() {
    let file = SourceFile::new("environments/test/services.yaml", b"services: {}\n").unwrap();
    assert_snapshot!(read_environment(&file, &"test".parse().unwrap(), &config()).unwrap_err());
}

#[test]
fn release_config_lists_environments_and_nothing_of_the_controller() {
    assert_snapshot!(config_problems(
        "\
account: '123456789012'
defaults:
  imageTag: v1
  alias: $LATEST
  timeout: 30
environments:
  Production: {}
  staging:
    region: eu-west-1
    defaults:
      strategy: { blueGreen: { previewAlias: live } }
      alias: live
      environment: { AWS_REGION: x }
  test:
"
    ));
}

#[test]
fn release_config_names_at_least_one_environment() {
    assert_snapshot!(format!("{}\n{}", config_problems("environments: {}\n"), config_problems("defaults: {}\n")));
}

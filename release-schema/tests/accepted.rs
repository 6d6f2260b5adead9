//! What a right file means, field by field.

#![expect(clippy::unwrap_used, reason = "a helper of tests that cannot go on has failed its test")]

use release_schema::{
    Analysis, Artifact, BlueGreen, Canary, Configuration, Environment, Image, Linear, OnMissingData, Percentage,
    Service, SmokeTest, SourceFile, Step, Strategy, SyncPolicy, Weight, Zip, read_environment, read_release_config,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

fn read(config: &str, services: &str) -> Environment {
    let config = read_release_config(&SourceFile::new("release-config.yaml", config.as_bytes()).unwrap()).unwrap();
    let file = SourceFile::new("services.yaml", services.as_bytes()).unwrap();
    read_environment(&file, &"production".parse().unwrap(), &config).unwrap()
}

fn service(environment: &Environment, name: &str) -> Service {
    environment.services.get(&name.parse().unwrap()).unwrap().clone()
}

fn weight(percent: u8) -> Weight {
    percent.try_into().unwrap()
}

const MINUTE: Duration = Duration::from_secs(60);
const ONE: &str = "environments: { production: {} }";

#[test]
fn every_field_of_an_image_service_is_read() {
    let digest = format!("sha256:{}", "ab".repeat(32));
    let services = format!(
        "\
services:
  reservation-service: {{ functionName: R, ecrRepository: company/r, imageTag: v1 }}
  flight-service:
    imageTag: \"v1.2.3@{digest}\"
    functionName: \"ProductionFlightService\"
    ecrRepository: \"123456789012.dkr.ecr.eu-west-1.amazonaws.com/company/flight-service\"
    alias: traffic
    strategy:
      canary:
        steps:
          - setWeight: 10
          - pause: {{ duration: 10m }}
          - setWeight: 50
          - pause: {{}}
    smokeTest: {{ payload: {{ path: /health, tries: [1, 2.5, -3, true, null] }}, expectStatus: 200, expectBody: ok, expectJson: {{ /body/version: v1.2.3 }} }}
    progressDeadline: 30m
    progressDeadlineAbort: true
    syncPolicy: {{ automated: false, selfHeal: true }}
    ignoreDifferences: [$LATEST, environment.SAMPLING]
    analysis:
      maxErrorRate: 1%
      maxErrorRateIncrease: 0.5%
      maxDurationP99: 800ms
      minInvocations: 20
      confidence: 95%
      maxInconclusive: 1
      alarms: [flight-5xx]
      onMissingData: fail
    dependsOn: [reservation-service]
    memorySize: 512
    timeout: 1m30s
    environment: {{ LOG_LEVEL: info, PORT: \"8080\" }}
    reservedConcurrency: 100
"
    );
    let expected = Service {
        name: "flight-service".parse().unwrap(),
        function: "ProductionFlightService".parse().unwrap(),
        alias: "traffic".parse().unwrap(),
        artifact: Artifact::Image(Image {
            repository: "123456789012.dkr.ecr.eu-west-1.amazonaws.com/company/flight-service".parse().unwrap(),
            tag: "v1.2.3".parse().unwrap(),
            digest: Some(digest.parse().unwrap()),
        }),
        configuration: Configuration {
            memory_size: Some(512),
            timeout: Some(90),
            environment: BTreeMap::from([
                ("LOG_LEVEL".to_owned(), "info".to_owned()),
                ("PORT".to_owned(), "8080".to_owned()),
            ]),
        },
        reserved_concurrency: Some(100),
        strategy: Strategy::Canary(Canary {
            steps: vec![
                Step::SetWeight(weight(10)),
                Step::Pause(Some(10 * MINUTE)),
                Step::SetWeight(weight(50)),
                Step::Pause(None),
            ],
        }),
        smoke_test: Some(SmokeTest {
            payload: serde_json::json!({ "path": "/health", "tries": [1, 2.5, -3, true, null] }),
            expect_status: Some(200),
            expect_body: Some("ok".to_owned()),
            expect_json: BTreeMap::from([("/body/version".parse().unwrap(), serde_json::json!("v1.2.3"))]),
        }),
        analysis: Some(Analysis {
            max_error_rate: Some(Percentage::of(1)),
            max_error_rate_increase: Some("0.5%".parse().unwrap()),
            max_duration_p99: Some(Duration::from_millis(800)),
            min_invocations: 20,
            confidence: Percentage::of(95),
            max_inconclusive: 1,
            alarms: BTreeSet::from(["flight-5xx".parse().unwrap()]),
            on_missing_data: OnMissingData::Fail,
        }),
        progress_deadline: 30 * MINUTE,
        progress_deadline_abort: true,
        sync_policy: SyncPolicy { automated: false, self_heal: true },
        ignored: BTreeSet::from(["$LATEST".parse().unwrap(), "environment.SAMPLING".parse().unwrap()]),
        depends_on: BTreeSet::from(["reservation-service".parse().unwrap()]),
    };
    assert_eq!(service(&read(ONE, &services), "flight-service"), expected);
}

#[test]
fn a_service_that_says_no_more_than_it_must_has_the_built_in_defaults() {
    let services = "services: { a: { functionName: A, ecrRepository: company/a, imageTag: v1 } }";
    let a = service(&read(ONE, services), "a");
    assert_eq!(a.alias.as_str(), "live");
    assert_eq!(a.strategy, Strategy::AllAtOnce);
    assert_eq!((a.smoke_test, a.analysis, a.reserved_concurrency), (None, None, None));
    assert_eq!((a.progress_deadline, a.progress_deadline_abort), (15 * MINUTE, false));
    assert_eq!(a.configuration, Configuration::default());
}

#[test]
fn every_field_of_a_zip_service_is_read() {
    let services = "\
services:
  a:
    functionName: A
    s3Bucket: company-artifacts
    s3Key: a/v1.zip
    s3ObjectVersion: \"3sL4kqtJlcpXroDTDmJ\"
    codeSha256: 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=
    strategy: { blueGreen: { previewAlias: candidate, autoPromote: false, bake: 30m } }
  b:
    functionName: B
    s3Bucket: company-artifacts
    s3Key: b/v1.zip
    s3ObjectVersion: \"1\"
    strategy: { linear: { step: 20, every: 2m } }
";
    let environment = read(ONE, services);
    let zip = |key: &str, version: &str, hash: Option<&str>| {
        Artifact::Zip(Zip {
            bucket: "company-artifacts".to_owned(),
            key: key.to_owned(),
            object_version: version.to_owned(),
            code_sha256: hash.map(|hash| hash.parse().unwrap()),
        })
    };
    let (a, b) = (service(&environment, "a"), service(&environment, "b"));
    let hash = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(a.artifact, zip("a/v1.zip", "3sL4kqtJlcpXroDTDmJ", Some(hash)));
    assert_eq!(b.artifact, zip("b/v1.zip", "1", None));
    let preview = Some("candidate".parse().unwrap());
    assert_eq!(
        a.strategy,
        Strategy::BlueGreen(BlueGreen { preview_alias: preview, auto_promote: false, bake: 30 * MINUTE })
    );
    assert_eq!(b.strategy, Strategy::Linear(Linear { step: weight(20), every: 2 * MINUTE }));
}

#[test]
fn the_nearest_place_wins_analysis_field_by_field_and_variables_one_by_one() {
    let config = "\
defaults:
  alias: traffic
  strategy: { linear: { step: 20, every: 2m } }
  smokeTest: { payload: {}, expectStatus: 200 }
  progressDeadline: 20m
  analysis: { maxErrorRate: 1%, alarms: [all] }
  timeout: 10s
  memorySize: 256
  environment: { LOG_LEVEL: info, STAGE: none, REGION: everywhere }
environments:
  staging: {}
  production:
    defaults:
      strategy: { allAtOnce: {} }
      analysis: { maxErrorRate: 2%, minInvocations: 9 }
      timeout: 20s
      environment: { STAGE: production }
";
    let services = "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1 }
  b:
    functionName: B
    ecrRepository: company/b
    imageTag: v1
    alias: own
    analysis: { alarms: [], maxDurationP99: 1s }
    memorySize: 128
    environment: { LOG_LEVEL: debug }
";
    let environment = read(config, services);
    let (a, b) = (service(&environment, "a"), service(&environment, "b"));
    assert_eq!((a.alias.as_str(), b.alias.as_str()), ("traffic", "own"));
    assert_eq!(a.strategy, Strategy::AllAtOnce);
    assert_eq!(a.smoke_test.unwrap().payload, serde_json::json!({}));
    assert_eq!((a.progress_deadline, b.progress_deadline), (20 * MINUTE, 20 * MINUTE));
    assert_eq!((a.configuration.memory_size, a.configuration.timeout), (Some(256), Some(20)));
    assert_eq!((b.configuration.memory_size, b.configuration.timeout), (Some(128), Some(20)));
    let variables = |service: &Configuration| -> Vec<String> {
        service.environment.iter().map(|(key, value)| format!("{key}={value}")).collect()
    };
    assert_eq!(variables(&a.configuration), ["LOG_LEVEL=info", "REGION=everywhere", "STAGE=production"]);
    assert_eq!(variables(&b.configuration), ["LOG_LEVEL=debug", "REGION=everywhere", "STAGE=production"]);
    let (a, b) = (a.analysis.unwrap(), b.analysis.unwrap());
    assert_eq!((a.max_error_rate, a.min_invocations, a.alarms.len()), (Some(Percentage::of(2)), 9, 1));
    assert_eq!((b.max_error_rate, b.min_invocations, b.alarms.len()), (Some(Percentage::of(2)), 9, 0));
    assert_eq!(b.max_duration_p99, Some(Duration::from_secs(1)));
}

#[test]
fn what_others_own_is_neither_compared_nor_applied() {
    let config = "\
defaults:
  memorySize: 256
  timeout: 10s
  environment: { LOG_LEVEL: info, SAMPLING: \"0.1\" }
  ignoreDifferences: [environment.SAMPLING]
environments:
  production:
    defaults: { syncPolicy: { selfHeal: true, prune: true }, ignoreDifferences: [memorySize] }
";
    let services = "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: v1, ignoreDifferences: [tag] }
  b:
    functionName: B
    ecrRepository: company/b
    imageTag: v1
    memorySize: 512
    environment: { SAMPLING: \"1\" }
    syncPolicy: { automated: false }
";
    let environment = read(config, services);
    let (a, b) = (service(&environment, "a"), service(&environment, "b"));
    let names = |service: &Service| service.ignored.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&a), ["environment.SAMPLING", "memorySize", "tag"]);
    assert_eq!((a.configuration.memory_size, a.configuration.timeout), (None, Some(10)));
    assert_eq!(a.configuration.environment, BTreeMap::from([("LOG_LEVEL".to_owned(), "info".to_owned())]));
    assert_eq!(a.sync_policy, SyncPolicy { automated: true, self_heal: true });
    assert_eq!(names(&b), Vec::<String>::new(), "what a service gives itself is its own");
    assert_eq!((b.configuration.memory_size, b.configuration.environment.len()), (Some(512), 2));
    assert_eq!(b.sync_policy, SyncPolicy { automated: false, self_heal: true });
    assert!(environment.prune);
}

#[test]
fn services_may_share_what_an_anchor_names() {
    let services = "\
services:
  a: { functionName: A, ecrRepository: company/a, imageTag: &tag v1, strategy: &careful { linear: { step: 20, every: 2m } } }
  b: { functionName: B, ecrRepository: company/b, imageTag: *tag, strategy: *careful }
";
    let environment = read(ONE, services);
    assert_eq!(service(&environment, "a").strategy, service(&environment, "b").strategy);
}

#[test]
fn an_environment_may_say_that_it_is_empty() {
    assert!(read(ONE, "services: {}").services.is_empty());
}

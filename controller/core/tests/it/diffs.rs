//! What people read before a change: the difference, and the plan in words. No value of an environment is in either.
use std::collections::BTreeMap;

use release_schema::{Configuration, Service};
use tidegate_core::diff::Difference;
use tidegate_core::live::{ConfigurationChange, LiveVersion};
use tidegate_core::release::Release;

use crate::build::*;
use crate::sim::{Crash, Sim};

const SECRETS: [&str; 3] = ["old-secret", "new-secret", "same-secret"];

fn variables(values: &[(&str, &str)]) -> BTreeMap<String, String> {
    values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn declared() -> Service {
    Service {
        configuration: Configuration {
            memory_size: Some(512),
            timeout: Some(3),
            environment: variables(&[("API_KEY", "new-secret"), ("MODE", "same-secret"), ("REGION", "new-secret")]),
        },
        reserved_concurrency: Some(100),
        ..service()
    }
}

fn version_1() -> LiveVersion {
    let mut live = live(Some(v(1)), image('a'), "r1");
    let environment = variables(&[("API_KEY", "old-secret"), ("MODE", "same-secret"), ("THEIRS", "old-secret")]);
    live.configuration.environment = Some(environment);
    live.reserved_concurrency = Some(50);
    live
}

fn unified(service: &Service, wanted: &Release, live: Option<&LiveVersion>, live_tag: Option<&str>) -> String {
    let text = Difference { service, wanted, live, live_tag }.unified("live", "git");
    for secret in SECRETS {
        assert!(!text.contains(secret), "{text}");
    }
    text
}

#[test]
fn a_release_is_a_unified_diff_with_masked_values() {
    let service = declared();
    let wanted = release_with('b', &service.configuration);
    insta::assert_snapshot!(unified(&service, &wanted, Some(&version_1()), Some("v-a")), @r"
    --- live
    +++ git
    @@ -1,9 +1,10 @@
     function: Flight
     alias: live
    -imageTag: v-a
    -digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    -memorySize: 128
    +imageTag: v-b
    +digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    +memorySize: 512
     timeout: 3
    -environment.API_KEY: ******** (live value)
    +environment.API_KEY: ******** (value in Git)
     environment.MODE: ********
    -reservedConcurrency: 50
    +environment.REGION: ********
    +reservedConcurrency: 100
    ");
}

#[test]
fn a_first_deploy_is_all_new() {
    let service = Service { reserved_concurrency: None, ..declared() };
    insta::assert_snapshot!(unified(&service, &release('b'), None, None), @r"
    --- live
    +++ git
    @@ -0,0 +1,9 @@
    +function: Flight
    +alias: live
    +imageTag: v-b
    +digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
    +memorySize: 512
    +timeout: 3
    +environment.API_KEY: ********
    +environment.MODE: ********
    +environment.REGION: ********
    ");
}

#[test]
fn an_archive_is_told_by_its_hash() {
    let live = live(Some(v(1)), zip('a'), "r1");
    insta::assert_snapshot!(unified(&service(), &zip_release('b'), Some(&live), None), @r"
    --- live
    +++ git
    @@ -1,3 +1,3 @@
     function: Flight
     alias: live
    -codeSha256: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaA=
    +codeSha256: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbA=
    ");
}

#[test]
fn what_git_does_not_give_is_no_difference() {
    let mut live = version_1();
    live.configuration.memory_size = 1_024;
    assert_eq!(unified(&service(), &release('a'), Some(&live), Some("v-a")), "");
}

#[test]
fn the_same_image_under_another_tag_or_none_is_no_difference() {
    for live_tag in [None, Some("v-old")] {
        assert_eq!(unified(&service(), &release('a'), Some(&version_1()), live_tag), "");
    }
}

#[test]
fn an_environment_that_cannot_be_decrypted_says_so() {
    let mut live = version_1();
    live.configuration.environment = None;
    let service = Service { reserved_concurrency: Some(50), ..declared() };
    insta::assert_snapshot!(unified(&service, &release('a'), Some(&live), None), @r"
    --- live
    +++ git
    @@ -2,9 +2,9 @@
     alias: live
     imageTag: v-a
     digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    -memorySize: 128
    +memorySize: 512
     timeout: 3
    -environment.API_KEY: ******** (cannot be decrypted)
    -environment.MODE: ******** (cannot be decrypted)
    -environment.REGION: ******** (cannot be decrypted)
    +environment.API_KEY: ********
    +environment.MODE: ********
    +environment.REGION: ********
     reservedConcurrency: 50
    ");
}

#[test]
fn a_change_lays_what_is_declared_over_what_is_live() {
    let change = ConfigurationChange::between(&version_1().configuration, &declared().configuration).unwrap();
    let environment = variables(&[
        ("API_KEY", "new-secret"),
        ("MODE", "same-secret"),
        ("REGION", "new-secret"),
        ("THEIRS", "old-secret"),
    ]);
    assert_eq!(
        change,
        ConfigurationChange {
            memory_size: Some(512),
            timeout: None,
            environment: Some(environment),
            environment_names: vec!["API_KEY".to_owned(), "REGION".to_owned()],
        }
    );
    assert_eq!(ConfigurationChange::between(&version_1().configuration, &Configuration::default()), None);
}

#[test]
fn no_value_is_in_a_debug_line() {
    let change = ConfigurationChange::between(&version_1().configuration, &declared().configuration);
    for text in [format!("{:?}", version_1()), format!("{change:?}"), format!("{:?}", declared())] {
        for secret in SECRETS {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("API_KEY"), "{text}");
    }
}

#[test]
fn a_plan_reads_like_this() {
    let mut sim = Sim::unseen();
    sim.git_wants('b');
    sim.service.configuration.environment = variables(&[("API_KEY", "new-secret")]);
    sim.service.configuration.memory_size = Some(512);
    sim.wanted = Ok(release_with('b', &sim.service.configuration));
    let mut told = Vec::new();
    for tick in 0..4 {
        // An answer is lost, so that `$LATEST` is published once more.
        let crash = (tick == 1).then_some(Crash::After(1));
        let (plan, _) = sim.tick_until(crash);
        told.extend(plan.actions.iter().map(|action| format!("{tick} {action}")));
        sim.aws_finishes();
    }
    sim.service.reserved_concurrency = Some(7);
    told.extend(sim.tick().actions.iter().map(ToString::to_string));
    let told = told.join("\n");
    assert!(!told.contains("new-secret"), "{told}");
    insta::assert_snapshot!(told, @r"
    0 record transition 1 as adopted
    0 begin transition 2 to v-b
    0 set memorySize, environment.API_KEY
    1 go on with transition 2 to v-b
    1 publish flight-service@sha256:bbbbbbbbbbbb
    1 note the published version
    2 go on with transition 2 to v-b
    2 publish `$LATEST`, which has sha256:bbbbbbbbbbbb
    2 note the published version
    3 send all traffic to version 2
    3 record transition 2 as promoted
    3 write version 2 to the service registry
    3 finish the transition
    set reservedConcurrency to 7
    ");
}

//! The sample release repository is valid, and means what its README says.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its files has failed")]
#![expect(clippy::disallowed_methods, reason = "tests may read files")]

use release_schema::{Artifact, Environment, SourceFile, read_environment, read_release_config};
use std::path::Path;

fn file(path: &str) -> SourceFile {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample-release-repo");
    SourceFile::new(path, &std::fs::read(root.join(path)).unwrap()).unwrap()
}

fn environment(name: &str) -> Environment {
    let config = read_release_config(&file("release-config.yaml")).unwrap();
    let file = file(&format!("environments/{name}/services.yaml"));
    read_environment(&file, &name.parse().unwrap(), &config).unwrap()
}

#[test]
fn both_environments_run_the_same_services_on_functions_of_their_own() {
    for (name, prefix) in [("staging", "Staging"), ("production", "Production")] {
        let environment = environment(name);
        let services: Vec<&str> = environment.services.keys().map(AsRef::as_ref).collect();
        assert_eq!(services, ["flight-bff", "flight-service", "reservation-service"]);
        for (name, service) in &environment.services {
            assert!(service.function.as_str().starts_with(prefix), "{}", service.function);
            assert_eq!(service.alias.as_str(), "live");
            let Artifact::Image(image) = &service.artifact else { panic!("{name} has no image") };
            assert_eq!(image.repository.to_string(), format!("company/{name}"));
        }
    }
}

#[test]
fn staging_switches_at_once_and_production_goes_step_by_step() {
    let strategies = |name: &str| -> Vec<String> {
        environment(name).services.values().map(|service| format!("{}: {}", service.name, service.strategy)).collect()
    };
    assert_eq!(
        strategies("staging"),
        ["flight-bff: allAtOnce", "flight-service: allAtOnce", "reservation-service: allAtOnce"]
    );
    assert_eq!(
        strategies("production"),
        [
            "flight-bff: linear 25% every 5m",
            "flight-service: canary 10%, 10m, 50%, 10m",
            "reservation-service: canary 10%, 10m, 50%, 10m"
        ]
    );
    for service in environment("production").services.values() {
        assert!(service.strategy.is_judged() && service.analysis.is_some(), "{}", service.name);
    }
}

#[test]
fn the_backend_for_frontends_goes_last() {
    let production = environment("production");
    let bff = &production.services[&"flight-bff".parse().unwrap()];
    let first: Vec<&str> = bff.depends_on.iter().map(AsRef::as_ref).collect();
    assert_eq!(first, ["flight-service", "reservation-service"]);
}

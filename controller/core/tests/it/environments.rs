//! The services of an environment together: what `dependsOn` holds back, and the order in which several are rolled back.
use std::collections::BTreeMap;

use release_schema::{Artifact, Image, Service, ServiceName};
use tidegate_core::environment::{Guard, MassChange, Turn, in_order, mass_change, rollback_order};
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

use crate::build::*;
use crate::sim::Sim;

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

/// `flight-bff` depends on `flight-service`; these are their plans, where they have one.
fn ordered(bff: Plan, flight_service: Option<Plan>) -> BTreeMap<ServiceName, Plan> {
    let bff_service = Service { name: name("flight-bff"), depends_on: [name("flight-service")].into(), ..service() };
    let services = [(name("flight-bff"), bff_service), (name("flight-service"), service())].into();
    let plans = [(name("flight-bff"), Some(bff)), (name("flight-service"), flight_service)];
    in_order(plans.into_iter().filter_map(|(name, plan)| Some((name, plan?))).collect(), &services)
}

/// The plan that publishes `b`.
fn publishes() -> Plan {
    Sim::wanting('b').decide().1
}

/// The plan that moves the alias to `b`.
fn moves() -> Plan {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.decide().1
}

fn held(phase: PhaseName) -> Plan {
    nothing(waits(phase, WaitingOn::Dependency { service: name("flight-service") }))
}

#[test]
fn a_service_waits_while_its_dependency_is_under_way() {
    for dependency in [publishes(), moves()] {
        let plans = ordered(publishes(), Some(dependency.clone()));
        assert_eq!(plans[&name("flight-bff")], held(PhaseName::Publishing));
        assert_eq!(plans[&name("flight-service")], dependency);
    }
    assert_eq!(ordered(moves(), Some(publishes()))[&name("flight-bff")], held(PhaseName::Preparing));
}

#[test]
fn a_service_goes_on_once_its_dependency_is_healthy_at_what_git_wants() {
    assert_eq!(ordered(moves(), Some(nothing(synced())))[&name("flight-bff")], moves());
}

#[test]
fn a_dependency_that_only_has_to_be_recorded_holds_nothing_back() {
    let adopts = Sim::unseen().decide().1;
    assert!(!adopts.actions.is_empty());
    assert_eq!(ordered(publishes(), Some(adopts))[&name("flight-bff")], publishes());
}

#[test]
fn a_dependency_that_is_not_healthy_or_not_known_holds_back() {
    let out_of_sync = Standing { sync: SyncStatus::OutOfSync, ..synced() };
    let degraded = Standing { health: Health::Degraded, ..synced() };
    for dependency in [Some(nothing(out_of_sync)), Some(nothing(degraded)), None] {
        assert_eq!(ordered(publishes(), dependency)[&name("flight-bff")], held(PhaseName::Publishing));
    }
}

#[test]
fn what_changes_nothing_in_lambda_is_not_held_back() {
    let completes = Plan { actions: vec![Action::ClearState], standing: synced() };
    assert_eq!(ordered(completes.clone(), Some(publishes()))[&name("flight-bff")], completes);
}

#[test]
fn a_service_without_dependencies_is_held_back_by_nobody() {
    let broken = nothing(failed("it cannot serve"));
    assert_eq!(ordered(broken, Some(publishes()))[&name("flight-service")], publishes());
}

/// Services by name, each with those that it depends on.
fn depending(all: &[(&str, &[&str])]) -> BTreeMap<ServiceName, Service> {
    let service = |(own, others): &(&str, &[&str])| {
        let depends_on = others.iter().map(|other| name(other)).collect();
        (name(own), Service { name: name(own), depends_on, ..service() })
    };
    all.iter().map(service).collect()
}

/// The order, as `service` or `service < those that go before it`.
fn order(named: &[&str], services: &BTreeMap<ServiceName, Service>) -> Vec<String> {
    let named: Vec<ServiceName> = named.iter().copied().map(name).collect();
    let shown = |Turn { service, after }: &Turn| match after.iter().map(AsRef::as_ref).collect::<Vec<&str>>() {
        nobody if nobody.is_empty() => service.to_string(),
        after => format!("{service} < {}", after.join(" ")),
    };
    rollback_order(&named, services).iter().map(shown).collect()
}

#[test]
fn whoever_depends_on_a_service_is_rolled_back_before_it() {
    let services = depending(&[
        ("web", &["bff"]),
        ("bff", &["flights", "seats"]),
        ("flights", &["db"]),
        ("seats", &[]),
        ("db", &[]),
    ]);
    assert_eq!(order(&["flights", "bff"], &services), ["bff", "flights < bff"]);
    assert_eq!(order(&["db", "flights", "bff"], &services), ["bff", "flights < bff", "db < bff flights"]);
    assert_eq!(order(&["db", "bff"], &services), ["bff", "db < bff"], "over a service that stays as it is");
}

#[test]
fn what_does_not_depend_on_each_other_is_rolled_back_as_named_and_once() {
    let services = depending(&[("a", &["c"]), ("b", &[]), ("c", &[]), ("d", &[])]);
    assert_eq!(order(&["d", "b", "a"], &services), ["d", "b", "a"]);
    assert_eq!(order(&["d", "c", "b", "a"], &services), ["d", "b", "a", "c < a"]);
    assert_eq!(order(&["d", "unknown", "d", "b"], &services), ["d", "unknown", "b"]);
    assert_eq!(order(&["c", "b"], &BTreeMap::new()), ["c", "b"], "where nobody knows who depends on whom");
}

#[test]
fn a_circle_that_no_valid_file_has_keeps_nothing_from_being_rolled_back() {
    let services = depending(&[("a", &["b"]), ("b", &["a"]), ("c", &["c"])]);
    assert_eq!(order(&["c", "a", "b"], &services), ["c", "a", "b < a"]);
}

/// An environment of so many services, each with image `a` but for these.
fn of(count: usize, others: &[(usize, Option<char>)]) -> release_schema::Environment {
    let mut services = BTreeMap::new();
    for number in 0..count {
        let letter = others.iter().find(|(other, _)| *other == number).map_or(Some('a'), |(_, letter)| *letter);
        let Some(letter) = letter else { continue };
        let name: ServiceName = format!("service-{number}").parse().unwrap();
        let image = Image { repository: "company/service".parse().unwrap(), tag: tag(letter), digest: None };
        services.insert(name.clone(), Service { name, artifact: Artifact::Image(image), ..service() });
    }
    release_schema::Environment { name: environment(), services, prune: false }
}

#[test]
fn a_commit_that_changes_more_than_half_and_at_least_five_waits_for_a_person() {
    let guard = Guard { percent: 50, at_least: 5 };
    let retag = |count: usize| (0..count).map(|number| (number, Some('b'))).collect::<Vec<_>>();
    let change =
        |count: usize, others: &[(usize, Option<char>)]| mass_change(&of(count, &[]), &of(count, others), guard);
    assert_eq!(change(10, &retag(5)), None, "half");
    assert_eq!(change(10, &retag(6)), Some(MassChange { changed: 6, removed: 0, of: 10 }));
    assert_eq!(change(4, &retag(4)), None, "few");
    assert_eq!(change(5, &retag(5)), Some(MassChange { changed: 5, removed: 0, of: 5 }));
    let mut mixed = retag(3);
    mixed.extend([(3, None), (4, None), (5, None)]);
    assert_eq!(change(10, &mixed), Some(MassChange { changed: 3, removed: 3, of: 10 }));
}

#[test]
fn an_emptied_environment_waits_for_a_person_however_small_it_was() {
    let guard = Guard { percent: 100, at_least: 1_000 };
    assert_eq!(mass_change(&of(1, &[]), &of(0, &[]), guard), Some(MassChange { changed: 0, removed: 1, of: 1 }));
    assert_eq!(mass_change(&of(0, &[]), &of(0, &[]), guard), None);
    assert_eq!(mass_change(&of(9, &[]), &of(9, &[(0, None)]), guard), None);
}

#[test]
fn what_is_new_and_how_a_release_gets_its_traffic_is_no_mass_change() {
    let guard = Guard { percent: 0, at_least: 0 };
    assert_eq!(mass_change(&of(2, &[]), &of(9, &[]), guard), None);
    let mut careful = of(9, &[]);
    for service in careful.services.values_mut() {
        service.progress_deadline = std::time::Duration::from_secs(300);
        service.sync_policy.self_heal = true;
    }
    assert_eq!(mass_change(&of(9, &[]), &careful, guard), None);
}

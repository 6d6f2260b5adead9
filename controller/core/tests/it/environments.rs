//! The services of an environment together: what `dependsOn` holds back.
use std::collections::BTreeMap;

use release_schema::{Service, ServiceName};
use tidegate_core::environment::in_order;
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

//! A service with nothing under way: converged, seen for the first time, adopted, or not there.
use release_schema::SyncPolicy;
use tidegate_core::decide::{Decision, Look, World, decide};
use tidegate_core::drift::Drift;
use tidegate_core::history::Kind;
use tidegate_core::live::{Seen, UpdateStatus, VersionState, Weighted};
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::release::Package;
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

use crate::build::*;
use crate::sim::Sim;

const BASELINE: &str = "it was live when Tidegate saw it first";
const ALREADY: &str = "it runs what Git wants already";

#[test]
fn what_a_release_began_from_is_told_with_its_archive() {
    let mut sim = Sim::unpublished(zip('a'), zip_release('a'));
    sim.add_version(1, zip('a'));
    sim.alias = Sim::unseen().alias;
    sim.tick();
    sim.wanted = Ok(zip_release('b'));
    sim.tick();
    let from = sim.state.as_ref().unwrap().from.as_ref().unwrap();
    assert_eq!((&from.archive, from.version), (&Some(zip_release('a').source), Some(v(1))));
}

#[test]
fn a_converged_service_costs_one_look_and_no_action() {
    let sim = Sim::at_rest();
    assert_eq!(sim.decide(), (vec![Look::Serving], nothing(synced())));
}

#[test]
fn a_converged_service_whose_history_is_not_cached_looks_at_it_and_does_nothing() {
    let mut sim = Sim::at_rest();
    sim.recorded = None;
    assert_eq!(sim.decide(), (vec![Look::Serving, Look::Head], nothing(synced())));
}

#[test]
fn a_cache_of_another_release_is_not_believed() {
    let mut sim = Sim::at_rest();
    sim.recorded = Some(recorded(2, 'b'));
    assert_eq!(sim.decide(), (vec![Look::Serving, Look::Head], nothing(synced())));
}

#[test]
fn a_version_at_rest_is_as_healthy_as_its_state() {
    let broken = VersionState::Failed { reason: "ImageDeleted".to_owned() };
    let strange = VersionState::Other { name: "Deactivated".to_owned() };
    for (state, health) in [
        (VersionState::Inactive, Health::Healthy),
        (VersionState::Pending, Health::Progressing),
        (broken, Health::Degraded),
        (strange, Health::Unknown),
    ] {
        let mut sim = Sim::at_rest();
        sim.version(1).state = state;
        assert_eq!(sim.decide().1, nothing(Standing { health, ..synced() }));
    }
}

#[test]
fn at_first_sight_what_is_live_becomes_the_baseline_and_the_release_begins_in_the_same_plan() {
    let mut sim = Sim::unseen();
    sim.git_wants('b');
    let baseline = untagged(1, &release('a'));
    let intent = state(2, &release('b'), Some(baseline.clone()), 'b', publishing("r0"));
    let adopted = because(BASELINE, record(1, Kind::Adopted, None, baseline, commit('b'), [0, 0]));
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Alias, Look::Latest]);
    assert_eq!(
        plan,
        Plan {
            actions: vec![
                Action::AppendRecord(Box::new(adopted)),
                Action::SaveState(Box::new(intent.clone())),
                Action::UpdateCode { source: release('b').source, if_revision: sim.latest().revision.clone() },
                Action::SavePublished(Box::new(intent)),
            ],
            standing: waits(PhaseName::Publishing, WaitingOn::NextTick),
        }
    );
    sim.settle(5);
    sim.assert_converged();
}

#[test]
fn what_runs_already_is_adopted_without_being_published_again() {
    let mut sim = Sim::unseen();
    let live = deployed(1, &release('a'));
    let adopted = because(ALREADY, record(1, Kind::Adopted, None, live, commit('a'), [0, 0]));
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Alias]);
    assert_eq!(
        plan,
        Plan {
            actions: vec![
                Action::WriteRegistry { version: v(1), tag: release('a').tag },
                Action::AppendRecord(Box::new(adopted)),
            ],
            standing: synced(),
        }
    );
    sim.tick();
    sim.assert_converged();
    assert_eq!(sim.registry, Some((v(1), release('a').tag)));
}

#[test]
fn a_declaration_that_live_fulfils_already_is_adopted_as_the_release_it_makes() {
    let mut sim = Sim::at_rest();
    sim.service.configuration.memory_size = Some(128);
    let wanted = release_with('a', &sim.service.configuration);
    (sim.wanted, sim.commit) = (Ok(wanted.clone()), commit('b'));
    let (from, to) = (Some(deployed(1, &release('a'))), deployed(1, &wanted));
    let adopted = because(ALREADY, record(2, Kind::Adopted, from, to, commit('b'), [0, 0]));
    assert_eq!(
        sim.decide().1.actions,
        [Action::WriteRegistry { version: v(1), tag: wanted.tag }, Action::AppendRecord(Box::new(adopted))]
    );
    sim.tick();
    sim.assert_converged();
}

#[test]
fn another_tag_for_the_same_image_is_no_release() {
    let mut sim = Sim::at_rest();
    sim.wanted = Ok(tidegate_core::release::Release { tag: Some(tag('z')), ..release('a') });
    assert_eq!(sim.decide(), (vec![Look::Serving], nothing(synced())));
}

#[test]
fn an_alias_that_somebody_shifts_at_first_sight_is_not_taken_over() {
    for letter in ['a', 'b'] {
        let mut sim = Sim::unseen();
        sim.git_wants(letter);
        sim.add_version(2, release('c').code);
        sim.move_by_hand(1, Some(Weighted { version: v(2), basis_points: 1_000 }));
        let edit = WaitingOn::ForeignEdit { found: Some(v(1)), weight: Some(1_000) };
        assert_eq!(sim.decide().1, nothing(needs_a_person(PhaseName::Idle, edit)), "{letter}");
    }
}

#[test]
fn an_alias_on_latest_is_adopted_as_no_version_and_then_moved_to_one() {
    let mut sim = Sim::unseen();
    sim.alias.as_mut().unwrap().version = None;
    let adopted = sim.tick().actions.remove(0);
    let live = tidegate_core::history::Deployed { version: None, ..untagged(1, &release('a')) };
    let record = because(BASELINE, record(1, Kind::Adopted, None, live, commit('a'), [0, 0]));
    assert_eq!(adopted, Action::AppendRecord(Box::new(record)));
    sim.aws_finishes();
    sim.settle(4);
    sim.assert_converged();
    assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(1)));
}

#[test]
fn a_first_deploy_publishes_latest_and_creates_the_alias() {
    let mut sim = Sim::unpublished(release('a').code, release('a'));
    let intent = state(1, &release('a'), None, 'a', publishing("r0"));
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Latest, Look::Alias, Look::Head]);
    assert_eq!(
        plan,
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent.clone())),
                Action::PublishVersion { code: release('a').code, if_revision: sim.latest().revision.clone() },
                Action::SavePublished(Box::new(intent)),
            ],
            standing: waits(PhaseName::Publishing, WaitingOn::NextTick),
        }
    );
    sim.tick();
    sim.aws_finishes();
    let promoted = record(1, Kind::Promoted, None, deployed(1, &release('a')), commit('a'), [0, 1]);
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::CreateAlias { version: v(1), marker: marker(1, &release('a')) },
                Action::AppendRecord(Box::new(promoted)),
                Action::WriteRegistry { version: v(1), tag: release('a').tag },
                Action::ClearState,
            ],
            standing: synced(),
        }
    );
    sim.assert_converged();
}

#[test]
fn no_function_is_created_behind_anybodys_back() {
    let mut sim = Sim::at_rest();
    (sim.function, sim.alias) = (None, None);
    let health = Health::Missing;
    let standing = Standing { health, ..waits(PhaseName::Idle, WaitingOn::FunctionMissing) };
    assert_eq!(sim.decide(), (vec![Look::Serving, Look::Latest], nothing(standing)));
}

#[test]
fn a_deleted_alias_is_created_again_on_the_version_that_history_knows_where_a_person_says_so() {
    let mut sim = Sim::at_rest();
    sim.alias = None;
    let on = WaitingOn::Drift { drift: vec![Drift::AliasMissing] };
    let standing = Standing { health: Health::Missing, ..needs_a_person(PhaseName::Idle, on) };
    assert_eq!(sim.decide(), (vec![Look::Serving, Look::Latest, Look::Alias, Look::Head], nothing(standing)));

    sim.forced = true;
    let why = "the alias was deleted";
    let intent = healing(why, state(2, &release('a'), None, 'a', reusing(1)));
    let promoted = because(why, record(2, Kind::Healed, None, deployed(1, &release('a')), commit('a'), [0, 0]));
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent)),
                Action::CreateAlias { version: v(1), marker: marker(2, &release('a')) },
                Action::AppendRecord(Box::new(promoted)),
                Action::WriteRegistry { version: v(1), tag: release('a').tag },
                Action::ClearState,
            ],
            standing: synced(),
        }
    );
    sim.forced = false;
    sim.assert_converged();
}

#[test]
fn a_function_is_not_adopted_by_two_reads_that_disagree() {
    let mut sim = Sim::unseen();
    sim.git_wants('c');
    let earlier = Seen::Found(sim.alias.clone().unwrap());
    sim.add_version(7, image('d'));
    sim.move_by_hand(7, Some(Weighted { version: v(1), basis_points: 8_600 }));
    let Decision::Act(plan) = decide(&sim.subject(), &World { alias: earlier, ..sim.world() }) else {
        panic!("it acts")
    };
    assert_eq!((plan.actions, plan.standing.health), (vec![], Health::Unknown));
}

#[test]
fn an_alias_that_only_one_of_two_reads_misses_is_left_alone() {
    let mut sim = Sim::at_rest();
    sim.function().versions.clear();
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Latest, Look::Alias]);
    assert_eq!(plan, nothing(unknown(Health::Unknown, PhaseName::Idle, WaitingOn::NextTick)));
}

#[test]
fn a_function_of_another_package_type_is_neither_equal_nor_different() {
    let on = WaitingOn::PackageType { live: Package::Image, wanted: Package::Zip };
    let expected = nothing(unknown(Health::Unknown, PhaseName::Idle, on));
    let mut live = Sim::at_rest();
    live.wanted = Ok(zip_release('b'));
    assert_eq!(live.decide(), (vec![Look::Serving], expected.clone()));
    let mut without_alias = Sim::unpublished(release('a').code, zip_release('b'));
    without_alias.wanted = Ok(zip_release('b'));
    assert_eq!(without_alias.decide(), (vec![Look::Serving, Look::Latest], expected));
}

#[test]
fn a_tag_that_cannot_be_resolved_blocks_its_service_and_says_why() {
    let mut sim = Sim::at_rest();
    sim.wanted = Err("`v9` is not in `company/flight-service`".to_owned());
    let on = WaitingOn::Blocked { message: "`v9` is not in `company/flight-service`".to_owned() };
    assert_eq!(sim.decide(), (vec![Look::Serving], nothing(unknown(Health::Degraded, PhaseName::Idle, on))));
}

#[test]
fn live_code_that_aws_does_not_tell_is_not_acted_on() {
    let mut sim = Sim::wanting('b');
    sim.version(1).code = None;
    let on = WaitingOn::Blocked { message: "AWS does not say which code the alias serves".to_owned() };
    assert_eq!(sim.decide(), (vec![Look::Serving], nothing(unknown(Health::Unknown, PhaseName::Idle, on))));
}

#[test]
fn an_environment_that_cannot_be_decrypted_is_neither_equal_nor_different() {
    let mut sim = Sim::at_rest();
    sim.service.configuration.environment = [("LOG_LEVEL".to_owned(), "warn".to_owned())].into();
    sim.wanted = Ok(release_with('a', &sim.service.configuration));
    sim.settle(3);
    sim.assert_converged();
    sim.version(1).configuration.environment = None;
    let message = "the function's environment cannot be decrypted, so it can be neither compared nor changed";
    let on = WaitingOn::Blocked { message: message.to_owned() };
    assert_eq!(sim.decide(), (vec![Look::Serving], nothing(unknown(Health::Unknown, PhaseName::Idle, on))));
}

#[test]
fn reserved_concurrency_is_set_where_it_is_given_and_differs() {
    let mut sim = Sim::at_rest();
    sim.service.reserved_concurrency = Some(0);
    let plan = sim.tick();
    assert_eq!(
        plan,
        Plan {
            actions: vec![Action::SetReservedConcurrency { concurrency: 0 }],
            standing: Standing { sync: SyncStatus::OutOfSync, ..synced() },
        }
    );
    sim.assert_converged();
    sim.service.reserved_concurrency = None;
    sim.assert_converged();
}

#[test]
fn reserved_concurrency_that_comes_with_a_release_is_set_after_it_and_is_nobodys_edit() {
    let mut sim = Sim::wanting('b');
    sim.service.reserved_concurrency = Some(5);
    let plans = sim.settle(6);
    let sets = |plan: &Plan| plan.actions.contains(&Action::SetReservedConcurrency { concurrency: 5 });
    assert_eq!(plans.iter().filter(|plan| sets(plan)).count(), 1);
    sim.assert_converged();
    sim.version(2).reserved_concurrency = Some(0);
    assert_eq!(sim.tick().actions, []);
}

#[test]
fn reserved_concurrency_waits_for_a_person_where_nothing_is_automated() {
    let mut sim = Sim::at_rest();
    sim.service.sync_policy = SyncPolicy { automated: false, self_heal: false };
    sim.service.reserved_concurrency = Some(5);
    let waits = Standing { sync: SyncStatus::OutOfSync, waiting_on: Some(WaitingOn::Sync), ..synced() };
    assert_eq!(sim.tick(), nothing(waits));
    sim.forced = true;
    assert_eq!(sim.tick().actions, [Action::SetReservedConcurrency { concurrency: 5 }]);
    sim.forced = false;
    sim.assert_converged();
}

#[test]
fn an_update_of_latest_by_somebody_else_is_nothing_to_a_converged_service() {
    let mut sim = Sim::at_rest();
    sim.latest().last_update = UpdateStatus::InProgress;
    sim.assert_converged();
}

#[test]
fn weights_that_provisioned_concurrency_injects_do_not_keep_a_service_from_being_adopted() {
    let mut sim = Sim::unseen();
    sim.add_version(7, release('c').code);
    sim.move_by_hand(1, Some(Weighted { version: v(7), basis_points: 1_000 }));
    assert!(matches!(sim.decide().1.standing.waiting_on, Some(WaitingOn::ForeignEdit { .. })));
    sim.provisioning = true;
    assert_eq!(sim.decide().1.standing, synced());
}

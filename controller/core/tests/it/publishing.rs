//! `$LATEST` on its way to the release: configuration first, then code and version in one call.
use release_schema::Configuration;
use tidegate_core::decide::Look;
use tidegate_core::history::{Deployed, Kind};
use tidegate_core::live::{ConfigurationChange, UpdateStatus, VersionState};
use tidegate_core::plan::{Action, Plan, Standing};
use tidegate_core::state::{Phase, ServiceState};
use tidegate_core::status::{Health, PhaseName, WaitingOn};

use crate::build::*;
use crate::sim::{Crash, Sim};

fn from_a() -> Option<Deployed> {
    Some(deployed(1, &release('a')))
}

fn next_tick() -> Standing {
    waits(PhaseName::Publishing, WaitingOn::NextTick)
}

fn in_progress() -> Plan {
    nothing(waits(PhaseName::Publishing, WaitingOn::UpdateInProgress))
}

/// Git wants `b`, and the call that publishes it was made before the tick died.
fn publishing_b() -> Sim {
    let mut sim = Sim::wanting('b');
    sim.tick_until(Some(Crash::After(1))).1.unwrap_err();
    assert_eq!(sim.state, Some(state(2, &release('b'), from_a(), 'b', publishing("r0"))));
    sim
}

#[test]
fn a_new_image_is_updated_and_published_in_one_call_with_the_revision_just_read() {
    let mut sim = Sim::wanting('b');
    let intent = state(2, &release('b'), from_a(), 'b', publishing("r0"));
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Head, Look::Latest]);
    assert_eq!(
        plan,
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent.clone())),
                Action::UpdateCode { source: release('b').source, if_revision: sim.latest().revision.clone() },
                Action::SavePublished(Box::new(intent)),
            ],
            standing: next_tick(),
        }
    );
    sim.settle(4);
    sim.assert_converged();
}

#[test]
fn a_new_archive_is_published_from_its_object_version() {
    let mut sim = Sim::unpublished(zip('a'), zip_release('b'));
    let intent = state(1, &zip_release('b'), None, 'a', publishing("r0"));
    assert_eq!(
        sim.decide().1.actions,
        [
            Action::SaveState(Box::new(intent.clone())),
            Action::UpdateCode { source: zip_release('b').source, if_revision: sim.latest().revision.clone() },
            Action::SavePublished(Box::new(intent)),
        ]
    );
    sim.settle(4);
    sim.assert_converged();
}

#[test]
fn code_that_latest_has_already_is_only_published() {
    let mut sim = Sim::wanting('b');
    sim.latest().code = Some(release('b').code);
    let intent = state(2, &release('b'), from_a(), 'b', publishing("r0"));
    assert_eq!(
        sim.decide().1,
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent.clone())),
                Action::PublishVersion { code: release('b').code, if_revision: sim.latest().revision.clone() },
                Action::SavePublished(Box::new(intent)),
            ],
            standing: next_tick(),
        }
    );
}

#[test]
fn configuration_goes_first_and_only_where_it_differs() {
    let mut sim = Sim::wanting('b');
    let environment = [("LOG_LEVEL".to_owned(), "info".to_owned()), ("REGION".to_owned(), "eu".to_owned())];
    sim.service.configuration =
        Configuration { memory_size: Some(512), timeout: Some(3), environment: environment.clone().into() };
    sim.latest().configuration.environment.as_mut().unwrap().insert("THEIRS".to_owned(), "kept".to_owned());
    let wanted = release_with('b', &sim.service.configuration);
    sim.wanted = Ok(wanted.clone());
    let theirs = ("THEIRS".to_owned(), "kept".to_owned());
    // What was live had the declared timeout already: its id says so.
    let part = Configuration {
        memory_size: Some(128),
        timeout: Some(3),
        environment: [("LOG_LEVEL".to_owned(), "warn".to_owned())].into(),
    };
    let from = Deployed { release: release_with('a', &part).id, ..deployed(1, &release('a')) };
    let intent = state(2, &wanted, Some(from), 'b', publishing("r0"));
    let change = ConfigurationChange {
        memory_size: Some(512),
        timeout: None,
        environment: Some(environment.into_iter().chain([theirs]).collect()),
        environment_names: vec!["LOG_LEVEL".to_owned(), "REGION".to_owned()],
    };
    let first = sim.tick();
    assert_eq!(
        first,
        Plan {
            actions: vec![
                Action::SaveState(Box::new(intent.clone())),
                Action::UpdateConfiguration { change, if_revision: tidegate_core::ids::RevisionId("r0".to_owned()) },
            ],
            standing: next_tick(),
        }
    );
    assert_eq!(sim.tick(), in_progress());
    sim.aws_finishes();
    let if_revision = sim.latest().revision.clone();
    let again = ServiceState { phase: publishing(&if_revision.0), since: at(2), ..intent };
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::SaveState(Box::new(again.clone())),
                Action::UpdateCode { source: wanted.source.clone(), if_revision },
                Action::SavePublished(Box::new(again)),
            ],
            standing: next_tick(),
        }
    );
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn nothing_is_begun_while_latest_is_being_updated_or_created() {
    let mut updating = Sim::wanting('b');
    updating.latest().last_update = UpdateStatus::InProgress;
    assert_eq!(updating.decide().1, in_progress());
    let mut created = Sim::wanting('b');
    created.latest().state = VersionState::Pending;
    assert_eq!(created.decide().1, in_progress());
}

#[test]
fn an_answer_that_was_lost_is_found_by_publishing_again_and_gives_the_same_version() {
    let mut sim = publishing_b();
    assert_eq!(sim.decide(), (vec![Look::Latest], in_progress()));
    sim.aws_finishes();
    let if_revision = sim.latest().revision.clone();
    // What was there before that call stays known until the version is.
    let again = ServiceState { since: at(1), ..state(2, &release('b'), from_a(), 'b', publishing("r0")) };
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![
                Action::SaveState(Box::new(again.clone())),
                Action::PublishVersion { code: release('b').code, if_revision },
                Action::SavePublished(Box::new(again)),
            ],
            standing: next_tick(),
        }
    );
    assert_eq!(sim.function().versions.len(), 2);
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn a_call_that_never_arrived_is_made_again() {
    let mut sim = Sim::wanting('b');
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    let again = ServiceState { since: at(1), ..state(2, &release('b'), from_a(), 'b', publishing("r0")) };
    assert_eq!(
        sim.decide().1.actions,
        [
            Action::SaveState(Box::new(again.clone())),
            Action::UpdateCode { source: release('b').source, if_revision: sim.latest().revision.clone() },
            Action::SavePublished(Box::new(again)),
        ]
    );
}

#[test]
fn a_failed_update_of_ours_fails_the_release_once_and_is_not_tried_again() {
    let mut sim = publishing_b();
    sim.latest().code = Some(release('a').code);
    sim.function().doom = Some("ImageAccessDenied".to_owned());
    sim.aws_finishes();
    let reason = "AWS could not update the function: ImageAccessDenied";
    let to = Deployed { version: None, ..deployed(1, &release('b')) };
    let record = because(reason, record(2, Kind::Failed, from_a(), to, commit('b'), [0, 1]));
    let phase = Phase::Failed { reason: reason.to_owned() };
    let latch = ServiceState { since: at(1), ..state(2, &release('b'), from_a(), 'b', phase) };
    assert_eq!(
        sim.tick(),
        Plan {
            actions: vec![Action::AppendRecord(Box::new(record)), Action::SaveState(Box::new(latch))],
            standing: failed(reason),
        }
    );
    for _ in 0..3 {
        assert_eq!(sim.decide(), (vec![Look::Alias], nothing(failed(reason))));
        sim.tick();
    }
}

#[test]
fn a_person_starts_a_failed_release_anew_under_a_new_number() {
    let mut sim = publishing_b();
    sim.latest().code = Some(release('a').code);
    sim.function().doom = Some("ImageAccessDenied".to_owned());
    sim.aws_finishes();
    sim.tick();
    sim.function().doom = None;
    sim.function().versions.remove(&v(2));
    sim.forced = true;
    let if_revision = sim.latest().revision.clone();
    let intent = state(3, &release('b'), from_a(), 'b', publishing(&if_revision.0));
    let intent = ServiceState { started: at(2), since: at(2), ..intent };
    assert_eq!(
        sim.tick().actions,
        [
            Action::ClearState,
            Action::SaveState(Box::new(intent.clone())),
            Action::UpdateCode { source: release('b').source, if_revision },
            Action::SavePublished(Box::new(intent)),
        ]
    );
    sim.forced = false;
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn a_person_gets_another_version_where_publishing_again_would_give_the_one_that_failed() {
    let mut sim = Sim::wanting('b');
    sim.tick();
    sim.aws_finishes();
    sim.version(2).state = VersionState::Failed { reason: "ImageAccessDenied".to_owned() };
    sim.tick();
    sim.forced = true;
    let if_revision = sim.latest().revision.clone();
    let intent = state(3, &release('b'), from_a(), 'b', publishing(&if_revision.0));
    let intent = ServiceState { started: at(2), since: at(2), ..intent };
    assert_eq!(
        sim.decide().1.actions,
        [
            Action::ClearState,
            Action::SaveState(Box::new(intent.clone())),
            Action::UpdateCode { source: release('b').source, if_revision },
            Action::SavePublished(Box::new(intent)),
        ]
    );
    // The answer is lost: from here on `$LATEST` was changed by this transition, and is only published.
    sim.tick_until(Some(Crash::After(2))).1.unwrap_err();
    sim.forced = false;
    sim.aws_finishes();
    let plan = sim.decide().1;
    assert!(matches!(plan.actions[1], Action::PublishVersion { .. }), "{plan:?}");
    sim.settle(4);
    sim.assert_converged();
    assert_eq!(sim.alias.as_ref().unwrap().version, Some(v(3)));
}

#[test]
fn a_failed_update_of_somebody_else_before_ours_fails_nothing() {
    let mut sim = Sim::wanting('b');
    sim.latest().last_update = UpdateStatus::Failed { reason: "InvalidImage".to_owned() };
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    let plan = sim.tick();
    assert_eq!(plan.standing, next_tick());
    assert!(matches!(plan.actions[1], Action::UpdateCode { .. }), "{plan:?}");
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();
}

#[test]
fn an_update_of_ours_that_never_ends_fails_the_release_after_the_deadline() {
    let mut sim = publishing_b();
    sim.at(15);
    assert_eq!(sim.decide().1, in_progress());
    sim.at(16);
    let plan = sim.decide().1;
    assert_eq!(plan.standing, failed("AWS is still updating the function after 15 minutes"));
    assert!(matches!(plan.actions[..], [Action::AppendRecord(_), Action::SaveState(_)]), "{plan:?}");
}

#[test]
fn somebody_elses_update_is_waited_for_without_a_deadline() {
    let mut sim = Sim::wanting('b');
    sim.tick_until(Some(Crash::Before(1))).1.unwrap_err();
    sim.latest().last_update = UpdateStatus::InProgress;
    sim.at(600);
    assert_eq!(sim.decide().1, in_progress());
}

#[test]
fn a_function_that_is_deleted_meanwhile_is_missing_and_the_intent_stays() {
    let mut sim = publishing_b();
    sim.function = None;
    let standing = Standing { health: Health::Missing, ..waits(PhaseName::Publishing, WaitingOn::FunctionMissing) };
    assert_eq!(sim.decide(), (vec![Look::Latest], nothing(standing)));
}

#[test]
fn an_environment_that_cannot_be_decrypted_is_not_overwritten() {
    let mut sim = Sim::wanting('b');
    sim.service.configuration.environment = [("LOG_LEVEL".to_owned(), "info".to_owned())].into();
    sim.wanted = Ok(release_with('b', &sim.service.configuration));
    sim.latest().configuration.environment = None;
    let message = "the function's environment cannot be decrypted, so it can be neither compared nor changed";
    let on = WaitingOn::Blocked { message: message.to_owned() };
    assert_eq!(sim.decide().1, nothing(unknown(Health::Unknown, PhaseName::Publishing, on)));
}

//! Stories of what goes wrong around a release: in Git, in AWS, in the configuration, by hand. Live stays as it was, the
//! status says why, and all goes on by itself when the cause is gone.
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use git_server::Behaviour;
use local_aws::{AwsError, Fault, Service};
use stories::account::{ACCOUNT, INSTALLATION, environment_configuration};
use stories::releases::Releases;
use stories::world::{SAMPLE, World, archive, only, options, service, sync, waiting};
use tidegate_core::environment::MassChange;
use tidegate_core::report::FailureKind;
use tidegate_core::status::{Health, HoldReason, SyncStatus};

#[tokio::test(start_paused = true)]
async fn an_invalid_file_freezes_its_environment_alone_until_it_is_put_right() {
    let world = World::deployed().await;
    world.configure("production", &environment_configuration("Production")).await;
    for (name, function) in
        [("flight-service", "ProductionFlightService"), ("reservation-service", "ProductionReservationService")]
    {
        let image = world.push_image(name, "v1.9.0").await;
        world.account.create_function(function, &image, 10, &[]).await.expect("a function");
    }
    let image = world.push_image("flight-bff", "v1.9.0").await;
    world.account.create_function("ProductionFlightBff", &image, 10, &[]).await.expect("a function");
    let good = world.releases.services("staging");
    let broken = good.replacen("    imageTag: \"v1.0.0\"", "    imageTga: \"v1.1.0\"", 1);
    world.releases.replace("staging", &broken);
    world.calls();

    let staging = world.tick().await;
    let hold = staging.hold.clone().expect("a hold").to_string();
    assert!(hold.contains("environments/staging/services.yaml:"), "{hold}");
    assert!(staging.problems.iter().any(|line| line.contains("imageTga")), "{:?}", staging.problems);
    assert!(staging.problems.iter().any(|line| line.contains("did you mean `imageTag`")), "{:?}", staging.problems);
    assert_eq!(staging.health(), Health::Degraded);
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.status("staging").await.hold, staging.hold);

    for _ in 0..5 {
        let report = only(world.run(&sync("production", None, None)).await).expect("a tick of production");
        assert_eq!(report.hold, None);
        world.advance(Duration::from_secs(60)).await;
    }
    let report = world.status("production").await;
    assert_eq!((report.sync(), report.health()), (SyncStatus::Synced, Health::Healthy), "{report:#?}");
    assert_eq!(world.live("ProductionFlightBff").await, "1");

    world.releases.replace("staging", &good.replacen("v1.0.0", "v1.1.0", 1));
    let report = world.settle().await;
    assert_eq!(report.hold, None);
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn an_environment_that_was_never_valid_says_why_in_its_status() {
    let world = World::sample().await;
    let good = world.releases.services("staging");
    world.releases.replace("staging", &good.replacen("    imageTag: \"v1.0.0\"", "    imageTga: \"v1.0.0\"", 1));
    world.calls();
    let failure = world.try_tick().await.expect_err("nothing valid is known");
    assert_eq!(failure.kind, FailureKind::InvalidRelease);
    let report = world.status("staging").await;
    assert!(matches!(report.hold, Some(HoldReason::InvalidRelease { .. })), "{report:#?}");
    assert!(report.problems.iter().any(|line| line.contains("did you mean `imageTag`")), "{:?}", report.problems);
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    world.releases.replace("staging", &good);
    assert_eq!(world.settle().await.hold, None);
}

#[tokio::test(start_paused = true)]
async fn a_missing_tag_blocks_its_service_alone_until_the_image_is_pushed() {
    let world = World::deployed().await;
    world.releases.merge("flight-service", "v9.9.9");
    world.releases.merge("reservation-service", "v1.1.0");
    world.tick().await;
    let report = world.tick().await;
    assert_eq!(
        waiting(&report, "flight-service"),
        "tag `v9.9.9` does not exist in `111111111111.dkr.ecr.eu-central-1.amazonaws.com/company/flight-service`"
    );
    assert_eq!(waiting(&world.status("staging").await, "flight-service"), waiting(&report, "flight-service"));
    assert_eq!(service(&report, "flight-service").standing.health, Health::Degraded);
    assert_eq!(world.live("StagingFlightService").await, "1");
    assert_eq!(world.live("StagingReservationService").await, "2");
    world.push_image("flight-service", "v9.9.9").await;
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn while_git_is_down_live_is_left_as_it_is() {
    let world = World::deployed().await;
    world.releases.merge("flight-service", "v1.1.0");
    world.releases.server.behave(Behaviour::Down);
    for _ in 0..3 {
        let report = world.tick().await;
        assert!(matches!(report.hold, Some(HoldReason::GitUnavailable { .. })), "{:?}", report.hold);
        assert_eq!(report.sync(), SyncStatus::Synced, "at the last good commit");
        assert!(report.last_success.is_some_and(|at| at < report.started));
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    let hold = world.status("staging").await.hold.expect("a hold").to_string();
    assert!(hold.contains("Git server `127.0.0.1") && hold.contains("cannot be reached"), "{hold}");
    world.releases.server.behave(Behaviour::Serve);
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_rewritten_branch_is_followed_only_after_a_person_confirms_it() {
    let world = World::deployed().await;
    let applied = world.releases.merge("flight-service", "v1.1.0");
    world.settle().await;
    world.releases.tree.git(["reset", "--quiet", "--hard", "HEAD~1"]).expect("a reset");
    world
        .releases
        .write("environments/staging/services.yaml", &world.releases.services("staging").replace("v1.0.0", "v1.2.0"));
    let rewritten = world.releases.tree.commit("Rewrite").expect("a commit");
    world.releases.tree.force_push().expect("a push");
    for _ in 0..2 {
        let report = world.tick().await;
        let expected = HoldReason::HistoryRewritten { applied: applied.clone(), found: rewritten.clone() };
        assert_eq!(report.hold, Some(expected));
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    let other = only(world.run(&sync("staging", None, Some(&applied[..12]))).await).expect("a tick");
    assert!(other.hold.is_some(), "another commit was confirmed");
    let report = only(world.run(&sync("staging", None, Some(&rewritten[..12]))).await).expect("a tick");
    assert_eq!(report.hold, None);
    world.settle().await;
    for (_, function) in SAMPLE {
        let call = world.account.lambda.get_alias().function_name(function).name("live");
        let version = call.send().await.expect("an alias").function_version;
        assert_ne!(version.as_deref(), Some("1"), "{function}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_role_that_is_denied_blocks_its_environment_alone() {
    let world = World::deployed().await;
    let role = |account: &str| format!("arn:aws:iam::{account}:role/tidegate");
    let with_role = |prefix: &str, account: &str, external_id: &str| {
        let base = environment_configuration(prefix);
        format!("{base}roleArn: {}\nexternalId: {external_id}\n", role(account))
    };
    world.aws.register_role(&role(ACCOUNT), Some("staging-id"));
    world.aws.register_role(&role("222222222222"), Some("production-id"));
    world.configure("staging", &with_role("Staging", ACCOUNT, "staging-id")).await;
    world.configure("production", &with_role("Production", "222222222222", "wrong-id")).await;
    world.releases.merge("flight-service", "v1.1.0");
    for _ in 0..2 {
        let report = only(world.run(&sync("production", None, None)).await).expect("a tick of production");
        assert_eq!(report.sync(), SyncStatus::Unknown, "{report:#?}");
        let told = format!("{report:?}");
        assert!(told.contains("sts:AssumeRole") && told.contains(&role("222222222222")), "{told}");
        world.tick().await;
    }
    assert_eq!(world.live("StagingFlightService").await, "2");
    let of_role = world.aws.calls().into_iter().filter(|call| call.caller.contains("assumed-role/tidegate/"));
    assert!(of_role.into_iter().any(|call| call.operation == "UpdateAlias"));
}

#[tokio::test(start_paused = true)]
async fn while_parameter_store_is_down_the_last_good_configuration_serves() {
    let world = World::deployed().await;
    world.break_calls(|call| {
        (call.service == Service::Ssm).then(|| Fault::FailBefore(AwsError::new(500, "InternalServerError", "down")))
    });
    let report = world.tick().await;
    assert_eq!((report.sync(), report.hold), (SyncStatus::Synced, None));
    world.releases.merge("flight-service", "v1.1.0");
    world.tick().await;
    let report = world.tick().await;
    assert_eq!(world.live("StagingFlightService").await, "2", "an alias moves without the registry");
    assert!(service(&report, "flight-service").error.as_ref().is_some_and(|error| error.contains("ssm:PutParameter")));
    world.aws.clear_hook();
    world.settle().await;
    assert_eq!(world.registry("flight-service").await["version"], "2");
    assert_eq!(world.history("flight-service").await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_is_not_valid_is_said_and_stops_every_tick() {
    let world = World::deployed().await;
    world.configure("staging", "schemaVersion: 1\nregion: eu-central-1\nallowedFunction: [\"*\"]\n").await;
    let failure = world.try_tick().await.expect_err("no tick");
    assert_eq!(failure.kind, FailureKind::Unavailable);
    assert!(failure.message.contains(&format!("/tidegate/{INSTALLATION}/environments/staging")), "{}", failure.message);
    assert!(failure.message.contains("allowedFunction"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_tick_beside_another_is_refused_and_writes_nothing() {
    let world = World::deployed().await;
    let until = world.aws.clock().now() + chrono::Duration::seconds(70);
    let held = serde_json::json!({"schemaVersion": 1, "holder": "another", "epoch": 9_000, "until": until});
    let put = world.account.s3.put_object().bucket(stories::account::BUCKET).key("tidegate/lease/staging.json");
    put.body(held.to_string().into_bytes().into()).send().await.expect("PutObject");
    world.releases.merge("flight-service", "v1.1.0");
    world.calls();
    let failure = world.try_tick().await.expect_err("no tick");
    assert_eq!(failure.kind, FailureKind::Refused);
    assert!(failure.message.contains("`another`"), "{}", failure.message);
    let calls = world.calls();
    assert!(calls.0.iter().all(|call| !call.is_mutating()), "{calls:#?}");
    world.advance(Duration::from_secs(15)).await;
    world.settle().await;
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_was_moved_by_hand_stays_until_a_person_says_sync() {
    let world = World::deployed().await;
    world.releases.merge("flight-service", "v1.1.0");
    world.settle().await;
    world.move_by_hand("StagingFlightService", "1").await;
    world.calls();
    for _ in 0..3 {
        let report = world.tick().await;
        assert_eq!(
            waiting(&report, "flight-service"),
            "the alias was moved by hand: it names version 1, history says version 2; `tidegate sync ENV/SERVICE` goes back to Git"
        );
        assert_eq!(service(&report, "flight-service").standing.health, Health::Suspended);
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    only(world.run(&sync("staging", Some("flight-service"), None)).await).expect("a tick");
    assert_eq!(world.live("StagingFlightService").await, "2");
    world.settle().await;
    assert_eq!(world.versions("StagingFlightService").await, ["1", "2"]);
    assert_eq!(world.history("flight-service").await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_alias_that_somebody_moves_during_a_release_holds_it() {
    let world = World::deployed().await;
    for tag in ["v1.1.0", "v1.2.0"] {
        world.releases.merge("flight-service", tag);
        if tag == "v1.1.0" {
            world.settle().await;
        }
    }
    world.tick().await;
    world.move_by_hand("StagingFlightService", "1").await;
    for _ in 0..2 {
        let report = world.tick().await;
        assert_eq!(
            waiting(&report, "flight-service"),
            "somebody changed the alias by hand: it names version 1; `tidegate resume ENV/SERVICE` goes on, `tidegate abort` goes back"
        );
    }
    assert_eq!(world.live("StagingFlightService").await, "1");
    only(world.run(&sync("staging", Some("flight-service"), None)).await).expect("a tick");
    assert_eq!(world.live("StagingFlightService").await, "3");
    let history = world.history("flight-service").await;
    let reason = history.last().and_then(|record| record.reason.clone()).unwrap_or_default();
    assert!(reason.contains("went over a hand edit"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_cannot_be_looked_at_does_not_hold_up_the_others() {
    for error in [
        AwsError::new(403, "AccessDeniedException", "not authorized to perform: lambda:GetFunction"),
        AwsError::new(500, "ServiceException", "An error occurred"),
    ] {
        let world = World::deployed().await;
        world.releases.merge("flight-service", "v1.1.0");
        world.releases.merge("reservation-service", "v1.1.0");
        let code = error.code.clone();
        world.break_calls(move |call| {
            let of_flight = call.head.uri.path().contains("/StagingFlightService");
            (call.operation == "GetFunction" && of_flight).then(|| Fault::FailBefore(error.clone()))
        });
        world.tick().await;
        let report = world.tick().await;
        let flight = service(&report, "flight-service");
        assert_eq!(flight.standing.sync, SyncStatus::Unknown);
        assert!(flight.error.as_ref().is_some_and(|error| error.contains(&code)), "{flight:#?}");
        assert_eq!(world.live("StagingFlightService").await, "1");
        assert_eq!(world.live("StagingReservationService").await, "2");
        world.aws.clear_hook();
        world.settle().await;
        assert_eq!(world.live("StagingFlightService").await, "2");
    }
}

/// Lambda's reads are eventually consistent: what one says was just published may not be there for the next.
#[tokio::test(start_paused = true)]
async fn a_version_that_one_read_does_not_find_yet_is_not_published_again() {
    let world = World::deployed().await;
    world.releases.merge("flight-service", "v1.1.0");
    world.tick().await;
    assert_eq!(world.versions("StagingFlightService").await, ["1", "2"]);
    let reads = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&reads);
    world.break_calls(move |call| {
        let (path, query) = (call.head.uri.path(), call.head.uri.query().unwrap_or_default());
        let is_it = call.operation == "GetFunction" && path.contains("/StagingFlightService") && query.contains("=2");
        (is_it && counted.fetch_add(1, Ordering::Relaxed) == 0)
            .then(|| Fault::FailBefore(AwsError::new(404, "ResourceNotFoundException", "Function not found")))
    });
    world.settle().await;
    assert!(reads.load(Ordering::Relaxed) > 1, "it was not found, and asked for again");
    assert_eq!(world.versions("StagingFlightService").await, ["1", "2"]);
    assert_eq!(world.live("StagingFlightService").await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_merge_cannot_reach_a_function_or_registry_that_the_controller_was_not_told_of() {
    let world = World::deployed().await;
    let text = world.releases.services("staging");
    let text = text.replace("StagingFlightService", "ProductionFlightService");
    let text =
        text.replace("company/reservation-service", "222222222222.dkr.ecr.eu-central-1.amazonaws.com/evil/image");
    world.releases.replace("staging", &text);
    world.calls();
    let report = world.tick().await;
    assert_eq!(
        waiting(&report, "flight-service"),
        "function `ProductionFlightService` is none that `staging` may manage"
    );
    assert_eq!(
        waiting(&report, "reservation-service"),
        "registry `222222222222.dkr.ecr.eu-central-1.amazonaws.com` is none that `staging` may take images from"
    );
    let calls = world.calls();
    assert_eq!(calls.lambda_mutations(), Vec::<String>::new());
    assert!(calls.0.iter().all(|call| !call.resource.contains("Production")), "it is not even looked at: {calls:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_function_that_does_not_exist_is_missing_and_none_is_created() {
    let world = World::empty(Arc::new(Releases::one_service()), options()).await;
    world.account.create_repository("company/flight-service").await.expect("a repository");
    world.push_image("flight-service", "v1.0.0").await;
    world.configure("staging", &environment_configuration("Staging")).await;
    world.calls();
    let report = world.tick().await;
    assert_eq!(service(&report, "flight-service").standing.health, Health::Missing);
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_changes_most_of_an_environment_waits_until_a_person_says_that_it_is_meant() {
    let mut text = "services:\n".to_owned();
    for number in 0..6 {
        text.push_str(&format!(
            "  service-{number}:\n    imageTag: \"v1.0.0\"\n    functionName: StagingService{number}\n    \
             ecrRepository: company/service-{number}\n"
        ));
    }
    let world = World::empty(Arc::new(Releases::of(&text)), options()).await;
    for number in 0..6 {
        world.create_service(&format!("service-{number}"), &format!("StagingService{number}")).await;
    }
    // As a platform team writes it that says nothing of it.
    let configuration = environment_configuration("Staging").replace("massChange: { percent: 100 }\n", "");
    world.configure("staging", &configuration).await;
    world.settle().await;

    // Five of six at once, by a script that went wrong; and an environment that was emptied by a bad merge.
    let scripted = text.replacen("v1.0.0", "v1.1.0", 5);
    for (content, changed, removed) in [(scripted.as_str(), 5, 0), ("services: {}\n", 0, 6)] {
        let commit = world.releases.replace("staging", content);
        world.calls();
        for _ in 0..3 {
            let report = world.tick().await;
            let change = MassChange { changed, removed, of: 6 };
            assert_eq!(report.hold, Some(HoldReason::MassChange { commit: commit.clone(), change }));
            assert_eq!((report.services.len(), report.health()), (6, Health::Degraded));
        }
        assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    }
    let commit = world.releases.replace("staging", &scripted);
    world.run(&sync("staging", None, Some(&commit[..12]))).await;
    world.settle().await;
    assert_eq!(
        (world.live("StagingService0").await.as_str(), world.live("StagingService5").await.as_str()),
        ("2", "1")
    );
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_removed_from_git_is_told_and_left_as_it_is() {
    let world = World::deployed().await;
    let before = world.releases.services("staging");
    let without: String = {
        let mut entry = false;
        let keep = |line: &&str| {
            if line.starts_with("  ") && !line.starts_with("   ") && !line.trim_start().starts_with('#') {
                entry = line.trim() == "flight-bff:";
            }
            !entry
        };
        before.lines().filter(keep).map(|line| format!("{line}\n")).collect()
    };
    world.releases.replace("staging", &without);
    world.calls();
    for _ in 0..3 {
        let report = world.tick().await;
        assert_eq!(report.services.len(), 2, "{without}");
        let unmanaged: Vec<(&str, &str)> =
            report.unmanaged.iter().map(|(name, unmanaged)| (name.as_str(), unmanaged.alias.as_str())).collect();
        assert_eq!(unmanaged, [("flight-bff", "StagingFlightBff:live")]);
    }
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
    assert_eq!(world.live("StagingFlightBff").await, "1");

    world.releases.replace("staging", &before);
    let report = world.settle().await;
    assert_eq!((report.services.len(), report.unmanaged.len()), (3, 0), "it is taken up again where it was");
    assert_eq!(world.calls().lambda_mutations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_function_that_is_missing_or_of_another_package_type_keeps_no_other_waiting() {
    let entry = |name: &str, function: &str| {
        format!("  {name}:\n    imageTag: \"v1.0.0\"\n    functionName: {function}\n    ecrRepository: company/all\n")
    };
    let services =
        ["StagingHere", "StagingMissing", "StagingZip"].map(|function| entry(&function[7..].to_lowercase(), function));
    let world = World::empty(Arc::new(Releases::of(&format!("services:\n{}", services.concat()))), options()).await;
    world.create_service("all", "StagingHere").await;
    world.account.create_zip_function("StagingZip", archive("one"), 10, &[]).await.expect("a function");
    world.configure("staging", &environment_configuration("Staging")).await;
    for _ in 0..4 {
        world.tick().await;
    }
    let report = world.tick().await;
    assert_eq!(
        (service(&report, "here").standing.sync, world.live("StagingHere").await.as_str()),
        (SyncStatus::Synced, "1")
    );
    assert_eq!(service(&report, "missing").standing.health, Health::Missing);
    assert_eq!(waiting(&report, "missing"), "the function does not exist; create it, Tidegate never does");
    assert_eq!(service(&report, "zip").standing.health, Health::Unknown);
    let package = "the function is a zip archive and Git wants a container image: the package type cannot be changed";
    assert_eq!(waiting(&report, "zip"), package);
}

//! What somebody else changed: of which kind, since when and whose doing, left alone or set back, and fought over.
use release_schema::SyncPolicy;
use tidegate_core::decide::{Look, World};
use tidegate_core::drift::{self, Drift, Drifted, Holder, Whose};
use tidegate_core::history::Kind;
use tidegate_core::ids::TransitionNumber;
use tidegate_core::live::{LiveAlias, Seen, Weighted};
use tidegate_core::plan::Action;
use tidegate_core::status::{Health, PhaseName, SyncStatus, WaitingOn};

use crate::build::*;
use crate::sim::Sim;

/// Release `a` is at rest, and it is its turn to be looked at closely.
fn audited() -> Sim {
    let mut sim = Sim::at_rest();
    sim.audit = true;
    sim
}

fn healing_itself(mut sim: Sim) -> Sim {
    sim.service.sync_policy = SyncPolicy { automated: true, self_heal: true };
    sim
}

/// Everything that a decision looked at.
fn seen(sim: &Sim) -> (Vec<Drift>, World) {
    let world = sim.world();
    (drift::of(&sim.subject(), &world), world)
}

fn drift(sim: &Sim) -> Vec<Drift> {
    seen(sim).0
}

fn kinds(sim: &Sim) -> Vec<&'static str> {
    drift(sim).iter().map(Drift::kind).collect()
}

fn whose(sim: &Sim) -> Option<Whose> {
    let (drifts, world) = seen(sim);
    let told = drift::told(drifts, &world, &[], at(0));
    told.first().unwrap().whose
}

/// What was done, in words.
fn done(sim: &mut Sim) -> Vec<String> {
    sim.tick().actions.iter().map(ToString::to_string).collect()
}

#[test]
fn a_service_that_is_looked_at_closely_costs_four_looks_and_no_action() {
    let sim = audited();
    let (looks, plan) = sim.decide();
    assert_eq!(looks, [Look::Serving, Look::Alias, Look::Latest, Look::Registry]);
    assert_eq!(plan, nothing(synced()));
    assert_eq!(drift(&sim), []);
}

/// What somebody does by hand.
type Edit = fn(&mut Sim);

#[test]
fn each_kind_of_drift_is_told_apart_with_what_is_wanted_and_what_is_live() {
    let code = |letter| release(letter).code;
    let digest = |letter: char| format!("sha256:{}", letter.to_string().repeat(64)).parse().unwrap();
    let edits: [(Edit, Drift, &str); 9] = [
        (
            |sim| sim.move_by_hand(7, None),
            Drift::Image { wanted: code('a'), live: code('c'), version: Some(v(7)) },
            "the alias names version 7 with sha256:cccccccccccc, and sha256:aaaaaaaaaaaa was released",
        ),
        (
            |sim| sim.move_by_hand(8, None),
            Drift::Version { wanted: v(1), live: Some(v(8)) },
            "the alias names version 8, and version 1 was released",
        ),
        (
            |sim| sim.move_by_hand(1, Some(Weighted { version: v(7), basis_points: 250 })),
            Drift::Weights { version: v(7), weight: 250 },
            "version 7 gets 2.5 % of the traffic",
        ),
        (|sim| sim.alias = None, Drift::AliasMissing, "the alias was deleted"),
        (
            |sim| sim.latest().code = Some(image('d')),
            Drift::Latest { wanted: code('a'), live: image('d') },
            "`$LATEST` has sha256:dddddddddddd, which is no release; sha256:aaaaaaaaaaaa is live",
        ),
        (
            |sim| sim.resize_by_hand(512),
            Drift::Configuration {
                field: "memorySize".to_owned(),
                of: Holder::Latest,
                wanted: Some(128),
                live: Some(512),
            },
            "`memorySize` of `$LATEST` is 512, and Git says 128",
        ),
        (
            |sim| sim.version(1).reserved_concurrency = Some(0),
            Drift::Configuration {
                field: "reservedConcurrency".to_owned(),
                of: Holder::Function,
                wanted: Some(5),
                live: Some(0),
            },
            "`reservedConcurrency` of the function is 0, and Git says 5",
        ),
        (
            |sim| {
                sim.tag = Seen::Found(
                    "sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd".parse().unwrap(),
                )
            },
            Drift::TagMoved { tag: tag('a'), wanted: digest('a'), live: Some(digest('d')) },
            "the tag `v-a` was pushed again: it names sha256:dddddddddddd, and sha256:aaaaaaaaaaaa was released",
        ),
        (
            |sim| sim.registry = Some((v(7), None)),
            Drift::Registry { wanted: v(1), live: Some(v(7)), too_long: None },
            "the service registry tells of version 7, and version 1 was released",
        ),
    ];
    for (edit, expected, text) in edits {
        let mut sim = with_everything_declared();
        sim.add_version(7, code('c'));
        sim.add_version(8, code('a'));
        for other in [7, 8] {
            sim.version(other).reserved_concurrency = Some(5);
        }
        edit(&mut sim);
        assert_eq!(drift(&sim), std::slice::from_ref(&expected));
        assert_eq!(expected.to_string(), text);
        assert_eq!(serde_json::to_value(&expected).unwrap()["kind"], expected.kind());
        let of_alias = matches!(expected, Drift::Image { .. } | Drift::Version { .. } | Drift::Weights { .. });
        assert_eq!(whose(&sim).is_some(), of_alias, "{text}");
        let (_, plan) = sim.decide();
        assert_eq!((plan.actions, plan.standing.sync), (vec![], SyncStatus::OutOfSync), "{text}: only told");
    }
    let mut sim = audited();
    (sim.function, sim.alias) = (None, None);
    assert_eq!(drift(&sim), [Drift::FunctionMissing]);
}

/// Release `a` is at rest with memory and concurrency that Git gives.
fn with_everything_declared() -> Sim {
    let mut sim = Sim::at_rest();
    sim.service.configuration.memory_size = Some(128);
    sim.service.reserved_concurrency = Some(5);
    sim.wanted = Ok(release_with('a', &sim.service.configuration));
    sim.settle(4);
    sim.assert_converged();
    sim.audit = true;
    sim
}

#[test]
fn a_variable_that_was_changed_is_named_and_its_value_is_not() {
    let mut sim = audited();
    sim.service.configuration.environment = [("LOG_LEVEL".to_owned(), "warn".to_owned())].into();
    sim.wanted = Ok(release_with('a', &sim.service.configuration));
    sim.settle(4);
    sim.latest().configuration.environment = Some([("LOG_LEVEL".to_owned(), "secret".to_owned())].into());
    let found = drift(&sim);
    assert_eq!(
        found.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["`environment.LOG_LEVEL` of `$LATEST` is not what Git says"]
    );
    assert!(!format!("{found:?}").contains("secret"));
}

#[test]
fn what_is_no_drift() {
    let mut injected = audited();
    injected.add_version(7, release('c').code);
    injected.move_by_hand(1, Some(Weighted { version: v(7), basis_points: 100 }));
    injected.provisioning = true;
    assert_eq!(kinds(&injected), Vec::<&str>::new(), "weights that AWS injects");

    let mut rolling = Sim::wanting('b');
    rolling.audit = true;
    for _ in 0..3 {
        assert_eq!(kinds(&rolling), Vec::<&str>::new(), "a release under way");
        rolling.tick();
        rolling.aws_finishes();
    }

    let mut reverted = Sim::wanting('b');
    reverted.settle(4);
    reverted.git_wants('a');
    reverted.settle(4);
    reverted.audit = true;
    assert_eq!(reverted.decide().1, nothing(synced()), "`$LATEST` keeps the release before");

    let mut ignored = audited();
    ignored.service.ignored = ["$LATEST", "tag", "registry"].map(|field| field.parse().unwrap()).into();
    ignored.latest().code = Some(image('d'));
    (ignored.tag, ignored.registry) = (Seen::Missing, None);
    assert_eq!(ignored.decide().1, nothing(synced()), "what others own");

    let mut unseen = Sim::unseen();
    unseen.audit = true;
    assert_eq!(kinds(&unseen), Vec::<&str>::new(), "what was never released");

    let mut pinned = audited();
    pinned.tag = Seen::Found(format!("sha256:{}", "a".repeat(64)).parse().unwrap());
    assert_eq!(kinds(&pinned), Vec::<&str>::new(), "a tag that names what was released");

    let mut sharing = crate::rollout::holding();
    sharing.audit = true;
    assert_eq!(kinds(&sharing), Vec::<&str>::new(), "the share of a canary");

    let mut waiting = audited();
    waiting.service.sync_policy.automated = false;
    waiting.service.configuration.memory_size = Some(512);
    waiting.wanted = Ok(release_with('a', &waiting.service.configuration));
    assert_eq!(kinds(&waiting), Vec::<&str>::new(), "what Git wants, and nobody has released yet");
    let (_, world) = seen(&audited());
    assert_eq!(drift::of(&waiting.subject(), &world), [], "nor is it one of `$LATEST`");
}

#[test]
fn who_owns_one_field_owns_no_other() {
    let mut sim = audited();
    sim.service.ignored = ["tag".parse().unwrap()].into();
    sim.latest().code = Some(image('d'));
    (sim.tag, sim.registry) = (Seen::Missing, None);
    assert_eq!(kinds(&sim), ["latest", "registry"]);
}

#[test]
fn a_held_release_is_no_drift_and_an_alias_that_is_moved_meanwhile_is() {
    use tidegate_core::command::Word;
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    crate::rollout::told(&mut sim, Word::Rollback { to: None, remind_after: None }, Some("5xx"));
    assert_eq!(kinds(&sim), Vec::<&str>::new());
    sim.move_by_hand(2, None);
    assert_eq!(drift(&sim), [Drift::Version { wanted: v(1), live: Some(v(2)) }]);
}

#[test]
fn the_alias_says_whose_doing_it_likely_is() {
    let mut sim = Sim::wanting('b');
    sim.settle(4);
    sim.add_version(7, release('c').code);
    let first = sim.alias.clone().unwrap();
    sim.move_by_hand(7, None);
    assert_eq!(whose(&sim), Some(Whose::KeptDescription));
    let marker = |sim: &mut Sim, of: Option<tidegate_core::marker::Marker>| sim.alias.as_mut().unwrap().marker = of;
    marker(&mut sim, Some(crate::build::marker(1, &release('b'))));
    assert_eq!(whose(&sim), Some(Whose::KeptDescription), "of what is live, by an earlier move");
    marker(&mut sim, None);
    assert_eq!(whose(&sim), Some(Whose::OtherDescription));
    marker(&mut sim, Some(crate::build::marker(1, &release('a'))));
    assert_eq!(whose(&sim), Some(Whose::Older { transition: TransitionNumber(1) }));
    marker(&mut sim, Some(crate::build::marker(9, &release('c'))));
    assert_eq!(whose(&sim), Some(Whose::Newer { transition: TransitionNumber(9) }));
    let told =
        [Whose::OtherDescription, Whose::Older { transition: TransitionNumber(1) }].map(|whose| whose.to_string());
    assert_eq!(
        told,
        ["by a tool that replaced the alias's description", "by something that put back the alias of transition 1"]
    );
    sim.alias = Some(LiveAlias { additional: Some(Weighted { version: v(7), basis_points: 1 }), ..first });
    sim.audit = true;
    assert_eq!(whose(&sim), Some(Whose::KeptDescription));
}

#[test]
fn a_drift_is_as_old_as_the_first_look_that_found_it() {
    let (registry, latest) = (Drift::Registry { wanted: v(1), live: None, too_long: None }, Drift::AliasMissing);
    let before = [Drifted { drift: registry.clone(), since: at(3), whose: None }];
    let told = drift::told(vec![registry, latest], &World::default(), &before, at(9));
    assert_eq!(told.iter().map(|drifted| drifted.since).collect::<Vec<_>>(), [at(3), at(9)]);
}

#[test]
fn a_policy_that_heals_sets_the_alias_back_and_history_says_what_it_was() {
    for (edit, why) in [
        (Some((7, None)), "the alias names version 7 with sha256:cccccccccccc, and sha256:aaaaaaaaaaaa was released"),
        (Some((1, Some(Weighted { version: v(7), basis_points: 2_500 }))), "version 7 gets 25 % of the traffic"),
        (None, "the alias was deleted"),
    ] {
        let mut sim = healing_itself(audited());
        sim.add_version(7, release('c').code);
        match edit {
            Some((version, weights)) => sim.move_by_hand(version, weights),
            None => sim.alias = None,
        }
        sim.tick();
        let last = sim.records.last().unwrap();
        assert_eq!((last.kind, last.reason.as_deref(), last.actor.as_str()), (Kind::Healed, Some(why), "controller"));
        let alias = sim.alias.clone().unwrap();
        assert_eq!((alias.version, alias.additional, alias.marker), (Some(v(1)), None, Some(marker(2, &release('a')))));
        assert_eq!(sim.decide().1, nothing(synced()), "{why}");
    }
}

#[test]
fn a_policy_that_heals_sets_back_what_the_traffic_does_not_depend_on() {
    let mut sim = with_everything_declared();
    sim = healing_itself(sim);
    sim.latest().code = Some(image('d'));
    sim.version(1).reserved_concurrency = Some(0);
    sim.registry = None;
    assert_eq!(
        done(&mut sim),
        [
            "record transition 3 as healed",
            "bring `$LATEST` back to the code that is live",
            "set reservedConcurrency to 5",
            "write version 1 to the service registry",
        ]
    );
    sim.aws_finishes();
    assert_eq!(sim.decide().1, nothing(synced()));

    let mut sim = healing_itself(with_everything_declared());
    sim.resize_by_hand(512);
    assert_eq!(done(&mut sim), ["record transition 3 as healed", "set memorySize"]);
    let mut sim = healing_itself(audited());
    sim.registry = None;
    assert_eq!(done(&mut sim), ["write version 1 to the service registry"], "its own entry is no transition");
}

#[test]
fn a_tag_that_was_pushed_again_is_nobodys_to_heal() {
    for forced in [false, true] {
        let mut sim = healing_itself(audited());
        sim.forced = forced;
        sim.tag =
            Seen::Found("sha256:dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd".parse().unwrap());
        let (_, plan) = sim.decide();
        assert_eq!(plan.actions, []);
        assert!(matches!(plan.standing.waiting_on, Some(WaitingOn::Drift { .. })));
        assert_eq!(plan.standing.health, Health::Healthy);
    }
}

#[test]
fn somebody_who_keeps_changing_it_back_is_answered_ever_more_slowly() {
    let mut sim = healing_itself(Sim::at_rest());
    sim.add_version(7, release('c').code);
    let mut healed = Vec::new();
    for _ in 0..=60 {
        if sim.alias.as_ref().unwrap().version == Some(v(1)) {
            sim.move_by_hand(7, None);
        }
        let before = sim.records.len();
        let minute = sim.minute();
        let plan = sim.tick();
        if sim.records.len() > before {
            healed.push(minute);
        } else {
            let Some(WaitingOn::Fight { .. }) = plan.standing.waiting_on else { panic!("{:?}", plan.standing) };
            assert_eq!(plan.standing.health, Health::Degraded);
        }
    }
    // After an hour the first of them counts no more.
    assert_eq!(healed, [0, 1, 3, 7, 15, 31, 60]);
    sim.forced = true;
    sim.tick();
    assert_eq!(sim.records.last().unwrap().kind, Kind::Healed, "a person's word waits for nothing");
}

#[test]
fn somebody_who_keeps_changing_what_no_traffic_depends_on_is_told_of_as_degraded() {
    let mut sim = healing_itself(Sim::at_rest());
    sim.audit = true;
    let mut healths = Vec::new();
    for _ in 0..6 {
        sim.latest().code = Some(image('c'));
        let plan = sim.tick();
        if let Some(WaitingOn::Fight { .. }) = plan.standing.waiting_on {
            healths.push(plan.standing.health);
        }
        sim.aws_finishes();
    }
    assert_eq!(healths, [Health::Degraded; 3]);
}

#[test]
fn a_policy_without_automation_reports_and_a_persons_sync_releases() {
    let mut sim = Sim::wanting('b');
    sim.service.sync_policy = SyncPolicy { automated: false, self_heal: true };
    let (_, plan) = sim.decide();
    assert_eq!(plan.actions, []);
    let standing = plan.standing;
    assert_eq!(
        (standing.sync, standing.health, standing.waiting_on),
        (SyncStatus::OutOfSync, Health::Healthy, Some(WaitingOn::Sync))
    );

    let mut named = sim.clone();
    named.forced = true;
    assert_eq!(named.tick().standing.phase, PhaseName::Publishing);

    sim.asked = true;
    sim.tick();
    sim.asked = false;
    sim.aws_finishes();
    sim.settle(3);
    sim.assert_converged();

    sim.add_version(7, release('c').code);
    sim.move_by_hand(7, None);
    let (_, plan) = sim.decide();
    assert!(matches!(plan.standing.waiting_on, Some(WaitingOn::HandEdit { .. })), "nothing is healed either");
    assert_eq!(plan.actions, []);
}

#[test]
fn a_first_look_records_the_baseline_and_releases_nothing_without_automation() {
    let mut sim = Sim::unseen();
    sim.service.sync_policy.automated = false;
    sim.git_wants('b');
    let plan = sim.tick();
    assert!(matches!(plan.actions[..], [Action::AppendRecord(_)]), "{plan:?}");
    assert_eq!(sim.decide().1.actions, []);
}

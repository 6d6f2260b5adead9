//! Which versions can go, and why each other one is kept.
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tidegate_core::history::{Head, Kind, Record};
use tidegate_core::housekeeping::{
    AT_ONCE, Decision, Evidence, Inventory, Kept, ListedAlias, OutOfRange, Policy, Published, READS, Unrest, decide,
    whose_turn,
};
use tidegate_core::ids::{TransitionNumber, Version};
use tidegate_core::marker::Marker;
use tidegate_core::release::{AppliedConfiguration, Release};
use tidegate_core::state::{Phase, Revert, ServiceState};

use crate::build::{image, release, source, state, v};

/// A day after the tests' beginning, plus minutes.
fn day(day: i64, minute: i64) -> DateTime<Utc> {
    crate::build::at(day * 24 * 60 + minute)
}

/// The release that version `number` has.
fn of(number: u64) -> Release {
    let code = tidegate_core::release::Code::Image(format!("sha256:{number:064x}").parse().unwrap());
    Release::new(code.clone(), source(&code), None, &AppliedConfiguration::default())
}

fn deployed(number: u64) -> tidegate_core::history::Deployed {
    crate::build::deployed(number, &of(number))
}

fn published(number: u64, at: DateTime<Utc>) -> Published {
    Published { version: v(number), code: Some(of(number).code), at }
}

/// A transition to version `number`, as record `number`, that began at noon of that day and took ten minutes.
fn promoted(number: u64) -> Record {
    let from = (number > 1).then(|| deployed(number - 1));
    let noon = i64::try_from(number).unwrap() * 24 * 60;
    crate::build::record(number, Kind::Promoted, from, deployed(number), crate::build::commit('a'), [noon, noon + 10])
}

/// A service whose versions 1, 2, … were each released on their own day; the last of them is live.
struct Service {
    records: Vec<Record>,
    versions: Vec<Published>,
    aliases: Vec<ListedAlias>,
    state: Option<ServiceState>,
    policy: Policy,
    now: DateTime<Utc>,
}

fn alias(name: &str, version: u64) -> ListedAlias {
    ListedAlias { name: name.to_owned(), version: Version::new(version), additional: None, marker: None }
}

fn live(version: u64, transition: u64) -> ListedAlias {
    let marker = Marker { release: of(version).id, transition: TransitionNumber(transition), weight: None, held: None };
    ListedAlias { marker: Some(marker), ..alias("live", version) }
}

/// So many versions, the last of which was released a year ago.
fn old(count: u64) -> Service {
    Service {
        records: (1..=count).map(promoted).collect(),
        versions: (1..=count).map(|n| published(n, day(i64::try_from(n).unwrap(), 1))).collect(),
        aliases: vec![live(count, count)],
        state: None,
        policy: Policy::new(5, 30).unwrap(),
        now: day(i64::try_from(count).unwrap() + 365, 0),
    }
}

impl Service {
    fn head(&self) -> Head {
        let heads = self.records.iter().cloned();
        heads.fold(None, |head: Option<Head>, record| Some(Head::append(head.as_ref(), record).unwrap().head)).unwrap()
    }

    /// Decides, and reads what is asked for; gives how many records that took.
    fn look(&self) -> (Decision, usize) {
        let (head, alias) = (self.head(), "live".parse().unwrap());
        let preview = "candidate".parse().unwrap();
        let mut read = BTreeMap::new();
        loop {
            let evidence = Evidence {
                alias: &alias,
                preview: Some(&preview),
                versions: &self.versions,
                aliases: &self.aliases,
                state: self.state.as_ref(),
                head: Some(&head),
                records: &read,
                policy: self.policy,
                now: self.now,
            };
            match decide(&evidence) {
                Decision::Read(number) => {
                    let record = self.records.iter().find(|record| record.number == number).cloned();
                    assert_eq!(read.insert(number, record), None, "nothing is read twice");
                }
                decided => return (decided, read.len()),
            }
        }
    }

    fn inventory(&self) -> Inventory {
        match self.look().0 {
            Decision::Inventory(inventory) => inventory,
            other => panic!("{other:?}"),
        }
    }

    fn kept(&self, version: u64) -> Kept {
        self.inventory().kept.get(&v(version)).cloned().unwrap_or_else(|| panic!("{version} is deleted"))
    }

    fn waits_for(&self) -> Unrest {
        match self.look().0 {
            Decision::Wait(unrest) => unrest,
            other => panic!("{other:?}"),
        }
    }
}

fn held(version: u64) -> ServiceState {
    let phase = Phase::Held {
        reason: "5xx".to_owned(),
        actor: "ann".to_owned(),
        remind: None,
        told: true,
        revert: Revert::default(),
    };
    state(20, &of(version), Some(deployed(version - 1)), 'a', phase)
}

#[test]
fn the_oldest_go_first_a_few_at_a_time_and_the_newest_stay() {
    let service = old(12);
    let inventory = service.inventory();
    assert_eq!(inventory.delete, [v(1), v(2), v(3)]);
    assert_eq!(inventory.delete.len(), AT_ONCE);
    let of_reason =
        |reason: Kept| inventory.kept.iter().filter(|(_, kept)| **kept == reason).map(|(v, _)| *v).collect();
    let (later, newest): (Vec<_>, Vec<_>) = (of_reason(Kept::Later), of_reason(Kept::Newest));
    assert_eq!((later, newest), (vec![v(4), v(5), v(6), v(7)], vec![v(8), v(9), v(10), v(11)]));
    assert_eq!(inventory.kept[&v(12)], Kept::Alias("live".to_owned()));
}

#[test]
fn with_nothing_beyond_the_newest_nothing_goes_and_nothing_is_read() {
    let service = old(5);
    assert_eq!((service.inventory().delete, service.look().1), (Vec::new(), 0));
}

#[test]
fn what_was_published_or_live_lately_stays_however_many_there_are() {
    let mut service = old(12);
    service.now = day(12 + 30, 0);
    assert_eq!(service.inventory().delete, [v(1), v(2), v(3)]);
    // Version 2 was live until the record of version 3 ended, ten minutes after noon of day 3.
    service.now = day(3 + 30, 9);
    assert_eq!((service.inventory().delete, service.kept(2)), (vec![v(1)], Kept::Young));
    service.now = day(3 + 30, 10);
    assert_eq!(service.inventory().delete, [v(1), v(2)]);
    // A failed version was never live: its age is its own.
    service.records[5].kind = Kind::Failed;
    service.now = day(6 + 30, 0);
    assert_eq!(service.kept(6), Kept::Young);
}

#[test]
fn no_version_that_any_alias_names_goes_not_even_with_a_weight_of_zero() {
    let mut service = old(12);
    service.aliases.push(ListedAlias { additional: Some(v(2)), ..alias("by-hand", 1) });
    assert_eq!((service.kept(1), service.kept(2)), (Kept::Alias("by-hand".into()), Kept::Alias("by-hand".into())));
    assert_eq!(service.inventory().delete, [v(3), v(4), v(5)]);
}

#[test]
fn a_hold_keeps_what_it_holds_out_and_what_is_live_instead() {
    let mut service = old(12);
    service.state = Some(held(3));
    assert_eq!((service.kept(3), service.kept(2)), (Kept::Hold, Kept::Hold));
    assert_eq!(service.inventory().delete, [v(1), v(4), v(5)]);
    // The hold that only the alias knows of any more.
    service.state = None;
    service.aliases[0].marker = Some(Marker {
        held: Some(of(3).id),
        ..Marker { release: of(12).id, transition: TransitionNumber(12), weight: None, held: None }
    });
    assert_eq!(service.kept(3), Kept::Hold);
}

#[test]
fn what_a_rollback_would_go_back_to_stays_below_any_number_of_bad_ones() {
    // Versions 7 to 11 were live and rolled back, each to version 6: the good ones are 2 to 6.
    let mut service = old(6);
    let mut minute = 40 * 24 * 60;
    for bad in 7..=11 {
        let next = |records: &[Record]| u64::try_from(records.len()).unwrap() + 1;
        for (kind, from, to) in [(Kind::Promoted, 6, bad), (Kind::RolledBack, bad, 6)] {
            let number = next(&service.records);
            let commit = crate::build::commit('a');
            let record = crate::build::record(number, kind, Some(deployed(from)), deployed(to), commit, [minute; 2]);
            service.records.push(record);
            minute += 24 * 60;
        }
        service.versions.push(published(bad, day(bad.cast_signed(), 0)));
    }
    service.aliases = vec![live(6, 16)];
    let inventory = service.inventory();
    assert_eq!((inventory.delete, &inventory.kept[&v(2)]), (vec![v(1)], &Kept::Newest));
}

#[test]
fn what_history_does_not_know_is_never_touched() {
    let mut service = old(12);
    // The number is history's, the code is not: the function was deleted and created again.
    service.versions[0].code = Some(image('b'));
    // Published by hand before the transition that released it.
    service.versions[1].at = day(1, 60);
    // What was live before Tidegate came.
    service.records[2].kind = Kind::Adopted;
    // AWS did not say what it is.
    service.versions[3].code = None;
    for foreign in 1..=4 {
        assert_eq!(service.kept(foreign), Kept::NotOurs, "{foreign}");
    }
    // Published by hand between two releases: no record names it.
    service.records[4].to = deployed(4);
    assert_eq!(service.kept(5), Kept::NotOurs);
    assert_eq!(service.inventory().delete, [v(6), v(7)]);
}

#[test]
fn a_version_whose_release_was_rolled_back_on_its_way_is_known_from_that_record() {
    let mut service = old(12);
    // Record 2 is the rollback of version 2, in the middle of its canary; version 2 was never promoted.
    service.records[1] = Record {
        kind: Kind::RolledBack,
        from: Some(deployed(2)),
        to: deployed(1),
        started: day(2, 10),
        ..service.records[1].clone()
    };
    assert_eq!(service.inventory().delete, [v(1), v(2), v(3)]);
}

#[test]
fn a_long_history_is_bisected() {
    let service = old(1_000);
    let (decided, reads) = service.look();
    let Decision::Inventory(inventory) = decided else { panic!("{decided:?}") };
    assert_eq!(inventory.delete, [v(1), v(2), v(3)]);
    assert!(reads <= 13, "{reads} records are read");
}

#[test]
fn a_record_that_is_gone_proves_nothing() {
    let mut service = old(100);
    let head = service.records.split_off(80);
    service.records = head;
    // Only the newest end is there, and what came before its oldest record is not known.
    let (decided, reads) = service.look();
    let Decision::Inventory(inventory) = decided else { panic!("{decided:?}") };
    assert_eq!((inventory.delete, reads), (vec![v(82), v(83), v(84)], 1));
    assert_eq!(inventory.kept[&v(1)], Kept::NotOurs);
}

/// Twelve old versions, of which the second was published so many seconds after its transition began; that took from `began` to
/// `ended` minutes after noon. What the next one, a rollback, came from is the third record's.
fn published_at(seconds: i64, kind: Kind, rolled_back_from: Option<u64>) -> Service {
    let mut service = old(12);
    let noon = day(2, 0);
    service.versions[1].at = noon + chrono::Duration::seconds(seconds);
    service.records[1].kind = kind;
    if let Some(from) = rolled_back_from {
        service.records[1].to = deployed(1);
        (service.records[2].kind, service.records[2].from) = (Kind::RolledBack, Some(deployed(from)));
    }
    service
}

#[test]
fn clocks_of_s3_and_lambda_may_be_seconds_apart() {
    let is_ours = |service: &Service| service.inventory().kept.get(&v(2)) != Some(&Kept::NotOurs);
    // The record began at noon, and ended ten minutes later.
    for (seconds, ours) in [(-6, false), (-5, true), (3, true), (603, true), (605, true), (606, false)] {
        assert_eq!(is_ours(&published_at(seconds, Kind::Promoted, None)), ours, "{seconds}");
        let ended_by_a_rollback = published_at(seconds, Kind::Superseded, Some(2));
        assert_eq!(is_ours(&ended_by_a_rollback), ours || seconds == 606, "{seconds}, and was rolled back");
    }
    assert!(!is_ours(&published_at(3, Kind::Superseded, Some(5))), "the rollback was of something else");
}

#[test]
fn what_takes_too_many_reads_waits() {
    // Every second day somebody publishes by hand: nothing of it is Tidegate's, and each has to be looked at.
    let mut service = old(2_000);
    service.versions =
        (1..1_000).map(|n| Published { code: None, ..published(n, day(n.cast_signed() * 2, 1)) }).collect();
    service.versions.push(published(2_000, day(2_000, 1)));
    let (decided, reads) = service.look();
    let Decision::Inventory(inventory) = decided else { panic!("{decided:?}") };
    assert_eq!((reads, inventory.delete), (READS, Vec::new()));
    assert!(inventory.kept.values().any(|kept| *kept == Kept::Later));
}

#[test]
fn nothing_goes_while_a_service_is_not_at_rest() {
    let preparing = Phase::Preparing { version: v(13), reused: false, smoke: None };
    for phase in [preparing, Phase::Aborted { reason: "red".to_owned() }, Phase::Failed { reason: "red".to_owned() }] {
        let service = Service { state: Some(state(13, &release('a'), None, 'a', phase)), ..old(12) };
        assert_eq!(service.waits_for(), Unrest::UnderWay);
    }
    let moved = [
        vec![],
        vec![live(11, 12)],
        vec![ListedAlias { version: None, ..live(12, 12) }],
        vec![ListedAlias { additional: Some(v(11)), ..live(12, 12) }],
    ];
    for aliases in moved {
        assert_eq!(Service { aliases, ..old(12) }.waits_for(), Unrest::AliasMoved);
    }
    assert_eq!(Service { aliases: vec![live(12, 13)], ..old(12) }.waits_for(), Unrest::NoHistory);
}

#[test]
fn a_function_that_another_environment_releases_too_is_left_alone() {
    let mut service = old(12);
    service.aliases.push(ListedAlias { name: "candidate".to_owned(), ..live(11, 11) });
    assert_eq!(service.inventory().delete, [v(1), v(2), v(3)], "the preview alias is its own");
    service.aliases.push(ListedAlias { name: "production".to_owned(), ..live(10, 41) });
    assert_eq!(service.waits_for(), Unrest::SharedFunction { alias: "production".to_owned() });
}

#[test]
fn a_policy_that_takes_a_rollback_away_is_refused() {
    assert_eq!(Policy::new(4, 30), Err(OutOfRange::Versions(4)));
    assert_eq!(Policy::new(5, 0), Err(OutOfRange::Days(0)));
    let read = |text: &str| serde_json::from_str::<Policy>(text).map_err(|error| error.to_string());
    assert_eq!(read("{}"), Ok(Policy::new(10, 30).unwrap()));
    assert_eq!(read(r#"{"keepVersions":20,"keepDays":90}"#), Ok(Policy::new(20, 90).unwrap()));
    assert_eq!(read(r#"{"keepVersions":1}"#).unwrap_err(), "`keepVersions` is 1, and has to be 5 to 1000");
    assert!(read(r#"{"keepFor":"30d"}"#).unwrap_err().starts_with("unknown field `keepFor`"));
    let policy = Policy::new(7, 8).unwrap();
    assert_eq!(read(&serde_json::to_string(&policy).unwrap()), Ok(policy));
}

#[test]
fn everybodys_turn_comes_whatever_the_schedule_and_not_more_often_than_every_eleven_minutes() {
    for (services, every) in [(1, 1), (3, 5), (11, 10), (40, 15), (300, 1)] {
        let turns = (0..5_000).filter_map(|tick| whose_turn(day(1, tick * every), services));
        let mut counts = vec![0; services];
        turns.for_each(|turn| counts[turn] += 1);
        assert!(counts.iter().all(|count| (16..=5_000 / 11 + 1).contains(count)), "{services}, {every}: {counts:?}");
    }
    assert_eq!(whose_turn(day(1, 0), 0), None);
}

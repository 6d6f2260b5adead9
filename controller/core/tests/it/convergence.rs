//! Whatever happened: once Git stands still and faults stop, live becomes what Git wants, and then nothing happens.
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tidegate_core::history::{Head, hash_bytes};
use tidegate_core::live::{VersionState, Weighted};

use crate::build::*;
use crate::sim::{Crash, Sim};

/// What may happen to a service.
#[derive(Clone, Debug)]
enum Event {
    /// A whole tick, and what AWS does until the next.
    Tick,
    /// A tick that dies at this action, before or after its effect.
    DyingTick(usize, bool),
    /// A person's `sync`.
    ForcedTick,
    /// AWS finishes what it was told.
    AwsFinishes,
    /// Updates fail from now on, or do not.
    Doom(bool),
    /// Git wants another image and perhaps some memory.
    GitWants(char, Option<u32>),
    /// What Git wants cannot be resolved.
    Unresolvable,
    /// A person moves the alias to the version with this index, perhaps with weights on the one with the other.
    MoveByHand(usize, Option<usize>),
    /// A person changes `$LATEST`.
    ResizeByHand(u32),
    /// The alias is deleted.
    DeleteAlias,
    /// The function is deleted and created anew.
    Recreate(char),
    /// An old version falls asleep, or is deleted.
    OldVersionGone(usize, bool),
    /// The intent is lost.
    LoseState,
    /// The cache is lost.
    ForgetCache,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let letter = prop::sample::select(vec!['a', 'b', 'c']);
    let memory = prop::option::of(prop::sample::select(vec![128, 512]));
    let event = prop_oneof![
        6 => Just(Event::Tick),
        4 => (0..6_usize, any::<bool>()).prop_map(|(action, after)| Event::DyingTick(action, after)),
        1 => Just(Event::ForcedTick),
        3 => Just(Event::AwsFinishes),
        1 => any::<bool>().prop_map(Event::Doom),
        4 => (letter.clone(), memory).prop_map(|(letter, memory)| Event::GitWants(letter, memory)),
        1 => Just(Event::Unresolvable),
        2 => (0..4_usize, prop::option::of(0..4_usize)).prop_map(|(to, other)| Event::MoveByHand(to, other)),
        1 => prop::sample::select(vec![256, 512]).prop_map(Event::ResizeByHand),
        1 => Just(Event::DeleteAlias),
        1 => letter.prop_map(Event::Recreate),
        1 => (0..4_usize, any::<bool>()).prop_map(|(index, deleted)| Event::OldVersionGone(index, deleted)),
        1 => Just(Event::LoseState),
        1 => Just(Event::ForgetCache),
    ];
    prop::collection::vec(event, 0..30)
}

fn happen(sim: &mut Sim, event: &Event) {
    match event {
        Event::Tick => tick(sim, None),
        Event::DyingTick(action, true) => tick(sim, Some(Crash::After(*action))),
        Event::DyingTick(action, false) => tick(sim, Some(Crash::Before(*action))),
        Event::ForcedTick => {
            sim.forced = true;
            tick(sim, None);
            sim.forced = false;
        }
        Event::AwsFinishes => sim.aws_finishes(),
        Event::Doom(doomed) => sim.function().doom = doomed.then(|| "ImageAccessDenied".to_owned()),
        Event::GitWants(letter, memory) => {
            sim.service.configuration.memory_size = *memory;
            (sim.wanted, sim.commit) = (Ok(release_with(*letter, &sim.service.configuration)), commit(*letter));
        }
        Event::Unresolvable => sim.wanted = Err("the tag does not exist".to_owned()),
        Event::MoveByHand(to, other) => {
            let active: Vec<u64> = (1..20).filter(|number| is_active(sim, *number)).collect();
            let pick = |index: usize| active.get(index % active.len().max(1)).copied();
            if let (Some(to), true) = (pick(*to), sim.alias.is_some()) {
                let other = other.and_then(pick).filter(|other| *other != to);
                sim.move_by_hand(to, other.map(|other| Weighted { version: v(other), basis_points: 500 }));
            }
        }
        Event::ResizeByHand(memory) => sim.resize_by_hand(*memory),
        Event::DeleteAlias => sim.alias = None,
        Event::Recreate(letter) => sim.recreate(image(*letter)),
        Event::OldVersionGone(index, deleted) => old_version_gone(sim, *index, *deleted),
        Event::LoseState => sim.state = None,
        Event::ForgetCache => sim.recorded = None,
    }
}

fn is_active(sim: &mut Sim, number: u64) -> bool {
    sim.function().versions.get(&v(number)).is_some_and(|version| version.state == VersionState::Active)
}

/// Neither what the alias names nor what was published last: AWS deletes no version in use, and gives a number once.
fn old_version_gone(sim: &mut Sim, index: usize, deleted: bool) {
    let alias = sim.alias.clone();
    let in_use = |version| {
        alias.as_ref().is_some_and(|alias| {
            alias.version == Some(version) || alias.additional.is_some_and(|additional| additional.version == version)
        })
    };
    let versions = &mut sim.function().versions;
    let last = versions.keys().next_back().copied();
    let old = versions.keys().copied().filter(|version| Some(*version) != last && !in_use(*version)).nth(index);
    let Some(old) = old else { return };
    if deleted {
        versions.remove(&old);
    } else {
        versions.get_mut(&old).unwrap().state = VersionState::Inactive;
    }
}

/// One tick, and what holds after each.
fn tick(sim: &mut Sim, crash: Option<Crash>) {
    let (plan, result) = sim.tick_until(crash);
    if result.is_ok() && plan.standing == synced() {
        let wanted = sim.wanted.clone().unwrap();
        let live = sim.alias.as_ref().unwrap().version.unwrap();
        assert_eq!(sim.function().versions[&live].code, Some(wanted.code), "what is called synced is live");
    }
}

fn assert_history_is_whole(sim: &Sim) {
    let mut head: Option<Head> = None;
    for record in &sim.records {
        assert_eq!(record.number.0, head.as_ref().map_or(0, |head| head.number.0) + 1);
        let appended = Head::append(head.as_ref(), record.clone()).unwrap();
        assert_eq!(appended.head.hash, hash_bytes(&appended.bytes));
        assert_eq!(appended.head.recent[0], *record, "each is chained to the one before");
        head = Some(appended.head);
    }
    assert_eq!(head, sim.head);
}

proptest! {
    // The same lives each time. Others: `PROPTEST_CASES=200000 PROPTEST_RNG_SEED=2 cargo test -p tidegate-core convergence`.
    #![proptest_config(ProptestConfig {
        cases: 10_000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })]

    #[test]
    fn live_becomes_what_git_wants_from_anywhere_and_then_nothing_happens(
        start in 0..3_usize,
        events in events(),
        last in prop::sample::select(vec!['a', 'b', 'c']),
    ) {
        let mut sim = [Sim::at_rest(), Sim::unseen(), Sim::unpublished(image('a'), release('a'))][start].clone();
        for event in &events {
            happen(&mut sim, event);
        }
        happen(&mut sim, &Event::Doom(false));
        happen(&mut sim, &Event::GitWants(last, None));
        // Hand edits and failures are gone over where a person says so.
        sim.forced = true;
        sim.aws_finishes();
        sim.settle(10);
        // What is still waited for by now will never come.
        sim.pass(16);
        sim.settle(10);
        sim.forced = false;
        assert_history_is_whole(&sim);
        for _ in 0..100 {
            sim.assert_converged();
            sim.tick();
        }
        prop_assert_eq!(sim.state, None);
        prop_assert_eq!(sim.alias.unwrap().additional, None);
    }

    #[test]
    fn without_a_person_a_service_rests_at_what_git_wants_or_says_why_not(start in 0..3_usize, events in events()) {
        let mut sim = [Sim::at_rest(), Sim::unseen(), Sim::unpublished(image('a'), release('a'))][start].clone();
        for event in &events {
            happen(&mut sim, event);
        }
        sim.aws_finishes();
        sim.settle(10);
        assert_history_is_whole(&sim);
        let standing = sim.decide().1.standing;
        prop_assert_eq!(standing == synced(), standing.waiting_on.is_none(), "{:?}", standing);
    }
}

//! Worlds drawn from seeds: what must hold does, and a seed is always the same life.
use sha2::{Digest as _, Sha256};
use simulation::forge::Forge;
use simulation::random::Scenario;

#[test]
fn a_seed_plays_byte_for_byte_the_same() {
    let forge = Forge::start();
    let mut scenario = Scenario::of(11);
    // Enough for doubled ticks, faults and words; the whole life is played elsewhere.
    scenario.story.minutes = 30;
    let journal = || {
        let journal = scenario.play(&forge, true).journal.join("\n");
        assert!(journal.len() > 10_000, "{}", journal.len());
        Sha256::digest(journal)
    };
    assert_eq!(journal(), journal());
}

#[test]
fn what_must_hold_does_in_worlds_drawn_from_seeds() {
    let forge = Forge::start();
    for seed in 1..=2 {
        let outcome = Scenario::of(seed).play(&forge, false);
        println!("seed {seed}: {} minutes, {} calls", outcome.minutes, outcome.calls);
        assert_eq!(outcome.violation.map(|violation| violation.to_string()), None, "seed {seed}");
    }
}

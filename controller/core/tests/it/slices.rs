//! Going through a list over several ticks: everything has its turn, and no tick has too much.
use chrono::Duration;
use proptest::prelude::*;
use tidegate_core::slice::Slice;

use crate::build::at;

#[test]
fn a_list_that_fits_has_its_turn_in_every_tick() {
    for count in [0, 1, 30] {
        let slice = Slice::of(at(7), count, 30);
        assert_eq!((slice.rounds(), (0..count).all(|place| slice.has(place))), (1, true));
    }
}

proptest! {
    #[test]
    fn in_one_round_everything_has_exactly_one_turn_and_no_tick_more_than_it_can_have(
        count in 1..4_000_usize,
        at_once in 1..200_usize,
        begin in 0..100_000_i64,
    ) {
        let rounds = Slice::of(at(begin), count, at_once).rounds();
        prop_assert_eq!(rounds as usize, count.div_ceil(at_once));
        let mut turns = vec![0; count];
        for minute in 0..rounds as i64 {
            let slice = Slice::of(at(begin) + Duration::minutes(minute), count, at_once);
            let having: Vec<usize> = (0..count).filter(|place| slice.has(*place)).collect();
            prop_assert!(having.len() <= at_once);
            having.into_iter().for_each(|place| turns[place] += 1);
        }
        prop_assert!(turns.iter().all(|turns| *turns == 1));
    }
}

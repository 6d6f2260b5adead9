//! Dividing an environment's services: the same for ever, evenly, and each service in exactly one part.
use std::collections::BTreeMap;

use proptest::prelude::*;
use release_schema::ServiceName;
use tidegate_core::shard::{NotAShard, Shard, Shards, shard_of};

fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

fn of(count: u8) -> Shards {
    Shards::new(count).unwrap()
}

fn shard(text: &str) -> Shard {
    text.parse().unwrap()
}

#[test]
fn the_shard_of_a_name_never_changes() {
    // From `printf %s NAME | sha256sum`: the first 16 digits, modulo how many there are, and one more.
    let known = [
        ("flight-service", 3, "2/3"),
        ("flight-service", 64, "55/64"),
        ("reservation-service", 3, "1/3"),
        ("reservation-service", 64, "28/64"),
        ("flight-bff", 3, "2/3"),
        ("flight-bff", 64, "16/64"),
    ];
    for (service, count, expected) in known {
        assert_eq!(shard_of(&name(service), of(count)).to_string(), expected, "{service} of {count}");
    }
}

#[test]
fn a_thousand_names_are_spread_evenly() {
    for names in ["service-{}", "{}-service", "team-{}-api"] {
        let mut each: BTreeMap<Shard, usize> = BTreeMap::new();
        for number in 0..1_000 {
            let service = name(&names.replace("{}", &number.to_string()));
            *each.entry(shard_of(&service, of(4))).or_default() += 1;
        }
        assert_eq!(each.len(), 4);
        // 250, give or take four times the deviation of as many dice.
        assert!(each.values().all(|services| (195..=305).contains(services)), "{names}: {each:?}");
    }
}

#[test]
fn a_shard_is_written_as_which_of_how_many_and_read_back() {
    for text in ["1/1", "2/4", "64/64"] {
        assert_eq!(shard(text).to_string(), text);
        assert_eq!(serde_json::to_string(&shard(text)).unwrap(), format!("\"{text}\""));
    }
    assert_eq!((shard("1/1"), shard("1/1").is_whole(), shard("1/2").is_whole()), (Shard::WHOLE, true, false));
    for text in ["0/4", "5/4", "1/0", "1/65", "4", "/", "1/", "+1/4", "01/4", "1/4/2", " 1/4", "1/256", "-1/4", ""] {
        assert_eq!(text.parse::<Shard>(), Err(NotAShard(text.to_owned())), "{text}");
    }
    let error = serde_json::from_str::<Shard>("\"3/2\"").unwrap_err().to_string();
    assert_eq!(error, "`3/2` is no shard; write `2/4` for the second of four, at most 64");
}

proptest! {
    #[test]
    fn each_service_is_in_exactly_one_shard(service in "[a-z]([a-z0-9-]{0,20}[a-z0-9])?", count in 1..=Shards::MOST) {
        let service = name(&service);
        let taken: Vec<Shard> = of(count).each().filter(|shard| shard.takes(&service)).collect();
        prop_assert_eq!(taken, [shard_of(&service, of(count))]);
    }

    #[test]
    fn two_shards_of_one_service_meet(service in "[a-z]{1,20}", one in 1..=Shards::MOST, other in 1..=Shards::MOST) {
        let service = name(&service);
        prop_assert!(shard_of(&service, of(one)).meets(shard_of(&service, of(other))));
    }
}

#[test]
fn shards_without_a_common_service_do_not_meet() {
    let meets = |one: &str, other: &str| (shard(one).meets(shard(other)), shard(other).meets(shard(one)));
    for (one, other) in [("1/2", "2/2"), ("1/2", "2/4"), ("2/2", "3/4"), ("1/6", "2/4")] {
        assert_eq!(meets(one, other), (false, false), "{one} {other}");
    }
    for (one, other) in [("1/1", "7/9"), ("1/2", "3/4"), ("1/2", "3/3"), ("1/6", "3/4"), ("2/2", "2/2")] {
        assert_eq!(meets(one, other), (true, true), "{one} {other}");
    }
}

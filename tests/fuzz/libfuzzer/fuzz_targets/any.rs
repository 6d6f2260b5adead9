//! The target that `FUZZ_TARGET` names, under libFuzzer.
#![no_main]
use std::sync::LazyLock;

use fuzz::budget::Counting;
use fuzz::{TARGETS, Target, check, target};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        let names = TARGETS.map(|target| target.name).join(", ");
        panic!("`FUZZ_TARGET` is `{name}`, and should be one of {names}")
    })
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| check(&TARGET, data));

//! A Git server that means harm, against the limits as they are shipped, but for a shorter time: each attempt ends within 20 s and 256 MiB.
#![expect(clippy::expect_used, clippy::panic, reason = "a step of a test that fails should end the test there")]
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fuzz::budget::{Counting, spent};
use fuzz::git_host::{self, Says};
use fuzz::pack::{self, BLOB, DELTA, blob, compressed, copies, head, inflates_to, rewrites};
use tidegate_runtime::git::{self, Cache, Error, Limits, Measure};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MEMORY: usize = 256 << 20;
const TIME: Duration = Duration::from_secs(20);

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// Memory is counted for the whole process: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes of observing a server that says this.
fn observed(says: Says) -> Error {
    let _alone = alone();
    let scratch = tempfile::tempdir().expect("a directory");
    let remote = git_host::remote(says);
    let mut outcome = None;
    let began = Instant::now();
    let cost = spent(|| {
        // So that two operations, and noticing that the time of one is over, fit into the time of a tick.
        let limits = Limits { timeout: Duration::from_secs(14), ..Limits::default() };
        let fetched = git::list(&remote, &limits)
            .and_then(|head| Cache::open(scratch.path().join("cache")).snapshot(&remote, head, &limits));
        outcome = Some(fetched.map(drop));
    });
    assert!(cost.memory <= MEMORY, "it took {} MiB", cost.memory >> 20);
    assert!(began.elapsed() <= TIME, "it took {:?}", began.elapsed());
    assert!(!scratch.path().join("cache").exists(), "something of it is kept");
    match outcome {
        Some(Err(error)) => error,
        other => panic!("it was not refused: {other:?}"),
    }
}

fn pack_of(objects: &[Vec<u8>]) -> Says {
    Says { references: git_host::references(COMMIT), pack: git_host::result(&pack::of(objects)) }
}

#[test]
fn a_delta_that_stands_for_gigabytes_is_refused() {
    let base = vec![b'x'; 0x1_0000];
    let error = observed(pack_of(&[blob(&base), copies(&base, 20_000)]));
    assert!(matches!(error, Error::TooBig { what: Measure::Object, .. }), "{error:?}");
}

#[test]
fn a_chain_of_deltas_ends_with_the_time_that_there_is() {
    // Each stands for 4 MiB and is put together from the one before it: the last through all of them.
    let mut content = vec![b'x'; 0x1_0000];
    let mut objects = vec![blob(&content), copies(&content, 64)];
    content = content.repeat(64);
    for number in 0..60_u32 {
        let (delta, next) = rewrites(&content, number.to_be_bytes());
        objects.push(delta);
        content = next;
    }
    // From its end: so that nothing that was put together before is of use.
    objects.reverse();
    let error = observed(pack_of(&objects));
    let ended = matches!(error, Error::TimedOut { .. } | Error::TooBig { .. } | Error::Corrupt { .. });
    assert!(ended, "{error:?}");
}

#[test]
fn a_file_that_is_inflated_to_gigabytes_ends_with_the_time_that_there_is() {
    let gigabytes = [head(BLOB, 16 << 30), inflates_to(16 << 10)].concat();
    let error = observed(pack_of(&[gigabytes]));
    assert!(matches!(error, Error::TimedOut { .. } | Error::Corrupt { .. }), "{error:?}");
}

#[test]
fn a_file_that_says_to_be_of_a_petabyte_is_not_believed() {
    let error = observed(pack_of(&[[head(BLOB, 1 << 50), compressed(b"small")].concat()]));
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    let error = observed(pack_of(&[[head(DELTA, 1 << 50), vec![7; 20], compressed(b"small")].concat()]));
    assert!(matches!(error, Error::Corrupt { .. } | Error::TooBig { .. }), "{error:?}");
}

#[test]
fn more_objects_than_a_release_repository_has_are_refused_before_they_come() {
    let mut pack = pack_of(&[blob(b"one")]);
    let count = pack.pack.windows(4).position(|window| window == b"PACK").expect("a pack") + 8;
    pack.pack[count..count + 4].copy_from_slice(&4_000_000_000_u32.to_be_bytes());
    // libgit2 makes room for all of them before it says how many they are.
    let error = observed(pack);
    assert!(matches!(error, Error::TooBig { what: Measure::Objects | Measure::Unpacked, .. }), "{error:?}");
}

#[test]
fn a_million_references_are_refused() {
    let reference = |number: u32| git_host::packet(format!("{COMMIT} refs/heads/{number:07}\n").as_bytes());
    let first = git_host::packet(format!("{COMMIT} HEAD\0shallow\n").as_bytes());
    let mut references = [git_host::packet(b"# service=git-upload-pack\n"), b"0000".to_vec(), first].concat();
    (0..1_000_000).for_each(|number| references.extend(reference(number)));
    references.extend_from_slice(b"0000");
    let error = observed(Says { references, ..Says::default() });
    assert!(matches!(error, Error::TooBig { what: Measure::References, .. }), "{error:?}");
}

#[test]
fn a_pack_of_hundreds_of_megabytes_is_refused() {
    // Noise: nothing of it can be compressed.
    let mut random = fastrand::Rng::with_seed(7);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(1 << 20).collect();
    let object = blob(&noise);
    let objects: Vec<Vec<u8>> = vec![object; 100];
    let error = observed(pack_of(&objects));
    assert!(matches!(error, Error::TooBig { what: Measure::Transfer, .. } | Error::Corrupt { .. }), "{error:?}");
}

//! A pack that makes libgit2 lose memory, in a process of its own: what is lost stays lost to it.
use std::time::{Duration, Instant};

use fuzz::budget::{Counting, spent};
use fuzz::git_host::{self, Says};
use fuzz::pack::{self, blob, copies};
use tidegate_runtime::git::{self, Cache, Error, Limits, Measure};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// libgit2 keeps what it put together where an object of the same name is there already, and tells nobody: 400 times 10 MiB, and
/// then again from the beginning.
#[test]
fn many_deltas_that_make_the_same_object_end_at_the_limit_of_memory() {
    let base = vec![b'x'; 0x1_0000];
    let mut objects = vec![blob(&base)];
    objects.extend((0..400).map(|_| copies(&base, 160)));
    let commit = "0123456789abcdef0123456789abcdef01234567";
    let says = Says { references: git_host::references(commit), pack: git_host::result(&pack::of(&objects)) };
    let scratch = tempfile::tempdir().unwrap();
    let remote = git_host::remote(says);
    let began = Instant::now();
    let cost = spent(|| {
        let limits = Limits { timeout: Duration::from_secs(14), ..Limits::default() };
        let outcome = git::list(&remote, &limits)
            .and_then(|head| Cache::open(scratch.path().join("cache")).snapshot(&remote, head, &limits));
        // On a machine that has much else to do its time may be over first.
        let ended = matches!(outcome, Err(Error::TooBig { what: Measure::Unpacked, .. } | Error::TimedOut { .. }));
        assert!(ended, "{outcome:?}");
    });
    assert!(cost.memory <= 256 << 20, "it took {} MiB", cost.memory >> 20);
    assert!(began.elapsed().as_secs() < 20, "it took {:?}", began.elapsed());
    // All else goes on, and so does what reads of Git need no libgit2.
    assert_eq!(git::list(&remote, &Limits::default()).unwrap().to_string(), commit);
}

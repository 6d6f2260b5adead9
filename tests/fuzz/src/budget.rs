//! Measures what a piece of work costs: the memory that it held at once, and the time it took.
#![expect(unsafe_code, reason = "an allocator and a clock are of the system; this one only counts")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What an input may take of memory.
pub const MEMORY: usize = 128 << 20;
/// How much of a processor's time an input may take: on the clock it would depend on what else the machine does.
pub const TIME: Duration = Duration::from_secs(1);

static HELD: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted: for `#[global_allocator]` of whatever measures.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every call goes on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        took(layout.size());
        // SAFETY: as the caller promised.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both may exist for a moment.
        took(size);
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(memory, layout, size) }
    }
}

fn took(bytes: usize) {
    let held = HELD.fetch_add(bytes, Ordering::Relaxed).wrapping_add(bytes);
    MOST.fetch_max(held, Ordering::Relaxed);
}

/// What a piece of work cost.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Bytes that it held at once, at most: of all threads, so that only one thing may be measured at a time. What C allocates
    /// is told by the system, where the system tells it.
    pub memory: usize,
    /// Of a processor, by all threads.
    pub time: Duration,
}

/// Does the work, and measures it.
pub fn spent(work: impl FnOnce()) -> Spent {
    let resident = resident::Before::now();
    let before = HELD.load(Ordering::Relaxed);
    MOST.store(before, Ordering::Relaxed);
    let began = processor_time();
    work();
    let time = processor_time().saturating_sub(began);
    let counted = MOST.load(Ordering::Relaxed).saturating_sub(before);
    Spent { memory: counted.max(resident.grown()), time }
}

/// What this process has had of the processors.
#[must_use]
pub fn processor_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the clock is there on every Unix, and writes into what it is given.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

/// The memory of the whole process, as Linux tells it.
mod resident {
    use std::fs;

    pub(super) struct Before(Option<usize>);

    impl Before {
        /// Begins a new maximum.
        pub(super) fn now() -> Self {
            // 5 sets `VmHWM` back (proc_pid_clear_refs(5)).
            let begun = fs::write("/proc/self/clear_refs", "5");
            Self(begun.ok().and_then(|()| of("VmRSS:")))
        }

        /// How far it grew since, at most; 0 where nobody says.
        pub(super) fn grown(&self) -> usize {
            self.0.and_then(|before| Some(of("VmHWM:")?.saturating_sub(before))).unwrap_or_default()
        }
    }

    fn of(name: &str) -> Option<usize> {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let kilobytes = status.lines().find_map(|line| line.strip_prefix(name))?;
        kilobytes.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()?.checked_mul(1024)
    }
}

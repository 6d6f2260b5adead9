//! Counts the memory that a world holds, thread by thread: each world lives in one, and two of them in a process, which is what
//! `fuzz::budget` counts as a whole.
#![expect(unsafe_code, reason = "an allocator is of the system; this one only counts")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;

use mimalloc::MiMalloc;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

/// Counts, and leaves the rest to one that is quicker than glibc's, which takes a sixth of the time of a life longer.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every call goes on to another allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        changed(layout.size(), 0);
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        changed(layout.size(), 0);
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        changed(0, layout.size());
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        changed(size, layout.size());
        // SAFETY: as the caller promised.
        unsafe { MiMalloc.realloc(memory, layout, size) }
    }
}

/// What one thread frees, and another took, is counted in both: over a command that is little.
fn changed(took: usize, freed: usize) {
    let held = HELD.get().wrapping_add_unsigned(took).wrapping_sub_unsigned(freed);
    HELD.set(held);
    if held > MOST.get() {
        MOST.set(held);
    }
}

/// The memory of this thread since a moment.
#[derive(Clone, Copy, Debug)]
pub struct Since(isize);

impl Since {
    /// Begins to watch. Where another is watching already, that one's most is forgotten: it began a moment ago.
    #[must_use]
    pub fn now() -> Self {
        let held = HELD.get();
        MOST.set(held);
        Self(held)
    }

    /// By how many bytes more this thread ever held at once.
    #[must_use]
    pub fn most(self) -> usize {
        usize::try_from(MOST.get().saturating_sub(self.0)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_held_and_let_go_again_counts() {
        let since = Since::now();
        drop(std::hint::black_box(vec![1_u8; 1 << 20]));
        let most = since.most();
        assert!((1 << 20..2 << 20).contains(&most), "{most}");
    }
}

//! Decides how much memory libgit2 may take, and until when: what a pack costs is bounded while it is unpacked, too.
//!
//! libgit2 unpacks an object as large as the pack says it is, through as many deltas as the pack has, and tells nobody of its
//! progress meanwhile; and it loses the memory of an object that a pack brings twice. So it gets its memory here, or is told
//! that there is none: that ends whatever it does. Where the system's allocator does not tell how large a piece is, nothing
//! is bounded.
use std::cell::Cell;
use std::time::Instant;

/// The largest object that is put together from deltas: far more than anything that is read.
pub(super) const LARGEST_OBJECT: usize = 32 << 20;

/// All that libgit2 may hold at once: three such objects, and what it knows of 200,000 others.
pub(super) const MOST: usize = 160 << 20;

thread_local! {
    /// When the operation of this thread has to be over.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Runs `work`, in which libgit2 gets no memory on this thread after `until`.
pub(super) fn until<T>(until: Instant, work: impl FnOnce() -> T) -> T {
    /// Restores what was there, also where `work` unwinds.
    struct Restore(Option<Instant>);
    impl Drop for Restore {
        fn drop(&mut self) {
            UNTIL.set(self.0);
        }
    }
    let _restore = Restore(UNTIL.replace(Some(until)));
    work()
}

/// Bounds libgit2's memory, from now on. libgit2 has to be set up.
///
/// # Errors
/// Where libgit2 refuses.
#[cfg(target_os = "linux")]
pub(super) fn bound() -> Result<(), git2::Error> {
    bounded::begin()
}

/// Bounds nothing.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(super) fn bound() -> Result<(), git2::Error> {
    Ok(())
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "libgit2 takes an allocator as functions of C, and an option as a variable argument")]
mod bounded {
    use std::ffi::{c_char, c_int, c_void};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    use libgit2_sys as raw;

    use super::{LARGEST_OBJECT, MOST, UNTIL};

    /// `git_allocator` (git2/sys/alloc.h).
    #[repr(C)]
    struct Allocator {
        allocate: unsafe extern "C" fn(usize, *const c_char, c_int) -> *mut c_void,
        reallocate: unsafe extern "C" fn(*mut c_void, usize, *const c_char, c_int) -> *mut c_void,
        free: unsafe extern "C" fn(*mut c_void),
    }

    static ALLOCATOR: Allocator = Allocator { allocate, reallocate, free };

    /// What libgit2 holds.
    static HELD: AtomicUsize = AtomicUsize::new(0);

    /// Smaller pieces are given in any case, out of what is left for them: errors are told in them.
    const SMALL: usize = 4 << 10;
    const LEFT_FOR_SMALL: usize = 8 << 20;

    pub(super) fn begin() -> Result<(), git2::Error> {
        // SAFETY: both options take one argument of this type, and libgit2 copies the functions. What it allocated before is
        // the C library's, as all that comes after is: either can free it.
        let codes = unsafe {
            [
                raw::git_libgit2_opts(raw::GIT_OPT_SET_ALLOCATOR as c_int, &raw const ALLOCATOR),
                raw::git_libgit2_opts(raw::GIT_OPT_SET_PACK_MAX_OBJECT_SIZE as c_int, LARGEST_OBJECT),
            ]
        };
        codes.into_iter().try_for_each(|code| if code < 0 { Err(git2::Error::last_error(code)) } else { Ok(()) })
    }

    /// Whether there is so much more.
    fn there_is(size: usize) -> bool {
        let then = HELD.load(Ordering::Relaxed).saturating_add(size);
        let over = || UNTIL.get().is_some_and(|until| Instant::now() > until);
        if size < SMALL { then <= MOST + LEFT_FOR_SMALL } else { then <= MOST && !over() }
    }

    fn gave(piece: *mut c_void) {
        // SAFETY: the piece was allocated by the C library and not freed since; for none the size is 0.
        HELD.fetch_add(unsafe { libc::malloc_usable_size(piece) }, Ordering::Relaxed);
    }

    fn takes_back(piece: *mut c_void) {
        // SAFETY: as above.
        let size = unsafe { libc::malloc_usable_size(piece) };
        // What was allocated before the beginning was never counted.
        let _counted = HELD.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| Some(held.saturating_sub(size)));
    }

    unsafe extern "C" fn allocate(size: usize, _file: *const c_char, _line: c_int) -> *mut c_void {
        if !there_is(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: any size can be asked for.
        let piece = unsafe { libc::malloc(size) };
        gave(piece);
        piece
    }

    unsafe extern "C" fn reallocate(
        piece: *mut c_void,
        size: usize,
        _file: *const c_char,
        _line: c_int,
    ) -> *mut c_void {
        if !there_is(size) {
            return std::ptr::null_mut();
        }
        takes_back(piece);
        // SAFETY: the piece is none, or one of the C library's; where there is no more, it stays as it is.
        let moved = unsafe { libc::realloc(piece, size) };
        gave(if moved.is_null() { piece } else { moved });
        moved
    }

    unsafe extern "C" fn free(piece: *mut c_void) {
        takes_back(piece);
        // SAFETY: the piece is none, or one of the C library's, and nobody has it any more.
        unsafe { libc::free(piece) }
    }
}

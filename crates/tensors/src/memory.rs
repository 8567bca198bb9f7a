//! Host memory: a counting allocator that measures peaks of individual pieces of work.

use std::sync::atomic::{AtomicUsize, Ordering};

use peak_alloc::PeakAlloc;

/// Counts all allocations of the process, over all threads.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Bytes excluded from every peak.
static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);

/// The highest number of bytes in the current measurement since the counter's last reset; a nested
/// measurement resets the counter.
static SEEN: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` and returns the peak of allocated host bytes during it. This includes earlier allocations,
/// except those [left out](leave_out). The peak of a nested measurement also counts in the outer one.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let around = begin();
    let result = work();
    let peak = highest();
    SEEN.store(around.max(peak), Ordering::Relaxed);
    (result, counted(peak))
}

/// Runs `work` inside a measurement and excludes its peak from it.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    let around = begin();
    let result = work();
    SEEN.store(around, Ordering::Relaxed);
    ALLOCATED.reset_peak_usage();
    result
}

/// The bytes allocated on the host now, except those [left out](leave_out).
pub fn allocated() -> u64 {
    counted(ALLOCATED.current_usage())
}

/// The highest number of bytes in the current measurement.
fn highest() -> usize {
    SEEN.load(Ordering::Relaxed).max(ALLOCATED.peak_usage())
}

/// Starts a measurement; returns the peak of the enclosing one so far.
fn begin() -> usize {
    let around = highest();
    SEEN.store(0, Ordering::Relaxed);
    ALLOCATED.reset_peak_usage();
    around
}

fn counted(bytes: usize) -> u64 {
    bytes.saturating_sub(LEFT_OUT.load(Ordering::Relaxed)) as u64
}

/// Runs `work` and excludes what it allocates and keeps from all later peaks; for buffers that are reserved
/// once and hardly used. Call it at startup, before other threads allocate.
pub fn leave_out(work: impl FnOnce()) {
    let before = ALLOCATED.current_usage();
    work();
    let kept = ALLOCATED.current_usage().saturating_sub(before);
    LEFT_OUT.fetch_add(kept, Ordering::Relaxed);
}

/// Makes the C library keep freed memory for the next tensor. By default glibc returns every large buffer to
/// the system and maps a new one, page by page, for the next operation, which can take longer than the
/// operation itself.
pub fn keep_freed_memory() {
    #[cfg(target_env = "gnu")]
    {
        /// Larger than any tensor of these models.
        const NEVER: libc::c_int = 1 << 30;
        // SAFETY: `mallopt` takes two integers and may be called at any time; it is called before
        // other threads start.
        unsafe {
            libc::mallopt(libc::M_MMAP_THRESHOLD, NEVER);
            libc::mallopt(libc::M_TRIM_THRESHOLD, NEVER);
        }
    }
}

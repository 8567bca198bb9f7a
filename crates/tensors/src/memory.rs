//! Host memory: a counting allocator, so that a peak belongs to one stretch of work.

use std::sync::atomic::{AtomicUsize, Ordering};

use peak_alloc::PeakAlloc;

/// Counts every allocation of the process; threads count together.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Bytes that are no part of any peak.
static LEFT_OUT: AtomicUsize = AtomicUsize::new(0);

/// The highest number of bytes in the stretch under way, as of the counter's last reset: a stretch
/// within another starts a count of its own.
static SEEN: AtomicUsize = AtomicUsize::new(0);

/// Runs `work` and tells the highest number of bytes that were allocated on the host meanwhile,
/// what was there before included, but for what was [left out](leave_out). Within the work of
/// another peak it is part of that too.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let around = begin();
    let result = work();
    let peak = highest();
    SEEN.store(around.max(peak), Ordering::Relaxed);
    (result, counted(peak))
}

/// Runs `work` within the work of a peak, and keeps it out of that.
pub fn apart<T>(work: impl FnOnce() -> T) -> T {
    let around = begin();
    let result = work();
    SEEN.store(around, Ordering::Relaxed);
    ALLOCATED.reset_peak_usage();
    result
}

/// The bytes that are allocated on the host now, but for what was [left out](leave_out).
pub fn allocated() -> u64 {
    counted(ALLOCATED.current_usage())
}

/// The highest number of bytes in the stretch under way.
fn highest() -> usize {
    SEEN.load(Ordering::Relaxed).max(ALLOCATED.peak_usage())
}

/// Starts the count of a stretch; what the one around it has come to so far.
fn begin() -> usize {
    let around = highest();
    SEEN.store(0, Ordering::Relaxed);
    ALLOCATED.reset_peak_usage();
    around
}

fn counted(bytes: usize) -> u64 {
    bytes.saturating_sub(LEFT_OUT.load(Ordering::Relaxed)) as u64
}

/// Runs `work`, and leaves what it allocates and keeps out of every later peak: buffers that are
/// reserved once and hardly touched. For the start, before other threads allocate.
pub fn leave_out(work: impl FnOnce()) {
    let before = ALLOCATED.current_usage();
    work();
    let kept = ALLOCATED.current_usage().saturating_sub(before);
    LEFT_OUT.fetch_add(kept, Ordering::Relaxed);
}

/// Asks the C library to keep freed memory for the next tensor. By default glibc gives every large
/// buffer back to the system and fetches a new one, page by page, for the next operation: that
/// costs more time than some operations themselves.
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

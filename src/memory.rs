//! Host memory: a counting allocator, so that a peak belongs to one stretch of work.

use peak_alloc::PeakAlloc;

/// Counts every allocation of the process; threads count together.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Runs `work` and tells the highest number of bytes that were allocated on the host meanwhile,
/// what was there before included. On processors with AVX2 but not AVX-512, that holds what the kernels
/// of products reserve for each thread and hardly touch, twice the third-level cache.
pub fn peak_of<T>(work: impl FnOnce() -> T) -> (T, u64) {
    ALLOCATED.reset_peak_usage();
    let result = work();
    (result, ALLOCATED.peak_usage() as u64)
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

//! Memory: a counting allocator of the host, which measures peaks of individual pieces of work, and what a device's
//! pools have reserved.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::tensor::Device;
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

/// The bytes that the memory pools of `device` have reserved now, on all of its streams; `None` if tensors are in host
/// memory.
///
/// Pools carve tensors out of pages and keep the pages until [`release_unused`] is called, so this is the peak since
/// then: the memory that the device must have, rather than the bytes of tensors that live at one time. It includes
/// padding, what is free inside of pages, and the working memory of operations and of their tuning. Pages of a size that
/// the pool has outgrown may be returned earlier and are then missing (CubeCL 0.11, `memory_management/dynamic`).
pub fn reserved(device: &Device) -> Option<u64> {
    device.memory_pool_usage().map(|pool| pool.bytes_reserved)
}

/// Waits for `device` and returns its pools' unused pages to the driver, so that [`reserved`] measures from here on.
pub fn release_unused(device: &Device) {
    // A failure of the device is reported by the next operation that reads from it.
    let _ = device.sync();
    device.memory_cleanup();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_has_no_pools() {
        let device = Device::flex();
        release_unused(&device);
        assert_eq!(reserved(&device), None);
        assert_eq!(reserved(&device.autodiff()), None);
    }
}

//! The thread pool for tensor operations.

use crate::memory;

/// Makes this thread a worker of the pool. Otherwise it would sleep and be woken again at every parallel operation.
/// Call it once, before anything is computed.
pub fn compute_on_this_thread() {
    // If this fails, rayon's own pool is used: same results, but slower.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    memory::leave_out(|| {
        rayon::broadcast(|_| promptshift_kernels::reserve_buffers());
    });
}

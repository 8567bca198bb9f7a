//! The threads that tensors are computed on.

use crate::memory;

/// Makes this thread one of the pool's: otherwise it would go to sleep, and be woken again, at every
/// operation that is shared among threads. To be called once, before anything is computed.
pub fn compute_on_this_thread() {
    // Without it the pool is rayon's own and the results are the same, only later.
    let _ = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    memory::leave_out(|| {
        rayon::broadcast(|_| promptshift_kernels::reserve_buffers());
    });
}

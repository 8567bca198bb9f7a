//! Random numbers that never change with a library.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Normal deviates with mean 0 and variance 1 (Box & Muller 1958).
pub(super) struct Normal(ChaCha8Rng);

/// The stream of normal deviates, apart from those of the resamples.
const STREAM: u64 = u64::MAX;

impl Normal {
    pub(super) fn new(seed: u64) -> Normal {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(STREAM);
        Normal(rng)
    }

    pub(super) fn next(&mut self) -> f64 {
        let mut uniform = || (f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0;
        (-2.0 * uniform().ln()).sqrt() * (std::f64::consts::TAU * uniform()).cos()
    }
}

//! Randomness: one seed, one algorithm.
//!
//! A seed in a bug report must replay in ten years, which `SmallRng` and `StdRng` do not promise.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;

/// PCG32 (O'Neill 2014), seeded by a `u64`.
#[derive(Debug, Clone)]
pub(crate) struct SwimRng(Pcg32);

impl SwimRng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Pcg32::seed_from_u64(seed))
    }

    /// A number below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        let n = u32::try_from(n).unwrap_or(u32::MAX);
        self.0.random_range(0..n) as usize
    }

    /// Any number of 64 bits.
    pub(crate) fn word(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Between 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }
}

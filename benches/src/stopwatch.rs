//! Time that is short against reading a clock.

use std::time::{Duration, Instant};

/// Times work that may last less than reading the clock does: what that takes is found out first
/// and taken off.
#[derive(Debug)]
pub struct Stopwatch {
    reading: Duration,
}

const READINGS: usize = 1_001;

impl Default for Stopwatch {
    fn default() -> Self {
        let mut readings: Vec<_> = (0..READINGS).map(|_| Instant::now().elapsed()).collect();
        readings.sort_unstable();
        Self { reading: readings[READINGS / 2] }
    }
}

impl Stopwatch {
    /// How long some work takes.
    pub fn time(&self, work: impl FnOnce()) -> Duration {
        let start = Instant::now();
        work();
        start.elapsed().saturating_sub(self.reading)
    }
}

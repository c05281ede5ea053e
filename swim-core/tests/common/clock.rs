//! Time that tests make.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use swim_core::Clock;

/// A clock that stands still until it is moved.
#[derive(Clone)]
pub struct ManualClock {
    origin: Instant,
    micros: Arc<AtomicU64>,
}

impl ManualClock {
    #[allow(clippy::disallowed_methods, reason = "an origin; nothing depends on when it is")]
    pub fn new() -> Self {
        Self { origin: Instant::now(), micros: Arc::new(AtomicU64::new(0)) }
    }

    pub fn set(&self, micros: u64) {
        self.micros.store(micros, Ordering::Relaxed);
    }

    pub fn micros(&self) -> u64 {
        self.micros.load(Ordering::Relaxed)
    }

    pub fn advance(&self, by: Duration) {
        self.set(self.micros() + by.as_micros() as u64);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Instant {
        self.origin + Duration::from_micros(self.micros())
    }
}

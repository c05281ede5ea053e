//! The one place of the core that may read a clock or take randomness from outside.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::time::Instant;

/// Where [`GossipProtocol`](crate::GossipProtocol) reads the time, for round trips, time-outs and
/// `last_update`. Replaceable through the builder, so that tests run on virtual time.
pub trait Clock: Send {
    /// The time now; never earlier than before.
    fn now(&self) -> Instant;
}

/// The machine's monotonic clock.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the exempt file")]
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// A seed that differs from start to start.
#[expect(clippy::disallowed_methods, reason = "the exempt file")]
pub(super) fn random_seed() -> u64 {
    RandomState::new().hash_one(0u64)
}

//! Evidence time: a clock that goes on only while this node hears others.
//!
//! A node that is held up (its network is cut, its process starved) misses the refutations of
//! those it suspects. So its suspicions run on this clock, and silence stops them.

use std::time::Duration;

use crate::time::Time;

/// How long this node has been hearing others.
#[derive(Debug, Default, Clone)]
pub(super) struct Hearing {
    pub(super) passed: Duration,
    pub(super) last: Option<Time>,
    messages: u64,
}

impl Hearing {
    /// A message came from another node. Silence before it counts up to `patience`.
    pub(super) fn hear(&mut self, now: Time, patience: Duration) {
        self.passed = self.passed_at(now, patience);
        self.last = Some(now);
        self.messages += 1;
    }

    /// What the clock shows.
    pub(super) fn passed_at(&self, now: Time, patience: Duration) -> Duration {
        self.passed + self.last.map_or(Duration::ZERO, |last| now.since(last).min(patience))
    }

    /// Messages heard so far.
    pub(super) fn messages(&self) -> u64 {
        self.messages
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(1);

    #[test]
    fn silence_counts_up_to_the_patience_and_no_further() {
        let mut hearing = Hearing::default();
        for second in 0..=10 {
            hearing.hear(Time(second * 1_000_000), PATIENCE);
        }
        assert_eq!(hearing.passed_at(Time(10_000_000), PATIENCE), Duration::from_secs(10));
        assert_eq!(hearing.passed_at(Time(10_400_000), PATIENCE), Duration::from_millis(10_400));
        assert_eq!(hearing.passed_at(Time(60_000_000), PATIENCE), Duration::from_secs(11));
        hearing.hear(Time(60_000_000), PATIENCE);
        hearing.hear(Time(60_000_000), PATIENCE);
        assert_eq!(hearing.passed_at(Time(60_000_000), PATIENCE), Duration::from_secs(11));
    }
}

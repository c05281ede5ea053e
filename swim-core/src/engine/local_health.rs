//! Lifeguard's local health (section 4.1): how much this node doubts itself.

use crate::tuning::LOCAL_HEALTH_MAX;

/// 0 is healthy; each point adds one probe interval and one time-out.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct LocalHealth(u8);

impl LocalHealth {
    pub(super) fn score(self) -> u8 {
        self.0
    }

    /// Something that only this node's own trouble explains happened `times` over: relays that
    /// owed a nack were silent, or this node had to refute.
    pub(super) fn worsen(&mut self, times: u8) {
        self.0 = self.0.saturating_add(times).min(LOCAL_HEALTH_MAX);
    }

    /// A probe was answered.
    pub(super) fn improve(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_between_healthy_and_its_maximum() {
        let mut health = LocalHealth::default();
        health.improve();
        assert_eq!(health.score(), 0);
        health.worsen(200);
        assert_eq!(health.score(), LOCAL_HEALTH_MAX);
        health.improve();
        assert_eq!(health.score(), LOCAL_HEALTH_MAX - 1);
    }
}

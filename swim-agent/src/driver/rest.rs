//! Comparisons of views that find nothing but members that are refused here, and would find them again
//! each time.
//!
//! Who does not believe in some of a cluster's members has another view for good, and anti-entropy would
//! send it all of them at each comparison. So after one that brought nothing else it hears of no other for
//! a while, and each time for longer. What is lost by that is repair, not news.

use std::time::Duration;

use swim_core::GossipMessage;
use tokio::time::Instant;

/// The first and the longest while.
const PAUSES: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(600)];

/// Until when no comparison is heard.
#[derive(Debug)]
pub(super) struct Rest {
    until: Option<Instant>,
    pause: Duration,
}

impl Rest {
    pub(super) fn new() -> Self {
        Self { until: None, pause: PAUSES[0] }
    }

    /// Takes comparisons out of a packet while they are not heard; how many.
    pub(super) fn take(&self, messages: &mut Vec<GossipMessage>, now: Instant) -> usize {
        if self.until.is_none_or(|until| until <= now) {
            return 0;
        }
        let before = messages.len();
        messages.retain(|message| !matches!(message, GossipMessage::Digest { .. }));
        before - messages.len()
    }

    /// A packet told of so many differences, of which so many are left.
    pub(super) fn compared(&mut self, told: usize, left: usize, now: Instant) {
        if left > 0 {
            *self = Self::new();
        } else if told > 0 && self.until.is_none_or(|until| until <= now) {
            self.until = Some(now + self.pause);
            self.pause = (self.pause * 2).min(PAUSES[1]);
        }
    }
}

/// How many differences a packet tells of.
pub(super) fn differences(messages: &[GossipMessage]) -> usize {
    let told = |message: &GossipMessage| match message {
        GossipMessage::Delta { updates, .. } => updates.len(),
        _ => 0,
    };
    messages.iter().map(told).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use swim_core::Digest;

    fn heard(rest: &Rest, now: Instant) -> bool {
        let digest = GossipMessage::Digest { digest: Digest::View { hash: 1 } };
        let mut messages = vec![GossipMessage::Ping { seq: 1, from: "a".into() }, digest];
        let taken = rest.take(&mut messages, now);
        assert_eq!(messages.len(), 2 - taken);
        taken == 0
    }

    #[test]
    fn what_is_in_vain_is_done_ever_more_seldom_and_what_is_not_at_once() {
        let mut now = Instant::now();
        let mut rest = Rest::new();
        assert!(heard(&rest, now));
        for pause in [30, 60, 120, 240, 480, 600, 600].map(Duration::from_secs) {
            rest.compared(9, 0, now);
            // Others that were under way.
            rest.compared(9, 0, now);
            assert!(!heard(&rest, now + pause - Duration::from_secs(1)));
            now += pause;
            assert!(heard(&rest, now));
        }
        rest.compared(9, 0, now);
        rest.compared(0, 0, now);
        assert!(!heard(&rest, now), "a packet that tells of nothing says nothing");
        rest.compared(9, 1, now);
        assert!(heard(&rest, now));
        rest.compared(9, 0, now);
        assert!(heard(&rest, now + PAUSES[0]));
    }
}

//! How much work one packet may ask for, and strangers together.
//!
//! A request for all members, or for what differs between two views, is a few bytes and costs a
//! walk over all members. An honest packet holds one, perhaps two; a packet full of them would keep
//! the driver from everything else for seconds, and fill the memory with answers.

use std::time::Duration;

use swim_core::{Digest, GossipMessage};
use tokio::time::Instant;

/// Such messages that are heard in one packet.
const MOST: u32 = 4;
/// Such messages that are heard in datagrams of strangers in one second: a healing partition has a
/// few, and whoever forges addresses has no end of them.
const MOST_OF_STRANGERS: u32 = 32;
const SECOND: Duration = Duration::from_secs(1);

/// What one packet has asked for so far.
#[derive(Debug, Default)]
pub(super) struct Burden {
    walks: u32,
}

impl Burden {
    /// Whether the next message of the packet may be heard.
    pub(super) fn bears(&mut self, message: &GossipMessage) -> bool {
        if walks(message) {
            self.walks += 1;
        }
        self.walks <= MOST || !walks(message)
    }
}

/// What strangers have asked for by datagram in the present second.
#[derive(Debug)]
pub(super) struct Strangers {
    since: Instant,
    walks: u32,
}

impl Strangers {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, walks: 0 }
    }

    /// Whether the next message of a stranger may be heard.
    pub(super) fn bear(&mut self, message: &GossipMessage, now: Instant) -> bool {
        if !walks(message) {
            return true;
        }
        if now.saturating_duration_since(self.since) >= SECOND {
            *self = Self::new(now);
        }
        self.walks += 1;
        self.walks <= MOST_OF_STRANGERS
    }
}

/// Whether to answer a message takes a walk over all members, or over what users told lately.
fn walks(message: &GossipMessage) -> bool {
    match message {
        GossipMessage::Sync { .. }
        | GossipMessage::SyncRequest { .. }
        | GossipMessage::Fetch { .. }
        | GossipMessage::Held { .. } => true,
        GossipMessage::Digest { digest } => !matches!(digest, Digest::View { .. }),
        GossipMessage::Delta { wanted, .. } => !wanted.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_is_heard_but_for_requests_that_are_too_many() {
        let mut burden = Burden::default();
        let request = GossipMessage::SyncRequest { from: "x".into() };
        let heard = (0..100).filter(|_| burden.bears(&request)).count();
        assert_eq!(heard, MOST as usize);
        assert!(burden.bears(&GossipMessage::Ping { seq: 1, from: "x".into() }));
    }

    #[test]
    fn strangers_are_heard_again_a_second_later() {
        let now = Instant::now();
        let mut strangers = Strangers::new(now);
        let digest = GossipMessage::Digest { digest: Digest::Buckets { hashes: vec![1] } };
        let mut heard = |at| (0..100).filter(|_| strangers.bear(&digest, at)).count();
        assert_eq!(heard(now), MOST_OF_STRANGERS as usize);
        assert_eq!(heard(now + SECOND / 2), 0);
        assert_eq!(heard(now + SECOND), MOST_OF_STRANGERS as usize);
    }
}

//! How much work one packet may ask for.
//!
//! A request for all members, or for what differs between two views, is a few bytes and costs a
//! walk over all members. An honest packet holds one, perhaps two; a packet full of them would keep
//! the driver from everything else for seconds, and fill the memory with answers.

use swim_core::{Digest, GossipMessage};

/// Such messages that are heard in one packet.
const MOST: u32 = 4;

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

/// Whether to answer a message takes a walk over all members.
fn walks(message: &GossipMessage) -> bool {
    match message {
        GossipMessage::Sync { .. } | GossipMessage::SyncRequest { .. } => true,
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
}

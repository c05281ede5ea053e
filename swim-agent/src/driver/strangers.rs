//! What an address that nobody has proven may be answered.
//!
//! The source of a datagram can be forged. An answer to an address where no live member is known
//! may therefore go to a victim, and must not be much more than what the forger had to send.

use swim_core::{GossipMessage, MemberId, MemberUpdate};

/// Answers to one datagram may have this many times its bytes (as in QUIC, RFC 9000, section 8.1):
/// an answer to a ping and a word on how this node holds the asker, names of different length
/// included.
pub(super) const FACTOR: usize = 3;

/// What may still be answered to one datagram from an unproven address.
#[derive(Debug)]
pub(super) struct Allowance {
    bytes: usize,
    /// Whose ping is being answered.
    asker: Option<MemberId>,
    /// Whether the last `Gossip` went out, so that its companion may.
    told: bool,
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may go.
    Granted,
    /// It would amplify or tell of others, but is worth a stream, which proves the address first.
    StreamOnly,
    /// It is not for strangers.
    Refused,
}

impl Allowance {
    /// For a datagram of `received` bytes; what answers it starts with an envelope and is one
    /// datagram of at most `budget` bytes, for no stream is opened to where nobody may be.
    pub(super) fn new(received: usize, envelope: usize, budget: usize) -> Self {
        let bytes = (received * FACTOR).min(budget).saturating_sub(envelope);
        Self { bytes, asker: None, told: false }
    }

    /// What is left, for what else goes out on account of the datagram.
    pub(super) fn bytes(&mut self) -> &mut usize {
        &mut self.bytes
    }

    /// Takes so many bytes off for what goes out later; false where there are not as many left.
    pub(super) fn take(&mut self, bytes: usize) -> bool {
        let left = self.bytes.checked_sub(bytes);
        self.bytes = left.unwrap_or(self.bytes);
        left.is_some()
    }

    /// The next message of the datagram is about to be handled.
    pub(super) fn hear(&mut self, message: &GossipMessage) {
        self.asker = match message {
            GossipMessage::Ping { from, .. } => Some(from.clone()),
            _ => None,
        };
    }

    /// Whether an answer of `len` bytes may go; takes it off.
    pub(super) fn grant(&mut self, answer: &GossipMessage, len: usize) -> Verdict {
        let fits = len <= self.bytes;
        let verdict = match answer {
            // All members, and what users tell, to whoever claims to ask: by the asker's own stream
            // only.
            GossipMessage::Sync { .. }
            | GossipMessage::SyncRequest { .. }
            | GossipMessage::Notices { .. } => Verdict::Refused,
            GossipMessage::Gossip { .. } if self.is_piggyback(answer) || !fits => Verdict::Refused,
            GossipMessage::Evidence { .. } if !self.told || !fits => Verdict::Refused,
            // It tells of others.
            GossipMessage::Delta { updates, .. } if !updates.is_empty() || !fits => {
                Verdict::StreamOnly
            }
            GossipMessage::Digest { .. } if !fits => Verdict::StreamOnly,
            // What answers them comes back on a stream.
            GossipMessage::Fetch { .. } | GossipMessage::Held { .. } => Verdict::StreamOnly,
            _ if !fits => Verdict::Refused,
            _ => Verdict::Granted,
        };
        self.told = verdict == Verdict::Granted && matches!(answer, GossipMessage::Gossip { .. });
        if verdict == Verdict::Granted {
            self.bytes -= len;
        }
        verdict
    }

    /// News that ride on the answer to a ping: only those about the asker are for the asker.
    fn is_piggyback(&self, answer: &GossipMessage) -> bool {
        let (Some(asker), GossipMessage::Gossip { updates }) = (&self.asker, answer) else {
            return false;
        };
        updates.iter().any(|update| update.id != *asker)
    }
}

/// What an answer says of live members, less their metadata: an agent whose name another one has is
/// to hear where that one lives, however much either says of itself. `None` where that leaves
/// nothing out.
pub(super) fn without_metadata(answer: &GossipMessage) -> Option<GossipMessage> {
    let GossipMessage::Gossip { updates } = answer else { return None };
    // Of one that is gone, the metadata may say that it was removed.
    let long = |update: &MemberUpdate| update.state.is_live() && update.metadata.is_some();
    let shorter = |update: &MemberUpdate| MemberUpdate {
        id: update.id.clone(),
        metadata: if long(update) { None } else { update.metadata.clone() },
        ..*update
    };
    let shortens = updates.iter().any(long);
    shortens.then(|| GossipMessage::Gossip { updates: updates.iter().map(shorter).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use swim_core::MemberState;

    fn ping() -> GossipMessage {
        GossipMessage::Ping { seq: 1, from: "stranger".into() }
    }

    fn gossip(about: &str) -> GossipMessage {
        let update = MemberUpdate {
            id: about.into(),
            state: MemberState::Dead,
            incarnation: 0,
            address: None,
            metadata: None,
        };
        GossipMessage::Gossip { updates: vec![update] }
    }

    #[test]
    fn all_answers_together_have_at_most_three_times_the_bytes() {
        let ack = GossipMessage::Ack { seq: 1, from: "me".into() };
        let mut allowance = Allowance::new(40, 10, 1_400);
        allowance.hear(&ping());
        assert_eq!(allowance.grant(&ack, 100), Verdict::Granted);
        assert_eq!(allowance.grant(&ack, 10), Verdict::Granted);
        assert_eq!(allowance.grant(&ack, 1), Verdict::Refused);
    }

    #[test]
    fn a_ping_is_answered_without_piggyback_and_its_companion() {
        let mut allowance = Allowance::new(1_000, 10, 1_400);
        allowance.hear(&ping());
        assert_eq!(allowance.grant(&gossip("another"), 20), Verdict::Refused);
        let evidence = GossipMessage::Evidence { ages: vec![1], accusations: Vec::new() };
        assert_eq!(allowance.grant(&evidence, 5), Verdict::Refused);
        assert_eq!(allowance.grant(&gossip("stranger"), 20), Verdict::Granted);
        assert_eq!(allowance.grant(&evidence, 5), Verdict::Granted);
    }

    #[test]
    fn what_tells_of_others_goes_by_stream_if_at_all() {
        let GossipMessage::Gossip { updates } = gossip("another") else { unreachable!() };
        let delta = GossipMessage::Delta { updates, wanted: Vec::new() };
        let mut allowance = Allowance::new(60_000, 10, 1_400);
        assert_eq!(allowance.grant(&delta, 20), Verdict::StreamOnly);
        let wanted = GossipMessage::Delta { updates: Vec::new(), wanted: vec![1] };
        assert_eq!(allowance.grant(&wanted, 20), Verdict::Granted);
        assert_eq!(allowance.grant(&wanted, 1_380), Verdict::StreamOnly, "above a datagram");
    }

    #[test]
    fn all_members_are_never_answered_to_a_stranger() {
        let sync = GossipMessage::Sync { members: Vec::new() };
        assert_eq!(Allowance::new(60_000, 10, 1_400).grant(&sync, 10), Verdict::Refused);
    }
}

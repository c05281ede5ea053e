//! A packet of our own engine: its messages as the engine says them, without encoding.

use std::ops::Range;

use super::mark::Mark;
use swim_core::{DigestRef, MemberIdx, Message, Outgoing, Rumor};

/// A message whose lists lie in the letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Item {
    /// Are you there?
    Ping {
        /// The asker's.
        seq: u64,
    },
    /// I am here, or `member` is.
    Ack {
        /// The asker's.
        seq: u64,
        /// Who was probed.
        member: Option<MemberIdx>,
    },
    /// Please ping `target`.
    PingReq {
        /// The asker's.
        seq: u64,
        /// Whom.
        target: Option<MemberIdx>,
    },
    /// No answer so far.
    Nack {
        /// The asker's.
        seq: u64,
        /// The relay.
        relay: Option<MemberIdx>,
    },
    /// News: which of the letter's rumors.
    Gossip(Range<usize>),
    /// A whole view.
    Sync(Range<usize>),
    /// Please send a whole view.
    SyncRequest,
    /// One hash over a view.
    View(u64),
    /// One hash per bucket.
    Buckets(Range<usize>),
    /// Versions of the members of some buckets.
    Versions {
        /// How many buckets there are.
        of: u32,
        /// Which of them.
        buckets: Range<usize>,
        /// What is held in them.
        versions: Range<usize>,
    },
    /// Differences.
    Delta {
        /// Records that the receiver lacks.
        updates: Range<usize>,
        /// Versions that the sender lacks.
        wanted: Range<usize>,
    },
}

/// Messages in one packet, with what they list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Letter {
    /// The messages, in order.
    pub items: Vec<Item>,
    /// What the rumors of the messages are.
    pub rumors: Vec<Rumor>,
    /// What travels with the member of each rumor.
    pub marks: Vec<Mark>,
    /// Hashes of buckets.
    pub hashes: Vec<u64>,
    /// Buckets and versions.
    pub words: Vec<u32>,
}

impl Letter {
    /// Empties it, keeping its room.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.rumors.clear();
        self.marks.clear();
        self.hashes.clear();
        self.words.clear();
    }

    /// Adds a message.
    pub(super) fn add(&mut self, marks: &[Mark], message: &Outgoing<'_>) {
        let told = match message {
            Message::Gossip(rumors) | Message::Sync(rumors) => *rumors,
            Message::Delta { updates, .. } => *updates,
            _ => &[],
        };
        self.marks.extend(told.iter().map(|rumor| marks[rumor.member.0 as usize]));
        let item = match *message {
            Message::Ping { seq } => Item::Ping { seq },
            Message::Ack { seq, member } => Item::Ack { seq, member },
            Message::PingReq { seq, target } => Item::PingReq { seq, target },
            Message::Nack { seq, relay } => Item::Nack { seq, relay },
            Message::Gossip(rumors) => Item::Gossip(append(&mut self.rumors, rumors)),
            Message::Sync(rumors) => Item::Sync(append(&mut self.rumors, rumors)),
            Message::SyncRequest => Item::SyncRequest,
            Message::Digest(DigestRef::View(hash)) => Item::View(hash),
            Message::Digest(DigestRef::Buckets(hashes)) => {
                Item::Buckets(append(&mut self.hashes, hashes))
            }
            Message::Digest(DigestRef::Versions { of, buckets, versions }) => Item::Versions {
                of,
                buckets: append(&mut self.words, buckets),
                versions: append(&mut self.words, versions),
            },
            Message::Delta { updates, wanted } => Item::Delta {
                updates: append(&mut self.rumors, updates),
                wanted: append(&mut self.words, wanted),
            },
        };
        self.items.push(item);
    }
}

fn append<T: Copy>(list: &mut Vec<T>, more: &[T]) -> Range<usize> {
    let start = list.len();
    list.extend_from_slice(more);
    start..list.len()
}

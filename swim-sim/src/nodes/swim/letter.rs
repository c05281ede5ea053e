//! A packet of our own engine: its messages as the engine says them, without encoding.

use std::ops::Range;

use super::mark::Mark;
use swim_core::{
    DigestRef, MemberIdx, Message, Notice, NoticeMessage, Outgoing, Recent, Rumor, Stamp,
};

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
    /// About what users tell.
    Notice(NoticeItem),
}

/// A message about notices whose lists lie in the letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NoticeItem {
    /// Some of them: which of the letter's notices.
    Tell(Range<usize>),
    /// Please tell me these: which of the letter's stamps.
    Fetch(Range<usize>),
    /// What was heard lately, in one hash.
    Recent(Recent),
    /// Which notices were heard in a stretch of time.
    Held {
        /// Above it.
        above: u64,
        /// Up to it.
        upto: u64,
        /// Those: which of the letter's stamps.
        stamps: Range<usize>,
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
    /// What users tell; of each, only how long it is.
    pub notices: Vec<Notice<u32>>,
    /// Which notices other messages are about.
    pub stamps: Vec<Stamp>,
}

impl Letter {
    /// Empties it, keeping its room.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.rumors.clear();
        self.marks.clear();
        self.hashes.clear();
        self.words.clear();
        self.notices.clear();
        self.stamps.clear();
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
            // Coordinates are off.
            Message::Ack { seq, member, .. } => Item::Ack { seq, member },
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

    /// Adds a message about notices. Answers to queries are not simulated.
    pub(super) fn add_notices(&mut self, message: &NoticeMessage<'_, u32>) {
        let item = match *message {
            NoticeMessage::Tell(notices) => NoticeItem::Tell(append(&mut self.notices, notices)),
            NoticeMessage::Fetch(stamps) => NoticeItem::Fetch(append(&mut self.stamps, stamps)),
            NoticeMessage::Recent(recent) => NoticeItem::Recent(recent),
            NoticeMessage::Held { above, upto, stamps } => {
                NoticeItem::Held { above, upto, stamps: append(&mut self.stamps, stamps) }
            }
            NoticeMessage::Answer(_) => return,
        };
        self.items.push(Item::Notice(item));
    }

    /// One of this letter's messages about notices, as it arrives.
    pub(super) fn about_notices(&self, item: &NoticeItem) -> NoticeMessage<'_, u32> {
        match item {
            NoticeItem::Tell(at) => NoticeMessage::Tell(&self.notices[at.clone()]),
            NoticeItem::Fetch(at) => NoticeMessage::Fetch(&self.stamps[at.clone()]),
            NoticeItem::Recent(recent) => NoticeMessage::Recent(*recent),
            NoticeItem::Held { above, upto, stamps } => {
                let stamps = &self.stamps[stamps.clone()];
                NoticeMessage::Held { above: *above, upto: *upto, stamps }
            }
        }
    }
}

fn append<T: Clone>(list: &mut Vec<T>, more: &[T]) -> Range<usize> {
    let start = list.len();
    list.extend_from_slice(more);
    start..list.len()
}

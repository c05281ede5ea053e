//! What members say to each other, owned and by name.
//!
//! The first six messages are the prototype's; the rest carry what those cannot say.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::coordinate::Coordinate;
use crate::member::{Incarnation, Member, MemberId, MemberState};
use crate::notice::{Notice, Recent, Stamp};
use crate::user::{Decline, UserNotice};

/// A message between two members.
#[derive(Debug, Clone)]
pub enum GossipMessage {
    /// Are you there? Answered with an `Ack` of the same `seq` (SWIM, section 3.1).
    Ping {
        /// Chosen by the asker; the answer repeats it.
        seq: u64,
        /// Who asks.
        from: MemberId,
    },
    /// I am here; relayed, it still names the member that was probed.
    Ack {
        /// The `seq` of the `Ping` or `PingReq` that it answers.
        seq: u64,
        /// The member that was probed.
        from: MemberId,
    },
    /// Please ping `target` for me (SWIM, section 3.1).
    PingReq {
        /// Chosen by the asker; `Ack` or `Nack` repeats it.
        seq: u64,
        /// Who asks.
        from: MemberId,
        /// Whom to ping.
        target: MemberId,
    },
    /// News of members.
    Gossip {
        /// At most `max_piggyback` of them.
        updates: Vec<MemberUpdate>,
    },
    /// Everything the sender holds; the answer to a `SyncRequest`.
    Sync {
        /// All members, the sender included.
        members: Vec<Member>,
    },
    /// Please send me a `Sync`.
    SyncRequest {
        /// Who asks.
        from: MemberId,
    },
    /// From a relay: `target` has not answered me so far, but I am well (Lifeguard, section 4.1).
    Nack {
        /// The `seq` of the `PingReq`.
        seq: u64,
        /// The relay.
        from: MemberId,
    },
    /// An `Ack` that also tells where its sender is, in the space of round trips.
    LocatedAck {
        /// The `seq` of the `Ping` that it answers.
        seq: u64,
        /// The member that was probed, which sends it.
        from: MemberId,
        /// Where it is.
        coordinate: Coordinate,
    },
    /// Companion of the `Gossip` just before it from the same sender: what a [`MemberUpdate`]
    /// cannot say. It names updates by their index there, and without that `Gossip` says nothing.
    Evidence {
        /// Rounds that update `i` of that `Gossip` has been under way; may be shorter.
        ages: Vec<u8>,
        /// Who accuses the suspects in it.
        accusations: Vec<Accusation>,
    },
    /// A summary of the sender's live members, to find out whether views differ.
    Digest {
        /// How fine a summary.
        digest: Digest,
    },
    /// Differences found by digests: records the receiver lacks and those the sender lacks.
    Delta {
        /// Records that the receiver lacks or holds in another version.
        updates: Vec<MemberUpdate>,
        /// Version hashes (see [`Digest::Versions`]) that the sender lacks.
        wanted: Vec<u32>,
    },
    /// What users have all members hear.
    Notices {
        /// Some of it.
        notices: Vec<Notice<UserNotice>>,
    },
    /// Please tell me these notices, whole. To be sent by stream, so that the answer comes back on
    /// it.
    Fetch {
        /// Which; ascending.
        stamps: Vec<Stamp>,
    },
    /// What the sender heard lately, in one hash, to find out whether somebody missed something.
    Recent {
        /// The sender's clock of events, and what it heard.
        recent: Recent,
    },
    /// Which notices the sender heard of in a stretch of time. To be sent by stream, so that those
    /// it lacks come back on it.
    Held {
        /// Who says so.
        from: MemberId,
        /// The stretch begins above this time.
        above: u64,
        /// And ends with this one.
        upto: u64,
        /// All that it heard of in it; ascending.
        stamps: Vec<Stamp>,
    },
    /// An answer to a query, that it was heard, or that none comes.
    QueryAnswer {
        /// The query's number.
        query: u64,
        /// Who answers.
        from: MemberId,
        /// Who asked.
        to: MemberId,
        /// Whether the receiver is to pass it on to who asked.
        relay: bool,
        /// The answer; `None` only says that the query was heard, or why none comes.
        payload: Option<Vec<u8>>,
        /// Why no answer comes; a payload beside it makes it void.
        declined: Option<Decline>,
    },
}

/// News of one member.
#[derive(Debug, Clone)]
pub struct MemberUpdate {
    /// Whom it is about.
    pub id: MemberId,
    /// What is claimed.
    pub state: MemberState,
    /// The incarnation the claim is about.
    pub incarnation: Incarnation,
    /// Its address; `None` leaves what is known.
    pub address: Option<SocketAddr>,
    /// Its whole metadata; `None` leaves what is known.
    pub metadata: Option<HashMap<String, String>>,
}

/// Who accuses whom: keeps the origin of a suspicion when it is passed on, so that only distinct
/// accusers count as confirmations (Lifeguard, section 4.2).
///
/// Accusations of one update stand together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accusation {
    /// Index of the update in the `Gossip` just before that tells of the suspicion.
    pub update: u8,
    /// Who could not reach the suspect.
    pub accuser: MemberId,
    /// The accuser's local health when it accused: 0 is healthy.
    pub health: u8,
}

/// A summary of live members, coarse to fine; see `docs/protocol.md`, anti-entropy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Digest {
    /// One hash over the whole view. No answer means: the same here.
    View {
        /// Sum of the hashes of all live members.
        hash: u64,
    },
    /// One hash per bucket of members; the number of buckets is a power of two.
    Buckets {
        /// Sum of the hashes of the bucket's live members.
        hashes: Vec<u64>,
    },
    /// The members of those buckets that differ, each as a 32-bit hash of its version.
    Versions {
        /// How many buckets the space is cut into; a power of two.
        of: u32,
        /// Which of them this is about, ascending.
        buckets: Vec<u32>,
        /// What the sender holds in them.
        versions: Vec<u32>,
    },
}

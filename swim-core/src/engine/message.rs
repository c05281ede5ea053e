//! What the engine says and hears: members by index, updates borrowed.

use std::fmt::Debug;

use crate::coordinate::Coordinate;
use crate::member::{Incarnation, MemberState};
use crate::notice::{Notice, Recent, Stamp};
use crate::user::Decline;

/// A member by the index that the driver gave its name. Dense: tables are indexed by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemberIdx(pub u32);

/// Most accusers kept of one suspicion: the first one and those that can confirm.
pub(crate) const MAX_ACCUSERS: usize = 4;

/// Distinct accusers of one suspect, each with its local health when it accused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Accusers {
    members: [u32; MAX_ACCUSERS],
    health: [u8; MAX_ACCUSERS],
    len: u8,
}

impl Accusers {
    /// One accuser.
    pub fn one(member: MemberIdx, health: u8) -> Self {
        let mut accusers = Self::default();
        accusers.insert(member, health);
        accusers
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Whether nobody is known to accuse.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds an accuser; says whether that was news. Full is not an error: more would not count.
    pub fn insert(&mut self, member: MemberIdx, health: u8) -> bool {
        if self.contains(member) || self.len() == MAX_ACCUSERS {
            return false;
        }
        self.members[self.len()] = member.0;
        self.health[self.len()] = health;
        self.len += 1;
        true
    }

    /// Takes an accuser out again.
    pub fn remove(&mut self, member: MemberIdx) {
        let Some(at) = self.iter().position(|(held, _)| held == member) else { return };
        self.members.copy_within(at + 1.., at);
        self.health.copy_within(at + 1.., at);
        self.len -= 1;
    }

    /// Keeps those of which `holds` is true.
    pub fn retain(&mut self, holds: impl Fn(MemberIdx) -> bool) {
        let before = *self;
        for (member, _) in before.iter().filter(|(member, _)| !holds(*member)) {
            self.remove(member);
        }
    }

    /// Whether `member` is among them.
    pub fn contains(&self, member: MemberIdx) -> bool {
        self.iter().any(|(held, _)| held == member)
    }

    /// In the order in which this node heard of them, each with its local health.
    pub fn iter(&self) -> impl Iterator<Item = (MemberIdx, u8)> + '_ {
        (0..self.len()).map(|i| (MemberIdx(self.members[i]), self.health[i]))
    }
}

/// Whether somebody declared a member gone for good that [`Left`](MemberState::Left); in the order of
/// precedence at one incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Removal {
    /// Nobody did: it said goodbye itself.
    #[default]
    No,
    /// It is not to be looked for any more.
    Removed,
    /// And nothing of it is to be shown.
    Pruned,
}

/// What is claimed of a member, without what travels with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rumor {
    /// Whom it is about.
    pub member: MemberIdx,
    /// What is claimed.
    pub state: MemberState,
    /// The incarnation that the claim is about.
    pub incarnation: Incarnation,
    /// Gossip rounds it has been under way, saturated; `None` where the sender did not say.
    pub age: Option<u8>,
    /// Whether the member's profile goes with it.
    pub with_profile: bool,
    /// Who accuses, when it is a suspicion; empty in a bare one, which counts its sender. Who removed
    /// it, when somebody did.
    pub accusers: Accusers,
    /// Whether somebody did.
    pub removal: Removal,
}

/// A rumor as it arrives, with the profile if it came along.
#[derive(Debug, Clone)]
pub struct Update<P> {
    /// The claim.
    pub rumor: Rumor,
    /// What the member says of itself; taken out when it is accepted.
    pub profile: Option<P>,
}

/// A message; `U` is a list of [`Rumor`]s when it leaves and of [`Update`]s when it arrives.
#[derive(Debug)]
pub enum Message<'a, U> {
    /// Are you there?
    Ping {
        /// Chosen by the asker.
        seq: u64,
    },
    /// I am here, or `member` is.
    Ack {
        /// The asker's.
        seq: u64,
        /// Who was probed; `None` if this node does not know that name.
        member: Option<MemberIdx>,
        /// Where the sender is, in one ack of some.
        coordinate: Option<Coordinate>,
    },
    /// Please ping `target` for me.
    PingReq {
        /// Chosen by the asker.
        seq: u64,
        /// Whom to ping; `None` if this node does not know that name.
        target: Option<MemberIdx>,
    },
    /// No answer so far, but I am well.
    Nack {
        /// The asker's.
        seq: u64,
        /// The relay; `None` if this node does not know that name.
        relay: Option<MemberIdx>,
    },
    /// News.
    Gossip(U),
    /// All that the sender holds.
    Sync(U),
    /// Please send a `Sync`.
    SyncRequest,
    /// A summary of the sender's live members.
    Digest(DigestRef<'a>),
    /// Differences.
    Delta {
        /// Records that the receiver lacks.
        updates: U,
        /// Versions that the sender lacks.
        wanted: &'a [u32],
    },
}

/// A message about notices: what users have all members hear.
#[derive(Debug)]
pub enum NoticeMessage<'a, B> {
    /// Some of them.
    Tell(&'a [Notice<B>]),
    /// Please tell me these, whole.
    Fetch(&'a [Stamp]),
    /// What the sender heard lately, in one hash.
    Recent(Recent),
    /// Which notices the sender heard of, of those with times above `above` up to `upto`.
    Held {
        /// Above it.
        above: u64,
        /// Up to it.
        upto: u64,
        /// Those.
        stamps: &'a [Stamp],
    },
    /// An answer to a query, or that it was heard.
    Answer(Answer<'a>),
}

/// What a member says to a query.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The `id` of the query's stamp.
    pub query: u64,
    /// Who answers; `None` if this node does not know that name.
    pub from: Option<MemberIdx>,
    /// Who asked; `None` if this node does not know that name.
    pub to: Option<MemberIdx>,
    /// Whether to pass it on to who asked.
    pub relay: bool,
    /// What it says.
    pub response: Response<'a>,
}

/// What a member that was asked says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response<'a> {
    /// It has heard the query.
    Heard,
    /// This is the answer.
    Answer(&'a [u8]),
    /// No answer comes.
    Declined(Decline),
}

/// A message on its way out; who sends it looks the profiles up.
pub type Outgoing<'a> = Message<'a, &'a [Rumor]>;
/// A message that arrived.
pub type Incoming<'a, P> = Message<'a, &'a mut [Update<P>]>;

/// A borrowed [`Digest`](crate::Digest).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestRef<'a> {
    /// The hash of the whole view.
    View(u64),
    /// A hash per bucket.
    Buckets(&'a [u64]),
    /// Versions of the members in some buckets.
    Versions {
        /// How many buckets there are.
        of: u32,
        /// Which of them.
        buckets: &'a [u32],
        /// What the sender holds in them.
        versions: &'a [u32],
    },
}

/// Where a message came from.
#[derive(Debug, Clone, Copy)]
pub struct Source<A> {
    /// The member that lives there, if it is one.
    pub member: Option<MemberIdx>,
    /// Where answers go.
    pub address: A,
}

/// Where a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dest<A> {
    /// To a member, wherever it lives.
    Member(MemberIdx),
    /// To an address, whoever lives there.
    Address(A),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accusers_are_distinct_few_and_in_order() {
        let mut accusers = Accusers::default();
        let inserted = [1, 2, 1, 3, 4, 5].map(|member| accusers.insert(MemberIdx(member), 0));
        assert_eq!(inserted, [true, true, false, true, true, false]);
        accusers.remove(MemberIdx(2));
        accusers.remove(MemberIdx(9));
        assert!(accusers.insert(MemberIdx(6), 7));
        accusers.remove(MemberIdx(3));
        assert!(accusers.insert(MemberIdx(8), 5));
        let held = |accusers: &Accusers| -> Vec<_> {
            accusers.iter().map(|(member, health)| (member.0, health)).collect()
        };
        assert_eq!(held(&accusers), [(1, 0), (4, 0), (6, 7), (8, 5)]);
        accusers.remove(MemberIdx(1));
        assert_eq!(held(&accusers), [(4, 0), (6, 7), (8, 5)]);
    }
}

//! The probes under way, by member and by `seq`.

use std::collections::VecDeque;
use std::ops::{Index, IndexMut};

use hashbrown::HashTable;

use super::deadlines::TimerKey;
use super::message::{Accusers, MemberIdx};
use super::rtt::Rtt;
use super::view_hash::mix;
use crate::config::MAX_RELAYS;
use crate::time::Time;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Waiting for the member's own answer.
    Direct,
    /// Waiting for relays and the ping by stream; the member's own answer still counts.
    Indirect,
}

/// Most pings of one probe by datagram.
pub(super) const PINGS: usize = 7;
/// The `seq`s of one probe: each ping has its own, so that its ack tells a round trip whichever of
/// them it answers. The last is that of the ping by stream.
pub(super) const SEQS: u64 = PINGS as u64 + 1;
/// An open probe; at most one per member.
#[derive(Debug, Clone)]
pub(super) struct Probe {
    pub(super) member: MemberIdx,
    /// The first of its [`SEQS`].
    pub(super) seq: u64,
    /// When each ping left.
    pub(super) sent: [Time; PINGS],
    pub(super) pings: usize,
    pub(super) stage: Stage,
    /// Whether an ack to the first ping tells the round trip: not when that was repeated as it was.
    pub(super) measurable: bool,
    pub(super) relays: [MemberIdx; MAX_RELAYS],
    pub(super) asked: usize,
    /// When relays were asked.
    pub(super) asked_at: Time,
    /// Bit `i`: relay `i` answered.
    pub(super) answered: u8,
    /// Bit `i`: and that after it had had time to try.
    pub(super) tried: u8,
    /// Bit `i`: relay `i` answered this node's ping by stream.
    pub(super) reached: u8,
    /// Pings since relays were asked.
    pub(super) repeats: u8,
    /// Messages heard before the first ping.
    pub(super) heard: u64,
    pub(super) timer: TimerKey,
    /// When the member is pinged again.
    pub(super) again: Option<TimerKey>,
}

/// Whether a probe that failed had asked under `seq`: `first` is its first one, of so many pings.
pub(super) fn is_of_probe(seq: u64, first: u64, pings: usize) -> bool {
    let number = seq.wrapping_sub(first);
    number < pings as u64 || number == SEQS - 1
}

impl Probe {
    /// Whether a ping of this probe has gone out under `seq`.
    fn asked_under(&self, seq: u64) -> bool {
        let number = seq - self.seq;
        number < self.pings as u64 || (number == SEQS - 1 && self.stage == Stage::Indirect)
    }

    /// The relays that tried, none of them with success.
    pub(super) fn witnesses(&self) -> Accusers {
        let mut witnesses = Accusers::default();
        for (i, &relay) in self.relays[..self.asked].iter().enumerate() {
            if self.tried & 1 << i != 0 {
                witnesses.insert(relay, 0);
            }
        }
        witnesses
    }
}

/// The open probes, oldest first. A healthy node has one or two, one that lost sight of half the
/// cluster thousands: at 5,000 a walk to find one would read 800 KB for each answer. Taking one out
/// moves those on its shorter side, about 1 us there; most are taken at the front.
#[derive(Debug, Clone)]
pub(super) struct Probes {
    pub(super) open: VecDeque<Probe>,
    /// Whom they are of, with the first `seq` of each.
    members: HashTable<(MemberIdx, u64)>,
    pub(super) seq: u64,
    /// Round trips to anybody.
    pub(super) typical: Rtt,
}

fn hash(member: MemberIdx) -> u64 {
    mix(u64::from(member.0))
}

impl Probes {
    /// `after` is random: a `seq` that nobody can guess, and none of a former life.
    pub(super) fn new(after: usize) -> Self {
        Self {
            open: VecDeque::new(),
            members: HashTable::new(),
            seq: after as u64,
            typical: Rtt::default(),
        }
    }

    /// A `seq` that no open probe or relay of this node uses.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The first `seq` of a new probe.
    pub(super) fn next_seqs(&mut self) -> u64 {
        let first = self.seq + 1;
        self.seq += SEQS;
        first
    }

    /// Opens a probe under [`next_seqs`](Self::next_seqs) of a member that has none open.
    pub(super) fn open(&mut self, probe: Probe) {
        let (member, seq) = (probe.member, probe.seq);
        debug_assert!(!self.is_open(member), "one probe for each member");
        self.members.insert_unique(hash(member), (member, seq), |(member, _)| hash(*member));
        self.open.push_back(probe);
    }

    /// The open probe that `seq` belongs to. They are in the order of their `seq`.
    pub(super) fn by_seq(&self, seq: u64) -> Option<usize> {
        let at = self.open.partition_point(|probe| probe.seq <= seq).checked_sub(1)?;
        self.open[at].asked_under(seq).then_some(at)
    }

    /// Whether a member is being probed.
    pub(super) fn is_open(&self, member: MemberIdx) -> bool {
        self.of(member).is_some()
    }

    /// The open probe of a member.
    pub(super) fn of(&self, member: MemberIdx) -> Option<usize> {
        let (_, seq) = self.members.find(hash(member), |(held, _)| *held == member)?;
        self.open.binary_search_by_key(seq, |probe| probe.seq).ok()
    }

    /// The latest that was opened.
    pub(super) fn last(&self) -> Option<usize> {
        self.open.len().checked_sub(1)
    }

    /// Takes an open probe out.
    pub(super) fn take(&mut self, open: usize) -> Option<Probe> {
        let probe = self.open.remove(open)?;
        if let Ok(entry) =
            self.members.find_entry(hash(probe.member), |(held, _)| *held == probe.member)
        {
            entry.remove();
        }
        Some(probe)
    }
}

impl Index<usize> for Probes {
    type Output = Probe;

    fn index(&self, open: usize) -> &Probe {
        &self.open[open]
    }
}

impl IndexMut<usize> for Probes {
    fn index_mut(&mut self, open: usize) -> &mut Probe {
        &mut self.open[open]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_have_seqs_of_their_own() {
        let mut probes = Probes::new(0);
        let (first, relay, second) = (probes.next_seqs(), probes.next_seq(), probes.next_seqs());
        assert_ne!(relay, probes.next_seq(), "each relay has its own");
        assert!((0..SEQS).all(|number| is_of_probe(first + number, first, PINGS)));
        for other in [first - 1, first + SEQS, relay, second] {
            assert!(!is_of_probe(other, first, PINGS), "{other}");
        }
        assert!(!is_of_probe(first + 1, first, 1), "a second ping did not go out");
        assert!(is_of_probe(u64::MAX - 1, u64::MAX - 1, 1), "at the end of all numbers too");
    }
}

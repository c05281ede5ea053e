//! What the engine holds of every member: 24 bytes and what travels with it.

use super::message::MemberIdx;
use super::output::Profile;
use super::ring::Ring;
use super::rtt::Rtt;
use super::view_hash::{ViewHash, version};
use crate::member::{Incarnation, MemberState};

/// What is held of one member. Kept at 16 bytes: a simulation holds 10^8 of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) incarnation: Incarnation,
    /// Place in the probe ring, or [`NONE`].
    place: u32,
    /// Place in the broadcast queue, or [`NOT_QUEUED`].
    pub(super) queued: u16,
    state: Option<MemberState>,
    /// Whether this node ever probed it.
    pub(super) probed: Probed,
}

/// Whether this node ever probed a member, and how that one answered last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Probed {
    No,
    Yes,
    /// Yes, and its last answer from where it lives came by stream.
    ByStream,
}

const _: () = assert!(size_of::<Record>() == 16);

const NONE: u32 = u32::MAX;
/// Not waiting to be gossiped.
pub(super) const NOT_QUEUED: u16 = u16::MAX;

impl Record {
    const VACANT: Self =
        Self { incarnation: 0, place: NONE, queued: NOT_QUEUED, state: None, probed: Probed::No };

    /// What is held of it; only of a known member.
    pub(super) fn state(&self) -> MemberState {
        self.state.unwrap_or(MemberState::Dead)
    }

    pub(super) fn is_live(&self) -> bool {
        self.state.is_some_and(MemberState::is_live)
    }
}

/// Room for `len` entries, and for an eighth more than there are: doubling would leave up to half
/// of a large table empty.
pub(super) fn make_room<T>(list: &mut Vec<T>, len: usize) {
    if len > list.capacity() {
        let len = len.max(list.len() + list.len() / 8);
        list.reserve_exact(len - list.len());
    }
}

/// All records, the probe ring over the live ones, and the hash of the view.
#[derive(Debug, Clone)]
pub(super) struct Table<P> {
    pub(super) me: MemberIdx,
    records: Vec<Record>,
    rtts: Vec<Rtt>,
    pub(super) profiles: Vec<P>,
    pub(super) ring: Ring,
    pub(super) view: ViewHash,
    alive: usize,
    suspects: usize,
}

impl<P: Profile> Table<P> {
    pub(super) fn new(me: MemberIdx, profile: P, incarnation: Incarnation) -> Self {
        let mut table = Self {
            me,
            records: Vec::new(),
            rtts: Vec::new(),
            profiles: Vec::new(),
            ring: Ring::default(),
            view: ViewHash::default(),
            alive: 0,
            suspects: 0,
        };
        table.insert(me, profile, incarnation);
        table
    }

    /// Makes room for so many members at once.
    pub(super) fn reserve(&mut self, members: usize) {
        make_room(&mut self.records, members);
        make_room(&mut self.rtts, members);
        make_room(&mut self.profiles, members);
        self.ring.reserve(members);
    }

    /// The record of a known member.
    pub(super) fn get(&self, member: MemberIdx) -> Option<&Record> {
        self.records.get(member.0 as usize).filter(|record| record.state.is_some())
    }

    /// Likewise, to change what is not its state.
    pub(super) fn get_mut(&mut self, member: MemberIdx) -> Option<&mut Record> {
        self.records.get_mut(member.0 as usize).filter(|record| record.state.is_some())
    }

    pub(super) fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.get(member).and_then(|record| record.state)
    }

    pub(super) fn is_live(&self, member: MemberIdx) -> bool {
        self.get(member).is_some_and(Record::is_live)
    }

    /// Live members, this node included: the `n` of every formula.
    pub(super) fn n(&self) -> usize {
        self.alive + self.suspects
    }

    pub(super) fn alive(&self) -> usize {
        self.alive
    }

    /// Live members beside this node.
    pub(super) fn others(&self) -> usize {
        self.ring.len()
    }

    pub(super) fn profile(&self, member: MemberIdx) -> &P {
        &self.profiles[member.0 as usize]
    }

    pub(super) fn address(&self, member: MemberIdx) -> P::Address {
        self.profile(member).address(member)
    }

    /// Whether a member is known and held to live there.
    pub(super) fn lives_at(&self, member: MemberIdx, address: P::Address) -> bool {
        self.get(member).is_some() && self.address(member) == address
    }

    pub(super) fn rtt(&mut self, member: MemberIdx) -> &mut Rtt {
        &mut self.rtts[member.0 as usize]
    }

    /// Round trips of a known member.
    #[cfg(feature = "model")]
    pub(super) fn measured(&self, member: MemberIdx) -> Rtt {
        self.rtts[member.0 as usize]
    }

    /// Every known member. O(n).
    pub(super) fn known(&self) -> impl Iterator<Item = (MemberIdx, &Record)> {
        let known = |(i, record): (usize, _)| (MemberIdx(i as u32), record);
        self.records.iter().enumerate().map(known).filter(|(_, record)| record.state.is_some())
    }

    /// Adds a newcomer as Alive.
    pub(super) fn insert(&mut self, member: MemberIdx, profile: P, incarnation: Incarnation) {
        let at = member.0 as usize;
        if at >= self.records.len() {
            self.reserve(at + 1);
            self.records.resize(at + 1, Record::VACANT);
            self.rtts.resize(at + 1, Rtt::default());
            self.profiles.resize_with(at + 1, P::default);
        }
        self.profiles[at] = profile;
        self.write(member, Some(MemberState::Alive), incarnation);
    }

    /// Changes state and incarnation of a known member.
    pub(super) fn set(&mut self, member: MemberIdx, state: MemberState, incarnation: Incarnation) {
        self.write(member, Some(state), incarnation);
    }

    /// Changes what travels with a known member and its incarnation; returns what it replaced.
    pub(super) fn set_profile(
        &mut self,
        member: MemberIdx,
        profile: P,
        incarnation: Incarnation,
    ) -> P {
        // Its place in the ring stays: who changes often is not probed more often for it.
        let at = member.0 as usize;
        let moves = profile.address(member) != self.address(member);
        let before = self.profiles[at].content();
        let replaced = std::mem::replace(&mut self.profiles[at], profile);
        let old = self.records[at];
        self.records[at].incarnation = incarnation;
        if moves {
            self.records[at].probed = old.probed.min(Probed::Yes);
        }
        if old.is_live() {
            let (identity, content) = self.fingerprint(member);
            self.view.remove(identity, version(identity, before, old.incarnation));
            self.view.add(identity, version(identity, content, incarnation));
        }
        replaced
    }

    /// Forgets a member.
    pub(super) fn remove(&mut self, member: MemberIdx) {
        self.write(member, None, 0);
        let at = member.0 as usize;
        self.records[at] = Record::VACANT;
        self.rtts[at] = Rtt::default();
        self.profiles[at] = P::default();
    }

    /// The one place where records change: keeps counts, ring and view hash in step.
    fn write(&mut self, member: MemberIdx, state: Option<MemberState>, incarnation: Incarnation) {
        let at = member.0 as usize;
        let old = self.records[at];
        self.count(old.state, false);
        self.count(state, true);
        let record = &mut self.records[at];
        (record.state, record.incarnation) = (state, incarnation);
        let live = record.is_live();
        // Hashing what a member says costs most of all this.
        if (old.is_live(), old.incarnation) != (live, incarnation) {
            let (identity, content) = self.fingerprint(member);
            if old.is_live() {
                self.view.remove(identity, version(identity, content, old.incarnation));
            }
            if live {
                self.view.add(identity, version(identity, content, incarnation));
            }
        }
        if member != self.me && live != old.is_live() {
            self.move_in_ring(member, live);
        }
    }

    /// What a digest says of a member: a hash of who it is, what it says and its incarnation.
    /// Alive and Suspect are the same in it.
    pub(super) fn version(&self, member: MemberIdx) -> u64 {
        let (identity, content) = self.fingerprint(member);
        version(identity, content, self.records[member.0 as usize].incarnation)
    }

    /// Hashes of who a member is and of what it says.
    fn fingerprint(&self, member: MemberIdx) -> (u64, u64) {
        let profile = self.profile(member);
        (profile.identity(member), profile.content())
    }

    fn count(&mut self, state: Option<MemberState>, more: bool) {
        let count = match state {
            Some(MemberState::Alive) => &mut self.alive,
            Some(MemberState::Suspect) => &mut self.suspects,
            _ => return,
        };
        if more { *count += 1 } else { *count -= 1 }
    }

    fn move_in_ring(&mut self, member: MemberIdx, live: bool) {
        let Self { records, ring, .. } = self;
        let place = records[member.0 as usize].place;
        let moved = &mut |member: MemberIdx, place| records[member.0 as usize].place = place;
        if live {
            ring.insert(member, moved);
        } else {
            ring.remove(place, moved);
            records[member.0 as usize].place = NONE;
        }
    }

    /// The next member to probe.
    pub(super) fn next_target(&mut self, rng: &mut crate::rng::SwimRng) -> Option<MemberIdx> {
        let Self { records, ring, .. } = self;
        ring.next(rng, &mut |member, place| records[member.0 as usize].place = place)
    }

    /// Makes a live member the next one to probe.
    pub(super) fn probe_soon(&mut self, member: MemberIdx) {
        let Some(place) = self.get(member).map(|record| record.place) else { return };
        let Self { records, ring, .. } = self;
        ring.promote(place, &mut |member, place| records[member.0 as usize].place = place);
    }
}

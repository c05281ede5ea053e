//! Removal: somebody declares a member gone for good, in its place. It is Left at its incarnation, and
//! nobody looks for it any more; pruned, it is not even shown. A live member hears of it first and
//! refutes it as any accusation.

use std::collections::BTreeMap;

use super::Engine;
use super::message::{Accusers, Dest, MemberIdx, Removal, Rumor};
use super::output::{Cause, Output, Profile, Reason};
use crate::member::MemberState;
use crate::time::Time;

/// Removals that are told along with a comparison of views.
const TOLD_ALONG: usize = 8;

/// Members that were removed, and by whom, while they are Left and not forgotten. Few at any time.
#[derive(Debug, Clone, Default)]
pub(super) struct Removals {
    removed: BTreeMap<MemberIdx, (Removal, Option<MemberIdx>)>,
    /// From where on to tell them along next.
    next: u32,
}

impl Removals {
    /// How a member was removed.
    pub(super) fn of(&self, member: MemberIdx) -> Removal {
        self.removed.get(&member).map(|(removal, _)| *removal).unwrap_or_default()
    }

    /// Likewise, and by whom, as a rumor says it.
    pub(super) fn told(&self, member: MemberIdx) -> (Removal, Accusers) {
        let (removal, by) = self.removed.get(&member).copied().unwrap_or_default();
        (removal, by.map(|by| Accusers::one(by, 0)).unwrap_or_default())
    }

    /// The next `most` members that were removed, in turn.
    fn in_turn(&mut self, most: usize) -> Vec<MemberIdx> {
        let next = MemberIdx(self.next);
        let turn = self.removed.range(next..).chain(self.removed.range(..next));
        let turn: Vec<MemberIdx> = turn.take(most).map(|(&member, _)| member).collect();
        self.next = turn.last().map_or(0, |last| last.0 + 1);
        turn
    }

    /// The member is no longer removed.
    pub(super) fn end(&mut self, member: MemberIdx) {
        self.removed.remove(&member);
    }

    /// A forgotten member has removed nobody: its index may soon be another's.
    pub(super) fn forget(&mut self, member: MemberIdx) {
        self.end(member);
        for (_, by) in self.removed.values_mut() {
            by.take_if(|by| *by == member);
        }
    }
}

impl Rumor {
    /// What it says of a removal; nothing unless it is of one that left.
    pub(super) fn removed(&self) -> Removal {
        if self.state == MemberState::Left { self.removal } else { Removal::No }
    }

    /// The same without a word on a removal and on who did it.
    pub(super) fn plain(self) -> Self {
        Self { removal: Removal::No, accusers: Accusers::default(), ..self }
    }
}

/// What a removal is called.
pub(super) fn reason(removal: Removal) -> Option<Reason> {
    match removal {
        Removal::No => None,
        Removal::Removed => Some(Reason::Removed),
        Removal::Pruned => Some(Reason::Pruned),
    }
}

impl<P: Profile> Engine<P> {
    /// Declares another member gone for good, in its place: everybody holds it Left and looks for it
    /// no more, and if it is to be pruned, shows it no more. A tombstone keeps stale news from
    /// bringing it back; a restart under a higher boot epoch does, and so does the member itself if
    /// it is alive after all. Nobody waits for anything. Without effect on this node itself, on
    /// members that are not known, and after this node left.
    pub fn force_leave<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        prune: bool,
        out: &mut O,
    ) {
        self.start(now, out);
        let Some(record) = self.table.get(member).copied() else { return };
        let removal = if prune { Removal::Pruned } else { Removal::Removed };
        let done = record.state() == MemberState::Left && self.removals.of(member) >= removal;
        if done || member == self.table.me || self.departure.is_some() {
            return;
        }
        let me = self.table.me;
        self.remove(now, member, record.incarnation, (removal, Some(me)), Some(Some(0)), out);
        if record.is_live() {
            self.tell(self.rumor(member, 0), Dest::Member(member), out);
        }
    }

    /// Makes a member one that was removed.
    pub(super) fn remove<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        incarnation: crate::Incarnation,
        (removal, by): (Removal, Option<MemberIdx>),
        spread: Option<Option<u8>>,
        out: &mut O,
    ) {
        self.stats.removals += 1;
        let reason = reason(removal).unwrap_or(Reason::OwnWord);
        self.end(now, member, MemberState::Left, incarnation, Cause { by, reason }, spread, out);
        self.removals.removed.insert(member, (removal, by));
    }

    /// Tells some removals along with a comparison of views, which is of live members only and does not
    /// find out that one was missed.
    pub(super) fn tell_removals<O: Output<P>>(&mut self, to: Dest<P::Address>, out: &mut O) {
        // How old they are is not known any more.
        let mut room = self.room_beside(0, false);
        self.rumors.clear();
        for member in self.removals.in_turn(TOLD_ALONG) {
            self.put(self.rumor(member, 0), &mut room);
        }
        self.send_rumors(to, out);
    }

    /// How many members were pruned and are not forgotten so far. O(removed members).
    pub fn pruned_count(&self) -> usize {
        let removals = self.removals.removed.values();
        removals.filter(|(removal, _)| *removal == Removal::Pruned).count()
    }

    /// Whether nothing of a member is to be shown: only its tombstone is left.
    pub fn is_pruned(&self, member: MemberIdx) -> bool {
        self.removals.of(member) == Removal::Pruned
    }
}

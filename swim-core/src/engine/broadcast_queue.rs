//! What waits to be told, in the order in which it is told.

use super::heap::Heap;
use super::message::MemberIdx;
use crate::time::Time;

/// Refutations first, then fewest sent, then newest. In one number, because a heap compares a lot:
/// a gossip round takes a sixth less time than with three fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Priority(u64);

/// Of a priority, from the top: whether it can wait (1 bit), parts of sendings (15), and how far
/// from the last number it was queued (48).
const CALM: u64 = 1 << 63;
const SENT_SHIFT: u32 = 48;
pub(super) const MOST_SENT: u32 = (1 << 15) - 1;
const LAST_QUEUED: u64 = (1 << SENT_SHIFT) - 1;

impl Priority {
    pub(super) fn new(calm: bool, sent: u32, queued: u64) -> Self {
        let sent = u64::from(sent.min(MOST_SENT)) << SENT_SHIFT;
        Self(if calm { CALM } else { 0 } | sent | (LAST_QUEUED - (queued & LAST_QUEUED)))
    }

    pub(super) fn is_calm(self) -> bool {
        self.0 & CALM != 0
    }

    /// In parts of a sending.
    pub(super) fn sent(self) -> u32 {
        (self.0 >> SENT_SHIFT) as u32 & MOST_SENT
    }

    /// The same after it was sent so much more.
    pub(super) fn after(self, more: u32) -> Self {
        Self::new(self.is_calm(), self.sent() + more, LAST_QUEUED - (self.0 & LAST_QUEUED))
    }
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) member: MemberIdx,
    /// Rounds it had been under way when it came here; `None` until its companion says.
    pub(super) age: Option<u8>,
    /// The gossip round of this node in which it came.
    pub(super) since: u32,
    /// The message in which others told the same last.
    pub(super) heard: u64,
}

/// How far the telling of a member has got.
pub(super) type Waiting = (Priority, Entry);

/// Members about whom there is news to tell. What is told is read from the record when it is
/// sent, so newer news replaces older by itself.
#[derive(Debug, Clone)]
pub(super) struct BroadcastQueue {
    pub(super) heap: Heap<Priority, Entry>,
    /// How many were put up so far.
    pub(super) queued: u64,
    /// Gossip rounds of this node so far.
    pub(super) round: u32,
    /// When the last round was, or the last change while nothing waited.
    pub(super) last_round: Time,
    /// When a round was brought forward last.
    pub(super) hurried: Option<Time>,
    /// Entries taken out while a message is filled.
    pub(super) taken: Vec<Waiting>,
}

impl BroadcastQueue {
    pub(super) fn new() -> Self {
        Self {
            heap: Heap::new(),
            queued: 0,
            round: 0,
            last_round: Time::ZERO,
            hurried: None,
            taken: Vec::new(),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// What stands in the slot that a record names.
    pub(super) fn get(&self, slot: u16) -> Option<Waiting> {
        self.heap.get(self.heap.handle(slot.into())?)
    }

    pub(super) fn entry_mut(&mut self, slot: u16) -> Option<&mut Entry> {
        let handle = self.heap.handle(slot.into())?;
        self.heap.value_mut(handle)
    }

    pub(super) fn remove(&mut self, slot: u16) {
        if let Some(handle) = self.heap.handle(slot.into()) {
            self.heap.remove(handle);
        }
    }
}

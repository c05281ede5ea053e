//! Which notices this node has heard, and those of them that it can still tell: both bounded.
//!
//! What was heard is known by its stamp. When that is too much, the lowest stamps go and a floor
//! rises: at or below it, what is not known may have been forgotten, and is not heard again.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Excluded, Included};

use super::heap::Handle;
use crate::notice::{Body, Notice, Stamp};
use crate::time::Time;

/// Stamps that are known.
const KNOWN: usize = 32_768;
/// Notices that can still be told,
const KEPT: usize = 8_192;
/// and how many bytes they take, with so much beside each body.
const KEPT_BYTES: usize = 4 << 20;
const OVERHEAD: usize = 200;

/// A notice that was heard.
#[derive(Debug, Clone)]
pub(super) struct Entry<B> {
    /// What it says; `None` when that was let go.
    pub(super) notice: Option<Notice<B>>,
    /// Place in the queue, if it waits to be told.
    pub(super) queued: Option<Handle>,
    /// Predecessors that it waits for; none once it has reached the user.
    pub(super) missing: u8,
}

/// Notices by stamp.
#[derive(Debug, Clone)]
pub(super) struct Archive<B> {
    entries: BTreeMap<Stamp, Entry<B>>,
    /// Those that can be told, by when they came.
    arrivals: VecDeque<(Time, Stamp)>,
    bytes: usize,
    floor: u64,
    /// When this node's life with others began: what was before is not fetched or waited for. It may
    /// be heard, though: clocks of others may be behind.
    begin: u64,
    /// The latest time of which something was let go.
    gone: u64,
}

impl<B: Body> Archive<B> {
    pub(super) fn new(floor: u64) -> Self {
        Self {
            entries: BTreeMap::new(),
            arrivals: VecDeque::new(),
            bytes: 0,
            floor,
            begin: 0,
            gone: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, stamp: Stamp) -> Option<&Entry<B>> {
        self.entries.get(&stamp)
    }

    pub(super) fn get_mut(&mut self, stamp: Stamp) -> Option<&mut Entry<B>> {
        self.entries.get_mut(&stamp)
    }

    /// A notice that can still be told.
    pub(super) fn notice(&self, stamp: Stamp) -> Option<&Notice<B>> {
        self.get(stamp)?.notice.as_ref()
    }

    /// Whether it was heard, if nobody knows any more.
    pub(super) fn is_past(&self, stamp: Stamp) -> bool {
        stamp.ltime <= self.floor
    }

    /// Whether what comes after it may reach the user.
    pub(super) fn is_settled(&self, stamp: Stamp) -> bool {
        match self.get(stamp) {
            Some(entry) => entry.missing == 0,
            None => stamp.ltime <= self.floor.max(self.begin),
        }
    }

    pub(super) fn insert(&mut self, now: Time, notice: Notice<B>) {
        let stamp = notice.stamp;
        self.bytes += OVERHEAD + notice.body_len();
        self.arrivals.push_back((now, stamp));
        self.entries.insert(stamp, Entry { notice: Some(notice), queued: None, missing: 0 });
    }

    /// What has to go next for one more with so many bytes: its stamp, and whether it is to be
    /// forgotten altogether.
    pub(super) fn surplus(&self, len: usize) -> Option<(Stamp, bool)> {
        if self.arrivals.len() >= KEPT || self.bytes + OVERHEAD + len > KEPT_BYTES {
            return self.arrivals.front().map(|&(_, stamp)| (stamp, false));
        }
        let first = self.entries.keys().next();
        first.filter(|_| self.entries.len() >= KNOWN).map(|&stamp| (stamp, true))
    }

    /// What would have to go for one more with so many bytes.
    pub(super) fn victims(&self, len: usize) -> impl Iterator<Item = &Entry<B>> {
        let mut count = (self.arrivals.len() + 1).saturating_sub(KEPT);
        let mut bytes = (self.bytes + OVERHEAD + len).saturating_sub(KEPT_BYTES);
        let oldest = self.arrivals.iter().filter_map(|&(_, stamp)| self.get(stamp));
        oldest.take_while(move |entry| {
            let more = count > 0 || bytes > 0;
            count = count.saturating_sub(1);
            let freed = entry.notice.as_ref().map_or(0, Notice::body_len);
            bytes = bytes.saturating_sub(OVERHEAD + freed);
            more
        })
    }

    /// Lets go of what a notice says. O(1) for the one that came first.
    pub(super) fn let_go(&mut self, stamp: Stamp) {
        let Some(notice) = self.entries.get_mut(&stamp).and_then(|entry| entry.notice.take())
        else {
            return;
        };
        self.bytes -= OVERHEAD + notice.body_len();
        self.gone = self.gone.max(stamp.ltime);
        if let Some(at) = self.arrivals.iter().position(|&(_, held)| held == stamp) {
            self.arrivals.remove(at);
        }
    }

    /// The time above which nothing was forgotten or let go.
    pub(super) fn whole_above(&self) -> u64 {
        self.floor.max(self.begin).max(self.gone)
    }

    /// This node's life with others begins, when their clocks show that. Its own may have been ahead
    /// of them before a restart: what they make next is no past.
    pub(super) fn begin(&mut self, clock: u64) {
        self.begin = self.begin.max(clock);
        if self.is_empty() {
            self.floor = self.floor.min(clock);
        }
    }

    /// Forgets what was heard, but not the floor.
    pub(super) fn clear(&mut self) {
        *self = Self { begin: self.begin, ..Self::new(self.floor) };
    }

    /// Stamps with times above the first up to the second.
    pub(super) fn between(
        &self,
        above: u64,
        upto: u64,
    ) -> impl DoubleEndedIterator<Item = Stamp> + '_ {
        let last = |ltime| Stamp { ltime, id: u64::MAX };
        let range = (Excluded(last(above)), Included(last(upto.max(above))));
        self.entries.range(range).map(|(stamp, _)| *stamp)
    }

    /// Whether nothing came since then.
    pub(super) fn is_quiet_since(&self, then: Time) -> bool {
        self.arrivals.back().is_none_or(|(at, _)| *at <= then)
    }

    /// The time up to which nothing came since then.
    pub(super) fn settled_upto(&self, then: Time) -> u64 {
        let since = self.arrivals.iter().rev().take_while(|(at, _)| *at > then);
        match since.map(|(_, stamp)| stamp.ltime).min() {
            Some(first) => first.saturating_sub(1),
            None => self.entries.keys().next_back().map_or(0, |stamp| stamp.ltime),
        }
    }

    /// Forgets the lowest stamp.
    pub(super) fn forget(&mut self, stamp: Stamp) {
        self.entries.remove(&stamp);
        self.floor = self.floor.max(stamp.ltime);
    }

    /// Whether all is within its bounds and counted right.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert!(self.entries.len() <= KNOWN && self.arrivals.len() <= KEPT);
        assert!(self.bytes <= KEPT_BYTES);
        if self.arrivals.len().is_multiple_of(1_000) {
            let kept = self.entries.values().filter_map(|entry| entry.notice.as_ref());
            assert_eq!(self.bytes, kept.map(|notice| OVERHEAD + notice.body_len()).sum::<usize>());
        }
    }
}

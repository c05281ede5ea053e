//! Causes before effects: what a notice may have followed from reaches the user before it.
//!
//! A Lamport clock alone cannot tell a gap, so each notice names what directly precedes it: what its
//! origin had heard or made and no other of these implies.

use std::sync::Arc;

use super::Engine;
use super::output::{Output, Profile};
use crate::notice::{Notice, Stamp};

/// Notices that nothing heard so far follows from, at most; of more, the earliest go.
const FRONTIER: usize = 64;

/// What the next notice of this node comes after.
#[derive(Debug, Default)]
pub(super) struct Causality {
    /// Ascending.
    frontier: Vec<Stamp>,
}

impl Causality {
    /// The latest of the frontier, of which the next notice says that it comes after them.
    pub(super) fn frontier_before(&self, stamp: Stamp) -> Arc<[Stamp]> {
        let before = self.frontier.partition_point(|held| held.ltime < stamp.ltime);
        let named = before.min(Notice::<()>::MAX_AFTER);
        self.frontier[before - named..before].into()
    }

    /// It reached the user: its predecessors are implied by it.
    fn reached(&mut self, stamp: Stamp, after: &[Stamp]) {
        self.frontier.retain(|held| !after.contains(held));
        let place = self.frontier.partition_point(|held| *held < stamp);
        self.frontier.insert(place, stamp);
        if self.frontier.len() > FRONTIER {
            self.frontier.remove(0);
        }
    }
}

impl<P: Profile> Engine<P> {
    /// A notice reaches the user.
    pub(super) fn deliver<O: Output<P>>(&mut self, stamp: Stamp, out: &mut O) {
        let Some(notice) = self.notices.archive.notice(stamp).cloned() else { return };
        self.notices.causality.reached(stamp, &notice.after);
        out.notice(&self.table.profiles, &notice);
    }
}

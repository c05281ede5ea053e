//! Causes before effects: what a notice may have followed from reaches the user before it.
//!
//! A Lamport clock alone cannot tell a gap, so each notice names what directly precedes it: what its
//! origin had heard or made and no other of these implies. One whose predecessors have not come is
//! held back until they do, or its time is over.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::message::MemberIdx;
use super::output::{Output, Profile};
use crate::notice::{Notice, Stamp};
use crate::time::Time;

/// Notices that nothing heard so far follows from, at most; of more, the earliest go.
const FRONTIER: usize = 64;
/// Most notices held back; the oldest then waits no longer.
const HELD: usize = 4_096;
/// A notice is held back this many probe time-outs at most: its predecessors are asked for meanwhile.
const HOLD: u32 = 5;

/// What the next notice of this node comes after, and what has to wait.
#[derive(Debug, Default, Clone)]
pub(super) struct Causality {
    /// Ascending.
    frontier: Vec<Stamp>,
    /// What has not reached the user, and what waits for it.
    waiting: BTreeSet<(Stamp, Stamp)>,
    /// What was held back, and until when; some need not wait any longer.
    held: VecDeque<(Time, Stamp)>,
    timer: Option<TimerKey>,
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

    pub(super) fn clear(&mut self) {
        self.frontier.clear();
        self.waiting.clear();
        self.held.clear();
    }

    /// How much is remembered of what waits.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len() + self.held.len()
    }

    fn waiting_for(&self, stamp: Stamp) -> Vec<Stamp> {
        let all = (stamp, Stamp::default())..=(stamp, Stamp { ltime: u64::MAX, id: u64::MAX });
        self.waiting.range(all).map(|&(_, held)| held).collect()
    }
}

impl<P: Profile> Engine<P> {
    /// A notice came: it reaches the user, unless predecessors of it are still to come.
    pub(super) fn deliver_in_order<O: Output<P>>(
        &mut self,
        now: Time,
        from: MemberIdx,
        notice: &Notice<P::Body>,
        out: &mut O,
    ) {
        let stamp = notice.stamp;
        let mut missing = BTreeSet::new();
        missing.extend(notice.after.iter().filter(|it| !self.notices.archive.is_settled(**it)));
        if missing.is_empty() {
            self.deliver(stamp, out);
            return;
        }
        if let Some(entry) = self.notices.archive.get_mut(stamp) {
            // At most `MAX_AFTER`.
            entry.missing = missing.len() as u8;
        }
        for before in missing {
            self.notices.causality.waiting.insert((before, stamp));
            if self.notices.archive.get(before).is_none() {
                self.want_later(now, before, from, out);
            }
        }
        let until = now + HOLD * self.config.probe_timeout;
        self.notices.causality.held.push_back((until, stamp));
        if self.notices.causality.held.len() > HELD
            && let Some((_, oldest)) = self.notices.causality.held.pop_front()
        {
            self.release(oldest, out);
        }
        self.arm_held(now, out);
    }

    /// A notice reaches the user, and after it what waited for nothing else.
    pub(super) fn deliver<O: Output<P>>(&mut self, stamp: Stamp, out: &mut O) {
        let mut ready = BTreeSet::from([stamp]);
        while let Some(stamp) = ready.pop_first() {
            let Some(entry) = self.notices.archive.get_mut(stamp) else { continue };
            entry.missing = 0;
            let Some(notice) = entry.notice.clone() else { continue };
            self.notices.causality.reached(stamp, &notice.after);
            out.notice(&self.table.profiles, &notice);
            for held in self.notices.causality.waiting_for(stamp) {
                ready.extend(self.waits_no_more((stamp, held)));
            }
        }
    }

    /// One predecessor less that a notice waits for; returns it if that was the last one.
    fn waits_no_more(&mut self, (before, held): (Stamp, Stamp)) -> Option<Stamp> {
        self.notices.causality.waiting.remove(&(before, held));
        let entry = self.notices.archive.get_mut(held).filter(|entry| entry.missing > 0)?;
        entry.missing -= 1;
        (entry.missing == 0).then_some(held)
    }

    /// A notice waits no longer, though predecessors of it have not come.
    pub(super) fn release<O: Output<P>>(&mut self, stamp: Stamp, out: &mut O) {
        let held = self.notices.archive.get(stamp).filter(|entry| entry.missing > 0);
        let Some(notice) = held.and_then(|entry| entry.notice.clone()) else { return };
        for before in notice.after.iter() {
            self.notices.causality.waiting.remove(&(*before, stamp));
        }
        self.stats.notices_disordered += 1;
        self.deliver(stamp, out);
    }

    /// The floor rose: nobody waits for what is below it any more.
    pub(super) fn settle_past<O: Output<P>>(&mut self, out: &mut O) {
        let notices = &self.notices;
        let past = notices.causality.waiting.iter();
        let past = past.take_while(|(before, _)| notices.archive.is_past(*before));
        let past: Vec<_> =
            past.filter(|(before, _)| notices.archive.is_settled(*before)).copied().collect();
        for pair in past {
            if let Some(ready) = self.waits_no_more(pair) {
                self.deliver(ready, out);
            }
        }
    }

    fn arm_held<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let Some(&(until, _)) = self.notices.causality.held.front() else { return };
        if self.notices.causality.timer.is_none() {
            let timer = self.arm(Timer::HeldBack, now, until.since(now), out);
            self.notices.causality.timer = Some(timer);
        }
    }

    /// Releases what was held back for long enough.
    pub(super) fn held_timed_out<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let taken = self.notices.causality.timer.take();
        if !self.disarm(taken) {
            return;
        }
        while let Some(&(_, stamp)) =
            self.notices.causality.held.front().filter(|(until, _)| *until <= now)
        {
            self.notices.causality.held.pop_front();
            self.release(stamp, out);
        }
        self.arm_held(now, out);
    }
}

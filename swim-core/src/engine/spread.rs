//! How notices are told: as updates are, in datagrams that they share with them, and in rounds of
//! their own while fresh ones wait.
//!
//! While both wait, updates fill at most three quarters of a datagram; each has all of it when the
//! other has nothing to say.

use super::Engine;
use super::broadcast_queue::Priority;
use super::deadlines::{Timer, TimerKey};
use super::dissemination::{GATHER, HEARD, MISFITS, SENT};
use super::heap::Heap;
use super::message::{Dest, MemberIdx, NoticeMessage};
use super::output::{Output, Profile};
use super::recent::CHECKS;
use crate::notice::{Body, Notice, Stamp};
use crate::rng::SwimRng;
use crate::time::Time;
use crate::wire_size;

/// Part of a datagram that updates leave to notices.
const SHARE: usize = 4;
/// Most datagrams to one member in a round.
const MOST_DATAGRAMS: usize = 8;
/// While more wait than about a datagram holds, rounds do not wait for the interval.
const FEW: usize = 16;

/// A notice that waits to be told.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    stamp: Stamp,
    /// Whether it is this node's own.
    own: bool,
    /// The message in which others told it last.
    heard: u64,
}

/// Notices that wait to be told: fewest sent first, then oldest.
#[derive(Debug, Clone)]
pub(super) struct NoticeQueue<B> {
    heap: Heap<Priority, Waiting>,
    queued: u64,
    timer: Option<TimerKey>,
    /// Rounds that tell what this node made itself as often as it is told at all.
    hot: u32,
    walk: Walk,
    /// Scratch: what one message says.
    told: Vec<Notice<B>>,
    /// Scratch: what was taken out meanwhile.
    taken: Vec<(Priority, Waiting)>,
}

impl<B> NoticeQueue<B> {
    pub(super) fn new() -> Self {
        let (told, taken) = (Vec::new(), Vec::new());
        let walk = Walk::default();
        Self { heap: Heap::new(), queued: 0, timer: None, hot: 0, walk, told, taken }
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// Nothing waits any more.
    pub(super) fn clear_all(&mut self) {
        while self.heap.pop().is_some() {}
    }

    /// Forgets what the last message said.
    pub(super) fn clear(&mut self) {
        self.told.clear();
    }

    /// Whether nothing was told since.
    pub(super) fn told_nothing(&self) -> bool {
        self.told.is_empty()
    }

    /// Of a datagram with so many bytes, those that updates leave to notices.
    pub(super) fn share_of(&self, bytes: usize) -> usize {
        if self.heap.is_empty() { 0 } else { bytes / SHARE }
    }

    /// Whether some are this node's own, or were told to nobody so far, or more wait than the usual
    /// rounds can tell soon.
    fn presses(&self) -> bool {
        let many = self.hot > 0 || self.len() > FEW;
        self.heap.peek().is_some_and(|(first, _)| first.sent() == 0 || many)
    }
}

/// A way through all places of the ring, so that who was told a moment ago is not told again before
/// the others. It begins anywhere and takes strides of its own: members that joined alike have
/// rings alike, and following these would all tell the same few.
#[derive(Debug, Clone, Default)]
struct Walk {
    place: usize,
    stride: usize,
    /// Places that it has not come to, of so many.
    left: usize,
    of: usize,
}

impl Walk {
    /// The next of `len` places, which are not none. While their number stays the same, all come
    /// once before any comes again; among more or fewer its strides would come to few of them, so
    /// there it begins anew.
    fn next(&mut self, len: usize, rng: &mut SwimRng) -> usize {
        if self.left == 0 || self.of != len {
            (self.left, self.of) = (len, len);
            self.place = rng.below(len);
            self.stride = 1 + rng.below(len);
            while gcd(self.stride, len) > 1 {
                self.stride = self.stride % len + 1;
            }
        }
        self.left -= 1;
        self.place = (self.place + self.stride) % len;
        self.place
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// A notice as it is gossiped: without its body if that does not fit into `whole` bytes.
fn as_told<B: Body>(notice: &Notice<B>, whole: usize) -> Notice<B> {
    if wire_size::notice(notice) <= whole { notice.clone() } else { notice.announced() }
}

impl<P: Profile> Engine<P> {
    /// Puts a notice up for telling, if there is anybody to tell.
    pub(super) fn put_up<O: Output<P>>(&mut self, now: Time, stamp: Stamp, own: bool, out: &mut O) {
        if self.table.others() == 0 {
            return;
        }
        self.notices.queue.queued += 1;
        // The other way round than updates: what came first may be what others wait for.
        let priority = Priority::new(true, 0, u64::MAX - self.notices.queue.queued);
        self.wait(priority, Waiting { stamp, own, heard: 0 });
        if own {
            // To different members, which in a small cluster are all.
            self.notices.queue.hot = (self.limit() / SENT).div_ceil(self.config.fanout as u32);
        }
        self.arm_spread(now, out);
    }

    fn wait(&mut self, priority: Priority, waiting: Waiting) {
        if let Some(entry) = self.notices.archive.get_mut(waiting.stamp) {
            entry.queued = Some(self.notices.queue.heap.push(priority, waiting));
        }
    }

    /// Takes it back; says whether it waited.
    pub(super) fn take_down(&mut self, stamp: Stamp) -> bool {
        let queued = self.notices.archive.get_mut(stamp).and_then(|entry| entry.queued.take());
        queued.is_some_and(|handle| self.notices.queue.heap.remove(handle).is_some())
    }

    /// Somebody told this node what it tells itself; see `heard_again` of updates. While little waits,
    /// who is missed costs more than it saves: nothing comes after that would show the gap.
    pub(super) fn notice_heard_again(&mut self, stamp: Stamp) {
        if self.notices.queue.len() <= FEW || !self.config.mechanisms.feedback {
            return;
        }
        let message = self.hearing.messages();
        let queued = self.notices.archive.get(stamp).and_then(|entry| entry.queued);
        let held = queued.and_then(|handle| self.notices.queue.heap.get(handle));
        let Some((priority, waiting)) = held else { return };
        if waiting.own || waiting.heard == message {
            return;
        }
        self.take_down(stamp);
        let priority = priority.after(HEARD);
        if priority.sent() < self.limit() {
            self.wait(priority, Waiting { heard: message, ..waiting });
        }
    }

    /// Takes what is to be told next and fits into `room` bytes.
    fn fill_notices(&mut self, room: usize) {
        let (limit, whole) = (self.limit(), self.notice_room());
        let notices = &mut self.notices;
        notices.queue.told.clear();
        let (mut left, mut misfits) = (room.saturating_sub(wire_size::NOTICES), 0);
        while misfits < MISFITS {
            let Some((priority, waiting)) = notices.queue.heap.pop() else { break };
            let Some(entry) = notices.archive.get_mut(waiting.stamp) else { continue };
            entry.queued = None;
            let Some(notice) = &entry.notice else { continue };
            let notice = as_told(notice, whole);
            let len = wire_size::notice(&notice);
            if len > left {
                misfits += 1;
                notices.queue.taken.push((priority, waiting));
                continue;
            }
            left -= len;
            notices.queue.told.push(notice);
            let priority = priority.after(SENT);
            if priority.sent() < limit {
                notices.queue.taken.push((priority, waiting));
            }
        }
    }

    fn put_back(&mut self) {
        while let Some((priority, waiting)) = self.notices.queue.taken.pop() {
            self.wait(priority, waiting);
        }
        if self.notices.queue.heap.is_empty() {
            self.notices.checks = CHECKS;
        }
    }

    /// Sends what was filled in; says whether there was anything.
    fn send_told<O: Output<P>>(&mut self, to: Dest<P::Address>, out: &mut O) -> bool {
        let told = &self.notices.queue.told;
        if told.is_empty() {
            return false;
        }
        self.stats.messages_sent += 1;
        out.send_notices(&self.table.profiles, to, NoticeMessage::Tell(told));
        true
    }

    /// Tells what fits beside other things in one datagram.
    pub(super) fn tell_notices<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        room: usize,
        out: &mut O,
    ) {
        if self.notices.queue.len() > 0 {
            self.fill_notices(room);
            self.put_back();
            self.send_told(to, out);
        }
    }

    /// Room for notices behind updates that left so much of a datagram: a datagram of its own where
    /// the next notice would have to wait for the updates to become fewer.
    pub(super) fn room_behind(&self, left: usize) -> usize {
        let next = self.notices.queue.heap.peek();
        let next = next.and_then(|(_, waiting)| self.notices.archive.notice(waiting.stamp));
        let len = next.map_or(0, |notice| wire_size::notice(&as_told(notice, self.notice_room())));
        let fits = wire_size::NOTICES + len <= left;
        if fits { left } else { self.room_beside(0, false).bytes }
    }

    /// The next `fanout` members of the walk.
    pub(super) fn next_to_tell(&mut self, targets: &mut Vec<MemberIdx>) {
        targets.clear();
        let ring = self.table.ring.members();
        for _ in 0..self.config.fanout.min(ring.len()) {
            targets.push(ring[self.notices.queue.walk.next(ring.len(), &mut self.rng)]);
        }
    }

    /// A round: to `fanout` members some datagrams each, as long as there is something that they
    /// were not told in it.
    pub(super) fn spread_round<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let mut targets = std::mem::take(&mut self.targets);
        self.next_to_tell(&mut targets);
        self.notices.queue.hot = self.notices.queue.hot.saturating_sub(1);
        let room = self.room_beside(0, false).bytes;
        for &target in &targets {
            for _ in 0..MOST_DATAGRAMS {
                self.fill_notices(room);
                if !self.send_told(Dest::Member(target), out) {
                    break;
                }
            }
            self.put_back();
        }
        self.targets = targets;
        self.arm_spread(now, out);
    }

    /// Arms the next round of notices while some press, and sees to it that the rest is told in
    /// gossip rounds.
    pub(super) fn arm_spread<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.arm_gossip(now, out);
        let idle = !self.notices.queue.presses() || self.table.others() == 0;
        if idle || self.notices.queue.timer.is_some() || !self.config.mechanisms.gossip_rounds {
            return;
        }
        let delay = self.config.gossip_interval / GATHER;
        self.notices.queue.timer = Some(self.arm(Timer::Spread, now, delay, out));
    }

    pub(super) fn spread_timed_out<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let taken = self.notices.queue.timer.take();
        if self.disarm(taken) && self.notices.queue.len() > 0 {
            self.spread_round(now, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_walk_comes_to_all_places_once_and_differs_from_others() {
        for len in 1..=64 {
            let mut seconds = BTreeSet::new();
            for seed in 0..20 {
                let (mut walk, mut rng) = (Walk::default(), SwimRng::new(seed));
                let mut strides = BTreeSet::new();
                for _ in 0..8 {
                    let pass: Vec<_> = (0..len).map(|_| walk.next(len, &mut rng)).collect();
                    assert_eq!(pass.iter().collect::<BTreeSet<_>>().len(), len);
                    seconds.insert(pass.get(1).copied());
                    strides.insert((pass[1 % len] + len - pass[0]) % len);
                }
                assert!(len < 16 || strides.len() > 1, "{len}: {strides:?}");
            }
            assert!(seconds.len() > len.min(30) / 2, "{len}: {seconds:?}");
        }
    }

    #[test]
    fn a_walk_bears_that_places_come_and_go() {
        let (mut walk, mut rng) = (Walk::default(), SwimRng::new(7));
        for step in 0..1_000 {
            let len = 1 + step * 7 % 13;
            assert!(walk.next(len, &mut rng) < len);
        }
        for (before, len) in [(12, 11), (12, 6), (11, 12), (30, 20), (20, 40)] {
            for begun in 0..before {
                for _ in 0..begun {
                    walk.next(before, &mut rng);
                }
                let pass: BTreeSet<_> = (0..len).map(|_| walk.next(len, &mut rng)).collect();
                assert_eq!(pass.len(), len, "{begun} of {before}, then {len}");
            }
        }
    }
}

//! Dissemination (SWIM, sections 4.1 and 4.4): what waits to be told, by piggyback and in gossip
//! rounds of its own.

use std::time::Duration;

use super::Engine;
use super::broadcast_queue::{Entry, MOST_SENT, Priority, Waiting};
use super::deadlines::{Timer, TimerKey};
use super::message::{Accusers, Dest, MemberIdx, Message, Removal, Rumor, Source};
use super::output::{Output, Profile};
use super::table::NOT_QUEUED;
use crate::member::MemberState;
use crate::time::Time;
use crate::{tuning, wire_size};

/// What a sending counts.
pub(super) const SENT: u32 = 2;
/// What it counts that somebody else told this node the same.
pub(super) const HEARD: u32 = 1;
// A thousand sendings for each decimal digit is the most that can be configured, and members are
// numbered in 32 bits.
const _: () = assert!(SENT * 1_000 * 10 <= MOST_SENT);

/// Room in one datagram.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Bytes left.
    pub(super) bytes: usize,
    /// Of these, what all but the first update leave to notices.
    reserved: usize,
    /// Whether the companion that names origins can go along; forwarded suspicions need it.
    pub(super) evidence: bool,
}

/// The first round after a quiet time waits this part of the interval, so that what changes
/// together travels together.
pub(super) const GATHER: u32 = 10;
/// With at most so much to tell, fresh news does not wait for the next round: there is nothing that
/// it could share a datagram with.
const FEW: usize = 4;
/// Pings that carry a hash of the view after all news was told: gossip misses a few by chance.
const CHECKS: u8 = 2;
/// For each so many updates that wait, a gossip round sends its targets one more datagram,
const LONG_QUEUE: usize = 64;
/// up to so many.
const MOST_DATAGRAMS: usize = 4;
/// A queue that held so many, as after a mass join, gives its memory back when all is told. News of
/// fewer at a time allocates nothing.
const RARE_QUEUE: usize = 512;
/// Members that are told when only more accusers of a known suspect are news.
const TOLD_MORE: u32 = 2;
/// Entries that do not fit are passed over this often before a message is full.
pub(super) const MISFITS: usize = 4;

impl<P: Profile> Engine<P> {
    /// Puts news of `member` up for telling, in place of older news of it.
    pub(super) fn enqueue<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        age: Option<u8>,
        urgent: bool,
        out: &mut O,
    ) {
        self.enqueue_told(now, member, age, urgent, 0, out);
    }

    /// Likewise, of news that `sent` members were told at once: that counts.
    fn enqueue_told<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        age: Option<u8>,
        urgent: bool,
        sent: u32,
        out: &mut O,
    ) {
        self.dequeue(member);
        if self.queue.len() >= self.config.queue_size {
            self.drop_most_sent();
        }
        self.queue.queued += 1;
        let priority = Priority::new(!urgent, SENT * sent, self.queue.queued);
        self.requeue(priority, Entry { member, age, since: self.queue.round, heard: 0 });
        if self.queue.len() <= FEW {
            self.hurry_gossip(now, out);
        }
        self.arm_gossip(now, out);
    }

    /// Brings the next gossip round forward.
    fn hurry_gossip<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        // Who changes all the time does not make others talk all the time.
        let interval = self.gossip_interval();
        if self.queue.hurried.is_some_and(|last| now.since(last) < interval) {
            return;
        }
        let soon = now + self.config.gossip_interval / GATHER;
        let late = |key: &mut TimerKey| self.deadlines.at(*key).is_some_and(|at| at > soon);
        if let Some(key) = self.timers.gossip.take_if(late) {
            self.queue.hurried = Some(now);
            self.deadlines.cancel(key);
            self.timers.gossip = Some(self.arm(Timer::Gossip, now, soon.since(now), out));
        }
    }

    /// Somebody told this node what it tells itself: that is spread already, and needs this node
    /// one time less (feedback with a counter: Demers et al. 1987, section 1.4).
    pub(super) fn heard_again(&mut self, rumor: &Rumor) {
        if !self.config.mechanisms.feedback {
            return;
        }
        let same = self.table.get(rumor.member).is_some_and(|record| {
            record.incarnation == rumor.incarnation
                && record.state() == rumor.state
                && self.removals.of(rumor.member) == rumor.removed()
        });
        let Some((priority, mut entry)) = self.waiting(rumor.member).filter(|_| same) else {
            return;
        };
        // Once in a message, and never of what must get through whatever others say.
        let message = self.hearing.messages();
        if entry.heard == message || !priority.is_calm() || rumor.member == self.table.me {
            return;
        }
        entry.heard = message;
        let priority = priority.after(HEARD);
        self.dequeue(rumor.member);
        if priority.sent() < self.limit_of(rumor.member, self.limit()) {
            self.requeue(priority, entry);
        }
    }

    /// More is known of a suspicion: what waits is told with it; if nothing does, a few are told.
    pub(super) fn tell_more<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let limit = self.limit_of(member, self.limit());
        let few = (limit / SENT).saturating_sub(TOLD_MORE);
        let sent =
            self.waiting(member).map_or(few, |(priority, _)| few.min(priority.sent() / SENT));
        self.enqueue_told(now, member, None, false, sent, out);
    }

    /// How often news is sent, in parts of a sending.
    pub(super) fn limit(&self) -> u32 {
        let limit = tuning::retransmit_limit(self.config.retransmit_mult, self.table.n());
        limit * SENT
    }

    /// How much of that limit is spent on a member. Suspicions only have to reach some that can
    /// confirm them, and their subject, which is told anyway; their end is told to all.
    fn limit_of(&self, member: MemberIdx, limit: u32) -> u32 {
        let suspect = self.table.state(member) == Some(MemberState::Suspect)
            && !self.suspicions.is_untold(member);
        match suspect && self.config.mechanisms.verify {
            true => SENT * (limit / SENT).div_ceil(4),
            false => limit,
        }
    }

    /// How far the telling of `member` has got, if it waits to be told.
    pub(super) fn waiting(&self, member: MemberIdx) -> Option<Waiting> {
        self.queue.get(self.table.get(member)?.queued)
    }

    /// What was put up for telling since was no news: goes on from where the telling had got to.
    pub(super) fn resume(&mut self, member: MemberIdx, waiting: Option<Waiting>) {
        self.dequeue(member);
        if let Some((priority, entry)) = waiting {
            if self.queue.len() >= self.config.queue_size {
                self.drop_most_sent();
            }
            self.requeue(priority, entry);
        }
    }

    /// Takes back what is to be told of `member`.
    pub(super) fn dequeue(&mut self, member: MemberIdx) {
        let Some(record) = self.table.get_mut(member) else { return };
        self.queue.remove(std::mem::replace(&mut record.queued, NOT_QUEUED));
    }

    /// Takes in the age of news of `member`, if that was news and came without one.
    pub(super) fn hear_age(&mut self, member: MemberIdx, age: u8) {
        let Some(slot) = self.table.get(member).map(|record| record.queued) else { return };
        let round = self.queue.round;
        let Some(entry) = self.queue.entry_mut(slot) else { return };
        if entry.age.is_none() && entry.since == round {
            entry.age = Some(age);
            self.count_age(age);
        }
    }

    pub(super) fn count_age(&mut self, age: u8) {
        self.stats.ages_known += 1;
        self.stats.ages_sum += u64::from(age);
    }

    fn drop_most_sent(&mut self) {
        let Some((_, entry)) = self.queue.heap.greatest() else { return };
        self.dequeue(entry.member);
        self.stats.broadcasts_dropped += 1;
    }

    fn requeue(&mut self, priority: Priority, entry: Entry) {
        let handle = self.queue.heap.push(priority, entry);
        if let Some(record) = self.table.get_mut(entry.member) {
            // At most `queue_size` entries, which is below 2^16 - 1.
            record.queued = handle.slot() as u16;
        }
    }

    /// When all that waits was in the last message and stays, the next one says the same: its
    /// updates are counted and it need not be made again. That saves half of a gossip round here, a
    /// fifth of one with its codec.
    fn count_again(&mut self) -> bool {
        if self.rumors.is_empty() || self.rumors.len() != self.queue.len() {
            return false;
        }
        let limit = self.limit();
        let stays = |rumor: &Rumor| {
            let limit = self.limit_of(rumor.member, limit);
            self.waiting(rumor.member).is_some_and(|(told, _)| told.sent() + SENT < limit)
        };
        let same = self.rumors.iter().all(stays);
        if same {
            // All alike, so their order stays.
            self.queue.heap.map_keys(|priority| priority.after(SENT));
        }
        same
    }

    /// Fills the rumor list with at most `most` things to be told next, after `first`; counts each
    /// as sent. Returns how many bytes are left.
    pub(super) fn fill(&mut self, first: Option<Rumor>, most: usize, mut room: Room) -> usize {
        self.rumors.clear();
        if let Some(rumor) = first {
            self.put(rumor, &mut room);
        }
        let (mut misfits, limit) = (0, self.limit());
        while self.rumors.len() < most && misfits < MISFITS {
            let Some((mut priority, entry)) = self.queue.heap.pop() else { break };
            if let Some(record) = self.table.get_mut(entry.member) {
                record.queued = NOT_QUEUED;
            }
            let limit = self.limit_of(entry.member, limit);
            if priority.sent() >= limit {
                continue;
            }
            let rumor = self.rumor(entry.member, self.age_now(&entry));
            let told = first.is_some_and(|first| first.member == entry.member);
            if !told && self.put(rumor, &mut room) {
                priority = priority.after(SENT);
            } else if told || self.fits_alone(&rumor) {
                misfits += 1;
            } else {
                self.stats.broadcasts_dropped += 1;
                continue;
            }
            if priority.sent() < limit {
                self.queue.taken.push((priority, entry));
            }
        }
        while let Some((priority, entry)) = self.queue.taken.pop() {
            self.requeue(priority, entry);
        }
        room.bytes
    }

    /// Whether a datagram of its own has room for it. What has none would wait for ever, ahead of
    /// all that was sent before; anti-entropy, which goes by stream, tells it.
    fn fits_alone(&self, rumor: &Rumor) -> bool {
        wire_size::GOSSIP + self.rumor_len(rumor) <= self.room_beside(0, true).bytes
    }

    /// Adds a rumor to the list if there is room for it.
    pub(super) fn put(&mut self, mut rumor: Rumor, room: &mut Room) -> bool {
        if !room.evidence {
            rumor.age = None;
        }
        let header = if self.rumors.len().is_multiple_of(self.config.max_piggyback) {
            wire_size::GOSSIP
        } else {
            0
        };
        let len = header + self.rumor_len(&rumor);
        let reserved = if self.rumors.is_empty() { 0 } else { room.reserved };
        if len + reserved > room.bytes || (!room.evidence && self.needs_evidence(&rumor)) {
            return false;
        }
        room.bytes -= len;
        self.rumors.push(rumor);
        true
    }

    fn age_now(&self, entry: &Entry) -> u8 {
        let waited = self.queue.round.wrapping_sub(entry.since);
        entry.age.unwrap_or(0).saturating_add(u8::try_from(waited).unwrap_or(u8::MAX))
    }

    /// What is held of `member`, to be told.
    pub(super) fn rumor(&self, member: MemberIdx, age: u8) -> Rumor {
        let (state, incarnation) = match self.table.get(member) {
            // What this node only suspects for itself is not told, nor what nobody stands up for.
            Some(record) if self.suspicions.is_untold(member) || self.is_unfounded(member) => {
                (MemberState::Alive, record.incarnation)
            }
            Some(record) => (record.state(), record.incarnation),
            None => (MemberState::Dead, 0),
        };
        let (removal, accusers) = match state {
            MemberState::Suspect => (Removal::No, self.accusers_of(member)),
            MemberState::Left => self.removals.told(member),
            _ => (Removal::No, Accusers::default()),
        };
        Rumor {
            member,
            state,
            incarnation,
            age: Some(age),
            with_profile: state == MemberState::Alive,
            accusers,
            removal,
        }
    }

    /// A suspicion that others raised: told bare, it would make this node its accuser.
    fn needs_evidence(&self, rumor: &Rumor) -> bool {
        rumor.state == MemberState::Suspect
            && rumor.accusers.iter().any(|(accuser, _)| accuser != self.table.me)
    }

    /// Most bytes that a rumor takes on the wire, evidence included.
    fn rumor_len(&self, rumor: &Rumor) -> usize {
        let name = |member| self.table.profile(member).wire_len(false);
        let subject = self.table.profile(rumor.member).wire_len(rumor.with_profile);
        let accusations: usize = if rumor.removed() == Removal::No {
            let accusation = |(accuser, health)| wire_size::accusation(name(accuser), health);
            rumor.accusers.iter().map(accusation).sum()
        } else {
            let by = rumor.accusers.iter().next();
            wire_size::removal(by.map(|(by, _)| name(by)).unwrap_or_default())
        };
        wire_size::record(rumor.incarnation) + subject + accusations
    }

    /// Sends what was filled in, at most `max_piggyback` to a message.
    pub(super) fn send_rumors<O: Output<P>>(&mut self, to: Dest<P::Address>, out: &mut O) {
        let rumors = std::mem::take(&mut self.rumors);
        for part in rumors.chunks(self.config.max_piggyback) {
            self.convey(to, Message::Gossip(part), out);
        }
        self.rumors = rumors;
    }

    /// Tells one rumor to one place at once.
    pub(super) fn tell<O: Output<P>>(&mut self, rumor: Rumor, to: Dest<P::Address>, out: &mut O) {
        self.convey(to, Message::Gossip(&[rumor]), out);
    }

    /// Tells news of this node to at most `fanout` random members at once and puts it up for
    /// telling the others; alone, this node sends it to itself.
    pub(super) fn announce<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let me = self.table.me;
        let rumor = self.rumor(me, 0);
        if self.table.others() == 0 {
            self.tell(rumor, Dest::Member(me), out);
        }
        let mut targets = std::mem::take(&mut self.targets);
        self.sample(self.config.fanout, &mut targets, |_, _| true);
        for &target in &targets {
            self.tell(rumor, Dest::Member(target), out);
        }
        let told = targets.len() as u32;
        self.targets = targets;
        self.enqueue_told(now, me, Some(0), true, told, out);
    }

    /// Tells news of this node to who spoke of it at once and puts it up for telling all members.
    pub(super) fn answer_and_announce<O: Output<P>>(
        &mut self,
        now: Time,
        to: &Source<P::Address>,
        out: &mut O,
    ) {
        let me = self.table.me;
        self.tell_back(self.rumor(me, 0), to, out);
        self.enqueue_told(now, me, Some(0), true, 1, out);
    }

    /// Room for updates that ride on a message which takes `used` bytes.
    pub(super) fn room_beside(&self, used: usize, evidence: bool) -> Room {
        let bytes = self.config.datagram_budget.saturating_sub(self.config.envelope + used);
        Room { bytes, reserved: self.notices.queue.share_of(bytes), evidence }
    }

    /// Whether updates or notices wait to be told.
    pub(super) fn is_telling(&self) -> bool {
        self.queue.len() > 0 || self.notices.queue.len() > 0
    }

    /// A gossip round: to `fanout` random members, each the next part of the queue.
    pub(super) fn gossip_round<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.queue.round = self.queue.round.wrapping_add(1);
        self.queue.last_round = now;
        let mut targets = std::mem::take(&mut self.targets);
        if self.queue.len() == 0 && self.notices.queue.len() > 0 {
            self.next_to_tell(&mut targets);
        } else {
            self.sample(self.config.fanout, &mut targets, |_, _| true);
        }
        // After a split has healed or a mass join, a datagram each would take too many rounds.
        let each = (self.queue.len() / LONG_QUEUE).clamp(1, MOST_DATAGRAMS);
        self.rumors.clear();
        let mut left = 0;
        for &target in &targets {
            for _ in 0..each {
                if !self.count_again() {
                    left = self.fill(None, usize::MAX, self.room_beside(0, true));
                }
                self.send_rumors(Dest::Member(target), out);
            }
            let room = self.room_behind(left);
            self.tell_notices(Dest::Member(target), room, out);
        }
        self.targets = targets;
        if self.queue.heap.is_empty() {
            self.checks = CHECKS;
            self.queue.heap.give_back(RARE_QUEUE);
        }
        self.arm_gossip(now, out);
    }

    /// Arms the next gossip round when there is something to say and somebody to say it to.
    pub(super) fn arm_gossip<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        let idle = !self.is_telling() || self.table.others() == 0;
        if idle || self.timers.gossip.is_some() || !self.config.mechanisms.gossip_rounds {
            return;
        }
        let interval = self.gossip_interval();
        let passed = now.since(self.queue.last_round);
        let delay =
            interval.saturating_sub(passed).max(interval / GATHER).max(Duration::from_millis(1));
        self.timers.gossip = Some(self.arm(Timer::Gossip, now, delay, out));
    }
}

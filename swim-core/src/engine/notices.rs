//! Notices: what users have all members hear, each once. Epidemic broadcast with a Lamport clock.
//!
//! A notice is opaque here. How it is told is in `spread.rs`, in which order it reaches the user
//! in `causality.rs`, what is remembered in `archive.rs`.

use super::Engine;
use super::archive::Archive;
use super::causality::Causality;
use super::fetch::Wants;
use super::message::{Dest, MemberIdx, NoticeMessage, Source};
use super::output::{Output, Profile};
use super::recent::ANSWERS_PER_PERIOD;
use super::spread::NoticeQueue;
use crate::config::{MAX_CLOCK, MAX_EVENT};
use crate::error::EventError;
use crate::member::MemberState;
use crate::notice::{Body, Notice, Said, Stamp};
use crate::time::Time;
use crate::wire_size;

/// A clock is not put forward further than this by one notice: else a forged one would use all time
/// up. A thousand events a second for thirty years do not get there.
const LEAP: u64 = 1 << 40;

/// All that a node knows of notices.
#[derive(Debug, Clone)]
pub(super) struct Notices<B> {
    /// Lamport's: at or above all stamps that were heard.
    pub(super) clock: u64,
    pub(super) archive: Archive<B>,
    pub(super) queue: NoticeQueue<B>,
    pub(super) causality: Causality,
    pub(super) wants: Wants,
    /// Pings that still carry a hash of recent notices.
    pub(super) checks: u8,
    /// Comparisons that may still be answered in this period.
    pub(super) answers: u32,
    /// Whether this node lives with others and need not be told which time it is.
    pub(super) knows_past: bool,
}

impl<B: Body> Notices<B> {
    pub(super) fn new(clock: u64) -> Self {
        Self {
            clock,
            archive: Archive::new(clock),
            queue: NoticeQueue::new(),
            causality: Causality::default(),
            wants: Wants::default(),
            checks: 0,
            answers: ANSWERS_PER_PERIOD,
            knows_past: false,
        }
    }

    /// This node was alone so far: what it told itself is nobody's affair.
    pub(super) fn leave_alone_life(&mut self) {
        self.archive.clear();
        self.queue.clear_all();
        self.causality.clear();
    }

    /// Whether it may be that late already.
    pub(super) fn is_soon(&self, ltime: u64) -> bool {
        ltime <= self.clock.saturating_add(LEAP).min(MAX_CLOCK)
    }

    /// Whether a notice is one that honest members make.
    fn is_plausible(&self, notice: &Notice<B>) -> bool {
        let ltime = notice.stamp.ltime;
        let ordered = notice.after.iter().all(|before| before.ltime < ltime);
        self.is_soon(ltime)
            && ordered
            && notice.after.len() <= Notice::<B>::MAX_AFTER
            && notice.body_len() <= MAX_EVENT
    }
}

impl<P: Profile> Engine<P> {
    /// Has all members hear `body`, this node's own user first. O(log) of what is remembered.
    ///
    /// # Errors
    /// It is too large, too much waits, or this node has left; nothing has changed.
    pub fn send_notice<O: Output<P>>(
        &mut self,
        now: Time,
        body: P::Body,
        out: &mut O,
    ) -> Result<Stamp, EventError> {
        self.start(now, out);
        if self.departure.is_some() {
            return Err(EventError::Left);
        }
        let (len, limit) = (body.wire_len(), self.config.event_limit);
        if len > limit {
            return Err(EventError::TooLarge { len, limit });
        }
        self.check_room(len)?;
        let ltime = (self.notices.clock + 1).min(MAX_CLOCK);
        let stamp = Stamp { ltime, id: self.rng.word() };
        let after = self.notices.causality.frontier_before(stamp);
        self.stats.notices_sent += 1;
        let me = self.table.me;
        self.take_in(now, me, Notice { stamp, after, said: Said::Whole(body) }, out);
        Ok(stamp)
    }

    /// What was accepted here is not pushed out again before it was told.
    fn check_room(&self, len: usize) -> Result<(), EventError> {
        match self.notices.archive.victims(len).any(|entry| entry.queued.is_some()) {
            true => Err(EventError::Busy { waiting: self.notices.queue.len() }),
            false => Ok(()),
        }
    }

    /// Handles one message about notices. Nothing that a peer sends makes this panic; what makes no
    /// sense is ignored and counted.
    pub fn handle_notices<O: Output<P>>(
        &mut self,
        now: Time,
        source: Source<P::Address>,
        message: NoticeMessage<'_, P::Body>,
        out: &mut O,
    ) {
        self.start(now, out);
        self.stats.messages_received += 1;
        if source.member != Some(self.table.me) {
            self.hearing.hear(now, self.config.probe_interval);
        }
        match message {
            NoticeMessage::Tell(notices) => self.hear_notices(now, &source, notices, out),
            NoticeMessage::Fetch(stamps) => self.hear_fetch(&source, stamps, out),
            NoticeMessage::Recent(recent) => self.hear_recent(&source, recent, out),
            NoticeMessage::Held { above, upto, stamps } => {
                self.hear_held(now, &source, (above, upto), stamps, out);
            }
            NoticeMessage::Answer(answer) => self.hear_answer(now, &source, answer, out),
        }
    }

    /// Only members are believed: live ones, and those that left, whose last words these may be.
    fn hear_notices<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        notices: &[Notice<P::Body>],
        out: &mut O,
    ) {
        let state = source.member.and_then(|member| self.table.state(member));
        let Some(from) = source.member.filter(|_| state.is_some_and(|it| it != MemberState::Dead))
        else {
            self.stats.notices_refused += notices.len() as u64;
            return;
        };
        // Causes first, so that what came together need not wait for each other.
        let mut ordered: Vec<_> = notices.iter().collect();
        ordered.sort_unstable_by_key(|notice| notice.stamp);
        for notice in ordered {
            self.hear_notice(now, from, notice, out);
        }
    }

    fn hear_notice<O: Output<P>>(
        &mut self,
        now: Time,
        from: MemberIdx,
        notice: &Notice<P::Body>,
        out: &mut O,
    ) {
        let stamp = notice.stamp;
        if self.notices.archive.get(stamp).is_some() {
            self.stats.notices_known += 1;
            self.notice_heard_again(stamp);
        } else if self.notices.archive.is_past(stamp) {
            self.stats.notices_old += 1;
        } else if !self.notices.is_plausible(notice) {
            self.stats.notices_refused += 1;
        } else if let Said::Announced(_) = notice.said {
            self.want_now(now, stamp, from, out);
        } else {
            self.stats.notices_heard += 1;
            self.notices.wants.came(stamp);
            self.take_in(now, from, notice.clone(), out);
        }
    }

    /// Remembers a notice, tells it on, and lets it reach the user when its time has come.
    fn take_in<O: Output<P>>(
        &mut self,
        now: Time,
        from: MemberIdx,
        notice: Notice<P::Body>,
        out: &mut O,
    ) {
        let stamp = notice.stamp;
        self.notices.knows_past |= from != self.table.me;
        self.notices.clock = self.notices.clock.max(stamp.ltime);
        self.make_room(notice.body_len(), out);
        self.notices.archive.insert(now, notice.clone());
        self.put_up(now, stamp, from == self.table.me, out);
        self.deliver_in_order(now, from, &notice, out);
    }

    /// Lets the oldest go until there is room for one more.
    fn make_room<O: Output<P>>(&mut self, len: usize, out: &mut O) {
        while let Some((stamp, forget)) = self.notices.archive.surplus(len) {
            self.release(stamp, out);
            if self.take_down(stamp) {
                self.stats.notices_dropped += 1;
            }
            self.notices.archive.let_go(stamp);
            if forget {
                self.notices.archive.forget(stamp);
                self.settle_past(out);
            }
        }
    }

    pub(super) fn transmit_notices<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        message: NoticeMessage<'_, P::Body>,
        out: &mut O,
    ) {
        self.stats.messages_sent += 1;
        out.send_notices(&self.table.profiles, to, message);
    }

    /// The clock of notices: at or above all that were heard here.
    pub fn notice_clock(&self) -> u64 {
        self.notices.clock
    }

    /// Notices waiting to be told.
    pub fn notices_waiting(&self) -> usize {
        self.notices.queue.len()
    }

    /// Room for one notice in a datagram of its own.
    pub(super) fn notice_room(&self) -> usize {
        self.room_beside(wire_size::NOTICES, false).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Options};
    use crate::engine::message::{Message, Rumor, Update};
    use crate::engine::{Accusers, Dest, Outgoing, Removal};
    use crate::rng::SwimRng;

    /// What reached the user.
    #[derive(Default)]
    struct Heard(Vec<Stamp>);

    impl Output<()> for Heard {
        fn send(&mut self, _: &[()], _: Dest<MemberIdx>, _: Outgoing<'_>) {}
        fn changed(&mut self, _: &mut [()], _: crate::engine::Change, _: Option<()>) {}
        fn notice(&mut self, _: &[()], notice: &Notice<u32>) {
            self.0.push(notice.stamp);
        }
    }

    const OTHER: MemberIdx = MemberIdx(1);

    /// A node that knows one other.
    fn node(out: &mut Heard) -> Engine<()> {
        let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
        let rumor = Rumor {
            member: OTHER,
            state: MemberState::Alive,
            incarnation: 0,
            age: None,
            with_profile: true,
            accusers: Accusers::default(),
            removal: Removal::No,
        };
        let mut updates = [Update { rumor, profile: Some(()) }];
        let source = Source { member: None, address: OTHER };
        engine.handle_message(Time(1), source, Message::Gossip(&mut updates), out);
        engine
    }

    fn hear(engine: &mut Engine<()>, now: Time, notices: &[Notice<u32>], out: &mut Heard) {
        let source = Source { member: Some(OTHER), address: OTHER };
        engine.handle_notices(now, source, NoticeMessage::Tell(notices), out);
    }

    fn notice(ltime: u64, id: u64, after: &[Stamp], len: u32) -> Notice<u32> {
        Notice { stamp: Stamp { ltime, id }, after: after.into(), said: Said::Whole(len) }
    }

    #[test]
    fn a_hostile_member_makes_nothing_grow_without_bound() {
        let mut out = Heard::default();
        let mut engine = node(&mut out);
        let mut rng = SwimRng::new(3);
        for number in 0..60_000_u64 {
            let now = Time(number * 20);
            let ltime = 1_000 + number + rng.below(500) as u64;
            let never: Vec<Stamp> = (0..rng.below(9))
                .map(|_| Stamp { ltime: ltime - 1 - rng.below(400) as u64, id: rng.word() })
                .collect();
            let len = if number % 100 == 0 { 1 << 20 } else { rng.below(3_000) as u32 };
            let mut told = notice(ltime, rng.word(), &never, len);
            if number % 7 == 0 {
                told.said = Said::Announced(len as usize);
            }
            hear(&mut engine, now, &[told], &mut out);
            engine.handle_timeout(now, &mut out);
            let notices = &engine.notices;
            notices.archive.check();
            assert!(notices.queue.len() <= 8_192);
            assert!(notices.wants.len() <= 4_096);
            assert!(notices.causality.len() <= 9 * 4_096);
        }
        engine.handle_timeout(Time(10_000_000), &mut out);
        assert_eq!(out.0.len() as u64, engine.stats().notices_heard);
        assert!(out.0.len() > 50_000, "what waits for ever is released in the end");
    }

    #[test]
    fn a_notice_of_a_time_that_no_honest_member_reaches_is_refused() {
        let mut out = Heard::default();
        let mut engine = node(&mut out);
        for ltime in [LEAP + 1, MAX_CLOCK, u64::MAX] {
            hear(&mut engine, Time(2), &[notice(ltime, 1, &[], 1)], &mut out);
        }
        hear(&mut engine, Time(2), &[notice(5, 1, &[Stamp { ltime: 5, id: 2 }], 1)], &mut out);
        assert_eq!((engine.stats().notices_refused, engine.notice_clock()), (4, 0));
        assert!(out.0.is_empty());
        // At the end of all time a node still tells.
        engine.notices.clock = MAX_CLOCK - 1;
        hear(&mut engine, Time(3), &[notice(MAX_CLOCK, 1, &[], 1)], &mut out);
        let stamp = engine.send_notice(Time(4), 1, &mut out).unwrap();
        assert_eq!(stamp.ltime, MAX_CLOCK);
        let after = &engine.notices.archive.notice(stamp).unwrap().after;
        assert!(after.iter().all(|before| before.ltime < MAX_CLOCK), "or all would refuse it");
    }

    #[test]
    fn what_was_forgotten_is_not_heard_again() {
        let mut out = Heard::default();
        let mut engine = node(&mut out);
        let all: Vec<_> = (1..=40_000).map(|ltime| notice(ltime, ltime, &[], 10)).collect();
        for told in all.chunks(100) {
            hear(&mut engine, Time(2), told, &mut out);
        }
        assert_eq!(out.0.len(), 40_000);
        for told in all.chunks(100) {
            hear(&mut engine, Time(3), told, &mut out);
        }
        assert_eq!(out.0.len(), 40_000);
        assert!(engine.stats().notices_old > 7_000);
    }

    #[test]
    fn a_chain_that_comes_backwards_is_heard_forwards() {
        let mut out = Heard::default();
        let mut engine = node(&mut out);
        let stamp = |ltime| Stamp { ltime, id: ltime };
        for ltime in (2..=1_000).rev() {
            let told = notice(ltime, ltime, &[stamp(ltime - 1)], 10);
            hear(&mut engine, Time(2), &[told], &mut out);
        }
        assert!(out.0.is_empty());
        hear(&mut engine, Time(2), &[notice(1, 1, &[], 10)], &mut out);
        assert_eq!(out.0, (1..=1_000).map(stamp).collect::<Vec<_>>());
    }

    #[test]
    fn nothing_waits_for_what_may_have_been_forgotten() {
        let mut out = Heard::default();
        let mut engine = node(&mut out);
        let all: Vec<_> = (1_000..33_600).map(|ltime| notice(ltime, ltime, &[], 10)).collect();
        for told in all.chunks(100) {
            hear(&mut engine, Time(2), told, &mut out);
        }
        let before = Stamp { ltime: 900, id: 1 };
        let held = notice(40_000, 1, &[before], 10);
        hear(&mut engine, Time(3), std::slice::from_ref(&held), &mut out);
        assert!(!out.0.contains(&held.stamp));
        let more: Vec<_> = (40_001..40_500).map(|ltime| notice(ltime, ltime, &[], 10)).collect();
        hear(&mut engine, Time(3), &more, &mut out);
        assert!(out.0.contains(&held.stamp), "what is below 900 is forgotten by now");
        assert_eq!(engine.stats().notices_disordered, 0);
    }
}

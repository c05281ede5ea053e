//! Repair: gossip misses each node now and then, so two nodes compare what they heard lately.
//!
//! One hash over recent stamps; where it differs, the stamps; then the notices, by stream. Only what
//! has had time to reach all counts, and what neither side has forgotten.

use super::Engine;
use super::message::{Dest, MemberIdx, NoticeMessage, Source};
use super::output::{Output, Profile};
use super::view_hash::mix;
use crate::notice::{Notice, Recent, Stamp};
use crate::time::{Time, micros};

/// Notices that are compared at most; older gaps were found by what came after them.
const WINDOW: usize = 1_024;
/// What came in so many last gossip intervals may still be on its way to the other.
const MOMENT: u32 = 5;
/// Pings that carry a hash of recent notices after all was told.
pub(super) const CHECKS: u8 = 4;
/// Comparisons of others that are answered in one period.
pub(super) const ANSWERS_PER_PERIOD: u32 = 64;
/// Most bytes of bodies in one answer, or a single one.
const ANSWER: usize = 1 << 20;

impl<P: Profile> Engine<P> {
    /// What can be compared with others: times above the first up to the second.
    fn window(&self, now: Time) -> Option<(u64, u64)> {
        let archive = &self.notices.archive;
        let upto = archive.settled_upto(self.a_moment_before(now));
        let above = archive.between(0, upto).rev().nth(WINDOW).map_or(0, |stamp| stamp.ltime);
        let above = above.max(archive.whole_above());
        (above < upto).then_some((above, upto))
    }

    fn a_moment_before(&self, now: Time) -> Time {
        Time(now.0.saturating_sub(micros(MOMENT * self.config.gossip_interval)))
    }

    fn hash_of(&self, above: u64, upto: u64) -> u64 {
        let hash = |stamp: Stamp| mix(mix(stamp.ltime) ^ stamp.id);
        self.notices.archive.between(above, upto).map(hash).fold(0, u64::wrapping_add)
    }

    /// Compares clocks with somebody, and recent notices if there are any.
    pub(super) fn compare_notices<O: Output<P>>(
        &mut self,
        now: Time,
        to: Dest<P::Address>,
        out: &mut O,
    ) {
        if self.notices.clock > 0 {
            let (above, upto) = self.window(now).unwrap_or_default();
            self.send_hash(to, above, upto, out);
        }
    }

    /// Compares recent notices with somebody, if there are any.
    fn send_recent<O: Output<P>>(&mut self, now: Time, to: Dest<P::Address>, out: &mut O) {
        if let Some((above, upto)) = self.window(now) {
            self.send_hash(to, above, upto, out);
        }
    }

    fn send_hash<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        above: u64,
        upto: u64,
        out: &mut O,
    ) {
        let (clock, hash) = (self.notices.clock, self.hash_of(above, upto));
        let recent = Recent { clock, above, upto, hash };
        self.transmit_notices(to, NoticeMessage::Recent(recent), out);
    }

    /// Tells a joiner which time it is: what was before is not for it.
    pub(super) fn send_clock<O: Output<P>>(&mut self, to: Dest<P::Address>, out: &mut O) {
        let clock = self.notices.clock;
        if clock > 0 {
            let recent = Recent { clock, above: clock, upto: clock, hash: 0 };
            self.transmit_notices(to, NoticeMessage::Recent(recent), out);
        }
    }

    /// Compares recent notices with a member that is pinged, for some time after all was told; see
    /// `check_view`.
    pub(super) fn check_notices<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        out: &mut O,
    ) {
        let settled = self.notices.checks > 0 && !self.is_telling() && self.rumors.is_empty();
        let alone = settled && self.notices.queue.told_nothing();
        if !alone || !self.config.mechanisms.checks || self.config.fanout < 3 {
            return;
        }
        if self.notices.archive.is_quiet_since(self.a_moment_before(now)) {
            self.notices.checks -= 1;
            self.send_recent(now, Dest::Member(member), out);
        }
    }

    /// Whether a comparison may be answered: they cost a walk over what is compared, and are for live
    /// members.
    fn may_compare(&mut self, source: &Source<P::Address>) -> bool {
        let live = source.member.is_some_and(|member| self.table.is_live(member));
        let may = live && self.notices.answers > 0;
        self.notices.answers -= u32::from(may);
        may
    }

    /// Somebody's recent notices in one hash. A joiner learns the time from it, and nothing of what
    /// was before.
    pub(super) fn hear_recent<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        recent: Recent,
        out: &mut O,
    ) {
        if self.learns_the_time(source, &recent) {
            self.begin_at(recent.clock, out);
            return;
        }
        self.put_clock_forward(source, recent.clock);
        let Recent { above: theirs, upto, hash, .. } = recent;
        let above = theirs.max(self.notices.archive.whole_above());
        if above >= upto || !self.may_compare(source) {
            return;
        }
        let back = Dest::Address(source.address);
        if above > theirs {
            // Less is left to compare than the other knows.
            self.send_hash(back, above, upto, out);
        } else if self.hash_of(above, upto) != hash {
            self.send_held(back, above, upto, out);
        }
    }

    /// Whether this node joins just now, or has just joined: then the answer, which is nothing but
    /// the time, may have come after the view that it belongs to.
    fn learns_the_time(&self, source: &Source<P::Address>, recent: &Recent) -> bool {
        let joins = self.join_attempts().is_some() && !self.notices.knows_past;
        let answer = recent.above == recent.clock && self.notices.archive.is_empty();
        joins || answer && source.member.is_some_and(|member| self.table.is_live(member))
    }

    /// A member's clock is ahead, after a restart of all: what this node makes next is not to be
    /// taken for old.
    fn put_clock_forward(&mut self, source: &Source<P::Address>, clock: u64) {
        if source.member.is_some_and(|member| self.table.is_live(member))
            && self.notices.is_soon(clock)
        {
            self.notices.clock = self.notices.clock.max(clock);
        }
    }

    /// What this node did not live through is not for it.
    fn begin_at<O: Output<P>>(&mut self, clock: u64, out: &mut O) {
        self.notices.knows_past = true;
        if self.notices.is_soon(clock) {
            self.notices.clock = self.notices.clock.max(clock);
            self.notices.archive.begin(clock);
            self.settle_past(out);
        }
    }

    fn send_held<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        above: u64,
        upto: u64,
        out: &mut O,
    ) {
        let archive = &self.notices.archive;
        let latest = archive.between(above, upto).rev().nth(2 * WINDOW);
        let above = latest.map_or(above, |stamp| stamp.ltime);
        let stamps: Vec<Stamp> = archive.between(above, upto).collect();
        self.stats.notice_syncs_differing += 1;
        let held = NoticeMessage::Held { above, upto, stamps: &stamps };
        self.transmit_notices(to, held, out);
    }

    /// What somebody holds of a stretch of time: it is told what it lacks, and asked for what this
    /// node lacks.
    pub(super) fn hear_held<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        (above, upto): (u64, u64),
        stamps: &[Stamp],
        out: &mut O,
    ) {
        let above = above.max(self.notices.archive.whole_above());
        if above >= upto || !self.may_compare(source) {
            return;
        }
        let mut theirs = stamps.to_vec();
        theirs.sort_unstable();
        let mut lacking = Vec::<Notice<P::Body>>::new();
        let mut bytes = 0;
        for stamp in self.notices.archive.between(above, upto) {
            let Some(notice) = self.notices.archive.notice(stamp) else { continue };
            if theirs.binary_search(&stamp).is_err() && bytes <= ANSWER {
                bytes += notice.body_len();
                lacking.push(notice.clone());
            }
        }
        if !lacking.is_empty() {
            let back = Dest::Address(source.address);
            self.transmit_notices(back, NoticeMessage::Tell(&lacking), out);
        }
        let Some(from) = source.member else { return };
        for stamp in theirs {
            let stretch = above < stamp.ltime && stamp.ltime <= upto;
            if stretch && self.notices.archive.get(stamp).is_none() {
                self.want_now(now, stamp, from, out);
            }
        }
    }
}

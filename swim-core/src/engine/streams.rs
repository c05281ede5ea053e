//! Where datagrams do not pass and streams do.
//!
//! A firewall that drops UDP takes relays, nacks and gossip away, and leaves the pings by stream. A
//! node whose probes are answered by stream again and again does by stream what it does else by
//! datagram: it asks relays whether it can be heard, tells its news, and compares views along with
//! the pings that go by stream anyway. One answer by datagram ends that.

use std::time::Duration;

use super::Engine;
use super::message::{Dest, DigestRef, MemberIdx, Message, Outgoing, Removal, Rumor, Source};
use super::open_probes::{Probe, SEQS};
use super::output::{Output, Profile};
use super::table::{Probed, Record};
use super::view_hash::buckets_for;
use crate::member::MemberState;

/// What the answers to this node's probes say of its ways to others.
#[derive(Debug, Clone)]
pub(super) struct OnlyStreams<A> {
    /// Probes in a row that were answered by stream, of those that were answered.
    pub(super) row: u8,
    /// Comparisons of views that began by stream, as many as probes have begun of late.
    pub(super) comparisons: Vec<Comparison<A>>,
}

/// A comparison of views that goes on by stream.
#[derive(Debug, Clone)]
pub(super) struct Comparison<A> {
    /// With who lives there.
    with: A,
    /// How often more is said by a stream of this node's own.
    more: u8,
    /// Protocol periods until it is forgotten.
    periods: u8,
}

/// So many probes in a row are answered by stream where datagrams do not pass. Where a fifth of them
/// is lost, one in thirty is.
const ROW: u8 = 2;
/// A comparison takes as many streams of this node's own at most, the first not counted.
const MORE: u8 = 2;
/// It takes at most so many protocol periods: TCP repeats what opens a connection after one and three
/// seconds.
const PERIODS: u8 = 4;
/// Comparisons at a time.
const COMPARISONS: usize = 16;

impl<A: PartialEq> OnlyStreams<A> {
    pub(super) fn new() -> Self {
        Self { row: 0, comparisons: Vec::new() }
    }

    /// A probe was answered.
    pub(super) fn answered(&mut self, by_stream: bool) {
        self.row = if by_stream { self.row.saturating_add(1).min(ROW) } else { 0 };
    }

    /// A protocol period begins.
    pub(super) fn period(&mut self) {
        self.comparisons.retain_mut(|comparison| {
            comparison.periods -= 1;
            comparison.periods > 0
        });
    }

    /// A comparison with who lives there begins by stream.
    fn compares(&mut self, with: A) {
        self.comparisons.retain(|comparison| comparison.with != with);
        if self.comparisons.len() < COMPARISONS {
            self.comparisons.push(Comparison { with, more: MORE, periods: PERIODS });
        }
    }

    /// Whether what came from there goes on with a comparison by stream.
    fn goes_on(&mut self, with: A) -> bool {
        let of_it =
            |comparison: &&mut Comparison<A>| comparison.with == with && comparison.more > 0;
        let comparison = self.comparisons.iter_mut().find(of_it);
        comparison.map(|comparison| comparison.more -= 1).is_some()
    }
}

impl<P: Profile> Engine<P> {
    /// A probe was answered; by stream, if the number says so and it came from where the stream led to.
    /// What a relay says for the member does not tell how this node reaches it.
    pub(super) fn note_answer(
        &mut self,
        source: &Source<P::Address>,
        probe: &Probe,
        by_stream: bool,
    ) {
        let itself = self.table.lives_at(probe.member, source.address);
        let by_stream = by_stream && itself;
        self.stats.answers_by_stream += u64::from(by_stream);
        self.only_streams.answered(by_stream);
        let relays = &probe.relays[..probe.asked];
        if itself || !relays.iter().any(|&relay| self.table.lives_at(relay, source.address)) {
            self.note_way(probe.member, by_stream);
        }
    }

    /// A member answered late.
    pub(super) fn note_late_answer(
        &mut self,
        source: &Source<P::Address>,
        member: MemberIdx,
        by_stream: bool,
    ) {
        if self.table.lives_at(member, source.address) {
            self.note_way(member, by_stream);
        }
    }

    /// This way a member is reached.
    fn note_way(&mut self, member: MemberIdx, by_stream: bool) {
        if let Some(record) = self.table.get_mut(member) {
            record.probed = if by_stream { Probed::ByStream } else { Probed::Yes };
        }
    }

    /// Whether streams are tried where datagrams bring no answer.
    fn tries_streams(&self) -> bool {
        self.config.mechanisms.by_stream && self.config.mechanisms.stream_ping
    }

    /// Whether only streams pass, as far as this node knows.
    pub(super) fn only_streams_pass(&self) -> bool {
        self.only_streams.row >= ROW && self.config.mechanisms.by_stream
    }

    /// Whether only streams reach a member, as far as this node knows: none else pass, or its last
    /// answer came by stream.
    pub(super) fn only_streams_reach(&self, member: MemberIdx) -> bool {
        let by_stream = |record: &Record| record.probed == Probed::ByStream;
        self.only_streams_pass()
            || (self.config.mechanisms.by_stream && self.table.get(member).is_some_and(by_stream))
    }

    /// Sends to a member on the way that passes. To a dead one no stream is opened: many die at once,
    /// each would hold a stream up for seconds, and who lives finds out by its own pings.
    pub(super) fn convey<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        message: Outgoing<'_>,
        out: &mut O,
    ) {
        match to {
            Dest::Member(member)
                if self.only_streams_reach(member) && self.table.is_live(member) =>
            {
                self.send_by_stream(to, message, out);
            }
            _ => self.transmit(to, message, out),
        }
    }

    pub(super) fn send_by_stream<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        message: Outgoing<'_>,
        out: &mut O,
    ) {
        self.stats.messages_sent += 1;
        out.send_by_stream(&self.table.profiles, to, message);
    }

    /// Tells one rumor to who said something of its subject. What came by stream is answered on it;
    /// what answered this node's own stream needs another one: as many in a period as
    /// corrections, because datagrams may come from anybody who writes that member's address on them.
    pub(super) fn tell_back<O: Output<P>>(
        &mut self,
        rumor: Rumor,
        source: &Source<P::Address>,
        out: &mut O,
    ) {
        let back = Dest::Address(source.address);
        match source.member {
            Some(member)
                if self.only_streams_reach(member)
                    && self.table.lives_at(member, source.address)
                    && self.take_correction() =>
            {
                self.send_by_stream(back, Message::Gossip(&[rumor]), out);
            }
            _ => self.tell(rumor, back, out),
        }
    }

    /// Tells one rumor to a member that answered neither: one of the ways may be shut, and on the other a
    /// word may be lost.
    pub(super) fn tell_on_both_ways<O: Output<P>>(
        &mut self,
        rumor: Rumor,
        member: MemberIdx,
        out: &mut O,
    ) {
        self.transmit(Dest::Member(member), Message::Gossip(&[rumor]), out);
        if self.tries_streams() {
            self.send_by_stream(Dest::Member(member), Message::Gossip(&[rumor]), out);
        }
    }

    /// Whether this may be the farewell of a member that only streams reach, which is not known by where
    /// it came from.
    pub(super) fn left_by_stream(&self, source: &Source<P::Address>, farewell: &Rumor) -> bool {
        source.member.is_none()
            && farewell.removed() == Removal::No
            && self.table.state(farewell.member) == Some(MemberState::Left)
            && self.only_streams_reach(farewell.member)
    }

    /// Pings by stream a member that did not answer by datagram. Where only streams reach it, news and
    /// a comparison of views go along: what pings and anti-entropy do else.
    pub(super) fn ping_by_stream<O: Output<P>>(
        &mut self,
        member: MemberIdx,
        seq: u64,
        out: &mut O,
    ) {
        let to = Dest::Member(member);
        self.send_by_stream(to, Message::Ping { seq: seq + SEQS - 1 }, out);
        if !self.only_streams_reach(member) {
            return;
        }
        let first = self.belief_to_tell(member);
        self.fill(first, self.config.max_piggyback, self.room_beside(0, true));
        self.send_rumors(to, out);
        self.compare_by_stream(to, self.table.address(member), out);
    }

    /// Begins a comparison of views by stream.
    fn compare_by_stream<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        address: P::Address,
        out: &mut O,
    ) {
        let hashes: Vec<u64> = self.table.view.buckets(buckets_for(self.table.n())).collect();
        self.only_streams.compares(address);
        self.send_by_stream(to, Message::Digest(DigestRef::Buckets(&hashes)), out);
    }

    /// Looks by stream for somebody who may live there again. The ping names this node, so that it is
    /// told on the same stream if it is held dead there; the comparison has it tell the same.
    pub(super) fn look_by_stream<O: Output<P>>(&mut self, address: P::Address, out: &mut O) {
        let to = Dest::Address(address);
        let own = self.rumor(self.table.me, 0);
        let seq = self.probes.next_seq();
        self.send_by_stream(to, Message::Gossip(&[own]), out);
        self.send_by_stream(to, Message::Ping { seq }, out);
        self.compare_by_stream(to, address, out);
    }

    /// The member did not answer by stream either so far: once more, if only streams reach it, or if this
    /// is the last look before others hear of it, as a segment may have been lost. Where datagrams reach
    /// nobody, its relays are pinged too, as a control: if they answer, this node is heard by stream and
    /// hears, and the silence is the member's.
    pub(super) fn ping_again_by_stream<O: Output<P>>(&mut self, open: usize, out: &mut O) {
        let probe = &mut self.probes[open];
        probe.repeats += 1;
        let (member, nth, seq) = (probe.member, probe.repeats, probe.seq);
        let wary = self.tries_streams() && self.suspicions.is_untold(member);
        // Not with the fifth: who could answer it in time?
        if !(nth == 1 || nth == 3) || !(wary || self.only_streams_reach(member)) {
            return;
        }
        let (relays, asked) = (self.probes[open].relays, self.probes[open].asked);
        let controls = if nth == 1 && self.only_streams_pass() { &relays[..asked] } else { &[] };
        for &to in std::iter::once(&member).chain(controls) {
            self.send_by_stream(Dest::Member(to), Message::Ping { seq: seq + SEQS - 1 }, out);
        }
    }

    /// Another than the member that was probed answers: as a control, if it is a relay.
    pub(super) fn hear_control(
        &mut self,
        source: &Source<P::Address>,
        (open, seq): (usize, u64),
        from: MemberIdx,
    ) {
        let itself = self.table.lives_at(from, source.address);
        let probe = &mut self.probes[open];
        let asked = &probe.relays[..probe.asked];
        if let Some(at) = asked.iter().position(|&relay| relay == from)
            && itself
            && seq - probe.seq == SEQS - 1
        {
            probe.reached |= 1 << at;
        }
    }

    /// How much longer a member has to answer that only streams reach: TCP repeats what opens a
    /// connection after a second.
    pub(super) fn wait_for_streams(&self, member: MemberIdx) -> Duration {
        match self.only_streams_reach(member) {
            true => self.config.probe_interval,
            false => Duration::ZERO,
        }
    }

    /// Between two rounds of news. It waits for other news longer where only streams pass, because
    /// each costs a connection.
    pub fn gossip_interval(&self) -> Duration {
        let interval = self.config.gossip_interval;
        if self.only_streams_pass() { interval.max(self.config.probe_interval) } else { interval }
    }

    /// Answers in a comparison of views, which goes on by stream if it began so.
    pub(super) fn answer_comparison<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        message: Outgoing<'_>,
        out: &mut O,
    ) {
        let back = Dest::Address(source.address);
        if self.only_streams.goes_on(source.address) {
            self.send_by_stream(back, message, out);
        } else {
            self.transmit(back, message, out);
        }
    }
}

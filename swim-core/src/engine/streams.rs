//! Where datagrams do not pass and streams do.
//!
//! A firewall that drops UDP takes relays, nacks and gossip away, and leaves the pings by stream. A
//! node whose probes are answered by stream again and again does by stream what it does else by
//! datagram: it asks relays whether it can be heard, tells its news, and compares views along with
//! the pings that go by stream anyway. One answer by datagram ends that.

use std::time::Duration;

use super::Engine;
use super::message::{Dest, DigestRef, MemberIdx, Message, Outgoing, Source};
use super::open_probes::SEQS;
use super::output::{Output, Profile};
use super::view_hash::buckets_for;

/// What the answers to this node's probes say of its ways to others.
#[derive(Debug, Default, Clone)]
pub(super) struct Streams {
    /// Probes in a row that were answered by stream, of those that were answered.
    pub(super) row: u8,
    /// With whom views are compared by stream, and how often more is said to it.
    pub(super) partner: Option<(MemberIdx, u8)>,
}

/// So many probes in a row are answered by stream where datagrams do not pass. Where a fifth of them
/// is lost, one in thirty is.
const ROW: u8 = 2;
/// A comparison takes as many streams of this node's own at most, the ping's not counted.
const MORE: u8 = 2;

impl Streams {
    /// A probe was answered.
    pub(super) fn answered(&mut self, by_stream: bool) {
        self.row = if by_stream { self.row.saturating_add(1).min(ROW) } else { 0 };
    }

    /// Whether what came from there goes on with a comparison by stream.
    fn goes_on_with(&mut self, from: MemberIdx) -> bool {
        let Some((_, more)) = self.partner.as_mut().filter(|(partner, _)| *partner == from) else {
            return false;
        };
        let goes_on = *more > 0;
        *more = more.saturating_sub(1);
        goes_on
    }
}

impl<P: Profile> Engine<P> {
    /// A probe was answered.
    pub(super) fn note_answer(&mut self, by_stream: bool) {
        self.stats.answers_by_stream += u64::from(by_stream);
        self.streams.answered(by_stream);
    }

    /// Whether only streams pass, as far as this node knows.
    pub(super) fn only_streams_pass(&self) -> bool {
        self.streams.row >= ROW && self.config.mechanisms.by_stream
    }

    /// Sends to a member on the way that passes.
    pub(super) fn convey<O: Output<P>>(
        &mut self,
        to: Dest<P::Address>,
        message: Outgoing<'_>,
        out: &mut O,
    ) {
        if matches!(to, Dest::Member(_)) && self.only_streams_pass() {
            self.send_by_stream(to, message, out);
        } else {
            self.transmit(to, message, out);
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

    /// Pings by stream a member that did not answer by datagram. Where only streams pass, news and a
    /// comparison of views go along: what pings and anti-entropy do else.
    pub(super) fn ping_by_stream<O: Output<P>>(
        &mut self,
        member: MemberIdx,
        seq: u64,
        out: &mut O,
    ) {
        let to = Dest::Member(member);
        self.send_by_stream(to, Message::Ping { seq: seq + SEQS - 1 }, out);
        if !self.only_streams_pass() {
            return;
        }
        let first = self.belief_to_tell(member);
        self.fill(first, self.config.max_piggyback, self.room_beside(0, true));
        self.send_rumors(to, out);
        let hashes: Vec<u64> = self.table.view.buckets(buckets_for(self.table.n())).collect();
        self.streams.partner = Some((member, MORE));
        self.send_by_stream(to, Message::Digest(DigestRef::Buckets(&hashes)), out);
    }

    /// The member did not answer by stream either so far: once more, as a segment may have been lost,
    /// and its relays as a control. If they answer, this node is heard by stream and hears, and the
    /// silence is the member's.
    pub(super) fn ping_again_by_stream<O: Output<P>>(&mut self, open: usize, out: &mut O) {
        let probe = &mut self.probes[open];
        probe.repeats += 1;
        let (nth, seq, asked) = (probe.repeats, probe.seq, probe.asked);
        if nth % 2 == 0 || !self.only_streams_pass() {
            return;
        }
        let (member, relays) = (self.probes[open].member, self.probes[open].relays);
        let controls = if nth == 1 { &relays[..asked] } else { &[] };
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
        let known = self.table.get(from).is_some();
        let itself = known && self.table.address(from) == source.address;
        let probe = &mut self.probes[open];
        let asked = &probe.relays[..probe.asked];
        if let Some(at) = asked.iter().position(|&relay| relay == from)
            && itself
            && seq - probe.seq == SEQS - 1
        {
            probe.reached |= 1 << at;
        }
    }

    /// How much longer a member has to answer where only streams pass: TCP repeats what opens a
    /// connection after a second.
    pub(super) fn wait_for_streams(&self) -> Duration {
        if self.only_streams_pass() { self.config.probe_interval } else { Duration::ZERO }
    }

    /// News waits for one another longer where only streams pass, because each costs a connection.
    pub(super) fn gossip_interval(&self) -> Duration {
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
        match source.member.filter(|&from| self.streams.goes_on_with(from)) {
            Some(from) => self.send_by_stream(Dest::Member(from), message, out),
            None => self.transmit(Dest::Address(source.address), message, out),
        }
    }
}

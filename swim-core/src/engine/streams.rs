//! Where datagrams do not pass and streams do.
//!
//! A firewall that drops UDP takes relays, nacks and gossip away, and leaves the pings by stream. A
//! node whose probes are answered by stream again and again does by stream what it does else by
//! datagram: it asks relays whether it can be heard, tells its news, and compares views along with
//! the pings that go by stream anyway. One answer by datagram ends that.

use std::time::Duration;

use super::Engine;
use super::message::{Dest, DigestRef, MemberIdx, Message, Outgoing, Rumor, Source};
use super::open_probes::SEQS;
use super::output::{Output, Profile};
use super::table::{Probed, Record};
use super::view_hash::buckets_for;

/// What the answers to this node's probes say of its ways to others.
#[derive(Debug, Clone)]
pub(super) struct OnlyStreams<A> {
    /// Probes in a row that were answered by stream, of those that were answered.
    pub(super) row: u8,
    /// Where views are compared with by stream, and how often more is said there. The latest
    /// [`COMPARISONS`], because several probes may be open.
    pub(super) comparisons: Vec<(A, u8)>,
}

/// So many probes in a row are answered by stream where datagrams do not pass. Where a fifth of them
/// is lost, one in thirty is.
const ROW: u8 = 2;
/// A comparison takes as many streams of this node's own at most, the first not counted.
const MORE: u8 = 2;
/// Comparisons at a time that go on by stream.
const COMPARISONS: usize = 8;

impl<A: PartialEq> OnlyStreams<A> {
    pub(super) fn new() -> Self {
        Self { row: 0, comparisons: Vec::new() }
    }

    /// A probe was answered.
    pub(super) fn answered(&mut self, by_stream: bool) {
        if by_stream {
            self.row = self.row.saturating_add(1).min(ROW);
        } else {
            self.row = 0;
            self.comparisons.clear();
        }
    }

    /// A comparison with who lives there begins by stream.
    fn compares_with(&mut self, address: A) {
        self.comparisons.retain(|(held, _)| *held != address);
        if self.comparisons.len() == COMPARISONS {
            self.comparisons.remove(0);
        }
        self.comparisons.push((address, MORE));
    }

    /// Whether what came from there goes on with a comparison by stream.
    fn goes_on_with(&mut self, address: A) -> bool {
        let mut comparisons = self.comparisons.iter_mut();
        let Some((_, more)) = comparisons.find(|(held, _)| *held == address) else { return false };
        let goes_on = *more > 0;
        *more = more.saturating_sub(1);
        goes_on
    }
}

impl<P: Profile> Engine<P> {
    /// A member answered this node's probe of it.
    pub(super) fn note_answer(&mut self, member: MemberIdx, by_stream: bool) {
        self.stats.answers_by_stream += u64::from(by_stream);
        self.only_streams.answered(by_stream);
        self.note_way(member, by_stream);
    }

    /// A member answered, in time or late: this way it is reached.
    pub(super) fn note_way(&mut self, member: MemberIdx, by_stream: bool) {
        if let Some(record) = self.table.get_mut(member) {
            record.probed = if by_stream { Probed::ByStream } else { Probed::Yes };
        }
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
    /// what answered this node's own stream needs another one.
    pub(super) fn tell_back<O: Output<P>>(
        &mut self,
        rumor: Rumor,
        source: &Source<P::Address>,
        out: &mut O,
    ) {
        let back = Dest::Address(source.address);
        match source.member {
            Some(member) if self.only_streams_reach(member) && self.lives_there(source) => {
                self.send_by_stream(back, Message::Gossip(&[rumor]), out);
            }
            _ => self.tell(rumor, back, out),
        }
    }

    /// Whether a message came from where its sender is held to live.
    fn lives_there(&self, source: &Source<P::Address>) -> bool {
        let known = source.member.filter(|&member| self.table.get(member).is_some());
        known.is_some_and(|member| self.table.address(member) == source.address)
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
        self.only_streams.compares_with(address);
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

    /// The member did not answer by stream either so far: once more, as a segment may have been lost,
    /// and where datagrams pass to nobody its relays as a control. If they answer, this node is heard
    /// by stream and hears, and the silence is the member's.
    pub(super) fn ping_again_by_stream<O: Output<P>>(&mut self, open: usize, out: &mut O) {
        let probe = &mut self.probes[open];
        probe.repeats += 1;
        let (member, nth, seq) = (probe.member, probe.repeats, probe.seq);
        // Not the fifth: who could answer it in time?
        if !(nth == 1 || nth == 3) || !self.only_streams_reach(member) {
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
        if self.only_streams.goes_on_with(source.address) {
            self.send_by_stream(back, message, out);
        } else {
            self.transmit(back, message, out);
        }
    }
}

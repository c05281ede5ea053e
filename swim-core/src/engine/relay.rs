//! Being a relay (SWIM, section 3.1): ping for another, pass the answer back, or say in time that
//! there is none (Lifeguard, section 4.1).

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::message::{Dest, MemberIdx, Message, Source};
use super::output::{Output, Profile};
use crate::coordinate::Coordinate;
use crate::time::Time;
use crate::tuning;

/// A ping under way for another member.
#[derive(Debug, Clone)]
pub(super) struct Relay<A> {
    /// This node's own, under which it pings the target.
    pub(super) seq: u64,
    pub(super) target: MemberIdx,
    /// The asker's, which the answer repeats.
    pub(super) asker_seq: u64,
    pub(super) asker: A,
    pub(super) sent: Time,
    pub(super) nacked: bool,
    timer: TimerKey,
}

/// The pings under way for others, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Relays<A> {
    pub(super) open: Vec<Relay<A>>,
}

/// More are counted and answered with a nack at once: askers have other relays, and need not doubt
/// themselves.
const MAX_OPEN: usize = 128;

impl<A> Relays<A> {
    pub(super) fn new() -> Self {
        Self { open: Vec::new() }
    }

    fn by_seq(&self, seq: u64) -> Option<usize> {
        self.open.binary_search_by_key(&seq, |relay| relay.seq).ok()
    }
}

impl<P: Profile> Engine<P> {
    /// Somebody asks this node to ping `target`.
    pub(super) fn hear_ping_req<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        seq: u64,
        target: Option<MemberIdx>,
        out: &mut O,
    ) {
        let back = Dest::Address(source.address);
        let me = self.table.me;
        let Some(target) = target.filter(|&target| self.table.get(target).is_some()) else {
            self.nack(seq, back, out);
            return;
        };
        if target == me {
            self.transmit(back, Message::Ack { seq, member: Some(me), coordinate: None }, out);
            return;
        }
        if self.relays.open.len() >= MAX_OPEN {
            self.stats.relays_dropped += 1;
            self.nack(seq, back, out);
            return;
        }
        let own_seq = self.probes.next_seq();
        // Whom only streams reach, a relay cannot speak for: a nack that comes at once is no witness.
        let at_once = self.only_streams_reach(target);
        let timeout = self.indirect_timeout();
        let delay = if at_once { timeout } else { tuning::nack_delay(timeout) };
        let timer = self.arm(Timer::Relay(own_seq), now, delay, out);
        self.relays.open.push(Relay {
            seq: own_seq,
            target,
            asker_seq: seq,
            asker: source.address,
            sent: now,
            nacked: at_once,
            timer,
        });
        self.transmit(Dest::Member(target), Message::Ping { seq: own_seq }, out);
        if let Some(rumor) = self.belief_to_tell(target) {
            // Along with the ping: whoever asks is not to have streams opened.
            self.transmit(Dest::Member(target), Message::Gossip(&[rumor]), out);
        }
        if at_once {
            self.nack(seq, back, out);
        }
    }

    fn nack<O: Output<P>>(&mut self, seq: u64, to: Dest<P::Address>, out: &mut O) {
        if self.config.mechanisms.nack {
            let relay = Some(self.table.me);
            self.transmit(to, Message::Nack { seq, relay }, out);
        }
    }

    /// The target answered: so does this node, under the asker's `seq`.
    pub(super) fn relay_ack<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        (seq, coordinate): (u64, Option<Coordinate>),
        member: MemberIdx,
        out: &mut O,
    ) {
        let Some(open) = self.relays.by_seq(seq) else { return };
        if self.relays.open[open].target != member {
            return;
        }
        let relay = self.relays.open.remove(open);
        self.deadlines.cancel(relay.timer);
        self.measure(source, member, now.since(relay.sent), coordinate);
        // Passed on, a coordinate would come from who is elsewhere.
        let ack = Message::Ack { seq: relay.asker_seq, member: Some(member), coordinate: None };
        self.transmit(Dest::Address(relay.asker), ack, out);
    }

    /// First the nack is due, then, at the end of the asker's time, the answer is of no use.
    pub(super) fn relay_timed_out<O: Output<P>>(&mut self, now: Time, seq: u64, out: &mut O) {
        let Some(open) = self.relays.by_seq(seq) else { return };
        self.deadlines.cancel(self.relays.open[open].timer);
        if self.relays.open[open].nacked {
            self.relays.open.remove(open);
            return;
        }
        let timeout = self.indirect_timeout();
        let rest = timeout.saturating_sub(tuning::nack_delay(timeout));
        let timer = self.arm(Timer::Relay(seq), now, rest, out);
        let relay = &mut self.relays.open[open];
        (relay.nacked, relay.timer) = (true, timer);
        let (asker_seq, asker) = (relay.asker_seq, relay.asker);
        self.nack(asker_seq, Dest::Address(asker), out);
    }

    pub(super) fn close_relays_to(&mut self, member: MemberIdx) {
        while let Some(open) = self.relays.open.iter().position(|relay| relay.target == member) {
            let relay = self.relays.open.remove(open);
            self.deadlines.cancel(relay.timer);
        }
    }
}

//! The failure detector (SWIM, sections 3.1 and 4.3; Lifeguard, section 4.1): ping, ping through
//! relays, accuse.

use std::time::Duration;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::look::Look;
use super::message::{Accusers, Dest, MemberIdx, Message, Source};
use super::open_probes::{PINGS, Probe, SEQS, Stage};
use super::output::{FailedProbe, Output, Profile};
use super::table::Probed;
use crate::config::MAX_RELAYS;
use crate::coordinate::Coordinate;
use crate::member::MemberState;
use crate::time::Time;
use crate::{tuning, wire_size};

impl<P: Profile> Engine<P> {
    /// Starts one protocol period: pings the next member of the round robin. Called every
    /// [`probe_interval`](Self::probe_interval). O(1).
    pub fn start_period<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.start(now, out);
        self.corrections = super::CORRECTIONS_PER_PERIOD;
        self.hints = super::HINTS_PER_PERIOD;
        self.notices.answers = super::recent::ANSWERS_PER_PERIOD;
        self.queries.relays = super::query::RELAYS_PER_PERIOD;
        if self.config.dynamic_tuning {
            self.auto_tune();
        }
        self.judge_paths(now, out);
        self.only_streams.period();
        if self.departure.is_none()
            && let Some(member) = self.table.next_target(&mut self.rng)
        {
            self.probe(now, member, out);
            self.check_view(member, out);
            self.check_notices(now, member, out);
        }
    }

    /// Opens a probe of a live member, or repeats the ping of the open one.
    pub(super) fn probe<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        if self.departure.is_some() {
            return;
        }
        match self.probes.of(member) {
            Some(open) => self.repeat_ping(open, out),
            None => {
                let timeout = self.ping_timeout(member);
                let patience = self.direct_wait(timeout);
                let timer = self.arm(Timer::Probe(member), now, patience, out);
                let seq = self.open_probe(member, now, timer);
                self.ping(member, seq, out);
                if let Some(open) = self.probes.last().filter(|_| timeout < patience) {
                    self.arm_again(now, open, timeout, out);
                }
            }
        }
    }

    /// How long the driver waits before it starts the next period: scaled by local health and
    /// tuning.
    pub fn probe_interval(&self) -> Duration {
        tuning::scaled(self.config.probe_interval, self.health.score()).mul_f64(self.tempo.factor())
    }

    fn arm_again<O: Output<P>>(&mut self, now: Time, open: usize, delay: Duration, out: &mut O) {
        let member = self.probes[open].member;
        let timer = self.arm(Timer::PingAgain(member), now, delay, out);
        self.probes[open].again = Some(timer);
    }

    /// Pings a member again whose probe is open: one lost datagram is no reason to doubt it.
    pub(super) fn ping_again<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        let Some(open) = self.probes.of(member) else { return };
        let probe = &mut self.probes[open];
        if let Some(taken) = probe.again.take() {
            self.deadlines.cancel(taken);
        }
        if probe.pings == PINGS {
            return;
        }
        let seq = probe.seq + probe.pings as u64;
        probe.sent[probe.pings] = now;
        probe.pings += 1;
        self.transmit(Dest::Member(member), Message::Ping { seq }, out);
        if self.probes[open].stage == Stage::Indirect {
            self.ping_again_by_stream(open, out);
            let delay = self.wait_beside_relays(member, false);
            self.arm_again(now, open, delay, out);
        }
    }

    fn open_probe(&mut self, member: MemberIdx, now: Time, timer: TimerKey) -> u64 {
        self.stats.probes += 1;
        if let Some(record) = self.table.get_mut(member) {
            record.probed = record.probed.max(Probed::Yes);
        }
        let seq = self.probes.next_seqs();
        self.probes.open(Probe {
            member,
            seq,
            sent: [now; PINGS],
            pings: 1,
            stage: Stage::Direct,
            measurable: true,
            relays: [member; MAX_RELAYS],
            asked: 0,
            asked_at: now,
            answered: 0,
            tried: 0,
            reached: 0,
            repeats: 0,
            heard: self.hearing.messages(),
            timer,
            again: None,
        });
        seq
    }

    /// The round robin came back to a member whose probe is still open: ask again under the same
    /// `seq`; its deadline stays, else a dead member would never reach it.
    fn repeat_ping<O: Output<P>>(&mut self, open: usize, out: &mut O) {
        let probe = &mut self.probes[open];
        probe.measurable = false;
        let (member, seq, timer) = (probe.member, probe.seq, probe.timer);
        self.ping(member, seq, out);
        if let Some(at) = self.deadlines.at(timer) {
            out.timer_set(&self.table.profiles, Timer::Probe(member), at);
        }
    }

    /// A ping with what waits to be told. A member that is not held Alive hears that first
    /// (Lifeguard, section 4.3).
    fn ping<O: Output<P>>(&mut self, member: MemberIdx, seq: u64, out: &mut O) {
        let to = Dest::Member(member);
        self.transmit(to, Message::Ping { seq }, out);
        // A period sends at most `fanout` messages.
        let beside = self.config.fanout.saturating_sub(1);
        if beside == 0 {
            return;
        }
        self.notices.queue.clear();
        let notices = usize::from(self.notices.queue.len() > 0);
        let evidence = beside > 1 + notices;
        let mut first = self.belief_to_tell(member);
        if let Some(rumor) = first.as_mut().filter(|_| !evidence) {
            // Who accuses it is of no matter to the suspect.
            rumor.accusers = Accusers::default();
        }
        let left = self.piggyback(first, 0, to, evidence, out);
        if beside > 1 || self.rumors.is_empty() {
            self.tell_notices(to, left, out);
        }
    }

    /// Sends updates that wait to be told along with a probe message, which carries so many bytes
    /// more than usual. Returns how many bytes are left.
    pub(super) fn piggyback<O: Output<P>>(
        &mut self,
        first: Option<super::message::Rumor>,
        carried: usize,
        to: Dest<P::Address>,
        evidence: bool,
        out: &mut O,
    ) -> usize {
        let lost = match to {
            Dest::Member(member) => self.only_streams_reach(member),
            Dest::Address(_) => self.only_streams_pass(),
        };
        if lost {
            // And would count as told.
            self.rumors.clear();
            return self.room_beside(wire_size::PROBE + carried, evidence).bytes;
        }
        let used = wire_size::PROBE + carried + self.table.profile(self.table.me).wire_len(false);
        let room = self.room_beside(used, evidence);
        let left = self.fill(first, self.config.max_piggyback, room);
        self.send_rumors(to, out);
        left
    }

    /// A probe's time-out fired, by its deadline or by the caller's word.
    pub(super) fn probe_timed_out<O: Output<P>>(
        &mut self,
        now: Time,
        member: MemberIdx,
        out: &mut O,
    ) {
        let open = match self.probes.of(member) {
            Some(open) => open,
            None => {
                let reported =
                    self.table.get(member).is_some_and(|record| record.probed == Probed::No);
                let reported = reported && self.departure.is_none() && member != self.table.me;
                if !reported || !self.table.is_live(member) {
                    return;
                }
                // Due already: nobody is told of this timer.
                let timer = self.deadlines.arm(Timer::Probe(member), now);
                self.open_probe(member, now, timer);
                let Some(open) = self.probes.of(member) else { return };
                open
            }
        };
        self.deadlines.cancel(self.probes[open].timer);
        match self.probes[open].stage {
            Stage::Direct => self.probe_indirectly(now, open, out),
            Stage::Indirect => self.probe_failed(now, open, out),
        }
    }

    /// The member did not answer itself: ask relays, and by stream.
    fn probe_indirectly<O: Output<P>>(&mut self, now: Time, open: usize, out: &mut O) {
        let (member, seq) = (self.probes[open].member, self.probes[open].seq);
        let mut relays = std::mem::take(&mut self.targets);
        let alive = |engine: &Self, candidate| {
            candidate != member && engine.table.state(candidate) == Some(MemberState::Alive)
        };
        let good =
            |engine: &Self, candidate| alive(engine, candidate) && !engine.is_degraded(candidate);
        let wanted = self.config.indirect_probes;
        self.sample(wanted, &mut relays, good);
        if relays.len() < wanted {
            self.add_to_sample(wanted, &mut relays, alive);
        }
        for &relay in &relays {
            self.transmit(Dest::Member(relay), Message::PingReq { seq, target: Some(member) }, out);
        }
        let by_stream = self.config.mechanisms.stream_ping;
        if by_stream {
            self.ping_by_stream(member, seq, out);
        }
        let probe = &mut self.probes[open];
        probe.stage = Stage::Indirect;
        probe.asked_at = now;
        probe.asked = relays.len();
        probe.relays[..relays.len()].copy_from_slice(&relays);
        self.targets = relays;
        if self.probes[open].asked == 0 && !by_stream {
            self.probe_failed(now, open, out);
            return;
        }
        let wait = self.indirect_wait(member);
        self.probes[open].timer = self.arm(Timer::Probe(member), now, wait, out);
        if self.config.mechanisms.repeated_pings {
            let delay = self.wait_beside_relays(member, true);
            self.arm_again(now, open, delay, out);
        }
    }

    /// Nobody reached the member.
    fn probe_failed<O: Output<P>>(&mut self, now: Time, open: usize, out: &mut O) {
        let Some(probe) = self.close_probe(open) else { return };
        self.stats.probes_failed += 1;
        let silence = probe.heard == self.hearing.messages();
        out.probe_failed(
            &self.table.profiles,
            &FailedProbe {
                member: probe.member,
                pings: &probe.sent[..probe.pings],
                asked_at: probe.asked_at,
                relays: &probe.relays[..probe.asked],
                nacked: probe.answered,
                by_stream: self.config.mechanisms.stream_ping,
                silence,
            },
        );
        let mechanisms = self.config.mechanisms;
        // Further looks at a suspect say nothing new of this node.
        let first = self.table.state(probe.member) == Some(MemberState::Alive);
        if mechanisms.local_health && first {
            let silent = probe.asked as u32 - (probe.answered | probe.reached).count_ones();
            let silent = if mechanisms.nack { silent as u8 } else { 0 };
            self.health.worsen(silent + u8::from(!mechanisms.absolve));
        }
        // Relays ping by datagram: what they miss of a member that only streams reach says nothing.
        let witnesses = match self.only_streams_reach(probe.member) {
            true => Accusers::default(),
            false => probe.witnesses(),
        };
        let look = Look {
            member: probe.member,
            seq: probe.seq,
            pings: probe.pings,
            answered: (probe.answered | probe.reached) != 0,
            silence,
            witnesses,
        };
        self.look_failed(now, look, out);
    }

    /// Whoever asks is answered. A cluster mate that this node holds dead is told so, and a twin where
    /// the other one lives; one that it has forgotten is offered its view.
    pub(super) fn hear_ping<O: Output<P>>(
        &mut self,
        source: &Source<P::Address>,
        seq: u64,
        out: &mut O,
    ) {
        let me = self.table.me;
        let back = Dest::Address(source.address);
        let coordinate = self.coordinate_to_tell(source);
        self.transmit(back, Message::Ack { seq, member: Some(me), coordinate }, out);
        let Some(member) = source.member.filter(|&member| self.table.get(member).is_some()) else {
            if self.healing.is_lost(source.address) && self.may_correct() {
                self.send_view_hash(back, out);
            }
            return;
        };
        // In this order: moves are few, an address is a line of memory that nothing else needs here.
        let elsewhere = self.moves.lived(member, source.address).is_some()
            && source.address != self.table.address(member);
        if (elsewhere || !self.table.is_live(member)) && self.departure.is_none() {
            self.correct(member, back, out);
        } else if self.is_telling() && source.address == self.table.address(member) {
            // Elsewhere anybody may have taken its name, to have news sent to where it is lost.
            let carried = coordinate.map_or(0, |_| wire_size::COORDINATE);
            let left = self.piggyback(None, carried, back, true, out);
            self.tell_notices(back, left, out);
        }
    }

    /// An answer. Only one to an open probe, naming the member that was probed, counts.
    pub(super) fn hear_ack<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        (seq, coordinate): (u64, Option<Coordinate>),
        member: Option<MemberIdx>,
        out: &mut O,
    ) {
        let Some(member) = member else { return };
        let Some(open) = self.probes.by_seq(seq) else {
            if !self.hear_late_ack(now, source, member, seq, out) {
                self.relay_ack(now, source, (seq, coordinate), member, out);
            }
            return;
        };
        if self.probes[open].member != member {
            self.hear_control(source, (open, seq), member);
            return;
        }
        let Some(probe) = self.close_probe(open) else { return };
        self.note_answer(source, &probe, seq - probe.seq == SEQS - 1);
        if self.config.mechanisms.local_health {
            self.health.improve();
        }
        self.paths_answered(now, probe.stage == Stage::Direct);
        let ping = (seq - probe.seq) as usize;
        if ping < probe.pings && (ping > 0 || probe.measurable) {
            self.measure(source, member, now.since(probe.sent[ping]), coordinate);
        }
        self.vouch(now, member, out);
    }

    /// Takes in a round trip, and the coordinate that came with the ack, if the member answered
    /// itself from where it lives.
    pub(super) fn measure(
        &mut self,
        source: &Source<P::Address>,
        member: MemberIdx,
        round_trip: Duration,
        coordinate: Option<Coordinate>,
    ) {
        if self.table.lives_at(member, source.address) {
            self.stats.round_trips += 1;
            let rtt = self.table.rtt(member);
            // A ping that was held up somewhere says nothing of where its member is.
            let usual = rtt.usual().map_or(round_trip, |usual| round_trip.min(usual));
            rtt.sample(round_trip);
            self.probes.typical.sample(round_trip);
            self.locate(member, usual, coordinate);
        }
    }

    /// A relay says that it has no answer, so this node can hear: it need not doubt itself. From
    /// where the relay lives, and after it had time to try, that also accuses the target.
    pub(super) fn hear_nack(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        seq: u64,
        relay: Option<MemberIdx>,
    ) {
        let Some(open) = self.probes.by_seq(seq) else { return };
        let itself = relay.is_some_and(|relay| self.table.lives_at(relay, source.address));
        let trying = tuning::nack_delay(self.indirect_timeout()) / 2;
        let probe = &mut self.probes[open];
        let asked = &probe.relays[..probe.asked];
        if let Some(at) = asked.iter().position(|&held| Some(held) == relay) {
            probe.answered |= 1 << at;
            self.only_streams.answered(false);
            if itself && now.since(probe.asked_at) >= trying {
                probe.tried |= 1 << at;
            }
        }
    }

    fn close_probe(&mut self, open: usize) -> Option<Probe> {
        let probe = self.probes.take(open)?;
        self.deadlines.cancel(probe.timer);
        if let Some(again) = probe.again {
            self.deadlines.cancel(again);
        }
        Some(probe)
    }

    /// Gives up all probes: this node leaves.
    pub(super) fn close_probes(&mut self) {
        while let Some(open) = self.probes.last() {
            self.close_probe(open);
        }
    }

    /// Gives up probes of a member that is gone.
    pub(super) fn close_probes_of(&mut self, member: MemberIdx) {
        while let Some(open) = self.probes.of(member) {
            self.close_probe(open);
        }
        self.close_relays_to(member);
    }
}

//! The failure detector (SWIM, sections 3.1 and 4.3; Lifeguard, section 4.1): ping, ping through
//! relays, accuse.

use std::time::Duration;

use super::Engine;
use super::deadlines::{Timer, TimerKey};
use super::message::{Accusers, Dest, MemberIdx, Message, Source};
use super::output::{Cause, Output, Profile, Reason};
use crate::config::MAX_RELAYS;
use crate::member::MemberState;
use crate::time::Time;
use crate::{tuning, wire_size};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Waiting for the member's own answer.
    Direct,
    /// Waiting for relays and the ping by stream; the member's own answer still counts.
    Indirect,
}

/// An open probe; at most one per member.
#[derive(Debug)]
struct Probe {
    member: MemberIdx,
    seq: u64,
    sent: Time,
    stage: Stage,
    /// Whether `sent` tells the round trip: not when the ping was repeated.
    measurable: bool,
    relays: [MemberIdx; MAX_RELAYS],
    asked: usize,
    /// Bit `i`: relay `i` answered.
    answered: u8,
    timer: TimerKey,
}

/// The open probes, oldest first; few, because each lasts less than two periods.
#[derive(Debug)]
pub(super) struct Probes {
    open: Vec<Probe>,
    seq: u64,
}

impl Probes {
    /// `after` is random: a `seq` that nobody can guess, and none of a former life.
    pub(super) fn new(after: usize) -> Self {
        Self { open: Vec::new(), seq: after as u64 }
    }

    /// A `seq` that no open probe or relay of this node uses.
    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }

    /// The open probe that was sent under `seq`. They are in the order of their `seq`.
    fn by_seq(&self, seq: u64) -> Option<usize> {
        self.open.binary_search_by_key(&seq, |probe| probe.seq).ok()
    }

    fn of(&self, member: MemberIdx) -> Option<usize> {
        self.open.iter().position(|probe| probe.member == member)
    }
}

impl<P: Profile> Engine<P> {
    /// Starts one protocol period: pings the next member of the round robin. Called every
    /// [`probe_interval`](Self::probe_interval). O(1).
    pub fn start_period<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.start(now, out);
        self.corrections = super::CORRECTIONS_PER_PERIOD;
        if self.config.dynamic_tuning {
            self.auto_tune();
        }
        if self.departure.is_none()
            && let Some(member) = self.table.next_target(&mut self.rng)
        {
            self.probe(now, member, out);
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
                let timer = self.arm(Timer::Probe(member), now, timeout, out);
                let seq = self.open_probe(member, now, timer);
                self.ping(member, seq, out);
            }
        }
    }

    /// How long the driver waits before it starts the next period: scaled by local health and
    /// tuning.
    pub fn probe_interval(&self) -> Duration {
        tuning::scaled(self.config.probe_interval, self.health.score()).mul_f64(self.tempo.factor())
    }

    /// The time-out of a direct ping: learned, capped, scaled by local health.
    fn ping_timeout(&mut self, member: MemberIdx) -> Duration {
        let cap = self.config.probe_timeout;
        let learned = match self.config.mechanisms.learned_timeout {
            true => self.table.rtt(member).timeout(cap),
            false => cap,
        };
        match self.config.mechanisms.scaled_timeout {
            true => tuning::scaled(learned, self.health.score()),
            false => learned,
        }
    }

    /// How long relays have, the same on every node.
    pub(super) fn indirect_timeout(&self) -> Duration {
        let timeout = self.config.probe_timeout;
        match self.config.mechanisms.early_suspicion {
            true => timeout / 2,
            false => (self.config.probe_interval - timeout).max(timeout / 2),
        }
    }

    /// How long this node waits for relays of a probe.
    fn indirect_wait(&mut self, member: MemberIdx) -> Duration {
        let health = self.health.score();
        match self.config.mechanisms.early_suspicion {
            true => tuning::scaled(self.indirect_timeout(), health),
            false => {
                let period = tuning::scaled(self.config.probe_interval, health);
                period.saturating_sub(self.ping_timeout(member)).max(self.indirect_timeout())
            }
        }
    }

    fn open_probe(&mut self, member: MemberIdx, now: Time, timer: TimerKey) -> u64 {
        self.stats.probes += 1;
        if let Some(record) = self.table.get_mut(member) {
            record.probed = true;
        }
        let seq = self.probes.next_seq();
        self.probes.open.push(Probe {
            member,
            seq,
            sent: now,
            stage: Stage::Direct,
            measurable: true,
            relays: [member; MAX_RELAYS],
            asked: 0,
            answered: 0,
            timer,
        });
        seq
    }

    /// The round robin came back to a member whose probe is still open: ask again under the same
    /// `seq`; its deadline stays, else a dead member would never reach it.
    fn repeat_ping<O: Output<P>>(&mut self, open: usize, out: &mut O) {
        let probe = &mut self.probes.open[open];
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
        if self.config.fanout < 2 {
            return;
        }
        let accused = self.table.state(member) != Some(MemberState::Alive);
        let evidence = self.config.fanout > 2;
        let mut first = (accused && self.config.mechanisms.buddy).then(|| self.rumor(member, 0));
        if let Some(rumor) = first.as_mut().filter(|_| !evidence) {
            // Who accuses it is of no matter to the suspect.
            rumor.accusers = Accusers::default();
        }
        self.piggyback(first, to, evidence, out);
    }

    /// Sends what waits to be told along with a probe message.
    pub(super) fn piggyback<O: Output<P>>(
        &mut self,
        first: Option<super::message::Rumor>,
        to: Dest<P::Address>,
        evidence: bool,
        out: &mut O,
    ) {
        let used = wire_size::PROBE + self.table.profile(self.table.me).wire_len(false);
        let room = self.room_beside(used, evidence);
        self.fill(first, self.config.max_piggyback, room);
        self.send_rumors(to, out);
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
                let reported = self.table.get(member).is_some_and(|record| !record.probed);
                let reported = reported && self.departure.is_none() && member != self.table.me;
                if !reported || !self.table.is_live(member) {
                    return;
                }
                // Due already: nobody is told of this timer.
                let timer = self.deadlines.arm(Timer::Probe(member), now);
                self.open_probe(member, now, timer);
                self.probes.open.len() - 1
            }
        };
        self.deadlines.cancel(self.probes.open[open].timer);
        match self.probes.open[open].stage {
            Stage::Direct => self.probe_indirectly(now, open, out),
            Stage::Indirect => self.probe_failed(now, open, out),
        }
    }

    /// The member did not answer itself: ask relays, and by stream.
    fn probe_indirectly<O: Output<P>>(&mut self, now: Time, open: usize, out: &mut O) {
        let (member, seq) = (self.probes.open[open].member, self.probes.open[open].seq);
        let mut relays = std::mem::take(&mut self.targets);
        let alive = |engine: &Self, candidate| {
            candidate != member && engine.table.state(candidate) == Some(MemberState::Alive)
        };
        self.sample(self.config.indirect_probes, &mut relays, alive);
        for &relay in &relays {
            self.transmit(Dest::Member(relay), Message::PingReq { seq, target: Some(member) }, out);
        }
        let by_stream = self.config.mechanisms.stream_ping;
        if by_stream {
            self.stats.messages_sent += 1;
            let ping = Message::Ping { seq };
            out.send_by_stream(&self.table.profiles, Dest::Member(member), ping);
        }
        let probe = &mut self.probes.open[open];
        probe.stage = Stage::Indirect;
        probe.asked = relays.len();
        probe.relays[..relays.len()].copy_from_slice(&relays);
        self.targets = relays;
        if self.probes.open[open].asked == 0 && !by_stream {
            self.probe_failed(now, open, out);
            return;
        }
        let wait = self.indirect_wait(member);
        self.probes.open[open].timer = self.arm(Timer::Probe(member), now, wait, out);
    }

    /// Nobody reached the member.
    fn probe_failed<O: Output<P>>(&mut self, now: Time, open: usize, out: &mut O) {
        let probe = self.probes.open.remove(open);
        self.stats.probes_failed += 1;
        let mechanisms = self.config.mechanisms;
        if mechanisms.local_health {
            let silent = probe.asked as u32 - probe.answered.count_ones();
            let silent = if mechanisms.nack { silent as u8 } else { 0 };
            self.health.worsen(silent + u8::from(!mechanisms.absolve));
        }
        self.accuse_or_raise(now, probe.member, out);
    }

    fn accuse_or_raise<O: Output<P>>(&mut self, now: Time, member: MemberIdx, out: &mut O) {
        self.end_vouch(member);
        match self.table.state(member) {
            Some(MemberState::Alive) => {
                let me = self.table.me;
                let accusers = Accusers::one(me, self.health.score());
                let cause = Cause { by: Some(me), reason: Reason::ProbeFailed };
                self.raise(now, member, accusers, Accusers::default(), cause, out);
                self.enqueue(now, member, Some(0), false, out);
            }
            Some(MemberState::Suspect) => self.accuse(now, member, out),
            _ => {}
        }
    }

    /// An answer. Only one to an open probe, naming the member that was probed, counts.
    pub(super) fn hear_ack<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        seq: u64,
        member: Option<MemberIdx>,
        out: &mut O,
    ) {
        let Some(member) = member else { return };
        let Some(open) = self.probes.by_seq(seq) else {
            self.relay_ack(now, source, seq, member, out);
            return;
        };
        if self.probes.open[open].member != member {
            return;
        }
        let probe = self.probes.open.remove(open);
        self.deadlines.cancel(probe.timer);
        if self.config.mechanisms.local_health {
            self.health.improve();
        }
        if probe.measurable {
            self.measure(source, member, now.since(probe.sent));
        }
        self.vouch(now, member, out);
    }

    /// Takes in a round trip, if the member answered itself from where it lives.
    pub(super) fn measure(
        &mut self,
        source: &Source<P::Address>,
        member: MemberIdx,
        round_trip: Duration,
    ) {
        if self.table.get(member).is_some() && source.address == self.table.address(member) {
            self.stats.round_trips += 1;
            self.table.rtt(member).sample(round_trip);
        }
    }

    /// A relay says that it has no answer, so this node can hear: it need not doubt itself.
    pub(super) fn hear_nack(&mut self, seq: u64, relay: Option<MemberIdx>) {
        let Some(open) = self.probes.by_seq(seq) else { return };
        let probe = &mut self.probes.open[open];
        let asked = &probe.relays[..probe.asked];
        if let Some(at) = asked.iter().position(|&held| Some(held) == relay) {
            probe.answered |= 1 << at;
        }
    }

    /// Gives up all probes: this node leaves.
    pub(super) fn close_probes(&mut self) {
        for probe in self.probes.open.drain(..) {
            self.deadlines.cancel(probe.timer);
        }
    }

    /// Gives up probes of a member that is gone.
    pub(super) fn close_probes_of(&mut self, member: MemberIdx) {
        while let Some(open) = self.probes.of(member) {
            let probe = self.probes.open.remove(open);
            self.deadlines.cancel(probe.timer);
        }
        self.close_relays_to(member);
    }
}

//! The state machine: members by index, time and randomness from outside, effects through a sink.
//!
//! One mechanism, one file. [`Engine::handle_message`] and the timers are the ways in;
//! `membership::apply` is the one door through which a record changes.

mod accusation;
mod archive;
mod broadcast_queue;
mod causality;
mod coordinate;
mod correction;
mod deadlines;
mod degraded;
mod departure;
mod dissemination;
mod fetch;
#[cfg(feature = "model")]
mod fingerprint;
mod healing;
mod heap;
mod hearing;
mod join;
mod local_health;
mod look;
mod membership;
mod message;
mod moves;
mod notices;
mod open_probes;
mod output;
mod patience;
mod probe;
mod query;
mod recent;
mod refutation;
mod relay;
mod removal;
mod ring;
mod rtt;
mod sample;
mod spread;
mod streams;
mod suspicion;
mod sync;
mod table;
mod tempo;
mod view_hash;

use std::collections::BTreeMap;
use std::time::Duration;

pub use deadlines::Timer;
pub(crate) use message::MAX_ACCUSERS;
pub use message::{
    Accusers, Answer, Dest, DigestRef, Incoming, MemberIdx, Message, NoticeMessage, Outgoing,
    Removal, Response, Rumor, Source, Update,
};
pub use output::{Cause, Change, FailedProbe, Output, Profile, Reason};
pub(crate) use view_hash::mix;

use broadcast_queue::BroadcastQueue;
use coordinate::Coordinates;
use deadlines::{Deadlines, TimerKey};
use degraded::Paths;
use departure::Departure;
use healing::Healing;
use hearing::Hearing;
use join::Join;
use local_health::LocalHealth;
use membership::{Heard, Verdict};
use notices::Notices;
use open_probes::Probes;
use query::Queries;
use relay::Relays;
use streams::OnlyStreams;
use suspicion::Suspicions;
use table::Table;
use tempo::Tempo;

use crate::config::{Config, Timers};
use crate::member::{Incarnation, MemberState};
use crate::rng::SwimRng;
use crate::stats::Stats;
use crate::time::Time;

/// Corrections of senders with a wrong view, and digests for the forgotten, in one period.
const CORRECTIONS_PER_PERIOD: u32 = 64;
/// Members probed at once in one period because others hold them dead.
const HINTS_PER_PERIOD: u32 = 4;
/// Probes are numbered from below this: three bytes on the wire for a month.
const FIRST_SEQ: usize = 1 << 20;
/// No delay is zero: what is due now is due a little later.
const LEAST_DELAY: Duration = Duration::from_millis(1);

/// Timers of which there is one each.
#[derive(Debug, Default, Clone)]
struct SingleTimers {
    period: Option<TimerKey>,
    gossip: Option<TimerKey>,
    sync: Option<TimerKey>,
    healing: Option<TimerKey>,
}

/// SWIM with Lifeguard and what else [`Mechanisms`](crate::Mechanisms) names, for one node.
///
/// - In: [`handle_message`](Self::handle_message), [`handle_timeout`](Self::handle_timeout) or
///   [`handle_timer`](Self::handle_timer), [`join`](Self::join), [`leave`](Self::leave),
///   [`update_profile`](Self::update_profile), [`start_period`](Self::start_period),
///   [`start_sync`](Self::start_sync); for users [`send_notice`](Self::send_notice),
///   [`start_query`](Self::start_query), [`answer_query`](Self::answer_query) and
///   [`handle_notices`](Self::handle_notices). Each takes the time and the sink for its effects.
/// - Out: [`Output`]; [`next_timeout`](Self::next_timeout) says when to call again.
///
/// Late, early and repeated calls are harmless. Nothing allocates in steady state: while no member
/// joins, dies or is suspected and views agree.
#[derive(Debug)]
#[cfg_attr(feature = "model", derive(Clone))]
pub struct Engine<P: Profile> {
    config: Config,
    rng: SwimRng,
    table: Table<P>,
    deadlines: Deadlines,
    timers: SingleTimers,
    health: LocalHealth,
    tempo: Tempo,
    probes: Probes,
    relays: Relays<P::Address>,
    suspicions: Suspicions,
    tombstones: BTreeMap<MemberIdx, TimerKey>,
    removals: removal::Removals,
    queue: BroadcastQueue,
    notices: Notices<P::Body>,
    queries: Queries,
    healing: Healing<P::Address>,
    join: Join<P::Address>,
    departure: Option<Departure<P::Address>>,
    /// What another node of this name last said of itself, as a hash.
    twin: Option<P::Address>,
    moves: moves::Moves<P::Address>,
    /// The conflict reported last.
    conflict: Option<(MemberIdx, Incarnation)>,
    corrections: u32,
    /// Pings that still carry a hash of the view.
    checks: u8,
    /// Hints of others that may still be followed at once in this period.
    hints: u32,
    hearing: Hearing,
    paths: Paths,
    only_streams: OnlyStreams<P::Address>,
    /// Where they are switched on.
    coordinates: Option<Coordinates>,
    started: bool,
    /// How long the next digest exchange waits, at most the configured interval.
    sync_wait: Duration,
    stats: Stats,
    /// Scratch: the rumors of one message.
    rumors: Vec<Rumor>,
    /// Scratch: a sample of members.
    targets: Vec<MemberIdx>,
}

impl<P: Profile> Engine<P> {
    /// A node that knows nobody else. `me` is its own index; `seed` decides all randomness.
    pub fn new(config: Config, me: MemberIdx, profile: P, seed: u64) -> Self {
        let incarnation = u64::from(config.boot_epoch) << 32;
        let mut rng = SwimRng::new(seed);
        Self {
            table: Table::new(me, profile, incarnation),
            deadlines: Deadlines::new(),
            timers: SingleTimers::default(),
            health: LocalHealth::default(),
            tempo: Tempo::new(),
            probes: Probes::new(rng.below(FIRST_SEQ)),
            relays: Relays::new(),
            suspicions: Suspicions::default(),
            tombstones: BTreeMap::new(),
            removals: removal::Removals::default(),
            queue: BroadcastQueue::new(),
            notices: Notices::new(config.event_clock),
            queries: Queries::new(),
            healing: Healing::new(),
            join: Join::new(),
            departure: None,
            twin: None,
            moves: moves::Moves::default(),
            conflict: None,
            corrections: CORRECTIONS_PER_PERIOD,
            hints: HINTS_PER_PERIOD,
            checks: 0,
            hearing: Hearing::default(),
            paths: Paths::default(),
            only_streams: OnlyStreams::new(),
            coordinates: config.coordinates.then(|| Coordinates::new(seed)),
            started: false,
            sync_wait: Duration::MAX,
            stats: Stats::default(),
            rumors: Vec::new(),
            targets: Vec::new(),
            rng,
            config,
        }
    }

    /// Handles one message. Nothing that a peer sends makes this panic; what makes no sense is
    /// ignored and counted.
    pub fn handle_message<O: Output<P>>(
        &mut self,
        now: Time,
        source: Source<P::Address>,
        message: Incoming<'_, P>,
        out: &mut O,
    ) {
        self.start(now, out);
        self.stats.messages_received += 1;
        if source.member != Some(self.table.me) {
            self.hearing.hear(now, self.config.probe_interval);
        }
        match message {
            Message::Ping { seq } => self.hear_ping(&source, seq, out),
            Message::Ack { seq, member, coordinate } => {
                self.hear_ack(now, &source, (seq, coordinate), member, out);
            }
            Message::PingReq { seq, target } => {
                self.hear_ping_req(now, &source, seq, target, out);
            }
            Message::Nack { seq, relay } => self.hear_nack(now, &source, seq, relay),
            Message::Gossip(updates) => self.hear_gossip(now, &source, updates, out),
            Message::Sync(updates) => self.hear_sync(now, &source, updates, out),
            Message::SyncRequest => self.hear_sync_request(&source, out),
            Message::Digest(digest) => self.hear_digest(&source, digest, out),
            Message::Delta { updates, wanted } => {
                self.hear_delta(now, &source, updates, wanted, out);
            }
        }
    }

    /// Evidence about the `Gossip` that came just before from the same source: how old its
    /// updates are, and who accuses the suspects in it at which incarnation.
    pub fn handle_evidence<O: Output<P>>(
        &mut self,
        now: Time,
        source: Source<P::Address>,
        ages: impl Iterator<Item = (MemberIdx, u8)>,
        accusations: impl Iterator<Item = (MemberIdx, Incarnation, Accusers)>,
        out: &mut O,
    ) {
        self.start(now, out);
        for (member, age) in ages {
            self.hear_age(member, age.saturating_add(1));
        }
        for (member, incarnation, accusers) in accusations {
            let held = self.table.get(member).map(|record| record.incarnation);
            if held.is_some_and(|held| incarnation >= held) {
                self.hear_evidence(now, source.member, member, &accusers, out);
            }
        }
    }

    /// Fires every timer that is due at `now`.
    pub fn handle_timeout<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        self.start(now, out);
        // What firing arms anew waits for the next call, so this ends even at the end of time.
        let armed = self.deadlines.armed();
        while let Some(timer) = self.deadlines.pop_due(now, armed) {
            self.fire(now, timer, out);
        }
    }

    /// Fires one timer because the caller says so, whenever it was due.
    pub fn handle_timer<O: Output<P>>(&mut self, now: Time, timer: Timer, out: &mut O) {
        self.start(now, out);
        self.fire(now, timer, out);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is to be called next.
    pub fn next_timeout(&self) -> Option<Time> {
        self.deadlines.next()
    }

    fn fire<O: Output<P>>(&mut self, now: Time, timer: Timer, out: &mut O) {
        match timer {
            Timer::Period => {
                let taken = self.timers.period.take();
                if self.disarm(taken) {
                    self.start_period(now, out);
                    let delay = self.probe_interval();
                    self.timers.period = Some(self.arm(Timer::Period, now, delay, out));
                }
            }
            Timer::Gossip => {
                let taken = self.timers.gossip.take();
                if self.disarm(taken) {
                    self.gossip_round(now, out);
                }
            }
            Timer::Sync => {
                let taken = self.timers.sync.take();
                if self.disarm(taken) {
                    self.start_sync(now, out);
                    self.arm_sync(now, out);
                }
            }
            Timer::Spread => self.spread_timed_out(now, out),
            Timer::Fetch => self.fetch_timed_out(now, out),
            Timer::HeldBack => self.held_timed_out(now, out),
            Timer::Healing => {
                let taken = self.timers.healing.take();
                if self.disarm(taken) {
                    self.healing_round(now, out);
                }
            }
            Timer::Join => self.join_timed_out(now, out),
            Timer::Leave => self.departure_over(),
            Timer::Probe(member) => self.probe_timed_out(now, member, out),
            Timer::PingAgain(member) => self.ping_again(now, member, out),
            Timer::Suspicion(member) => self.expire(now, member, out),
            Timer::Verify(member) => self.look(now, member, out),
            Timer::Vouch(member) => self.end_vouch(member),
            Timer::Cleanup(member) => self.forget(member, out),
            Timer::Relay(seq) => self.relay_timed_out(now, seq, out),
        }
    }

    /// Arms the periodic timers at the first call of any kind.
    fn start<O: Output<P>>(&mut self, now: Time, out: &mut O) {
        if std::mem::replace(&mut self.started, true) {
            return;
        }
        if self.config.timers == Timers::Owned {
            let delay = self.config.probe_interval.mul_f64(self.rng.unit());
            self.timers.period = Some(self.arm(Timer::Period, now, delay, out));
        }
        self.arm_sync(now, out);
    }

    fn arm<O: Output<P>>(
        &mut self,
        timer: Timer,
        now: Time,
        delay: Duration,
        out: &mut O,
    ) -> TimerKey {
        let at = now + delay.max(LEAST_DELAY);
        out.timer_set(&self.table.profiles, timer, at);
        self.deadlines.arm(timer, at)
    }

    /// Takes a single timer's deadline back; says whether it was armed at all.
    fn disarm(&mut self, key: Option<TimerKey>) -> bool {
        key.inspect(|&key| self.deadlines.cancel(key)).is_some()
    }

    fn transmit<O: Output<P>>(&mut self, to: Dest<P::Address>, message: Outgoing<'_>, out: &mut O) {
        self.stats.messages_sent += 1;
        out.send(&self.table.profiles, to, message);
    }

    fn hear_gossip<O: Output<P>>(
        &mut self,
        now: Time,
        source: &Source<P::Address>,
        updates: &mut [Update<P>],
        out: &mut O,
    ) {
        let heard = Heard { source: *source, reason: Reason::Rumor, spread: true };
        let back = Dest::Address(source.address);
        for update in updates {
            let rumor = update.rumor;
            let verdict = self.apply(now, &heard, update, out);
            if verdict == Verdict::Known {
                self.heard_again(&rumor);
            }
            // Who leaves itself confirms no farewell: it may be gone before it passes that on.
            if self.departure.is_some() {
                continue;
            }
            let own = source.member == Some(rumor.member);
            if rumor.state == MemberState::Left && (own || self.left_by_stream(source, &rumor)) {
                // Its own farewell: it waits for somebody to have heard it.
                self.tell(self.rumor(rumor.member, 0), back, out);
            } else if own && verdict == Verdict::Stale {
                self.correct(rumor.member, back, out);
            }
        }
    }

    /// Changes what this node says of itself; tells at most `fanout` members at once, all by gossip.
    pub fn update_profile<O: Output<P>>(&mut self, now: Time, profile: P, out: &mut O) {
        self.start(now, out);
        if self.departure.is_none() {
            self.change_profile(profile, out);
            self.announce(now, out);
        }
    }

    /// Raises the incarnation for a new profile; nobody is told so far.
    fn change_profile<O: Output<P>>(&mut self, profile: P, out: &mut O) {
        let me = self.table.me;
        let incarnation = self.incarnation().saturating_add(1);
        let replaced = Some(self.table.set_profile(me, profile, incarnation));
        let change = Change {
            member: me,
            old: Some(MemberState::Alive),
            hidden: false,
            new: Some(MemberState::Alive),
            incarnation,
            cause: Cause { by: Some(me), reason: Reason::OwnWord },
        };
        out.changed(&mut self.table.profiles, change, replaced);
    }

    /// This node's own incarnation.
    pub fn incarnation(&self) -> Incarnation {
        self.table.get(self.table.me).map_or(0, |record| record.incarnation)
    }

    /// What is held of a member; `None` if it is not known.
    pub fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.table.state(member)
    }

    /// The incarnation that `state` is about.
    pub fn incarnation_of(&self, member: MemberIdx) -> Option<Incarnation> {
        self.table.get(member).map(|record| record.incarnation)
    }

    /// What travels with each member, by index; vacant indices hold the default.
    pub fn profiles(&self) -> &[P] {
        &self.table.profiles
    }

    /// Members held Alive, this node included unless it left. O(1).
    pub fn alive_count(&self) -> usize {
        self.table.alive()
    }

    /// Members held Alive or Suspect: the `n` of the formulas. O(1).
    pub fn live_count(&self) -> usize {
        self.table.n()
    }

    /// How long an unconfirmed suspicion lasts at a healthy node:
    /// `probe_timeout * suspicion_multiplier * max(1, log10 n)`.
    pub fn suspicion_timeout(&self) -> Duration {
        self.suspicion_max()
    }

    /// Local health (Lifeguard, section 4.1): 0 is healthy, 8 the worst.
    pub fn local_health(&self) -> u8 {
        self.health.score()
    }

    /// Updates waiting to be told.
    pub fn queue_len(&self) -> usize {
        self.queue.len()
    }

    /// Accusers of a suspect, as far as this node knows.
    pub fn accusers(&self, member: MemberIdx) -> Accusers {
        self.accusers_of(member)
    }

    /// Smoothed round trip to a member, if one was measured.
    pub fn round_trip(&mut self, member: MemberIdx) -> Option<Duration> {
        self.table.get(member)?;
        self.table.rtt(member).smoothed()
    }

    /// Hash of the view of live members: equal views have equal hashes.
    pub fn view_hash(&self) -> u64 {
        self.table.view.whole()
    }

    /// Counters.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

//! Our own engine in the simulator, in any configuration: what ships, plain SWIM, Lifeguard.

mod blocked;
mod letter;
mod mark;
mod push_pull;
mod setup;
mod sink;

use std::time::Duration;

use swim_core::{
    Accusers, Config, DigestRef, Engine, Incarnation, MemberIdx, MemberState, Message, Removal,
    Rumor, Source, Stamp, Stats, Time, Timer, Timers, Update,
};

pub use letter::{Item, Letter, NoticeItem};
pub use mark::Mark;
pub(crate) use setup::MECHANISMS;
pub use setup::Setup;

use crate::node::{Io, Node, Via};
use crate::size;
use blocked::Blocked;
use push_pull::PushPull;
use sink::Sink;

/// One node.
#[derive(Debug, Clone)]
pub struct SwimNode {
    engine: Engine<Mark>,
    me: MemberIdx,
    setup: Setup,
    /// What remains of a probe after its first stage.
    indirect: Duration,
    blocked: Blocked,
    push_pull: Option<PushPull>,
    /// Scratch: the updates of one message.
    updates: Vec<Update<Mark>>,
}

/// Boot epochs as real nodes have them: seconds of a year in which they were started.
fn epoch(member: MemberIdx, boot: u32) -> u32 {
    1_790_000_000 + member.0.wrapping_mul(7_919) % 30_000_000 + boot
}

fn incarnation(member: MemberIdx, boot: u32) -> Incarnation {
    u64::from(epoch(member, boot)) << 32
}

impl SwimNode {
    /// A node that knows nobody.
    pub fn new(setup: &Setup, me: MemberIdx, boot: u32, seed: u64) -> Self {
        let mut options = setup.options.clone();
        options.boot_epoch = epoch(me, boot);
        options.timers = Timers::Owned;
        options.envelope = size::ENVELOPE;
        let base = &options.gossip.base;
        let indirect = Duration::from_millis(base.probe_interval - base.probe_timeout);
        Self {
            engine: Engine::new(Config::from(options), me, Mark(false), seed),
            me,
            indirect,
            blocked: Blocked::default(),
            push_pull: setup.push_pull.map(|every| PushPull::new(every, seed)),
            setup: setup.clone(),
            updates: Vec::new(),
        }
    }

    /// The engine.
    pub fn engine(&self) -> &Engine<Mark> {
        &self.engine
    }

    /// From now on all of the engine's randomness comes from `seed`.
    pub fn reseed(&mut self, seed: u64) {
        self.engine.reseed(seed);
    }

    /// Its counters.
    pub fn stats(&self) -> &Stats {
        self.engine.stats()
    }

    /// One call of the engine, its effects as packets.
    fn drive(
        &mut self,
        answering: Option<MemberIdx>,
        io: &mut Io<Letter>,
        call: impl FnOnce(&mut Engine<Mark>, &mut Sink<'_>),
    ) {
        let budget = self.setup.options.datagram_budget;
        let mut sink = Sink::new(self.me, budget, io, &mut self.blocked);
        sink.answering = answering;
        sink.nack_delay = self.setup.nack_delay;
        call(&mut self.engine, &mut sink);
        sink.flush();
    }

    /// Hears the messages of one packet.
    fn hear(
        &mut self,
        now: Time,
        from: MemberIdx,
        letter: &Letter,
        out: &mut Sink<'_>,
        updates: &mut Vec<Update<Mark>>,
    ) {
        for item in &letter.items {
            // Whoever is known by its address is who it is.
            let member = self.engine.state(from).map(|_| from);
            let source = Source { member, address: from };
            let message = match item {
                Item::Ping { seq } => Message::Ping { seq: *seq },
                Item::Ack { seq, member } => {
                    Message::Ack { seq: *seq, member: *member, coordinate: None }
                }
                Item::PingReq { seq, target } => Message::PingReq { seq: *seq, target: *target },
                Item::Nack { seq, relay } => Message::Nack { seq: *seq, relay: *relay },
                Item::Gossip(at) => {
                    let rumors = &letter.rumors[at.clone()];
                    bare(rumors, &letter.marks[at.clone()], updates);
                    let gossip = Message::Gossip(&mut updates[..]);
                    self.engine.handle_message(now, source, gossip, out);
                    self.hear_evidence(now, source, rumors, out);
                    continue;
                }
                Item::Sync(at) => {
                    bare(&letter.rumors[at.clone()], &letter.marks[at.clone()], updates);
                    if self.setup.push_pull.is_some() {
                        let is_known = |member| self.engine.state(member).is_some();
                        push_pull::doubt_the_dead(updates, is_known);
                    }
                    Message::Sync(&mut updates[..])
                }
                Item::SyncRequest => Message::SyncRequest,
                Item::View(hash) => Message::Digest(DigestRef::View(*hash)),
                Item::Buckets(at) => {
                    Message::Digest(DigestRef::Buckets(&letter.hashes[at.clone()]))
                }
                Item::Versions { of, buckets, versions } => {
                    let buckets = &letter.words[buckets.clone()];
                    let versions = &letter.words[versions.clone()];
                    Message::Digest(DigestRef::Versions { of: *of, buckets, versions })
                }
                Item::Delta { updates: at, wanted } => {
                    bare(&letter.rumors[at.clone()], &letter.marks[at.clone()], updates);
                    let wanted = &letter.words[wanted.clone()];
                    Message::Delta { updates: &mut updates[..], wanted }
                }
                Item::Notice(item) => {
                    let message = letter.about_notices(item);
                    self.engine.handle_notices(now, source, message, out);
                    continue;
                }
            };
            self.engine.handle_message(now, source, message, out);
        }
    }

    /// The companion of a `Gossip`, if there is one: as the face sends it.
    fn hear_evidence(
        &mut self,
        now: Time,
        source: Source<MemberIdx>,
        rumors: &[Rumor],
        out: &mut Sink<'_>,
    ) {
        let aged = rumors.iter().any(|rumor| rumor.age.is_some_and(|age| age > 0));
        let forwarded =
            |rumor: &&Rumor| rumor.accusers.iter().any(|(accuser, _)| accuser != source.address);
        if !aged && !rumors.iter().any(|rumor| forwarded(&rumor)) {
            return;
        }
        let ages = rumors.iter().filter(|_| aged).map(|r| (r.member, r.age.unwrap_or(0)));
        let known: Vec<(MemberIdx, Incarnation, Accusers)> = rumors
            .iter()
            .filter(forwarded)
            .map(|rumor| (rumor.member, rumor.incarnation, self.known_among(&rumor.accusers)))
            .filter(|(_, _, accusers)| !accusers.is_empty())
            .collect();
        self.engine.handle_evidence(now, source, ages, known.into_iter(), out);
    }

    fn known_among(&self, accusers: &Accusers) -> Accusers {
        let mut known = Accusers::default();
        for (accuser, health) in accusers.iter() {
            if self.engine.state(accuser).is_some() {
                known.insert(accuser, health);
            }
        }
        known
    }
}

/// Updates as they arrive: ages and accusers come apart, or not at all.
fn bare(rumors: &[Rumor], marks: &[Mark], updates: &mut Vec<Update<Mark>>) {
    updates.clear();
    updates.extend(rumors.iter().zip(marks).map(|(rumor, mark)| Update {
        rumor: Rumor { age: None, accusers: Accusers::default(), ..*rumor },
        profile: rumor.with_profile.then_some(*mark),
    }));
}

impl Node for SwimNode {
    type Packet = Letter;

    fn next_timeout(&self) -> Option<Time> {
        if self.blocked.is_active() {
            return self.blocked.next();
        }
        let push_pull = self.push_pull.as_ref().map(PushPull::next);
        self.engine.next_timeout().into_iter().chain(push_pull).min()
    }

    fn handle_timeout(&mut self, now: Time, io: &mut Io<Letter>) {
        if self.blocked.is_active() {
            while let Some(timer) = self.blocked.pop_due(now) {
                self.drive(None, io, |engine, out| engine.handle_timer(now, timer, out));
            }
            return;
        }
        self.blocked.forget_before(now);
        self.drive(None, io, |engine, out| engine.handle_timeout(now, out));
        self.start_push_pull(now, io);
    }

    fn handle_packet(
        &mut self,
        now: Time,
        from: MemberIdx,
        via: Via,
        packet: &mut Letter,
        io: &mut Io<Letter>,
    ) {
        let mut updates = std::mem::take(&mut self.updates);
        let mut blocked = std::mem::take(&mut self.blocked);
        let mut sink = Sink::new(self.me, self.setup.options.datagram_budget, io, &mut blocked);
        sink.answering = (via == Via::Stream).then_some(from);
        sink.nack_delay = self.setup.nack_delay;
        self.hear(now, from, packet, &mut sink, &mut updates);
        sink.flush();
        self.blocked = blocked;
        self.updates = updates;
    }

    fn preload(&mut self, now: Time, members: &[(MemberIdx, u32)], io: &mut Io<Letter>) {
        let alive = |&(member, boot): &(MemberIdx, u32)| {
            let (state, incarnation) = (MemberState::Alive, incarnation(member, boot));
            let (age, accusers) = (None, Accusers::default());
            let removal = Removal::No;
            let rumor =
                Rumor { member, state, incarnation, age, with_profile: true, accusers, removal };
            Update { rumor, profile: Some(Mark(false)) }
        };
        let me = self.me;
        let Some(other) = members.iter().map(|(member, _)| *member).find(|m| *m != me) else {
            return;
        };
        let others = members.iter().filter(|(member, _)| *member != me);
        let mut updates: Vec<Update<Mark>> = others.map(alive).collect();
        let sent = io.sent.len();
        // As the answer to a join: nobody is told what all know.
        self.drive(None, io, |engine, out| {
            engine.join(now, &[other], out);
            let source = Source { member: None, address: other };
            engine.handle_message(now, source, Message::Sync(&mut updates[..]), out);
        });
        io.sent.truncate(sent);
        io.changes.clear();
    }

    fn join(&mut self, now: Time, seeds: &[MemberIdx], io: &mut Io<Letter>) {
        self.drive(None, io, |engine, out| engine.join(now, seeds, out));
    }

    fn leave(&mut self, now: Time, io: &mut Io<Letter>) {
        self.drive(None, io, |engine, out| engine.leave(now, out));
    }

    fn tell(&mut self, now: Time, bytes: u32, io: &mut Io<Letter>) -> Option<Stamp> {
        let mut told = None;
        self.drive(None, io, |engine, out| told = engine.send_notice(now, bytes, out).ok());
        told
    }

    fn exchange(&mut self, now: Time, with: MemberIdx, io: &mut Io<Letter>) {
        if self.push_pull.is_some() {
            return self.push_pull_with(now, with, io);
        }
        if !self.setup.options.mechanisms.anti_entropy {
            return;
        }
        let first = io.sent.len();
        self.drive(None, io, |engine, out| engine.start_sync(now, out));
        // The engine picks somebody at random.
        io.sent[first..].iter_mut().for_each(|sent| sent.to = with);
    }

    fn state(&self, member: MemberIdx) -> Option<MemberState> {
        self.engine.state(member)
    }

    fn live_count(&self) -> usize {
        self.engine.live_count()
    }

    fn queue_len(&self) -> usize {
        self.engine.queue_len()
    }

    fn view_hash(&self) -> u64 {
        self.engine.view_hash()
    }

    fn is_degraded(&self, member: MemberIdx) -> bool {
        self.engine.is_degraded(member)
    }

    fn block(&mut self) {
        self.blocked.set_active(true);
    }

    fn unblock(&mut self, now: Time, _: Time, io: &mut Io<Letter>) {
        self.blocked.set_active(false);
        for member in self.blocked.failed_probes(now, self.indirect) {
            // Both of its stages have passed.
            for _ in 0..2 {
                let timer = Timer::Probe(member);
                self.drive(None, io, |engine, out| engine.handle_timer(now, timer, out));
            }
        }
    }
}

//! The hot operations, each ready to be run again and again: what it does is counted, in
//! instructions (`benches/instructions.rs`) and in allocations (`tests/`); what sets it up is not.
#![allow(dead_code, reason = "each target counts its part")]

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::time::Duration;

use swim_benches::datagram::Swim;
use swim_benches::engine::{Counting, claim, drain, knowing, source};
use swim_benches::{Bed, Dice, Node as _};
use swim_core::{
    AdvancedGossipConfig, Config, Coordinate, Dest, DigestRef, Engine, MemberIdx, Message, Options,
    Outgoing, Output, Time, Timer, Timers, Update,
};
use swim_wire::{Codec as _, ProtobufCodec};

/// One operation with its state. What [`Bed`] does is timed there; here each call is counted whole.
pub(crate) type Operation = Box<dyn FnMut()>;

/// Updates beside a ping.
const UPDATES: usize = 8;

/// Remembers whom the engine asked last.
#[derive(Default)]
pub(crate) struct Sent {
    /// Whom it pinged, and under which number.
    pub(crate) ping: Option<(MemberIdx, u64)>,
    /// Whom it asked to ping, and under which number.
    pub(crate) relays: [Option<(MemberIdx, u64)>; 3],
    /// Messages.
    pub(crate) messages: u64,
}

impl Output<()> for Sent {
    fn send(&mut self, _: &[()], to: Dest<MemberIdx>, message: Outgoing<'_>) {
        self.messages += 1;
        let Dest::Member(member) = to else { return };
        match message {
            Message::Ping { seq } => self.ping = Some((member, seq)),
            Message::PingReq { seq, .. } => {
                self.relays.rotate_left(1);
                self.relays[2] = Some((member, seq));
            }
            _ => _ = black_box(&message),
        }
    }

    fn changed(&mut self, _: &mut [()], _: swim_core::Change, _: Option<()>) {}
}

/// An engine that learned `members` from the answer to its join and has nothing to tell.
pub(crate) fn joined(members: RangeInclusive<usize>, options: Options) -> Engine<()> {
    let mut engine = Engine::new(Config::from(options), MemberIdx(0), (), 7);
    let (mut view, mut out) = (view(members), Counting::default());
    engine.join(Time::ZERO, &[MemberIdx(1)], &mut out);
    engine.handle_message(Time::ZERO, source(1), Message::Sync(&mut view[..]), &mut out);
    drain(&mut engine);
    engine
}

/// A whole view, as an engine hears it.
pub(crate) fn view(members: RangeInclusive<usize>) -> Vec<Update<()>> {
    members.map(|member| claim(member, 0)).collect()
}

/// Tells the engine eight things and asks whether it is there.
fn ping_with(engine: &mut Engine<()>, updates: &mut [Update<()>], out: &mut Sent) {
    answered_ping(engine, out);
    engine.handle_message(Time::ZERO, source(2), Message::Gossip(updates), out);
}

fn answered_ping(engine: &mut Engine<()>, out: &mut Sent) {
    let sent = out.messages;
    engine.handle_message(Time::ZERO, source(2), Message::Ping { seq: 1 }, out);
    assert!(out.messages > sent);
}

/// A ping is acked.
pub(crate) fn ping(n: usize) -> Operation {
    let (mut engine, mut out) = (knowing(n), Sent::default());
    Box::new(move || answered_ping(&mut engine, &mut out))
}

/// A ping with eight updates that are known already.
pub(crate) fn ping_known(n: usize) -> Operation {
    let (mut engine, mut out, mut dice) = (knowing(n), Sent::default(), Dice::default());
    Box::new(move || {
        let mut updates: [_; UPDATES] = std::array::from_fn(|_| claim(dice.member(n), 0));
        ping_with(&mut engine, &mut updates, &mut out);
    })
}

/// A ping with eight updates that are news, about a few members again and again: as many as there
/// are wait to be told, and some of them go out with each ack.
pub(crate) fn ping_fresh(n: usize) -> Operation {
    let (mut engine, mut out, mut news) = (knowing(n), Sent::default(), 0);
    Box::new(move || {
        let mut updates: [_; UPDATES] = std::array::from_fn(|_| {
            news += 1;
            claim(talked_of(news as usize, n), news)
        });
        ping_with(&mut engine, &mut updates, &mut out);
    })
}

/// Few members of `n`, far from each other.
fn talked_of(news: usize, n: usize) -> usize {
    const FEW: usize = 64;
    1 + news % FEW * (n / FEW)
}

/// A protocol period: a ping, and its ack.
pub(crate) fn probe_acked(n: usize) -> Operation {
    probe(n, None)
}

/// The same where each ack carries a coordinate, as one in eight does; all others use the last one.
pub(crate) fn probe_located(n: usize) -> Operation {
    let mut probe = probe(n, Some(a_coordinate()));
    // The first makes room for all.
    probe();
    probe
}

/// Somebody's at another site.
pub(crate) fn a_coordinate() -> Coordinate {
    Coordinate::new([12_000, -7_000, 3_000], Duration::from_micros(400), 0.2)
}

fn probe(n: usize, coordinate: Option<Coordinate>) -> Operation {
    let (mut engine, mut out) = (knowing(n), Sent::default());
    Box::new(move || {
        engine.start_period(Time::ZERO, &mut out);
        let (member, seq) = out.ping.take().expect("somebody is pinged");
        let ack = Message::Ack { seq, member: Some(member), coordinate };
        engine.handle_message(Time::ZERO, source(member.0 as usize), ack, &mut out);
    })
}

/// A protocol period whose ping nobody answers: relays are asked, say that they have no answer
/// either, and the member is suspected. For fewer times than there are members.
pub(crate) fn probe_failed(n: usize) -> Operation {
    let (mut engine, mut out) = (joined(1..=n, Options::default()), Sent::default());
    let (mut start, mut times) = (Time::ZERO, 0);
    Box::new(move || {
        let after = |millis| start + Duration::from_millis(millis);
        engine.start_period(start, &mut out);
        let (member, _) = out.ping.expect("somebody is pinged");
        engine.handle_timer(after(300), Timer::Probe(member), &mut out);
        for (relay, seq) in out.relays.into_iter().flatten() {
            let nack = Message::Nack { seq, relay: Some(relay) };
            engine.handle_message(after(700), source(relay.0 as usize), nack, &mut out);
        }
        engine.handle_timer(after(900), Timer::Probe(member), &mut out);
        start = after(1_000);
        times += 1;
        assert_eq!(engine.stats().suspicions, times);
    })
}

/// A gossip round while eight updates wait, which go on waiting. For at most 1,300 times.
pub(crate) fn gossip_round(n: usize) -> Operation {
    let gossip = AdvancedGossipConfig { retransmit_mult: 1_000, ..Default::default() };
    let mut engine = joined(1..=n, Options { gossip, timers: Timers::Named, ..Options::default() });
    let mut out = Sent::default();
    let mut news: [_; UPDATES] = std::array::from_fn(|i| claim(talked_of(i, n), 1));
    let gossip = Message::Gossip(&mut news[..]);
    engine.handle_message(Time::ZERO, source(2), gossip, &mut out);
    Box::new(move || {
        engine.handle_timer(Time::ZERO, Timer::Gossip, &mut out);
        assert_eq!(engine.queue_len(), UPDATES);
    })
}

/// A digest of a view that is the same as this one.
pub(crate) fn equal_digest(n: usize) -> Operation {
    let (mut engine, mut out) = (knowing(n), Sent::default());
    let hash = engine.view_hash();
    Box::new(move || {
        let digest = Message::Digest(DigestRef::View(hash));
        engine.handle_message(Time::ZERO, source(2), digest, &mut out);
        assert_eq!(out.messages, 0);
    })
}

/// A new engine learns `n` members from the answer to its join. Once.
pub(crate) fn learn_in_the_engine(n: usize) -> Operation {
    let (mut view, mut out) = (view(1..=n), Counting::default());
    let mut engine = Engine::new(Config::from(Options::default()), MemberIdx(0), (), 7);
    engine.join(Time::ZERO, &[MemberIdx(1)], &mut out);
    Box::new(move || {
        engine.handle_message(Time::ZERO, source(1), Message::Sync(&mut view[..]), &mut out);
    })
}

/// The same at the face, by name. Once.
pub(crate) fn learn_at_the_face(n: usize) -> Operation {
    let (mut joiner, mut view) = (Swim::newcomer(n, true), Some(Swim::view(n)));
    Box::new(move || {
        joiner.learn(view.take().expect("once"));
        assert_eq!(joiner.protocol().cluster_size(), n + 1);
    })
}

/// A ping and `updates` updates of what is known, of members far from each other.
fn packet(node: &Swim, updates: usize, n: usize) -> Vec<u8> {
    let known: Vec<_> = (0..updates).map(|i| (1 + (i * 7_919) % n, 0)).collect();
    node.ping(2, &known)
}

/// A ping and `updates` updates to bytes.
pub(crate) fn encode(updates: usize) -> Operation {
    let mut node = Swim::newcomer(1, true);
    let packet = packet(&node, updates, 1_000);
    let decoded = node.decode(&packet);
    Box::new(move || assert_eq!(node.encode(&decoded), packet.len()))
}

/// The same from bytes, into a list that is kept.
pub(crate) fn decode(updates: usize) -> Operation {
    let codec = ProtobufCodec::new("swim").expect("a valid cluster name");
    let (packet, mut messages) = (packet(&Swim::newcomer(1, true), updates, 1_000), Vec::new());
    Box::new(move || {
        codec.decode(&packet, &mut messages).expect("our own packet");
    })
}

/// From the bytes of a ping with known updates to the bytes of the answer.
pub(crate) fn datagram_known(updates: usize, n: usize) -> Operation {
    let mut node = Bed::<Swim>::new(n).node;
    let packet = packet(&node, updates, n);
    Box::new(move || hear(&mut node, &packet, 0))
}

/// Likewise with eight updates that are news, as in [`ping_fresh`]. For at most
/// [`FRESH_PACKETS`] times.
pub(crate) fn datagram_fresh(n: usize) -> Operation {
    let mut node = Bed::<Swim>::new(n).node;
    let fresh = |news| (talked_of(news, n), news as u32);
    let packet =
        |i| node.ping(2, &(1..=UPDATES).map(|j| fresh(i * UPDATES + j)).collect::<Vec<_>>());
    let packets: Vec<_> = (0..FRESH_PACKETS).map(packet).collect();
    let mut packets = packets.into_iter();
    Box::new(move || hear(&mut node, &packets.next().expect("more packets"), UPDATES as u64))
}

/// How many packets with news there are.
pub(crate) const FRESH_PACKETS: usize = 200;

/// Hears a ping of member 2 with so much news, and answers it.
fn hear(node: &mut Swim, ping: &[u8], news: u64) {
    let (answered, learned) = (node.wire().datagrams, node.protocol().stats().updates_learned);
    node.hear(2, ping);
    assert_eq!(node.wire().datagrams, answered + 1);
    assert_eq!(node.protocol().stats().updates_learned, learned + news);
}

//! The hot operations, each ready to be run again and again: what it does is counted, in
//! instructions (`benches/instructions.rs`) and in allocations (`tests/`); what sets it up is not.
#![allow(dead_code, reason = "each target counts its part")]

use std::hint::black_box;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::BytesMut;
use swim_benches::engine::{Counting, claim, drain, knowing, source};
use swim_benches::face::{alive, protocol};
use swim_benches::{address, name};
use swim_core::{
    AdvancedGossipConfig, Config, Dest, DigestRef, Engine, GossipAction, GossipConfig,
    GossipMessage, GossipProtocol, MemberId, MemberIdx, MemberUpdate, Message, Options, Outgoing,
    Output, Time, Timer, Timers, Update,
};
use swim_wire::{Codec as _, ProtobufCodec};

/// One operation with its state.
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

/// Members in an order without pattern.
struct Pick(u32);

impl Pick {
    fn next(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        1 + (self.0 >> 8) as usize % n
    }
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
    engine.handle_message(Time::ZERO, source(2), Message::Ping { seq: 1 }, out);
    engine.handle_message(Time::ZERO, source(2), Message::Gossip(updates), out);
}

/// A ping is acked.
pub(crate) fn ping(n: usize) -> Operation {
    let (mut engine, mut out) = (knowing(n), Sent::default());
    Box::new(move || {
        engine.handle_message(Time::ZERO, source(2), Message::Ping { seq: 1 }, &mut out);
    })
}

/// A ping with eight updates that are known already.
pub(crate) fn ping_known(n: usize) -> Operation {
    let (mut engine, mut out, mut pick) = (knowing(n), Sent::default(), Pick(1));
    Box::new(move || {
        let mut updates: [_; UPDATES] = std::array::from_fn(|_| claim(pick.next(n), 0));
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
    let (mut engine, mut out) = (knowing(n), Sent::default());
    Box::new(move || {
        engine.start_period(Time::ZERO, &mut out);
        let (member, seq) = out.ping.take().expect("somebody is pinged");
        let ack = Message::Ack { seq, member: Some(member) };
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
    let mut joiner =
        GossipProtocol::new(MemberId(name(n + 1)), address(n + 1), GossipConfig::default());
    let request = joiner.bootstrap(vec![address(1)]);
    let mut known = protocol(n).0;
    let answers = sent(request).flat_map(|message| known.handle_message(address(n + 1), message));
    let mut answers: Vec<_> = sent(answers.collect()).collect();
    Box::new(move || {
        for message in answers.drain(..) {
            black_box(joiner.handle_message(address(1), message));
        }
        assert_eq!(joiner.cluster_size(), n + 2);
    })
}

fn sent(actions: Vec<GossipAction>) -> impl Iterator<Item = GossipMessage> {
    actions.into_iter().filter_map(|action| match action {
        GossipAction::Send { message, .. } => Some(message),
        _ => None,
    })
}

fn codec() -> ProtobufCodec {
    ProtobufCodec::new("swim").expect("a valid cluster name")
}

/// A ping, and news if there is any.
fn messages(news: Vec<MemberUpdate>) -> Vec<GossipMessage> {
    let ping = GossipMessage::Ping { seq: 77, from: MemberId(name(2)) };
    let gossip = (!news.is_empty()).then_some(GossipMessage::Gossip { updates: news });
    [ping].into_iter().chain(gossip).collect()
}

fn packet(codec: &ProtobufCodec, news: Vec<MemberUpdate>) -> BytesMut {
    let mut packet = BytesMut::new();
    codec.start(&mut packet);
    messages(news).iter().for_each(|message| codec.append(message, &mut packet));
    packet
}

/// Members in an order without pattern, as they are known.
fn known(updates: usize, n: usize) -> Vec<MemberUpdate> {
    (0..updates).map(|i| alive(1 + (i * 7_919) % n, 0)).collect()
}

/// A ping and `updates` updates to bytes.
pub(crate) fn encode(updates: usize) -> Operation {
    let (codec, messages, mut packet) = (codec(), messages(known(updates, 1_000)), BytesMut::new());
    Box::new(move || {
        codec.start(&mut packet);
        messages.iter().for_each(|message| codec.append(message, &mut packet));
    })
}

/// The same from bytes.
pub(crate) fn decode(updates: usize) -> Operation {
    let (codec, mut messages) = (codec(), Vec::new());
    let packet = packet(&codec, known(updates, 1_000));
    Box::new(move || {
        codec.decode(&packet, &mut messages).expect("our own packet");
    })
}

/// From the bytes of a ping with known updates to the bytes of the answer.
pub(crate) fn datagram_known(updates: usize, n: usize) -> Operation {
    let mut node = Node::new(n);
    let packet = packet(&node.codec, known(updates, n));
    Box::new(move || node.answer(&packet))
}

/// Likewise with eight updates that are news, as in [`ping_fresh`]. For at most
/// [`FRESH_PACKETS`] times.
pub(crate) fn datagram_fresh(n: usize) -> Operation {
    let mut node = Node::new(n);
    let fresh = |news| alive(talked_of(news, n), news as u32);
    let packets: Vec<_> = (0..FRESH_PACKETS)
        .map(|i| packet(&node.codec, (1..=UPDATES).map(|j| fresh(i * UPDATES + j)).collect()))
        .collect();
    let mut packets = packets.into_iter();
    Box::new(move || node.answer(&packets.next().expect("more packets")))
}

/// How many packets with news there are.
pub(crate) const FRESH_PACKETS: usize = 200;

/// What answers a datagram.
struct Node {
    codec: ProtobufCodec,
    protocol: GossipProtocol,
    messages: Vec<GossipMessage>,
    out: BytesMut,
}

impl Node {
    fn new(n: usize) -> Self {
        Self { codec: codec(), protocol: protocol(n).0, messages: Vec::new(), out: BytesMut::new() }
    }

    fn answer(&mut self, packet: &[u8]) {
        self.codec.decode(packet, &mut self.messages).expect("our own packet");
        self.codec.start(&mut self.out);
        for message in self.messages.drain(..) {
            for action in self.protocol.handle_message(address(2), message) {
                if let GossipAction::Send { message, .. } = action {
                    self.codec.append(&message, &mut self.out);
                }
            }
        }
    }
}

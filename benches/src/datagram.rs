//! Ours as a [`Node`]: decode, face, engine, encode, as the agent does it, without its sockets,
//! counters and snapshots.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use swim_core::{GossipAction, GossipMessage, GossipProtocol, MemberId};
use swim_wire::{Codec as _, ProtobufCodec};

use crate::face::{self, BenchClock};
use crate::{News, Node, Wire, address, name, node_at};

/// Most bytes of a datagram.
const BUDGET: usize = 1_400;
/// A round trip in a data centre.
const ROUND_TRIP: Duration = Duration::from_micros(300);
/// When relays say that they have no answer, counted from the request: at 80 % of half the default
/// time-out.
const NACK: Duration = Duration::from_millis(200);

/// Probes are numbered from a random number below 2^20 on.
const SEQ: u64 = 1_000_000;

fn codec() -> ProtobufCodec {
    ProtobufCodec::new("swim").expect("a valid cluster name")
}

/// Bytes around the messages of a datagram.
pub(crate) fn envelope() -> usize {
    let mut packet = BytesMut::new();
    codec().start(&mut packet);
    packet.len()
}

/// What was asked of others last.
#[derive(Debug, Default)]
struct Asked {
    /// Who was pinged, and under which number.
    pinged: Option<(SocketAddr, u64)>,
    /// Which relays were asked, and under which number.
    relays: Vec<(SocketAddr, u64)>,
}

/// The way out: consecutive messages to one address share a datagram.
#[derive(Debug)]
struct Post {
    codec: ProtobufCodec,
    to: Option<SocketAddr>,
    packet: BytesMut,
    wire: Wire,
    asked: Asked,
}

impl Post {
    fn act(&mut self, actions: Vec<GossipAction>) {
        for action in actions {
            match action {
                GossipAction::Send { to, message } => self.pack(to, &message),
                GossipAction::SendByStream { to, message } => {
                    self.flush();
                    self.pack(to, &message);
                    self.flush();
                }
                other => drop(std::hint::black_box(other)),
            }
        }
    }

    fn pack(&mut self, to: SocketAddr, message: &GossipMessage) {
        match message {
            GossipMessage::Ping { seq, .. } => self.asked.pinged = Some((to, *seq)),
            GossipMessage::PingReq { seq, .. } => self.asked.relays.push((to, *seq)),
            _ => {}
        }
        if self.to != Some(to) || self.packet.len() + self.codec.encoded_len(message) > BUDGET {
            self.flush();
            self.codec.start(&mut self.packet);
            self.to = Some(to);
        }
        self.codec.append(message, &mut self.packet);
    }

    fn flush(&mut self) {
        if self.to.take().is_some() {
            self.wire.send(&self.packet);
        }
    }
}

/// One node of ours.
#[derive(Debug)]
pub struct Swim {
    protocol: GossipProtocol,
    clock: BenchClock,
    messages: Vec<GossipMessage>,
    post: Post,
    wake_ups: u64,
    /// When relays were asked last.
    relays_asked: Instant,
}

impl Swim {
    /// Node `me`, which knows nobody.
    pub fn alone(me: usize) -> Self {
        let clock = BenchClock::default();
        let relays_asked = clock.shown();
        let (packet, wire, asked) = Default::default();
        Self {
            protocol: face::newcomer(me, clock.clone()),
            clock,
            messages: Vec::new(),
            post: Post { codec: codec(), to: None, packet, wire, asked },
            wake_ups: 0,
            relays_asked,
        }
    }

    /// Two nodes with equal views of a cluster of `n`: node 0 and a member of its view.
    pub fn twins(n: usize) -> (Self, Self) {
        let (mut one, mut other) = (Self::alone(0), Self::alone(n));
        face::join(&mut one.protocol, 1, face::view(1..=n));
        face::join(&mut other.protocol, 0, face::view(0..n));
        assert_eq!(one.protocol.view_hash(), other.protocol.view_hash());
        (one, other)
    }

    /// A period that begins at once, whenever the next one is due.
    pub fn tick(&mut self) {
        let actions = self.protocol.tick();
        self.act(actions);
    }

    /// Compares views with a random member.
    pub fn start_sync(&mut self) {
        let actions = self.protocol.anti_entropy_sync();
        self.act(actions);
    }

    /// The face.
    pub fn protocol(&self) -> &GossipProtocol {
        &self.protocol
    }

    /// How often it was woken up so far for anything but a probe or a comparison of views.
    pub fn other_wake_ups(&self) -> u64 {
        let stats = self.protocol.stats();
        self.wake_ups - stats.probes - stats.syncs_started
    }

    /// A whole view as a packet on a stream.
    pub fn view_packet(n: usize) -> Vec<u8> {
        let (codec, mut packet) = (codec(), BytesMut::new());
        codec.start(&mut packet);
        codec.append(&face::view(1..=n), &mut packet);
        packet.to_vec()
    }

    fn act(&mut self, actions: Vec<GossipAction>) {
        self.post.act(actions);
        self.post.flush();
    }

    /// Sleeps until the next time-out and handles it.
    fn wake(&mut self) {
        let due = self.protocol.next_timeout().expect("a period is always due");
        self.clock.go_to(due);
        self.wake_ups += 1;
        let actions = self.protocol.handle_timeout(due);
        self.act(actions);
    }

    fn packet(&self, messages: &[GossipMessage]) -> Vec<u8> {
        let mut packet = BytesMut::new();
        self.post.codec.start(&mut packet);
        messages.iter().for_each(|message| self.post.codec.append(message, &mut packet));
        packet.to_vec()
    }

    fn asked(&self) -> (SocketAddr, u64) {
        self.post.asked.pinged.expect("somebody was pinged")
    }
}

impl Node for Swim {
    const NAME: &'static str = "ours";
    const VERSIONS: u32 = u32::MAX;
    type View = GossipMessage;
    type Decoded = Vec<GossipMessage>;

    fn view(n: usize) -> GossipMessage {
        face::view(1..=n)
    }

    fn newcomer(_: usize, joins: bool) -> Self {
        let mut node = Self::alone(0);
        if joins {
            node.protocol.bootstrap(vec![address(1)]);
        }
        node
    }

    fn learn(&mut self, view: GossipMessage) {
        let actions = self.protocol.handle_message(address(1), view);
        self.act(actions);
    }

    fn ping(&self, from: usize, news: &[News]) -> Vec<u8> {
        let mut messages = vec![GossipMessage::Ping { seq: SEQ, from: MemberId(name(from)) }];
        if !news.is_empty() {
            let updates = news.iter().map(|&(member, version)| face::alive(member, version));
            messages.push(GossipMessage::Gossip { updates: updates.collect() });
        }
        self.packet(&messages)
    }

    fn hear(&mut self, from: usize, datagram: &[u8]) {
        let mut messages = std::mem::take(&mut self.messages);
        self.post.codec.decode(datagram, &mut messages).expect("our own packet");
        // The agent looks whether it is a member's.
        std::hint::black_box(self.protocol.member_at(&address(from)));
        for message in messages.drain(..) {
            let actions = self.protocol.handle_message(address(from), message);
            self.post.act(actions);
        }
        self.post.flush();
        self.messages = messages;
    }

    fn start_probe(&mut self) {
        let probes = self.protocol.stats().probes;
        while self.protocol.stats().probes == probes {
            self.wake();
        }
    }

    fn pinged(&self) -> usize {
        node_at(self.asked().0)
    }

    fn ack(&mut self) -> Vec<u8> {
        self.clock.go_to(self.clock.shown() + ROUND_TRIP);
        let (member, seq) = self.asked();
        self.packet(&[GossipMessage::Ack { seq, from: MemberId(name(node_at(member))) }])
    }

    fn ask_relays(&mut self) {
        self.post.asked.relays.clear();
        while self.post.asked.relays.is_empty() {
            self.wake();
        }
        self.relays_asked = self.clock.shown();
        while self.protocol.next_timeout().is_some_and(|due| due < self.relays_asked + NACK) {
            self.wake();
        }
    }

    fn nacks(&mut self) -> Vec<(usize, Vec<u8>)> {
        self.clock.go_to(self.relays_asked + NACK);
        let nack = |(relay, seq)| {
            let relay = node_at(relay);
            let nack = GossipMessage::Nack { seq, from: MemberId(name(relay)) };
            (relay, self.packet(&[nack]))
        };
        self.post.asked.relays.iter().copied().map(nack).collect()
    }

    /// None: what else comes up, `start_probe` handles on its way.
    fn idle(&mut self) {}

    fn gossip(&mut self) {
        let actions = self.protocol.handle_timer("gossip");
        self.act(actions);
    }

    fn waiting(&self) -> usize {
        self.protocol.queue_len()
    }

    fn wake_ups(&self) -> u64 {
        self.wake_ups
    }

    fn wire(&self) -> &Wire {
        &self.post.wire
    }

    fn decode(&mut self, datagram: &[u8]) -> Vec<GossipMessage> {
        let mut messages = Vec::new();
        self.post.codec.decode(datagram, &mut messages).expect("our own packet");
        messages
    }

    fn encode(&mut self, messages: &Vec<GossipMessage>) -> usize {
        let Post { codec, packet, .. } = &mut self.post;
        codec.start(packet);
        messages.iter().for_each(|message| codec.append(message, packet));
        packet.len()
    }
}

#[cfg(test)]
mod tests {
    use swim_core::MemberState;

    use super::*;
    use crate::{Bed, Operation};

    #[test]
    fn nothing_to_say_is_no_reason_to_wake_up() {
        let mut bed = Bed::<Swim>::new(1_000);
        bed.run(Operation::IdleSecond, 600);
        assert_eq!(bed.node.other_wake_ups(), 0);
        assert!((600..660).contains(&bed.node.wake_ups()), "{}", bed.node.wake_ups());
    }

    #[test]
    fn a_failed_probe_asks_relays_and_ends_in_a_suspicion() {
        let mut bed = Bed::<Swim>::new(1_000);
        bed.run(Operation::Probe, 1_000);
        let mut node = bed.node;
        node.start_probe();
        let (suspect, sent) = (node.pinged(), node.wire().datagrams);
        node.ask_relays();
        assert_eq!(node.post.asked.relays.len(), 3);
        for (relay, nack) in node.nacks() {
            node.hear(relay, &nack);
        }
        node.start_probe();
        let held = node.protocol.member(&MemberId(name(suspect))).expect("known");
        assert_eq!((held.state, node.protocol.local_health()), (MemberState::Suspect, 0));
        assert_eq!(
            node.wire().datagrams - sent,
            6 + 3 + 1 + 1,
            "pings, requests, a stream, a ping"
        );
    }

    #[test]
    fn what_waits_rides_on_the_answer_to_a_ping() {
        let mut bed = Bed::<Swim>::new(1_000);
        let (from, ping) = bed.fresh_ping();
        bed.node.hear(from, &ping);
        let alone = bed.node.wire().last.len();
        assert_eq!(bed.node.waiting(), 8);
        let again = bed.node.ping(from, &[]);
        bed.node.hear(from, &again);
        assert!(bed.node.wire().last.len() > alone + 150);
    }

    #[test]
    fn fresh_updates_are_news_and_known_ones_are_not() {
        let mut bed = Bed::<Swim>::new(1_000);
        let learned = |bed: &Bed<Swim>| bed.node.protocol().stats().updates_learned;
        let before = learned(&bed);
        bed.run(Operation::PingKnown, 10);
        assert_eq!(learned(&bed), before);
        bed.run(Operation::PingFresh, 10);
        assert_eq!(learned(&bed), before + 80);
    }
}

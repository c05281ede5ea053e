//! A whole agent on a network in memory and on virtual time, among peers that say anything.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use swim_agent::keys::{Algorithm, Key, Keyring, Mode, Zeroizing};
use swim_agent::{Agent, Handle, Options, Query};
use swim_core::GossipMessage;
use swim_transport::{MemoryTransport, Network, Transport};
use swim_wire::seal::{Carrier, Seal};
use swim_wire::{Codec, ProtobufCodec, encode_frame_header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep, timeout};

use crate::choices::{NODES, addr, id, message, name};
use crate::source::Source;

/// Steps of one run; what is left of the bytes says nothing.
const STEPS: usize = 60;
/// How long an agent has for what takes no time.
const MOMENT: Duration = Duration::from_millis(1);
/// Answers to an address that nobody has proven (RFC 9000, section 8.1).
const FACTOR: u64 = 3;
/// Streams in a second to addresses that nobody has proven, and most bytes that each of them takes.
const STREAMS: u64 = 8;
const QUESTION: u64 = 128;

/// Who has which keys.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secrets {
    /// Nobody has any.
    None,
    /// All have the same.
    Shared,
    /// The peers have others than the agent, which requires its own.
    Foreign,
}

/// Sends an agent datagrams and streams, well-formed, damaged, sealed and open, and answers what it asks,
/// while time passes and its user wants things. It goes on; nobody who has not shown to live there gets more than
/// three times the bytes of the datagrams that came from there or named the place, and all together no more
/// than of all datagrams; and who has no key gets nothing.
pub fn agent(bytes: &[u8]) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(async {
        let mut source = Source::new(bytes);
        let mut scene = Scene::new(&mut source).await;
        for _ in 0..STEPS {
            if source.is_empty() {
                break;
            }
            scene.step(&mut source).await;
            sleep(MOMENT).await;
            scene.check().await;
        }
        scene.agent.shutdown().await;
    });
}

struct Scene {
    network: Network,
    agent: Handle,
    /// The first is the agent's, and stays empty.
    peers: Vec<Option<MemoryTransport>>,
    secrets: Secrets,
    seal: Seal,
    codec: ProtobufCodec,
    /// Who has answered the agent, was named on a stream, or asked to be joined: nothing is promised to them.
    shown: [bool; NODES],
    /// Bytes of the datagrams by which the one named the other.
    told: [[u64; NODES]; NODES],
    leaving: bool,
    began: Instant,
}

fn ring(first: u8) -> Keyring {
    let mut secret = [7; 32];
    secret[0] = first;
    let key = Key::new(Algorithm::Aes256Gcm, Zeroizing::new(secret));
    Keyring::new(key.expect("bytes that differ"))
}

impl Scene {
    async fn new(source: &mut Source<'_>) -> Self {
        let secrets = [Secrets::None, Secrets::Shared, Secrets::Foreign][source.below(3)];
        let network = Network::new();
        let bind = |node| network.bind(addr(node)).expect("a free address");
        let options = Options { seed: Some(1), boot_epoch: 1, ..Options::local() };
        let builder = Agent::builder().name(id(0).0).transport(bind(0)).options(options);
        let builder = match secrets {
            Secrets::None => builder,
            _ => builder.seal(ring(1), Mode::Require),
        };
        let agent = builder.spawn().await.expect("an agent");
        let theirs = ring(if secrets == Secrets::Foreign { 2 } else { 1 });
        let seal = Seal::new("swim", theirs, Mode::Require).expect("a valid name");
        let codec = ProtobufCodec::new("swim").expect("a valid name");
        let peers = (0..NODES).map(|node| (node > 0).then(|| bind(node))).collect();
        let (shown, told) = ([false; NODES], [[0; NODES]; NODES]);
        let (leaving, began) = (false, Instant::now());
        Self { network, agent, peers, secrets, seal, codec, shown, told, leaving, began }
    }

    async fn step(&mut self, source: &mut Source<'_>) {
        let node = 1 + source.below(NODES - 1);
        match source.below(16) {
            0..=5 => {
                let (packet, named) = self.packet(Carrier::Datagram, source);
                for other in named {
                    self.told[node][other] += packet.len() as u64;
                }
                // One that is too long for a datagram is none.
                let _ = self.peer(node).send_to(addr(0), &packet);
            }
            6..=8 => self.open_stream(node, source).await,
            9..=10 => self.answer(node, source).await,
            11..=13 => {
                let unit = [1, 100, 1_000][source.below(3)];
                sleep(Duration::from_millis(u64::from(source.byte()) * unit)).await;
            }
            _ => self.want(node, source).await,
        }
    }

    fn peer(&self, node: usize) -> &MemoryTransport {
        self.peers[node].as_ref().expect("a peer")
    }

    /// Junk, junk in an envelope, or messages; sealed, where that is the custom; sometimes damaged. And
    /// whom it names, whatever became of it.
    fn packet(&mut self, carrier: Carrier, source: &mut Source<'_>) -> (BytesMut, Vec<usize>) {
        let mut packet = BytesMut::new();
        let kind = source.byte();
        if kind & 15 > 0 {
            self.codec.start(&mut packet);
        }
        if kind & 15 < 3 {
            let len = usize::from(source.byte());
            packet.extend_from_slice(source.take(len));
        } else {
            let now = std::time::Instant::now();
            let messages = source.list(3, |source| message(source, now));
            for message in &messages {
                self.codec.append(message, &mut packet);
            }
        }
        let mut named = self.named(&packet);
        if self.secrets != Secrets::None && kind & 0x60 > 0 {
            self.seal.seal(carrier, &mut packet).expect("a session that is not worn out");
        }
        if kind >= 0xf0
            && let Some(byte) = source.pick(packet.len())
        {
            packet[byte] ^= source.byte();
            named.extend(self.named(&packet));
        }
        named.sort_unstable();
        named.dedup();
        (packet, named)
    }

    /// Where an open packet says that members live, also those that are gone before anybody looks.
    fn named(&self, packet: &[u8]) -> Vec<usize> {
        let mut messages = Vec::new();
        if self.secrets == Secrets::Foreign || self.codec.decode(packet, &mut messages).is_err() {
            return Vec::new();
        }
        let places = messages.iter().flat_map(|message| match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                updates.iter().filter_map(|update| update.address).collect()
            }
            GossipMessage::Sync { members } => members.iter().map(|it| it.address).collect(),
            _ => Vec::new(),
        });
        let places: Vec<SocketAddr> = places.collect();
        (0..NODES).filter(|&node| places.contains(&addr(node))).collect()
    }

    fn framed(&mut self, source: &mut Source<'_>) -> Vec<u8> {
        let (packet, named) = self.packet(Carrier::Stream, source);
        named.into_iter().for_each(|node| self.shown[node] = true);
        let mut framed = encode_frame_header(packet.len()).unwrap_or([0; 4]).to_vec();
        if source.below(8) == 7 {
            framed = source.take(4).to_vec();
            // A part of a packet may name anybody.
            self.shown.iter_mut().for_each(|shown| *shown |= self.secrets != Secrets::Foreign);
        }
        framed.extend_from_slice(&packet);
        framed
    }

    /// A stream of a peer's: its packet, and perhaps the answer is read.
    async fn open_stream(&mut self, node: usize, source: &mut Source<'_>) {
        let Ok(Ok(mut stream)) = timeout(MOMENT, self.peer(node).connect(addr(0))).await else {
            return;
        };
        let framed = self.framed(source);
        // The agent may have heard enough before all is written.
        let _ = timeout(MOMENT, stream.write_all(&framed)).await;
        if source.flag() {
            let mut answer = Vec::new();
            let _ = timeout(MOMENT, stream.read_to_end(&mut answer)).await;
        }
    }

    /// What the agent said by stream is answered, if it said anything; else what it asked by datagram.
    async fn answer(&mut self, node: usize, source: &mut Source<'_>) {
        let Ok(Ok((mut stream, _))) = timeout(MOMENT, self.peer(node).accept()).await else {
            return self.answer_pings(node).await;
        };
        for _ in 0..=source.below(3) {
            let framed = self.framed(source);
            let _ = timeout(MOMENT, stream.write_all(&framed)).await;
        }
    }

    /// A peer answers all pings that wait, by the name that it should have.
    async fn answer_pings(&mut self, node: usize) {
        let mut packet = BytesMut::new();
        while let Ok(Ok(_)) = timeout(MOMENT, self.peer(node).recv_from(&mut packet)).await {
            let mut messages = Vec::new();
            let sealed = self.secrets != Secrets::None;
            if sealed && let Ok(opened) = self.seal.open(Carrier::Datagram, &mut packet) {
                packet = opened.packet[..].into();
            }
            let _ = self.codec.decode(&packet, &mut messages);
            for message in messages {
                let GossipMessage::Ping { seq, .. } = message else { continue };
                let mut answer = BytesMut::new();
                self.codec.start(&mut answer);
                self.codec.append(&GossipMessage::Ack { seq, from: id(node) }, &mut answer);
                if sealed {
                    self.seal.seal(Carrier::Datagram, &mut answer).expect("a fresh session");
                }
                let _ = self.peer(node).send_to(addr(0), &answer);
                self.shown[node] = true;
            }
        }
    }

    /// What the agent's user wants. Nothing of it is waited for.
    async fn want(&mut self, node: usize, source: &mut Source<'_>) {
        let agent = self.agent.clone();
        let (wanted, text) = (source.below(10), "v".repeat(source.below(250)));
        let (other, prune) = (name(source).0, source.flag());
        self.shown[node] |= wanted == 3;
        self.leaving |= wanted == 9 && prune;
        let leaving = self.leaving;
        tokio::spawn(async move {
            match wanted {
                0 => drop(agent.update_metadata("k", text).await),
                1 => drop(agent.send_event("x", text).await),
                2 => drop(agent.query(Query::new("x")).await),
                3 => drop(agent.join(vec![addr(node).to_string()]).await),
                4 => drop(agent.force_leave(other, prune).await),
                5 => drop(agent.round_trip(id(1).0, other).await),
                6 => drop(agent.history(other).await),
                7 => drop(agent.contacts(vec![other]).await),
                8 => drop(agent.accusations(node).await),
                _ if leaving => drop(agent.leave().await),
                _ => drop(agent.missing(other).await),
            }
        });
    }

    async fn check(&mut self) {
        let told = self.agent.info().await;
        assert!(told.is_ok() || self.leaving, "the agent has ended");
        let members = self.agent.members();
        assert!(members.len() < 1_000, "more members than were ever named");
        let seconds = self.began.elapsed().as_secs() + 1;
        let (mut bytes, mut streams, mut heard) = (0, 0, 0);
        for node in 1..NODES {
            let there = self.network.traffic(addr(0), addr(node));
            let here = self.network.traffic(addr(node), addr(0));
            heard += here.bytes;
            let nothing = there.bytes + there.stream_bytes == 0 && members.len() == 1;
            let silent = self.secrets == Secrets::Foreign && !self.shown[node];
            assert!(!silent || nothing, "who has no key is heard");
            if self.has_shown(node) {
                continue;
            }
            bytes += there.bytes;
            streams += there.streams;
            let told = |by: &usize| self.told[*by][node] > 0;
            let about: u64 = here.bytes + (1..NODES).map(|by| self.told[by][node]).sum::<u64>();
            assert!(there.bytes <= FACTOR * about, "{there:?} for {here:?} and {about} in all");
            assert!(there.stream_bytes <= QUESTION * there.streams, "{there:?} by stream");
            let worth = (1..NODES).filter(told).any(|by| self.has_shown(by));
            assert!(worth || there.streams == 0, "a stream to where no member said anybody lives");
        }
        assert!(bytes <= FACTOR * heard, "{bytes} to who has shown nothing, for {heard}");
        assert!(streams <= STREAMS * seconds, "{streams} streams in {seconds} s");
    }

    /// Who opened a stream has proven to be there, too.
    fn has_shown(&self, node: usize) -> bool {
        self.shown[node] || self.network.traffic(addr(node), addr(0)).streams > 0
    }
}

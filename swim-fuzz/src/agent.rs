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
use tokio::time::{sleep, timeout};

use crate::choices::{NODES, addr, id, message, name};
use crate::source::Source;

/// Steps of one run; what is left of the bytes says nothing.
const STEPS: usize = 60;
/// How long an agent has for what takes no time.
const MOMENT: Duration = Duration::from_millis(1);
/// Answers to an address that nobody has proven (RFC 9000, section 8.1).
const FACTOR: u64 = 3;

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
/// while time passes and its user wants things. It goes on; nobody where no member lives gets more than
/// three times what it sent; and who has no key gets nothing.
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
    /// Where a member was said to live, or the agent was asked to join.
    named: [bool; NODES],
    leaving: bool,
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
        let named = [false; NODES];
        Self { network, agent, peers, secrets, seal, codec, named, leaving: false }
    }

    async fn step(&mut self, source: &mut Source<'_>) {
        let node = 1 + source.below(NODES - 1);
        match source.below(16) {
            0..=5 => {
                let packet = self.packet(Carrier::Datagram, source);
                // One that is too long for a datagram is none.
                let _ = self.peer(node).send_to(addr(0), &packet);
            }
            6..=8 => self.open_stream(node, source).await,
            9..=10 => self.answer_stream(node, source).await,
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

    /// Junk, junk in an envelope, or messages; sealed, where that is the custom; sometimes damaged.
    fn packet(&mut self, carrier: Carrier, source: &mut Source<'_>) -> BytesMut {
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
                self.note(message);
            }
        }
        if self.secrets != Secrets::None && kind & 0x60 > 0 {
            self.seal.seal(carrier, &mut packet).expect("a session that is not worn out");
        }
        if kind >= 0xf0
            && let Some(byte) = source.pick(packet.len())
        {
            packet[byte] ^= source.byte();
        }
        packet
    }

    /// Where members are said to live, also those that are gone before anybody looks.
    fn note(&mut self, message: &GossipMessage) {
        let named: Vec<SocketAddr> = match message {
            GossipMessage::Gossip { updates } | GossipMessage::Delta { updates, .. } => {
                updates.iter().filter_map(|update| update.address).collect()
            }
            GossipMessage::Sync { members } => members.iter().map(|it| it.address).collect(),
            _ => return,
        };
        for node in 0..NODES {
            self.named[node] |= self.secrets != Secrets::Foreign && named.contains(&addr(node));
        }
    }

    fn framed(&mut self, source: &mut Source<'_>) -> Vec<u8> {
        let packet = self.packet(Carrier::Stream, source);
        let mut framed = encode_frame_header(packet.len()).unwrap_or([0; 4]).to_vec();
        if source.below(8) == 7 {
            framed = source.take(4).to_vec();
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

    /// What the agent said by stream is answered, if it said anything.
    async fn answer_stream(&mut self, node: usize, source: &mut Source<'_>) {
        let Ok(Ok((mut stream, _))) = timeout(MOMENT, self.peer(node).accept()).await else {
            return;
        };
        for _ in 0..=source.below(3) {
            let framed = self.framed(source);
            let _ = timeout(MOMENT, stream.write_all(&framed)).await;
        }
    }

    /// What the agent's user wants. Nothing of it is waited for.
    async fn want(&mut self, node: usize, source: &mut Source<'_>) {
        let agent = self.agent.clone();
        let (wanted, text) = (source.below(10), "v".repeat(source.below(250)));
        let (other, prune) = (name(source).0, source.flag());
        self.named[node] |= wanted == 3;
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
        for node in (1..NODES).filter(|&node| !self.named[node]) {
            let there = self.network.traffic(addr(0), addr(node));
            let here = self.network.traffic(addr(node), addr(0));
            let nothing = there.bytes + there.stream_bytes == 0 && members.len() == 1;
            assert!(self.secrets != Secrets::Foreign || nothing, "who has no key is heard");
            // Who opened a stream has proven to be there.
            if here.streams > 0 {
                continue;
            }
            assert!(there.bytes <= FACTOR * here.bytes, "{there:?} for {here:?}");
            assert_eq!(there.streams, 0, "a stream to where nobody was said to live");
        }
    }
}

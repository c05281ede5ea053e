//! Agents on a network in memory, and patience.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::BytesMut;
use swim_agent::{Agent, AgentBuilder, Event, EventStream, Handle, Members, StreamItem};
use swim_core::{EventKind, GossipMessage, Member, MemberState, MemberUpdate, Options};
use swim_transport::{MemoryStream, MemoryTransport, Network, Transport};
use swim_wire::{Codec, ProtobufCodec, encode_frame_header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const SEED: &str = "10.0.0.1:7946";

/// The address of the agent with that number.
pub(crate) fn addr(number: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number], 7946))
}

/// Fast, and the same on every run.
pub(crate) fn options(seed: u64) -> Options {
    Options { seed: Some(seed), boot_epoch: 1, ..Options::local() }
}

/// An agent to be: `n<number>` at `addr(number)`, joining through the first unless it is that.
pub(crate) fn builder(network: &Network, number: u8) -> AgentBuilder<MemoryTransport> {
    let transport = network.bind(addr(number)).expect("a free address");
    over(transport, number)
}

/// The same over any transport.
pub(crate) fn over<T: Transport>(transport: T, number: u8) -> AgentBuilder<T> {
    let seeds = (number != 1).then_some(SEED);
    Agent::builder()
        .name(format!("n{number}"))
        .transport(transport)
        .options(options(number.into()))
        .join(seeds)
}

pub(crate) async fn spawn(network: &Network, number: u8) -> Handle {
    builder(network, number).spawn().await.expect("an agent")
}

/// Agents 1 to `count` that all know each other.
pub(crate) async fn cluster(network: &Network, count: u8) -> Vec<Handle> {
    let mut agents = Vec::new();
    for number in 1..=count {
        agents.push(spawn(network, number).await);
    }
    for agent in &agents {
        alive(agent, count.into()).await;
    }
    agents
}

/// Waits until an agent's view is as wanted; fails after two minutes of the runtime's time.
pub(crate) async fn until(
    agent: &Handle,
    what: &str,
    wanted: impl Fn(&Members) -> bool,
) -> Members {
    let mut watch = agent.watch();
    let waiting = async {
        loop {
            let members = watch.borrow_and_update().clone();
            if wanted(&members) {
                return members;
            }
            watch.changed().await.expect("a running agent");
        }
    };
    match tokio::time::timeout(Duration::from_secs(120), waiting).await {
        Ok(members) => members,
        Err(_) => panic!("{} waited in vain for {what}: {:?}", agent.name(), agent.members()),
    }
}

/// Waits until an agent holds `count` members Alive and no other in any other state but Left.
pub(crate) async fn alive(agent: &Handle, count: usize) -> Members {
    until(agent, &format!("{count} alive"), |members| members.count(MemberState::Alive) == count)
        .await
}

/// Waits until an agent holds a member in a state.
pub(crate) async fn state(agent: &Handle, name: &str, state: MemberState) -> Members {
    until(agent, &format!("{name} {state}"), |members| {
        members.get(name).is_some_and(|member| member.state == state)
    })
    .await
}

/// Waits for what happens to a member.
pub(crate) async fn event(events: &mut EventStream, kind: EventKind, name: &str) -> Event {
    let waiting = async {
        loop {
            match events.next().await.expect("a running agent") {
                StreamItem::Event(event) if event.kind == kind && event.name == name => {
                    return event;
                }
                _ => {}
            }
        }
    };
    match tokio::time::timeout(Duration::from_secs(120), waiting).await {
        Ok(event) => event,
        Err(_) => panic!("nobody told that {name} {}", kind.as_str()),
    }
}

/// Somebody on the network who speaks the wire format and has no protocol behind it.
pub(crate) struct Raw {
    pub(crate) transport: MemoryTransport,
    codec: ProtobufCodec,
}

impl Raw {
    pub(crate) fn new(network: &Network, number: u8) -> Self {
        Self::at(network, addr(number))
    }

    pub(crate) fn at(network: &Network, address: SocketAddr) -> Self {
        let transport = network.bind(address).expect("a free address");
        Self { transport, codec: ProtobufCodec::new("swim").expect("a cluster's name") }
    }

    pub(crate) fn packet(&self, messages: &[GossipMessage]) -> BytesMut {
        let mut packet = BytesMut::new();
        self.codec.start(&mut packet);
        messages.iter().for_each(|message| self.codec.append(message, &mut packet));
        packet
    }

    /// Sends one datagram to the agent with that number; returns its bytes.
    pub(crate) fn send(&self, to: u8, messages: &[GossipMessage]) -> usize {
        let packet = self.packet(messages);
        self.transport.send_to(addr(to), &packet).expect("a whole transport");
        packet.len()
    }

    /// The messages of the next datagram.
    pub(crate) async fn recv(&self) -> Vec<GossipMessage> {
        let mut packet = BytesMut::new();
        self.transport.recv_from(&mut packet).await.expect("a whole transport");
        self.decode(&packet)
    }

    /// The bytes of all datagrams that come within a time.
    pub(crate) async fn recv_for(&self, time: Duration) -> (usize, Vec<GossipMessage>) {
        let (mut bytes, mut messages) = (0, Vec::new());
        let mut packet = BytesMut::new();
        let until = tokio::time::Instant::now() + time;
        while let Ok(received) =
            tokio::time::timeout_at(until, self.transport.recv_from(&mut packet)).await
        {
            received.expect("a whole transport");
            bytes += packet.len();
            messages.extend(self.decode(&packet));
        }
        (bytes, messages)
    }

    /// Says something on a stream of its own and returns the answer's bytes and messages.
    pub(crate) async fn ask(
        &self,
        to: u8,
        messages: &[GossipMessage],
    ) -> (usize, Vec<GossipMessage>) {
        let packet = self.packet(messages);
        self.say(&self.transport, to, &packet).await
    }

    /// The same over another transport than its own.
    async fn say(
        &self,
        transport: &impl Transport,
        to: u8,
        packet: &[u8],
    ) -> (usize, Vec<GossipMessage>) {
        let mut stream = transport.connect(addr(to)).await.expect("somebody there");
        stream.write_all(&encode_frame_header(packet.len()).expect("a length")).await.unwrap();
        stream.write_all(packet).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        if answer.is_empty() { (0, Vec::new()) } else { (answer.len(), self.decode(&answer[4..])) }
    }

    /// Becomes a member in the view of the agent with that number: by a stream, which proves the
    /// address.
    pub(crate) async fn introduce(&self, name: &str, to: u8) {
        self.introduce_at(&self.transport, name, to).await;
    }

    /// Has somebody become a member where that transport is.
    pub(crate) async fn introduce_at(&self, at: &impl Transport, name: &str, to: u8) {
        let packet = self.packet(&[news(name, at.local_addr(), MemberState::Alive)]);
        self.say(at, to, &packet).await;
    }

    /// The messages of the one packet on a stream that somebody else opened.
    pub(crate) async fn read(&self, stream: &mut MemoryStream) -> Vec<GossipMessage> {
        let mut packet = Vec::new();
        stream.read_to_end(&mut packet).await.expect("a whole stream");
        self.decode(&packet[4..])
    }

    fn decode(&self, packet: &[u8]) -> Vec<GossipMessage> {
        let mut messages = Vec::new();
        self.codec.decode(packet, &mut messages).expect("a packet of an agent");
        messages
    }
}

/// A member as somebody might tell of it.
pub(crate) fn member(name: &str, address: SocketAddr) -> Member {
    Member {
        id: name.into(),
        address,
        state: MemberState::Alive,
        incarnation: 1 << 32,
        metadata: HashMap::new(),
        last_update: std::time::Instant::now(),
    }
}

/// Many members at addresses where nobody is, of the host whose streams prove them.
pub(crate) fn crowd(count: u16) -> Vec<Member> {
    let at = |number: u16| SocketAddr::new(addr(99).ip(), 10_000 + number);
    (0..count).map(|number| member(&format!("crowd-{number}"), at(number))).collect()
}

/// That a member lives at an address.
pub(crate) fn news(name: &str, address: SocketAddr, state: MemberState) -> GossipMessage {
    let update = MemberUpdate {
        id: name.into(),
        state,
        incarnation: 1 << 32,
        address: Some(address),
        metadata: Some(HashMap::new()),
    };
    GossipMessage::Gossip { updates: vec![update] }
}

/// All ways in which somebody may tell of a member.
pub(crate) fn ways(name: &str, at: SocketAddr, incarnation: u64) -> Vec<GossipMessage> {
    let states = [MemberState::Alive, MemberState::Suspect, MemberState::Dead, MemberState::Left];
    let member = |state| Member { state, incarnation, ..member(name, at) };
    let update = |state| MemberUpdate {
        id: name.into(),
        state,
        incarnation,
        address: Some(at),
        metadata: Some(HashMap::new()),
    };
    let mut all = Vec::new();
    for state in states {
        all.push(GossipMessage::Gossip { updates: vec![update(state)] });
        all.push(GossipMessage::Delta { updates: vec![update(state)], wanted: Vec::new() });
        all.push(GossipMessage::Sync { members: vec![member(state)] });
        // As if a word of it had been believed before.
        let only = MemberUpdate { address: None, ..update(state) };
        all.push(GossipMessage::Gossip { updates: vec![only, update(state)] });
    }
    all
}

//! Set-up that the benches share: engines and protocols that know `n` members.
#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::net::SocketAddr;

use swim_core::{
    Accusers, Change, Config, Dest, Engine, GossipMessage, GossipProtocol, MemberId, MemberIdx,
    MemberState, MemberUpdate, Message, Options, Outgoing, Output, Rumor, Source, Time, Timers,
    Update,
};

/// The cluster sizes that growth is measured over.
pub const SIZES: [usize; 4] = [100, 1_000, 10_000, 100_000];

/// An output that counts what leaves.
#[derive(Debug, Default)]
pub struct Counting {
    /// Messages sent.
    pub sent: u64,
}

impl Output<()> for Counting {
    fn send(&mut self, _: &[()], _: Dest<MemberIdx>, message: Outgoing<'_>) {
        std::hint::black_box(&message);
        self.sent += 1;
    }

    fn changed(&mut self, _: &mut [()], change: Change, _: Option<()>) {
        std::hint::black_box(change);
    }
}

/// What is claimed of a member.
pub fn claim(member: u32, state: MemberState, incarnation: u64) -> Update<()> {
    let accusers = Accusers::default();
    let member = MemberIdx(member);
    let rumor = Rumor { member, state, incarnation, age: Some(0), with_profile: true, accusers };
    Update { rumor, profile: Some(()) }
}

/// A member as the sender of a message.
pub fn source(member: u32) -> Source<MemberIdx> {
    Source { member: Some(MemberIdx(member)), address: MemberIdx(member) }
}

/// An engine that knows members 1 to `n` and has nothing left to tell.
pub fn engine(n: usize) -> Engine<()> {
    let options = Options { timers: Timers::Named, ..Options::default() };
    let mut engine = Engine::new(Config::from(options), MemberIdx(0), (), 7);
    let mut out = Counting::default();
    for member in 1..=n as u32 {
        let mut updates = [claim(member, MemberState::Alive, 0)];
        engine.handle_message(Time::ZERO, source(1), Message::Gossip(&mut updates), &mut out);
    }
    drain(&mut engine);
    engine
}

/// Gossips until nothing waits.
pub fn drain(engine: &mut Engine<()>) {
    let mut out = Counting::default();
    while engine.queue_len() > 0 {
        engine.handle_timer(Time::ZERO, swim_core::Timer::Gossip, &mut out);
    }
}

/// The address of a node.
pub fn address(node: usize) -> SocketAddr {
    let [_, a, b, c] = (node as u32).to_be_bytes();
    SocketAddr::from(([10, a, b, c], 7946))
}

/// The name of a node: 11 bytes.
pub fn name(node: usize) -> MemberId {
    MemberId(format!("node-{node:06}"))
}

/// Alive news of a node, with a boot epoch.
pub fn alive(node: usize, counter: u64) -> MemberUpdate {
    MemberUpdate {
        id: name(node),
        state: MemberState::Alive,
        incarnation: ((1_790_000_000 + (node as u64 * 7_919) % 30_000_000) << 32) + counter,
        address: Some(address(node)),
        metadata: Some(HashMap::new()),
    }
}

/// A protocol that knows nodes 1 to `n` and has nothing left to tell.
pub fn protocol(n: usize) -> GossipProtocol {
    let options = Options { timers: Timers::Named, seed: Some(7), ..Options::default() };
    let mut protocol =
        GossipProtocol::builder(name(0), address(0)).options(options).build().expect("valid");
    for node in 1..=n {
        let updates = vec![alive(node, 0)];
        protocol.handle_message(address(1), GossipMessage::Gossip { updates });
    }
    while protocol.queue_len() > 0 {
        protocol.handle_timer("gossip");
    }
    protocol
}

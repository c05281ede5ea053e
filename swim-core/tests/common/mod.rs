//! A cluster on virtual time: real protocols, a network of this process, no sockets and no waiting.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::{RngExt as _, SeedableRng as _};
use rand_pcg::Pcg32;
use swim_core::{
    Clock, Decline, EventKind, GossipAction, GossipProtocol, MemberEvent, MemberId, MemberState,
    Options, UserEvent, UserQuery,
};

mod clock;
pub mod events;
pub mod lone;
mod network;
mod users;

pub use clock::ManualClock;
pub use network::Sent;
use network::{Blocked, Censor, Distances, Packet, Tamper};

pub fn addr(node: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, (node / 250) as u8, (node % 250) as u8 + 1], 7946))
}

pub fn id(node: usize) -> MemberId {
    MemberId(format!("node-{node:06}"))
}

/// An ack or an answer: when and where it was heard, to which query, and of whom.
pub type Heard = (u64, usize, u64, MemberId, Option<Vec<u8>>);

struct Node {
    protocol: GossipProtocol,
    address: SocketAddr,
    /// Neither receives nor wakes up until then.
    frozen_until: u64,
    /// Until then what it sends and what it should hear waits.
    held_until: u64,
    /// Parts that are lost of what it sends and of what it should hear, streams included.
    loss_out: f64,
    loss_in: f64,
}

/// Nodes, the packets between them, and what they reported.
pub struct Cluster {
    pub clock: ManualClock,
    nodes: BTreeMap<usize, Node>,
    at: BTreeMap<SocketAddr, usize>,
    due: BinaryHeap<Reverse<(u64, u64)>>,
    packets: BTreeMap<u64, Packet>,
    sequence: u64,
    rng: Pcg32,
    options: Options,
    pub loss: f64,
    pub duplication: f64,
    pub latency: (u64, u64),
    /// In place of `latency`.
    distances: Option<Distances>,
    tamper: Option<Tamper>,
    /// Nodes in different groups do not reach each other.
    groups: BTreeMap<SocketAddr, u32>,
    cut: BTreeSet<(SocketAddr, SocketAddr)>,
    censor: Option<Censor>,
    /// Between which addresses datagrams are lost, while streams pass.
    blocked: Option<Blocked>,
    /// What was sent, if that is recorded.
    sent: Option<Vec<Sent>>,
    /// Events by the node that reported them, with their virtual time in microseconds.
    pub events: Vec<(u64, usize, MemberEvent)>,
    /// Events of users, with when and where they were heard.
    pub heard: Vec<(u64, usize, Arc<UserEvent>)>,
    /// Queries, with when and where they were heard and under which number.
    pub asked: Vec<(u64, usize, u64, Arc<UserQuery>)>,
    /// Acks and answers to queries.
    pub answers: Vec<Heard>,
    /// Queries that were declined: which, by whom, why.
    pub declined: Vec<(u64, MemberId, Decline)>,
    pub datagrams: u64,
    pub trace: u64,
    epoch: u32,
    answering: Option<SocketAddr>,
    /// When the message posted last arrives.
    companion: Vec<u64>,
}

impl Cluster {
    pub fn new(seed: u64, options: Options) -> Self {
        Self {
            clock: ManualClock::new(),
            nodes: BTreeMap::new(),
            at: BTreeMap::new(),
            due: BinaryHeap::new(),
            packets: BTreeMap::new(),
            sequence: 0,
            rng: Pcg32::seed_from_u64(seed),
            options,
            loss: 0.0,
            duplication: 0.0,
            latency: (500, 1_500),
            distances: None,
            tamper: None,
            groups: BTreeMap::new(),
            cut: BTreeSet::new(),
            censor: None,
            blocked: None,
            sent: None,
            events: Vec::new(),
            heard: Vec::new(),
            asked: Vec::new(),
            answers: Vec::new(),
            declined: Vec::new(),
            datagrams: 0,
            trace: 0,
            epoch: 1,
            answering: None,
            companion: Vec::new(),
        }
    }

    /// `n` nodes that joined through node 0 and know each other.
    pub fn converged(seed: u64, n: usize, options: Options) -> Self {
        let mut cluster = Self::new(seed, options);
        for node in 0..n {
            cluster.start(node);
            if node > 0 {
                cluster.join(node, 0);
            }
        }
        cluster.run_until(60, |cluster| cluster.agree(n));
        assert!(cluster.agree(n), "{n} nodes did not find each other");
        cluster
    }

    pub fn start(&mut self, node: usize) {
        self.start_at(node, addr(node));
    }

    /// Starts a node under its usual name on any address, with the next boot epoch.
    pub fn start_at(&mut self, node: usize, address: SocketAddr) {
        self.start_named(node, id(node), address);
    }

    pub fn start_named(&mut self, node: usize, name: MemberId, address: SocketAddr) {
        let mut options = self.options.clone();
        options.seed = Some(self.rng.random());
        options.events = true;
        options.boot_epoch = self.epoch;
        self.epoch += 1;
        let protocol = GossipProtocol::builder(name, address)
            .options(options)
            .clock(self.clock.clone())
            .build()
            .unwrap();
        self.at.insert(address, node);
        let started =
            Node { protocol, address, frozen_until: 0, held_until: 0, loss_out: 0.0, loss_in: 0.0 };
        self.nodes.insert(node, started);
        let now = self.clock.now();
        self.act(node, |protocol| protocol.handle_timeout(now));
    }

    pub fn join(&mut self, node: usize, seed: usize) {
        let seed = self.nodes.get(&seed).map_or_else(|| addr(seed), |node| node.address);
        self.act(node, |protocol| protocol.bootstrap(vec![seed]));
    }

    /// The process is gone without a word.
    pub fn crash(&mut self, node: usize) {
        if let Some(node) = self.nodes.remove(&node) {
            self.at.remove(&node.address);
        }
    }

    pub fn freeze(&mut self, node: usize, seconds: f64) {
        let until = self.clock.micros() + (seconds * 1e6) as u64;
        self.node_mut(node).frozen_until = until;
    }

    /// Packets from and to a node wait so long, while its timers run.
    pub fn hold(&mut self, node: usize, seconds: f64) {
        let until = self.clock.micros() + (seconds * 1e6) as u64;
        self.node_mut(node).held_until = until;
    }

    pub fn node(&self, node: usize) -> &GossipProtocol {
        &self.nodes[&node].protocol
    }

    fn node_mut(&mut self, node: usize) -> &mut Node {
        self.nodes.get_mut(&node).expect("a started node")
    }

    pub fn running(&self) -> Vec<usize> {
        self.nodes.keys().copied().collect()
    }

    /// What one node holds of a name.
    pub fn state(&self, at: usize, of: usize) -> Option<MemberState> {
        self.node(at).member(&id(of)).map(|member| member.state)
    }

    /// Whether every running node holds exactly `n` members Alive and all views have one hash.
    pub fn agree(&self, n: usize) -> bool {
        let mut hashes = self.nodes.values().map(|node| node.protocol.view_hash());
        let first = hashes.next();
        self.nodes.values().all(|node| node.protocol.cluster_size() == n)
            && hashes.all(|hash| Some(hash) == first)
    }

    /// Whether every running node but `of` holds `state` of it.
    pub fn all_hold(&self, of: usize, state: MemberState) -> bool {
        self.nodes.keys().filter(|&&at| at != of).all(|&at| self.state(at, of) == Some(state))
    }

    pub fn events_about(&self, of: usize, kind: EventKind) -> Vec<(u64, usize)> {
        let about = |(_, _, event): &&(u64, usize, MemberEvent)| {
            event.member == id(of) && event.kind == kind
        };
        self.events.iter().filter(about).map(|&(time, at, _)| (time, at)).collect()
    }

    /// Calls a method of one node's protocol and does what it says.
    pub fn act(
        &mut self,
        node: usize,
        call: impl FnOnce(&mut GossipProtocol) -> Vec<GossipAction>,
    ) {
        let actions = call(&mut self.node_mut(node).protocol);
        let from = self.nodes[&node].address;
        for action in actions {
            match action {
                GossipAction::Send { to, message } => self.post(from, to, message, false),
                GossipAction::SendByStream { to, message } => self.post(from, to, message, true),
                GossipAction::Event(event) => {
                    self.note(node, &event);
                    self.events.push((self.clock.micros(), node, event));
                }
                GossipAction::MembershipChange { .. } => {}
                GossipAction::ScheduleTimer { .. } => panic!("timers are owned"),
                other => self.tell_user(node, other),
            }
        }
    }

    /// A running hash of all that happened.
    fn note(&mut self, node: usize, event: &MemberEvent) {
        let text = format!("{} {node} {event:?}", self.clock.micros());
        for byte in text.bytes() {
            self.trace = (self.trace ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Goes on to the next thing that happens; `false` when that is after `end`.
    fn step(&mut self, end: u64) -> bool {
        let packet = self.due.peek().map_or(u64::MAX, |Reverse((at, _))| *at);
        let (wake, node) = self.next_wake();
        let next = packet.min(wake);
        if next > end {
            self.clock.set(end);
            return false;
        }
        self.clock.set(next.max(self.clock.micros()));
        if packet <= wake {
            self.deliver();
        } else {
            let now = self.clock.now();
            self.act(node, |protocol| protocol.handle_timeout(now));
        }
        true
    }

    fn next_wake(&self) -> (u64, usize) {
        let origin = self.clock.now() - Duration::from_micros(self.clock.micros());
        let wake = |(&index, node): (&usize, &Node)| {
            let at = node.protocol.next_timeout()?.duration_since(origin).as_micros() as u64;
            Some((at.max(node.frozen_until), index))
        };
        self.nodes.iter().filter_map(wake).min().unwrap_or((u64::MAX, 0))
    }

    pub fn run(&mut self, seconds: f64) {
        let end = self.clock.micros() + (seconds * 1e6) as u64;
        while self.step(end) {}
    }

    /// Runs until the condition holds, at most so many seconds; returns how many it took.
    pub fn run_until(&mut self, seconds: u64, holds: impl Fn(&Self) -> bool) -> f64 {
        let start = self.clock.micros();
        let end = start + seconds * 1_000_000;
        while !holds(self) && self.step(end) {}
        (self.clock.micros() - start) as f64 / 1e6
    }
}

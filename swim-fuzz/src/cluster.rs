//! Several nodes that talk, and all that can happen to what is under way and to them. Afterwards two
//! fair minutes, at whose end all is well.

mod laws;
mod node;
mod peace;
mod post;

use crate::source::Source;
use node::Node;
use post::{Flight, home};

/// Steps before the peace; what is left of the bytes says nothing.
const STEPS: usize = 400;
/// Packets under way; beyond, the oldest are lost.
const FLIGHTS: usize = 128;

/// All nodes, those that are down included, and what is under way.
struct Cluster {
    nodes: Vec<Node>,
    flights: Vec<Flight>,
    /// Whether streams are all that passes, until there is peace.
    only_streams: bool,
    /// Whether somebody was declared gone already: two who declare each other gone part for good.
    removed: bool,
    /// Events that were told so far.
    told: u32,
}

/// Has two to four nodes go through what the bytes say: time, each by its own clock, packets lost, late,
/// twice and in any order, or all of them lost that do not go by stream, crashes, restarts, goodbyes, removals, news and events.
pub fn cluster(bytes: &[u8]) {
    let mut source = Source::new(bytes);
    let mut cluster = Cluster::new(&mut source);
    for _ in 0..STEPS {
        if source.is_empty() {
            break;
        }
        cluster.step(&mut source);
    }
    peace::keep(&mut cluster);
}

impl Cluster {
    fn new(source: &mut Source<'_>) -> Self {
        let size = 2 + source.below(3);
        let seed = source.byte();
        let nodes = (0..size).map(|at| Node::new(at, size, seed)).collect();
        let (flights, only_streams) = (Vec::new(), false);
        let mut cluster = Self { nodes, flights, only_streams, removed: false, told: 0 };
        (0..size).for_each(|at| cluster.start(at));
        // Mostly, all know each other before anything happens.
        if source.below(4) > 0 {
            peace::keep(&mut cluster);
        }
        cluster
    }

    fn step(&mut self, source: &mut Source<'_>) {
        let at = source.below(self.nodes.len());
        match source.below(24) {
            0..=5 => self.wake(at),
            6..=10 => self.with_flight(source, |cluster, flight| {
                let flight = cluster.flights.remove(flight);
                cluster.deliver(&flight);
            }),
            11 => self.with_flight(source, |cluster, flight| {
                let flight = cluster.flights[flight].clone();
                cluster.deliver(&flight);
            }),
            12 => self.with_flight(source, |cluster, flight| drop(cluster.flights.remove(flight))),
            13 => self.flights.retain(|flight| flight.to != home(at)),
            14..=16 => {
                for flight in std::mem::take(&mut self.flights) {
                    self.deliver(&flight);
                }
            }
            17 => {
                let unit = [1_000, 100_000, 1_000_000][source.below(3)];
                self.nodes[at].watch.advance(u64::from(source.byte()) * unit);
                self.wake(at);
            }
            18 => self.nodes[at].stop(),
            19 => self.start(at),
            20 => match source.below(8) {
                0 | 4 => self.tell(at, |node| node.leave()),
                7 => self.only_streams = true,
                _ => self.tell(at, |node| node.anti_entropy_sync()),
            },
            21 => {
                let value = "v".repeat(source.below(200));
                self.tell(at, |node| node.update_metadata("k".to_owned(), value));
            }
            22 => {
                self.told += 1;
                let payload = self.told.to_be_bytes();
                self.tell(at, |node| node.send_event("x", payload).unwrap_or_default());
            }
            _ => self.remove(at, source),
        }
    }

    /// Begins the life of a node that is down.
    fn start(&mut self, at: usize) {
        if !self.nodes[at].up {
            let actions = self.nodes[at].start();
            self.send(at, actions);
        }
    }

    fn wake(&mut self, at: usize) {
        let watch = self.nodes[at].watch.clone();
        self.tell(at, |node| watch.wake(node));
    }

    /// One call of a node, if it is up.
    fn tell(
        &mut self,
        at: usize,
        call: impl FnOnce(&mut swim_core::GossipProtocol) -> Vec<swim_core::GossipAction>,
    ) {
        if self.nodes[at].up {
            let actions = self.nodes[at].call(call);
            self.send(at, actions);
        }
    }

    fn remove(&mut self, at: usize, source: &mut Source<'_>) {
        let (other, prune) = (source.below(self.nodes.len()), source.flag());
        if !self.removed && self.nodes[at].up {
            let name = node::name(other);
            self.removed = self.nodes[at].face.member(&name).is_some();
            self.tell(at, |node| node.force_leave(&name, prune).unwrap_or_default());
        }
    }

    fn with_flight(&mut self, source: &mut Source<'_>, act: impl FnOnce(&mut Self, usize)) {
        if let Some(flight) = source.pick(self.flights.len()) {
            act(self, flight);
        }
    }

    /// A packet arrives, if somebody is there.
    fn deliver(&mut self, flight: &Flight) {
        let Some(at) = post::node(flight.to).filter(|&at| self.nodes[at].up) else { return };
        for message in &flight.messages {
            let actions = self.nodes[at].hear(flight.from, message.clone());
            self.send(at, actions);
        }
    }

    /// What a call brought about is under way now, and all laws hold.
    fn send(&mut self, at: usize, actions: Vec<swim_core::GossipAction>) {
        self.nodes[at].note(&actions);
        let packets = post::packets(at, actions).into_iter();
        self.flights.extend(packets.filter(|it| it.is_by_stream() || !self.only_streams));
        let beyond = self.flights.len().saturating_sub(FLIGHTS);
        self.flights.drain(..beyond);
        laws::check(&mut self.nodes, at);
    }
}
